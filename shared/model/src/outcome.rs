//! What a step did. Only `remediate` writes these, so that nothing else can forge what an undo relies on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Identity, IncidentId, Step};

/// One step of one incident, as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub incident: IncidentId,
    pub step: Step,
    /// What the step changes, as it was read before the write: whether the account was there or enabled, or whether he was a
    /// member or an owner. An undo restores only what was recorded here.
    #[serde(alias = "enabled_before")]
    pub before: Option<bool>,
    /// Who the account was when the write was judged. An undo for somebody else is refused.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// What the group was like when the write was judged: an undo puts nobody back into one that has changed since.
    #[serde(default)]
    pub group: Option<String>,
    pub result: StepResult,
    pub at: Timestamp,
    /// Graph answered that it was so already: what a read then shows is not what this write did, and no undo reverses it.
    #[serde(default)]
    pub found_so: bool,
    /// Graph's `request-id` of the write, for a support case.
    pub request: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum StepResult {
    /// Written down before the write is sent: after a crash it says that the write may have happened.
    Intended,
    /// Turned away before it was carried out. It is tried again.
    TurnedAway { why: String },
    /// It was so before; nothing was sent.
    AlreadySo,
    /// Sent, and a read showed it.
    Done,
    /// Sent, or perhaps sent, and no read has shown it in its time: it was not done, or somebody changed it back at once.
    NeverShown,
    /// Sent and accepted, but no read has shown it yet.
    Sent,
    /// Not tried: a person must do it, and `why` says what and for what reason.
    Refused { why: String },
    /// Tried, and Graph would not.
    Failed { why: String },
}

impl StepResult {
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::TurnedAway { why: _ } => "turned-away",
            Self::AlreadySo => "already-so",
            Self::Done => "done",
            Self::NeverShown => "never-shown",
            Self::Sent => "sent",
            Self::Refused { why: _ } => "refused",
            Self::Failed { why: _ } => "failed",
        }
    }

    /// The write was sent, or may have been.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        match self {
            Self::Intended | Self::Sent | Self::Done => true,
            Self::TurnedAway { why: _ }
            | Self::NeverShown
            | Self::AlreadySo
            | Self::Refused { why: _ }
            | Self::Failed { why: _ } => false,
        }
    }
}

impl Outcome {
    /// It was sent, or may have been, and no read has shown it yet.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        matches!(self.result, StepResult::Intended | StepResult::Sent)
    }

    /// We changed something, or may have: what the step wants was not so before.
    #[must_use]
    pub fn changed_something(&self) -> bool {
        self.result.was_sent() && !self.found_so
    }

    /// We took, or may have taken, something that was there before. An undo reverses these, and no others.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.changed_something() && self.before == Some(true) && self.step.takes_away()
    }

    /// A read showed that the other step is put back.
    #[must_use]
    pub fn reverses(&self, step: Step) -> bool {
        self.step == step.undo() && matches!(self.result, StepResult::Done | StepResult::AlreadySo)
    }
}
