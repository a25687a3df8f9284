//! The circuit breaker: how many guests may be touched in an hour before everything asks first. Pure; the ledger writes it
//! in the same conditional write as the claim that it counts, so that no two workers spend the same place.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ObjectId, RequestId};

/// How many guests were touched of late, and whether that was too many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// Guests created less than a day before they were touched.
    pub newcomers: Vec<Touched>,
    pub established: Vec<Touched>,
    /// How many guests the tenant has, and when they were counted.
    pub guests: Option<Counted>,
    pub opened: Option<Opened>,
    pub reset: Option<Reset>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    pub guest: ObjectId,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub guests: u64,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub at: Timestamp,
    pub budget: Budget,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
    /// Who asked for it. An earlier version did not keep it.
    #[serde(default)]
    pub request: Option<RequestId>,
}

/// Whom a place is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    Newcomers,
    Established,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Newcomers => "newcomers (guests who were created less than a day ago)",
            Self::Established => "established guests",
        })
    }
}

/// What came of asking for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Granted,
    /// It was open before.
    Open,
    /// The budget is spent, and this opened it.
    OpenedNow,
}

impl Breaker {
    pub const HOUR: SignedDuration = SignedDuration::from_hours(1);
    /// Whoever was created less than this ago is a newcomer.
    pub const NEWCOMER_FOR: SignedDuration = SignedDuration::from_hours(24);
    pub const NEWCOMERS_AN_HOUR: usize = 200;
    const FEWEST: u64 = 3;
    const MOST: u64 = 20;
    const PERCENT: u64 = 5;
    /// A count of guests serves so long.
    const COUNT_SERVES: SignedDuration = SignedDuration::from_hours(48);

