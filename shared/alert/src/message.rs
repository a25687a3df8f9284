//! A message as a value: what it is about, in words that no product's markup has touched.
//! Never here: how a channel shows it, and where it goes.

use jiff::Timestamp;
use model::{
    Correlation, GuestKind, IncidentId, Mode, NoticeKind, ObjectId, PlanHash, RolledUp, RuleId, Severity,
    Step, TenantId,
};
use serde::Serialize;

use crate::section::Piece;

/// Something that people are told. Made by [`crate::about_incident`] and its like, which see to it that every text in
/// it is one line in which every character shows; a channel has still to escape it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The same over retries, so that a receiver can tell a second delivery from a second event. Holds no `.`.
    pub id: String,
    pub kind: Kind,
    pub severity: Severity,
    /// What a phone shows.
    pub headline: String,
    /// When it came to be so.
    pub at: Timestamp,
    pub about: About,
    /// The headline with what others wrote told apart from what we did.
    pub(crate) headline_pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Incident(Box<IncidentReport>),
    Notice(NoticeReport),
    RollUp(RollUpReport),
}

/// The type of an event, as receivers of the signed webhook filter by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A rule is broken. Nothing was done, or not yet.
    Finding,
    /// Something could not be read, so that a rule may or may not be broken.
    Unknown,
    /// Somebody has to approve or reject it first.
    Waiting,
    /// A worker is at it, or the write was accepted and no read shows it yet.
    Acting,
    /// Done and read back, or so before.
    Done,
    /// Some of it is done and read back, and the rest is for a person.
    Partly,
    /// Not tried: a person must do it.
    Refused,
    /// Tried, and Graph would not.
    Failed,
    /// An undo was accepted, and no read shows it yet.
    Undoing,
    Undone,
    /// Somebody decided that it is not to be done.
    Rejected,
    /// Nobody decided in time. Nothing was done.
    Expired,
    /// The finding is gone.
    Resolved,
    /// About Guestlist itself or its surroundings.
    Notice,
    /// Several alerts in one.
    RollUp,
}

impl Kind {
    /// Letters, digits, `_` and `.` only, as Standard Webhooks wants it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Finding => "guest.finding",
            Self::Unknown => "guest.unknown",
            Self::Waiting => "guest.waiting",
            Self::Acting => "guest.acting",
            Self::Done => "guest.done",
            Self::Partly => "guest.partly",
            Self::Refused => "guest.refused",
            Self::Failed => "guest.failed",
            Self::Undoing => "guest.undoing",
            Self::Undone => "guest.undone",
            Self::Rejected => "guest.rejected",
            Self::Expired => "guest.expired",
            Self::Resolved => "guest.resolved",
            Self::Notice => "guestlist.notice",
            Self::RollUp => "guestlist.roll_up",
        }
    }

    /// Whether nothing more happens until somebody does something.
    #[must_use]
    pub fn asks_for_a_person(self) -> bool {
        match self {
            Self::Unknown | Self::Waiting | Self::Partly | Self::Refused | Self::Failed | Self::Expired => {
                true
            }
            Self::Finding
            | Self::Acting
            | Self::Done
            | Self::Undoing
            | Self::Undone
            | Self::Rejected
            | Self::Resolved
            | Self::Notice
            | Self::RollUp => false,
        }
    }
}

/// The answers that an alert about a guest owes its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncidentReport {
    pub incident: IncidentId,
    pub tenant: TenantId,
    pub correlation: Correlation,
    /// The state's name.
    pub state: &'static str,
    pub opened_at: Timestamp,
    /// How often the finding was met.
    pub seen: u32,
    pub who: Who,
    pub rule: RuleId,
    /// The group, where the finding is about a membership.
    pub group: Option<Group>,
    /// What the guest is in that group, as far as the plan tells: `member`, `owner`.
    pub relations: Vec<&'static str>,
    /// The rule's own `why`.
    pub why: Option<String>,
    /// What was seen that breaks the rule.
    pub reasons: Vec<String>,
    /// Whether it could be checked at all.
    pub unknown: bool,
    pub mode: Mode,
    /// What lowered the mode.
    pub held_back: Vec<String>,
    /// What the rule asks for, in the words of the policy file.
    pub actions: Vec<String>,
    /// Whether `done` tells what would be done instead of what was.
    pub hypothetical: bool,
    /// What was done, would be done, or why nothing was.
    pub done: String,
    /// Each write that the rule asks for, in order, and what became of it.
    pub steps: Vec<StepReport>,
    /// Names the plan that these steps are: an approval is for it and for no other.
    pub plan: PlanHash,
    /// What a person must do, where we cannot.
    pub must: Option<String>,
    /// The parts of what the rule asks for that only a person can do, each with what he must do.
    pub by_hand: Vec<String>,
    /// Who decided that it is to be done.
    pub approval: Option<ApprovalReport>,
    /// What remains although the plan was carried out.
    pub left_over: Vec<String>,
    /// The commands that decide, while it waits for that.
    pub decide: Option<Decide>,
    /// The command that reverses it, where there is something of ours to reverse.
    pub undo: Option<String>,
    /// The command that shows all of it.
    pub show: String,
    /// Where it can be looked at, if anywhere. Whoever has the address sees it, for as long as it is good.
    pub page: Option<String>,
    /// Graph's `request-id`s of the writes, for a support case.
    pub requests: Vec<String>,
}

/// A group. Its name was written by its owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: ObjectId,
    pub name: Option<String>,
}

/// One write to the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    pub step: Step,
    pub group: Option<Group>,
    pub progress: Progress,
    /// What became of it, in a sentence.
    pub text: String,
}

/// How far a step came. Never further than a read or an answer of Graph has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Nothing was sent.
    NotDone,
    /// Sent, and no read has shown it yet.
    Sent,
    /// Sent, and a read has shown it.
    Done,
    /// It was so before. Nothing had to be changed.
    AlreadySo,
    /// It was done, and somebody changed it back.
    PutBack,
    /// It was done, and an undo was read back.
    Undone,
    Refused,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalReport {
    pub by: String,
    pub reason: String,
    pub at: Timestamp,
}

/// Two commands, of which one is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decide {
    pub approve: String,
    pub reject: String,
    pub until: Timestamp,
}

/// The guest. All but the ids and the kind was written by whoever he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    pub id: ObjectId,
    pub kind: GuestKind,
    pub name: Option<String>,
    pub addresses: Vec<String>,
    pub organisation: Option<String>,
    pub sponsors: Vec<Sponsor>,
    pub created_at: Option<Timestamp>,
    /// `accountEnabled`, where it could be read.
    pub enabled: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sponsor {
    pub id: ObjectId,
    pub name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoticeReport {
    /// The same trouble has the same key.
    pub key: String,
    pub notice: NoticeKind,
    pub text: String,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// What a person should do about it.
    pub must: Option<&'static str>,
    pub command: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RollUpReport {
    /// When it was to be told.
    pub due: Timestamp,
    /// The worst first.
    pub lines: Vec<RolledUp>,
    /// How many others the next one tells.
    pub follow: usize,
}

impl Message {
    /// With the address of its page, where it is about an incident.
    #[must_use]
    pub fn with_page(mut self, address: String) -> Self {
        match &mut self.about {
            About::Incident(report) => report.page = Some(address),
            About::Notice(_) | About::RollUp(_) => {}
        }
        self
    }
}

/// A moment as people read it, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(crate) fn first_letter_up(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |c| c.to_uppercase().chain(characters).collect())
}
