//! By what a function judges: a policy that is packaged with it, or one on Amazon S3. Who judges nothing has a type of its own, so that
//! its binary holds no policy: a choice at run time would leave the code of both in it.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use policy::Policy;
use responder::Notices;
use tokio::sync::watch;

use super::policy_object::PolicyObject;
use crate::aws::Aws;
use crate::{PolicyPlace, Store, load_policy};

pub(crate) trait Judging: Debug + Send + Sync + Sized + 'static {
    /// # Errors
    /// The policy is not valid or cannot be read.
    fn start(
        place: Option<&PolicyPlace>,
        aws: Aws,
        store: &Store,
        notices: Notices,
        now: Timestamp,
    ) -> impl Future<Output = anyhow::Result<Self>> + Send;

    fn current(&self) -> Option<watch::Receiver<Arc<Policy>>>;

    /// Whether what lies where the policy belongs is not what is in force.
    fn refused(&self) -> Option<watch::Receiver<bool>>;

    /// Looks at what may have changed.
    ///
    /// # Errors
    /// It cannot be read, or people could not be told. The next look tries again.
    fn look(&mut self, now: Timestamp) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// A function that judges nobody.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Judging for Nothing {
    async fn start(
        _place: Option<&PolicyPlace>,
        _aws: Aws,
        _store: &Store,
        _notices: Notices,
        _now: Timestamp,
    ) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn current(&self) -> Option<watch::Receiver<Arc<Policy>>> {
        None
    }

    fn refused(&self) -> Option<watch::Receiver<bool>> {
        None
    }

    async fn look(&mut self, _now: Timestamp) -> anyhow::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) enum ByPolicy {
    Packaged(watch::Sender<Arc<Policy>>),
    Object(Box<PolicyObject>),
}

impl Judging for ByPolicy {
    async fn start(
        place: Option<&PolicyPlace>,
        aws: Aws,
        store: &Store,
        notices: Notices,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        match place {
            None => anyhow::bail!("GUESTLIST_POLICY is not set"),
            Some(PolicyPlace::File(path)) => {
                Ok(Self::Packaged(watch::Sender::new(Arc::new(load_policy(path)?))))
            }
            Some(PolicyPlace::Object { bucket, key }) => {
                let place = (bucket.clone(), key.clone());
                Ok(Self::Object(Box::new(PolicyObject::start(place, aws, store, notices, now).await?)))
            }
        }
    }

    fn current(&self) -> Option<watch::Receiver<Arc<Policy>>> {
        Some(match self {
            Self::Packaged(policy) => policy.subscribe(),
            Self::Object(object) => object.current.subscribe(),
        })
    }

    fn refused(&self) -> Option<watch::Receiver<bool>> {
        Some(match self {
            // A bad one does not start.
            Self::Packaged(_) => watch::Sender::new(false).subscribe(),
            Self::Object(object) => object.refused.subscribe(),
        })
    }

    async fn look(&mut self, now: Timestamp) -> anyhow::Result<()> {
        match self {
            Self::Packaged(_) => Ok(()),
            Self::Object(object) => object.look(now).await,
        }
    }
}
