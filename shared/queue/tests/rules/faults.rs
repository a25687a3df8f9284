//! What SQS refuses, takes in part, or does not answer; and what is asked of it in seconds.

use emulator::proxy::{Fault, Request};
use guestlist_queue::{Accepted, Collapse, Delayed, Delivery, Hold, Move, Queue, QueueError, Received};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::given::{Given, LEASE, at, due, expect_bodies, owed};
use crate::mapping::Network;

fn batches(given: &mut Given) -> Vec<Vec<Value>> {
    let seen = given.mapping().proxy.seen();
    let sent = seen.into_iter().filter(|request| request.operation == "SendMessageBatch");
    sent.map(|request| request.body["Entries"].as_array().unwrap().clone()).collect()
}

fn sizes(given: &mut Given) -> Vec<usize> {
    batches(given).iter().map(Vec::len).collect()
}

/// SQS's answer to a batch, where it fails these entries, and has got the others.
fn failing(request: &Request, ids: &[&str], by_sender: bool) -> Fault {
    let (mut there, mut failed) = (Vec::new(), Vec::new());
    for entry in request.body["Entries"].as_array().unwrap() {
        if ids.contains(&entry["Id"].as_str().unwrap()) {
            let code = if by_sender { "InvalidMessageContents" } else { "InternalError" };
            failed.push(
                json!({ "Id": entry["Id"], "Code": code, "Message": "in a test", "SenderFault": by_sender }),
            );
        } else {
            there.push(entry.clone());
        }
    }
    let taken = json!({ "QueueUrl": request.body["QueueUrl"], "Entries": there });
    let successful = if there.is_empty() {
        json!([])
    } else {
        emulator::ask_sqs("SendMessageBatch", &taken)["Successful"].clone()
    };
    Fault::Answer(200, json!({ "Successful": successful, "Failed": failed }).to_string())
}

fn batch_failing(ids: &'static [&'static str], by_sender: bool, times: usize) -> Network {
    Network::planned(move |request| {
        if request.operation == "SendMessageBatch" && request.before < times {
            return failing(request, ids, by_sender);
        }
        Fault::None
    })
}

