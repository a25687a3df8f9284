//! Since when what lies in a queue is owed, on both backends; and on SQS, where each message has a debt in the table: what becomes of a
//! debt whose message nobody has sent, or that SQS gave up.

use emulator::proxy::Fault;
use guestlist_queue::{Acked, Collapse, Delayed, Hold, Move, QueueError, Received};
use serde_json::json;

use crate::given::{Given, LEASE, at, due, expect_bodies, owed};
use crate::mapping::Network;

on_both! {
    what_is_owed_is_owed_until_it_is_done_or_dead,
    what_is_owed_and_fails_or_waits_is_owed_since_it_was,
    what_collapses_is_owed_since_the_earlier,
    a_letter_is_owed_by_nobody_until_it_is_replayed,
}

async fn since(given: &Given) -> Option<i64> {
    let since = given.queue.owed_since().await.unwrap();
    since.map(|since| since.as_second() - at(0).as_second())
}

fn owed_from(from: i64, key: &str, second: i64) -> Move {
    Move { owed_since: at(from), ..due(key, key, second) }
}

async fn what_is_owed_is_owed_until_it_is_done_or_dead(mut given: Given) {
    assert_eq!(since(&given).await, None);
    given.send_all(vec![owed_from(-30, "a", 0), owed_from(-20, "b", 0), owed_from(-10, "c", 300)]).await;
    // In time to come, and later than SQS can delay.
    given.send_all(vec![owed_from(5_000, "d", 5_000), owed_from(-5, "e", 5_000)]).await;
    assert_eq!(since(&given).await, Some(-30));
    let [a, b] = given.claim(0).await.try_into().unwrap();
    assert_eq!(since(&given).await, Some(-30), "somebody works on it");
    assert_eq!(given.ack(&a).await, Acked::Gone);
    assert_eq!(since(&given).await, Some(-20));
    assert_eq!(given.bury(&b, "no use", 1).await, Hold::Kept);
    assert_eq!(since(&given).await, Some(-10), "dead letters are told apart");
    let c = given.claim_one(300).await;
    given.ack(&c).await;
    assert_eq!(since(&given).await, Some(-5));
    given.move_later(5_000).await;
    assert_eq!(since(&given).await, Some(-5));
    for claimed in given.claim(5_000).await {
        given.ack(&claimed).await;
    }
    assert_eq!(since(&given).await, None);
}

async fn what_is_owed_and_fails_or_waits_is_owed_since_it_was(mut given: Given) {
    given.send_all(vec![owed_from(-30, "a", 0)]).await;
    let mut now = 0;
    for (again, body, delayed) in [
        (60, None, Delayed::Same),
        (120, Some("another"), Delayed::Anew),
        (9_000, Some("much later"), Delayed::Anew),
    ] {
        let claimed = given.claim_one(now).await;
        assert_eq!(given.delay(&claimed, again, body).await, delayed);
        assert_eq!(since(&given).await, Some(-30), "until {again}");
        now = again;
        given.move_later(now).await;
    }
    // The first lease ends, and whoever had it is too late.
    let late = given.claim_one(now).await;
    let again = given.claim_one(now + 40).await;
    assert_eq!(given.ack(&late).await, Acked::LeaseLost);
    assert_eq!(since(&given).await, Some(-30));
    assert_eq!(given.ack(&again).await, Acked::Gone);
    assert_eq!(since(&given).await, None);
}

async fn what_collapses_is_owed_since_the_earlier(mut given: Given) {
    for (from, collapse) in [(-10, Collapse::Earliest), (-40, Collapse::Earliest), (-20, Collapse::Yields)] {
        given.send_all(vec![Move { collapse, ..owed_from(from, "a", 5_000) }]).await;
    }
    assert_eq!(since(&given).await, Some(-40));
    given.move_later(5_000).await;
    let one = given.claim_one(5_000).await;
    assert_eq!((one.owed_since, given.ack(&one).await), (at(-40), Acked::Gone));
    assert_eq!(since(&given).await, None);
}

async fn a_letter_is_owed_by_nobody_until_it_is_replayed(mut given: Given) {
    given.send_all(vec![owed_from(-30, "a", 0)]).await;
    let a = given.claim_one(0).await;
    given.bury(&a, "no use", 1).await;
    given.bury_new("b", "work", 2).await;
    assert_eq!(since(&given).await, None);
    given.turn_clock(5);
    let dead = given.dead().await;
    assert!(given.queue.replay(&dead[0].id, at(5)).await.unwrap());
    assert_eq!(since(&given).await, Some(-30));
    assert!(given.queue.drop_dead(&dead[1].id).await.unwrap());
    let again = given.claim_one(5).await;
    given.ack(&again).await;
    assert_eq!(since(&given).await, None);
}

