//! What each function is made of. A type each, and no choice at run time: a binary then holds what its own part needs, and the linker
//! leaves out Graph, the policy and the flows of the others.

use std::sync::Arc;

use responder::{
    Assessor, CanaryKeeper, Census, Flow, Meter, PolicyInForce, Reconciler, Remediator, SubscriptionKeeper,
    Teller, Worker,
};

use super::function::{Built, Function};
use super::judging::{ByPolicy, Judging, Nothing};
use super::scheduled::{self, Chore};
use crate::{Assembly, Needs, Part};

/// A part as a function of Lambda.
pub(crate) trait Work: Sized + Send + Sync + 'static {
    const PART: Part;
    const NEEDS: Needs = Self::PART.needs();
    /// By a policy, or nobody.
    type Judging: Judging;

    /// # Errors
    /// A setting that it needs is not there.
    fn build(assembly: &Assembly, meter: &Meter) -> anyhow::Result<Self>;

    /// Answers events until Lambda ends the process.
    ///
    /// # Errors
    /// Lambda cannot be reached.
    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error>;
}

/// One that works on a queue.
pub(crate) trait OnQueue: Work {
    type Flow: Flow;

    fn worker(&self) -> &Worker<Self::Flow>;

    /// Whether it also says, at each word of its timer, how the store is, whoever has counted what.
    const TELLS_STATE: bool = false;

    /// What a timer sets off, where one does.
    fn chores(_built: &Built<Self>) -> Vec<Chore> {
        Vec::new()
    }
}

/// One that answers requests of HTTP.
pub(crate) trait OnHttp: Work {
    fn router(&self) -> &axum::Router;

    /// Somebody sent what cannot be a request: counted, where such things are.
    fn refused(_built: &Built<Self>) {}
}

#[derive(Debug)]
pub(crate) struct Notifications {
    router: axum::Router,
}

impl Work for Notifications {
    const PART: Part = Part::Notifications;
    type Judging = Nothing;

    fn build(assembly: &Assembly, meter: &Meter) -> anyhow::Result<Self> {
        Ok(Self { router: assembly.receiver(meter)?.router() })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::http::answer(function).await
    }
}

impl OnHttp for Notifications {
    fn router(&self) -> &axum::Router {
        &self.router
    }

    fn refused(built: &Built<Self>) {
        built.meter.not_a_request();
    }
}

#[derive(Debug)]
pub(crate) struct Approvals {
    router: axum::Router,
}

impl Work for Approvals {
    const PART: Part = Part::Approvals;
    type Judging = Nothing;

    fn build(assembly: &Assembly, _meter: &Meter) -> anyhow::Result<Self> {
        Ok(Self { router: assembly.viewer()?.router() })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::http::answer(function).await
    }
}

impl OnHttp for Approvals {
    fn router(&self) -> &axum::Router {
        &self.router
    }
}

#[derive(Debug)]
pub(crate) struct Assess {
    worker: Worker<Assessor>,
    pub(super) in_force: PolicyInForce,
}

impl Work for Assess {
    const PART: Part = Part::Assess;
    type Judging = ByPolicy;

    fn build(assembly: &Assembly, meter: &Meter) -> anyhow::Result<Self> {
        let queue = &assembly.store.queues.changes;
        let worker = assembly.worker(Self::PART, queue, assembly.assessor(meter)?);
        Ok(Self { worker, in_force: assembly.in_force()? })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::answer(function).await
    }
}

impl OnQueue for Assess {
    type Flow = Assessor;

    fn worker(&self) -> &Worker<Assessor> {
        &self.worker
    }

    fn chores(built: &Built<Self>) -> Vec<Chore> {
        scheduled::of_assess(built)
    }
}

#[derive(Debug)]
pub(crate) struct Remediate {
    worker: Worker<Remediator>,
    /// Which it alone may change.
    pub(super) canary: Option<CanaryKeeper>,
    /// Nobody else may write suspensions, not even to note that one has ended.
    pub(super) suspensions: responder::Steward,
}

impl Work for Remediate {
    const PART: Part = Part::Remediate;
    type Judging = ByPolicy;

    fn build(assembly: &Assembly, _meter: &Meter) -> anyhow::Result<Self> {
        let remediator = assembly.remediator()?;
        let canary = assembly.canary(&remediator);
        let suspensions = assembly.steward(remediator.reader.clone());
        let worker = assembly.worker(Self::PART, &assembly.store.queues.remediations, remediator);
        Ok(Self { worker, canary, suspensions })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::answer(function).await
    }
}

impl OnQueue for Remediate {
    type Flow = Remediator;

    fn worker(&self) -> &Worker<Remediator> {
        &self.worker
    }

    fn chores(built: &Built<Self>) -> Vec<Chore> {
        scheduled::of_remediate(built)
    }
}

#[derive(Debug)]
pub(crate) struct Alert {
    worker: Worker<Teller>,
}

impl Work for Alert {
    const PART: Part = Part::Alert;
    type Judging = Nothing;

    fn build(assembly: &Assembly, meter: &Meter) -> anyhow::Result<Self> {
        let queue = &assembly.store.queues.alerts;
        Ok(Self { worker: assembly.worker(Self::PART, queue, assembly.teller(meter)?) })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::answer(function).await
    }
}

impl OnQueue for Alert {
    type Flow = Teller;

    fn worker(&self) -> &Worker<Teller> {
        &self.worker
    }
}

#[derive(Debug)]
pub(crate) struct Steward {
    worker: Worker<SubscriptionKeeper>,
    pub(super) steward: responder::Steward,
    pub(super) census: Census,
    pub(super) reconciler: Reconciler,
}

impl Work for Steward {
    const PART: Part = Part::Steward;
    type Judging = Nothing;

    fn build(assembly: &Assembly, _meter: &Meter) -> anyhow::Result<Self> {
        let queue = &assembly.store.queues.chores;
        Ok(Self {
            worker: assembly.worker(Self::PART, queue, assembly.keeper()?),
            steward: assembly.steward(assembly.reader()?),
            census: assembly.census()?,
            reconciler: assembly.reconciler()?,
        })
    }

    async fn answer(function: Arc<Function<Self>>) -> Result<(), lambda_runtime::Error> {
        super::answer(function).await
    }
}

impl OnQueue for Steward {
    type Flow = SubscriptionKeeper;
    const TELLS_STATE: bool = true;

    fn worker(&self) -> &Worker<SubscriptionKeeper> {
        &self.worker
    }

    fn chores(built: &Built<Self>) -> Vec<Chore> {
        scheduled::of_steward(built)
    }
}
