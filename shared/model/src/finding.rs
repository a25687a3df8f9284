//! What judging says of one rule and one guest, and what it would do about it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Action, Mode, ObjectId, Plan, RuleId, Severity};

/// One rule that a guest breaks, or may break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub rule: RuleId,
    pub object: Option<ObjectId>,
    pub severity: Severity,
    /// The rule's own `why`.
    pub why: Option<String>,
    /// What was seen that breaks the rule, in words.
    pub reasons: Vec<String>,
    /// The effective mode: the lowest of the rule's, the file's, that for guests who were there before, and the ceiling.
    pub mode: Mode,
    /// What lowered the mode, in words.
    pub held_back: Vec<String>,
    pub actions: Vec<Action>,
    /// What would be written to the tenant if nothing held it back.
    #[serde(default)]
    pub plan: Plan,
    /// What the rule asks for and only a person can do, with what he must do.
    #[serde(default)]
    pub by_hand: Vec<String>,
    /// What the groups are called that the finding or its plan is about. Written by their owners: escape it wherever it is
    /// shown.
    #[serde(default)]
    pub names: BTreeMap<ObjectId, String>,
    /// Something could not be read, so that this may or may not be a breach. Told, never acted on.
    pub unknown: bool,
    /// The subject is protected: told with what a person must do, never acted on.
    pub refused: Option<String>,
}

impl Finding {
    /// Whether it may be acted on without asking anybody.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.mode == Mode::Enforce && self.may_write()
    }

    /// Whether it may be acted on once somebody approves.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.mode == Mode::Ask && self.may_write()
    }

    fn may_write(&self) -> bool {
        !self.unknown && self.refused.is_none() && !self.plan.is_empty()
    }
}
