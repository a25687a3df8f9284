//! Answers that get lost: what was written is known to be written, once, and what is not known is not called a conflict.

use emulator::proxy::{Fault, Proxy, Request};
use guestlist_dynamo::{Expect, Table, TableError, Write};

use crate::given::{delete, expect_conflict, found, key, named, put, table};

/// The table, seen through a network in which that happens to the first request of each operation.
async fn through(table: &Table, fault: impl Fn() -> Fault + Send + Sync + 'static) -> (Table, Proxy) {
    let proxy = Proxy::start(move |request| if request.before == 0 { fault() } else { Fault::None }).await;
    (named(&proxy.address, table.name()), proxy)
}

#[tokio::test]
async fn a_put_whose_answer_was_lost_has_succeeded() {
    for fault in [Fault::lose_answer, || Fault::SayInternalError, || Fault::LoseRequest] {
        let table = table();
        let (seen, proxy) = through(&table, fault).await;
        assert_eq!(seen.put_all(&[put("a", Expect::Absent, "1")]).await, Ok(vec![Some(10)]));
        assert_eq!(proxy.count("PutItem"), 2);
        assert_eq!(found(&table, "a").await, Some((10, "1".to_owned())));

        let (seen, proxy) = through(&table, fault).await;
        assert_eq!(seen.put_all(&[put("a", Expect::Version(10), "2")]).await, Ok(vec![Some(11)]));
        assert_eq!(proxy.count("PutItem"), 2);

        let (seen, proxy) = through(&table, fault).await;
        assert_eq!(seen.put_all(&[put("a", Expect::Any, "3")]).await, Ok(vec![Some(12)]));
        assert_eq!(proxy.count("PutItem"), 2);
        assert_eq!(found(&table, "a").await, Some((12, "3".to_owned())), "written once");
    }
}

/// The same body under the next version is not enough to call it ours.
#[tokio::test]
async fn another_who_wrote_the_same_is_not_mistaken_for_ourselves() {
    let table = table();
    table.put_all(&[put("a", Expect::Absent, "1")]).await.unwrap();
    table.put_all(&[put("a", Expect::Version(10), "2")]).await.unwrap();
    expect_conflict(table.put_all(&[put("a", Expect::Version(10), "2")]).await, "a");
}

#[tokio::test]
async fn a_put_that_was_lost_and_written_over_is_no_conflict_but_unsure() {
    let table = table();
    let other = table.clone();
    let (seen, _proxy) = through(&table, move || {
        let other = other.clone();
        Fault::LoseAnswer(Box::pin(async move {
            other.put_all(&[put("a", Expect::Version(10), "theirs")]).await.unwrap();
        }))
    })
    .await;
    let unsure = seen.put_all(&[put("a", Expect::Absent, "ours")]).await.unwrap_err();
    assert_eq!(unsure, TableError::Unsure { key: key("a") });
    assert!(unsure.may_pass() && unsure.to_string().contains("`note/a`"), "{unsure}");
    assert_eq!(found(&table, "a").await, Some((11, "theirs".to_owned())));
}

