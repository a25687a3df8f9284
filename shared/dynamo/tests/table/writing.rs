//! All or nothing, under its conditions, each write with the version that follows.

use guestlist_dynamo::{Due, Expect, Item, Write};

use crate::given::{delete, expect_conflict, found, key, put, table};

#[tokio::test]
async fn an_item_is_written_only_where_its_condition_holds() {
    let table = table();
    expect_conflict(table.put_all(&[put("a", Expect::Version(10), "0")]).await, "a");
    assert_eq!(table.put_all(&[put("a", Expect::Absent, "1")]).await, Ok(vec![Some(10)]));
    expect_conflict(table.put_all(&[put("a", Expect::Absent, "2")]).await, "a");
    expect_conflict(table.put_all(&[put("a", Expect::Version(9), "2")]).await, "a");
    assert_eq!(found(&table, "a").await, Some((10, "1".to_owned())));
    assert_eq!(table.put_all(&[put("a", Expect::Version(10), "2")]).await, Ok(vec![Some(11)]));
    expect_conflict(table.put_all(&[put("a", Expect::Version(10), "3")]).await, "a");
    assert_eq!(table.put_all(&[put("a", Expect::Any, "3")]).await, Ok(vec![Some(12)]));
    assert_eq!(table.put_all(&[put("b", Expect::Any, "1")]).await, Ok(vec![Some(10)]));
    assert_eq!(found(&table, "a").await, Some((12, "3".to_owned())));
    assert_eq!(table.put_all(&[]).await, Ok(vec![]));
}

#[tokio::test]
async fn an_item_is_deleted_only_where_its_condition_holds() {
    let table = table();
    assert_eq!(table.put_all(&[delete("a", Expect::Any)]).await, Ok(vec![None]));
    assert_eq!(table.put_all(&[delete("a", Expect::Absent)]).await, Ok(vec![None]));
    expect_conflict(table.put_all(&[delete("a", Expect::Version(10))]).await, "a");
    table.put_all(&[put("a", Expect::Absent, "1")]).await.unwrap();
    expect_conflict(table.put_all(&[delete("a", Expect::Absent)]).await, "a");
    expect_conflict(table.put_all(&[delete("a", Expect::Version(11))]).await, "a");
    assert_eq!(table.put_all(&[delete("a", Expect::Version(10))]).await, Ok(vec![Some(10)]));
    assert_eq!(found(&table, "a").await, None);
    table.put_all(&[put("a", Expect::Absent, "1")]).await.unwrap();
    assert_eq!(table.put_all(&[delete("a", Expect::Any)]).await, Ok(vec![Some(10)]));
    assert_eq!(found(&table, "a").await, None);
}

#[tokio::test]
async fn writes_that_go_together_happen_together_or_not_at_all() {
    let table = table();
    let both = [put("a", Expect::Absent, "1"), put("b", Expect::Any, "1")];
    assert_eq!(table.put_all(&both).await, Ok(vec![Some(10), Some(10)]));
    let mixed = [
        put("a", Expect::Version(10), "2"),
        put("b", Expect::Any, "2"),
        put("c", Expect::Absent, "2"),
        delete("nowhere", Expect::Any),
    ];
    assert_eq!(table.put_all(&mixed).await, Ok(vec![Some(11), Some(11), Some(10), None]));
    let stale = [
        put("b", Expect::Any, "3"),
        put("a", Expect::Version(11), "3"),
        delete("c", Expect::Version(9)),
        put("b2", Expect::Version(1), "3"),
    ];
    expect_conflict(table.put_all(&stale).await, "c");
    for (sort, version) in [("a", 11), ("b", 11), ("c", 10)] {
        assert_eq!(found(&table, sort).await, Some((version, "2".to_owned())), "{sort}");
    }
    let gone = [delete("c", Expect::Version(10)), delete("b", Expect::Any)];
    assert_eq!(table.put_all(&gone).await, Ok(vec![Some(10), Some(11)]));
    assert_eq!((found(&table, "b").await, found(&table, "c").await), (None, None));
}

#[tokio::test]
async fn a_hundred_writes_go_together() {
    let table = table();
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let writes: Vec<Write> = names.iter().map(|name| put(name, Expect::Any, "1")).collect();
    assert_eq!(table.put_all(&writes).await, Ok(vec![Some(10); 100]));
    assert_eq!(table.put_all(&writes).await, Ok(vec![Some(11); 100]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_whatever_is_there_goes_on_from_it_however_many_do() {
    let table = table();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let table = table.clone();
            tokio::spawn(async move { table.put_all(&[put("a", Expect::Any, &n.to_string())]).await })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        versions.extend(task.await.unwrap().unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (10..18).map(Some).collect::<Vec<_>>(), "none was written over unseen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_who_know_the_same_version_wins() {
    let table = table();
    for round in 0..5 {
        let name = round.to_string();
        table.put_all(&[put(&name, Expect::Absent, "0")]).await.unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (table, name) = (table.clone(), name.clone());
                // Half of them in a transaction with something of their own.
                let mut writes = vec![put(&name, Expect::Version(10), &n.to_string())];
                writes.extend((n % 2 == 0).then(|| put(&format!("{name}/{n}"), Expect::Absent, "own")));
                tokio::spawn(async move { table.put_all(&writes).await.is_ok() })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += u32::from(task.await.unwrap());
        }
        assert_eq!(won, 1);
        let owned = table.list(&crate::given::range(&format!("{name}/"), None, 9)).await.unwrap();
        let winner = found(&table, &name).await.unwrap().1;
        let expected: Vec<String> =
            if winner.parse::<u32>().unwrap() % 2 == 0 { vec![format!("{name}/{winner}")] } else { vec![] };
        assert_eq!(crate::given::sorts(&owned), expected, "the losers left nothing");
    }
}

#[tokio::test]
async fn when_an_item_may_go_is_kept_with_it() {
    let table = table();
    let due = Some(Due { class: "notes".to_owned(), at: -5 });
    let (expires, body) = (Some(4_000_000_000), String::new());
    let write = Write::Put { key: key("a"), expect: Expect::Any, fresh: u64::MAX >> 2, due, expires, body };
    table.put_all(std::slice::from_ref(&write)).await.unwrap();
    let expected = Item { key: key("a"), version: u64::MAX >> 2, body: String::new(), expires };
    assert_eq!(table.get(&key("a")).await, Ok(Some(expected.clone())));
    assert_eq!(table.due("notes", -5, 9).await, Ok(vec![expected]));
}
