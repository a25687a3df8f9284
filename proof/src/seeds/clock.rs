//! Time in a seeded run: the runtime's own, which stands still until nobody has anything to do, and jumps on top of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::Clock;
use tokio::time::Instant;

/// Shared by Guestlist and the tenant, whose clock is right.
#[derive(Debug, Clone)]
pub struct Virtual {
    began: Instant,
    start: Timestamp,
    /// Milliseconds by which the clock was put forward.
    ahead: Arc<AtomicI64>,
    /// Milliseconds by which our machine's clock is wrong.
    skew: Arc<AtomicI64>,
}

impl Virtual {
    /// To be called on the runtime whose time it tells.
    pub(super) fn begin() -> anyhow::Result<Self> {
        let start = "2026-11-20T09:00:00Z".parse()?;
        Ok(Self { began: Instant::now(), start, ahead: Arc::default(), skew: Arc::default() })
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        let gone = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::SeqCst));
        self.start.saturating_add(gone).and_then(|now| now.saturating_add(ahead)).unwrap_or(Timestamp::MAX)
    }

    /// What a process meets whose machine slept.
    pub(super) fn jump(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_millis()).unwrap_or_default();
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }

    /// What a process starts with: our machine's clock, and one that goes on evenly.
    #[must_use]
    pub fn of_guestlist(&self) -> Clock {
        let (wall, steady) = (self.clone(), self.clone());
        Clock::of(move || wall.ours(), move || steady.now().duration_since(Timestamp::UNIX_EPOCH))
    }

    /// What our machine takes to be the time.
    pub(super) fn ours(&self) -> Timestamp {
        let skew = SignedDuration::from_millis(self.skew.load(Ordering::SeqCst));
        self.now().saturating_add(skew).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn skew(&self, by: SignedDuration) {
        self.skew.store(i64::try_from(by.as_millis()).unwrap_or_default(), Ordering::SeqCst);
    }

    /// Until that moment at least, and never nothing.
    pub(super) fn until(&self, moment: Timestamp) -> Duration {
        wait(moment, self.now())
    }
}

/// Until that moment at least, and never nothing.
pub(super) fn wait(moment: Timestamp, now: Timestamp) -> Duration {
    let wait = Duration::try_from(moment.duration_since(now)).unwrap_or_default();
    wait.saturating_add(Duration::from_millis(1))
}
