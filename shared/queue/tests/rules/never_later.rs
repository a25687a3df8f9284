//! Random histories in which processes die at any of their requests, with answers that are lost and messages that come twice: a queue
//! on SQS never says that it is owed later than it is, and when all is done it owes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use emulator::proxy::Fault;
use guestlist_queue::{Claimed, Collapse, Move, Queue};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::given::{Given, at};
use crate::mapping::Network;

#[derive(Debug, Clone)]
enum Act {
    Send(Vec<(u8, i64, i64, Collapse)>),
    Push { lease: i64, twice: bool },
    Ack(usize),
    Delay { which: usize, due: i64, rewrite: bool },
    Bury(usize),
    Replay(usize),
    Drop(usize),
    MoveLater,
    SendAgain,
    Pass(i64),
}

/// Which of its requests is the last of a process, and whether that one arrives.
type Death = Option<(i64, bool)>;

fn history() -> impl Strategy<Value = Vec<(Act, Death)>> {
    let how = select(vec![Collapse::Earliest, Collapse::Earliest, Collapse::Latest, Collapse::Yields]);
    let when = || prop_oneof![3 => -5..20_i64, 2 => 890..1_200_i64];
    let act = prop_oneof![
        6 => vec((0..2_u8, when(), 0..600_i64, how), 1..4).prop_map(Act::Send),
        8 => (1..20_i64, prop::bool::weighted(0.2)).prop_map(|(lease, twice)| Act::Push { lease, twice }),
        5 => (0..40_usize).prop_map(Act::Ack),
        4 => (0..40_usize, when(), any::<bool>())
            .prop_map(|(which, due, rewrite)| Act::Delay { which, due, rewrite }),
        2 => (0..40_usize).prop_map(Act::Bury),
        1 => (0..10_usize).prop_map(Act::Replay),
        1 => (0..10_usize).prop_map(Act::Drop),
        3 => Just(Act::MoveLater),
        2 => Just(Act::SendAgain),
        4 => prop_oneof![4 => 1..10_i64, 1 => 100..1_200_i64].prop_map(Act::Pass),
    ];
    let death = prop_oneof![2 => Just(None), 3 => (0..8_i64, any::<bool>()).prop_map(Some)];
    vec((act, death), 10..40)
}

/// What is surely owed.
#[derive(Debug)]
struct Owed {
    key: String,
    since: Timestamp,
    /// When, of all that happened.
    step: usize,
}

struct Trial {
    given: Given,
    /// Sees the queue as it is.
    watcher: Queue,
    now: i64,
    step: usize,
    bodies: usize,
    /// With when they were handed out.
    claims: Vec<(Claimed, usize)>,
    owed: Vec<Owed>,
}

impl Trial {
    fn body(&mut self) -> String {
        self.bodies += 1;
        format!("body {}", self.bodies)
    }

    fn owe(&mut self, key: &str, since: Timestamp) {
        self.owed.push(Owed { key: key.to_owned(), since, step: self.step });
    }

    /// This run may count as the work of whatever was sent before it.
    fn may_be_done(&mut self, key: &str, handed_out: usize) {
        self.owed.retain(|one| one.key != key || one.step >= handed_out);
    }

    /// Nothing was done: what else waits for this key is owed as before.
    fn lies_elsewhere(&mut self, claimed: &Claimed, handed_out: usize) {
        let its =
            |one: &Owed| one.key == claimed.key && one.since == claimed.owed_since && one.step < handed_out;
        self.owed.retain(|one| !its(one));
    }

    async fn act(&mut self, act: Act) {
        self.step += 1;
        let now = at(self.now);
        match act {
            Act::Send(moves) => self.send(moves).await,
            Act::Push { lease, twice } => self.push(lease, twice).await,
            Act::MoveLater => drop(self.given.queue.move_later(now, 10).await),
            Act::SendAgain => drop(self.given.queue.send_again(now, 100).await),
            Act::Pass(seconds) => {
                self.now += seconds;
                self.given.turn_clock(self.now);
            }
            Act::Replay(which) | Act::Drop(which) => {
                let Ok(dead) = self.watcher.dead(None, 1_000).await else { return };
                let Some(letter) = dead.get(which % dead.len().max(1)) else { return };
                if matches!(act, Act::Drop(_)) {
                    drop(self.given.queue.drop_dead(&letter.id).await);
                } else if self.given.queue.replay(&letter.id, now).await.is_ok() {
                    self.owe(&letter.key, letter.owed_since.unwrap());
                }
            }
            Act::Ack(_) | Act::Delay { .. } | Act::Bury(_) if self.claims.is_empty() => {}
            Act::Ack(which) => {
                let (claimed, handed_out) = self.pick(which);
                let acked = self.given.queue.ack(&claimed).await;
                self.may_be_done(&claimed.key, handed_out);
                if let Ok(acked) = acked {
                    self.given.mapping().answer(&claimed, acked.answer());
                }
            }
            Act::Bury(which) => {
                let (claimed, handed_out) = self.pick(which);
                let hold = self.given.queue.bury(&claimed, "a reason", now).await;
                self.lies_elsewhere(&claimed, handed_out);
                if let Ok(hold) = hold {
                    self.given.mapping().answer(&claimed, hold.answer());
                }
            }
            Act::Delay { which, due, rewrite } => self.delay(which, due, rewrite).await,
        }
    }

