//! What holds Guestlist back: a dated suspension of one rule for one guest, and the stop of all writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ObjectId, RuleId};

/// Suspends a rule for a guest until a moment, so that an undo stays undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub guest: ObjectId,
    pub rule: RuleId,
    pub until: Timestamp,
    pub by: String,
    pub reason: String,
    pub written_at: Timestamp,
}

/// All writes to the tenant are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub since: Timestamp,
    pub by: String,
    pub reason: String,
}
