//! Time in a story: it stands still until the story, or `settle`, moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Milliseconds since 1970, shared by Guestlist and the tenant.
#[derive(Debug, Clone)]
pub struct StoryClock(Arc<AtomicI64>);

impl StoryClock {
    #[must_use]
    pub fn at(moment: &str) -> Self {
        let moment: Timestamp = moment.parse().unwrap();
        Self(Arc::new(AtomicI64::new(moment.as_millisecond())))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn advance_to(&self, moment: Timestamp) {
        // Rounded up, so that what is due at that moment is due.
        let milliseconds = moment.as_millisecond() + i64::from(moment.subsec_nanosecond() % 1_000_000 != 0);
        self.0.fetch_max(milliseconds, Ordering::SeqCst);
    }
}

/// Where chance begins in stories that play it: the first few, or those of `GUESTLIST_STORIES_SEEDS=100..200`.
#[must_use]
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let Ok(told) = std::env::var("GUESTLIST_STORIES_SEEDS") else { return 0..usual };
    let (from, to) = told.split_once("..").expect("two numbers and `..` between");
    from.parse().unwrap()..to.parse().unwrap()
}
