//! The versions of an object, so that a lagging replica can answer with what was true a moment ago.
//! Which version a request sees is decided in `view`; nothing here knows why somebody asks.
use jiff::{SignedDuration, Timestamp};

/// Versions older than this are dropped, but for the newest of them.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(1);
const KEPT_AT_MOST: usize = 64;

#[derive(Debug)]
pub(crate) struct Record<T> {
    /// The order of creation: lists are answered in it.
    pub(crate) ordinal: u64,
    pub(crate) created_at: Timestamp,
    /// The sequence number of the last change.
    pub(crate) changed: u64,
    pub(crate) purged_at: Option<Timestamp>,
    first: Version<T>,
    later: Vec<Version<T>>,
}

#[derive(Debug)]
struct Version<T> {
    at: Timestamp,
    value: T,
}

impl<T> Record<T> {
    pub(crate) fn new(value: T, ordinal: u64, changed: u64, at: Timestamp) -> Self {
        let first = Version { at, value };
        Self { ordinal, created_at: at, changed, purged_at: None, first, later: Vec::new() }
    }

    pub(crate) fn truth(&self) -> &T {
        &self.later.last().unwrap_or(&self.first).value
    }

    /// The newest version that a replica which saw nothing after `until` knows; the oldest one if it knows none.
    pub(crate) fn seen(&self, until: Option<Timestamp>) -> &T {
        let Some(until) = until else { return self.truth() };
        let known = self.later.iter().rev().find(|version| version.at <= until);
        &known.unwrap_or(&self.first).value
    }

    pub(crate) fn is_purged(&self, until: Option<Timestamp>) -> bool {
        match (self.purged_at, until) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(at), Some(until)) => at <= until,
        }
    }

    pub(crate) fn write(&mut self, value: T, changed: u64, at: Timestamp) {
        self.changed = changed;
        self.later.push(Version { at, value });
        let horizon = at.checked_sub(KEPT_FOR).unwrap_or(at);
        while self.later.len() > KEPT_AT_MOST || self.later.first().is_some_and(|next| next.at < horizon) {
            if self.later.len() < 2 {
                break;
            }
            self.first = self.later.remove(0);
        }
    }
}
