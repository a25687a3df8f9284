//! What holds in the embedded store alone. What SQS does instead is in `differing.rs`.

use std::time::Duration;

use embedded::Database;
use guestlist_queue::{Acked, Claimed, Collapse, Move, Queue, QueueError, Received};

use crate::given::{LEASE, at, due, expect_bodies};

fn queue() -> Queue {
    Queue::local(Database::in_memory().unwrap(), "changes").unwrap()
}

async fn send(queue: &Queue, key: &str, body: &str, second: i64) {
    queue.send(vec![due(key, body, second)]).await.unwrap();
}

async fn claim(queue: &Queue, second: i64) -> Vec<Claimed> {
    queue.claim(at(second), LEASE, 10).await.unwrap()
}

async fn claim_one(queue: &Queue, second: i64) -> Claimed {
    let mut claimed = claim(queue, second).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

#[tokio::test]
async fn the_oldest_due_comes_first_and_nothing_before_it_is_due() {
    let queue = queue();
    queue.send(vec![due("a", "third", 3), due("b", "first", 1), due("c", "second", 2)]).await.unwrap();
    expect_bodies(&claim(&queue, 0).await, &[]);
    assert_eq!(queue.next_due().await.unwrap(), Some(at(1)));
    expect_bodies(&queue.claim(at(9), LEASE, 2).await.unwrap(), &["first", "second"]);
    expect_bodies(&claim(&queue, 9).await, &["third"]);
}

#[tokio::test]
async fn a_move_collapses_into_one_that_waits_and_the_newer_body_wins() {
    let queue = queue();
    send(&queue, "a", "old", 10).await;
    queue.send(vec![due("a", "new", 20)]).await.unwrap();
    assert_eq!(queue.next_due().await.unwrap(), Some(at(10)), "the earlier due time stays");
    let later = Move { collapse: Collapse::Latest, ..due("a", "newest", 30) };
    queue.send(vec![later]).await.unwrap();
    assert_eq!(queue.next_due().await.unwrap(), Some(at(30)), "the later due time wins where asked for");
    let claimed = claim_one(&queue, 30).await;
    assert_eq!((claimed.body.as_str(), claimed.owed_since), ("newest", at(10)), "the look covers both");
}

#[tokio::test]
async fn a_move_for_a_claimed_key_runs_after_it() {
    let queue = queue();
    send(&queue, "a", "first", 0).await;
    let first = claim_one(&queue, 0).await;
    send(&queue, "a", "second", 1).await;
    queue.send(vec![due("a", "third", 5)]).await.unwrap();
    expect_bodies(&claim(&queue, 3).await, &[]);
    assert_eq!(queue.ack(&first).await.unwrap(), Acked::RunsAgain);
    let third = claim_one(&queue, 3).await;
    assert_eq!((third.body.as_str(), third.deliveries, third.owed_since), ("third", 1, at(1)));
    assert_eq!(queue.ack(&third).await.unwrap(), Acked::Gone);
    assert!(queue.depth(at(3)).await.unwrap().is_drained());
}

#[tokio::test]
async fn what_arrived_in_the_meantime_wins_over_what_is_given_back() {
    let queue = queue();
    send(&queue, "a", "old", 0).await;
    let old = claim_one(&queue, 0).await;
    send(&queue, "a", "new", 5).await;
    queue.delay(&old, at(60), Some("old, again".into())).await.unwrap();
    let new = claim_one(&queue, 5).await;
    assert_eq!((new.body.as_str(), new.deliveries), ("new", 1));
    queue.send(vec![due("a", "newest", 60)]).await.unwrap();
    queue.delay(&new, at(10), None).await.unwrap();
    assert_eq!(queue.next_due().await.unwrap(), Some(at(10)), "the earlier due time wins");
}

#[tokio::test]
async fn a_replayed_letter_does_not_push_out_what_is_newer() {
    let queue = queue();
    let id = queue.bury_new("a", "old", "unreadable", at(0)).await.unwrap();
    queue.send(vec![due("a", "new", 60)]).await.unwrap();
    queue.replay(&id, at(2)).await.unwrap();
    let new = claim_one(&queue, 2).await;
    assert_eq!(new.body, "new");
    let id = queue.bury_new("a", "old", "unreadable", at(3)).await.unwrap();
    queue.replay(&id, at(4)).await.unwrap();
    assert_eq!(queue.ack(&new).await.unwrap(), Acked::RunsAgain);
    expect_bodies(&claim(&queue, 4).await, &["old"]);
}

#[tokio::test]
async fn the_depth_tells_what_is_ready_what_waits_and_what_is_held() {
    let queue = queue();
    queue.send(vec![due("a", "1", 1), due("b", "2", 2), due("c", "3", 50), due("d", "4", 3)]).await.unwrap();
    assert_eq!(queue.claim(at(1), LEASE, 1).await.unwrap().len(), 1);
    queue.bury_new("e", "5", "unreadable", at(2)).await.unwrap();
    let depth = queue.depth(at(3)).await.unwrap();
    assert_eq!((depth.ready, depth.waiting, depth.claimed, depth.dead), (2, 1, 1, 1));
    assert_eq!(depth.oldest_ready, Some(at(2)));
    assert!(!depth.is_drained());
}

#[tokio::test]
async fn queues_in_one_store_do_not_meet() {
    let database = Database::in_memory().unwrap();
    let changes = Queue::local(database.clone(), "changes").unwrap();
    let alerts = Queue::local(database, "alerts").unwrap();
    send(&changes, "a", "change", 0).await;
    send(&alerts, "a", "alert", 0).await;
    let id = alerts.bury_new("b", "letter", "unreadable", at(0)).await.unwrap();
    expect_bodies(&claim(&changes, 0).await, &["change"]);
    assert_eq!(changes.dead_one(&id).await.unwrap(), None);
    assert!(!changes.drop_dead(&id).await.unwrap());
    expect_bodies(&claim(&alerts, 0).await, &["alert"]);
}

#[tokio::test]
async fn what_one_process_sends_another_may_claim() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guestlist.db");
    let here = Queue::local(Database::open(&path).unwrap(), "changes").unwrap();
    let there = Queue::local(Database::open(&path).unwrap(), "changes").unwrap();
    send(&here, "a", "work", 0).await;
    let claimed = claim_one(&there, 0).await;
    expect_bodies(&claim(&here, 0).await, &[]);
    assert_eq!(there.ack(&claimed).await.unwrap(), Acked::Gone);
}

