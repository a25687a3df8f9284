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
    /// The earliest moment at which time alone may change this verdict.
    pub changes_at: Option<Timestamp>,
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
