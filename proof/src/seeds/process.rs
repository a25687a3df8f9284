//! The process as it runs in production, in loops that wait for what is due instead of looking at the clock: a worker for
//! each queue, the steward, the keeper of subscriptions, reconciliation, the census.

use std::sync::Arc;
use std::time::Duration;

use host::{Assembly, Part, Parts};
use policy::Policy;
use responder::{Census, Handler, PolicyInForce, Reconciler, Steward, SubscriptionKeeper, Worker};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bell::{Bell, Listener};
use super::clock::wait;
use super::draws;

/// Jobs of one queue side by side.
const SIDE_BY_SIDE: usize = 4;
const STEWARD_EVERY: Duration = Duration::from_secs(120);
const SUBSCRIPTIONS_EVERY: Duration = Duration::from_mins(10);
const SUBSCRIPTIONS_AGAIN: Duration = Duration::from_secs(20);
const RECONCILE_EVERY: Duration = Duration::from_secs(60);
const CENSUS_EVERY: Duration = Duration::from_mins(30);

/// A process, until it is killed.
pub(super) struct Process {
    pub(super) parts: Parts,
    running: JoinSet<()>,
}

impl Process {
    /// The parts, with ids that are drawn from the seed.
    pub(super) fn build(assembly: &Assembly) -> anyhow::Result<Parts> {
        let mut parts = assembly.build(&Part::ALL)?;
        let Parts {
            receiver,
            viewer: _,
            workers,
            steward,
            keeper,
            reconciler,
            census: _,
            in_force: _,
            canary: _,
            notices: _,
            meter: _,
        } = &mut parts;
        if let Some(receiver) = receiver {
            receiver.correlate = draws::correlate;
        }
        for worker in workers {
            match &mut worker.handler {
                Handler::Assess(assessor) => assessor.correlate = draws::correlate,
                Handler::Steward(keeper) => keeper.random = draws::random,
                Handler::Remediate(_) | Handler::Alert(_) => {}
            }
        }
        if let Some(steward) = steward {
            steward.correlate = draws::correlate;
        }
        if let Some(keeper) = keeper {
            keeper.random = draws::random;
        }
        if let Some(reconciler) = reconciler {
            reconciler.correlate = draws::correlate;
        }
        Ok(parts)
    }

    pub(super) fn start(parts: Parts, looks: &Bell) -> Self {
        let mut running = JoinSet::new();
        for worker in &parts.workers {
            running.spawn(work(worker.clone(), looks.listen()));
        }
        if let Some(steward) = parts.steward.clone() {
            running.spawn(wake(steward, looks.listen()));
        }
        if let Some(keeper) = parts.keeper.clone() {
            running.spawn(keep(keeper, looks.listen()));
        }
        if let Some(census) = parts.census.clone() {
            running.spawn(count(census, looks.listen()));
        }
        if let (Some(reconciler), Some(in_force)) = (parts.reconciler.clone(), parts.in_force.clone()) {
            running.spawn(reconcile(reconciler, in_force, looks.listen()));
        }
        Self { parts, running }
    }

    /// Wherever it was. What it had sent may still arrive.
    pub(super) async fn kill(mut self) {
        self.running.shutdown().await;
        // The jobs of its workers are tasks of their own: they end when the runtime comes to them.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
}

async fn work(worker: Worker, mut looks: Listener) {
    let mut running = JoinSet::new();
    loop {
        while let Some(ended) = running.try_join_next() {
            worker.note(ended);
        }
        let places = SIDE_BY_SIDE - running.len();
        if places > 0 && worker.start_due(&mut running, places).await.is_ok_and(|started| started > 0) {
            continue;
        }
        let due = worker.next_due().await.ok().flatten();
        let rest = async {
            match due {
                Some(due) => sleep(wait(due, worker.clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(ended) = running.join_next() => worker.note(ended),
            () = worker.queue.woken(), if places > 0 => {}
            () = looks.rung() => {}
            () = rest, if places > 0 => {}
        }
    }
}

async fn pause(wait: Duration, looks: &mut Listener) {
    tokio::select! {
        biased;
        () = looks.rung() => {}
        () = sleep(wait) => {}
    }
}

async fn wake(steward: Steward, mut looks: Listener) {
    loop {
        if let Err(trouble) = steward.wake_what_is_due().await {
            tracing::error!("failed to wake what is due: {trouble}");
        }
        pause(STEWARD_EVERY, &mut looks).await;
    }
}

async fn keep(keeper: SubscriptionKeeper, mut looks: Listener) {
    loop {
        let wait = match keeper.look().await {
            Ok(_) => SUBSCRIPTIONS_EVERY,
            Err(_) => SUBSCRIPTIONS_AGAIN,
        };
        pause(wait, &mut looks).await;
    }
}

async fn reconcile(reconciler: Reconciler, in_force: PolicyInForce, mut looks: Listener) {
    loop {
        if let Err(trouble) = in_force.look().await {
            tracing::warn!("failed to say which policy is in force: {trouble}");
        }
        if let Err(trouble) = reconciler.look().await {
            tracing::warn!("failed to reconcile: {trouble}");
        }
        pause(RECONCILE_EVERY, &mut looks).await;
    }
}

async fn count(census: Census, mut looks: Listener) {
    loop {
        if let Err(trouble) = census.look().await {
            tracing::warn!("failed to count the guests: {trouble}");
        }
        pause(CENSUS_EVERY, &mut looks).await;
    }
}

/// # Errors
/// The policy is not valid: the run is wrong, not the product.
pub(super) fn parse(text: &str) -> anyhow::Result<Arc<Policy>> {
    let mut none = |path: &str| Err(format!("there is no list file `{path}`"));
    let parsed = policy::parse(text, "policy.yaml", &mut none);
    parsed.map(Arc::new).map_err(|problems| anyhow::anyhow!("{problems}\n{text}"))
}
