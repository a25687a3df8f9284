//! One finding's life. At most one incident is open per tenant, guest, rule and object; what may happen to it is in
//! `transition.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Action, ChannelName, Correlation, Delivery, IncidentId, Mode, ObjectId, Plan, RuleId, Severity, Slot,
    Step, TenantId,
};

/// What kind of outsider a user object is, told from `identities` and `userType` and from nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestKind {
    /// External identity, `userType` Guest.
    Guest,
    /// External identity, `userType` Member: cross-tenant synchronisation makes these.
    ExternalMember,
    /// Credentials of this tenant, `userType` Guest.
    LocalGuest,
}

impl GuestKind {
    pub const ALL: [Self; 3] = [Self::Guest, Self::ExternalMember, Self::LocalGuest];

    /// The word in the policy file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::ExternalMember => "external-member",
            Self::LocalGuest => "local-guest",
        }
    }
}

impl fmt::Display for GuestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "guest",
            Self::ExternalMember => "external member",
            Self::LocalGuest => "local guest",
        })
    }
}

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

/// A user or group that answers for a guest. The inviter could choose it: a hint, never a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SponsorName {
    pub id: ObjectId,
    pub name: Option<String>,
}

/// The guest as people are told about him. Written by whoever he is: escape it wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub id: ObjectId,
    pub kind: GuestKind,
    pub name: Option<String>,
    /// His identity addresses, normalised. A change of these is a change of identity.
    pub addresses: Vec<String>,
    /// The partner's name in the policy, else the domain of an identity address.
    pub organisation: Option<String>,
    pub sponsors: Vec<SponsorName>,
    pub created_at: Option<Timestamp>,
    /// `accountEnabled`, where it could be read.
    pub enabled: Option<bool>,
}

/// Who an account is: another kind or other addresses are somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub kind: GuestKind,
    pub addresses: Vec<String>,
}

impl Subject {
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { kind: self.kind, addresses: self.addresses.clone() }
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
}

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
}

/// A step that a read has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Achieved {
    pub step: Step,
    pub done_at: Timestamp,
    /// What was done up to this moment was put back by somebody, and is not ours to undo any more.
    pub put_back: Option<Timestamp>,
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
