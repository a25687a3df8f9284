//! What DynamoDB takes, and our words for what it does not. A limit that we know wrongly shows here: what is said to fit is
//! sent.

use guestlist_dynamo::{Due, Expect, Key, TableError, Write};

use crate::given::{delete, found, key, put, range, table};

fn with_key(partition: &str, sort: &str) -> Write {
    let key = Key { partition: partition.to_owned(), sort: sort.to_owned() };
    Write::Put { key, expect: Expect::Absent, fresh: u64::MAX, due: None, expires: None, body: String::new() }
}

/// Of an item with the key `note/a`, the largest version and nothing else: what is left for its body, to the byte.
const ROOM: usize =
    TableError::ITEM_BYTES - "pknotesk".len() - 1 - "v".len() - 21 - "b".len() - "w".len() - 16;

#[tokio::test]
async fn the_largest_item_is_taken_and_a_larger_one_is_named() {
    let table = table();
    let body = "x".repeat(ROOM);
    table.put_all(&[put("a", Expect::Absent, &body)]).await.unwrap();
    assert_eq!(found(&table, "a").await, Some((10, body)));
    let larger = "x".repeat(ROOM + 1);
    for writes in [
        vec![put("a", Expect::Any, &larger)],
        vec![put("b", Expect::Any, ""), put("a", Expect::Any, &larger)],
        vec![put("a", Expect::Any, &"ä".repeat(ROOM / 2 + 1))],
    ] {
        let error = table.put_all(&writes).await.unwrap_err();
        assert!(matches!(&error, TableError::TooLarge { key: at, .. } if *at == key("a")), "{error}");
        assert!(
            error.to_string().contains("write `note/a`") && error.to_string().contains("409600"),
            "{error}"
        );
    }
    assert_eq!(found(&table, "b").await, None);
}

#[tokio::test]
async fn the_longest_keys_are_taken_and_longer_ones_are_named() {
    let table = table();
    let (partition, sort) = ("p".repeat(2048), "s".repeat(1024));
    table.put_all(&[with_key(&partition, &sort)]).await.unwrap();
    let (longer, too_long) = ("p".repeat(2049), "s".repeat(1025));
    for (partition, sort, words) in [
        (&*longer, "a", "partition key has 2049 bytes"),
        ("p", &*too_long, "sort key has 1025 bytes"),
        ("", "a", "partition key has 0 bytes"),
        ("p", "", "sort key has 0 bytes"),
    ] {
        let error = table.put_all(&[with_key(partition, sort)]).await.unwrap_err();
        assert!(matches!(&error, TableError::BadKey { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        let nowhere = Key { partition: partition.to_owned(), sort: sort.to_owned() };
        assert_eq!(table.get(&nowhere).await, Ok(None), "nothing can lie there");
    }
    assert_eq!(table.list(&range(&too_long, None, 9)).await, Ok(vec![]));
    assert!(matches!(table.list(&range("", Some(&too_long), 9)).await, Err(TableError::BadKey { .. })));
    let due = Some(Due { class: longer.clone(), at: 1 });
    let classed =
        Write::Put { key: key("a"), expect: Expect::Any, fresh: 1, due, expires: None, body: String::new() };
    assert!(matches!(table.put_all(&[classed]).await, Err(TableError::BadKey { .. })));
    assert_eq!(table.due(&longer, 9, 9).await, Ok(vec![]));
}

#[tokio::test]
async fn more_than_a_transaction_takes_is_refused_before_it_is_sent() {
    let table = table();
    let many: Vec<Write> = (0..101).map(|n| put(&n.to_string(), Expect::Any, "")).collect();
    let large: Vec<Write> = (0..11).map(|n| put(&n.to_string(), Expect::Any, &"x".repeat(400_000))).collect();
    let twice = [put("a", Expect::Any, ""), delete("a", Expect::Any)];
    for (writes, words) in [
        (&many[..], "write 101 items at once, `note/0` and others: DynamoDB takes 100"),
        (&large[..], "and DynamoDB takes 4194304 in one transaction"),
        (&twice[..], "`note/a` is among them twice"),
    ] {
        let error = table.put_all(writes).await.unwrap_err();
        assert!(matches!(error, TableError::TooMuch { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(table.list(&range("", None, 9)).await, Ok(vec![]));
    let fits: Vec<Write> = large.into_iter().take(10).collect();
    assert_eq!(table.put_all(&fits).await.map(|versions| versions.len()), Ok(10));
}
