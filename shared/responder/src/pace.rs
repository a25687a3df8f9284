//! When looks are due that reconciliation or one large group asks for: one after another, so that a live event never
//! waits for a page of them, and Graph is asked evenly.

use jiff::{SignedDuration, Timestamp};

use crate::trouble::after;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// When the last look is due that was given a moment.
    last: Option<Timestamp>,
}

impl Pace {
    const APART: SignedDuration = SignedDuration::from_millis(50);
    /// More is asked for so long before the last look is due: longer than it takes until the next turn.
    const AHEAD: SignedDuration = SignedDuration::from_secs(30);

    /// Longer than a page takes whose looks are still to come.
    const LONGEST: SignedDuration = SignedDuration::from_mins(10);

    /// Goes on after looks that are in the queue already. What would be due long after now was due before the clock was set
    /// back.
    pub(crate) fn after(last: Option<Timestamp>, now: Timestamp) -> Self {
        Self { last: last.filter(|last| last.duration_since(now) < Self::LONGEST) }
    }

    /// When the next look is due.
    pub(crate) fn next(&mut self, now: Timestamp) -> Timestamp {
        let due = self.last.map_or(now, |last| after(last, Self::APART).max(now));
        self.last = Some(due);
        due
    }

    pub(crate) fn last(self) -> Option<Timestamp> {
        self.last
    }

    /// So many looks are still to come that no more are to be asked for now.
    pub(crate) fn is_ahead(self, now: Timestamp) -> bool {
        self.last.is_some_and(|last| last > after(now, Self::AHEAD))
    }

    /// Looks are still to come.
    pub(crate) fn is_under_way(self, now: Timestamp) -> bool {
        self.last.is_some_and(|last| last > now)
    }
}
