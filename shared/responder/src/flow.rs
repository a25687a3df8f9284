//! Which flow takes which jobs. A worker of one flow knows that flow alone, so that a binary which runs no other does not hold
//! their code; [`Handler`] is any of them, where one process runs all.

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use model::Job;

use crate::{Assessor, End, Remediator, SubscriptionKeeper, Teller, Trouble};

/// Longer than any job may take that does not write to the tenant: every request of one has a timeout.
const LEASE: SignedDuration = SignedDuration::from_mins(3);
/// Longer than a job that does: the incidents before the last take a minute at most, the last one writes until its own
/// lease of five minutes is nearly over, and a read back with a token takes 74 s.
const LEASE_TO_WRITE: SignedDuration = SignedDuration::from_mins(8);

/// What works on the jobs of one queue.
pub trait Flow: Clone + Send + Sync + 'static {
    /// How long nobody else gets the key of a job: longer than the job may take.
    fn lease(&self) -> SignedDuration {
        LEASE
    }

    /// None: it is not a job for this flow.
    ///
    /// # Errors
    /// The job is tried again.
    fn handle(&self, job: Job) -> impl Future<Output = Result<Option<End>, Trouble>> + Send;

    /// Whether somebody else than Microsoft has refused what we hold since this was last asked: a newer one may lie where it came from.
    fn was_refused(&self) -> bool {
        false
    }

    /// What a job that goes to the dead letters leaves behind is put right.
    ///
    /// # Errors
    /// The ledger is in trouble.
    fn bury(&self, _job: &Job, _why: &str) -> impl Future<Output = Result<(), Trouble>> + Send {
        std::future::ready(Ok(()))
    }

    /// Takes over what a process that died had claimed in the ledger. Returns how much there was.
    ///
    /// # Errors
    /// The ledger is in trouble.
    fn take_over(&self, _now: Timestamp) -> impl Future<Output = Result<usize, Trouble>> + Send {
        std::future::ready(Ok(0))
    }
}

impl Flow for Assessor {
    async fn handle(&self, job: Job) -> Result<Option<End>, Trouble> {
        match job {
            Job::Assess { change, missing } => self.assess(&change, missing).await.map(Some),
            Job::Reread { item, watched } => self.reread(&item, watched).await.map(Some),
            Job::Remediate { .. } | Job::Serve { .. } | Job::Tell { .. } | Job::Lifecycle { .. } => Ok(None),
        }
    }
}

impl Flow for Remediator {
    fn lease(&self) -> SignedDuration {
        LEASE_TO_WRITE
    }

    async fn handle(&self, job: Job) -> Result<Option<End>, Trouble> {
        match job {
            Job::Remediate { incident, correlation: _ } => self.remediate(&incident).await.map(Some),
            Job::Serve { request } => self.serve(&request).await.map(Some),
            Job::Assess { .. } | Job::Reread { .. } | Job::Tell { .. } | Job::Lifecycle { .. } => Ok(None),
        }
    }

    /// The steward would send a request again for as long as it waits for an answer.
    async fn bury(&self, job: &Job, why: &str) -> Result<(), Trouble> {
        match job {
            Job::Serve { request } => self.give_up(request, why).await,
            Job::Remediate { .. }
            | Job::Assess { .. }
            | Job::Reread { .. }
            | Job::Tell { .. }
            | Job::Lifecycle { .. } => Ok(()),
        }
    }

    async fn take_over(&self, now: Timestamp) -> Result<usize, Trouble> {
        self.end_leases(now).await
    }
}

impl Flow for Teller {
    async fn handle(&self, job: Job) -> Result<Option<End>, Trouble> {
        match job {
            Job::Tell { about, channel } => self.tell(&about, &channel).await.map(Some),
            Job::Assess { .. }
            | Job::Reread { .. }
            | Job::Remediate { .. }
            | Job::Serve { .. }
            | Job::Lifecycle { .. } => Ok(None),
        }
    }

    fn was_refused(&self) -> bool {
        Self::was_refused(self)
    }
}

impl Flow for SubscriptionKeeper {
    async fn handle(&self, job: Job) -> Result<Option<End>, Trouble> {
        match job {
            Job::Lifecycle { subscription, event, correlation: _ } => {
                self.heed(subscription, &event).await.map(Some)
            }
            Job::Assess { .. }
            | Job::Reread { .. }
            | Job::Remediate { .. }
            | Job::Serve { .. }
            | Job::Tell { .. } => Ok(None),
        }
    }
}

/// Any of the flows.
#[derive(Debug, Clone)]
pub enum Handler {
    Assess(Box<Assessor>),
    Remediate(Box<Remediator>),
    Alert(Box<Teller>),
    Steward(Box<SubscriptionKeeper>),
}

impl Flow for Handler {
    fn lease(&self) -> SignedDuration {
        match self {
            Self::Assess(one) => one.lease(),
            Self::Remediate(one) => one.lease(),
            Self::Alert(one) => one.lease(),
            Self::Steward(one) => one.lease(),
        }
    }

    async fn handle(&self, job: Job) -> Result<Option<End>, Trouble> {
        match self {
            Self::Assess(one) => one.handle(job).await,
            Self::Remediate(one) => one.handle(job).await,
            Self::Alert(one) => one.handle(job).await,
            Self::Steward(one) => one.handle(job).await,
        }
    }

    fn was_refused(&self) -> bool {
        match self {
            Self::Assess(one) => one.was_refused(),
            Self::Remediate(one) => one.was_refused(),
            Self::Alert(one) => one.was_refused(),
            Self::Steward(one) => one.was_refused(),
        }
    }

    async fn bury(&self, job: &Job, why: &str) -> Result<(), Trouble> {
        match self {
            Self::Assess(one) => one.bury(job, why).await,
            Self::Remediate(one) => one.bury(job, why).await,
            Self::Alert(one) => one.bury(job, why).await,
            Self::Steward(one) => one.bury(job, why).await,
        }
    }

    async fn take_over(&self, now: Timestamp) -> Result<usize, Trouble> {
        match self {
            Self::Assess(one) => one.take_over(now).await,
            Self::Remediate(one) => one.take_over(now).await,
            Self::Alert(one) => one.take_over(now).await,
            Self::Steward(one) => one.take_over(now).await,
        }
    }
}