#[tokio::test(start_paused = true)]
async fn everybody_who_waits_is_woken_and_a_wake_up_is_not_lost_on_the_way() {
    let queue = queue();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.woken().await })
        })
        .collect();
    tokio::task::yield_now().await;
    send(&queue, "a", "work", 0).await;
    for one in waiting {
        tokio::time::timeout(Duration::from_secs(1), one).await.unwrap().unwrap();
    }
    // Sent while nobody waits.
    tokio::time::timeout(Duration::from_secs(1), queue.woken()).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_secs(1), queue.woken()).await.is_err(),
        "nothing else was sent"
    );
}

#[tokio::test]
async fn released_claims_are_handed_out_at_once_with_one_delivery_more() {
    let queue = queue();
    send(&queue, "a", "claimed", 0).await;
    let before = claim_one(&queue, 0).await;
    send(&queue, "b", "waits", 20).await;
    send(&queue, "a", "newer", 1).await;
    assert_eq!(queue.release_claims(at(2)).await.unwrap(), 1);
    let again = claim_one(&queue, 2).await;
    assert_eq!((again.body.as_str(), again.deliveries), ("claimed", 2));
    assert_eq!(queue.ack(&before).await.unwrap(), Acked::LeaseLost);
    assert_eq!(queue.ack(&again).await.unwrap(), Acked::RunsAgain);
    expect_bodies(&claim(&queue, 2).await, &["newer"]);
    expect_bodies(&claim(&queue, 20).await, &["waits"]);
    assert_eq!(queue.release_claims(at(90)).await.unwrap(), 0, "their leases have ended by themselves");
}

/// Whoever claimed it had a clock that was eight days ahead, and died.
#[tokio::test]
async fn a_lease_that_is_longer_than_any_is_ended_and_no_other() {
    const DAY: i64 = 24 * 60 * 60;
    let queue = queue();
    send(&queue, "a", "claimed ahead", 0).await;
    claim_one(&queue, 8 * DAY).await;
    send(&queue, "b", "claimed now", 0).await;
    claim_one(&queue, 1).await;
    assert_eq!(queue.bring_near(at(2), "/its-day").await.unwrap(), 1);
    expect_bodies(&claim(&queue, 2).await, &["claimed ahead"]);
    assert_eq!(queue.bring_near(at(2), "/its-day").await.unwrap(), 0);
    expect_bodies(&claim(&queue, 3).await, &[]);
}

/// Whoever put it off had a clock that was eight days ahead.
#[tokio::test]
async fn what_waits_for_longer_than_any_is_due_now_unless_it_waits_for_its_day() {
    const DAY: i64 = 24 * 60 * 60;
    let queue = queue();
    send(&queue, "a/its-day", "waits for its day", 9 * DAY).await;
    send(&queue, "b", "waits for long", 9 * DAY).await;
    send(&queue, "c", "waits", DAY).await;
    assert_eq!(queue.bring_near(at(2), "/its-day").await.unwrap(), 1);
    expect_bodies(&claim(&queue, 2).await, &["waits for long"]);
}

#[tokio::test]
async fn messages_are_claimed_and_not_pushed() {
    let queue = queue();
    let (id, handle) = ("0d4f".to_owned(), "handle".to_owned());
    let received =
        Received { message_id: id, receipt_handle: handle, body: "{}".to_owned(), receive_count: 1 };
    let error = queue.accept(&received, at(0), LEASE).await.unwrap_err();
    assert_eq!(error, QueueError::IsPulled { queue: "changes" });
    assert!(error.to_string().ends_with("claim from it"), "{error}");
    assert_eq!(queue.move_later(at(0), 10).await, Ok(0), "all of it waits in one place");
}

/// It has not failed: whoever wakes it knows more than whoever put it off.
#[tokio::test]
async fn a_wake_brings_near_what_waits_for_no_other_try() {
    let queue = queue();
    send(&queue, "a", "first", 0).await;
    let first = claim_one(&queue, 0).await;
    queue.delay(&first, at(600), Some("waits".to_owned())).await.unwrap();
    queue.send(vec![Move { collapse: Collapse::Wakes, ..due("a", "woken", 10) }]).await.unwrap();
    let woken = claim_one(&queue, 10).await;
    assert_eq!((woken.body.as_str(), woken.deliveries, woken.owed_since), ("waits", 1, at(0)));
}
