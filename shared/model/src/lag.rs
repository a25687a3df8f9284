//! How long something took, counted in buckets, over the last day or two. Percentiles come out as the bound of a bucket.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How often it took how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Lag([u64; Lag::BUCKETS]);

/// What a share of all took at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Within {
    AtMost(SignedDuration),
    /// Longer than the last bucket's bound.
    Above(SignedDuration),
}

impl Lag {
    /// The upper bounds of the buckets in milliseconds; one more bucket holds what is above.
    pub const BOUNDS_MS: [i64; 14] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
        3_600_000,
    ];
    const BUCKETS: usize = Self::BOUNDS_MS.len() + 1;

    /// A clock that was set back makes a lag of nothing.
    pub fn add(&mut self, lag: SignedDuration) {
        let bucket =
            Self::BOUNDS_MS.iter().filter(|bound| lag > SignedDuration::from_millis(**bound)).count();
        if let Some(count) = self.0.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count = count.saturating_add(more));
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// What so many of a hundred took at most. `None`: nothing was counted.
    #[must_use]
    pub fn within(&self, of_a_hundred: u64) -> Option<Within> {
        let wanted = self.count().saturating_mul(of_a_hundred).div_ceil(100).max(1);
        let mut seen = 0_u64;
        let bounds =
            Self::BOUNDS_MS.into_iter().map(|bound| Within::AtMost(SignedDuration::from_millis(bound)));
        let last = Self::BOUNDS_MS.into_iter().last().map(SignedDuration::from_millis).unwrap_or_default();
        bounds.chain([Within::Above(last)]).zip(self.0).find_map(|(bound, count)| {
            seen = seen.saturating_add(count);
            (seen >= wanted).then_some(bound)
        })
    }
}

impl Default for Lag {
    fn default() -> Self {
        Self([0; Self::BUCKETS])
    }
}

/// Counts of a version with other buckets say nothing here: a statistic begins anew.
impl From<Vec<u64>> for Lag {
    fn from(counts: Vec<u64>) -> Self {
        counts.try_into().map(Self).unwrap_or_default()
    }
}

impl From<Lag> for Vec<u64> {
    fn from(lag: Lag) -> Self {
        lag.0.to_vec()
    }
}

/// Lags of the current day and of the one before, each counted from the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentLag {
    began_at: Timestamp,
    current: Lag,
    before: Lag,
}

impl RecentLag {
    const DAY: SignedDuration = SignedDuration::from_hours(24);

    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { began_at: now, current: Lag::default(), before: Lag::default() }
    }

    pub fn add(&mut self, lag: &Lag, now: Timestamp) {
        let age = now.duration_since(self.began_at);
        if age >= Self::DAY {
            let current = std::mem::take(&mut self.current);
            self.before = if age < Self::DAY * 2 { current } else { Lag::default() };
            self.began_at = now;
        }
        self.current.merge(lag);
    }

    /// Of the last 24 to 48 hours in which anything was counted.
    #[must_use]
    pub fn all(&self) -> Lag {
        let mut all = self.before.clone();
        all.merge(&self.current);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(milliseconds: &[i64]) -> Lag {
        let mut lag = Lag::default();
        milliseconds.iter().for_each(|ms| lag.add(SignedDuration::from_millis(*ms)));
        lag
    }

    fn at_most(milliseconds: i64) -> Option<Within> {
        Some(Within::AtMost(SignedDuration::from_millis(milliseconds)))
    }

    #[test]
    fn a_percentile_is_the_bound_of_the_bucket_that_reaches_it() {
        assert_eq!(of(&[]).within(50), None);
        let lag = of(&[-5, 100, 101, 250, 9_999]);
        assert_eq!((lag.count(), lag.within(1), lag.within(40)), (5, at_most(100), at_most(100)));
        assert_eq!((lag.within(41), lag.within(80)), (at_most(250), at_most(250)));
        assert_eq!((lag.within(81), lag.within(100)), (at_most(10_000), at_most(10_000)));
        let hour = SignedDuration::from_hours(1);
        assert_eq!(of(&[3_600_001]).within(50), Some(Within::Above(hour)));
    }

    #[test]
    fn what_is_older_than_two_days_is_forgotten() {
        let at = |hours: i64| Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap();
        let mut recent = RecentLag::new(at(0));
        recent.add(&of(&[1]), at(0));
        recent.add(&of(&[1]), at(23));
        recent.add(&of(&[1]), at(24));
        assert_eq!(recent.all().count(), 3);
        recent.add(&of(&[1]), at(48));
        assert_eq!(recent.all().count(), 2);
        recent.add(&of(&[1]), at(48 + 49));
        assert_eq!(recent.all().count(), 1);
    }

    #[test]
    fn counts_with_other_buckets_are_read_as_none() {
        let lag = of(&[1, 2_000, 99_999_999]);
        assert_eq!(Lag::from(Vec::from(lag.clone())), lag);
        assert_eq!(Lag::from(vec![1, 2, 3]), Lag::default());
    }
}
