//! How far reconciliation has come: which changes Graph's delta query has told, when all guests were last gone over, and
//! whether everybody has been judged by the policy in force. Pure: what is asked of Graph is `responder`'s.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

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

/// The policy by which everybody is judged, with the operator's ceiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The policy's hash and the ceiling: whoever changes either judges anew.
    pub policy: String,
    /// When it was taken. With the policy it names this record: the one before may come back.
    pub since: Timestamp,
    /// When a going over had come to its end after which everybody had been judged by it. `None`: not yet.
    pub applied_at: Option<Timestamp>,
}

/// One going over all accounts from outside, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub began_at: Timestamp,
    pub place: ListingPlace,
    /// The delta queries that had begun when it began, each by its beginning: it meets what happened before that.
    #[serde(default)]
    pub answers: BTreeMap<ResourceKind, Timestamp>,
    /// The beginnings before which nothing is missing: a listing has met all that came to replicas before them.
    #[serde(default)]
    pub made_good: BTreeMap<ResourceKind, Timestamp>,
    /// How many have begun in a row that made nothing good, with this one.
    #[serde(default)]
    pub in_vain: u32,
    /// Accounts from outside that it has met so far.
    pub met: u64,
    /// Accounts that were known, and that it has not met.
    pub missed: u64,
    /// When the last of the looks is due that it has put into the queue: the next page's come after it.
    #[serde(default)]
    pub looks_until: Option<Timestamp>,
    /// Since when the policy had been in force that was in force when it began.
    #[serde(default)]
    pub applies: Option<Timestamp>,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "place")]
pub enum ListingPlace {
    /// In Graph's list of users. The cursor is opaque.
    Users {
        cursor: Option<String>,
    },
    /// Among the guests that the ledger knows, after this one.
    Known {
        after: Option<String>,
    },
    /// Everybody has a look in the queue. Up to this one all have been judged by the policy.
    Judged {
        after: Option<String>,
    },
    Ended {
        at: Timestamp,
    },
}

impl Delta {
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

impl InForce {
    /// A policy that is being written is changed several times in a row: the last of them is applied.
    const SETTLES: SignedDuration = SignedDuration::from_mins(1);

    #[must_use]
    pub fn begin(policy: String, now: Timestamp) -> Self {
        Self { policy, since: now, applied_at: None }
    }

    /// It stays as it is for now. A moment to come is of a clock that was set back since.
    #[must_use]
    pub fn has_settled(&self, now: Timestamp) -> bool {
        let old = now.duration_since(self.since);
        old.is_negative() || old >= Self::SETTLES
    }
}

impl Listing {
    /// Another begins so long after it did.
    const EVERY: SignedDuration = SignedDuration::from_hours(24);

    #[must_use]
    pub fn begin(
        before: Option<&Self>,
        deltas: &[Delta],
        in_force: Option<&InForce>,
        now: Timestamp,
    ) -> Self {
        let made_good = before.map(|before| before.made_good.clone()).unwrap_or_default();
        let in_vain = before.map_or(0, |before| before.in_vain);
        Self {
            began_at: now,
            place: ListingPlace::Users { cursor: None },
            answers: deltas.iter().map(|delta| (delta.resource, delta.begun_at)).collect(),
            made_good,
            in_vain: in_vain.saturating_add(1),
            met: 0,
            missed: 0,
            looks_until: before.and_then(|before| before.looks_until),
            applies: in_force.map(|in_force| in_force.since),
        }
    }

    /// Everybody has been met whom the replica knew that was asked.
    pub fn met_all(&mut self) {
        self.place = ListingPlace::Judged { after: None };
        let began_at = self.began_at;
        let known = self.answers.iter().filter(|(_, begun_at)| has_come_to_all(**begun_at, began_at));
        self.made_good.extend(known.map(|(resource, begun_at)| (*resource, *begun_at)));
        if self.answers.iter().all(|(resource, begun_at)| self.made_good.get(resource) == Some(begun_at)) {
            self.in_vain = 0;
        }
    }

    pub fn end(&mut self, now: Timestamp) {
        self.place = ListingPlace::Ended { at: now };
    }

    /// Whether this policy is what it is about to apply to everybody, or has applied.
    #[must_use]
    pub fn is_of(&self, in_force: &InForce) -> bool {
        self.applies == Some(in_force.since)
    }

    /// Whether another is to begin: its time has come, the policy is another, or a delta query has begun. One that is under
    /// way comes to its end first. Whomever it has still to meet is judged by the new policy already, so that all have been
    /// after as long.
    #[must_use]
    pub fn is_over(&self, deltas: &[Delta], in_force: Option<&InForce>, now: Timestamp) -> bool {
        let has_met_all = match self.place {
            ListingPlace::Users { cursor: _ } | ListingPlace::Known { after: _ } => false,
            ListingPlace::Judged { after: _ } | ListingPlace::Ended { at: _ } => true,
        };
        let other = in_force.is_some_and(|policy| !self.is_of(policy) && policy.has_settled(now));
        // The clock may have been set back since it began.
        let age = now.duration_since(self.began_at).abs();
        has_met_all && (other || age >= Self::EVERY || self.is_to_make_good(deltas, age, now))
    }

    /// A beginning is followed by a listing at once, which finds most of what was lost, and by one that makes it good, when
    /// replicas have heard of all that happened before. Where queries begin again and again, each waits twice as long.
    fn is_to_make_good(&self, deltas: &[Delta], age: SignedDuration, now: Timestamp) -> bool {
        let left: Vec<&Delta> = deltas.iter().filter(|delta| !delta.is_made_good(self)).collect();
        let unanswered = |delta: &&Delta| self.answers.get(&delta.resource) != Some(&delta.begun_at);
        let waits = match self.in_vain {
            0 => SignedDuration::ZERO,
            times => Incident::LOOKS_FOR.saturating_mul(1_i32 << times.saturating_sub(1).min(7)),
        };
        let ripe = || left.iter().all(|delta| delta.has_come_to_all(now));
        !left.is_empty() && age >= waits && (left.iter().any(unanswered) || ripe())
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
