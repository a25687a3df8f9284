//! What a function keeps from one event to the next: its assembly, and since when it has known what may change beside it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use model::Clock;
use policy::Policy;
use prometheus::proto::MetricFamily;
use responder::Meter;
use seal::StateKeys;
use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, watch};
use wire::Wire;

use super::Deadline;
use super::emf::Told;
use super::judging::Judging as _;
use super::parts::Work;
use super::secrets::Secrets;
use crate::aws::Aws;
use crate::process::PATIENCE;
use crate::process::turns::{METER_EVERY, note_measured};
use crate::settings::KeyText;
use crate::{Admin, Assembly, Environment, Settings, Store, Traces};

/// What the settings and secrets of one moment come to.
#[derive(Debug)]
pub(crate) struct Built<W> {
    pub(super) work: W,
    pub(super) meter: Meter,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) admin: Admin,
    pub(super) subscriptions: Arc<Mutex<Looked>>,
}

/// When this instance last looked at the subscriptions.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) at: Option<Timestamp>,
    /// Until then Graph wants to be left alone.
    pub(super) again_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(crate) struct Function<W: Work> {
    environment: Environment,
    lasting: Lasting,
    credential_refused: AtomicBool,
    state: Mutex<State<W>>,
}

#[derive(Debug)]
struct State<W: Work> {
    built: Arc<Built<W>>,
    secrets: Secrets,
    judging: W::Judging,
    metered_at: Timestamp,
    told: Told,
}

impl<W: Work> Function<W> {
    /// Somebody waits for the event while secrets are read.
    const TO_READ_AGAIN: Duration = Duration::from_secs(2);

    /// Reads the secrets, the settings and the policy.
    ///
    /// # Errors
    /// Something is missing or cannot be read.
    pub(super) async fn start(environment: Environment, traces: Option<Traces>) -> anyhow::Result<Self> {
        // AWS keeps it right, and whatever else goes on evenly may have stood still while the function was frozen.
        let (clock, wire) = (Clock::new(Timestamp::now), Wire::network()?);
        let secrets = Secrets::read_first(&environment, W::NEEDS, &wire, clock.now()).await?;
        let settings = Settings::read(&secrets.over(&environment), W::NEEDS)?;
        let Some(aws) = settings.aws.clone() else {
            anyhow::bail!("the process became a function of Lambda after its settings were read");
        };
        let store = Store::on_aws(&aws, settings.tenant, &clock);
        let notices = Assembly::notices_of(&settings, &store, &clock);
        let aws = Aws::new(wire.clone(), aws);
        let judging = W::Judging::start(settings.policy.as_ref(), aws, &store, notices, clock.now()).await?;
        let (policy, policy_refused) = (judging.current(), judging.refused());
        let lasting =
            Lasting { clock, wire, store, policy, policy_refused, subscriptions: Arc::default(), traces };
        let told = Told::in_namespace(settings.metrics_namespace.clone());
        let built = Arc::new(lasting.build::<W>(settings)?);
        let metered_at = lasting.clock.now();
        let state = Mutex::new(State { built, secrets, judging, metered_at, told });
        Ok(Self { environment, lasting, credential_refused: AtomicBool::new(false), state })
    }

    /// What this event is to be worked on with: looked at anew what may have changed since.
    pub(super) async fn begin(&self, deadline: Deadline) -> Arc<Built<W>> {
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        let refused = self.credential_refused.swap(false, Ordering::Relaxed);
        if refused || state.secrets.are_old(now) {
            self.refresh(&mut state, now, deadline).await;
        }
        if let Err(trouble) = state.judging.look(now).await {
            tracing::error!("failed to look at the policy; the one before stays in force: {trouble:#}");
        }
        Arc::clone(&state.built)
    }

    /// The event is over, but for its answer: whatever is to be done is done now.
    pub(super) async fn end(&self, built: &Built<W>, credential_refused: bool) {
        self.credential_refused.fetch_or(credential_refused, Ordering::Relaxed);
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        tell(&built.admin.counted(), &mut state.told, now);
        let every = SignedDuration::try_from(METER_EVERY).unwrap_or(SignedDuration::MAX);
        if now.duration_since(state.metered_at) < every && state.metered_at <= now {
            return;
        }
        state.metered_at = now;
        note_measured(&built.meter, &self.lasting.store, now).await;
    }

    /// What has ended of this event goes out before its answer does. Nothing of it is needed by anybody who waits.
    pub(super) async fn send_traces(&self, within: Duration) {
        if let Some(traces) = &self.lasting.traces {
            traces.send(within).await;
        }
    }

