//! Puts the flows together: each gets its own credential, the store, the policy and the clock. The same assembly
//! serves the local process, each function as a process of its own, and the stories.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use graph::{Client, Reader, Writer};
use model::Clock;
use policy::Policy;
use responder::{
    Assessor, CanaryKeeper, Census, Directory, Flow, Handler, Links, Meter, Notices, Open, PolicyInForce,
    Receiver, Reconciler, Remediator, Rules, Steward, SubscriptionKeeper, Tally, Teller, Viewer, Worker, off,
};
use seal::StateKeys;
use tokio::sync::watch;
use wire::Wire;

use crate::{Admin, AppSettings, Needs, Settings, Store, Traces};

/// A function of the design: each can run as a process of its own on the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Notifications,
    Assess,
    Remediate,
    Alert,
    Steward,
    Approvals,
}

impl Part {
    pub const ALL: [Self; 6] =
        [Self::Notifications, Self::Assess, Self::Remediate, Self::Alert, Self::Steward, Self::Approvals];

    /// What is to run with these settings: pages are only shown where their address is set.
    pub fn wanted(settings: &Settings) -> impl Iterator<Item = Self> {
        let has_pages = settings.approvals_url.is_some();
        Self::ALL.into_iter().filter(move |part| has_pages || *part != Self::Approvals)
    }

    /// What this part must be told, and nothing else.
    #[must_use]
    pub const fn needs(self) -> Needs {
        let elsewhere = Needs { told_elsewhere: true, ..Needs::NOTHING };
        match self {
            Self::Notifications => Needs { receive: true, ..elsewhere },
            Self::Assess => Needs { read: true, policy: true, ..elsewhere },
            Self::Remediate => Needs { write: true, policy: true, ..elsewhere },
            Self::Alert => Needs { tell: true, ..Needs::NOTHING },
            Self::Steward => Needs { read: true, subscribe: true, ..elsewhere },
            Self::Approvals => Needs { show: true, ..Needs::NOTHING },
        }
    }

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notifications => "notifications",
            Self::Assess => "assess",
            Self::Remediate => "remediate",
            Self::Alert => "alert",
            Self::Steward => "steward",
            Self::Approvals => "approvals",
        }
    }
}

/// What the parts are made of.
#[derive(Debug, Clone)]
pub struct Assembly {
    pub settings: Settings,
    pub store: Store,
    pub policy: Option<watch::Receiver<Arc<Policy>>>,
    /// Of `clientState` where something is received or subscribed to, of links where pages are shown or led to.
    pub keys: Option<Arc<StateKeys>>,
    pub wire: Wire,
    pub clock: Clock,
    /// How long a request to Graph may wait in line before the job waits instead.
    pub patience: Duration,
    /// To be counted, where the process makes any.
    pub traces: Option<Traces>,
}

/// The parts that were asked for.
#[derive(Debug)]
pub struct Parts {
    pub receiver: Option<Receiver>,
    pub viewer: Option<Viewer>,
    pub workers: Vec<Worker>,
    pub steward: Option<Steward>,
    pub keeper: Option<SubscriptionKeeper>,
    pub census: Option<Census>,
    pub reconciler: Option<Reconciler>,
    /// Only where the app that writes is, and only if it is set.
    pub canary: Option<CanaryKeeper>,
    pub in_force: Option<PolicyInForce>,
    pub notices: Notices,
    pub meter: Meter,
}

impl Parts {
    /// What is asked over HTTP, if anything.
    #[must_use]
    pub fn router(&self) -> Option<axum::Router> {
        match (self.receiver.clone(), self.viewer.clone()) {
            (Some(receiver), Some(viewer)) => Some(receiver.router().merge(viewer.router())),
            (Some(receiver), None) => Some(receiver.router()),
            (None, Some(viewer)) => Some(viewer.router()),
            (None, None) => None,
        }
    }
}

