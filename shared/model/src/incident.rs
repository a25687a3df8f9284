//! One finding's life. At most one incident is open per tenant, guest, rule and object; what may happen to it is in
//! `transition.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    ChannelName, Correlation, Delivery, Finding, Identity, IncidentId, ObjectId, Plan, RequestId, RuleId,
    Slot, Step, Subject, TenantId,
};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IncidentKey {
    pub tenant: TenantId,
    pub guest: ObjectId,
    pub rule: RuleId,
    /// The group, where the finding is about a membership.
    pub object: Option<ObjectId>,
}

impl IncidentKey {
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::of(self.guest, &self.rule, self.object)
    }
}

/// What an undo that is under way needs when somebody else has to finish it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingUndo {
    /// The writes that reverse ours, in order.
    pub steps: Vec<Step>,
    /// Who gets it back: who the account was when the undo was judged.
    pub identity: Option<Identity>,
    pub force: bool,
    /// Since when Graph has known nothing of a group that he is to be put back into.
    #[serde(default)]
    pub group_missing_since: Option<Timestamp>,
    /// What the groups were like that he is to be put back into, when the undo was judged.
    #[serde(default)]
    pub groups: BTreeMap<ObjectId, String>,
    /// The moment of the deletion that it reverses, as Entra gives it: a later one is somebody else's.
    #[serde(default)]
    pub deleted_at: Option<Timestamp>,
}

/// Somebody decided that a plan is to be carried out: this one, and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
    pub plan: Plan,
    /// Who the account was: nobody approved of it for whoever the account becomes.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// It was carried out, or could not be: it serves no second time.
    pub spent: bool,
    /// Whose answer it is. An earlier version did not keep it.
    #[serde(default)]
    pub request: Option<RequestId>,
}

/// A step that a read has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Achieved {
    pub step: Step,
    pub done_at: Timestamp,
    /// What was done up to this moment was put back by somebody, and is not ours to undo any more.
    pub put_back: Option<Timestamp>,
    /// It was so before we came: no undo reverses it.
    #[serde(default)]
    pub found_so: bool,
    /// When we did it before and somebody put it back, the latest last. Those of long ago are forgotten.
    #[serde(default)]
    pub earlier: Vec<Timestamp>,
}

impl Achieved {
    /// When we did it.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = Timestamp> {
        let last = (!self.found_so).then_some(self.done_at);
        self.earlier.iter().copied().chain(last)
    }
}

/// Whether `remediate` has been told that this incident waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "wake")]
pub enum Wake {
    /// Nothing is to be done.
    None,
    /// To be told at this moment.
    Due { at: Timestamp },
    /// Told, to come at this moment. If nobody claims it, it is told again.
    Sent { at: Timestamp },
}

/// Who works on it holds it until then; past that another may take it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Recorded. With a wake that is due or sent, `remediate` will act; without one, people have been told and that is all.
    Open,
    /// Somebody has to approve until then.
    Waiting {
        since: Timestamp,
        until: Timestamp,
    },
    Claimed {
        lease: Lease,
    },
    /// The write was accepted, and no read has shown it yet.
    Sent {
        since: Timestamp,
        look_again_at: Timestamp,
    },
    /// A read shows what the plan wanted.
    Done {
        at: Timestamp,
    },
    /// Some of it is done, and the rest is for a person.
    Partly {
        at: Timestamp,
        why: String,
    },
    /// Not tried: a person must do it.
    Refused {
        why: String,
    },
    /// Tried, and Graph would not.
    Failed {
        why: String,
    },
    /// An undo was accepted, and no read has shown it yet.
    Undoing {
        since: Timestamp,
        look_again_at: Timestamp,
        by: String,
        reason: String,
    },
    Undone {
        at: Timestamp,
        by: String,
        reason: String,
    },
    /// Somebody decided that it is not to be done.
    Rejected {
        at: Timestamp,
        by: String,
        reason: String,
    },
    /// Nobody decided in time.
    Expired {
        at: Timestamp,
    },
    /// The finding is gone.
    Resolved {
        at: Timestamp,
        why: String,
    },
}

