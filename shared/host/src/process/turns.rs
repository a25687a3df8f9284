//! What a process does again and again until it is to stop: works on a queue, and looks at what time alone makes due.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::{Clock, Watched};
use responder::{
    CanaryKeeper, Census, Meter, Open, Reconciler, Steward, SubscriptionKeeper, Trouble, Worker,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument as _, Span};

use crate::server::stopped;
use crate::{Assembly, PolicyFile, Store};

/// Jobs of one queue side by side: enough for every channel's messages.
pub(crate) const SIDE_BY_SIDE: usize = 2 * Open::AT_ONCE;
/// Other processes may have put something into a queue; nobody tells us.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
const POLICY_EVERY: Duration = Duration::from_secs(2);
/// Whatever else asks Graph makes this needless.
const TIME_EVERY: Duration = Duration::from_mins(1);
const STEWARD_EVERY: Duration = Duration::from_secs(15);
pub(crate) const SUBSCRIPTIONS_EVERY: Duration = Duration::from_mins(3);
/// It counts anew only after hours; this is how soon it tries again.
const CENSUS_EVERY: Duration = Duration::from_mins(5);
/// One page or a few at a time: what is due stands in the ledger.
const RECONCILE_EVERY: Duration = Duration::from_secs(15);
/// It is changed every hour; this is how soon it is missed.
const CANARY_EVERY: Duration = Duration::from_secs(15);
pub(crate) const METER_EVERY: Duration = Duration::from_secs(15);
const SUBSCRIPTIONS_AGAIN: Duration = Duration::from_secs(20);

/// Waits, unless the process is to stop.
async fn pause(wait: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        () = stopped(stop) => false,
    }
}

/// A turn at once, and then one after each pause, until the process is to stop.
struct Turns {
    every: Duration,
    stop: watch::Receiver<bool>,
    begun: bool,
}

impl Turns {
    fn every(every: Duration, stop: watch::Receiver<bool>) -> Self {
        Self { every, stop, begun: false }
    }

    async fn next(&mut self) -> bool {
        if std::mem::replace(&mut self.begun, true) {
            pause(self.every, &mut self.stop).await
        } else {
            !*self.stop.borrow()
        }
    }
}

/// What one turn asks of Graph and sends belongs together.
fn turn(of: &'static str) -> Span {
    tracing::debug_span!(target: trace::TARGET, parent: None, "turn", otel.name = of)
}

pub(super) async fn work(worker: Worker, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    while !*stop.borrow() {
        while let Some(ended) = running.try_join_next() {
            worker.note(ended);
        }
        let places = SIDE_BY_SIDE.saturating_sub(running.len());
        let wait = match worker.start_due(&mut running, places).await {
            // There may be more that is due.
            Ok(started) if started > 0 => continue,
            Ok(_) if places == 0 => LOOKS_EVERY,
            Ok(_) => until_due(worker.next_due().await.ok().flatten(), worker.clock.now()),
            Err(trouble) => {
                tracing::error!(worker = worker.name, "failed to take jobs: {trouble}");
                Duration::from_secs(1)
            }
        };
        // A job that takes long keeps its place, and none of the others'.
        tokio::select! {
            () = worker.queue.woken(), if places > 0 => {}
            Some(ended) = running.join_next() => worker.note(ended),
            goes_on = pause(wait, &mut stop) => if !goes_on { break },
        }
    }
    while let Some(ended) = running.join_next().await {
        worker.note(ended);
    }
}

/// Until the next job is due, but never longer than other processes may go unheard.
fn until_due(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let until = due.map(|due| due.duration_since(now));
    let until = until.and_then(|until| Duration::try_from(until).ok());
    until.unwrap_or(LOOKS_EVERY).clamp(Duration::from_millis(1), LOOKS_EVERY)
}

