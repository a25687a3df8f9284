//! A process that dies between any two of its requests. What it was told is so; what it had taken over is worked on by the next
//! one; what it had finished is not begun again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emulator::proxy::Fault;
use guestlist_queue::{Acked, Claimed, Delayed, Hold, Move, Queue, QueueError};
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::given::{Given, LEASE, at, due};
use crate::mapping::Network;

/// What the process was told before it died.
#[derive(Default)]
struct Told {
    /// Bodies that are safe.
    sent: BTreeSet<&'static str>,
    /// Bodies that nobody may work on again.
    ended: BTreeSet<&'static str>,
    /// Bodies whose work was done. Nobody may have noted it, or somebody has.
    worked: BTreeSet<&'static str>,
}

const LATER: i64 = 3_600;

/// Each since a moment of its own.
fn owed_since(body: &str) -> Timestamp {
    match body {
        "done" => at(-50),
        "poison" => at(-40),
        "rewritten" | "rewritten once" => at(-30),
        "fails" => at(-20),
        _ => at(-10),
    }
}

/// One life. An error is its end: whoever called it hears no answer.
async fn live(given: &mut Given, told: &mut Told) -> Result<(), QueueError> {
    let queue = given.queue.clone();
    let moves = [("done", 0), ("fails", 0), ("rewritten", 0), ("poison", 0), ("later", LATER)];
    let owed = |(body, second)| Move { owed_since: owed_since(body), ..due(body, body, second) };
    queue.send(moves.map(owed).to_vec()).await?;
    told.sent.extend(moves.map(|(body, _)| body));
    for claimed in push(given, &queue, 0).await? {
        queue.extend(&claimed, at(60)).await?;
        match claimed.body.as_str() {
            "fails" => assert_eq!(queue.delay(&claimed, at(70), None).await?, Delayed::Same),
            "rewritten" => {
                let body = Some("rewritten once".to_owned());
                assert_eq!(queue.delay(&claimed, at(2 * LATER), body).await?, Delayed::Anew);
                told.ended.insert("rewritten");
                told.sent.insert("rewritten once");
            }
            "poison" => {
                assert_eq!(queue.bury(&claimed, "poison", at(0)).await?, Hold::Kept);
                told.ended.insert("poison");
            }
            _ => {
                told.worked.insert("done");
                assert_eq!(queue.ack(&claimed).await?, Acked::Gone);
                told.ended.insert("done");
            }
        }
        // Nobody hears the answer: the message comes again, even where its work has ended.
    }
    given.turn_clock(LATER);
    queue.move_later(at(LATER), 10).await?;
    Ok(())
}

async fn push(given: &mut Given, queue: &Queue, second: i64) -> Result<Vec<Claimed>, QueueError> {
    given.turn_clock(second);
    let mut claimed = Vec::new();
    for received in given.mapping().due(LEASE) {
        let accepted = queue.accept(&received, at(second), LEASE).await;
        claimed.extend(given.mapping().accepted(&received, accepted)?);
    }
    Ok(claimed)
}

/// Works off what is left, with a handle of its own. Returns the bodies that were run.
async fn next_life(given: &mut Given) -> BTreeSet<String> {
    given.queue = given.mapping().queue();
    let mut ran = BTreeSet::new();
    for second in (LATER..5 * LATER).step_by(1_800) {
        given.move_later(second).await;
        for claimed in given.claim(second).await {
            assert_eq!(given.ack(&claimed).await, Acked::Gone);
            ran.insert(claimed.body);
        }
        given.queue.send_again(at(second), 100).await.unwrap();
    }
    assert!(given.is_drained(5 * LATER).await);
    ran
}

/// Dies before its request of that number. Returns how many requests there were.
async fn die_before(request: usize) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let left = Arc::new(AtomicUsize::new(request));
    // None of a dead process's requests arrives; to be refused saves its tries.
    let (counted, last) = (Arc::clone(&count), Arc::clone(&left));
    let mut given = Given::sqs_over(Network::planned(move |_| {
        let before = counted.fetch_add(1, Ordering::SeqCst);
        if before < last.load(Ordering::SeqCst) { Fault::None } else { Fault::refuse("AccessDenied") }
    }))
    .await;
    let mut told = Told::default();
    let lived = live(&mut given, &mut told).await;
    let requests = count.load(Ordering::SeqCst);
    assert_eq!(lived.is_ok(), requests <= request, "{lived:?}");
    left.store(usize::MAX, Ordering::SeqCst);
    let oldest =
        told.sent.iter().filter(|body| !told.ended.contains(*body)).map(|body| owed_since(body)).min();
    let said = given.queue.owed_since().await.unwrap();
    let is_so = oldest.is_none_or(|oldest| said.is_some_and(|said| said <= oldest));
    assert!(is_so, "{said:?} instead of {oldest:?} after {requests} requests");
    let debts = given.mapping().debts();
    for body in told.sent.iter().filter(|body| !told.ended.contains(*body) && !told.worked.contains(*body)) {
        let key = body.trim_end_matches(" once");
        let is_owed = debts.iter().any(|(one, since)| one == key && *since <= owed_since(body));
        let is_buried = *body == "poison" && !given.dead().await.is_empty();
        assert!(is_owed || is_buried, "`{body}` is not owed after {requests} requests: {debts:?}");
    }
    let ran = next_life(&mut given).await;
    assert_eq!(given.queue.owed_since().await, Ok(None), "owed for ever after {requests} requests");
    let dead: Vec<_> = given.dead().await.into_iter().map(|dead| dead.body).collect();
    for body in &told.sent {
        let found = ran.contains(*body) || dead.iter().any(|dead| dead == body) || told.ended.contains(body);
        let lives_on = *body == "rewritten" && ran.contains("rewritten once");
        assert!(found || lives_on || told.worked.contains(body), "`{body}` is lost after {request} requests");
    }
    assert!(!told.ended.contains("poison") || dead == ["poison"], "{dead:?} after {request} requests");
    for body in told.ended {
        assert!(!ran.contains(body), "`{body}` runs again after {request} requests");
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_process_dies_nothing_is_lost_and_what_ended_has_ended() {
    let all = die_before(usize::MAX).await;
    assert!(all > 30, "{all}");
    let mut deaths = JoinSet::new();
    for request in 0..all {
        deaths.spawn(die_before(request));
    }
    while let Some(died) = deaths.join_next().await {
        died.unwrap();
    }
}
