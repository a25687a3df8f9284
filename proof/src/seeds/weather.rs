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
    if draws.percent(60) {
        faults.stale = Some(stale(&mut draws));
    }
    if draws.percent(35) {
        faults.fresh = Some(stale(&mut draws));
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

/// Most replicas lag by seconds, some by minutes: across each of the spans after which somebody believes what he reads. Where
/// one lags by minutes, others do not, and a fresh answer may be followed by an old one.
fn stale(draws: &mut Draws) -> Stale {
    const MINUTES: [u64; 6] = [90, 230, 270, 420, 600, 840];
    let in_minutes = draws.percent(40);
    let lag = if in_minutes { draws.of(&MINUTES) } else { draws.within(1, 12) };
    let chance = match (in_minutes, draws.below(3)) {
        (false, 0) => 1.0,
        (true, 0) => 0.9,
        (_, 1) => 0.5,
        (_, _) => 0.2,
    };
    Stale { lag: SignedDuration::from_secs(lag.cast_signed()), chance }
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
