//! When looks are due that reconciliation, one large group or a date asks for: one after another, so that a live event never
//! waits for all of them, and Graph is asked evenly.

use jiff::{SignedDuration, Timestamp};
use model::ObjectId;

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

    /// Longer than a page takes whose looks are still to come, with all members of the groups on it.
    const LONGEST: SignedDuration = SignedDuration::from_mins(30);

    /// Goes on after looks that are in the queue already. What would be due long after now was due before the clock was set
    /// back.
    pub(crate) fn after(last: Option<Timestamp>, now: Timestamp) -> Self {
        Self { last: last.filter(|last| last.duration_since(now) < Self::LONGEST) }
    }

    /// When the next look at one is due.
    pub(crate) fn next(&mut self, now: Timestamp) -> Timestamp {
        self.next_of(1, now)
    }

    /// When the next look is due, which is at so many at once: it takes the time that they would take one by one.
    pub(crate) fn next_of(&mut self, many: usize, now: Timestamp) -> Timestamp {
        let due = self.last.map_or(now, |last| after(last, Self::APART).max(now));
        let others = i32::try_from(many.saturating_sub(1)).unwrap_or(i32::MAX);
        self.last = Some(after(due, Self::APART.saturating_mul(others)));
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

/// So many looks can fall due at one moment while nobody has counted the guests: a minute of them.
const UNCOUNTED: u64 = 1_200;

/// When to look at this one of so many guests, for all of whom that moment may be the same: a policy names days, and only what
/// begins or ends with a day does so for many. A stay, a waiting invitation and a suspension end at moments of their own. Always
/// the same answer for the same guest, as long as nobody counts them anew.
pub(crate) fn spread(at: Timestamp, guest: ObjectId, guests: Option<u64>) -> Timestamp {
    const A_DAY: i64 = 24 * 60 * 60;
    if at.as_second().checked_rem(A_DAY) != Some(0) {
        return at;
    }
    let places = guests.unwrap_or(UNCOUNTED).max(1);
    let place = guest.as_u128().checked_rem(u128::from(places)).unwrap_or(0);
    let place = i32::try_from(place).unwrap_or(i32::MAX);
    after(at, Pace::APART.saturating_mul(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_one_moment_are_twenty_a_second_whatever_the_number_of_guests() {
        let at: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        for guests in [1, 300, 20_000] {
            let due = (0..guests).map(|n| spread(at, ObjectId::from_u128(u128::from(n)), Some(guests)));
            let after_half = at + Pace::APART * i32::try_from(guests / 2).unwrap();
            assert!(due.clone().all(|due| due >= at));
            let done = due.filter(|due| *due < after_half).count();
            assert_eq!(u64::try_from(done).unwrap(), guests / 2);
        }
        assert_eq!(spread(at, ObjectId::from_u128(7), Some(0)), at);
        let own = at + SignedDuration::from_secs(1);
        assert_eq!(spread(own, ObjectId::from_u128(7), Some(300)), own, "nobody else's end");
    }

    #[test]
    fn a_look_at_many_takes_the_time_of_as_many_looks() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut pace = Pace::after(None, now);
        let due = [pace.next_of(50, now), pace.next(now), pace.next_of(0, now), pace.next(now)];
        assert_eq!(due.map(|due| due.duration_since(now).as_millis()), [0, 2_500, 2_550, 2_600]);
    }
}
