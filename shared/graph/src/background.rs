//! Calls that nobody waits for: going over a whole tenant. Graph is asked to turn them away before any other
//! (<https://learn.microsoft.com/graph/throttling-limits>), and while it wants to be left alone none of them is sent.
//!
//! Never here: which call is one, and who comes back when.

use std::sync::{Mutex, PoisonError};

use http::HeaderName;
use jiff::{SignedDuration, Timestamp};

use crate::client::Client;
use crate::error::{Failure, GraphError, Trace};
use crate::read::Reader;

pub(crate) const PRIORITY_NAME: &str = "x-ms-throttle-priority";
pub(crate) const PRIORITY: HeaderName = HeaderName::from_static(PRIORITY_NAME);
pub(crate) const LOW: &str = "low";

/// Whether somebody waits for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    Live,
    Background,
}

/// For how long Graph has asked this app to wait, whichever call it answered so.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<Option<Asked>>);

#[derive(Debug, Clone, Copy)]
struct Asked {
    until: Timestamp,
    wait: SignedDuration,
}

impl Rest {
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Asked { until, wait } = (*asked)?;
        let left = until.duration_since(now);
        if left > wait {
            // The clock was set back since: it is waited for anew, and not for as long as it was set back.
            *asked = now.checked_add(wait).ok().map(|until| Asked { until, wait });
            return Some(wait);
        }
        Some(left).filter(|left| left.is_positive())
    }

    fn last(&self, wait: SignedDuration, now: Timestamp) {
        let left = self.left(now);
        let longer = left.is_none_or(|left| wait > left);
        if let Some(until) = now.checked_add(wait).ok().filter(|_| longer) {
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *asked = Some(Asked { until, wait });
        }
    }
}

impl Reader {
    /// The same for reads that can wait. Each carries `x-ms-throttle-priority: low`; none waits in line for Graph, and
    /// after Graph has asked this app to wait, none is sent before that time: the error carries what is left of it.
    /// Other reads go on.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self(self.0.in_background())
    }
}

impl Client {
    /// # Errors
    /// It can wait, and Graph has asked for that.
    pub(crate) fn may_ask(&self) -> Result<(), GraphError> {
        let left = match self.urgency() {
            Urgency::Live => None,
            Urgency::Background => self.told_to_rest().left(self.clock().now()),
        };
        left.map_or(Ok(()), |left| {
            Err(GraphError::Throttled { retry_after: Some(left), trace: Trace::default() })
        })
    }

    pub(crate) fn heed(&self, failure: &Failure) {
        if let Some(wait) = failure.retry_after() {
            self.told_to_rest().last(wait, self.clock().now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_rests_for_as_long_as_the_clock_was_set_back() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let span = SignedDuration::from_secs;
        let rest = Rest::default();
        assert_eq!(rest.left(at(0)), None);
        rest.last(span(30), at(0));
        rest.last(span(5), at(1));
        assert_eq!(rest.left(at(10)), Some(span(20)), "the longer of the two");
        assert_eq!(rest.left(at(-86_400)), Some(span(30)));
        assert_eq!(rest.left(at(-86_390)), Some(span(20)));
        assert_eq!(rest.left(at(-86_370)), None);
    }
}