    /// What is so at this moment, whoever has counted what: of the store, or only of this instance.
    pub(super) async fn tell_state(&self, built: &Built<W>, of_the_store: bool) {
        let gathered = if of_the_store { built.admin.gather().await } else { built.admin.of_the_policy() };
        tell(&gathered, &mut self.state.lock().await.told, self.lasting.clock.now());
    }

    /// So often at most, whoever asks for it.
    pub(super) async fn may_read_again(&self) -> bool {
        self.state.lock().await.secrets.may_be_read_again(self.lasting.clock.now())
    }

    /// Somebody came with what no key fits: it may be of one that we do not have yet. None: nothing has changed, or somebody has
    /// looked a moment ago.
    pub(super) async fn with_newer_keys(&self, deadline: Deadline) -> Option<Arc<Built<W>>> {
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        let changed = state.secrets.may_be_read_again(now) && self.refresh(&mut state, now, deadline).await;
        changed.then(|| Arc::clone(&state.built))
    }

    /// Whether something has changed. What cannot be read or used stays as it was.
    async fn refresh(&self, state: &mut State<W>, now: Timestamp, deadline: Deadline) -> bool {
        let within = deadline.share(Self::TO_READ_AGAIN);
        let Some(newer) = state.secrets.read_again(&self.lasting.wire, now, within).await else {
            return false;
        };
        let Some((secrets, built)) = self.usable(&state.secrets, newer) else { return false };
        let before = std::mem::replace(&mut state.built, Arc::new(built));
        state.secrets = secrets;
        tracing::info!("the secrets have changed, and are in use");
        // Its counters go with it.
        note_measured(&before.meter, &self.lasting.store, now).await;
        true
    }

    /// All that has changed, because two may belong together; or, where that does not do, each that does by itself.
    fn usable(&self, before: &Secrets, newer: Secrets) -> Option<(Secrets, Built<W>)> {
        if let Ok(built) = self.build(&newer) {
            return Some((newer, built));
        }
        let mut usable: Option<(Secrets, Built<W>)> = None;
        for name in newer.changed_since(before) {
            let so_far = usable.as_ref().map_or(before, |(secrets, _)| secrets);
            let with_it = so_far.with_one_of(&newer, &name);
            match self.build(&with_it) {
                Ok(built) => usable = Some((with_it, built)),
                Err(error) => {
                    tracing::error!("failed to use a changed secret; the one before stays in use: {error:#}");
                }
            }
        }
        usable
    }

    fn build(&self, secrets: &Secrets) -> anyhow::Result<Built<W>> {
        self.lasting.build(Settings::read(&secrets.over(&self.environment), W::NEEDS)?)
    }
}

/// What stays the same when secrets change.
#[derive(Debug)]
struct Lasting {
    clock: Clock,
    wire: Wire,
    store: Store,
    policy: Option<watch::Receiver<Arc<Policy>>>,
    policy_refused: Option<watch::Receiver<bool>>,
    subscriptions: Arc<Mutex<Looked>>,
    traces: Option<Traces>,
}

impl Lasting {
    fn build<W: Work>(&self, settings: Settings) -> anyhow::Result<Built<W>> {
        let keys = match &settings.keys {
            Some(KeyText { setting, text }) => Some(Arc::new(
                StateKeys::parse(text.expose_secret())
                    .map_err(|error| anyhow::anyhow!("failed to use {setting}: failed to {error}"))?,
            )),
            None => None,
        };
        let mut assembly = Assembly {
            settings,
            store: self.store.clone(),
            policy: self.policy.clone(),
            keys,
            wire: self.wire.clone(),
            clock: self.clock.clone(),
            patience: PATIENCE,
            traces: None,
        };
        assembly.send_traces(self.traces.clone());
        let meter = Meter::new()?;
        Ok(Built {
            work: W::build(&assembly, &meter)?,
            admin: Admin { policy_refused: self.policy_refused.clone(), ..assembly.admin(&meter) },
            meter,
            store: self.store.clone(),
            clock: self.clock.clone(),
            subscriptions: Arc::clone(&self.subscriptions),
        })
    }
}

/// Standard output is the function's log, too.
fn tell(gathered: &anyhow::Result<Vec<MetricFamily>>, told: &mut Told, now: Timestamp) {
    match gathered {
        Ok(families) => {
            let mut out = std::io::stdout().lock();
            for line in told.news(families, now) {
                if let Err(error) = writeln!(out, "{line}") {
                    tracing::warn!("failed to tell what was measured: {error}");
                }
            }
        }
        Err(error) => tracing::error!("failed to gather the metrics: {error:#}"),
    }
}
