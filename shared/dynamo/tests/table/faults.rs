//! A store that is busy, elsewhere, forbidden or silent: tried again where that helps, a bounded number of times, and told in
//! words that help.

use std::time::Duration;

use emulator::proxy::{Fault, Proxy, Request};
use guestlist_dynamo::{Expect, Table, TableError};
use serde_json::{Value, json};

use crate::given::{found, key, named, put, put_due, range, table};

const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "message":"Transaction cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#;
const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "message":"Transaction cancelled","CancellationReasons":[{"Code":"ThrottlingError"},{"Code":"None"}]}"#;
const REFUSED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "message":"Transaction cancelled, refused","CancellationReasons":[{"Code":"ValidationError"},{"Code":"None"}]}"#;

async fn through(
    table: &Table,
    script: impl Fn(&Request) -> Fault + Send + Sync + 'static,
) -> (Table, Proxy) {
    let proxy = Proxy::start(script).await;
    (named(&proxy.address, table.name()), proxy)
}

#[tokio::test]
async fn whoever_meets_another_transaction_tries_again_and_gives_up_at_last() {
    let both = [put("a", Expect::Absent, "1"), put("b", Expect::Any, "1")];
    let one = [put("a", Expect::Absent, "1")];
    for (writes, operation, answer) in [
        (&both[..], "TransactWriteItems", CONFLICT.to_owned()),
        (&both[..], "TransactWriteItems", THROTTLED.to_owned()),
        (
            &one[..],
            "PutItem",
            r#"{"__type":"TransactionConflictException","message":"in a test"}"#.to_owned(),
        ),
    ] {
        for (lasts, passes) in [(5, true), (usize::MAX, false)] {
            let table = table();
            let answer = answer.clone();
            let (seen, proxy) = through(&table, move |request| {
                let meets = request.operation == operation && request.before < lasts;
                if meets { Fault::Answer(400, answer.clone()) } else { Fault::None }
            })
            .await;
            let written = seen.put_all(writes).await;
            if passes {
                assert_eq!(written.map(|versions| versions[0]), Ok(Some(10)));
                assert_eq!(proxy.count(operation), 6);
            } else {
                let error = written.unwrap_err();
                assert!(matches!(error, TableError::Busy { .. }) && error.may_pass(), "{error}");
                assert!(error.to_string().contains(table.name()), "{error}");
                assert_eq!((found(&table, "a").await, proxy.count(operation)), (None, 12));
            }
        }
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_conflict_even_where_others_meet() {
    let table = table();
    let mixed = CONFLICT.replace(r#"{"Code":"None"}"#, r#"{"Code":"ConditionalCheckFailed"}"#);
    let (seen, _proxy) = through(&table, move |_| Fault::Answer(400, mixed.clone())).await;
    let written = seen.put_all(&[put("a", Expect::Absent, "1"), put("b", Expect::Absent, "1")]).await;
    assert_eq!(written, Err(TableError::Conflict { key: key("a") }));
}

#[tokio::test]
async fn a_store_that_throttles_is_asked_again_and_called_busy_at_last() {
    for code in ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"] {
        let table = table();
        let (seen, proxy) =
            through(
                &table,
                move |request| {
                    if request.before < 2 { Fault::refuse(code) } else { Fault::None }
                },
            )
            .await;
        assert_eq!(seen.put_all(&[put("a", Expect::Absent, "1")]).await, Ok(vec![Some(10)]));
        assert_eq!(seen.get(&key("a")).await.unwrap().map(|item| item.version), Some(10));
        assert_eq!((proxy.count("PutItem"), proxy.count("GetItem")), (3, 3));

        let (seen, proxy) = through(&table, move |_| Fault::refuse(code)).await;
        let error = seen.put_all(&[put("b", Expect::Absent, "1")]).await.unwrap_err();
        assert!(matches!(error, TableError::Busy { .. }) && error.may_pass(), "{error}");
        assert!(error.to_string().contains("in a test"), "{error}");
        assert_eq!(proxy.count("PutItem"), 4);
    }
}

/// One key of a batch, and the rest undone.
fn half_of(request: &Request) -> Fault {
    let tables = request.body["RequestItems"].as_object().unwrap();
    let (name, wanted) = tables.iter().next().unwrap();
    let mut left = wanted.clone();
    let keys = left["Keys"].as_array_mut().unwrap();
    // The emulator answers for the first.
    let first: Value = keys.remove(0);
    let body = json!({ "TableName": name, "Key": first, "ConsistentRead": true }).to_string();
    let answer = emulator::ask("GetItem", &body);
    let item: Value = serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    let unprocessed = if left["Keys"] == json!([]) { json!({}) } else { json!({ name: left }) };
    let answer = json!({ "Responses": { name: [item["Item"]] }, "UnprocessedKeys": unprocessed });
    Fault::Answer(200, answer.to_string())
}

#[tokio::test]
async fn reads_that_were_left_undone_are_asked_for_again() {
    let table = table();
    let writes: Vec<_> = (0..20).map(|n| put_due(&format!("{n:02}"), Expect::Absent, n)).collect();
    table.put_all(&writes).await.unwrap();
    let (seen, proxy) =
        through(
            &table,
            |request| {
                if request.operation == "BatchGetItem" { half_of(request) } else { Fault::None }
            },
        )
        .await;
    let items = seen.due("notes", 99, 99).await.unwrap();
    assert_eq!(items, table.list(&range("", None, 99)).await.unwrap());
    assert_eq!(proxy.count("BatchGetItem"), 20, "going on is no failure");

    let (seen, _proxy) = through(&table, |request| {
        if request.operation != "BatchGetItem" {
            return Fault::None;
        }
        let answer = json!({ "Responses": {}, "UnprocessedKeys": request.body["RequestItems"] });
        Fault::Answer(200, answer.to_string())
    })
    .await;
    let error = seen.due("notes", 99, 99).await.unwrap_err();
    assert!(matches!(error, TableError::Busy { .. }), "{error}");
}

#[tokio::test]
async fn what_cannot_be_helped_by_trying_again_is_said_at_once() {
    let table = table();
    let nowhere = named(emulator::address(), "guestlist-nowhere");
    for error in [
        nowhere.get(&key("a")).await.unwrap_err(),
        nowhere.put_all(&[put("a", Expect::Any, "")]).await.unwrap_err(),
        nowhere.list(&range("", None, 1)).await.unwrap_err(),
        nowhere.due("notes", 1, 1).await.unwrap_err(),
    ] {
        assert_eq!(error, TableError::Missing { table: "guestlist-nowhere".to_owned() });
        assert!(!error.may_pass());
    }
    for code in ["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"] {
        let (seen, proxy) = through(&table, move |_| Fault::refuse(code)).await;
        let error = seen.get(&key("a")).await.unwrap_err();
        assert!(matches!(error, TableError::Denied { .. }) && !error.may_pass(), "{error}");
        assert_eq!(proxy.count("GetItem"), 1, "{code}");
    }
    for answer in [REFUSED.to_owned(), r#"{"__type":"ValidationException","message":"refused"}"#.to_owned()] {
        let (seen, proxy) = through(&table, move |_| Fault::Answer(400, answer.clone())).await;
        let writes = [put("a", Expect::Absent, "secret"), put("b", Expect::Absent, "secret")];
        let error = seen.put_all(&writes).await.unwrap_err();
        assert!(matches!(&error, TableError::Other { why, .. } if why.contains("refused")), "{error}");
        assert!(!error.to_string().contains("secret"), "no body in a message: {error}");
        assert_eq!(proxy.count("TransactWriteItems"), 1);
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_or_silent_is_unreachable() {
    let silent = Proxy::start(|_| Fault::Hang).await;
    let config = |address: &str| emulator::config(address);
    // Nobody listens on port 1.
    for address in [silent.address.as_str(), "http://127.0.0.1:1"] {
        let table = Table::new(&config(address), "guestlist", Duration::from_millis(200));
        let error = table.get(&key("a")).await.unwrap_err();
        assert!(matches!(error, TableError::Unreachable { .. }) && error.may_pass(), "{error}");
        let error = table.put_all(&[put("a", Expect::Absent, "")]).await.unwrap_err();
        assert!(matches!(error, TableError::Unreachable { .. }), "{error}");
    }
}
