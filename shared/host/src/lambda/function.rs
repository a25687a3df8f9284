//! What a function keeps from one event to the next: its assembly, and since when it has known what may change beside it.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use model::Clock;
use policy::Policy;
use prometheus::proto::MetricFamily;
use seal::StateKeys;
use secrecy::ExposeSecret as _;
use tokio::sync::{Mutex, watch};
use wire::Wire;

use super::emf::Told;
use super::policy_object::PolicyObject;
use super::secrets::Secrets;
use crate::aws::Aws;
use crate::process::PATIENCE;
use crate::process::turns::{METER_EVERY, note_measured};
use crate::settings::KeyText;
use crate::{Admin, Assembly, Environment, Part, Parts, PolicyPlace, Settings, Store, load_policy};

/// What the settings and secrets of one moment come to.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) part: Part,
    pub(super) parts: Parts,
    pub(super) store: Store,
    pub(super) router: Option<axum::Router>,
    pub(super) clock: Clock,
    admin: Admin,
    /// When this instance last looked at the subscriptions.
    pub(super) subscriptions: Arc<Mutex<Option<Timestamp>>>,
}

#[derive(Debug)]
pub(super) struct Function {
    environment: Environment,
    lasting: Lasting,
    credential_refused: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    built: Arc<Built>,
    secrets: Secrets,
    policy: Option<PolicyObject>,
    metered_at: Timestamp,
    told: Told,
}

impl Function {
    /// Reads the secrets, the settings and the policy.
    ///
    /// # Errors
    /// Something is missing or cannot be read.
    pub(super) async fn start(part: Part, environment: Environment) -> anyhow::Result<Self> {
        // AWS keeps it right, and whatever else goes on evenly may have stood still while the function was frozen.
        let (clock, wire) = (Clock::new(Timestamp::now), Wire::network()?);
        let secrets = Secrets::read_first(&environment, part.needs(), &wire, clock.now()).await?;
        let settings = Settings::read(&secrets.over(&environment), part.needs())?;
        let Some(aws) = settings.aws.clone() else {
            anyhow::bail!("the process became a function of Lambda after its settings were read");
        };
        let store = Store::on_aws(&aws, settings.tenant, &clock);
        let notices = Assembly::notices_of(&settings, &store, &clock);
        let (mut object, mut policy) = (None, None);
        match settings.policy.as_ref().filter(|_| part.needs().policy) {
            None => {}
            Some(PolicyPlace::File(path)) => {
                policy = Some(watch::Sender::new(Arc::new(load_policy(path)?)));
            }
            Some(PolicyPlace::Object { bucket, key }) => {
                let place = (bucket.clone(), key.clone());
                let aws = Aws::new(wire.clone(), aws);
                let started = PolicyObject::start(place, aws, &store, notices, clock.now()).await?;
                policy = Some(started.current.clone());
                object = Some(started);
            }
        }
        let lasting = Lasting { part, clock, wire, store, policy, subscriptions: Arc::default() };
        let built = Arc::new(lasting.build(settings)?);
        let metered_at = lasting.clock.now();
        let state = Mutex::new(State { built, secrets, policy: object, metered_at, told: Told::default() });
        Ok(Self { environment, lasting, credential_refused: AtomicBool::new(false), state })
    }

    pub(super) fn part(&self) -> Part {
        self.lasting.part
    }

    /// What this event is to be worked on with: looked at anew what may have changed since.
    pub(super) async fn begin(&self) -> Arc<Built> {
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        let refused = self.credential_refused.swap(false, Ordering::Relaxed);
        if refused || state.secrets.are_old(now) {
            self.refresh(&mut state, now).await;
        }
        if let Some(policy) = state.policy.as_mut()
            && let Err(trouble) = policy.look(now).await
        {
            tracing::error!("failed to look at the policy; the one before stays in force: {trouble:#}");
        }
        Arc::clone(&state.built)
    }

    /// The event is over, but for its answer: whatever is to be done is done now.
    pub(super) async fn end(&self, built: &Built, credential_refused: bool) {
        self.credential_refused.fetch_or(credential_refused, Ordering::Relaxed);
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        tell(&built.admin.counted(), &mut state.told, now);
        let every = SignedDuration::try_from(METER_EVERY).unwrap_or(SignedDuration::MAX);
        if now.duration_since(state.metered_at) < every && state.metered_at <= now {
            return;
        }
        state.metered_at = now;
        note_measured(&built.parts.meter, &self.lasting.store, now).await;
    }

    /// What is so at this moment, whoever has counted what: the steward says it each minute.
    pub(super) async fn tell_state(&self, built: &Built) {
        if self.part() == Part::Steward {
            let gathered = built.admin.gather().await;
            tell(&gathered, &mut self.state.lock().await.told, self.lasting.clock.now());
        }
    }

    /// Somebody sent a `clientState` that is not ours: it may be of a key that we do not have yet. None: nothing has
    /// changed, or somebody has looked a moment ago, so that who sends forgeries does not set the pace.
    pub(super) async fn with_newer_keys(&self) -> Option<Arc<Built>> {
        let mut state = self.state.lock().await;
        let now = self.lasting.clock.now();
        let changed = state.secrets.may_be_read_again(now) && self.refresh(&mut state, now).await;
        changed.then(|| Arc::clone(&state.built))
    }

    /// Whether something has changed. What cannot be read or used stays as it was.
    async fn refresh(&self, state: &mut State, now: Timestamp) -> bool {
        let newer = match state.secrets.read_again(&self.lasting.wire, now).await {
            Ok(Some(newer)) => newer,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!("failed to read the secrets again; the ones before stay in use: {error:#}");
                return false;
            }
        };
        let settings = Settings::read(&newer.over(&self.environment), self.part().needs());
        let built = settings.map_err(anyhow::Error::from).and_then(|settings| self.lasting.build(settings));
        match built {
            Ok(built) => {
                let before = std::mem::replace(&mut state.built, Arc::new(built));
                state.secrets = newer;
                tracing::info!("the secrets have changed, and are in use");
                // Its counters go with it.
                note_measured(&before.parts.meter, &self.lasting.store, now).await;
                true
            }
            Err(error) => {
                tracing::error!("failed to use the changed secrets; the ones before stay in use: {error:#}");
                false
            }
        }
    }
}

/// What stays the same when secrets change.
#[derive(Debug)]
struct Lasting {
    part: Part,
    clock: Clock,
    wire: Wire,
    store: Store,
    policy: Option<watch::Sender<Arc<Policy>>>,
    subscriptions: Arc<Mutex<Option<Timestamp>>>,
}

impl Lasting {
    fn build(&self, settings: Settings) -> anyhow::Result<Built> {
        let keys = match &settings.keys {
            Some(KeyText { setting, text }) => Some(Arc::new(
                StateKeys::parse(text.expose_secret())
                    .map_err(|error| anyhow::anyhow!("failed to use {setting}: failed to {error}"))?,
            )),
            None => None,
        };
        let assembly = Assembly {
            settings,
            store: self.store.clone(),
            policy: self.policy.as_ref().map(watch::Sender::subscribe),
            keys,
            wire: self.wire.clone(),
            clock: self.clock.clone(),
            patience: PATIENCE,
        };
        let parts = assembly.build(&[self.part])?;
        let admin = assembly.admin(&parts.meter);
        Ok(Built {
            admin,
            part: self.part,
            router: parts.router(),
            parts,
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
