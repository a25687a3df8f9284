//! The handle through which everything below `host` learns what time it is. Microsoft's clock counts: where the machine's is
//! wrong, it is put right by what Graph's answers last said.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. `host` makes one of the real clocks, a story one that it moves by hand. Clones share what was heard.
#[derive(Clone)]
pub struct Clock {
    /// What the machine calls the time. Anybody may set it.
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Goes on evenly, from wherever. It may stand still while the machine sleeps.
    steady: Arc<dyn Fn() -> SignedDuration + Send + Sync>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    base: Option<Base>,
    heard: Option<Heard>,
    /// By the steady clock: since when the two differ by more than they did.
    parted: Option<SignedDuration>,
}

/// A moment that is believed.
#[derive(Clone, Copy)]
struct Base {
    at: Timestamp,
    steady: SignedDuration,
    /// By how much the machine's clock was ahead of it, and is since.
    ahead: SignedDuration,
}

/// What another clock said.
#[derive(Clone, Copy)]
struct Heard {
    steady: SignedDuration,
    /// By how much the machine's was ahead.
    ahead: SignedDuration,
}

/// When Microsoft's clock was asked, by both of ours.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    wall: Timestamp,
    steady: SignedDuration,
}

impl Clock {
    /// A clock is wrong that differs by more than an answer takes on its way, and more than anything that we decide by
    /// moments of two clocks allows for.
    const WRONG: SignedDuration = SignedDuration::from_mins(4);
    /// What was heard longer ago says little: the clock may have been set since, or the process may have stood still.
    const LASTS: SignedDuration = SignedDuration::from_mins(1);
    /// Where the two clocks part and nobody says which is right, the machine's is believed after so long.
    const DOUBTED_FOR: SignedDuration = SignedDuration::from_mins(10);

    /// Of one clock, which is believed whatever it says until Graph has said something else.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let tell = Arc::new(tell);
        let steady = Arc::clone(&tell);
        Self::of(move || tell(), move || steady().duration_since(Timestamp::UNIX_EPOCH))
    }

    /// Of the machine's clock, and of one that nobody sets.
    pub fn of(
        wall: impl Fn() -> Timestamp + Send + Sync + 'static,
        steady: impl Fn() -> SignedDuration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), steady: Arc::new(steady), kept: Arc::default() }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.read(&mut self.kept())
    }

    /// To be kept while Microsoft's clock is asked.
    #[must_use]
    pub fn asks(&self) -> Asked {
        Asked { wall: (self.wall)(), steady: (self.steady)() }
    }

    /// Microsoft's clock says this at this moment; unless the answer has lain here for minutes, because the machine slept, or the
    /// clock was set since it was asked for.
    pub fn hear_answer(&self, there: Timestamp, asked: Asked) {
        let slept = is_far((self.wall)().duration_since(asked.wall));
        if !slept && !is_far((self.steady)().saturating_sub(asked.steady)) {
            self.hear(there);
        }
    }

    /// Microsoft's clock says this at this moment.
    pub fn hear(&self, there: Timestamp) {
        let mut kept = self.kept();
        let now = self.read(&mut kept);
        let (wall, steady) = ((self.wall)(), (self.steady)());
        let ahead = wall.duration_since(there);
        kept.heard = Some(Heard { steady, ahead });
        kept.parted = None;
        // An answer tells the second, and is a while on its way: what is near goes on as it is.
        let at = match (is_far(ahead), is_far(now.duration_since(there))) {
            (false, _) => wall,
            (true, false) => now,
            (true, true) => there,
        };
        kept.base = Some(Base { at, steady, ahead: wall.duration_since(at) });
    }

    /// By how much the machine's clock was ahead (or, below nothing, behind) when Microsoft's was last heard of, if that is
    /// minutes. [`Clock::now`] is right all the same.
    #[must_use]
    pub fn wrong_by(&self) -> Option<SignedDuration> {
        self.kept().heard.map(|heard| heard.ahead).filter(|ahead| is_far(*ahead))
    }

    /// Microsoft's was heard of a moment ago, and nothing has happened to ours since.
    #[must_use]
    pub fn was_compared(&self) -> bool {
        let mut kept = self.kept();
        self.read(&mut kept);
        let lasts = |heard: Heard| (self.steady)().saturating_sub(heard.steady).abs() < Self::LASTS;
        kept.parted.is_none() && kept.heard.is_some_and(lasts)
    }

    /// The machine's clock was set, or it slept, and Graph has not said the time since.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        let mut kept = self.kept();
        self.read(&mut kept);
        kept.parted.is_some()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, kept: &mut Kept) -> Timestamp {
        let (wall, steady) = ((self.wall)(), (self.steady)());
        let as_told = Base { at: wall, steady, ahead: SignedDuration::ZERO };
        let Base { at, steady: then, ahead } = *kept.base.get_or_insert(as_told);
        let now = at.checked_add(steady.saturating_sub(then)).unwrap_or(at);
        if is_far(wall.duration_since(now).saturating_sub(ahead)) {
            let since = *kept.parted.get_or_insert(steady);
            if steady.saturating_sub(since) < Self::DOUBTED_FOR {
                return now;
            }
            // What was heard was heard of another clock than this has become.
            kept.heard = None;
        } else if ahead != SignedDuration::ZERO {
            kept.parted = None;
            return now;
        }
        (kept.base, kept.parted) = (Some(as_told), None);
        wall
    }
}

