//! How far reconciliation has come: which changes Graph's delta query has told, when all guests were last gone over, and
//! whether everybody has been judged by the policy in force. Pure: what is asked of Graph is `responder`'s.

mod listing;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::listing::{InForce, Listing, ListingPlace};
use crate::{Incident, ResourceKind};

/// One delta query, and where it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    pub resource: ResourceKind,
    /// Opaque, as Graph gave it.
    pub cursor: String,
    /// When the round began that is under way, or the last one.
    pub round_began_at: Timestamp,
    /// When the last round came to its end. `None`: it is under way.
    pub round_ended_at: Option<Timestamp>,
    /// What happened before is not told by this query: it began then. Listings name it by this moment.
    pub begun_at: Timestamp,
    /// When the last whole round began.
    pub told_until: Timestamp,
    /// What had been told before the query began anew, and what happened since was lost.
    pub told_before_gap: Option<Timestamp>,
    /// When the last of the looks is due that it has put into the queue.
    #[serde(default)]
    pub looks_until: Option<Timestamp>,
}

impl Delta {
    const SERVES: SignedDuration = SignedDuration::from_hours(24 * 7);

    /// A query that tells what happens from now on.
    #[must_use]
    pub fn begin(
        resource: ResourceKind,
        cursor: String,
        (before, listing): (Option<&Self>, Option<&Listing>),
        now: Timestamp,
    ) -> Self {
        Self {
            resource,
            cursor,
            round_began_at: now,
            round_ended_at: Some(now),
            begun_at: now,
            told_until: now,
            told_before_gap: before.and_then(|before| before.covers_until(listing)),
            looks_until: before.and_then(|before| before.looks_until),
        }
    }

    /// Graph need not know its cursor any more, and may tell less than happened where it does
    /// (<https://learn.microsoft.com/graph/delta-query-overview>).
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        let read_at = self.round_ended_at.unwrap_or(self.round_began_at);
        // Of one that began in time to come nobody knows what it tells.
        let to_come = self.begun_at.duration_since(now) > Incident::LOOKS_FOR;
        to_come || now.duration_since(read_at) >= Self::SERVES
    }

    /// A page was read, and what it told lies in the queue.
    pub fn went_on(&mut self, cursor: String, caught_up: bool, now: Timestamp) {
        if self.round_ended_at.take().is_some() {
            self.round_began_at = now;
        }
        self.cursor = cursor;
        if caught_up {
            self.round_ended_at = Some(now);
            self.told_until = self.round_began_at;
        }
    }

    /// Since when what its next page tells may have happened: told late, it is owed since then.
    #[must_use]
    pub fn owed_since(&self) -> Timestamp {
        self.told_until.checked_sub(Incident::LOOKS_FOR).unwrap_or(Timestamp::MIN)
    }

    /// Until when every change has been told, where what was lost has been made good by a listing.
    fn covers_until(&self, listing: Option<&Listing>) -> Option<Timestamp> {
        let made_good = listing.is_some_and(|listing| self.is_made_good(listing));
        if made_good { Some(self.told_until) } else { self.told_before_gap }
    }

    /// By which beginning it was is told by its name, never by a clock: that may have been set since.
    fn is_made_good(&self, listing: &Listing) -> bool {
        listing.made_good.get(&self.resource) == Some(&self.begun_at)
    }

    /// What happened before it began has come to every replica by then. A clock that was set back since says nothing.
    fn has_come_to_all(&self, now: Timestamp) -> bool {
        has_come_to_all(self.begun_at, now)
    }
}

fn has_come_to_all(begun_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(begun_at).abs() >= Incident::LOOKS_FOR
}

/// What happened before the delta queries began, or was lost since, has been found by a listing before this one.
#[must_use]
pub fn is_made_good(deltas: &[Delta], listing: &Listing) -> bool {
    deltas.iter().all(|delta| delta.is_made_good(listing))
}

