//! What may happen to an incident. Every function is pure: the ledger writes the result under the condition that
//! nobody else has written in between.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    Delivery, DeliveryStatus, Incident, IncidentId, IncidentKey, Lease, Routes, RuleId, Sighting, State,
    Step, Wake,
};

/// Why a worker must leave an incident alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotClaim {
    #[error("another worker holds it until {until}")]
    Held { until: Timestamp },
    #[error("nothing is to be done: it is {state}")]
    NothingToDo { state: &'static str },
}

/// Why an undo has nothing to reverse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotUndo {
    #[error("a worker is acting on it until {until}; try again after that")]
    Held { until: Timestamp },
    #[error("it is {state}: nothing of ours is in force")]
    NothingToUndo { state: &'static str },
}

impl Incident {
    /// An act follows at once, so its outcome is what people should read; only when it takes longer than this are they
    /// told that something is open.
    pub const GRACE: SignedDuration = SignedDuration::from_secs(60);
    /// Two clocks may differ by less than that, and nobody can tell which is right.
    pub const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(4);
    /// Replicas lag: what was just written may be read as it was before. What looks put back so soon after we changed it
    /// is looked at again later, not acted on.
    pub const SETTLES_AFTER: SignedDuration = Self::LOOKS_FOR;
    /// So often is taken away what somebody puts back. After that people decide.
    pub const ROUNDS: usize = 3;
    /// What was put back longer ago than that is not counted.
    pub const FOUGHT_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 7);
    /// Until all replicas have heard of a change: how long a write that no read has shown yet is looked at again.
    pub const LOOKS_FOR: SignedDuration = SignedDuration::from_mins(15);

    /// A finding that was not known. `before` is the closed incident in the same slot, if there is one.
    #[must_use]
    pub fn open(
        key: IncidentKey,
        before: Option<&Self>,
        met: Sighting,
        routes: &Routes,
        now: Timestamp,
    ) -> Self {
        let generation = before.map_or(0, |incident| incident.id.generation).saturating_add(1);
        let mut incident = Self {
            id: IncidentId { slot: key.slot(), generation },
            key,
            correlation: met.correlation,
            opened_at: now,
            updated_at: now,
            last_seen_at: now,
            seen: 0,
            subject: met.subject.clone(),
            finding: met.finding.clone(),
            state: State::Open,
            wake: Wake::None,
            attempts: 0,
            begun: false,
            failing_since: None,
            served: None,
            left_over: Vec::new(),
            told_with: None,
            speaks_for: BTreeSet::new(),
            achieved: before.map(Self::still_in_force).unwrap_or_default(),
            approval: None,
            waits_because: before.and_then(Self::goes_on_waiting),
            undo: None,
            told: None,
            deliveries: Vec::new(),
            posted: BTreeMap::new(),
        };
        incident.see(met, routes, now);
        incident
    }

    /// The rules that this one speaks for. People hear of a new one, and of none that is gone.
    pub fn speak_for(&mut self, rules: BTreeSet<RuleId>, routes: &Routes, now: Timestamp) {
        let news = !rules.is_subset(&self.speaks_for);
        self.speaks_for = rules;
        if !news || self.told.is_none() {
            return;
        }
        match &self.state {
            // What comes of it is told in a moment.
            State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. } => self.told = None,
            State::Open if !matches!(self.wake, Wake::None) => self.told = None,
            State::Open
            | State::Waiting { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. } => {
                self.told = None;
                self.become_and_tell(self.state.clone(), routes, now);
            }
            State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => {}
        }
    }

    pub(crate) fn wake_up(&mut self, routes: &Routes, now: Timestamp) {
        if !matches!(self.wake, Wake::Due { .. } | Wake::Sent { .. }) {
            (self.attempts, self.begun) = (0, false);
            self.wake = Wake::Due { at: now };
        }
        self.is_asked_no_more();
        self.state = State::Open;
        if self.told.is_none() {
            let later = now.checked_add(Self::GRACE).unwrap_or(now);
            self.tell("open".to_owned(), routes, later);
        }
        self.updated_at = now;
    }

    /// The wake is on its way. One that is due later still comes later: a service may have asked us to wait.
    pub fn wake_sent(&mut self, now: Timestamp) {
        let at = match self.wake {
            Wake::Due { at } => at.max(now),
            Wake::None | Wake::Sent { at: _ } => now,
        };
        self.wake = Wake::Sent { at };
    }

    /// Nobody may act on it now: whoever was told comes again at that moment. Returns whether he was overdue.
    pub fn put_off_wake(&mut self, again: Timestamp, now: Timestamp) -> bool {
        let overdue = match self.wake {
            Wake::None => false,
            Wake::Due { at } => at <= now,
            Wake::Sent { at } => at.checked_add(Self::WAKE_LOST_AFTER).is_ok_and(|at| at <= now),
        };
        let waits = overdue && self.state == State::Open;
        if waits {
            self.wake = Wake::Sent { at: again };
        }
        waits
    }

    /// Takes the incident for one worker.
    ///
    /// # Errors
    /// Another worker holds it, or there is nothing to be done.
    pub fn claim(&mut self, now: Timestamp, lease: SignedDuration) -> Result<(), CannotClaim> {
        if let State::Claimed { lease } = &self.state
            && lease.until > now
        {
            return Err(CannotClaim::Held { until: lease.until });
        }
        if !self.is_under_way() {
            return Err(CannotClaim::NothingToDo { state: self.state.word() });
        }
        let until = now.checked_add(lease).unwrap_or(now);
        self.state = State::Claimed { lease: Lease { until } };
        self.wake = Wake::None;
        self.updated_at = now;
        Ok(())
    }

    /// Gives a claimed incident back, to be gone on with later. That alone is no failure.
    pub fn release(&mut self, retry_at: Timestamp, now: Timestamp) {
        self.begun = true;
        self.state = State::Open;
        self.wake = Wake::Due { at: retry_at };
        self.updated_at = now;
    }

    /// The write was accepted; `since` is when the first one was.
    pub fn sent(&mut self, since: Timestamp, look_again_at: Timestamp, routes: &Routes, now: Timestamp) {
        self.state = State::Sent { since, look_again_at };
        self.wake = Wake::None;
        self.updated_at = now;
        let later = since.checked_add(Self::GRACE).unwrap_or(now).max(now);
        self.tell("sent".to_owned(), routes, later);
    }

    /// Reads show all that the plan wanted, and it has been achieved step by step.
    pub fn done(&mut self, left_over: Vec<String>, routes: &Routes, now: Timestamp) {
        self.left_over = left_over;
        self.took_effect(now);
        self.become_and_tell(State::Done { at: now }, routes, now);
    }

    /// Reads show some of what the plan wanted, and the rest is for a person.
    pub fn partly(&mut self, why: String, left_over: Vec<String>, routes: &Routes, now: Timestamp) {
        self.left_over = left_over;
        self.took_effect(now);
        self.become_and_tell(State::Partly { at: now, why }, routes, now);
    }

    fn took_effect(&mut self, now: Timestamp) {
        let disabled = Step::Disable { user: self.key.guest };
        if self.has_achieved(disabled) && self.plan().steps.contains(&disabled) {
            self.subject.enabled = Some(false);
        }
        if self.has_achieved(Step::Delete { user: self.key.guest }) {
            self.subject.enabled = None;
        }
        self.wake = Wake::None;
        self.spend_approval();
        self.updated_at = now;
    }

    /// Nothing of it is tried. What somebody approved of, or what holds it back, stays as it is.
    pub fn refused(&mut self, why: String, routes: &Routes, now: Timestamp) {
        self.wake = Wake::None;
        self.become_and_tell(State::Refused { why }, routes, now);
    }

    pub fn failed(&mut self, why: String, routes: &Routes, now: Timestamp) {
        // Whoever sent something tells what came of it.
        if matches!(self.state, State::Sent { .. } | State::Undoing { .. }) {
            self.told_with = None;
        }
        self.wake = Wake::None;
        self.spend_approval();
        self.failing_since.get_or_insert(now);
        self.become_and_tell(State::Failed { why }, routes, now);
    }

    /// The effective mode fell while it waited: it stays open, and nothing is written.
    pub fn held_back(&mut self, routes: &Routes, now: Timestamp) {
        self.wake = Wake::None;
        self.become_and_tell(State::Open, routes, now);
    }

    /// The finding is gone.
    pub fn resolve(&mut self, why: String, routes: &Routes, now: Timestamp) {
        if self.state.is_closed() {
            return;
        }
        let delete = Step::Delete { user: self.key.guest };
        let restored = self.plan().steps.contains(&delete) && !self.has_achieved(delete);
        if restored || !matches!(self.state, State::Done { .. } | State::Partly { .. } | State::Sent { .. }) {
            self.left_over = Vec::new();
        }
        self.wake = Wake::None;
        self.failing_since = None;
        let state = State::Resolved { at: now, why };
        if self.nobody_knows() {
            // Nobody has heard of it, and now there is nothing to hear.
            self.told = Some(state.word().to_owned());
            self.state = state;
            self.updated_at = now;
            crate::delivery::withdraw(&mut self.deliveries);
        } else {
            self.become_and_tell(state, routes, now);
        }
    }

    /// The guest is gone, and with him all that was found about him or done to him.
    pub fn vanish(&mut self, why: String, routes: &Routes, now: Timestamp) {
        if !self.state.is_closed() {
            self.left_over = Vec::new();
            self.subject.enabled = None;
            self.resolve(why, routes, now);
        }
    }

    /// It is open, and the message about that is not out yet.
    fn nobody_knows(&self) -> bool {
        let told = |delivery: &Delivery| match &delivery.status {
            DeliveryStatus::Due { at: _, attempts } => *attempts > 0,
            DeliveryStatus::Superseded => false,
            DeliveryStatus::Sent { at: _ }
            | DeliveryStatus::RolledUp { at: _ }
            | DeliveryStatus::Failed { at: _, why: _ } => true,
        };
        self.state == State::Open && self.achieved.is_empty() && !self.deliveries.iter().any(told)
    }

    /// Whether there is something of ours to reverse.
    ///
    /// # Errors
    /// A worker is acting, or nothing of ours is in force.
    pub fn may_undo(&self, now: Timestamp) -> Result<(), CannotUndo> {
        let in_force = self.achieved.iter().any(|achieved| self.has_achieved(achieved.step));
        match &self.state {
            State::Claimed { lease } if lease.until > now => Err(CannotUndo::Held { until: lease.until }),
            // A finding may be gone while what was done about it is still in force.
            State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Failed { .. }
            | State::Undoing { .. }
            | State::Resolved { .. } => Ok(()),
            // What was done for an earlier look stays in force whatever becomes of the next.
            State::Open
            | State::Waiting { .. }
            | State::Refused { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
                if in_force =>
            {
                Ok(())
            }
            State::Open
            | State::Waiting { .. }
            | State::Refused { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. } => Err(CannotUndo::NothingToUndo { state: self.state.word() }),
        }
    }

    /// The undo's write was accepted, and no read has shown it yet.
    pub fn undo_sent(
        &mut self,
        by: String,
        reason: String,
        look_again_at: Timestamp,
        routes: &Routes,
        now: Timestamp,
    ) {
        let since = match &self.state {
            State::Undoing { since, .. } => *since,
            State::Open
            | State::Waiting { .. }
            | State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => now,
        };
        self.told_with = None;
        self.state = State::Undoing { since, look_again_at, by, reason };
        self.wake = Wake::None;
        self.updated_at = now;
        let later = since.checked_add(Self::GRACE).unwrap_or(now).max(now);
        self.tell("undoing".to_owned(), routes, later);
    }

    /// Whoever spoke for it tells of what is taken, and not of what is given back.
    pub fn undone(&mut self, by: String, reason: String, routes: &Routes, now: Timestamp) {
        self.told_with = None;
        self.left_over = Vec::new();
        let given_back = self.undo.take().map(|undo| undo.steps).unwrap_or_default();
        if given_back.iter().any(|step| matches!(step, Step::Enable { user: _ })) {
            self.subject.enabled = Some(true);
        }
        // What was left out, because it was taken from somebody else, is still in force.
        for step in given_back {
            self.put_back(step.undo(), now);
        }
        self.wake = Wake::None;
        self.become_and_tell(State::Undone { at: now, by, reason }, routes, now);
    }

    pub(crate) fn become_and_tell(&mut self, state: State, routes: &Routes, now: Timestamp) {
        let mut about = state.word().to_owned();
        if let State::Refused { why } | State::Failed { why } | State::Partly { at: _, why } = &state {
            about = format!("{about}: {why}");
        }
        if let State::Waiting { .. } = &state {
            // Another plan, or another account, is news and has to be approved anew.
            about = format!("{about} for {}", self.question());
        }
        if !state.is_failing() {
            self.failing_since = None;
        }
        self.state = state;
        self.updated_at = now;
        self.tell(about, routes, now);
    }

    /// Schedules a message wherever something as bad as this goes, unless people already know.
    pub(crate) fn tell(&mut self, about: String, routes: &Routes, at: Timestamp) {
        // Another speaks for it: when that one falls silent, people have not been told. What it did is its own to tell.
        let acted = self.achieved.iter().any(|one| self.has_done(one.step));
        if (self.told_with.is_some() && !acted) || self.told.as_ref() == Some(&about) {
            return;
        }
        self.told = Some(about);
        let mut channels = routes.for_severity(self.finding.severity);
        // Whoever has heard of it hears how it goes on.
        for delivery in &self.deliveries {
            if delivery.was_told() && !channels.contains(&delivery.channel) {
                channels.push(delivery.channel.clone());
            }
        }
        crate::delivery::schedule(&mut self.deliveries, &channels, at);
    }

    /// The deliveries that are due.
    pub fn deliveries_due(&self, now: Timestamp) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(move |delivery| delivery.due_at().is_some_and(|at| at <= now))
    }
}
