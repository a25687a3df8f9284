//! The local process: every part, or one, on the embedded store, until it is asked to stop.

use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::{Clock, Watched};
use policy::Policy;
use responder::{
    CanaryKeeper, Census, Meter, Open, Reconciler, Steward, SubscriptionKeeper, Trouble, Worker,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use wire::Wire;

use crate::server::stopped;
use crate::{
    Assembly, Entering, Environment, InvalidPolicy, Limits, Missing, Needs, Part, Parts, PolicyFile, Running,
    Server, Settings, Store, asked_to_stop, load_policy, state_keys,
};

/// How long a request to Graph may wait in line for a throttled answer before its job waits instead.
const PATIENCE: Duration = Duration::from_secs(2);
/// Jobs of one queue side by side: enough for every channel's messages.
const SIDE_BY_SIDE: usize = 2 * Open::AT_ONCE;
/// Other processes may have put something into a queue; nobody tells us.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
const POLICY_EVERY: Duration = Duration::from_secs(2);
const STEWARD_EVERY: Duration = Duration::from_secs(15);
const SUBSCRIPTIONS_EVERY: Duration = Duration::from_mins(3);
/// It counts anew only after hours; this is how soon it tries again.
const CENSUS_EVERY: Duration = Duration::from_mins(5);
/// One page or a few at a time: what is due stands in the ledger.
const RECONCILE_EVERY: Duration = Duration::from_secs(15);
/// It is changed every hour; this is how soon it is missed.
const CANARY_EVERY: Duration = Duration::from_secs(15);
const METER_EVERY: Duration = Duration::from_secs(15);
const MONITORS: Limits = Limits {
    slowest_head: Duration::from_secs(5),
    connection: Duration::from_mins(1),
    grace: Duration::from_secs(5),
    connections: 32,
};
const SUBSCRIPTIONS_AGAIN: Duration = Duration::from_secs(20);

/// A process that is about to run: its settings were read, its store is open.
#[derive(Debug)]
pub struct Serving {
    pub assembly: Assembly,
    pub parts: Vec<Part>,
    pub policy_path: Option<PathBuf>,
    pub policy: Option<watch::Sender<Arc<Policy>>>,
}

impl Serving {
    /// Reads the policy and the keys, and opens the store.
    ///
    /// # Errors
    /// The policy is not valid, or the store cannot be opened.
    pub fn prepare(settings: Settings, parts: &[Part], clock: Clock) -> anyhow::Result<Self> {
        let needs_policy = parts.iter().any(|part| part.needs().policy);
        let policy = match settings.policy.as_deref().filter(|_| needs_policy) {
            Some(path) => Some(load_policy(path)?),
            None => None,
        };
        let store = Store::open(&settings.data, settings.tenant)?;
        let keys = Arc::new(state_keys(&settings.data)?);
        let sender = policy.map(|policy| watch::Sender::new(Arc::new(policy)));
        let policy_path = settings.policy.clone().filter(|_| needs_policy);
        let assembly = Assembly {
            settings,
            store,
            policy: sender.as_ref().map(watch::Sender::subscribe),
            keys,
            wire: Wire::network()?,
            clock,
            patience: PATIENCE,
        };
        Ok(Self { assembly, parts: parts.to_vec(), policy_path, policy: sender })
    }

    /// Runs until `stop` ends, then lets what is under way finish. A server that is bound already is served instead of
    /// `GUESTLIST_LISTEN`.
    ///
    /// # Errors
    /// The port is taken, or a part could not be built.
    pub async fn run(self, server: Option<Server>, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { assembly, parts, policy_path, policy } = self;
        let entering = enter(&assembly.settings.data, &parts);
        let Parts { receiver, workers, steward, keeper, census, reconciler, canary, notices, meter } =
            assembly.build(&parts)?;
        let _running = match entering {
            Some(entering) => take_over(entering, &workers).await,
            None => None,
        };
        let (stopping, stopped) = watch::channel(false);
        let mut running = JoinSet::new();
        if let Some(receiver) = receiver {
            let server = match server {
                Some(server) => server,
                None => Server::bind(assembly.settings.listen).await?,
            };
            tracing::info!(server.address = %server.address()?, "listening");
            say_what_holds(&assembly);
            running.spawn(server.serve(receiver.router(), stopped.clone()));
        }
        if let Some(address) = assembly.settings.admin {
            let server = Server::bind_as("GUESTLIST_ADMIN_LISTEN", address).await?.within(MONITORS);
            tracing::info!(admin.address = %server.address()?, "answering monitoring");
            running.spawn(server.serve(assembly.admin(&meter).router(), stopped.clone()));
        }
        for worker in workers {
            running.spawn(work(worker, stopped.clone()));
        }
        running.spawn(write_down(meter, assembly.store.clone(), assembly.clock.clone(), stopped.clone()));
        match canary {
            Some(canary) => {
                running.spawn(fly(canary, stopped.clone()));
            }
            // Nobody misses what nobody flies any more.
            None if parts.contains(&Part::Remediate) => {
                assembly.store.ledger.forget_canary().await?;
            }
            None => {}
        }
        if let Some(steward) = steward {
            running.spawn(wake(steward, stopped.clone()));
        }
        if let Some(census) = census {
            running.spawn(count(census, stopped.clone()));
        }
        if let Some(reconciler) = reconciler {
            running.spawn(reconcile(reconciler, stopped.clone()));
        }
        if let Some(keeper) = keeper {
            running.spawn(keep(keeper, stopped.clone()));
        }
        if let (Some(path), Some(current)) = (policy_path, policy) {
            let file = PolicyFile { path, current, notices, told: None };
            running.spawn(watch_policy(file, stopped));
        }
        let ended = until_ended(running, stopping, stop).await;
        assembly.store.database.close();
        tracing::info!("stopped");
        ended
    }
}

/// Whoever supervises the process has to know when it did not mean to end.
async fn until_ended(
    mut running: JoinSet<()>,
    stopping: watch::Sender<bool>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut broken = tokio::select! {
        () = stop => {
            tracing::info!("stopping: what is under way is finished first");
            None
        }
        ended = running.join_next() => Some(by_itself(ended)),
    };
    stopping.send_replace(true);
    while let Some(ended) = running.join_next().await {
        if ended.is_err() {
            broken = Some(by_itself(Some(ended)));
        }
    }
    broken.map_or(Ok(()), |why| Err(anyhow::anyhow!(why)))
}

fn by_itself(ended: Option<Result<(), tokio::task::JoinError>>) -> String {
    let why = match ended {
        Some(Err(error)) => error.to_string(),
        Some(Ok(())) | None => "it ended".to_owned(),
    };
    format!(
        "a part broke down, and the process with it: {why}; please report it, and start the process again"
    )
}

/// Without the mark everything works, but `guestlist status`, and what a killed process held waits for its leases.
fn enter(data: &Path, parts: &[Part]) -> Option<Entering> {
    Entering::begin(data, parts).inspect_err(unmarked).ok()
}

/// A part that nobody else runs begins with what the process before had claimed when it was killed. Nobody runs the
/// part until this is over.
async fn take_over(entering: Entering, workers: &[Worker]) -> Option<Running> {
    for worker in workers {
        let part = Part::ALL.into_iter().find(|part| part.word() == worker.name);
        if !part.is_some_and(|part| entering.is_alone(part)) {
            continue;
        }
        match worker.take_over().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(worker = worker.name, count, "taking over from a process that ended"),
            Err(trouble) => tracing::warn!(worker = worker.name, "failed to take over: {trouble}"),
        }
    }
    entering.finish().inspect_err(unmarked).ok()
}