impl Assembly {
    /// # Errors
    /// A setting that a part needs is not there.
    pub fn build(&self, parts: &[Part]) -> anyhow::Result<Parts> {
        let mut built = Parts {
            receiver: None,
            viewer: None,
            workers: Vec::new(),
            steward: None,
            keeper: None,
            census: None,
            reconciler: None,
            canary: None,
            in_force: None,
            notices: self.notices(),
            meter: Meter::new()?,
        };
        for part in parts {
            match part {
                Part::Notifications => built.receiver = Some(self.receiver(&built.meter)?),
                Part::Assess => {
                    built.in_force = Some(self.in_force()?);
                    let handler = Handler::Assess(Box::new(self.assessor(&built.meter)?));
                    built.workers.push(self.worker(*part, &self.store.queues.changes, handler));
                }
                Part::Remediate => {
                    let remediator = self.remediator()?;
                    built.canary = self.canary(&remediator);
                    let handler = Handler::Remediate(Box::new(remediator));
                    built.workers.push(self.worker(*part, &self.store.queues.remediations, handler));
                }
                Part::Alert => {
                    let handler = Handler::Alert(Box::new(self.teller(&built.meter)?));
                    built.workers.push(self.worker(*part, &self.store.queues.alerts, handler));
                }
                Part::Steward => {
                    let keeper = self.keeper()?;
                    let handler = Handler::Steward(Box::new(keeper.clone()));
                    built.workers.push(self.worker(*part, &self.store.queues.chores, handler));
                    built.keeper = Some(keeper);
                    built.census = Some(self.census()?);
                    built.reconciler = Some(self.reconciler()?);
                    built.steward = Some(self.steward(self.reader()?));
                }
                Part::Approvals => built.viewer = Some(self.viewer()?),
            }
        }
        Ok(built)
    }

    #[must_use]
    pub fn notices(&self) -> Notices {
        Self::notices_of(&self.settings, &self.store, &self.clock)
    }

    /// For a command that needs nothing else.
    #[must_use]
    pub fn notices_of(settings: &Settings, store: &Store, clock: &Clock) -> Notices {
        Notices {
            ledger: store.ledger.clone(),
            queues: store.queues.clone(),
            routes: settings.channels.routes(),
            clock: clock.clone(),
        }
    }

    pub(crate) fn worker<F: Flow>(&self, part: Part, queue: &queue::Queue, handler: F) -> Worker<F> {
        let (name, queue) = (part.word(), queue.clone());
        Worker { name, queue, handler, notices: self.notices(), clock: self.clock.clone() }
    }

    pub(crate) fn receiver(&self, meter: &Meter) -> anyhow::Result<Receiver> {
        Ok(Receiver {
            tenant: self.settings.tenant,
            keys: self.keys.clone().context("there are no keys of clientState")?,
            ledger: self.store.ledger.clone(),
            queues: self.store.queues.clone(),
            notices: self.notices(),
            clock: self.clock.clone(),
            tally: Arc::new(Tally::default()),
            meter: meter.clone(),
            correlate: crate::correlate,
        })
    }

    fn rules(&self) -> anyhow::Result<Rules> {
        Ok(Rules {
            policy: self.policy.clone().context("no policy was loaded")?,
            ceiling: self.settings.ceiling,
            routes: self.settings.channels.routes(),
        })
    }

    fn client(&self, app: Option<&AppSettings>, what: &str) -> anyhow::Result<Client> {
        let app = app.with_context(|| format!("the app that {what} is not set"))?.app.clone();
        let endpoints = self.settings.endpoints.clone();
        Ok(Client::new(self.wire.clone(), endpoints, app, self.clock.clone(), self.patience))
    }

    /// What the process makes of traces goes where the settings say.
    pub(crate) fn send_traces(&mut self, traces: Option<Traces>) {
        if let (Some(traces), Some(to)) = (&traces, &self.settings.traces) {
            traces.send_to(to.clone(), self.wire.clone());
        }
        self.traces = traces;
    }

    /// What monitoring sees of a process that counts with this meter.
    #[must_use]
    pub fn admin(&self, meter: &Meter) -> Admin {
        Admin {
            store: self.store.clone(),
            meter: meter.clone(),
            policy: self.policy.clone(),
            policy_refused: None,
            ceiling: self.settings.ceiling,
            clock: self.clock.clone(),
            traces: self.traces.clone(),
        }
    }

    /// To be called before anything is claimed, and every minute: what is claimed or ended at a wrong moment does harm for as long
    /// as the clock was wrong, and to one that is behind nothing is due. Whoever has no app goes by the machine's clock, and so
    /// does everybody as long as Graph does not answer.
    pub async fn ask_the_time(&self) {
        if self.clock.was_compared() {
            return;
        }
        let reads = self.reader().map(|reader| reader.client().clone());
        let Ok(client) = reads.or_else(|_| self.writing_client()) else { return };
        if let Err(error) = client.ask_the_time().await {
            tracing::warn!("this machine's clock counts until Graph has said the time: failed to {error}");
        } else if let Some(ahead) = self.clock.wrong_by() {
            tracing::warn!("this machine's clock is {}, which counts", off(ahead));
        }
    }

