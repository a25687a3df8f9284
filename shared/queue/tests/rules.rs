//! The rules of a queue, one by one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use embedded::Database;
use guestlist_queue::{Acked, Claimed, Collapse, DeadId, Hold, Move, Queue};
use jiff::{SignedDuration, Timestamp};

const LEASE: SignedDuration = SignedDuration::from_secs(30);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn queue() -> Queue {
    Queue::local(Database::in_memory().unwrap(), "changes").unwrap()
}

fn due(key: &str, body: &str, second: i64) -> Move {
    let (key, body, due) = (key.to_owned(), body.to_owned(), at(second));
    Move { key, body, due, owed_since: due, collapse: Collapse::Earliest }
}

async fn send(queue: &Queue, key: &str, body: &str, second: i64) {
    queue.send(vec![due(key, body, second)]).await.unwrap();
}

#[track_caller]
fn expect_bodies(claimed: &[Claimed], bodies: &[&str]) {
    assert_eq!(claimed.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), bodies);
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
    assert_eq!((claimed.body.as_str(), claimed.owed_since), ("newest", at(30)));
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
async fn a_second_look_that_arrives_during_the_first_keeps_its_due_time() {
    let queue = queue();
    send(&queue, "a", "first look", 0).await;
    let first = claim_one(&queue, 0).await;
    queue.send(vec![due("a", "second look", 300)]).await.unwrap();
    assert_eq!(queue.ack(&first).await.unwrap(), Acked::RunsAgain);
    expect_bodies(&claim(&queue, 299).await, &[]);
    expect_bodies(&claim(&queue, 300).await, &["second look"]);
}

#[tokio::test]
async fn a_message_whose_lease_ended_is_handed_out_again_and_counted() {
    let queue = queue();
    send(&queue, "a", "work", 0).await;
    let first = claim_one(&queue, 0).await;
    assert_eq!(queue.next_due().await.unwrap(), Some(at(30)));
    send(&queue, "a", "later work", 1).await;
    expect_bodies(&claim(&queue, 29).await, &[]);
    let second = claim_one(&queue, 30).await;
    assert_eq!((second.body.as_str(), first.deliveries, second.deliveries), ("work", 1, 2));
    assert_eq!(queue.ack(&second).await.unwrap(), Acked::RunsAgain);
    expect_bodies(&claim(&queue, 31).await, &["later work"]);
}

#[tokio::test]
async fn a_stale_receipt_changes_nothing() {
    let queue = queue();
    send(&queue, "a", "work", 0).await;
    let stale = claim_one(&queue, 0).await;
    let holder = claim_one(&queue, 30).await;
    let before = queue.depth(at(31)).await.unwrap();
    assert_eq!(queue.ack(&stale).await.unwrap(), Acked::LeaseLost);
    assert_eq!(queue.delay(&stale, at(99), Some("forged".into())).await.unwrap(), Hold::Lost);
    assert_eq!(queue.extend(&stale, at(99)).await.unwrap(), Hold::Lost);
    assert_eq!(queue.bury(&stale, "no reason", at(31)).await.unwrap(), Hold::Lost);
    assert_eq!(queue.depth(at(31)).await.unwrap(), before);
    assert_eq!(queue.ack(&holder).await.unwrap(), Acked::Gone);
    assert_eq!(queue.ack(&holder).await.unwrap(), Acked::LeaseLost, "settled once is settled");
}

#[tokio::test]
async fn a_receipt_does_not_fit_a_later_message_of_the_same_key() {
    let queue = queue();
    send(&queue, "a", "first", 0).await;
    let first = claim_one(&queue, 0).await;
    queue.ack(&first).await.unwrap();
    send(&queue, "a", "second", 1).await;
    let second = claim_one(&queue, 1).await;
    assert_ne!(first.receipt, second.receipt);
    assert_eq!(queue.ack(&first).await.unwrap(), Acked::LeaseLost);
    assert_eq!(queue.ack(&second).await.unwrap(), Acked::Gone);
}

#[tokio::test]
async fn who_is_late_but_was_not_replaced_may_still_finish() {
    let queue = queue();
    send(&queue, "a", "slow", 0).await;
    let slow = claim_one(&queue, 0).await;
    assert_eq!(queue.depth(at(60)).await.unwrap().ready, 1);
    assert_eq!(queue.ack(&slow).await.unwrap(), Acked::Gone);
}