fn unmarked(error: &std::io::Error) {
    tracing::warn!("failed to mark this process as running: {error}");
}

/// Waits, unless the process is to stop.
async fn pause(wait: Duration, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => true,
        () = stopped(stop) => false,
    }
}

async fn work(worker: Worker, mut stop: watch::Receiver<bool>) {
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

async fn wake(steward: Steward, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(trouble) = steward.wake_what_is_due().await {
            tracing::error!("failed to wake what is due: {trouble}");
        }
        if !pause(STEWARD_EVERY, &mut stop).await {
            break;
        }
    }
}

/// A newcomer waits for acts that will never come, unless he is told.
fn say_what_holds(assembly: &Assembly) {
    let Some(policy) = &assembly.policy else { return };
    let (policy, ceiling) = (Arc::clone(&policy.borrow()), assembly.settings.ceiling);
    let effect = match policy.mode().min(ceiling) {
        model::Mode::Observe => "nothing is written to the tenant",
        model::Mode::Ask => "everything asks first",
        model::Mode::Enforce => "rules act",
    };
    tracing::info!(
        policy.hash = policy.hash(),
        policy.mode = %policy.mode(),
        ceiling = %ceiling,
        "{effect}: the policy's mode is `{}`, and GUESTLIST_AT_MOST is `{ceiling}`",
        policy.mode(),
    );
}