    /// # Errors
    /// The reading app is not set.
    pub fn reader(&self) -> anyhow::Result<Reader> {
        Ok(Reader::new(self.client(self.settings.reader.as_ref(), "reads")?))
    }

    /// # Errors
    /// The writing app is not set.
    pub fn writing_client(&self) -> anyhow::Result<Client> {
        self.client(self.settings.writer.as_ref(), "writes")
    }

    pub(crate) fn assessor(&self, meter: &Meter) -> anyhow::Result<Assessor> {
        Ok(Assessor {
            reader: self.reader()?,
            ledger: self.store.ledger.clone(),
            queues: self.store.queues.clone(),
            rules: self.rules()?,
            directory: Directory::default(),
            notices: self.notices(),
            meter: meter.clone(),
            clock: self.clock.clone(),
            correlate: crate::correlate,
        })
    }

    pub(crate) fn canary(&self, remediator: &Remediator) -> Option<CanaryKeeper> {
        let Remediator { reader, writer, ledger, queues: _, rules, directory, notices, clock } =
            remediator.clone();
        let settings = self.settings.canary?;
        Some(CanaryKeeper { settings, reader, writer, ledger, rules, directory, notices, clock })
    }

    pub(crate) fn remediator(&self) -> anyhow::Result<Remediator> {
        let client = self.writing_client()?;
        Ok(Remediator {
            reader: Reader::new(client.clone()),
            writer: Writer::new(client),
            ledger: self.store.ledger.clone(),
            queues: self.store.queues.clone(),
            rules: self.rules()?,
            directory: Directory::default(),
            notices: self.notices(),
            clock: self.clock.clone(),
        })
    }

    pub(crate) fn viewer(&self) -> anyhow::Result<Viewer> {
        Ok(Viewer {
            tenant: self.settings.tenant,
            keys: self.keys.clone().context("there are no keys of links")?,
            ledger: self.store.ledger.clone(),
            clock: self.clock.clone(),
        })
    }

    fn links(&self) -> anyhow::Result<Option<Links>> {
        let Some(root) = self.settings.approvals_url.clone() else { return Ok(None) };
        let keys = self.keys.clone().context("there are no keys of links")?;
        Ok(Some(Links { tenant: self.settings.tenant, keys, root, clock: self.clock.clone() }))
    }

    pub(crate) fn teller(&self, meter: &Meter) -> anyhow::Result<Teller> {
        let channels: HashMap<_, _> = self
            .settings
            .channels
            .channels
            .iter()
            .map(|one| (one.name().clone(), Open::new(one.clone())))
            .collect();
        Ok(Teller {
            channels: Arc::new(channels),
            wire: self.wire.clone(),
            ledger: self.store.ledger.clone(),
            notices: self.notices(),
            meter: meter.clone(),
            links: self.links()?,
            clock: self.clock.clone(),
        })
    }

    pub(crate) fn census(&self) -> anyhow::Result<Census> {
        Ok(Census { reader: self.reader()?, ledger: self.store.ledger.clone(), clock: self.clock.clone() })
    }

    pub(crate) fn reconciler(&self) -> anyhow::Result<Reconciler> {
        Ok(Reconciler {
            reader: self.reader()?,
            ledger: self.store.ledger.clone(),
            queues: self.store.queues.clone(),
            directory: Directory::default(),
            notices: self.notices(),
            clock: self.clock.clone(),
            correlate: crate::correlate,
        })
    }

    pub(crate) fn in_force(&self) -> anyhow::Result<PolicyInForce> {
        Ok(PolicyInForce {
            ledger: self.store.ledger.clone(),
            rules: self.rules()?,
            clock: self.clock.clone(),
            said: Arc::default(),
        })
    }

    pub(crate) fn steward(&self, reader: Reader) -> Steward {
        Steward {
            reader,
            ledger: self.store.ledger.clone(),
            queues: self.store.queues.clone(),
            notices: self.notices(),
            clock: self.clock.clone(),
            correlate: crate::correlate,
        }
    }

    pub(crate) fn keeper(&self) -> anyhow::Result<SubscriptionKeeper> {
        Ok(SubscriptionKeeper {
            tenant: self.settings.tenant,
            reader: self.reader()?,
            ledger: self.store.ledger.clone(),
            keys: self.keys.clone().context("there are no keys of clientState")?,
            receivers: self.settings.receivers().context("GUESTLIST_PUBLIC_URL is not set")?,
            notices: self.notices(),
            clock: self.clock.clone(),
            random: crate::random,
        })
    }
}