#[tokio::test]
async fn a_transaction_whose_answer_was_lost_has_succeeded() {
    for fault in [Fault::lose_answer, || Fault::SayInternalError, || Fault::LoseRequest] {
        let table = table();
        table.put_all(&[put("gone", Expect::Absent, "1")]).await.unwrap();
        let (seen, proxy) = through(&table, fault).await;
        let writes =
            [put("a", Expect::Absent, "1"), put("b", Expect::Any, "1"), delete("gone", Expect::Version(10))];
        assert_eq!(seen.put_all(&writes).await, Ok(vec![Some(10), Some(10), Some(10)]));
        assert_eq!(proxy.count("TransactWriteItems"), 2);
        assert_eq!(found(&table, "gone").await, None);
        assert_eq!(found(&table, "b").await, Some((10, "1".to_owned())), "written once");
        let tokens = tokens(&proxy.seen());
        assert_eq!(tokens[0], tokens[1], "DynamoDB can tell that it is the same one");
        seen.put_all(&[put("c", Expect::Any, "1"), put("b", Expect::Any, "2")]).await.unwrap();
        assert_ne!(tokens[0], self::tokens(&proxy.seen())[2], "another is another one");
    }
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_has_succeeded() {
    for fault in [Fault::lose_answer, || Fault::SayInternalError, || Fault::LoseRequest] {
        for expect in [Expect::Version(10), Expect::Any] {
            let table = table();
            table.put_all(&[put("a", Expect::Absent, "1")]).await.unwrap();
            let (seen, proxy) = through(&table, fault).await;
            assert_eq!(seen.put_all(&[delete("a", expect)]).await, Ok(vec![Some(10)]));
            assert_eq!(proxy.count("TransactWriteItems"), 2);
            assert_eq!(found(&table, "a").await, None);
        }
    }
}

/// The token is good for ten minutes. Whoever is asked later meets the mark in the item, as here, where the token was lost, too.
#[tokio::test]
async fn a_transaction_that_dynamodb_has_forgotten_is_known_by_its_mark() {
    let table = table();
    let other = table.clone();
    let proxy = Proxy::start(move |request| {
        if request.operation != "TransactWriteItems" || request.before > 0 {
            return Fault::None;
        }
        // Carried out under another token: the second attempt is new to DynamoDB.
        let (name, body) = (other.name().to_owned(), request.body.clone());
        Fault::Answer(500, carry_out(&name, body))
    })
    .await;
    let seen = named(&proxy.address, table.name());
    let writes = [put("a", Expect::Absent, "1"), put("b", Expect::Absent, "1")];
    assert_eq!(seen.put_all(&writes).await, Ok(vec![Some(10), Some(10)]));
    assert_eq!(proxy.count("TransactWriteItems"), 2);
    assert_eq!(found(&table, "b").await, Some((10, "1".to_owned())));
}

/// The answer is lost, and the next try meets another transaction: what comes then finds what the first one wrote.
#[tokio::test]
async fn what_was_written_unheard_is_not_written_again_after_a_meeting() {
    let meeting = r#"{"__type":"TransactionConflictException","message":"in a test"}"#;
    let cancelled = r#"{"__type":"TransactionCanceledException","message":"in a test",
        "CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]}"#;
    let others = [put("b", Expect::Version(10), "2"), put("a", Expect::Any, "2")];
    for (writes, operation, answer, requests) in [
        (&others[1..], "PutItem", meeting, 2),
        (&others[..], "TransactWriteItems", cancelled, 2),
        (&others[..1], "PutItem", meeting, 3),
    ] {
        let table = table();
        table.put_all(&[put("a", Expect::Absent, "1"), put("b", Expect::Absent, "1")]).await.unwrap();
        let proxy = Proxy::start(move |request| match request.before {
            0 if request.operation == operation => Fault::lose_answer(),
            1 if request.operation == operation => Fault::Answer(400, answer.to_owned()),
            _ => Fault::None,
        })
        .await;
        let seen = named(&proxy.address, table.name());
        assert_eq!(seen.put_all(writes).await, Ok(vec![Some(11); writes.len()]));
        assert_eq!(proxy.count(operation), requests);
        for write in writes {
            let Write::Put { key, .. } = write else { panic!("{write:?}") };
            assert_eq!(found(&table, &key.sort).await, Some((11, "2".to_owned())), "written once");
        }
    }
}

/// Writes the items of a transaction as they are, one by one.
fn carry_out(table: &str, body: serde_json::Value) -> String {
    for part in body["TransactItems"].as_array().unwrap() {
        let item = &part["Put"]["Item"];
        let answer = emulator::ask("PutItem", &format!(r#"{{"TableName":"{table}","Item":{item}}}"#));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    r#"{"__type":"InternalServerError","message":"in a test"}"#.to_owned()
}

fn tokens(requests: &[Request]) -> Vec<String> {
    let transactions = requests.iter().filter(|request| request.operation == "TransactWriteItems");
    transactions.map(|request| request.body["ClientRequestToken"].as_str().unwrap().to_owned()).collect()
}
