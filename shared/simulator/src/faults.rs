//! Everything that can be made to go wrong. All off by default; random faults are drawn from the simulator's seed.
//! Which call is struck is decided here; how the failure looks on the wire is in `graph::gate`.
use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dates;
use crate::quota::Quota;

/// Chances are between 0 (never) and 1 (always); spans of directory time run by the simulator's clock, waits of a
/// connection in real time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// A read within `lag` of an object's last write answers with the version from before.
    pub stale: Option<Stale>,
    /// An object created less than `lag` ago is not there yet (404, and absent from lists).
    pub fresh: Option<Stale>,
    pub throttle: Option<Throttle>,
    /// What an app may spend; whatever exceeds it is answered 429, requests of low priority before the others.
    pub quota: Option<Quota>,
    pub failures: Option<Failures>,
    /// Answers wait this long (real time).
    pub delay: Option<Delay>,
    /// Chance that a call is never answered.
    pub hang: f64,
    /// Chance that the connection is cut before the call has an effect.
    pub reset: f64,
    /// Chance that the connection is cut after the call had its effect.
    pub lost_answer: f64,
    /// Chance that the token endpoint answers 503.
    pub token_failure: f64,
    pub notifications: NotificationFaults,
    /// Audit rows are not visible before they are this old.
    pub audit_lag: SignedDuration,
    /// By how much the clock that answers say (`Date`) is ahead of the directory's.
    pub clock_ahead: SignedDuration,
    /// Pages never hold more than this, whatever `$top` says.
    pub page_at_most: Option<usize>,
    /// What `next` asked for and what has struck nothing yet.
    #[serde(skip)]
    pub queued: VecDeque<Fault>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    pub lag: SignedDuration,
    #[serde(default = "always")]
    pub chance: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Every nth call; 0 = none.
    pub every: u64,
    pub chance: f64,
    pub retry_after: RetryAfter,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failures {
    pub chance: f64,
    /// One of them is drawn: 500, 502, 503, 504.
    pub statuses: Vec<u16>,
    #[serde(default)]
    pub retry_after: RetryAfter,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    pub by: SignedDuration,
    #[serde(default = "always")]
    pub chance: f64,
}

/// The forms of `Retry-After`: whole seconds, decimals (as in Microsoft's own sample), an HTTP date, or no header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    #[default]
    None,
    Seconds(u64),
    Decimals(f64),
    Date(SignedDuration),
}

/// What happens to notifications on their way.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationFaults {
    pub lost: f64,
    pub doubled: f64,
    /// Chance that what is due leaves in another order.
    pub reordered: f64,
    /// By the simulator's clock.
    pub delayed: Option<Delay>,
    /// A notification waits this long (by the simulator's clock), and what changes in the same object meanwhile joins
    /// it: one notification that names several members in no order, even one member as added and as removed.
    pub coalesced: Option<Delay>,
}

/// One failure of one coming call.
#[derive(Clone, Debug)]
pub struct Fault {
    /// None = any method.
    pub method: Option<String>,
    /// Start of the path below `/v1.0` (`/users`, `/$batch`); `/token` is the token endpoint.
    pub path: String,
    pub failure: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// 429.
    Throttled(RetryAfter),
    /// 500, 502, 503 or 504.
    Status(u16, RetryAfter),
    /// 404, as for an object that is not replicated yet.
    NotFound,
    /// 401, as for a token that was revoked.
    Unauthorized,
    /// The answer waits (real time).
    Delay(Duration),
    Hang,
    /// The connection is cut before the call has an effect; such a call is not recorded, as there was no exchange.
    Reset,
    /// The connection is cut after the call had its effect; the record shows the answer that was meant.
    LostAnswer,
}

/// How `Fault::path` names the token endpoint.
pub(crate) const TOKEN_PATH: &str = "/token";

impl Failure {
    /// Whether it spoils the connection rather than the answer: these strike whole round trips, never one item of a
    /// batch.
    pub(crate) fn is_of_the_wire(self) -> bool {
        match self {
            Self::Throttled(_) | Self::Status(..) | Self::NotFound | Self::Unauthorized => false,
            Self::Delay(_) | Self::Hang | Self::Reset | Self::LostAnswer => true,
        }
    }
}

impl Fault {
    pub fn new(method: &str, path: &str, failure: Failure) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), failure }
    }

    pub fn any(path: &str, failure: Failure) -> Self {
        Self { method: None, path: path.to_owned(), failure }
    }
}

/// Where chance comes from.
#[derive(Debug)]
pub(crate) struct Luck {
    pub(crate) draws: fastrand::Rng,
    /// Calls so far, for what strikes every nth.
    calls: u64,
}