async fn bodies(given: &mut Given) -> Vec<String> {
    let mut bodies: Vec<_> = given.claim(0).await.into_iter().map(|one| one.body).collect();
    bodies.sort();
    bodies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_messages_and_a_mebibyte_go_together_and_no_more() {
    let mut given = Given::sqs().await;
    given.send_all((0..23).map(|n| due(&n.to_string(), "", 0)).collect()).await;
    assert_eq!(sizes(&mut given), [10, 10, 3]);
    let mut given = Given::sqs().await.neighbour("alerts").await;
    let large = "x".repeat(400 * 1024);
    given.send_all((0..5).map(|n| due(&n.to_string(), &large, 0)).collect()).await;
    assert_eq!(sizes(&mut given), [2, 2, 1]);
    assert_eq!(given.claim(0).await.len(), 5);
    given.send_all(Vec::new()).await;
    assert_eq!(sizes(&mut given).len(), 3, "nothing is asked for nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_did_not_take_of_a_batch_is_sent_again() {
    let mut given = Given::sqs_over(batch_failing(&["1", "3"], false, 2)).await;
    given.send_all((0..5).map(|n| due(&n.to_string(), &n.to_string(), 0)).collect()).await;
    assert_eq!(sizes(&mut given), [5, 2, 2]);
    assert_eq!(bodies(&mut given).await, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_never_takes_is_named_and_not_tried_for_ever() {
    for (by_sender, tries) in [(true, 1), (false, 12)] {
        let mut given = Given::sqs_over(batch_failing(&["1", "3"], by_sender, usize::MAX)).await;
        let moves = (0..5).map(|n| due(&format!("key {n}"), &n.to_string(), 0)).collect();
        let error = given.queue.send(moves).await.unwrap_err();
        assert!(
            matches!(&error, QueueError::NotTaken { keys, .. } if keys == &["key 1", "key 3"]),
            "{error}"
        );
        assert!(error.to_string().contains("in a test; 2 may not have been taken"), "{error}");
        assert!(error.to_string().ends_with("sent again: `key 1`, `key 3`"), "{error}");
        assert_eq!(sizes(&mut given).len(), tries);
        assert_eq!(bodies(&mut given).await, ["0", "2", "4"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_sqs_cannot_be_asked_the_rest_is_named() {
    let network = Network::planned(|request| {
        let second = request.operation == "SendMessageBatch" && request.before > 0;
        if second { Fault::refuse("AccessDenied") } else { Fault::None }
    });
    let mut given = Given::sqs_over(network).await;
    let moves = (0..25).map(|n| due(&n.to_string(), &n.to_string(), 0)).collect();
    let error = given.queue.send(moves).await.unwrap_err();
    let QueueError::NotTaken { keys, why, .. } = &error else { panic!("{error}") };
    assert_eq!(*keys, (10..25).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(why.contains("mend the role's policy"), "{why}");
    assert!(error.to_string().ends_with("`19` and others"), "{error}");
    assert_eq!((sizes(&mut given), bodies(&mut given).await.len()), (vec![10, 10], 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_before_anything_is_sent() {
    let mut given = Given::sqs().await;
    let large = "ä".repeat(QueueError::MESSAGE_BYTES / 2);
    let moves = vec![due("small", "", 0), due("later", "", 5_000), due("large", &large, 0)];
    let error = given.queue.send(moves).await.unwrap_err();
    assert!(matches!(&error, QueueError::TooLarge { key, .. } if key == "large"), "{error}");
    assert!(given.mapping().proxy.seen().is_empty());
    // A large one can be worked on to its end, and that may be among the dead letters.
    let mut given = given.neighbour("alerts").await;
    let body = "x".repeat(QueueError::MESSAGE_BYTES - 300);
    given.send("large", &body, 0).await;
    let claimed = given.claim_one(0).await;
    assert_eq!(given.bury(&claimed, &"why".repeat(5_000), 1).await, Hold::Kept);
    let dead = given.dead().await.remove(0);
    assert_eq!((dead.body == body, dead.why.len()), (true, 2_048));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_whose_answer_is_lost_comes_twice_and_runs_once() {
    let network = Network::planned(|request| {
        let first = request.operation == "SendMessageBatch" && request.before == 0;
        if first { Fault::lose_answer() } else { Fault::None }
    });
    let mut given = Given::sqs_over(network).await;
    given.send("a", "work", 0).await;
    let work = given.claim_one(0).await;
    given.ack(&work).await;
    expect_bodies(&given.claim(30).await, &[]);
    assert!(given.is_drained(30).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_hidden_for_whole_seconds_that_are_never_too_few() {
    let exactly = |second, milliseconds| at(second) + SignedDuration::from_millis(milliseconds);
    // Twelve hours, less five minutes that a batch may have waited, less what has passed.
    for (passed, until, seconds) in [
        (0, exactly(10, 0), 10),
        (0, exactly(10, 1), 11),
        (4, exactly(10, 0), 6),
        (20, exactly(10, 0), 0),
        (0, exactly(42_900, 0), 42_900),
        (0, exactly(42_901, 0), 42_900),
        (20, Timestamp::MAX, 42_880),
    ] {
        let mut given = Given::sqs().await;
        given.send("a", "work", 0).await;
        let work = given.claim_one(0).await;
        given.turn_clock(passed);
        assert_eq!(given.queue.extend(&work, until).await, Ok(Hold::Kept));
        assert_eq!(given.queue.delay(&work, until, None).await, Ok(Delayed::Same));
        assert_eq!(given.mapping().visibilities(), [seconds, seconds]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_his_key_held_waits_until_the_lease_ends_and_a_quarter_of_an_hour_at_most() {
    for (until, delay) in [(30, 29), (900, 899), (901, 900), (3_600, 900)] {
        let mut given = Given::sqs().await;
        given.send("a", "first", 0).await;
        let first = given.claim_one(0).await;
        given.extend(&first, until).await;
        given.turn_clock(1);
        given.send("a", "second", 1).await;
        expect_bodies(&given.claim(1).await, &[]);
        assert_eq!(given.mapping().delays(), [0, 0, delay]);
        given.ack(&first).await;
        assert_eq!(given.claim_one(1 + delay).await.deliveries, 1, "waiting is no failure");
    }
}

/// Whoever took it had a clock that was ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_longer_than_any_keeps_nobody_waiting() {
    let mut given = Given::sqs().await;
    given.send("a", "first", 0).await;
    let first = given.claim_one(0).await;
    given.extend(&first, 8 * 24 * 3_600).await;
    given.send("a", "second", 1).await;
    given.turn_clock(1);
    expect_bodies(&given.claim(1).await, &["second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_message_that_has_to_wait_in_between_is_not_young_again() {
    let mut given = Given::sqs().await;
    given.send("a", "fails", 0).await;
    for delivery in 1..4_i64 {
        let fails = given.claim_one(100 * delivery).await;
        assert_eq!(i64::from(fails.deliveries), delivery);
        given.delay(&fails, 100 * delivery + 50, None).await;
        // Another message holds the key when it comes again.
        given.turn_clock(100 * delivery + 49);
        let other = Move { collapse: Collapse::Yields, ..due("a", "other", 0) };
        given.send_all(vec![other]).await;
        let other = given.claim_one(100 * delivery + 49).await;
        expect_bodies(&given.claim(100 * delivery + 50).await, &[]);
        given.delay(&other, 100_000, Some("other, in a day")).await;
    }
    assert_eq!(given.claim_one(400).await.deliveries, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_early_waits_for_its_time() {
    let mut given = Given::sqs().await;
    given.send_all(vec![owed("a", "work", 600)]).await;
    let received = {
        given.turn_clock(600);
        given.mapping().due(LEASE).pop_front().unwrap()
    };
    given.turn_clock(500);
    assert_eq!(given.queue.accept(&received, at(500), LEASE).await, Ok(Accepted::Done));
    assert_eq!(given.mapping().delays(), [600, 100]);
    given.turn_clock(-5_000);
    assert_eq!(given.queue.accept(&received, at(-5_000), LEASE).await, Ok(Accepted::Done));
    assert_eq!(given.mapping().later().len(), 1);
}

fn received(body: &str) -> Received {
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e".to_owned();
    Received { message_id: id, receipt_handle: "handle".to_owned(), body: body.to_owned(), receive_count: 3 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_can_read_is_buried_as_it_is() {
    let mut given = Given::sqs().await;
    let accepted = given.queue.accept(&received("not ours"), at(5), LEASE).await;
    assert_eq!(accepted, Ok(Accepted::Done));
    let dead = given.dead().await.remove(0);
    assert_eq!((dead.body.as_str(), dead.deliveries, dead.buried_at), ("not ours", 3, at(5)));
    assert_eq!(dead.key, "unreadable/0f8fad5b-d9cb-469f-a165-70867728950e");
    assert!(dead.why.starts_with("it cannot be read: expected"), "{}", dead.why);
    assert!(given.queue.replay(&dead.id, at(6)).await.unwrap());
    given.turn_clock(6);
    expect_bodies(&given.claim(6).await, &["not ours"]);

    // Up to what SQS takes at all, where there is no room for the reason.
    for bytes in [QueueError::MESSAGE_BYTES, QueueError::MESSAGE_BYTES + 1, 1024 * 1024] {
        let given = Given::sqs().await;
        let huge = "x".repeat(bytes);
        assert_eq!(given.queue.accept(&received(&huge), at(5), LEASE).await, Ok(Accepted::Done));
        let dead = given.dead().await.remove(0);
        assert_eq!(dead.body, huge);
        assert!(dead.key.starts_with("unreadable/"), "{}", dead.key);
        assert!(dead.why.starts_with("it cannot be read: expected"), "{}", dead.why);
        assert!(given.queue.drop_dead(&dead.id).await.unwrap());
    }
}

/// Each time for twice as long, up to a quarter of an hour; whatever is gone by now is no trouble.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_settled_is_shown_again_soon() {
    let mut given = Given::sqs().await;
    given.send("a", "not settled", 0).await;
    let url = given.mapping().url.clone();
    let receive =
        || emulator::ask_sqs("ReceiveMessage", &json!({ "QueueUrl": url, "VisibilityTimeout": 1_140 }));
    let handle = receive()["Messages"][0]["ReceiptHandle"].as_str().unwrap().to_owned();
    let delivery = |receive_count| Delivery { receipt_handle: handle.clone(), receive_count };
    let all: Vec<_> = (1..=12).map(delivery).collect();
    given.queue.put_back(&all).await.unwrap();
    let seen = given.mapping().proxy.seen();
    let asked = seen.iter().filter(|request| request.operation == "ChangeMessageVisibilityBatch");
    let entries = asked.flat_map(|request| request.body["Entries"].as_array().unwrap());
    let waits: Vec<_> = entries.map(|entry| entry["VisibilityTimeout"].as_u64().unwrap()).collect();
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    let gone = Delivery { receipt_handle: "gone".to_owned(), receive_count: 1 };
    given.queue.put_back(&[gone]).await.unwrap();

    let error = Given::local().queue.put_back(&all).await.unwrap_err();
    assert_eq!(error, QueueError::IsPulled { queue: "changes" });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_must_mend_is_told_in_words_that_help() {
    let mut given = Given::sqs().await;
    let gone = given.mapping().url.clone();
    let _ = emulator::ask_sqs("DeleteQueue", &json!({ "QueueUrl": gone }));
    let error = given.queue.depth(at(0)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Missing { queue: "changes", .. }), "{error}");
    let error = given.queue.send(vec![due("a", "", 0)]).await.unwrap_err();
    assert!(error.to_string().contains("deploy it in this region"), "{error}");

    let denied = Given::sqs_over(Network::planned(|_| Fault::refuse("AccessDenied"))).await;
    let error = denied.queue.depth(at(0)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Denied { .. }), "{error}");
    let nowhere: Queue = given.mapping().queue_by("http://127.0.0.1:1");
    let error = nowhere.depth(at(0)).await.unwrap_err();
    assert!(matches!(&error, QueueError::Unreachable { .. }), "{error}");
    let error = nowhere.accept(&received("not ours"), at(0), LEASE).await.unwrap_err();
    assert!(matches!(&error, QueueError::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_fails_though_his_message_came_again_meanwhile_leaves_it_to_the_one_that_waits() {
    let mut given = Given::sqs().await;
    given.send("a", "work", 0).await;
    let received = given.mapping().due(SignedDuration::from_secs(5)).remove(0).unwrap();
    let accepted = given.queue.accept(&received, at(0), LEASE).await;
    let work = given.mapping().accepted(&received, accepted).unwrap().unwrap();
    expect_bodies(&given.claim(5).await, &[]);
    assert_eq!(given.extend(&work, 40).await, Hold::Kept);
    assert_eq!(given.delay(&work, 50, None).await, Delayed::Same);
    let again = given.claim_one(30).await;
    assert_eq!((again.body.as_str(), again.deliveries), ("work", 2));
}