/// Every change up to this moment has been told, by the delta queries of users and of groups and by the last listing.
/// `None`: nobody can say so of any moment.
#[must_use]
pub fn told_until(deltas: &[Delta], listing: Option<&Listing>) -> Option<Timestamp> {
    let of = |resource| {
        let delta = deltas.iter().find(|delta| delta.resource == resource)?;
        delta.covers_until(listing)
    };
    let until = of(ResourceKind::User)?.min(of(ResourceKind::Group)?);
    // Replicas lag: what the one that answered had not heard of is told in the next round.
    until.checked_sub(Incident::LOOKS_FOR).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_mins(minutes)).unwrap()
    }

    fn both(begun: i64) -> [Delta; 2] {
        [ResourceKind::User, ResourceKind::Group]
            .map(|resource| Delta::begin(resource, "c".to_owned(), (None, None), at(begun)))
    }

    fn whole(deltas: &[Delta], began: i64) -> Listing {
        let mut listing = Listing::begin(None, deltas, None, at(began));
        listing.met_all();
        listing.end(at(began + 5));
        listing
    }

    #[test]
    fn nothing_is_known_before_everything_was_listed_once() {
        let deltas = both(100);
        assert_eq!(told_until(&deltas, None), None);
        assert_eq!(told_until(&deltas, Some(&Listing::begin(None, &deltas, None, at(115)))), None);
        assert_eq!(told_until(&deltas, Some(&whole(&both(99), 115))), None, "it answers others");
        assert_eq!(told_until(&deltas, Some(&whole(&deltas, 114))), None, "replicas may not have heard yet");
        assert_eq!(told_until(&deltas, Some(&whole(&deltas, 115))), Some(at(85)));
        assert_eq!(told_until(&deltas[..1], Some(&whole(&deltas, 115))), None);
    }

    #[test]
    fn a_listing_that_begins_again_and_again_is_as_late_as_the_first() {
        let first = Listing::begin(None, &[], None, at(100));
        let mut second = Listing::begin(Some(&first), &[], None, at(130));
        let third = Listing::begin(Some(&second), &[], None, at(190));
        assert_eq!((third.began_at, third.tried_since()), (at(190), at(100)));
        second.met_all();
        assert_eq!(Listing::begin(Some(&second), &[], None, at(200)).tried_since(), at(200));
    }

    #[test]
    fn a_round_tells_what_happened_before_it_began_and_only_when_it_is_whole() {
        let mut deltas = both(100);
        let listing = whole(&deltas, 115);
        for delta in &mut deltas {
            delta.went_on("d".to_owned(), false, at(120));
        }
        assert_eq!(told_until(&deltas, Some(&listing)), Some(at(85)));
        deltas[0].went_on("e".to_owned(), true, at(122));
        assert_eq!(told_until(&deltas, Some(&listing)), Some(at(85)), "of groups it is under way");
        deltas[1].went_on("e".to_owned(), true, at(123));
        assert_eq!(told_until(&deltas, Some(&listing)), Some(at(105)));
    }

    #[test]
    fn a_cursor_serves_for_seven_days() {
        let week = 7 * 24 * 60;
        let [mut delta, _] = both(100);
        assert!(!delta.has_lapsed(at(99 + week)) && delta.has_lapsed(at(100 + week)));
        assert!(!delta.has_lapsed(at(85)) && delta.has_lapsed(at(84)), "it began in time to come");
        delta.went_on("d".to_owned(), false, at(200));
        assert!(delta.has_lapsed(at(200 + week)), "within a round");
    }

    #[test]
    fn what_was_lost_is_not_told_until_a_listing_has_made_it_good() {
        let mut deltas = both(100);
        let before = whole(&deltas, 115);
        let anew = |deltas: &[Delta], minutes| {
            let of_users = (deltas.first(), Some(&before));
            Delta::begin(ResourceKind::User, "x".to_owned(), of_users, at(minutes))
        };
        deltas[0] = anew(&deltas, 20_000);
        deltas[1].went_on("e".to_owned(), true, at(20_000));
        assert_eq!(told_until(&deltas, Some(&before)), Some(at(85)));
        deltas[0] = anew(&deltas, 20_010);
        assert_eq!(
            told_until(&deltas, Some(&before)),
            Some(at(85)),
            "the gap is older than the second beginning"
        );
        assert_eq!(told_until(&deltas, Some(&whole(&deltas, 20_025))), Some(at(19_985)));
    }

    /// The minutes at which listings begin that end within a minute, while queries begin at these.
    fn begun(deltas_begin: impl Fn(i64) -> i64, until: i64) -> Vec<i64> {
        let (mut begun, mut listing) = (Vec::new(), whole(&both(-1_000), -900));
        for minute in 0..until {
            let deltas = both(deltas_begin(minute));
            if listing.is_over(&deltas, None, at(minute)) {
                listing = Listing::begin(Some(&listing), &deltas, None, at(minute));
                listing.met_all();
                begun.push(minute);
            }
        }
        begun
    }

    #[test]
    fn a_beginning_is_two_listings_and_queries_that_always_begin_anew_are_ever_fewer() {
        assert_eq!(begun(|_| 0, 500), [0, 15]);
        assert_eq!(begun(|minute| minute / 10 * 10, 1_000), [0, 15, 45, 105, 225, 465, 945]);
        // The last of them is made good like any other.
        assert_eq!(begun(|minute| (minute / 10 * 10).min(100), 1_000), [0, 15, 45, 105, 225]);
    }

    #[test]
    fn queries_that_began_in_time_to_come_are_made_good_once() {
        assert_eq!(begun(|_| 2_880, 500), [0]);
    }

    fn in_force(since: i64) -> InForce {
        InForce::begin("one".to_owned(), at(since))
    }

    #[test]
    fn another_policy_begins_a_listing_once_it_stays_as_it_is() {
        let (before, other) = (in_force(90), in_force(200));
        let mut listing = Listing::begin(None, &[], Some(&before), at(100));
        assert!(!listing.is_over(&[], Some(&other), at(300)), "it is under way");
        listing.met_all();
        assert!(!listing.is_over(&[], Some(&before), at(300)));
        assert!(!listing.is_over(&[], Some(&other), at(200)), "somebody may still be writing");
        assert!(listing.is_over(&[], Some(&other), at(201)));
        assert!(!Listing { applies: Some(at(200)), ..listing }.is_over(&[], Some(&other), at(201)));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_listing_from_beginning() {
        let future = in_force(10_000);
        let mut listing = Listing::begin(None, &[], Some(&in_force(90)), at(100));
        listing.met_all();
        assert!(listing.is_over(&[], Some(&future), at(300)));
        let mut of_tomorrow = Listing::begin(None, &[], None, at(10_000));
        of_tomorrow.met_all();
        assert!(of_tomorrow.is_over(&[], None, at(300)));
    }
}
