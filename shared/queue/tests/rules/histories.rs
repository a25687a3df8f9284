//! Random histories over a network that loses requests and answers, and with messages that come twice and in any order. No key has
//! two holders; the newest body of a key is handed out or dead; and none is forgotten: after it was sent, or had failed, somebody
//! looks at its key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use emulator::proxy::Mishap;
use guestlist_queue::{Accepted, Acked, Answer, Claimed, Collapse, Delayed, Hold, Move, Queue, Received};
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::given::{Given, at};
use crate::mapping::Network;

#[derive(Debug, Clone)]
enum Act {
    Send(Vec<(u8, i64, Collapse)>),
    Push { lease: i64, hidden: i64, backwards: bool, twice: bool },
    Ack(usize),
    Delay { which: usize, due: i64, rewrite: bool },
    Extend { which: usize, by: i64 },
    Bury(usize),
    Replay(usize),
    MoveLater,
    Pass(i64),
}

fn history() -> impl Strategy<Value = Vec<(Act, VecDeque<Mishap>)>> {
    let how = select(vec![Collapse::Earliest, Collapse::Earliest, Collapse::Latest, Collapse::Yields]);
    let when = || prop_oneof![3 => -5..20_i64, 1 => 890..1_200_i64];
    let push = (1..20_i64, 1..20_i64, any::<bool>(), prop::bool::weighted(0.2));
    let act = prop_oneof![
        6 => vec((0..2_u8, when(), how), 1..4).prop_map(Act::Send),
        8 => push.prop_map(|(lease, hidden, backwards, twice)| Act::Push { lease, hidden, backwards, twice }),
        5 => (0..40_usize).prop_map(Act::Ack),
        4 => (0..40_usize, when(), any::<bool>())
            .prop_map(|(which, due, rewrite)| Act::Delay { which, due, rewrite }),
        1 => (0..40_usize, 0..20_i64).prop_map(|(which, by)| Act::Extend { which, by }),
        1 => (0..40_usize).prop_map(Act::Bury),
        1 => (0..10_usize).prop_map(Act::Replay),
        2 => Just(Act::MoveLater),
        4 => prop_oneof![4 => 0..10_i64, 1 => 100..600_i64].prop_map(Act::Pass),
    ];
    use Mishap::{InternalError, LostAnswer, LostRequest, Nothing, Throttled};
    // The SDK tries four times.
    let mishaps =
        vec(select(vec![Nothing, Nothing, LostRequest, LostAnswer, InternalError, Throttled]), 0..=3);
    vec((act, mishaps.prop_map(VecDeque::from)), 10..40)
}

struct Sent {
    key: String,
    body: String,
    /// When, of all that happened.
    step: usize,
    /// It was handed out before, and that is not enough.
    failed: bool,
}

struct Trial {
    given: Given,
    /// Two processes work on the queue.
    other: Queue,
    now: i64,
    step: usize,
    bodies: usize,
    claims: Vec<Claimed>,
    /// Key to the claim that holds it and the end of its lease.
    leases: BTreeMap<String, (usize, i64)>,
    sent: Vec<Sent>,
    newest: BTreeMap<String, String>,
    /// Key to when it was handed out last.
    looks: BTreeMap<String, usize>,
    seen: BTreeSet<String>,
}

impl Trial {
    fn body(&mut self) -> String {
        self.bodies += 1;
        format!("body {}", self.bodies)
    }

    async fn act(&mut self, act: Act) {
        self.step += 1;
        match act {
            Act::Send(moves) => self.send(moves).await,
            Act::Push { lease, hidden, backwards, twice } => self.push(lease, hidden, backwards, twice).await,
            Act::MoveLater => {
                self.given.move_later(self.now).await;
            }
            Act::Pass(seconds) => {
                self.now += seconds;
                self.given.turn_clock(self.now);
            }
            Act::Replay(which) => self.replay(which).await,
            Act::Ack(_) | Act::Delay { .. } | Act::Extend { .. } | Act::Bury(_) if self.claims.is_empty() => {
            }
            Act::Ack(which) => {
                let (number, claimed) = self.pick(which);
                let acked = self.given.queue.ack(&claimed).await.unwrap();
                self.settled(&claimed, number, acked.answer() == Answer::Success);
                self.given.mapping().answer(&claimed, acked.answer());
            }
            Act::Delay { which, due, rewrite } => self.delay(which, due, rewrite).await,
            Act::Extend { which, by } => self.extend(which, by).await,
            Act::Bury(which) => self.bury(which).await,
        }
    }

    fn pick(&self, which: usize) -> (usize, Claimed) {
        let number = which % self.claims.len();
        (number, self.claims[number].clone())
    }

    fn settled(&mut self, claimed: &Claimed, number: usize, settled: bool) {
        if settled {
            let lease = self.leases.remove(&claimed.key);
            assert_eq!(lease.map(|lease| lease.0), Some(number), "only the holder settles");
        }
    }

    fn note(&mut self, key: &str, body: &str, is_newest: bool) {
        let (key, body) = (key.to_owned(), body.to_owned());
        if is_newest {
            self.newest.insert(key.clone(), body.clone());
        }
        self.sent.push(Sent { key, body, step: self.step, failed: false });
    }

    async fn send(&mut self, moves: Vec<(u8, i64, Collapse)>) {
        let mut sent = Vec::new();
        for (key, due, collapse) in moves {
            let (key, body, due) = (format!("key {key}"), self.body(), at(self.now + due));
            self.note(&key, &body, collapse != Collapse::Yields);
            sent.push(Move { key, body, due, owed_since: due, collapse });
        }
        self.given.send_all(sent).await;
    }