#[tokio::test]
async fn an_extended_lease_ends_later() {
    let queue = queue();
    send(&queue, "a", "long", 0).await;
    let long = claim_one(&queue, 0).await;
    assert_eq!(queue.extend(&long, at(90)).await.unwrap(), Hold::Kept);
    expect_bodies(&claim(&queue, 89).await, &[]);
    expect_bodies(&claim(&queue, 90).await, &["long"]);
}

#[tokio::test]
async fn a_message_that_is_given_back_waits_and_its_deliveries_count_on() {
    let queue = queue();
    send(&queue, "a", "work", 0).await;
    let first = claim_one(&queue, 0).await;
    assert_eq!(queue.delay(&first, at(10), None).await.unwrap(), Hold::Kept);
    expect_bodies(&claim(&queue, 9).await, &[]);
    let second = claim_one(&queue, 10).await;
    assert_eq!((second.body.as_str(), second.deliveries, second.owed_since), ("work", 2, at(0)));
    queue.delay(&second, at(20), Some("rewritten".into())).await.unwrap();
    let third = claim_one(&queue, 20).await;
    assert_eq!((third.body.as_str(), third.deliveries), ("rewritten", 1));
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
async fn a_buried_message_leaves_room_for_what_arrived_in_the_meantime() {
    let queue = queue();
    send(&queue, "a", "poison", 0).await;
    let poison = claim_one(&queue, 0).await;
    send(&queue, "a", "fresh", 1).await;
    assert_eq!(queue.bury(&poison, "it cannot be read", at(2)).await.unwrap(), Hold::Kept);
    expect_bodies(&claim(&queue, 2).await, &["fresh"]);
    let dead = queue.dead(None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].body.as_str(), dead[0].why.as_str(), dead[0].deliveries, dead[0].buried_at),
        ("poison", "it cannot be read", 1, at(2))
    );
}

#[tokio::test]
async fn dead_letters_are_paged_looked_at_dropped_and_replayed() {
    let queue = queue();
    for n in 0..5 {
        queue.bury_new(&format!("key {n}"), &format!("body {n}"), "unreadable", at(n)).await.unwrap();
    }
    let page = queue.dead(None, 2).await.unwrap();
    let rest = queue.dead(Some(page[1].id), 10).await.unwrap();
    assert_eq!(
        page.iter().chain(&rest).map(|dead| dead.body.as_str()).collect::<Vec<_>>(),
        ["body 0", "body 1", "body 2", "body 3", "body 4"]
    );
    let id: DeadId = page[0].id.to_string().parse().unwrap();
    assert_eq!(queue.dead_one(id).await.unwrap().unwrap().key, "key 0");
    assert!(queue.replay(id, at(9)).await.unwrap());
    assert!(!queue.replay(id, at(9)).await.unwrap(), "it is there only once");
    expect_bodies(&claim(&queue, 9).await, &["body 0"]);
    assert!(queue.drop_dead(page[1].id).await.unwrap());
    assert!(!queue.drop_dead(page[1].id).await.unwrap());
    assert_eq!(queue.depth(at(9)).await.unwrap().dead, 3);
}

#[tokio::test]
async fn a_replayed_letter_does_not_push_out_what_is_newer() {
    let queue = queue();
    let id = queue.bury_new("a", "old", "unreadable", at(0)).await.unwrap();
    queue.send(vec![due("a", "new", 60)]).await.unwrap();
    queue.replay(id, at(2)).await.unwrap();
    let new = claim_one(&queue, 2).await;
    assert_eq!(new.body, "new");
    let id = queue.bury_new("a", "old", "unreadable", at(3)).await.unwrap();
    queue.replay(id, at(4)).await.unwrap();
    assert_eq!(queue.ack(&new).await.unwrap(), Acked::RunsAgain);
    expect_bodies(&claim(&queue, 4).await, &["old"]);
}

#[test]
fn a_dead_letter_has_a_number() {
    for text in ["", "x", "0", "-1", "1.5"] {
        let error = text.parse::<DeadId>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is not the number")), "{error}");
    }
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
    assert_eq!(changes.dead_one(id).await.unwrap(), None);
    assert!(!changes.drop_dead(id).await.unwrap());
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