    /// How many established guests may be touched in an hour: one in twenty, at least 3 and at most 20, and 3 while nobody
    /// has counted the guests.
    #[must_use]
    pub fn established_an_hour(&self, now: Timestamp) -> usize {
        let counted = self.guests.filter(|counted| now.duration_since(counted.at) < Self::COUNT_SERVES);
        let limit = counted.map_or(Self::FEWEST, |counted| {
            (counted.guests.saturating_mul(Self::PERCENT) / 100).clamp(Self::FEWEST, Self::MOST)
        });
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    #[must_use]
    pub fn budget_of(created_at: Option<Timestamp>, now: Timestamp) -> Budget {
        let young = |at: Timestamp| now.duration_since(at) < Self::NEWCOMER_FOR;
        if created_at.is_some_and(young) { Budget::Newcomers } else { Budget::Established }
    }

    #[must_use]
    pub fn limit(&self, budget: Budget, now: Timestamp) -> usize {
        match budget {
            Budget::Newcomers => Self::NEWCOMERS_AN_HOUR,
            Budget::Established => self.established_an_hour(now),
        }
    }

    /// The guests touched in the last hour.
    #[must_use]
    pub fn touched(&self, budget: Budget, now: Timestamp) -> usize {
        let all = match budget {
            Budget::Newcomers => &self.newcomers,
            Budget::Established => &self.established,
        };
        all.iter().filter(|touched| counts(touched, now)).count()
    }

    /// Takes a place for a guest. One who was touched within the hour has his place already, and has it for an hour from now.
    pub fn take(&mut self, guest: ObjectId, created_at: Option<Timestamp>, now: Timestamp) -> Place {
        let Self { newcomers, established, guests: _, opened, reset: _ } = self;
        if opened.is_some() {
            return Place::Open;
        }
        for all in [&mut *newcomers, &mut *established] {
            // A stamp from the future is of a clock that was set back since.
            all.iter_mut().for_each(|touched| touched.at = touched.at.min(now));
            all.retain(|touched| counts(touched, now));
        }
        if let Some(his) = newcomers.iter_mut().chain(established).find(|touched| touched.guest == guest) {
            his.at = now;
            return Place::Granted;
        }
        let budget = Self::budget_of(created_at, now);
        let limit = self.limit(budget, now);
        let all = match budget {
            Budget::Newcomers => &mut self.newcomers,
            Budget::Established => &mut self.established,
        };
        if all.len() < limit {
            all.push(Touched { guest, at: now });
            return Place::Granted;
        }
        self.opened = Some(Opened { at: now, budget, limit });
        Place::OpenedNow
    }

    /// Whether the guest was touched within the hour.
    #[must_use]
    pub fn has_place(&self, guest: ObjectId, now: Timestamp) -> bool {
        let his = |touched: &Touched| touched.guest == guest && counts(touched, now);
        self.newcomers.iter().chain(&self.established).any(his)
    }

    /// Nobody was touched after all. Returns whether the place that was taken at that moment was still there.
    pub fn give_back(&mut self, guest: ObjectId, taken_at: Timestamp) -> bool {
        let before = self.newcomers.len().saturating_add(self.established.len());
        for all in [&mut self.newcomers, &mut self.established] {
            all.retain(|touched| touched.guest != guest || touched.at != taken_at);
        }
        self.newcomers.len().saturating_add(self.established.len()) < before
    }

    /// Closes it, and forgets what was counted. Nothing that waits is released by that. Returns whether it was open.
    pub fn reset(&mut self, by: String, reason: String, request: RequestId, now: Timestamp) -> bool {
        let was_open = self.opened.take().is_some();
        self.newcomers.clear();
        self.established.clear();
        self.reset = Some(Reset { at: now, by, reason, request: Some(request) });
        was_open
    }
}

fn counts(touched: &Touched, now: Timestamp) -> bool {
    now.duration_since(touched.at) < Breaker::HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn guest(n: u128) -> ObjectId {
        ObjectId::from_u128(n)
    }

    #[test]
    fn three_established_guests_an_hour_while_nobody_has_counted() {
        let mut breaker = Breaker::default();
        for n in 0..3 {
            assert_eq!(breaker.take(guest(n), None, at(0)), Place::Granted);
        }
        assert_eq!(breaker.take(guest(0), None, at(1)), Place::Granted, "he has his place");
        assert_eq!(breaker.take(guest(9), None, at(1)), Place::OpenedNow);
        assert_eq!(breaker.take(guest(0), None, at(2)), Place::Open, "open is open for everybody");
        assert_eq!(breaker.take(guest(9), None, at(600)), Place::Open, "time does not close it");
    }

    #[test]
    fn the_limit_is_one_in_twenty_between_three_and_twenty() {
        for (guests, limit) in [(0, 3), (59, 3), (80, 4), (399, 19), (400, 20), (100_000, 20)] {
            let counted = Some(Counted { guests, at: at(0) });
            let breaker = Breaker { guests: counted, ..Breaker::default() };
            assert_eq!(breaker.established_an_hour(at(1)), limit, "{guests}");
            assert_eq!(breaker.established_an_hour(at(60 * 49)), 3, "an old count is none");
        }
    }

    #[test]
    fn newcomers_have_a_budget_of_their_own() {
        let mut breaker = Breaker::default();
        for n in 0..200 {
            assert_eq!(breaker.take(guest(n), Some(at(0)), at(1)), Place::Granted);
        }
        assert_eq!(breaker.touched(Budget::Newcomers, at(2)), 200);
        assert_eq!(breaker.take(guest(900), None, at(2)), Place::Granted, "an established guest");
        assert_eq!(breaker.take(guest(901), Some(at(0)), at(2)), Place::OpenedNow);
        assert_eq!(Breaker::budget_of(Some(at(0)), at(24 * 60 - 1)), Budget::Newcomers);
        assert_eq!(Breaker::budget_of(Some(at(0)), at(24 * 60)), Budget::Established);
    }

    #[test]
    fn places_come_back_after_an_hour_and_a_reset_forgets_them() {
        let mut breaker = Breaker::default();
        for n in 0..3 {
            breaker.take(guest(n), None, at(0));
        }
        assert_eq!(breaker.take(guest(3), None, at(60)), Place::Granted);
        breaker.opened = Some(Opened { at: at(61), budget: Budget::Established, limit: 3 });
        let asked = || RequestId("req-1".to_owned());
        assert!(breaker.reset("carol".to_owned(), "seen".to_owned(), asked(), at(62)));
        assert!(!breaker.reset("carol".to_owned(), "seen".to_owned(), asked(), at(62)));
        assert_eq!(breaker.take(guest(4), None, at(62)), Place::Granted);
    }

    #[test]
    fn who_is_touched_again_has_his_place_for_an_hour_from_then() {
        let mut breaker = Breaker::default();
        for n in [0, 40, 50] {
            breaker.take(guest(n), None, at(n.try_into().unwrap()));
        }
        assert_eq!(breaker.take(guest(0), None, at(55)), Place::Granted);
        assert_eq!(breaker.take(guest(4), None, at(70)), Place::OpenedNow, "a fourth since minute 40");
    }

    #[test]
    fn a_clock_that_was_set_back_frees_no_place_for_ever() {
        let mut breaker = Breaker::default();
        for n in 0..3 {
            breaker.take(guest(n), None, at(10_000));
        }
        assert_eq!(breaker.clone().take(guest(3), None, at(0)), Place::OpenedNow);
        assert_eq!(breaker.take(guest(0), None, at(0)), Place::Granted);
        assert_eq!(breaker.take(guest(4), None, at(60)), Place::Granted);
    }
}
