//! Random histories, against a queue that is simple enough to be believed. Two promises are held apart from it: no key
//! ever has two holders whose leases run, and the newest body of a key is handed out or lies among the dead letters.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod simple;

use std::collections::{BTreeMap, BTreeSet};

use embedded::Database;
use guestlist_queue::{Acked, Claimed, Collapse, Dead, Delayed, Hold, Move, Queue};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use simple::{Message, Model};

#[derive(Debug, Clone)]
enum Act {
    Send(Vec<(u8, i64, i64, Collapse)>),
    Claim { lease: i64, max: usize },
    Ack(usize),
    Delay { which: usize, due: i64, rewrite: bool },
    Extend { which: usize, by: i64 },
    Bury(usize),
    Replay(usize),
    Pass(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let how = prop_oneof![
        Just(Collapse::Earliest),
        Just(Collapse::Latest),
        Just(Collapse::Yields),
        Just(Collapse::Wakes)
    ];
    let send = (0..3_u8, -5..20_i64, -20..20_i64, how);
    let act = prop_oneof![
        4 => prop::collection::vec(send, 1..3).prop_map(Act::Send),
        4 => (1..10_i64, 1..4_usize).prop_map(|(lease, max)| Act::Claim { lease, max }),
        3 => (0..40_usize).prop_map(Act::Ack),
        2 => (0..40_usize, -5..20_i64, any::<bool>()).prop_map(|(which, due, rewrite)| Act::Delay { which, due, rewrite }),
        1 => (0..40_usize, 0..20_i64).prop_map(|(which, by)| Act::Extend { which, by }),
        1 => (0..40_usize).prop_map(Act::Bury),
        1 => (0..10_usize).prop_map(Act::Replay),
        3 => (0..8_i64).prop_map(Act::Pass),
    ];
    prop::collection::vec(act, 1..80)
}

/// The queue under test, beside the model, and what the two promises need to know.
struct Trial {
    queue: Queue,
    model: Model,
    claims: Vec<Claimed>,
    /// Key to the claim that holds it and the end of its lease.
    leases: BTreeMap<String, (usize, i64)>,
    newest: BTreeMap<String, String>,
    seen: BTreeSet<String>,
    bodies: u32,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

impl Trial {
    fn new() -> Self {
        Self {
            queue: Queue::local(Database::in_memory().unwrap(), "trial").unwrap(),
            model: Model::default(),
            claims: Vec::new(),
            leases: BTreeMap::new(),
            newest: BTreeMap::new(),
            seen: BTreeSet::new(),
            bodies: 0,
        }
    }

    fn body(&mut self) -> String {
        self.bodies += 1;
        format!("body {}", self.bodies)
    }

    fn now(&self) -> Timestamp {
        at(self.model.now)
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Send(moves) => self.send(moves).await,
            Act::Claim { lease, max } => self.claim(lease, max).await,
            Act::Pass(seconds) => self.model.now += seconds,
            Act::Replay(which) => self.replay(which).await,
            Act::Ack(_) | Act::Delay { .. } | Act::Extend { .. } | Act::Bury(_) if self.claims.is_empty() => {
            }
            Act::Ack(which) => {
                let (number, claimed) = self.pick(which);
                let acked = self.queue.ack(&claimed).await.unwrap();
                assert_eq!(acked, self.model.ack(&claimed.key, number));
                self.settled(&claimed.key, number, acked != Acked::LeaseLost);
            }
            Act::Delay { which, due, rewrite } => self.delay(which, due, rewrite).await,
            Act::Extend { which, by } => self.extend(which, by).await,
            Act::Bury(which) => self.bury(which).await,
        }
        self.compare().await;
    }

    fn pick(&self, which: usize) -> (usize, Claimed) {
        let number = which % self.claims.len();
        (number, self.claims[number].clone())
    }

    fn settled(&mut self, key: &str, number: usize, settled: bool) {
        if settled {
            assert_eq!(self.leases.remove(key).map(|lease| lease.0), Some(number), "only the holder settles");
        }
    }

    async fn send(&mut self, moves: Vec<(u8, i64, i64, Collapse)>) {
        let mut sent = Vec::new();
        for (key, due, owed, collapse) in moves {
            let (key, body) = (format!("key {key}"), self.body());
            let (due, owed) = (self.model.now + due, self.model.now + owed);
            if self.model.send(&key, &body, (due, owed), collapse) {
                self.newest.insert(key.clone(), body.clone());
            }
            sent.push(Move { key, body, due: at(due), owed_since: at(owed), collapse });
        }
        self.queue.send(sent).await.unwrap();
    }

    async fn claim(&mut self, lease: i64, max: usize) {
        let expected = self.model.claim(lease, max, self.claims.len());
        let claimed = self.queue.claim(self.now(), SignedDuration::from_secs(lease), max).await.unwrap();
        let told =
            claimed.iter().map(|one| (one.key.clone(), one.body.clone(), one.deliveries, one.owed_since));
        let expected =
            expected.into_iter().map(|(key, body, deliveries, owed)| (key, body, deliveries, at(owed)));
        assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for one in claimed {
            let lease = (self.claims.len(), self.model.now + lease);
            let before = self.leases.insert(one.key.clone(), lease);
            assert!(before.is_none_or(|(_, until)| until <= self.model.now), "{} has two holders", one.key);
            self.seen.insert(one.body.clone());
            self.claims.push(one);
        }
    }