fn is_far(difference: SignedDuration) -> bool {
    difference.abs() > Clock::WRONG
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

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    /// The machine's clock and the steady one, in minutes.
    #[derive(Clone, Default)]
    struct Hands(Arc<(AtomicI64, AtomicI64)>);

    impl Hands {
        fn pass(&self, minutes: i64) {
            self.set(minutes);
            self.0.1.fetch_add(minutes, Ordering::SeqCst);
        }

        fn set(&self, by: i64) {
            self.0.0.fetch_add(by, Ordering::SeqCst);
        }

        fn clock(&self) -> Clock {
            let (wall, steady) = (self.clone(), self.clone());
            Clock::of(
                move || at(wall.0.0.load(Ordering::SeqCst)),
                move || SignedDuration::from_mins(steady.0.1.load(Ordering::SeqCst)),
            )
        }
    }

    #[test]
    fn a_clock_that_is_off_by_minutes_is_put_right_by_what_was_heard() {
        let hands = Hands::default();
        let clock = hands.clock();
        assert!(!clock.was_compared() && clock.wrong_by().is_none(), "nobody has said anything");
        clock.hear(at(4));
        assert!(clock.was_compared() && clock.wrong_by().is_none());
        assert_eq!(clock.now(), at(0), "minutes are no trouble");
        clock.clone().hear(at(5));
        assert_eq!((clock.wrong_by(), clock.now()), (Some(SignedDuration::from_mins(-5)), at(5)));
        hands.pass(30);
        assert_eq!(clock.now(), at(35), "it goes on");
        assert!(!clock.was_compared(), "that was half an hour ago");
        clock.hear(at(36));
        assert_eq!(clock.now(), at(35), "what is near goes on as it is");
        hands.set(5);
        clock.hear(at(35));
        assert_eq!((clock.wrong_by(), clock.now()), (None, at(35)), "it was set right");
    }

    #[test]
    fn a_clock_that_is_set_changes_nothing_until_graph_has_said_the_time() {
        let hands = Hands::default();
        let clock = hands.clock();
        clock.hear(at(0));
        hands.set(60 * 24 * 8);
        assert_eq!(clock.now(), at(0));
        assert!(!clock.was_compared() && clock.is_doubted(), "something happened to it");
        hands.pass(9);
        assert_eq!(clock.now(), at(9));
        clock.hear(at(9));
        assert!(clock.was_compared());
        assert_eq!((clock.now(), clock.wrong_by()), (at(9), Some(SignedDuration::from_hours(24 * 8))));
        // And set right again.
        hands.set(-60 * 24 * 8);
        hands.pass(1);
        assert_eq!(clock.now(), at(10));
        clock.hear(at(10));
        assert_eq!((clock.now(), clock.wrong_by()), (at(10), None));
    }

    #[test]
    fn without_graph_the_machines_clock_is_believed_after_ten_minutes() {
        let hands = Hands::default();
        let clock = hands.clock();
        assert_eq!(clock.now(), at(0));
        // It slept for an hour.
        hands.set(60);
        assert_eq!(clock.now(), at(0));
        hands.pass(9);
        assert_eq!(clock.now(), at(9));
        hands.pass(1);
        assert_eq!(clock.now(), at(70));
        hands.set(3);
        assert_eq!(clock.now(), at(73), "what is minutes is followed at once");
    }

    #[test]
    fn a_sleep_is_over_when_graph_has_said_the_time() {
        let hands = Hands::default();
        let clock = hands.clock();
        clock.hear(at(0));
        hands.set(60);
        assert!(!clock.was_compared(), "an hour ago, which the steady clock has not counted");
        clock.hear(at(60));
        assert_eq!((clock.now(), clock.wrong_by()), (at(60), None));
    }

    #[test]
    fn what_was_heard_of_a_clock_that_was_set_since_and_is_believed_says_nothing_of_it() {
        let hands = Hands::default();
        let clock = hands.clock();
        clock.hear(at(-60 * 24 * 8));
        assert_eq!(clock.wrong_by(), Some(SignedDuration::from_hours(24 * 8)));
        // Somebody has set it right, and Graph does not answer.
        hands.set(-60 * 24 * 8);
        let right = clock.now();
        hands.pass(9);
        assert_eq!(clock.now(), right + SignedDuration::from_mins(9));
        assert!(clock.wrong_by().is_some(), "nobody knows yet which is right");
        hands.pass(1);
        assert_eq!((clock.now(), clock.wrong_by()), (right + SignedDuration::from_mins(10), None));
        assert!(!clock.was_compared());
    }

    #[test]
    fn an_answer_that_lay_here_while_the_machine_slept_sets_no_clock() {
        for counts_sleep in [true, false] {
            let hands = Hands::default();
            let clock = hands.clock();
            clock.hear(at(0));
            let asked = clock.asks();
            if counts_sleep {
                hands.pass(60)
            } else {
                hands.set(60)
            }
            clock.hear_answer(at(0), asked);
            assert!(!clock.was_compared() && clock.wrong_by().is_none());
            clock.hear_answer(at(60), clock.asks());
            assert_eq!((clock.now(), clock.was_compared()), (at(60), true));
        }
    }

    #[test]
    fn of_one_clock_whatever_it_says_is_believed_until_graph_speaks() {
        let hands = Hands::default();
        let ours = hands.clone();
        let clock = Clock::new(move || at(ours.0.0.load(Ordering::SeqCst)));
        clock.hear(at(0));
        hands.set(-600);
        assert_eq!(clock.now(), at(-600));
        assert!(!clock.was_compared(), "it was set back since");
        clock.hear(at(-605));
        assert_eq!((clock.wrong_by(), clock.now()), (Some(SignedDuration::from_mins(5)), at(-605)));
    }
}
