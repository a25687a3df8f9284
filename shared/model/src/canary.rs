//! The canary: a membership of ours that is changed every hour, so that it is known whether Graph still tells of changes.
//!
//! Pure transitions. Never here: the change itself, or who is told.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Lag, ObjectId, RecentLag};

/// The canary, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub user: ObjectId,
    pub group: ObjectId,
    /// A change that has not come back yet.
    pub out: Option<Flight>,
    pub next_at: Timestamp,
    pub last_back: Option<Back>,
    /// Changes do not come back. It stays until people have been told that they do again.
    pub lost: Option<Lost>,
    /// Why nothing is changed at present.
    pub idle: Option<Idle>,
    pub lag: RecentLag,
}

/// A change of the membership, from the moment at which it was about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flight {
    pub at: Timestamp,
    /// The account was put into the group; else it was taken out.
    pub adds: bool,
    /// Graph has accepted it. Else it is not known whether it was sent.
    pub sent: bool,
}

/// A change came back as a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// When the notification arrived.
    pub at: Timestamp,
    /// When the change was sent.
    pub sent_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// When the first change was made that did not come back in time.
    pub since: Timestamp,
    /// One came back after that.
    pub back_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "idle")]
pub enum Idle {
    /// An operator holds all writes.
    Held { why: String },
    /// The account or the group is not what it has to be.
    Refused { why: String },
    /// Graph did not take the change.
    Failed { why: String },
}

impl Idle {
    #[must_use]
    pub fn why(&self) -> &str {
        let (Self::Held { why } | Self::Refused { why } | Self::Failed { why }) = self;
        why
    }
}

impl Canary {
    /// Between two changes.
    pub const EVERY: SignedDuration = SignedDuration::from_hours(1);
    /// After a change that could not be made.
    pub const AGAIN: SignedDuration = SignedDuration::from_mins(15);
    /// What no read has shown so long after it may have been sent was not sent.
    pub const SHOWS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

    #[must_use]
    pub fn new(user: ObjectId, group: ObjectId, now: Timestamp) -> Self {
        Self {
            user,
            group,
            out: None,
            next_at: now,
            last_back: None,
            lost: None,
            idle: None,
            lag: RecentLag::new(now),
        }
    }

    /// Another change is to be made. What is to come later than that was planned before the clock was set back.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let left = self.next_at.duration_since(now);
        !left.is_positive() || left > Self::EVERY
    }

    /// A change is about to be sent. One that was out before is given up.
    pub fn intend(&mut self, adds: bool, now: Timestamp) -> Flight {
        let flight = Flight { at: now, adds, sent: false };
        self.out = Some(flight);
        self.next_at = now.checked_add(Self::EVERY).unwrap_or(Timestamp::MAX);
        self.idle = None;
        flight
    }

    /// Graph accepted it, or a read shows it. It may have come back by now, and another may be out.
    pub fn sent(&mut self, flight: Flight) {
        if let Some(out) = self.out.as_mut().filter(|out| out.at == flight.at) {
            out.sent = true;
        }
    }

    /// It is known not to have been carried out.
    pub fn not_sent(&mut self, flight: Flight, idle: Option<Idle>, now: Timestamp) {
        if self.out.is_some_and(|out| out.at == flight.at) {
            self.out = None;
            self.pause(idle, now);
        }
    }

    /// Nothing is changed for a while.
    pub fn pause(&mut self, idle: Option<Idle>, now: Timestamp) {
        self.idle = idle;
        self.next_at = now.checked_add(Self::AGAIN).unwrap_or(Timestamp::MAX);
    }

    /// A notification named the account as a member that came or went. False: it is not about the change that is out.
    pub fn comes_back(&mut self, adds: bool, at: Timestamp) -> bool {
        let Some(out) = self.out.filter(|out| out.adds == adds && out.at <= at) else { return false };
        self.out = None;
        self.last_back = Some(Back { at, sent_at: out.at });
        let mut lag = Lag::default();
        lag.add(at.duration_since(out.at));
        self.lag.add(&lag, at);
        if let Some(lost) = &mut self.lost {
            lost.back_at.get_or_insert(at);
        }
        true
    }

    /// What is out for so long is lost. What is not known to have been sent is not missed.
    pub fn miss(&mut self, within: SignedDuration, now: Timestamp) {
        let late = self.out.filter(|out| out.sent && now.duration_since(out.at) >= within);
        if let (Some(out), None) = (late, self.lost) {
            self.lost = Some(Lost { since: out.at, back_at: None });
        }
    }

    /// Changes do not come back.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_some_and(|lost| lost.back_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: SignedDuration = SignedDuration::from_mins(30);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn canary() -> Canary {
        Canary::new(ObjectId::from_u128(1), ObjectId::from_u128(2), at(0))
    }

    #[test]
    fn what_comes_back_late_was_lost_once_and_is_back_once() {
        let mut canary = canary();
        let flight = canary.intend(true, at(0));
        canary.sent(flight);
        canary.miss(HALF, at(29));
        assert_eq!(canary.lost, None);
        canary.miss(HALF, at(30));
        assert!(canary.is_lost());
        let second = canary.intend(false, at(60));
        canary.sent(second);
        canary.miss(HALF, at(90));
        assert_eq!(canary.lost, Some(Lost { since: at(0), back_at: None }), "the first of them counts");
        assert!(!canary.comes_back(true, at(91)), "the one before is given up");
        assert!(canary.comes_back(false, at(92)));
        assert!(!canary.comes_back(false, at(93)), "it is told twice");
        assert_eq!(canary.lost, Some(Lost { since: at(0), back_at: Some(at(92)) }));
        assert_eq!(canary.last_back, Some(Back { at: at(92), sent_at: at(60) }));
        assert_eq!(canary.lag.all().count(), 1);
    }

    #[test]
    fn what_may_never_have_been_sent_is_not_missed() {
        let mut canary = canary();
        let flight = canary.intend(true, at(0));
        canary.miss(HALF, at(300));
        assert_eq!(canary.lost, None);
        canary.not_sent(flight, None, at(300));
        assert_eq!((canary.out, canary.next_at), (None, at(315)));
    }

    #[test]
    fn a_notification_from_before_the_change_is_not_its_own() {
        let mut canary = canary();
        canary.intend(true, at(10));
        assert!(!canary.comes_back(true, at(9)));
        assert!(canary.comes_back(true, at(10)), "even before Graph's answer to the change");
    }

    #[test]
    fn what_is_heard_of_an_earlier_change_says_nothing_of_this_one() {
        let mut canary = canary();
        let first = canary.intend(true, at(0));
        let second = canary.intend(false, at(60));
        canary.sent(first);
        canary.not_sent(first, None, at(61));
        assert_eq!(canary.out, Some(second));
    }
}
