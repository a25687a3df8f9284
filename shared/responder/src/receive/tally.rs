//! Counts what is refused. An attacker can send as much as he likes, so only one line a minute reaches the ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Counters since the process started, and what of them has been told.
#[derive(Debug, Default)]
pub struct Tally {
    forged: Count,
    oversized: Count,
    unparsable: AtomicU64,
}

#[derive(Debug, Default)]
struct Count {
    total: AtomicU64,
    told: Mutex<Option<(Timestamp, u64)>>,
}

impl Count {
    const EVERY: SignedDuration = SignedDuration::from_mins(1);

    /// Counts, and returns how many there were since somebody was last told, if that was long ago.
    fn add(&self, times: u64, now: Timestamp) -> Option<u64> {
        let total = self.total.fetch_add(times, Ordering::Relaxed).saturating_add(times);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match *told {
            Some((at, _)) if now.duration_since(at) < Self::EVERY => return None,
            Some((_, before)) => before,
            None => 0,
        };
        *told = Some((now, total));
        Some(total.saturating_sub(before))
    }
}

impl Tally {
    pub(super) fn forged(&self, times: u64, now: Timestamp) -> Option<u64> {
        self.forged.add(times, now)
    }

    pub(super) fn oversized(&self, now: Timestamp) -> Option<u64> {
        self.oversized.add(1, now)
    }

    pub(super) fn unparsable(&self) {
        self.unparsable.fetch_add(1, Ordering::Relaxed);
    }

    /// Items whose clientState is not ours, POSTs above the limit, POSTs that are no notifications.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        (
            self.forged.total.load(Ordering::Relaxed),
            self.oversized.total.load(Ordering::Relaxed),
            self.unparsable.load(Ordering::Relaxed),
        )
    }
}
