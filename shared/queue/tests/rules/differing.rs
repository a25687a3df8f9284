//! Where the backends differ, in one place, and why. SQS keeps messages that nobody can look for, change or put in order: what the
//! embedded store does to a row that waits cannot be done there. Each difference costs work that is done twice, or a moment that
//! nobody knows; none costs a body.

use guestlist_queue::{Acked, Collapse, Delayed, Move, QueueError};

use crate::given::{Given, LEASE, at, due, expect_bodies, owed};

/// The row is rewritten; of SQS's messages none knows of another. The newest runs on both, and no two at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moves_of_one_key_are_one_message_here_and_several_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        for body in ["first", "second", "third"] {
            given.send("a", body, 0).await;
        }
    }
    let only = local.claim_one(5).await;
    assert_eq!((only.body.as_str(), local.ack(&only).await), ("third", Acked::Gone));
    assert!(local.is_drained(5).await);

    let mut ran = Vec::new();
    for second in [5, 35, 65] {
        let one = sqs.claim_one(second).await;
        assert_eq!(sqs.ack(&one).await, Acked::Gone);
        ran.push(one.body);
    }
    assert_eq!(ran, ["first", "second", "third"], "each is newer than what ran before it");
    assert!(sqs.is_drained(99).await);
}

/// The row of what is claimed takes a mark; a message of SQS is a second one, whatever becomes of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_during_a_run_is_known_here_and_a_message_of_its_own_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for (given, acked) in [(&mut local, Acked::RunsAgain), (&mut sqs, Acked::Gone)] {
        given.send("a", "first", 0).await;
        let first = given.claim_one(0).await;
        given.send("a", "second", 1).await;
        assert_eq!(given.ack(&first).await, acked);
        expect_bodies(&given.claim(1).await, &["second"]);
    }
}

/// For the same reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_gives_way_here_and_runs_besides_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        given.send("a", "old", 0).await;
        let old = given.claim_one(0).await;
        given.send("a", "new", 5).await;
        assert_eq!(given.delay(&old, 60, Some("old, again")).await, Delayed::Anew);
        let new = given.claim_one(5).await;
        assert_eq!(new.body, "new");
        given.ack(&new).await;
    }
    expect_bodies(&local.claim(60).await, &[]);
    expect_bodies(&sqs.claim(60).await, &["old, again"]);
}

/// What waits in the table and what lies in SQS do not meet: to look into the table at each send would cost a read each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_soon_takes_in_what_is_due_later_here_and_leaves_it_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        given.send("a", "in an hour", 3_600).await;
        given.send("a", "now", 0).await;
        let now = given.claim_one(0).await;
        assert_eq!(now.body, "now");
        given.ack(&now).await;
        given.move_later(3_600).await;
    }
    expect_bodies(&local.claim(3_600).await, &[]);
    expect_bodies(&sqs.claim(3_600).await, &["in an hour"]);
}

/// Nobody can see what waits in SQS: a letter gives way only to what has run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_letter_gives_way_to_what_waits_here_and_to_what_ran_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        let id = given.bury_new("a", "old", 0).await;
        given.send("a", "new", 60).await;
        assert!(given.queue.replay(&id, at(2)).await.unwrap());
        given.turn_clock(2);
    }
    expect_bodies(&local.claim(2).await, &["new"]);
    expect_bodies(&sqs.claim(2).await, &["old"]);

    let mut sqs = Given::sqs().await;
    let id = sqs.bury_new("a", "old", 0).await;
    sqs.send("a", "new", 0).await;
    assert!(sqs.queue.replay(&id, at(0)).await.unwrap());
    let new = sqs.claim_one(5).await;
    sqs.ack(&new).await;
    expect_bodies(&sqs.claim(35).await, &[]);
    assert_eq!(new.body, "new");
}

/// SQS pushes, counts roughly, and tells of no moment; since when something is owed, the table knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_claimed_and_dated_here_and_pushed_there() {
    let local = Given::local();
    let sqs = Given::sqs().await;
    for given in [&local, &sqs] {
        given.send_all(vec![due("a", "1", -1), due("b", "2", 50), due("c", "3", 5_000)]).await;
        given.bury_new("e", "5", 2).await;
    }
    let error = sqs.queue.claim(at(0), LEASE, 10).await.unwrap_err();
    assert_eq!(error, QueueError::IsPushed { queue: "changes" });
    assert!(error.to_string().contains("`changes`"), "{error}");
    assert_eq!(sqs.queue.release_claims(at(0)).await, Ok(0));

    let (here, there) = (local.queue.depth(at(0)).await.unwrap(), sqs.queue.depth(at(0)).await.unwrap());
    // The test lets SQS delay nothing.
    assert_eq!((here.ready, here.waiting, here.claimed, here.dead), (1, 2, 0, 1));
    assert_eq!((there.ready, there.waiting, there.claimed, there.dead), (2, 1, 0, 1));
    assert_eq!((here.oldest_ready, there.oldest_ready), (Some(at(-1)), None));
    assert_eq!(local.queue.next_due().await, Ok(Some(at(-1))));
    assert_eq!(sqs.queue.next_due().await, Ok(None));
}

/// SQS hides a message for twelve hours at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_waits_as_long_as_asked_here_and_half_a_day_at_most_there() {
    const DAY: i64 = 86_400;
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        given.send("a", "work", 0).await;
        let work = given.claim_one(0).await;
        assert_eq!(given.delay(&work, DAY, None).await, Delayed::Same);
    }
    expect_bodies(&local.claim(DAY - 1).await, &[]);
    expect_bodies(&sqs.claim(DAY / 2 - 301).await, &[]);
    expect_bodies(&sqs.claim(DAY / 2 - 300).await, &["work"]);
}

/// The later moment wins only over what waits in the same place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_later_moment_wins_here_and_both_run_there() {
    let mut local = Given::local();
    let mut sqs = Given::sqs().await;
    for given in [&mut local, &mut sqs] {
        given.send_all(vec![owed("a", "again", 300)]).await;
        given.send_all(vec![Move { collapse: Collapse::Latest, ..owed("a", "once more", 360) }]).await;
    }
    expect_bodies(&local.claim(300).await, &[]);
    expect_bodies(&local.claim(360).await, &["once more"]);
    let again = sqs.claim_one(300).await;
    sqs.ack(&again).await;
    expect_bodies(&sqs.claim(360).await, &["once more"]);
}
