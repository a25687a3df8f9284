//! What goes wrong between the process and Graph, drawn from one number, so that an act carries all of it.

use jiff::SignedDuration;
use simulator::{Delay, Failures, Faults, NotificationFaults, RetryAfter, Stale, Throttle};

use super::draws::Draws;
use super::seam::Slowness;

/// Some of everything: each run of bad weather has its own sorts of trouble, and none of the others.
pub(super) fn draw(number: u64, lost: f64) -> (Faults, Slowness) {
    let mut draws = Draws::new(number, "weather");
    let mut faults = Faults::default();
    let share =
        |draws: &mut Draws, most: u64| f64::from(u32::try_from(draws.within(1, most)).unwrap_or(1)) / 100.0;
    let seconds =
        |draws: &mut Draws, most: u64| SignedDuration::from_secs(draws.within(1, most).cast_signed());
    if draws.percent(60) {
        let lag = seconds(&mut draws, 12);
        faults.stale = Some(Stale { lag, chance: if draws.percent(50) { 1.0 } else { 0.4 } });
    }
    if draws.percent(35) {
        faults.fresh = Some(Stale { lag: seconds(&mut draws, 12), chance: share(&mut draws, 90) });
    }
    if draws.percent(25) {
        let retry_after = wait(&mut draws);
        faults.throttle = Some(Throttle { every: 0, chance: share(&mut draws, 30), retry_after });
    }
    if draws.percent(25) {
        let (chance, retry_after) = (share(&mut draws, 25), wait(&mut draws));
        faults.failures = Some(Failures { chance, statuses: vec![500, 502, 503, 504], retry_after });
    }
    if draws.percent(20) {
        faults.hang = share(&mut draws, 8);
    }
    if draws.percent(20) {
        faults.reset = share(&mut draws, 15);
    }
    if draws.percent(25) {
        faults.lost_answer = share(&mut draws, 20);
    }
    if draws.percent(15) {
        faults.token_failure = share(&mut draws, 60);
    }
    if draws.percent(10) {
        faults.page_at_most = Some(2);
    }
    faults.notifications = notifications(&mut draws, lost);
    let slowness = if draws.percent(40) {
        Slowness { percent: draws.within(5, 50), up_to_ms: draws.of(&[300, 2_000, 15_000]) }
    } else {
        Slowness::default()
    };
    if draws.percent(50) {
        faults.audit_lag = SignedDuration::from_mins(draws.of(&[1, 5, 30]));
    }
    (faults, slowness)
}

fn wait(draws: &mut Draws) -> RetryAfter {
    match draws.below(5) {
        0 => RetryAfter::None,
        1 => RetryAfter::Decimals(0.05),
        2 => RetryAfter::Date(SignedDuration::from_secs(20)),
        _ => RetryAfter::Seconds(draws.within(0, 40)),
    }
}

fn notifications(draws: &mut Draws, lost: f64) -> NotificationFaults {
    let mut faults = NotificationFaults { lost, ..NotificationFaults::default() };
    if draws.percent(50) {
        faults.doubled = 0.4;
    }
    if draws.percent(50) {
        faults.reordered = 1.0;
    }
    if draws.percent(40) {
        let by = SignedDuration::from_secs(draws.of(&[5, 40, 400]));
        faults.delayed = Some(Delay { by, chance: 0.4 });
    }
    if draws.percent(40) {
        faults.coalesced = Some(Delay { by: SignedDuration::from_secs(3), chance: 0.5 });
    }
    faults
}
