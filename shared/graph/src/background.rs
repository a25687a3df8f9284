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

/// Until when Graph has asked this app to wait, whichever call it answered so.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<Option<Timestamp>>);

impl Rest {
    fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|until| until.duration_since(now)).filter(|left| left.is_positive())
    }

    fn last_until(&self, until: Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(Some(until));
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
        let until = failure.retry_after().and_then(|wait| self.clock().now().checked_add(wait).ok());
        if let Some(until) = until {
            self.told_to_rest().last_until(until);
        }
    }
}