    async fn delay(&mut self, which: usize, due: i64, rewrite: bool) {
        let (number, claimed) = self.pick(which);
        let due = self.model.now + due;
        let body = rewrite.then(|| self.body());
        let dirty = self.model.held(&claimed.key, number).is_some_and(|message| message.next.is_some());
        let delayed = self.queue.delay(&claimed, at(due), body.clone()).await.unwrap();
        assert_eq!(delayed, self.model.delay(&claimed.key, number, due, body.clone()));
        if let (Delayed::Anew, false, Some(body)) = (delayed, dirty, body) {
            self.newest.insert(claimed.key.clone(), body);
        }
        self.settled(&claimed.key, number, delayed != Delayed::LeaseLost);
    }

    async fn extend(&mut self, which: usize, by: i64) {
        let (number, claimed) = self.pick(which);
        let until = self.model.now + by;
        let hold = self.queue.extend(&claimed, at(until)).await.unwrap();
        match self.model.held(&claimed.key, number) {
            Some(message) => {
                message.ready = until;
                assert_eq!(hold, Hold::Kept);
                self.leases.insert(claimed.key.clone(), (number, until));
            }
            None => assert_eq!(hold, Hold::Lost),
        }
    }

    async fn bury(&mut self, which: usize) {
        let (number, claimed) = self.pick(which);
        let hold = self.queue.bury(&claimed, "a reason", self.now()).await.unwrap();
        let held = self.model.held(&claimed.key, number).map(|message| (message.body.clone(), message.owed));
        assert_eq!(hold == Hold::Kept, held.is_some());
        if let Some((body, owed)) = held {
            self.model.dead.push((claimed.key.clone(), body, owed));
            self.model.ack(&claimed.key, number);
        }
        self.settled(&claimed.key, number, hold == Hold::Kept);
    }

    async fn replay(&mut self, which: usize) {
        let dead = self.dead().await;
        if dead.is_empty() {
            return;
        }
        let which = which % dead.len();
        // An old body that nothing newer waits for is the newest again; else it gives way.
        let key = &dead[which].key;
        let gives_way = self
            .model
            .alive
            .get(key)
            .is_some_and(|message| message.holder.is_none() || message.next.is_some());
        if !gives_way {
            self.newest.insert(key.clone(), dead[which].body.clone());
        }
        assert!(self.queue.replay(&dead[which].id, self.now()).await.unwrap());
        self.model.replay(which);
    }

    async fn dead(&self) -> Vec<Dead> {
        self.queue.dead(None, 1_000).await.unwrap()
    }

    async fn compare(&self) {
        let (now, alive) = (self.model.now, self.model.alive.values());
        let depth = self.queue.depth(self.now()).await.unwrap();
        let ready = alive.clone().filter(|message| message.ready <= now);
        assert_eq!(depth.oldest_ready, ready.clone().map(|message| at(message.ready)).min());
        assert_eq!(depth.ready, count(ready));
        let owed_since = alive.clone().map(|message| at(message.owed_since())).min();
        assert_eq!(self.queue.owed_since().await.unwrap(), owed_since);
        let later = alive.clone().filter(|message| message.ready > now);
        assert_eq!(depth.waiting, count(later.clone().filter(|message| message.holder.is_none())));
        assert_eq!(depth.claimed, count(later.filter(|message| message.holder.is_some())));
        assert_eq!(self.queue.next_due().await.unwrap(), alive.map(|message| at(message.ready)).min());
        let dead = self.dead().await.into_iter().map(|dead| (dead.key, dead.body, dead.owed_since));
        let expected = self.model.dead.iter().cloned().map(|(key, body, owed)| (key, body, Some(at(owed))));
        assert_eq!(dead.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    /// Works off all that is left, and looks whether anything was lost.
    async fn finish(mut self) {
        while !self.queue.depth(self.now()).await.unwrap().is_drained() {
            self.model.now += 60;
            for claimed in self.queue.claim(self.now(), SignedDuration::from_secs(1), 10).await.unwrap() {
                self.seen.insert(claimed.body.clone());
                assert_ne!(self.queue.ack(&claimed).await.unwrap(), Acked::LeaseLost);
            }
        }
        let dead: BTreeSet<_> = self.dead().await.into_iter().map(|dead| dead.body).collect();
        for (key, body) in &self.newest {
            assert!(self.seen.contains(body) || dead.contains(body), "`{body}` of {key} is lost");
        }
    }
}

fn count<'a>(messages: impl Iterator<Item = &'a Message>) -> u64 {
    u64::try_from(messages.count()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_body_is_lost_and_no_key_has_two_holders(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut trial = Trial::new();
            for act in acts {
                trial.act(act).await;
            }
            trial.finish().await;
        });
    }
}
