//! Time in a story: it stands still until the story, or `settle`, moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use model::Clock;

/// The right time, which is the tenant's, and by how much ours is wrong. All in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct StoryClock {
    /// Since 1970.
    right: Arc<AtomicI64>,
    wrong: Arc<AtomicI64>,
    astray: Arc<AtomicI64>,
}

impl StoryClock {
    #[must_use]
    pub fn at(moment: &str) -> Self {
        let moment: Timestamp = moment.parse().unwrap();
        let clock = Self::default();
        clock.right.store(moment.as_millisecond(), Ordering::SeqCst);
        clock
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.right.load(Ordering::SeqCst)).unwrap()
    }

    /// Somebody sets our machine's clock: it is wrong by so much from now on, and the steady one goes on.
    pub fn set_wrong_by(&self, ahead: SignedDuration) {
        self.wrong.store(milliseconds(ahead), Ordering::SeqCst);
    }

    /// Both clocks of our machine are wrong by so much from now on, and nothing but Graph can tell.
    pub fn goes_astray(&self, ahead: SignedDuration) {
        self.astray.store(milliseconds(ahead), Ordering::SeqCst);
    }

    /// What a process starts with.
    #[must_use]
    pub fn of_guestlist(&self) -> Clock {
        let (wall, steady) = (self.clone(), self.clone());
        Clock::of(
            move || wall.off_by(&[&wall.astray, &wall.wrong]),
            move || steady.off_by(&[&steady.astray]).duration_since(Timestamp::UNIX_EPOCH),
        )
    }

    fn off_by(&self, all: &[&AtomicI64]) -> Timestamp {
        let off = all.iter().map(|one| one.load(Ordering::SeqCst)).sum();
        self.now().checked_add(SignedDuration::from_millis(off)).unwrap()
    }

    pub fn advance(&self, by: SignedDuration) {
        self.right.fetch_add(milliseconds(by), Ordering::SeqCst);
    }

    pub fn advance_to(&self, moment: Timestamp) {
        // Rounded up, so that what is due at that moment is due.
        let milliseconds = moment.as_millisecond() + i64::from(moment.subsec_nanosecond() % 1_000_000 != 0);
        self.right.fetch_max(milliseconds, Ordering::SeqCst);
    }
}

fn milliseconds(span: SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

/// Where chance begins in stories that play it: the first few, or those of `GUESTLIST_STORIES_SEEDS=100..200`.
#[must_use]
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let Ok(told) = std::env::var("GUESTLIST_STORIES_SEEDS") else { return 0..usual };
    let (from, to) = told.split_once("..").expect("two numbers and `..` between");
    from.parse().unwrap()..to.parse().unwrap()
}