    fn pick(&self, which: usize) -> (Claimed, usize) {
        self.claims[which % self.claims.len()].clone()
    }

    async fn send(&mut self, moves: Vec<(u8, i64, i64, Collapse)>) {
        let (mut sent, mut said) = (Vec::new(), Vec::new());
        for (key, due, ago, collapse) in moves {
            let (key, body, due) = (format!("key {key}"), self.body(), at(self.now + due));
            let owed_since = due.min(at(self.now - ago));
            if collapse == Collapse::Latest {
                // It may cover what was owed long before it.
                let covered = owed_since - Queue::COVERS;
                self.owed
                    .iter_mut()
                    .filter(|one| one.key == key)
                    .for_each(|one| one.since = one.since.max(covered));
            }
            said.push((key.clone(), owed_since));
            sent.push(Move { key, body, due, owed_since, collapse });
        }
        let least = said.iter().map(|(_, since)| *since).min().unwrap();
        let is_latest = sent.iter().any(|one| one.collapse == Collapse::Latest);
        if self.given.queue.send(sent).await.is_ok() {
            for (key, since) in said {
                // Those of one call may meet each other, too.
                let covered = if is_latest { since.max(since.max(least) - Queue::COVERS) } else { since };
                self.owe(&key, covered);
            }
        }
    }

    async fn push(&mut self, lease: i64, twice: bool) {
        let hidden = SignedDuration::from_secs(lease);
        for received in self.given.mapping().due(hidden) {
            if twice {
                let asked = json!({ "QueueUrl": self.given.mapping().url, "MessageBody": received.body });
                assert!(emulator::ask_sqs("SendMessage", &asked)["MessageId"].is_string());
            }
            let Ok(accepted) = self.given.queue.accept(&received, at(self.now), hidden).await else {
                continue;
            };
            if let Some(claimed) = self.given.mapping().accepted(&received, Ok(accepted)).unwrap() {
                self.claims.push((claimed, self.step));
            }
        }
    }

    async fn delay(&mut self, which: usize, due: i64, rewrite: bool) {
        let (claimed, _) = self.pick(which);
        let body = rewrite.then(|| self.body());
        let delayed = self.given.queue.delay(&claimed, at(self.now + due), body).await;
        // Whether it is the one body or the other, it is owed.
        if let Ok(delayed) = delayed {
            self.given.mapping().answer(&claimed, delayed.answer());
        }
    }

    /// Of each key by itself, so that what is owed longer of one hides nothing of another.
    async fn look(&mut self, after: &str) {
        let debts = self.given.mapping().debts();
        for Owed { key, since, step: _ } in &self.owed {
            let is_owed = debts.iter().any(|(one, from)| one == key && from <= since);
            assert!(is_owed, "after {after}: {key} since {since} is not in {debts:?}");
        }
        let Some(truth) = self.owed.iter().map(|one| one.since).min() else { return };
        let said = self.watcher.owed_since().await.unwrap();
        assert!(said.is_some_and(|said| said <= truth), "after {after}: {said:?} of {:?}", self.owed);
    }

    /// Nothing keeps it back for ever, whoever has died.
    async fn finish(mut self) {
        let mut turns = 0;
        while self.watcher.owed_since().await.unwrap().is_some() || !self.given.mapping().is_empty() {
            turns += 1;
            assert!(turns < 200, "it owes for ever");
            self.now += 300;
            self.given.turn_clock(self.now);
            self.given.move_later(self.now).await;
            self.given.queue.send_again(at(self.now), 100).await.unwrap();
            for claimed in self.given.claim(self.now).await {
                self.given.ack(&claimed).await;
            }
        }
    }
}

async fn play(history: Vec<(Act, Death)>) {
    // Requests of the process that are left, and none after them; below nothing, whether the last one has arrived.
    const FOREVER: i64 = i64::MAX / 2;
    let (left, arrives) = (Arc::new(AtomicI64::new(FOREVER)), Arc::new(AtomicI64::new(0)));
    let (counted, last) = (Arc::clone(&left), Arc::clone(&arrives));
    let mut given = Given::sqs_over(Network::planned(move |_| {
        match counted.fetch_sub(1, Ordering::SeqCst) {
            1.. => Fault::None,
            0 if last.load(Ordering::SeqCst) == 1 => Fault::lose_answer(),
            // None of a dead process's requests arrives; to be refused saves its tries.
            _ => Fault::refuse("AccessDenied"),
        }
    }))
    .await;
    let watcher = given.mapping().queue_by(emulator::address());
    let (claims, owed) = (Vec::new(), Vec::new());
    let mut trial = Trial { given, watcher, now: 0, step: 0, bodies: 0, claims, owed };
    for (act, death) in history {
        let (requests, last) = death.unwrap_or((FOREVER, false));
        left.store(requests, Ordering::SeqCst);
        arrives.store(i64::from(last), Ordering::SeqCst);
        let after = format!("{act:?} of a process with {death:?}");
        trial.act(act).await;
        trial.look(&after).await;
    }
    left.store(FOREVER, Ordering::SeqCst);
    trial.finish().await;
}

#[test]
fn whoever_dies_whatever_is_owed_is_never_said_to_be_owed_later_and_nothing_is_for_ever() {
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(history in history())| {
        runtime.block_on(play(history));
    });
}
