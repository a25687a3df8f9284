//! What holds Guestlist back: a dated suspension of one rule for one guest, and the stop of all writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ObjectId, RuleId};

/// Suspends a rule for a guest until a moment, so that an undo stays undone and a rejected plan is not asked for again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub guest: ObjectId,
    pub rule: RuleId,
    /// Only in this group; everywhere where there is none.
    #[serde(default)]
    pub object: Option<ObjectId>,
    pub until: Timestamp,
    pub by: String,
    pub reason: String,
    pub written_at: Timestamp,
}

impl Suspension {
    /// Whether it holds a finding of this rule about this object back.
    #[must_use]
    pub fn covers(&self, guest: ObjectId, rule: &RuleId, object: Option<ObjectId>) -> bool {
        self.guest == guest && self.rule == *rule && (self.object.is_none() || self.object == object)
    }
}

/// All writes to the tenant are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub since: Timestamp,
    pub by: String,
    pub reason: String,
}