async fn count(census: Census, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(trouble) = census.look().await {
            tracing::warn!("failed to count the guests: {trouble}");
        }
        if !pause(CENSUS_EVERY, &mut stop).await {
            break;
        }
    }
}

async fn reconcile(reconciler: Reconciler, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(trouble) = reconciler.look().await {
            tracing::warn!("failed to reconcile: {trouble}");
        }
        if !pause(RECONCILE_EVERY, &mut stop).await {
            break;
        }
    }
}

async fn fly(canary: CanaryKeeper, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(trouble) = canary.look().await {
            tracing::warn!("failed to look after the canary: {trouble}");
        }
        if !pause(CANARY_EVERY, &mut stop).await {
            break;
        }
    }
}

/// Statistics of the last seconds are lost with a process that is killed, and nothing else is.
async fn write_down(meter: Meter, store: Store, clock: Clock, mut stop: watch::Receiver<bool>) {
    let mut goes_on = true;
    while goes_on {
        goes_on = pause(METER_EVERY, &mut stop).await;
        if let Err(trouble) = meter.write_down(&store.ledger, clock.now()).await {
            tracing::warn!("failed to write down what was measured: {trouble}");
        }
    }
}

async fn keep(keeper: SubscriptionKeeper, mut stop: watch::Receiver<bool>) {
    loop {
        let wait = match look(&keeper).await {
            Ok(true) => SUBSCRIPTIONS_EVERY,
            // The receiver may be starting beside us.
            Ok(false) => SUBSCRIPTIONS_AGAIN,
            Err(trouble) => {
                tracing::error!("failed to look at the subscriptions: {trouble}");
                SUBSCRIPTIONS_AGAIN
            }
        };
        if !pause(wait, &mut stop).await {
            break;
        }
    }
}

/// Whether everything is watched now.
async fn look(keeper: &SubscriptionKeeper) -> Result<bool, Trouble> {
    keeper.look().await?;
    let records = keeper.ledger.subscriptions().await?;
    let watched = |one: &Watched| {
        records.iter().any(|stored| stored.value.watched == *one && stored.value.id().is_some())
    };
    Ok(Watched::ALL.iter().all(watched))
}

async fn watch_policy(mut file: PolicyFile, mut stop: watch::Receiver<bool>) {
    while pause(POLICY_EVERY, &mut stop).await {
        if let Err(trouble) = file.look().await {
            tracing::error!("failed to tell of the policy file: {trouble}");
        }
    }
}

/// Every part in one process, until SIGTERM or SIGINT.
///
/// # Errors
/// A setting is missing, the policy is not valid, the store cannot be opened, the port is taken, a part broke down.
pub async fn serve(environment: &Environment) -> anyhow::Result<()> {
    run_parts(&Part::ALL, environment, Needs::everything()).await
}

/// One part as a process of its own, with what that part needs and nothing else. Ends with 2 where the settings or the
/// policy are wrong, with 1 where something else is.
pub async fn run_part(part: Part, environment: &Environment) -> ExitCode {
    crate::start_logs(environment, "info");
    let Err(error) = run_parts(&[part], environment, part.needs()).await else {
        return ExitCode::SUCCESS;
    };
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
    let wrongly_set = error.is::<Missing>() || error.is::<InvalidPolicy>();
    ExitCode::from(if wrongly_set { 2 } else { 1 })
}

/// A second request to stop is a person in a hurry: whoever starts next takes over what is under way.
async fn run_parts(parts: &[Part], environment: &Environment, needs: Needs) -> anyhow::Result<()> {
    let settings = Settings::read(environment, needs)?;
    let serving = Serving::prepare(settings, parts, crate::clock())?;
    let (asked, first) = oneshot::channel();
    let hurry = async {
        asked_to_stop().await;
        let _ = asked.send(());
        asked_to_stop().await;
    };
    let stop = async {
        let _ = first.await;
    };
    tokio::select! {
        ended = serving.run(None, stop) => ended,
        () = hurry => anyhow::bail!("stopped at once: what was under way is taken up again at the next start"),
    }
}
