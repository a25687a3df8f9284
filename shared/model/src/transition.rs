//! What may happen to an incident. Every function is pure: the ledger writes the result under the condition that
//! nobody else has written in between.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    ChannelName, Correlation, Delivery, DeliveryStatus, Finding, Incident, IncidentId, IncidentKey, Lease,
    RuleId, State, Subject, Wake,
};

/// Why a worker must leave an incident alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotClaim {
    #[error("another worker holds it until {until}")]
    Held { until: Timestamp },
    #[error("nothing is to be done: it is {state}")]
    NothingToDo { state: &'static str },
}

/// A finding, as it was met on one look at the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub subject: Subject,
    pub finding: Finding,
    /// The rule that speaks for this one, too.
    pub told_with: Option<RuleId>,
    pub correlation: Correlation,
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
    /// Replicas lag: what was just written may be read as it was before. An account that looks enabled again so soon
    /// after we disabled it is looked at again later, not acted on.
    pub const SETTLES_AFTER: SignedDuration = SignedDuration::from_mins(4);
    /// How long a write that no read has shown yet is looked at again.
    pub const LOOKS_FOR: SignedDuration = SignedDuration::from_mins(15);

    /// A finding that was not known. `before` is the closed incident in the same slot, if there is one.
    #[must_use]
    pub fn open(
        key: IncidentKey,
        before: Option<&Self>,
        met: Sighting,
        channels: &[ChannelName],
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
            left_over: Vec::new(),
            told_with: None,
            speaks_for: BTreeSet::new(),
            done_at: None,
            put_back: None,
            undo: None,
            told: None,
            deliveries: Vec::new(),
        };
        incident.see(met, channels, now);
        incident
    }

    /// The finding was met: for the first time, or again. Decides whether `remediate` is to be woken.
    pub fn see(&mut self, met: Sighting, channels: &[ChannelName], now: Timestamp) {
        let Sighting { subject, finding, told_with, correlation: _ } = met;
        let has_its_own_voice_again = self.told_with.is_some() && told_with.is_none();
        self.told_with = told_with;
        self.saw_enabled(subject.enabled, now);
        self.seen = self.seen.saturating_add(1);
        self.last_seen_at = now;
        let satisfied = !finding.plan(self.key.guest).is_empty() && subject.enabled == Some(false);
        let acts = finding.acts(self.key.guest);
        self.subject = subject;
        self.finding = finding;
        match &self.state {
            State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. } => {}
            State::Undone { .. } | State::Resolved { .. } => {}
            State::Done { at } => {
                let settled = at.checked_add(Self::SETTLES_AFTER).is_ok_and(|settled| now >= settled);
                if acts && !satisfied && settled {
                    // Somebody put it back. Acting again is a change that people are told.
                    self.told = None;
                    self.wake_up(channels, now);
                } else if has_its_own_voice_again {
                    self.tell(self.state.word().to_owned(), channels, now);
                }
            }
            State::Open | State::Refused { .. } | State::Failed { .. } => {
                if let Some(why) = self.finding.refused.clone() {
                    self.wake = Wake::None;
                    self.become_and_tell(State::Refused { why }, channels, now);
                } else if acts {
                    self.wake_up(channels, now);
                } else {
                    self.wake = Wake::None;
                    self.become_and_tell(State::Open, channels, now);
                }
            }
        }
    }

    /// `accountEnabled`, as somebody read it. Enabled after what we did had settled: a person put it back, and whoever
    /// disables it later is not us. Returns whether that is news.
    pub fn saw_enabled(&mut self, enabled: Option<bool>, now: Timestamp) -> bool {
        let ours = matches!(self.state, State::Undoing { .. } | State::Undone { .. });
        let Some(done_at) = self.done_at else { return false };
        let settled = done_at.checked_add(Self::SETTLES_AFTER).is_ok_and(|settled| now >= settled);
        let news = enabled == Some(true) && settled && !ours && self.is_in_force(done_at);
        if news {
            self.put_back = Some(done_at);
        }
        news
    }

    /// The rules that this one speaks for. People hear of a new one, and of none that is gone.
    pub fn speak_for(&mut self, rules: BTreeSet<RuleId>, channels: &[ChannelName], now: Timestamp) {
        let news = !rules.is_subset(&self.speaks_for);
        self.speaks_for = rules;
        if !news || self.told.is_none() {
            return;
        }
        match &self.state {
            // What comes of it is told in a moment.
            State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. } => self.told = None,
            State::Open if !matches!(self.wake, Wake::None) => self.told = None,
            State::Open | State::Done { .. } | State::Refused { .. } | State::Failed { .. } => {
                self.told = None;
                self.become_and_tell(self.state.clone(), channels, now);
            }
            State::Undone { .. } | State::Resolved { .. } => {}
        }
    }

    fn wake_up(&mut self, channels: &[ChannelName], now: Timestamp) {
        if !matches!(self.wake, Wake::Due { .. } | Wake::Sent { .. }) {
            self.attempts = 0;
            self.wake = Wake::Due { at: now };
        }
        self.state = State::Open;
        if self.told.is_none() {
            let later = now.checked_add(Self::GRACE).unwrap_or(now);
            self.tell("open".to_owned(), channels, later);
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

    /// Takes the incident for one worker.
    ///
    /// # Errors
    /// Another worker holds it, or there is nothing to be done.
    pub fn claim(&mut self, now: Timestamp, lease: SignedDuration) -> Result<(), CannotClaim> {
        match &self.state {
            State::Claimed { lease } if lease.until > now => {
                return Err(CannotClaim::Held { until: lease.until });
            }
            State::Claimed { .. } | State::Sent { .. } => {}
            State::Open if !matches!(self.wake, Wake::None) => {}
            State::Open
            | State::Done { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undoing { .. }
            | State::Undone { .. }
            | State::Resolved { .. } => {
                return Err(CannotClaim::NothingToDo { state: self.state.word() });
            }
        }
        let until = now.checked_add(lease).unwrap_or(now);
        self.state = State::Claimed { lease: Lease { until } };
        self.wake = Wake::None;
        self.updated_at = now;
        Ok(())
    }

    /// Gives a claimed incident back, to be tried again later.
    pub fn release(&mut self, retry_at: Timestamp, now: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.state = State::Open;
        self.wake = Wake::Due { at: retry_at };
        self.updated_at = now;
    }

    /// The write was accepted; `since` is when the first one was.
    pub fn sent(
        &mut self,
        since: Timestamp,
        look_again_at: Timestamp,
        channels: &[ChannelName],
        now: Timestamp,
    ) {
        self.state = State::Sent { since, look_again_at };
        self.wake = Wake::None;
        self.updated_at = now;
        let later = since.checked_add(Self::GRACE).unwrap_or(now).max(now);
        self.tell("sent".to_owned(), channels, later);
    }

    /// A read shows what the plan wanted.
    pub fn done(&mut self, left_over: Vec<String>, channels: &[ChannelName], now: Timestamp) {
        self.left_over = left_over;
        self.done_at = Some(now);
        self.subject.enabled = Some(false);
        self.wake = Wake::None;
        self.become_and_tell(State::Done { at: now }, channels, now);
    }

    pub fn refused(&mut self, why: String, channels: &[ChannelName], now: Timestamp) {
        self.wake = Wake::None;
        self.become_and_tell(State::Refused { why }, channels, now);
    }

    pub fn failed(&mut self, why: String, channels: &[ChannelName], now: Timestamp) {
        self.wake = Wake::None;
        self.become_and_tell(State::Failed { why }, channels, now);
    }

    /// The effective mode fell while it waited: it stays open, and nothing is written.
    pub fn held_back(&mut self, channels: &[ChannelName], now: Timestamp) {
        self.wake = Wake::None;
        self.become_and_tell(State::Open, channels, now);
    }

    /// The finding is gone.
    pub fn resolve(&mut self, why: String, channels: &[ChannelName], now: Timestamp) {
        if self.state.is_closed() {
            return;
        }
        if !matches!(self.state, State::Done { .. } | State::Sent { .. }) {
            self.left_over = Vec::new();
        }
        self.wake = Wake::None;
        let state = State::Resolved { at: now, why };
        if self.nobody_knows() {
            // Nobody has heard of it, and now there is nothing to hear.
            self.told = Some(state.word().to_owned());
            self.state = state;
            self.updated_at = now;
            crate::delivery::withdraw(&mut self.deliveries);
        } else {
            self.become_and_tell(state, channels, now);
        }
    }

    /// The guest is gone, and with him all that was found about him or done to him.
    pub fn vanish(&mut self, why: String, channels: &[ChannelName], now: Timestamp) {
        if !self.state.is_closed() {
            self.left_over = Vec::new();
            self.subject.enabled = None;
            self.resolve(why, channels, now);
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
        self.state == State::Open
            && self.done_at.or(self.put_back).is_none()
            && !self.deliveries.iter().any(told)
    }

    /// Whether there is something of ours to reverse.
    ///
    /// # Errors
    /// A worker is acting, or nothing of ours is in force.
    pub fn may_undo(&self, now: Timestamp) -> Result<(), CannotUndo> {
        match &self.state {
            State::Claimed { lease } if lease.until > now => Err(CannotUndo::Held { until: lease.until }),
            // A finding may be gone while what was done about it is still in force.
            State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Failed { .. }
            | State::Undoing { .. }
            | State::Resolved { .. } => Ok(()),
            State::Open | State::Refused { .. } | State::Undone { .. } => {
                Err(CannotUndo::NothingToUndo { state: self.state.word() })
            }
        }
    }

    /// The undo's write was accepted, and no read has shown it yet.
    pub fn undo_sent(
        &mut self,
        by: String,
        reason: String,
        look_again_at: Timestamp,
        channels: &[ChannelName],
        now: Timestamp,
    ) {
        let since = match &self.state {
            State::Undoing { since, .. } => *since,
            State::Open
            | State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Resolved { .. } => now,
        };
        self.state = State::Undoing { since, look_again_at, by, reason };
        self.wake = Wake::None;
        self.updated_at = now;
        let later = since.checked_add(Self::GRACE).unwrap_or(now).max(now);
        self.tell("undoing".to_owned(), channels, later);
    }

    pub fn undone(&mut self, by: String, reason: String, channels: &[ChannelName], now: Timestamp) {
        self.left_over = Vec::new();
        self.undo = None;
        self.subject.enabled = Some(true);
        self.wake = Wake::None;
        self.become_and_tell(State::Undone { at: now, by, reason }, channels, now);
    }

    fn become_and_tell(&mut self, state: State, channels: &[ChannelName], now: Timestamp) {
        let mut about = state.word().to_owned();
        if let State::Refused { why } | State::Failed { why } = &state {
            about = format!("{about}: {why}");
        }
        self.state = state;
        self.updated_at = now;
        self.tell(about, channels, now);
    }

    /// Schedules a message in each channel, unless people already know.
    fn tell(&mut self, about: String, channels: &[ChannelName], at: Timestamp) {
        // Another speaks for it: when that one falls silent, people have not been told.
        if self.told_with.is_some() || self.told.as_ref() == Some(&about) {
            return;
        }
        self.told = Some(about);
        crate::delivery::schedule(&mut self.deliveries, channels, at);
    }

    /// The deliveries that are due.
    pub fn deliveries_due(&self, now: Timestamp) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(move |delivery| delivery.due_at().is_some_and(|at| at <= now))
    }
}
