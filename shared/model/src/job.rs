//! What lies in the queues: wake-ups that carry ids. What is true lies in the ledger.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change, ChannelName, Correlation, IncidentId, RequestId, SubscriptionId, Watched};

/// How often an object was looked for in vain, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub count: u32,
    pub since: Timestamp,
}

/// Something for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "job")]
pub enum Job {
    /// Look at an object. `missing` counts the times that Graph did not know it.
    Assess { change: Change, missing: Option<Attempt> },
    /// A notification that an earlier version could not read, from the dead letters, without its clientState.
    Reread { item: String, watched: Watched },
    /// Carry out an incident's plan, as the ledger has it.
    Remediate { incident: IncidentId, correlation: Correlation },
    /// Do what an operator asked for, as the ledger has it.
    Serve { request: RequestId },
    /// Tell people.
    Tell { about: AlertJob, channel: ChannelName },
    /// A subscription is to be looked at: Graph said so.
    Lifecycle { subscription: SubscriptionId, event: String, correlation: Correlation },
}

impl Job {
    /// The id of the change that this goes back to, where it goes back to one.
    #[must_use]
    pub fn correlation(&self) -> Option<Correlation> {
        match self {
            Self::Assess { change, missing: _ } => Some(change.correlation),
            Self::Remediate { incident: _, correlation }
            | Self::Lifecycle { subscription: _, event: _, correlation } => Some(*correlation),
            Self::Reread { item: _, watched: _ }
            | Self::Serve { request: _ }
            | Self::Tell { about: _, channel: _ } => None,
        }
    }
}

/// What people are to be told about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertJob {
    Incident(IncidentId),
    /// A notice's key.
    Notice(String),
    /// All that the channel's roll-up holds.
    RollUp,
}
