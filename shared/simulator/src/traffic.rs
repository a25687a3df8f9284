//! What came in: counters, a log of calls, the writes that apps made, and how old what they read was. Nothing here is ever
//! sent to a client.
use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

/// Calls since the start or the last reset.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// HTTP requests to `/v1.0`; a `$batch` is one.
    pub round_trips: u64,
    /// Graph requests; those inside a `$batch` are counted singly, the batch itself is not.
    pub requests: u64,
    /// By Microsoft's cost table; refused calls cost as well.
    pub resource_units: u64,
    /// Requests other than GET (and other than reading POSTs).
    pub writes: u64,
    pub token_requests: u64,
    /// Notifications that a receiver took with a 2xx.
    pub notifications_taken: u64,
    /// Notifications given up after four hours of retries.
    pub notifications_given_up: u64,
    /// Answers 429, whatever made them so.
    pub throttled: u64,
    /// The most that one app has spent within the span of the quota, if there is one.
    pub most_spent: u64,
    /// Requests that were understood, by method and route (`GET`, `users/{}`).
    pub kinds: BTreeMap<(&'static str, &'static str), Kind>,
    /// The last calls, oldest first; at most 10,000.
    pub log: VecDeque<Logged>,
}

/// Requests of one kind, refused ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    pub requests: u64,
    pub resource_units: u64,
    /// Those that said `x-ms-throttle-priority: low`.
    pub of_low_priority: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub method: String,
    /// Below `/v1.0`, without the query.
    pub path: String,
    pub status: u16,
    pub in_batch: bool,
}

/// A call that changes something, whatever became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub method: String,
    /// Below `/v1.0`.
    pub path: String,
    /// The client id of the app.
    pub app: Uuid,
    pub body: Option<Value>,
    pub status: u16,
    /// When it was carried out or refused, by the tenant's clock.
    pub at: Timestamp,
}

impl Write {
    /// Whether it is about a subscription rather than about an object of the tenant.
    pub fn is_about_subscriptions(&self) -> bool {
        self.path.starts_with("/subscriptions")
    }
}

/// A GET that was answered, by a replica that may lag. Whether the answer arrived is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Below `/v1.0`.
    pub path: String,
    /// As it came.
    pub query: String,
    /// The client id of the app.
    pub app: Uuid,
    /// 200, or 404 where the replica knows no such object.
    pub status: u16,
    /// By the tenant's clock.
    pub at: Timestamp,
    /// The replica had seen every change up to then: `at`, unless it lagged. Of an object that was created after that it shows
    /// the first version.
    pub shows: Timestamp,
}

/// Calls, writes and reads that are remembered.
pub(crate) const KEPT_AT_MOST: usize = 10_000;

impl Traffic {
    pub(crate) fn log(&mut self, call: Logged) {
        self.requests += 1;
        self.throttled += u64::from(call.status == 429);
        if self.log.len() == KEPT_AT_MOST {
            self.log.pop_front();
        }
        self.log.push_back(call);
    }
}