impl Luck {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self { draws: fastrand::Rng::with_seed(seed), calls: 0 }
    }

    pub(crate) fn rolls(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.draws.f64() < chance
    }
}

impl Faults {
    /// Makes exactly the next matching call fail; several are struck in the order in which they were asked for.
    pub fn next(&mut self, fault: Fault) {
        self.queued.push_back(fault);
    }

    /// Takes over every standing fault; what `next` queued stays.
    pub(crate) fn replace_standing(&mut self, with: Self) {
        let queued = std::mem::take(&mut self.queued);
        *self = Self { queued, ..with };
    }

    /// A failure of the token endpoint that was asked for with `next`; what befalls Graph at random spares it.
    pub(crate) fn strike_token(&mut self) -> Option<Failure> {
        let at = self.queued.iter().position(|fault| fault.path == TOKEN_PATH)?;
        self.queued.remove(at).map(|fault| fault.failure)
    }

    /// The failure of this call, if any. With `wire` those of the connection, else those of the answer.
    pub(crate) fn strike(
        &mut self,
        method: &str,
        path: &str,
        wire: bool,
        luck: &mut Luck,
    ) -> Option<Failure> {
        let due = self.queued.iter().position(|fault| {
            fault.failure.is_of_the_wire() == wire
                && path.starts_with(&fault.path)
                && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
        });
        if let Some(fault) = due.and_then(|at| self.queued.remove(at)) {
            return Some(fault.failure);
        }
        let mut rolls = |chance: f64| luck.rolls(chance);
        if wire {
            return match self {
                _ if rolls(self.reset) => Some(Failure::Reset),
                _ if rolls(self.hang) => Some(Failure::Hang),
                _ if rolls(self.lost_answer) => Some(Failure::LostAnswer),
                _ => {
                    self.delay.filter(|delay| rolls(delay.chance)).map(|delay| Failure::Delay(real(delay.by)))
                }
            };
        }
        luck.calls += 1;
        if let Some(throttle) = self.throttle
            && ((throttle.every > 0 && luck.calls.is_multiple_of(throttle.every))
                || luck.rolls(throttle.chance))
        {
            return Some(Failure::Throttled(throttle.retry_after));
        }
        let failures = self.failures.as_ref().filter(|failures| luck.rolls(failures.chance))?;
        let status = failures.statuses.get(luck.draws.usize(..failures.statuses.len().max(1)));
        Some(Failure::Status(status.copied().unwrap_or(503), failures.retry_after))
    }
}

impl RetryAfter {
    pub(crate) fn header(self, now: Timestamp) -> Option<String> {
        match self {
            Self::None => None,
            Self::Seconds(seconds) => Some(seconds.to_string()),
            Self::Decimals(seconds) => Some(format!("{seconds:.3}")),
            Self::Date(ahead) => Some(dates::http_date(now.checked_add(ahead).unwrap_or(now))),
        }
    }
}

fn always() -> f64 {
    1.0
}

fn real(span: SignedDuration) -> Duration {
    span.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queued_fault_strikes_the_next_matching_call_and_no_other() {
        let mut luck = Luck::with_seed(1);
        let mut faults = Faults::default();
        faults.next(Fault::new("PATCH", "/users", Failure::NotFound));
        assert_eq!(faults.strike("GET", "/users/1", false, &mut luck), None);
        assert_eq!(faults.strike("PATCH", "/users/1", true, &mut luck), None);
        assert_eq!(faults.strike("PATCH", "/users/1", false, &mut luck), Some(Failure::NotFound));
        assert_eq!(faults.strike("PATCH", "/users/1", false, &mut luck), None);
    }

    #[test]
    fn every_third_call_is_throttled() {
        let mut luck = Luck::with_seed(1);
        let throttle = Throttle { every: 3, ..Throttle::default() };
        let mut faults = Faults { throttle: Some(throttle), ..Faults::default() };
        let struck: Vec<bool> =
            (0..6).map(|_| faults.strike("GET", "/users", false, &mut luck).is_some()).collect();
        assert_eq!(struck, [false, false, true, false, false, true]);
    }

    #[test]
    fn retry_after_has_four_forms() {
        let now = dates::parse("2026-11-20T05:00:00Z").unwrap();
        let check = |form: RetryAfter, text: Option<&str>| assert_eq!(form.header(now).as_deref(), text);
        check(RetryAfter::None, None);
        check(RetryAfter::Seconds(7), Some("7"));
        check(RetryAfter::Decimals(2.128), Some("2.128"));
        check(RetryAfter::Date(SignedDuration::from_secs(90)), Some("Fri, 20 Nov 2026 05:01:30 GMT"));
    }
}
