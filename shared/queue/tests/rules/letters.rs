//! The dead letters of SQS: what it moved there by itself, who looks at them at the same time, and how they are named.

use emulator::proxy::Fault;
use guestlist_queue::{DeadId, QueueError};
use serde_json::{Value, json};

use crate::given::{Given, at, expect_bodies};
use crate::mapping::Network;

#[test]
fn a_dead_letter_has_a_number_or_an_id_of_sqs() {
    for text in ["7", "9223372036854775807", "0f8fad5b-d9cb-469f-a165-70867728950e", "0F8FAD5Bd9cb469f"] {
        let id: DeadId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
    }
    let shown = [json!("7".parse::<DeadId>().unwrap()), json!("0f8fad5b-d9cb".parse::<DeadId>().unwrap())];
    assert_eq!(shown, [json!(7), json!("0f8fad5b-d9cb")]);
    let long = "a".repeat(101);
    let no_number = "9".repeat(20);
    for text in
        ["", "x", "0", "-1", "1.5", "-f8fad5b-d9cb", "0f8fad5b/d9cb", "0f8fad5b d9cb", &long, &no_number]
    {
        let error = text.parse::<DeadId>().unwrap_err().to_string();
        let shown: String = text.chars().take(40).collect();
        assert!(error.starts_with(&format!("`{shown}` is not the number or id")), "{error}");
    }
}

/// Two receipts that come to nothing, after which SQS moves the message.
fn let_sqs_bury(url: &str, dead_url: &str) {
    let attribute = json!({ "QueueUrl": dead_url, "AttributeNames": ["QueueArn"] });
    let arn = emulator::ask_sqs("GetQueueAttributes", &attribute)["Attributes"]["QueueArn"].clone();
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "2" }).to_string();
    let attributes = json!({ "QueueUrl": url, "Attributes": { "RedrivePolicy": policy } });
    let _ = emulator::ask_sqs("SetQueueAttributes", &attributes);
    for received in [1, 1, 0] {
        let asked = json!({ "QueueUrl": url, "VisibilityTimeout": 0 });
        let answer = emulator::ask_sqs("ReceiveMessage", &asked);
        assert_eq!(answer["Messages"].as_array().map_or(0, Vec::len), received);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_gave_up_by_itself_is_listed_and_replayed_like_the_rest() {
    let mut given = Given::sqs().await;
    given.send("a", "never came to an end", 0).await;
    let (url, dead_url) = (given.mapping().url.clone(), given.mapping().dead_url.clone());
    let_sqs_bury(&url, &dead_url);
    let dead = given.dead().await.remove(0);
    assert_eq!((dead.key.as_str(), dead.body.as_str()), ("a", "never came to an end"));
    assert_eq!(dead.why, format!("received {} times, and never came to an end", dead.deliveries));
    assert!(dead.deliveries >= 2, "{dead:?}");
    assert!(given.queue.replay(&dead.id, at(9)).await.unwrap());
    assert_eq!(given.dead().await, []);
    given.turn_clock(9);
    expect_bodies(&given.claim(9).await, &["never came to an end"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_message_is_listed_as_it_is() {
    let mut given = Given::sqs().await;
    let asked = json!({ "QueueUrl": given.mapping().dead_url, "MessageBody": "not ours" });
    let id = emulator::ask_sqs("SendMessage", &asked)["MessageId"].clone();
    let dead = given.dead().await.remove(0);
    assert_eq!((json!(dead.id), dead.body.as_str()), (id, "not ours"));
    assert_eq!(dead.key, format!("unreadable/{}", dead.id));
}

fn show(given: &mut Given) -> Vec<Value> {
    let asked =
        json!({ "QueueUrl": given.mapping().dead_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
    emulator::ask_sqs("ReceiveMessage", &asked)["Messages"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_gives_back_what_he_does_not_take() {
    let mut given = Given::sqs().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(given.bury_new(&n.to_string(), "", n).await);
    }
    let absent: DeadId = "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap();
    for _ in 0..2 {
        given.dead().await;
        assert_eq!(show(&mut given).len(), 3);
    }
    assert_eq!(given.queue.dead_one(&ids[1]).await.unwrap().unwrap().key, "1");
    assert_eq!(given.queue.dead_one(&absent).await, Ok(None));
    assert_eq!(show(&mut given).len(), 3);
    assert_eq!(given.queue.drop_dead(&ids[1]).await, Ok(true));
    assert_eq!(show(&mut given).len(), 2);
    assert_eq!(given.queue.replay(&ids[2], at(9)).await, Ok(true));
    assert_eq!(show(&mut given).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_looks_at_is_not_called_gone() {
    let mut given = Given::sqs().await;
    let id = given.bury_new("a", "", 0).await;
    let asked = json!({ "QueueUrl": given.mapping().dead_url, "VisibilityTimeout": 100 });
    let _ = emulator::ask_sqs("ReceiveMessage", &asked);
    for error in [
        given.queue.dead_one(&id).await.unwrap_err(),
        given.queue.drop_dead(&id).await.unwrap_err(),
        given.queue.replay(&id, at(0)).await.unwrap_err(),
    ] {
        assert!(matches!(&error, QueueError::Other { .. }), "{error}");
        assert!(error.to_string().contains("1 are in somebody else's hands; try again"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_cannot_be_replayed_stays_and_shows_again() {
    let network = Network::planned(|request| {
        let first = request.operation == "SendMessageBatch" && request.before == 0;
        if first { Fault::refuse("AccessDenied") } else { Fault::None }
    });
    let mut given = Given::sqs_over(network).await;
    let id = given.bury_new("a", "work", 0).await;
    let error = given.queue.replay(&id, at(0)).await.unwrap_err();
    assert!(matches!(&error, QueueError::NotTaken { .. }), "{error}");
    assert_eq!(show(&mut given).len(), 1);
    assert_eq!(given.queue.replay(&id, at(0)).await, Ok(true));
    expect_bodies(&given.claim(0).await, &["work"]);
    assert_eq!(show(&mut given).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_somebody_may_not_remove_shows_again_at_once() {
    let network = Network::planned(|request| {
        let refused = request.operation == "DeleteMessage" && request.before < 2;
        if refused { Fault::refuse("AccessDenied") } else { Fault::None }
    });
    let mut given = Given::sqs_over(network).await;
    let id = given.bury_new("a", "work", 0).await;
    let error = given.queue.drop_dead(&id).await.unwrap_err();
    assert!(matches!(&error, QueueError::Denied { .. }), "{error}");
    assert_eq!(show(&mut given).len(), 1);
    let error = given.queue.replay(&id, at(0)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Denied { .. }), "{error}");
    assert_eq!(show(&mut given).len(), 1);
    assert_eq!(given.queue.drop_dead(&id).await, Ok(true));
    expect_bodies(&given.claim(0).await, &["work"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_after_a_letter_that_is_gone_begins_anew() {
    let given = Given::sqs().await;
    for n in 0..12 {
        given.bury_new(&n.to_string(), &n.to_string(), n).await;
    }
    let page = given.queue.dead(None, 5).await.unwrap();
    let last = page[4].id.clone();
    assert_eq!(given.queue.dead(Some(last.clone()), 99).await.unwrap().len(), 7, "SQS shows ten at a time");
    given.queue.drop_dead(&last).await.unwrap();
    assert_eq!(given.queue.dead(Some(last), 99).await.unwrap().len(), 11);
}