/// Its sender dies when it is owed, and nothing lies in SQS yet.
async fn with_an_orphan(moves: Vec<Move>) -> Given {
    let network = Network::planned(|request| {
        let dies = request.operation == "SendMessageBatch" && request.before == 0;
        if dies { Fault::refuse("AccessDenied") } else { Fault::None }
    });
    let given = Given::sqs_over(network).await;
    assert!(matches!(given.queue.send(moves).await, Err(QueueError::NotTaken { .. })));
    given
}

async fn send_again(given: &Given, second: i64) -> usize {
    given.turn_clock(second);
    given.queue.send_again(at(second), 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_has_sent_is_owed_and_sent_when_a_quarter_of_an_hour_is_over() {
    let mut given = with_an_orphan(vec![owed("a", "work", 60)]).await;
    assert!(given.is_drained(0).await);
    assert_eq!(since(&given).await, Some(0));
    assert_eq!((send_again(&given, 959).await, send_again(&given, 960).await), (0, 1));
    assert_eq!(send_again(&given, 961).await, 0, "somebody has just done so");
    let work = given.claim_one(961).await;
    assert_eq!((work.body.as_str(), work.owed_since, work.deliveries), ("work", at(0), 1));
    assert_eq!(given.ack(&work).await, Acked::Gone);
    assert_eq!(since(&given).await, None);
    assert_eq!(send_again(&given, 99_999).await, 0);
}

/// SQS was slow, and not its sender dead: what comes twice runs once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_and_takes_long_is_sent_again_ever_more_seldom_and_runs_once() {
    let mut given = Given::sqs().await;
    given.send_all(vec![owed("a", "work", 0)]).await;
    let mut sent = Vec::new();
    for minute in 0..120 {
        if send_again(&given, 60 * minute).await > 0 {
            sent.push(minute);
        }
    }
    assert_eq!(sent, [15, 45, 105]);
    let work = given.claim_one(7_200).await;
    given.ack(&work).await;
    assert_eq!(since(&given).await, None);
    expect_bodies(&given.claim(7_300).await, &[]);
    assert!(given.is_drained(7_300).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_works_on_or_has_put_off_is_not_sent_again() {
    let mut given = Given::sqs().await;
    given.send_all(vec![owed("works", "works", 0), owed("failed", "failed", 0)]).await;
    let [works, failed] = given.claim(0).await.try_into().unwrap();
    assert_eq!(given.extend(&works, 2_000).await, Hold::Kept);
    assert_eq!(given.delay(&failed, 3_600, None).await, Delayed::Same);
    assert_eq!(send_again(&given, 1_999).await, 0);
    assert_eq!(send_again(&given, 3_599).await, 1, "the lease has ended");
    assert_eq!(send_again(&given, 3_601).await, 1, "its next try is over, and it has not come");
}

/// `maxReceiveCount` was reached: SQS has put it to the dead letters by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_gave_up_is_sent_again_until_somebody_drops_it() {
    let mut given = Given::sqs().await;
    given.send_all(vec![owed("a", "poison", 0)]).await;
    let received: Received = given.mapping().due(LEASE).remove(0).unwrap();
    let asked = json!({ "QueueUrl": given.mapping().dead_url, "MessageBody": received.body });
    assert!(emulator::ask_sqs("SendMessage", &asked)["MessageId"].is_string());
    assert_eq!(since(&given).await, Some(0));
    let dead = given.dead().await.remove(0);
    assert_eq!((dead.key.as_str(), dead.owed_since), ("a", Some(at(0))));
    assert!(given.queue.drop_dead(&dead.id).await.unwrap());
    assert_eq!(since(&given).await, None);
    assert_eq!(send_again(&given, 9_999).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_debt_that_nobody_can_read_is_buried() {
    let mut given = Given::sqs().await;
    let sort = format!("{:020}/0000000000/a", at(-90).as_microsecond().cast_unsigned() | (1 << 63));
    let item = json!({
        "pk": { "S": "debt#changes#3" }, "sk": { "S": sort }, "v": { "N": "1" }, "b": { "S": "{" },
    });
    let table = given.mapping().table.clone();
    let asked = json!({ "TableName": table, "Item": item }).to_string();
    assert!(emulator::ask("PutItem", &asked).contains("200"));
    assert_eq!(since(&given).await, Some(-90), "its name says since when");
    assert_eq!(send_again(&given, 0).await, 0);
    assert_eq!(since(&given).await, None);
    let dead = given.dead().await.remove(0);
    assert!(dead.key.contains("debt#changes#3") && dead.why.contains("debt#changes#3"), "{dead:?}");
}

/// An item of the table has less room than a message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_table_cannot_hold_is_named_before_anything_is_owed() {
    let given = Given::sqs().await;
    let large = "x".repeat(QueueError::OWED_BYTES);
    let error = given.queue.send(vec![due("small", "1", 0), due("large", &large, 0)]).await.unwrap_err();
    assert!(
        matches!(&error, QueueError::TooLarge { key, most: QueueError::OWED_BYTES, .. } if key == "large")
    );
    assert!(error.to_string().contains("`large`") && error.to_string().contains("389120 fit"), "{error}");
    assert_eq!(since(&given).await, None);
}