pub(super) async fn keep_time(assembly: Arc<Assembly>, stop: watch::Receiver<bool>) {
    let mut turns = Turns::every(TIME_EVERY, stop);
    while turns.next().await {
        assembly.ask_the_time().await;
    }
}

pub(super) async fn wake(steward: Steward, stop: watch::Receiver<bool>) {
    let mut turns = Turns::every(STEWARD_EVERY, stop);
    while turns.next().await {
        if let Err(trouble) = steward.wake_what_is_due().instrument(turn("wake")).await {
            tracing::error!("failed to wake what is due: {trouble}");
        }
    }
}

pub(super) async fn count(census: Census, stop: watch::Receiver<bool>) {
    let mut turns = Turns::every(CENSUS_EVERY, stop);
    while turns.next().await {
        if let Err(trouble) = census.look().instrument(turn("census")).await {
            tracing::warn!("failed to count the guests: {trouble}");
        }
    }
}

pub(super) async fn reconcile(reconciler: Reconciler, stop: watch::Receiver<bool>) {
    let mut turns = Turns::every(RECONCILE_EVERY, stop);
    while turns.next().await {
        if let Err(trouble) = reconciler.look().instrument(turn("reconcile")).await {
            tracing::warn!("failed to reconcile: {trouble}");
        }
    }
}

pub(super) async fn fly(canary: CanaryKeeper, stop: watch::Receiver<bool>) {
    let mut turns = Turns::every(CANARY_EVERY, stop);
    while turns.next().await {
        if let Err(trouble) = canary.look().instrument(turn("canary")).await {
            tracing::warn!("failed to look after the canary: {trouble}");
        }
    }
}

/// Statistics of the last seconds are lost with a process that is killed, and nothing else is.
pub(super) async fn write_down(meter: Meter, store: Store, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut goes_on = true;
    while goes_on {
        goes_on = pause(METER_EVERY, &mut stop).await;
        note_measured(&meter, &store, clock.now()).await;
    }
}

pub(crate) async fn note_measured(meter: &Meter, store: &Store, now: Timestamp) {
    if let Err(trouble) = meter.write_down(&store.ledger, now).await {
        tracing::warn!("failed to write down what was measured: {trouble}");
    }
}

pub(super) async fn keep(keeper: SubscriptionKeeper, mut stop: watch::Receiver<bool>) {
    loop {
        let (wait, left_alone) = match look(&keeper).instrument(turn("subscriptions")).await {
            Ok((true, left_alone)) => (SUBSCRIPTIONS_EVERY, left_alone),
            // The receiver may be starting beside us.
            Ok((false, left_alone)) => (SUBSCRIPTIONS_AGAIN, left_alone),
            Err(trouble) => {
                tracing::error!("failed to look at the subscriptions: {trouble}");
                (SUBSCRIPTIONS_AGAIN, trouble.retry_after)
            }
        };
        let wait = wait.max(left_alone.and_then(|left| left.try_into().ok()).unwrap_or_default());
        if !pause(wait, &mut stop).await {
            break;
        }
    }
}

/// Whether everything is watched now, and for how long Graph wants to be left alone.
async fn look(keeper: &SubscriptionKeeper) -> Result<(bool, Option<SignedDuration>), Trouble> {
    let left_alone = keeper.look().await?;
    Ok((is_everything_watched(keeper).await?, left_alone))
}

pub(crate) async fn is_everything_watched(keeper: &SubscriptionKeeper) -> Result<bool, Trouble> {
    let records = keeper.ledger.subscriptions().await?;
    let watched = |one: &Watched| {
        records.iter().any(|stored| stored.value.watched == *one && stored.value.id().is_some())
    };
    Ok(Watched::ALL.iter().all(watched))
}

pub(super) async fn watch_policy(mut file: PolicyFile, mut stop: watch::Receiver<bool>) {
    while pause(POLICY_EVERY, &mut stop).await {
        if let Err(trouble) = file.look().await {
            tracing::error!("failed to tell of the policy file: {trouble}");
        }
    }
}
