//! The handle through which everything below `host` learns what time it is, and how far that is from Microsoft's.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. `host` makes one of the real clock, a story one that it moves by hand. Clones share what was heard.
#[derive(Clone)]
pub struct Clock {
    tell: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    heard: Arc<Mutex<Option<Heard>>>,
}

/// What another clock said.
#[derive(Clone, Copy)]
struct Heard {
    /// By ours.
    at: Timestamp,
    /// By how much ours was ahead.
    ahead: SignedDuration,
}

impl Clock {
    /// A clock is wrong that differs by more than an answer takes on its way, and more than anything that we decide by
    /// moments of two clocks allows for.
    const WRONG: SignedDuration = SignedDuration::from_mins(4);
    /// What was heard longer ago says little: the clock may have been set since.
    const LASTS: SignedDuration = SignedDuration::from_mins(1);

    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { tell: Arc::new(tell), heard: Arc::default() }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.tell)()
    }

    /// Microsoft's clock says this at this moment.
    pub fn hear(&self, there: Timestamp) {
        let at = self.now();
        let heard = Heard { at, ahead: at.duration_since(there) };
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
    }

    /// By how much it was ahead (or, below nothing, behind) when Microsoft's was last heard of, if that is minutes.
    #[must_use]
    pub fn wrong_by(&self) -> Option<SignedDuration> {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|heard| heard.ahead).filter(|ahead| ahead.abs() > Self::WRONG)
    }

    /// Microsoft's was heard of a moment ago, and it has not been set since by more than that.
    #[must_use]
    pub fn was_compared(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|heard| self.now().duration_since(heard.at).abs() < Self::LASTS)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn a_clock_is_wrong_by_minutes_and_what_was_heard_lasts_until_it_is_set() {
        let minute = Arc::new(AtomicI64::new(0));
        let ours = Arc::clone(&minute);
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap();
        let clock = Clock::new(move || at(ours.load(Ordering::SeqCst)));
        assert!(!clock.was_compared() && clock.wrong_by().is_none(), "nobody has said anything");
        clock.hear(at(4));
        assert!(clock.was_compared() && clock.wrong_by().is_none());
        clock.clone().hear(at(5));
        assert_eq!(clock.wrong_by(), Some(SignedDuration::from_mins(-5)));
        minute.store(-600, Ordering::SeqCst);
        assert!(!clock.was_compared(), "it was set back since");
        clock.hear(at(-605));
        assert_eq!(clock.wrong_by(), Some(SignedDuration::from_mins(5)));
    }
}
