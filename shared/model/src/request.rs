//! What an operator asks for. The command line writes it into the store and the running process acts, so that no
//! second process needs the credential that writes.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{IncidentId, PlanHash};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub String);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: RequestId,
    pub kind: RequestKind,
    /// The operating system's user who asked.
    pub by: String,
    pub reason: String,
    pub asked_at: Timestamp,
    pub state: RequestState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum RequestKind {
    /// Reverse what was done, and suspend the rule for this guest for so long.
    Undo { incident: IncidentId, suspend_for: SignedDuration, force: bool },
    /// Carry out the plan that waits, if it still is the one that the approver saw.
    Approve { incident: IncidentId, plan: PlanHash },
    /// Do not carry it out, and do not ask again for so long.
    Reject { incident: IncidentId, suspend_for: SignedDuration },
    /// Act again without asking. What waits goes on waiting.
    ResetBreaker,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RequestState {
    Waiting,
    Answered { at: Timestamp, answer: Answer },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    Done {
        text: String,
    },
    /// Accepted by Graph, and no read has shown it yet.
    Sent {
        text: String,
    },
    Refused {
        why: String,
    },
    Failed {
        why: String,
    },
}
