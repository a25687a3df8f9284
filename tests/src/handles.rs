//! What a story does to Guestlist itself: run one flow alone, let the process die in the middle, stop writes, count what
//! was asked of Graph.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::{ListingPlace, Notice, ResourceKind, Resumed, Stop};
use responder::{Handler, Remediator, Worker};
use simulator::{Failure, Fault};

use crate::World;

/// What Graph was asked since the last count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub round_trips: u64,
    pub resource_units: u64,
    pub writes: u64,
}

impl World {
    #[track_caller]
    #[must_use]
    pub fn worker(&self, name: &str) -> &Worker {
        self.parts.workers.iter().find(|worker| worker.name == name).expect("a worker of this name")
    }

    /// Delivers the notifications that are due, and nothing else.
    pub async fn deliver(&self) {
        self.simulator.deliver_due().await;
    }

    /// Time passes, with the steward at work.
    pub async fn live_on(&mut self, span: SignedDuration) {
        let end = self.clock.now().checked_add(span).unwrap();
        while self.clock.now() < end {
            let next = self.clock.now().checked_add(SignedDuration::from_hours(12)).unwrap();
            self.settle_for(SignedDuration::from_hours(12)).await;
            self.clock.advance_to(next.min(end));
            self.parts.keeper.as_ref().unwrap().look().await.unwrap();
            self.forget_writes("/subscriptions");
            self.wake_what_is_due().await;
        }
    }

    /// Lets one flow work until nothing is due for it.
    pub async fn run(&self, name: &str) {
        while self.worker(name).run_due(16).await.unwrap() > 0 {}
    }

    /// Lets one flow work until Graph does not answer any more, and kills it there.
    pub async fn kill_during(&self, name: &str) {
        let working = tokio::time::timeout(Duration::from_millis(500), self.run(name)).await;
        assert!(working.is_err(), "{name} came to its end: the fault has struck nothing");
    }

    /// The coming calls meet these failures, one each.
    pub fn next_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.simulator.set_faults(|all| faults.into_iter().for_each(|fault| all.next(fault)));
    }

    /// The nth coming call of this kind (counted from 0) is never answered.
    pub fn hang_at(&self, method: &str, path: &str, nth: usize) {
        let spared = Fault::new(method, path, Failure::Delay(Duration::ZERO));
        let faults = std::iter::repeat_n(spared, nth);
        self.next_faults(faults.chain([Fault::new(method, path, Failure::Hang)]));
    }

    /// What the steward does every few seconds.
    pub async fn wake_what_is_due(&self) -> usize {
        self.parts.steward.as_ref().unwrap().wake_what_is_due().await.unwrap()
    }

    /// What the steward does every few hours.
    pub async fn count_guests(&self) {
        self.parts.census.as_ref().unwrap().look().await.unwrap();
    }

    /// What the steward does every few seconds beside that: asks what no notification told.
    pub async fn reconcile(&self) {
        self.parts.in_force.as_ref().unwrap().look().await.unwrap();
        self.parts.reconciler.as_ref().unwrap().look().await.unwrap();
    }

    /// Reconciliation comes to its end: what happened before it began is made good, which takes a second listing a quarter of
    /// an hour after the first, and nothing more is due of it. Returns how often it looked.
    pub async fn reconcile_all(&mut self) -> usize {
        for looks in 1..1_000 {
            self.reconcile().await;
            let ledger = &self.store.ledger;
            let listing = ledger.listing().await.unwrap().expect("a listing").value;
            let mut ended = matches!(listing.place, ListingPlace::Ended { at: _ });
            for resource in [ResourceKind::User, ResourceKind::Group] {
                let delta = ledger.delta(resource).await.unwrap().unwrap().value;
                ended &= delta.round_ended_at.is_some();
            }
            let deltas = ledger.deltas().await.unwrap();
            if ended && model::is_made_good(&deltas, &listing) {
                return looks;
            }
            let (turn, ripe) = (SignedDuration::from_secs(15), SignedDuration::from_mins(15));
            let next = self.clock.now().checked_add(if ended { ripe } else { turn }).unwrap();
            self.settle_for(turn).await;
            self.clock.advance_to(next);
        }
        panic!("reconciliation does not come to an end");
    }

    /// Every change up to this moment has been told, by whatever way.
    pub async fn told_until(&self) -> Option<Timestamp> {
        self.store.ledger.told_until().await.unwrap()
    }

    /// Every change up to this moment has been assessed.
    pub async fn assessed_until(&self) -> Option<Timestamp> {
        self.store.assessed_until(self.clock.now()).await.unwrap()
    }

    #[must_use]
    pub fn remediator(&self) -> &Remediator {
        match &self.worker("remediate").handler {
            Handler::Remediate(remediator) => remediator,
            Handler::Assess(_) | Handler::Alert(_) | Handler::Steward(_) => panic!("not a remediator"),
        }
    }

    pub async fn stop_writes(&self) {
        let (since, by) = (self.clock.now(), "carol".to_owned());
        let stop = Stop { since, by, reason: "looking into it".to_owned(), ended: None };
        self.store.ledger.set_stop(&stop).await.unwrap();
    }

    pub async fn resume_writes(&self) {
        let (at, by) = (self.clock.now(), "carol".to_owned());
        let resumed = Resumed { at, by, reason: "it is over".to_owned() };
        assert!(self.store.ledger.end_stop(&resumed).await.unwrap());
    }

    /// What Graph was asked since the last time.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let traffic = self.simulator.traffic();
        self.simulator.reset_traffic();
        Cost {
            round_trips: traffic.round_trips,
            resource_units: traffic.resource_units,
            writes: traffic.writes,
        }
    }

    /// How often Graph was asked this, since the last count.
    #[must_use]
    pub fn calls(&self, method: &str, path: &str) -> usize {
        let log = self.simulator.traffic().log;
        log.iter().filter(|call| call.method == method && call.path == path).count()
    }

    /// The seconds from now at which Graph is asked this, while everything that is due in that time happens.
    pub async fn moments_of(&mut self, method: &str, path: &str, within: SignedDuration) -> Vec<i64> {
        let began = self.clock.now();
        let end = began.checked_add(within).unwrap();
        let mut moments = Vec::new();
        loop {
            let before = self.calls(method, path);
            while self.step().await > 0 {}
            let new = self.calls(method, path) - before;
            moments.extend(std::iter::repeat_n(self.since(began), new));
            match self.next_due().await {
                Some(due) if due <= end => self.clock.advance_to(due),
                Some(_) | None => return moments,
            }
        }
    }

    /// Whole seconds since then.
    #[must_use]
    pub fn since(&self, then: Timestamp) -> i64 {
        self.clock.now().duration_since(then).as_secs()
    }

    pub async fn dead_letters(&self) -> Vec<queue::Dead> {
        let mut dead = Vec::new();
        for queue in self.store.queues.all() {
            dead.extend(queue.dead(None, 100).await.unwrap());
        }
        dead
    }

    pub async fn notice(&self, key: &str) -> Notice {
        self.store.ledger.notice(key).await.unwrap().expect("a notice of this key").value
    }
}
