//! What is due later than SQS can delay: it waits in the table, collapses there, and is moved in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emulator::proxy::Fault;
use guestlist_queue::{Acked, Collapse, Move, Queue, QueueError};
use serde_json::json;

use crate::given::{Given, at, due, expect_bodies, owed};
use crate::mapping::Network;

const HOUR: i64 = 3_600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quarter_of_an_hour_is_the_longest_that_sqs_is_asked_to_delay() {
    let mut given = Given::sqs().await;
    given.send_all(vec![due("past", "1", -5), owed("edge", "2", 900), owed("later", "3", 901)]).await;
    let moment = at(7).checked_add(jiff::SignedDuration::from_millis(1)).unwrap();
    given.send_all(vec![Move { due: moment, ..due("odd", "4", 0) }]).await;
    assert_eq!(given.mapping().delays(), [0, 900, 8], "never too short");
    assert_eq!(given.mapping().later().len(), 1);
    // Moved as soon as SQS can delay it.
    assert_eq!(given.move_later(0).await, 0);
    assert_eq!(given.move_later(1).await, 1);
    assert_eq!(given.mapping().delays(), [0, 900, 8, 900]);
    assert_eq!(given.mapping().later(), Vec::<String>::new());
    expect_bodies(&given.claim(900).await, &["1", "4", "2"]);
    expect_bodies(&given.claim(901).await, &["3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_day_waits_in_the_table_until_it_is_near() {
    let mut given = Given::sqs().await;
    given.send_all(vec![due("day", "1", 2 * HOUR), due("soon", "2", 600)]).await;
    given.send_all(vec![owed("look", "3", HOUR), owed("again", "4", 60)]).await;
    let depth = given.queue.depth(at(0)).await.unwrap();
    assert_eq!(depth.ready + depth.waiting, 4, "{depth:?}");
    // Later than that they would be late, sooner they would collapse no more.
    assert_eq!((given.move_later(509).await, given.move_later(510).await), (0, 1));
    assert_eq!(given.mapping().delays(), [60, 90]);
    expect_bodies(&given.claim(600).await, &["4", "2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_the_table_collapses_as_it_does_in_the_embedded_store() {
    use Collapse::{Earliest, Latest, Yields};
    for (collapse, body, second) in
        [(Earliest, "new", 2 * HOUR), (Latest, "new", 3 * HOUR), (Yields, "old", 2 * HOUR)]
    {
        for (old, new) in [(2 * HOUR, 3 * HOUR), (3 * HOUR, 2 * HOUR)] {
            let mut sqs = Given::sqs().await;
            for given in [&mut Given::local(), &mut sqs] {
                given.send("a", "old", old).await;
                given.send_all(vec![Move { collapse, ..due("a", "new", new) }]).await;
                given.move_later(second - 1).await;
                expect_bodies(&given.claim(second - 1).await, &[]);
                let claimed = given.claim_one(second).await;
                let owed_since = if collapse == Latest { second - HOUR / 4 } else { second };
                assert_eq!(
                    (claimed.body.as_str(), claimed.owed_since),
                    (body, at(owed_since)),
                    "{collapse:?}"
                );
            }
            assert!(sqs.mapping().later().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_moved_in_turns_the_longest_due_first() {
    let mut given = Given::sqs().await;
    let moves = (0..25).map(|n| due(&format!("{n:02}"), &n.to_string(), HOUR + n)).collect();
    given.send_all(moves).await;
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.push(given.move_later(HOUR).await);
    }
    assert_eq!(turns, [10, 10, 5, 0]);
    let bodies: Vec<_> = given.claim(HOUR + 14).await.into_iter().map(|one| one.body).collect();
    assert_eq!(bodies, (0..15).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_collapses_while_it_is_moved_is_not_forgotten() {
    // Between the read and the delete somebody moves it to tomorrow.
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let other: Arc<std::sync::OnceLock<Queue>> = Arc::default();
    let sends = Arc::clone(&other);
    let network = Network::planned(move |request| {
        if request.operation == "SendMessageBatch" && trigger.swap(false, Ordering::SeqCst) {
            let queue = sends.get().unwrap().clone();
            let tomorrow = Move { collapse: Collapse::Latest, ..due("a", "tomorrow", 24 * HOUR) };
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| runtime.block_on(queue.send(vec![tomorrow]))).unwrap();
        }
        Fault::None
    });
    let mut given = Given::sqs_over(network).await;
    let direct = given.mapping().queue_by(emulator::address());
    other.set(direct).unwrap();
    given.send("a", "in an hour", HOUR).await;
    armed.store(true, Ordering::SeqCst);
    assert_eq!(given.move_later(HOUR).await, 1);
    let moved = given.claim_one(HOUR).await;
    assert_eq!((moved.body.as_str(), given.ack(&moved).await), ("in an hour", Acked::Gone));
    assert_eq!(given.mapping().later().len(), 1);
    assert_eq!(given.move_later(24 * HOUR).await, 1);
    expect_bodies(&given.claim(24 * HOUR).await, &["tomorrow"]);
}

/// It lies there still because who moved it has died; what is asked for now is asked for by nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_and_done_takes_in_nothing_more() {
    let network = Network::planned(|request| {
        let deletes = request.operation == "TransactWriteItems";
        if deletes && request.before == 0 { Fault::refuse("AccessDenied") } else { Fault::None }
    });
    let mut given = Given::sqs_over(network).await;
    given.send("a", "in an hour", HOUR).await;
    given.turn_clock(HOUR);
    assert!(given.queue.move_later(at(HOUR), 10).await.is_err());
    let moved = given.claim_one(HOUR).await;
    assert_eq!((moved.body.as_str(), given.ack(&moved).await), ("in an hour", Acked::Gone));
    assert_eq!(given.mapping().later().len(), 1);
    given.send_all(vec![Move { collapse: Collapse::Yields, ..due("a", "in two hours", 2 * HOUR) }]).await;
    given.move_later(2 * HOUR).await;
    let next = given.claim_one(2 * HOUR).await;
    assert_eq!((next.body.as_str(), given.ack(&next).await), ("in two hours", Acked::Gone));
    assert!(given.is_drained(2 * HOUR).await);
    assert_eq!(given.queue.owed_since().await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_that_nobody_can_read_is_buried_and_does_not_hold_up_the_others() {
    let mut given = Given::sqs().await;
    let table = given.mapping().table.clone();
    let item = json!({
        "pk": { "S": "later#changes" }, "sk": { "S": "broken" }, "v": { "N": "1" }, "b": { "S": "{" },
        "dc": { "S": "later#changes" }, "da": { "N": "1" },
    });
    let asked = json!({ "TableName": table, "Item": item }).to_string();
    assert!(emulator::ask("PutItem", &asked).contains("200"));
    given.send("a", "in an hour", HOUR).await;
    assert_eq!(given.move_later(HOUR).await, 1);
    expect_bodies(&given.claim(HOUR).await, &["in an hour"]);
    let dead = given.dead().await.remove(0);
    assert_eq!((dead.key.as_str(), dead.body.as_str()), ("later#changes/broken", "{"));
    assert!(dead.why.contains("later#changes/broken"), "{}", dead.why);
    assert!(given.mapping().later().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_does_not_take_stays_in_the_table() {
    let network = Network::planned(|request| {
        if request.operation == "SendMessageBatch" && request.before == 0 {
            let failed = json!({ "Id": "0", "Code": "Refused", "Message": "in a test", "SenderFault": true });
            return Fault::Answer(200, json!({ "Successful": [], "Failed": [failed] }).to_string());
        }
        Fault::None
    });
    let mut given = Given::sqs_over(network).await;
    given.send("a", "in an hour", HOUR).await;
    given.turn_clock(HOUR);
    let error = given.queue.move_later(at(HOUR), 10).await.unwrap_err();
    assert!(matches!(&error, QueueError::NotTaken { keys, .. } if keys == &["a"]), "{error}");
    assert_eq!(given.mapping().later().len(), 1);
    assert_eq!(given.move_later(HOUR).await, 1);
    expect_bodies(&given.claim(HOUR).await, &["in an hour"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_dynamo_would_not_take_are_told_apart() {
    let mut given = Given::sqs().await;
    let (long, longer) = ("ä".repeat(700), format!("{}!", "ä".repeat(700)));
    let keys = ["", &long, &longer];
    for key in keys {
        given.send(key, &format!("of {}", key.len()), HOUR).await;
    }
    assert_eq!(given.move_later(HOUR).await, 3);
    let claimed = given.claim(HOUR).await;
    assert_eq!(
        claimed.iter().map(|one| one.key.len()).collect::<std::collections::BTreeSet<_>>(),
        [0, 1_400, 1_401].into()
    );
    for one in claimed {
        assert_eq!(one.body, format!("of {}", one.key.len()));
        assert_eq!(given.ack(&one).await, Acked::Gone);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_in_one_table_do_not_meet() {
    let mut changes = Given::sqs().await;
    let mut alerts = changes.neighbour("alerts").await;
    for (given, body) in [(&changes, "change"), (&alerts, "alert")] {
        given.send("a", body, 0).await;
        given.send("a", body, HOUR).await;
    }
    expect_bodies(&changes.claim(0).await, &["change"]);
    expect_bodies(&alerts.claim(0).await, &["alert"]);
    assert_eq!(changes.move_later(HOUR).await, 1);
    assert_eq!((changes.mapping().later().len(), alerts.mapping().later().len()), (0, 1));
}
