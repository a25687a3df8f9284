//! What every judgement needs beside the guest: the policy in force, the operator's ceiling, our own domains.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use model::{ChannelName, Mode};
use policy::Policy;
use tokio::sync::watch;

use crate::Trouble;

/// The policy in force, the ceiling, and who is told.
#[derive(Debug, Clone)]
pub struct Rules {
    pub policy: watch::Receiver<Arc<Policy>>,
    pub ceiling: Mode,
    pub channels: Vec<ChannelName>,
}

impl Rules {
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }
}

/// Domains, and when they were read.
type Read = (Timestamp, Arc<[String]>);

/// Our own verified domains, read from Graph at most once an hour.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    read: Arc<Mutex<Option<Read>>>,
}

impl Directory {
    const KEEPS: SignedDuration = SignedDuration::from_hours(1);
    /// While Graph cannot be read, what was read before serves so long.
    const SERVES: SignedDuration = SignedDuration::from_hours(24);

    /// # Errors
    /// Graph could not be read, and nothing is known from the day before.
    pub async fn verified_domains(
        &self,
        reader: &graph::Reader,
        now: Timestamp,
    ) -> Result<Arc<[String]>, Trouble> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, domains)) = &known
            && now.duration_since(*read_at) < Self::KEEPS
        {
            return Ok(Arc::clone(domains));
        }
        match reader.organization().await {
            Ok(organization) => {
                let domains: Arc<[String]> = organization.verified_domains.into();
                *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&domains)));
                Ok(domains)
            }
            // Verified domains hardly ever change: yesterday's list is better than none, and last week's is not.
            Err(error) => match known {
                Some((read_at, domains)) if now.duration_since(read_at) < Self::SERVES => {
                    tracing::warn!("going on with the verified domains read before: {error}");
                    Ok(domains)
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }
}
