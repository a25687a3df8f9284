//! A queue of each test's own, on either backend, and short words for what is done to it. On SQS a [`Mapping`] stands between it
//! and the test.

use embedded::Database;
use guestlist_queue::{Acked, Answer, Claimed, Collapse, Dead, DeadId, Delayed, Hold, Move, Queue};
use jiff::{SignedDuration, Timestamp};

use crate::mapping::{Mapping, Network};

pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(30);

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn due(key: &str, body: &str, second: i64) -> Move {
    let (key, body, due) = (key.to_owned(), body.to_owned(), at(second));
    Move { key, body, due, owed_since: due, collapse: Collapse::Earliest }
}

/// Another try or a second look: owed from the beginning.
pub(crate) fn owed(key: &str, body: &str, second: i64) -> Move {
    Move { owed_since: at(second.min(0)), ..due(key, body, second) }
}

#[track_caller]
pub(crate) fn expect_bodies(claimed: &[Claimed], bodies: &[&str]) {
    assert_eq!(claimed.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), bodies);
}

/// A queue, and whoever pushes its messages, if anybody does.
pub(crate) struct Given {
    pub(crate) queue: Queue,
    pub(crate) mapping: Option<Mapping>,
}

impl Given {
    pub(crate) fn local() -> Self {
        Self { queue: Queue::local(Database::in_memory().unwrap(), "changes").unwrap(), mapping: None }
    }

    pub(crate) async fn sqs() -> Self {
        Self::sqs_over(Network::fair()).await
    }

    pub(crate) async fn sqs_over(network: Network) -> Self {
        let mapping = Mapping::start(network).await;
        Self { queue: mapping.queue(), mapping: Some(mapping) }
    }

    /// Another queue in the same table.
    pub(crate) async fn neighbour(&mut self, name: &'static str) -> Self {
        let mapping = self.mapping().neighbour(name).await;
        Self { queue: mapping.queue(), mapping: Some(mapping) }
    }

    pub(crate) fn turn_clock(&self, second: i64) {
        if let Some(mapping) = &self.mapping {
            mapping.turn_clock(at(second));
        }
    }

    pub(crate) async fn send(&self, key: &str, body: &str, second: i64) {
        self.send_all(vec![due(key, body, second)]).await;
    }

    pub(crate) async fn send_all(&self, moves: Vec<Move>) {
        self.queue.send(moves).await.unwrap();
    }

    pub(crate) async fn move_later(&self, second: i64) -> usize {
        self.turn_clock(second);
        self.queue.move_later(at(second), 10).await.unwrap()
    }

    /// The mapping of a queue on SQS.
    pub(crate) fn mapping(&mut self) -> &mut Mapping {
        self.mapping.as_mut().unwrap()
    }

    /// All that can be worked on then, the oldest due first.
    pub(crate) async fn claim(&mut self, second: i64) -> Vec<Claimed> {
        self.turn_clock(second);
        match &mut self.mapping {
            None => self.queue.claim(at(second), LEASE, 10).await.unwrap(),
            Some(mapping) => mapping.push(&self.queue, at(second), LEASE).await,
        }
    }

    pub(crate) async fn claim_one(&mut self, second: i64) -> Claimed {
        let mut claimed = self.claim(second).await;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    pub(crate) async fn ack(&mut self, claimed: &Claimed) -> Acked {
        let acked = self.queue.ack(claimed).await.unwrap();
        self.answer(claimed, acked.answer());
        acked
    }

    pub(crate) async fn delay(&mut self, claimed: &Claimed, second: i64, body: Option<&str>) -> Delayed {
        let delayed = self.queue.delay(claimed, at(second), body.map(str::to_owned)).await.unwrap();
        self.answer(claimed, delayed.answer());
        delayed
    }

    pub(crate) async fn extend(&mut self, claimed: &Claimed, second: i64) -> Hold {
        self.queue.extend(claimed, at(second)).await.unwrap()
    }

    pub(crate) async fn bury(&mut self, claimed: &Claimed, why: &str, second: i64) -> Hold {
        let hold = self.queue.bury(claimed, why, at(second)).await.unwrap();
        self.answer(claimed, hold.answer());
        hold
    }

    fn answer(&mut self, claimed: &Claimed, answer: Answer) {
        if let Some(mapping) = &mut self.mapping {
            mapping.answer(claimed, answer);
        }
    }

    pub(crate) async fn dead(&self) -> Vec<Dead> {
        self.queue.dead(None, 1_000).await.unwrap()
    }

    pub(crate) async fn bury_new(&self, key: &str, body: &str, second: i64) -> DeadId {
        self.queue.bury_new(key, body, "unreadable", at(second)).await.unwrap()
    }

    /// Nothing is left but dead letters.
    pub(crate) async fn is_drained(&mut self, second: i64) -> bool {
        match &mut self.mapping {
            None => self.queue.depth(at(second)).await.unwrap().is_drained(),
            Some(mapping) => mapping.is_empty(),
        }
    }
}
