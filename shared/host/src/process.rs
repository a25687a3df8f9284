//! The local process: every part, or one, on the embedded store, until it is asked to stop.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use policy::Policy;
use responder::Worker;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use wire::Wire;

use crate::{
    Admin, Assembly, Entering, Environment, Limits, Needs, Part, Parts, PolicyFile, PolicyPlace, Running,
    Server, Settings, Store, Traces, asked_to_stop, load_policy, state_keys,
};

pub(crate) mod turns;

use turns::{count, fly, keep, keep_time, reconcile, wake, watch_policy, work, write_down};

/// How long a request to Graph may wait in line for a throttled answer before its job waits instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
const MONITORS: Limits = Limits {
    slowest_head: Duration::from_secs(5),
    connection: Duration::from_mins(1),
    grace: Duration::from_secs(5),
    connections: 32,
};
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
        let policy_path = settings.policy.as_ref().and_then(PolicyPlace::file).filter(|_| needs_policy);
        let policy = match policy_path {
            Some(path) => Some(load_policy(path)?),
            None => None,
        };
        let store = Store::open(&settings.data, settings.tenant)?;
        let keys = Arc::new(state_keys(&settings.data)?);
        let sender = policy.map(|policy| watch::Sender::new(Arc::new(policy)));
        let policy_path = policy_path.map(Path::to_owned);
        let assembly = Assembly {
            settings,
            store,
            policy: sender.as_ref().map(watch::Sender::subscribe),
            keys: Some(keys),
            wire: Wire::network()?,
            clock,
            patience: PATIENCE,
            traces: None,
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
        let (store, assembly) = (assembly.store.clone(), Arc::new(assembly));
        assembly.ask_the_time().await;
        let entering = enter(&assembly.settings.data, &parts);
        let built = assembly.build(&parts)?;
        let router = built.router();
        let Parts {
            receiver: _,
            viewer: _,
            workers,
            steward,
            keeper,
            census,
            reconciler,
            in_force,
            canary,
            notices,
            meter,
        } = built;
        let _running = match entering {
            Some(entering) => take_over(entering, &workers).await,
            None => None,
        };
        if let Some(in_force) = &in_force
            && let Err(trouble) = in_force.look().await
        {
            tracing::warn!("failed to say which policy is in force, which is tried again: {trouble}");
        }
        let (stopping, stopped) = watch::channel(false);
        let refused = watch::Sender::new(false);
        let mut running = JoinSet::new();
        if let Some(router) = router {
            let server = match server {
                Some(server) => server,
                None => Server::bind(assembly.settings.listen).await?,
            };
            tracing::info!(server.address = %server.address()?, "listening");
            say_what_holds(&assembly);
            running.spawn(server.serve(router, stopped.clone()));
        }
        if let Some(address) = assembly.settings.admin {
            let server = Server::bind_as("GUESTLIST_ADMIN_LISTEN", address).await?.within(MONITORS);
            tracing::info!(admin.address = %server.address()?, "answering monitoring");
            let policy_refused = policy.is_some().then(|| refused.subscribe());
            let admin = Admin { policy_refused, ..assembly.admin(&meter) };
            running.spawn(server.serve(admin.router(), stopped.clone()));
        }
        for worker in workers {
            running.spawn(work(worker, stopped.clone()));
        }
        running.spawn(keep_time(Arc::clone(&assembly), stopped.clone()));
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
        if let Some(traces) = assembly.traces.clone() {
            running.spawn(traces.send_on(stopped.clone()));
        }
        if let (Some(path), Some(current)) = (policy_path, policy) {
            let file = PolicyFile { path, current, notices, told: None, refused, in_force };
            running.spawn(watch_policy(file, stopped));
        }
        let ended = until_ended(running, stopping, stop).await;
        if let Some(traces) = &assembly.traces {
            traces.finish().await;
        }
        store.close();
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

/// Every part in one process, until SIGTERM or SIGINT. `traces` is what the process began to make when it began to log.
///
/// # Errors
/// A setting is missing, the policy is not valid, the store cannot be opened, the port is taken, a part broke down.
pub async fn serve(environment: &Environment, traces: Option<Traces>) -> anyhow::Result<()> {
    let settings = Settings::read(environment, Needs::everything())?;
    let parts: Vec<Part> = Part::wanted(&settings).collect();
    run_parts(&parts, settings, traces).await
}

/// A second request to stop is a person in a hurry: whoever starts next takes over what is under way.
pub(crate) async fn run_parts(
    parts: &[Part],
    settings: Settings,
    traces: Option<Traces>,
) -> anyhow::Result<()> {
    let mut serving = Serving::prepare(settings, parts, crate::clock())?;
    serving.assembly.send_traces(traces);
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