    async fn push(&mut self, lease: i64, hidden: i64, backwards: bool, twice: bool) {
        let mut due = self.given.mapping().due(SignedDuration::from_secs(hidden));
        if backwards {
            due = due.into_iter().rev().collect();
        }
        for (n, received) in due.into_iter().enumerate() {
            if twice {
                self.copy(&received);
            }
            let queue = if n % 2 == 0 { self.given.queue.clone() } else { self.other.clone() };
            let accepted =
                queue.accept(&received, at(self.now), SignedDuration::from_secs(lease)).await.unwrap();
            if let Accepted::Run(claimed) = &accepted {
                self.hand_out(claimed, lease);
            }
            self.given.mapping().accepted(&received, Ok(accepted)).unwrap();
        }
    }

    /// SQS delivers it once more, as a copy that does not go with it.
    fn copy(&mut self, received: &Received) {
        let asked = json!({ "QueueUrl": self.given.mapping().url, "MessageBody": received.body });
        assert!(emulator::ask_sqs("SendMessage", &asked)["MessageId"].is_string());
    }

    fn hand_out(&mut self, claimed: &Claimed, lease: i64) {
        let before = self.leases.insert(claimed.key.clone(), (self.claims.len(), self.now + lease));
        assert!(before.is_none_or(|(_, until)| until <= self.now), "{} has two holders", claimed.key);
        self.seen.insert(claimed.body.clone());
        self.looks.insert(claimed.key.clone(), self.step);
        self.claims.push(claimed.clone());
    }

    async fn delay(&mut self, which: usize, due: i64, rewrite: bool) {
        let (number, claimed) = self.pick(which);
        let body = rewrite.then(|| self.body());
        let delayed = self.given.queue.delay(&claimed, at(self.now + due), body.clone()).await.unwrap();
        if let (Delayed::Anew, Some(body)) = (delayed, body) {
            self.note(&claimed.key, &body, false);
        }
        if delayed == Delayed::Same {
            let (key, body) = (claimed.key.clone(), claimed.body.clone());
            self.sent.push(Sent { key, body, step: self.step, failed: true });
        }
        self.settled(&claimed, number, delayed != Delayed::LeaseLost);
        self.given.mapping().answer(&claimed, delayed.answer());
    }

    async fn extend(&mut self, which: usize, by: i64) {
        let (number, claimed) = self.pick(which);
        let holds = self.leases.get(&claimed.key).is_some_and(|lease| lease.0 == number);
        let hold = self.given.queue.extend(&claimed, at(self.now + by)).await.unwrap();
        assert_eq!(hold == Hold::Kept, holds);
        if holds {
            self.leases.insert(claimed.key.clone(), (number, self.now + by));
        }
    }

    async fn bury(&mut self, which: usize) {
        let (number, claimed) = self.pick(which);
        let hold = self.given.queue.bury(&claimed, "a reason", at(self.now)).await.unwrap();
        self.settled(&claimed, number, hold == Hold::Kept);
        self.given.mapping().answer(&claimed, hold.answer());
    }

    async fn replay(&mut self, which: usize) {
        let dead = self.given.dead().await;
        if dead.is_empty() {
            return;
        }
        let letter = &dead[which % dead.len()];
        assert!(self.given.queue.replay(&letter.id, at(self.now)).await.unwrap());
        // What is newer may have come to its end before it.
        self.note(&letter.key, &letter.body, false);
    }

    /// Works off all that is left, and looks whether anything was lost.
    async fn finish(mut self) {
        for _ in 0..100 {
            if self.given.mapping().is_empty() {
                break;
            }
            self.step += 1;
            self.now += 60;
            self.given.move_later(self.now).await;
            for claimed in self.given.claim(self.now).await {
                self.hand_out(&claimed, 30);
                let acked = self.given.ack(&claimed).await;
                assert_eq!(acked, Acked::Gone);
                self.leases.remove(&claimed.key);
            }
        }
        assert!(self.given.mapping().is_empty(), "it comes to no end");
        let dead: BTreeSet<_> = self.given.dead().await.into_iter().map(|dead| dead.body).collect();
        for (key, body) in &self.newest {
            assert!(
                self.seen.contains(body) || dead.contains(body),
                "`{body}` of {key}, the newest, is lost"
            );
        }
        for Sent { key, body, step, failed } in &self.sent {
            let looked_at = self.looks.get(key).is_some_and(|look| look > step);
            let handed_out = self.seen.contains(body) && !failed;
            assert!(looked_at || handed_out || dead.contains(body), "`{body}` of {key} is lost");
        }
    }
}

async fn play(history: Vec<(Act, VecDeque<Mishap>)>) {
    let mishaps = Arc::new(Mutex::new(VecDeque::new()));
    let script = Arc::clone(&mishaps);
    let mishap = move || script.lock().unwrap().pop_front().unwrap_or(Mishap::Nothing);
    let network = Network::planned(move |_| mishap().into());
    let mut given = Given::sqs_over(network).await;
    let other = given.mapping().queue();
    let mut trial = Trial {
        given,
        other,
        now: 0,
        step: 0,
        bodies: 0,
        claims: Vec::new(),
        leases: BTreeMap::new(),
        sent: Vec::new(),
        newest: BTreeMap::new(),
        looks: BTreeMap::new(),
        seen: BTreeSet::new(),
    };
    for (act, planned) in history {
        *mishaps.lock().unwrap() = planned;
        trial.act(act).await;
    }
    mishaps.lock().unwrap().clear();
    trial.finish().await;
}

#[test]
fn whatever_the_network_does_no_body_is_lost_and_no_key_has_two_holders() {
    let runtime = Runtime::new().unwrap();
    // Few, for each try of the SDK waits; each has many acts.
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(history in history())| {
        runtime.block_on(play(history));
    });
}
