//! How long to wait before a call is repeated, and when to leave it to the caller.
//!
//! Never here: the waiting itself, or which calls may be repeated.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const LONGEST_TOLD: SignedDuration = SignedDuration::from_hours(1);
const FIRST_STEP: Duration = Duration::from_millis(500);
const LONGEST_STEP: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 6;
/// A silent service costs a whole timeout each time it is asked.
const TIMEOUTS: u32 = 2;

/// What an answer says about when to come back, between now and an hour.
pub(crate) fn told(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = seconds(text).or_else(|| Some(http_date(text)?.duration_since(now)))?;
    Some(wait.clamp(SignedDuration::ZERO, LONGEST_TOLD))
}

/// Graph's own sample is `2.128`, which the HTTP standard does not allow.
fn seconds(text: &str) -> Option<SignedDuration> {
    if !text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+')) {
        return None;
    }
    let seconds = text.parse::<f64>().ok()?.clamp(0.0, LONGEST_TOLD.as_secs_f64());
    Some(SignedDuration::from_secs_f64(seconds))
}

/// The three forms of RFC 9110, section 5.6.7.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"].iter().find_map(
        |form| {
            let date = strtime::parse(form, text).ok()?.to_datetime().ok()?;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        },
    )
}

/// What is left of the time that one operation may wait in line.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    attempts: u32,
    timeouts: u32,
    /// An attempt got no answer, and may have been carried out.
    pub(crate) lost_an_answer: bool,
}

impl Patience {
    pub(crate) fn new(whole: Duration) -> Self {
        Self { left: whole, attempts: 1, timeouts: 0, lost_an_answer: false }
    }

    /// The wait before the next attempt, or nothing when it is the caller's turn to wait.
    pub(crate) fn wait(&mut self, told: Option<SignedDuration>, timed_out: bool) -> Option<Duration> {
        self.timeouts = self.timeouts.saturating_add(u32::from(timed_out));
        if self.attempts >= ATTEMPTS || self.timeouts >= TIMEOUTS {
            return None;
        }
        let wait = match told {
            Some(told) => Duration::try_from(told).ok()?,
            None => step(self.attempts, Uuid::new_v4().as_u64_pair().0),
        };
        self.left = self.left.checked_sub(wait)?;
        self.attempts = self.attempts.saturating_add(1);
        Some(wait)
    }
}

/// Doubles with each attempt. The lower half is fixed and the upper half is thrown, so that callers who were turned
/// away together do not come back together.
fn step(attempt: u32, dice: u64) -> Duration {
    let whole = FIRST_STEP.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(LONGEST_STEP);
    let half = whole / 2;
    let thrown = u32::try_from(dice % 1_000).unwrap_or_default();
    half + half * thrown / 1_000
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(retry_after: &str, millis: Option<i64>) {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        assert_eq!(told(&headers, now), millis.map(SignedDuration::from_millis), "{retry_after}");
    }

    #[test]
    fn retry_after_is_read_as_seconds_decimals_or_a_date_and_kept_within_an_hour() {
        check("7", Some(7_000));
        check(" 2.128 ", Some(2_128));
        check("0", Some(0));
        check("-3", Some(0));
        check("86400", Some(3_600_000));
        check("99999999999999999999999999999", Some(3_600_000));
        check("Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000));
        check("Friday, 20-Nov-26 10:00:30 GMT", Some(30_000));
        check("Fri Nov 20 10:00:30 2026", Some(30_000));
        check("Fri, 20 Nov 2026 09:59:00 GMT", Some(0));
        check("Fri, 20 Nov 2026 12:00:00 GMT", Some(3_600_000));
        for nonsense in ["", "soon", "NaN", "inf", "1e3", "1.2.3", "--", "Fri, 99 Nov 2026 10:00:30 GMT"] {
            check(nonsense, None);
        }
    }

    #[test]
    fn steps_double_within_their_bounds_and_differ() {
        for (attempt, low, high) in [(1, 250, 500), (2, 500, 1_000), (4, 2_000, 4_000), (60, 15_000, 30_000)]
        {
            for dice in [0, 500, 999, u64::MAX] {
                let millis = step(attempt, dice).as_millis();
                assert!((low..=high).contains(&millis), "{attempt} {dice}: {millis}");
            }
        }
        assert_ne!(step(3, 1), step(3, 900));
    }

    #[test]
    fn a_wait_that_is_longer_than_the_patience_is_left_to_the_caller() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let told = |seconds| Some(SignedDuration::from_secs(seconds));
        assert_eq!(patience.wait(told(6), false), Some(Duration::from_secs(6)));
        assert_eq!(patience.wait(told(5), false), None, "only four seconds are left");
        assert_eq!(patience.wait(told(4), false), Some(Duration::from_secs(4)));
        assert_eq!(patience.wait(None, false), None);
    }

    #[test]
    fn even_an_answer_that_asks_for_no_wait_is_not_tried_for_ever() {
        let mut patience = Patience::new(Duration::ZERO);
        let tries = std::iter::from_fn(|| patience.wait(Some(SignedDuration::ZERO), false)).count();
        assert_eq!(tries, 5);
        let mut patience = Patience::new(Duration::from_secs(60));
        assert!(patience.wait(None, true).is_some());
        assert!(patience.wait(None, true).is_none());
    }
}
