//! Lists in the order of bytes, and what is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emulator::proxy::{Fault, Proxy};
use guestlist_dynamo::{Expect, TableError};

use crate::given::{delete, key, named, put, put_due, range, sorts, table};

#[tokio::test]
async fn a_list_is_in_the_order_of_bytes_and_goes_on_after_any_key() {
    let table = table();
    for sort in ["b", "a/2", "a/10", "a/1", "a", "á/1", "a0", "𝔞", "ﬀ"] {
        table.put_all(&[put(sort, Expect::Absent, "")]).await.unwrap();
    }
    for (prefix, after, limit, expected) in [
        ("", None, 99, &["a", "a/1", "a/10", "a/2", "a0", "b", "á/1", "ﬀ", "𝔞"][..]),
        ("", Some(""), 2, &["a", "a/1"]),
        ("", Some("a/1"), 2, &["a/10", "a/2"]),
        ("", Some("a/19"), 2, &["a/2", "a0"]),
        ("a/", None, 99, &["a/1", "a/10", "a/2"]),
        ("a/", Some("a/1"), 1, &["a/10"]),
        ("a/", Some("a/"), 1, &["a/1"]),
        ("a/", Some("a"), 1, &["a/1"]),
        ("a/", Some("a0"), 9, &[]),
        ("a/", Some("a/2"), 9, &[]),
        ("", None, 0, &[]),
        ("c", None, 9, &[]),
    ] {
        let items = table.list(&range(prefix, after, limit)).await.unwrap();
        assert_eq!(sorts(&items), expected, "`{prefix}` after {after:?}");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_an_answer_ends_for_its_size() {
    let table = table();
    let body = "x".repeat(150_000);
    for n in 0..20 {
        table.put_all(&[put(&format!("{n:02}"), Expect::Absent, &body)]).await.unwrap();
    }
    let items = table.list(&range("", None, 17)).await.unwrap();
    assert_eq!(sorts(&items), (0..17).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert!(items.iter().all(|item| item.body == body));
}

#[tokio::test]
async fn what_is_due_comes_in_the_order_of_its_moment_until_it_is_put_off() {
    let table = table();
    for (sort, at) in [("late", 30), ("soon", 10), ("later", 20), ("long ago", -7)] {
        table.put_all(&[put_due(sort, Expect::Absent, at)]).await.unwrap();
    }
    table.put_all(&[put("never", Expect::Absent, "")]).await.unwrap();
    let due = async |until, limit| {
        let items = table.due("notes", until, limit).await.unwrap();
        sorts(&items).join(" ")
    };
    assert_eq!(due(20, 10).await, "long ago soon later");
    assert_eq!(due(20, 2).await, "long ago soon");
    assert_eq!(due(20, 0).await, "");
    assert_eq!(due(i64::MAX, 10).await, "long ago soon later late");
    for (class, until, count) in [("notes", 20, 3), ("notes", i64::MAX, 4), ("other", 20, 0)] {
        assert_eq!(table.count_due(class, until).await, Ok(count), "{class} until {until}");
    }
    table.put_all(&[put_due("soon", Expect::Any, 21), delete("long ago", Expect::Any)]).await.unwrap();
    table.put_all(&[put("later", Expect::Any, "")]).await.unwrap();
    assert_eq!(due(20, 10).await, "");
    assert_eq!(due(21, 10).await, "soon");
    assert_eq!(table.due("other", 99, 10).await, Ok(vec![]));
    assert_eq!(table.due("", 99, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn more_can_be_due_than_one_request_reads() {
    let table = table();
    for chunk in (0..230).collect::<Vec<_>>().chunks(100) {
        let writes: Vec<_> = chunk.iter().map(|n| put_due(&format!("{n:03}"), Expect::Absent, *n)).collect();
        table.put_all(&writes).await.unwrap();
    }
    for limit in [230, 500, 101] {
        let items = table.due("notes", 999, limit).await.unwrap();
        let expected: Vec<String> = (0..limit.min(230)).map(|n| format!("{n:03}")).collect();
        assert_eq!(sorts(&items), expected);
    }
}

/// As an index that has not yet heard of what became of three items, and of one that was just made.
const STALE: &str = r#"{"Count":4,"ScannedCount":4,"Items":[
    {"pk":{"S":"note"},"sk":{"S":"put off"},"dc":{"S":"notes"},"da":{"N":"1"}},
    {"pk":{"S":"note"},"sk":{"S":"deleted"},"dc":{"S":"notes"},"da":{"N":"2"}},
    {"pk":{"S":"note"},"sk":{"S":"done"},"dc":{"S":"notes"},"da":{"N":"3"}},
    {"pk":{"S":"note"},"sk":{"S":"due"},"dc":{"S":"notes"},"da":{"N":"4"}}],
    "LastEvaluatedKey":{"pk":{"S":"note"},"sk":{"S":"due"},"dc":{"S":"notes"},"da":{"N":"4"}}}"#;

#[tokio::test]
async fn an_index_that_lags_makes_nothing_due_that_is_not_and_nothing_is_shown_twice() {
    let table = table();
    let made = [
        put_due("put off", Expect::Absent, 50),
        put("done", Expect::Absent, ""),
        put_due("due", Expect::Absent, 9),
    ];
    table.put_all(&made).await.unwrap();
    let was_stale = Arc::new(AtomicBool::new(false));
    let proxy = Proxy::start(move |request| {
        let first = request.operation == "Query" && !was_stale.swap(true, Ordering::Relaxed);
        if first { Fault::Answer(200, STALE.to_owned()) } else { Fault::None }
    });
    // Goes on behind 4, where the true index has `due` once more.
    let seen = named(&proxy.await.address, table.name());
    assert_eq!(sorts(&seen.due("notes", 10, 3).await.unwrap()), ["due"]);
}

#[tokio::test]
async fn what_is_read_is_what_was_last_written_but_for_the_index() {
    let table = table();
    let proxy = Proxy::start(|_| Fault::None).await;
    let seen = named(&proxy.address, table.name());
    seen.put_all(&[put_due("a", Expect::Any, 1)]).await.unwrap();
    seen.get(&key("a")).await.unwrap();
    seen.list(&range("", None, 9)).await.unwrap();
    seen.due("notes", 9, 9).await.unwrap();
    let mut reads = 0;
    for request in proxy.seen() {
        let body = &request.body;
        let consistent = match request.operation.as_str() {
            "PutItem" => continue,
            "BatchGetItem" => &body["RequestItems"][table.name()]["ConsistentRead"],
            // DynamoDB refuses it there.
            "Query" if body["IndexName"] == "due" => &body["ConsistentRead"].is_null().into(),
            _ => &body["ConsistentRead"],
        };
        assert_eq!(consistent, true, "{request:?}");
        reads += 1;
    }
    assert_eq!(reads, 5);
}

#[tokio::test]
async fn what_somebody_else_put_there_is_refused_by_name() {
    let table = table();
    for (sort, attributes, missing) in [
        ("a", r#""b":{"S":"b"}"#, "`v`"),
        ("b", r#""b":{"S":"b"},"v":{"N":"1.5"}"#, "`v`"),
        ("c", r#""v":{"N":"1"}"#, "`b`"),
    ] {
        let item = format!(r#"{{"pk":{{"S":"note"}},"sk":{{"S":"{sort}"}},{attributes}}}"#);
        let put = format!(r#"{{"TableName":"{}","Item":{item}}}"#, table.name());
        assert!(emulator::ask("PutItem", &put).starts_with("HTTP/1.1 200"));
        let error = table.get(&key(sort)).await.unwrap_err();
        assert!(
            matches!(&error, TableError::Unreadable { key, .. } if *key == format!("note/{sort}")),
            "{error}"
        );
        assert!(error.to_string().contains(missing), "{error}");
        assert_eq!(table.list(&range(sort, None, 9)).await, Err(error));
    }
    let over = table.put_all(&[put("a", Expect::Any, "")]).await.unwrap_err();
    assert!(matches!(over, TableError::Unreadable { .. }), "it is not written over: {over}");
}
