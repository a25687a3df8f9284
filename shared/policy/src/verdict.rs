//! What judging says.

use jiff::Timestamp;
use model::{Finding, RuleId, Subject};

/// What the policy says about one account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `None`: an internal member, about whom a policy says nothing. Where the kind is unknown, the likeliest is named.
    pub subject: Option<Subject>,
    /// The first scenario that admits the guest.
    pub admitted_by: Option<RuleId>,
    /// In the order of the file; those of one rule in the order of the groups' ids.
    pub findings: Vec<Finding>,
    /// Findings that an exception or a suspension holds back.
    pub suspended: Vec<Held>,
    /// The directory roles and role-assignable groups decide whether something may be done, and have not been read.
    pub wants_standing: bool,
    /// A rule looks at groups, or would take the guest out of his, and they have not been read. Until they are, such rules
    /// have no findings: that says nothing.
    pub wants_memberships: bool,
    /// A finding is unknown, or an end may be none, only because who invited the account has not been read.
    pub wants_inviter: bool,
    /// The account is admitted, and will not be for ever. `None` also where no rule asks whether it is.
    pub ends: Option<Ends>,
    /// The moment at which time alone changes this verdict.
    pub changes_at: Option<Timestamp>,
}

/// The end of what admits an account: of a partner, of a scenario, or of a stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// The scenario that admits the account longest.
    pub rule: RuleId,
    /// From this moment on no scenario admits it.
    pub at: Timestamp,
    /// What ends then, and on which day or after how long.
    pub why: String,
    /// It is the end of this account's stay. Any other is one for all whom the same partner or scenario admits.
    pub own: bool,
    /// Whether it is time to tell people: the scenario's `notice` has begun. A verdict in which this is not so yet changes when
    /// it is.
    pub soon: bool,
}

impl Verdict {
    /// Whether something would be done to this account now, without asking anybody.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.findings.iter().any(Finding::acts)
    }

    pub(crate) fn nothing_to_judge() -> Self {
        Self {
            subject: None,
            admitted_by: None,
            findings: Vec::new(),
            suspended: Vec::new(),
            wants_standing: false,
            wants_memberships: false,
            wants_inviter: false,
            ends: None,
            changes_at: None,
        }
    }
}

/// A finding that is suspended for this guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub finding: Finding,
    /// From this moment on it is a finding again.
    pub until: Timestamp,
    /// Who suspended it.
    pub by: String,
    /// Why, or where that was decided.
    pub reason: String,
}
