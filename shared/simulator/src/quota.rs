//! Throttling by resource units: so many in a span for each app, and whoever says that he can wait is turned away first.
use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::graph::refusal::Refusal;

/// What one app may ask of the tenant: 8,000 units in ten seconds where there are more than 500 users
/// (<https://learn.microsoft.com/graph/throttling-limits>).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    pub units: u64,
    /// By the simulator's clock.
    pub within: SignedDuration,
}

/// `x-ms-throttle-priority` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Low,
    Normal,
    High,
}

/// What the apps have spent in the span that is running for each.
#[derive(Debug, Default)]
pub(crate) struct Spent(BTreeMap<Uuid, Span>);

#[derive(Debug)]
struct Span {
    began: Timestamp,
    units: u64,
}

impl Priority {
    pub(crate) const HEADER: &str = "x-ms-throttle-priority";

    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(given) = headers.get(Self::HEADER) else { return Ok(Self::Normal) };
        match given.to_str().unwrap_or_default().to_ascii_lowercase().as_str() {
            "low" => Ok(Self::Low),
            "normal" => Ok(Self::Normal),
            "high" => Ok(Self::High),
            _ => Err(Refusal::bad_request(format!("{} is low, normal or high.", Self::HEADER))),
        }
    }

    /// What may be spent before such a request is turned away. Microsoft says that low ones are the first to be, and
    /// not from which share on.
    fn may_spend(self, units: u64) -> u64 {
        match self {
            Self::Low => units / 4 * 3,
            Self::Normal | Self::High => units,
        }
    }
}

impl Spent {
    /// Also what is turned away is counted, as Graph does. Answers what has been spent in this span, or the refusal.
    pub(crate) fn charge(
        &mut self,
        quota: Quota,
        (app, tenant): (Uuid, Uuid),
        units: u32,
        priority: Priority,
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let span = self.0.entry(app).or_insert(Span { began: now, units: 0 });
        let mut left = quota.within - now.duration_since(span.began);
        if !left.is_positive() || left > quota.within {
            *span = Span { began: now, units: 0 };
            left = quota.within;
        }
        span.units += u64::from(units);
        if span.units <= priority.may_spend(quota.units) {
            return Ok(span.units);
        }
        let scope = format!("Tenant_Application/ReadWrite/{app}/{tenant}");
        let refusal = Refusal::new(429, "TooManyRequests", "Too many requests.");
        let refusal = refusal.with_header("Retry-After", format!("{:.3}", left.as_secs_f64()));
        Err(refusal.with_header("x-ms-throttle-scope", scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn low_priority_is_turned_away_first_and_the_next_span_begins_anew() {
        let quota = Quota { units: 8, within: SignedDuration::from_secs(10) };
        let mut spent = Spent::default();
        let mut ask = |priority, seconds| {
            let answer = spent.charge(quota, (Uuid::nil(), Uuid::nil()), 2, priority, at(seconds));
            answer.map_err(|refusal| refusal.headers.into_iter().find(|(name, _)| *name == "Retry-After"))
        };
        assert_eq!(ask(Priority::Low, 0), Ok(2));
        assert_eq!(ask(Priority::Low, 1), Ok(4));
        assert_eq!(ask(Priority::Normal, 2), Ok(6));
        assert_eq!(ask(Priority::Low, 3), Err(Some(("Retry-After", "7.000".to_owned()))));
        assert_eq!(ask(Priority::High, 4), Err(Some(("Retry-After", "6.000".to_owned()))), "8 were spent");
        assert_eq!(ask(Priority::Low, 10), Ok(2));
        assert_eq!(ask(Priority::Low, 11), Ok(4));
        assert_eq!(ask(Priority::Low, 12), Ok(6));
        assert!(ask(Priority::Low, 13).is_err());
    }
}