impl State {
    /// The state's name, as it is shown and filtered by.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting { .. } => "waiting",
            Self::Claimed { .. } => "claimed",
            Self::Sent { .. } => "sent",
            Self::Done { .. } => "done",
            Self::Partly { .. } => "partly",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Undoing { .. } => "undoing",
            Self::Undone { .. } => "undone",
            Self::Rejected { .. } => "rejected",
            Self::Expired { .. } => "expired",
            Self::Resolved { .. } => "resolved",
        }
    }

    /// Since when it waits for somebody's decision, and until when, if it does.
    #[must_use]
    pub fn waits(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Waiting { since, until } => Some((*since, *until)),
            Self::Open
            | Self::Claimed { .. }
            | Self::Sent { .. }
            | Self::Done { .. }
            | Self::Partly { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Undoing { .. }
            | Self::Undone { .. }
            | Self::Rejected { .. }
            | Self::Expired { .. }
            | Self::Resolved { .. } => None,
        }
    }

    /// Some of it was tried, and Graph would not.
    pub(crate) fn is_failing(&self) -> bool {
        match self {
            Self::Failed { .. } | Self::Partly { .. } => true,
            Self::Open
            | Self::Waiting { .. }
            | Self::Claimed { .. }
            | Self::Sent { .. }
            | Self::Done { .. }
            | Self::Refused { .. }
            | Self::Undoing { .. }
            | Self::Undone { .. }
            | Self::Rejected { .. }
            | Self::Expired { .. }
            | Self::Resolved { .. } => false,
        }
    }

    /// A closed incident stays as it is: the same finding opens another one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Undone { .. } | Self::Rejected { .. } | Self::Expired { .. } | Self::Resolved { .. } => {
                true
            }
            Self::Open
            | Self::Waiting { .. }
            | Self::Claimed { .. }
            | Self::Sent { .. }
            | Self::Done { .. }
            | Self::Partly { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Undoing { .. } => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub key: IncidentKey,
    pub correlation: Correlation,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// How often the finding was met.
    pub seen: u32,
    pub subject: Subject,
    pub finding: Finding,
    pub state: State,
    pub wake: Wake,
    /// Failures in a row that were worth another try.
    pub attempts: u32,
    /// A worker had it and has given it back: what he sent may be done, although nobody has read it.
    #[serde(default)]
    pub begun: bool,
    /// The last request to reject or undo it that was taken up.
    #[serde(default)]
    pub served: Option<RequestId>,
    /// Since when Graph would not do it, whatever was tried again since.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// What remains although the plan was carried out.
    pub left_over: Vec<String>,
    /// The rule whose incident speaks for this one, too: the same guest breaks both, and both ask for the same.
    pub told_with: Option<RuleId>,
    /// The rules that this one speaks for, the other way round.
    #[serde(default)]
    pub speaks_for: BTreeSet<RuleId>,
    /// The steps that a read has shown.
    #[serde(default)]
    pub achieved: Vec<Achieved>,
    #[serde(default)]
    pub approval: Option<Approval>,
    /// Why it waits for somebody although the rule's mode would let it act.
    #[serde(default)]
    pub waits_because: Option<String>,
    #[serde(default)]
    pub undo: Option<PendingUndo>,
    /// The state that people were last told, so that they are told a change and nothing else.
    pub told: Option<String>,
    pub deliveries: Vec<Delivery>,
    /// Where its message stands, in a channel that shows later states in the same place.
    #[serde(default)]
    pub posted: BTreeMap<ChannelName, String>,
}

impl Incident {
    /// How long a wake may go unanswered before it is sent again.
    pub const WAKE_LOST_AFTER: SignedDuration = SignedDuration::from_mins(2);

    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.finding.plan
    }

    /// Until when whoever works on it may write. Past that another may have taken it over.
    #[must_use]
    pub fn held_until(&self) -> Option<Timestamp> {
        match &self.state {
            State::Claimed { lease } => Some(lease.until),
            State::Undoing { look_again_at, .. } => Some(*look_again_at),
            State::Open
            | State::Waiting { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => None,
        }
    }

    /// A worker is at it, or is still to come. Whoever was interrupted finds out whether what has changed was his doing.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        match &self.state {
            State::Claimed { .. } | State::Sent { .. } => true,
            State::Open => !matches!(self.wake, Wake::None),
            State::Waiting { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undoing { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => false,
        }
    }

    /// Whether a worker has had it since it was woken. An earlier version noted failures only.
    #[must_use]
    pub fn was_begun(&self) -> bool {
        self.begun || self.attempts > 0
    }

    /// Whether what the step did at `at` is still ours to undo.
    #[must_use]
    pub fn is_in_force(&self, step: Step, at: Timestamp) -> bool {
        let achieved = self.achieved.iter().find(|achieved| achieved.step == step);
        achieved.and_then(|achieved| achieved.put_back).is_none_or(|put_back| at > put_back)
    }

    /// When somebody has to look at this incident again, if nothing else happens.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let wake = match self.wake {
            Wake::None => None,
            Wake::Due { at } => Some(at),
            Wake::Sent { at } => at.checked_add(Self::WAKE_LOST_AFTER).ok(),
        };
        let state = match &self.state {
            State::Claimed { lease } => Some(lease.until),
            State::Sent { look_again_at, .. } | State::Undoing { look_again_at, .. } => Some(*look_again_at),
            State::Waiting { since: _, until } => Some(*until),
            State::Open
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => None,
        };
        let told = self.deliveries.iter().filter_map(Delivery::due_at).min();
        [wake, state, told].into_iter().flatten().min()
    }
}
