//! A policy that has been checked: every reference resolved, every word and date read. Only `compile` makes one, so that
//! judging has nothing left to refuse.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Action, GuestKind, Mode, ObjectId, Permission, RuleId, Severity};

use crate::conditions::Condition;
use crate::domain::DomainMap;
use crate::expectation::Test;

/// The name of the rule that is broken by a guest whom no scenario admits.
pub(crate) const OTHERWISE_GUEST: &str = "otherwise.guest";

/// One policy file and the lists that it names, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) hash: String,
    pub(crate) mode: Mode,
    pub(crate) existing: Option<Existing>,
    pub(crate) partners: Partners,
    pub(crate) protected: BTreeSet<ObjectId>,
    pub(crate) guardrails: Vec<Guardrail>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) otherwise: Option<Otherwise>,
    pub(crate) exceptions: HashMap<ObjectId, Vec<Exception>>,
    pub(crate) tests: Vec<Test>,
}

impl Policy {
    /// Sixteen hexadecimal digits that change with the text of the file and of every list file.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The file's own `mode`.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Every action that a rule names, whatever the rule's mode: raising a mode needs no new consent.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<Action> {
        self.heads().flat_map(|head| head.actions.iter().copied()).collect()
    }

    /// What the app that writes needs for [`Self::actions`].
    #[must_use]
    pub fn write_permissions(&self) -> BTreeSet<Permission> {
        self.actions().into_iter().flat_map(Action::permissions).copied().collect()
    }

    /// The ids under `protect.users`.
    #[must_use]
    pub fn protected_users(&self) -> &BTreeSet<ObjectId> {
        &self.protected
    }

    /// The guests under `exceptions`.
    #[must_use]
    pub fn excepted_guests(&self) -> BTreeSet<ObjectId> {
        self.exceptions.keys().copied().collect()
    }

    /// The rules that make findings, in the order of the file.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let otherwise = self.otherwise.as_ref().map(|otherwise| &otherwise.head);
        self.guardrails.iter().map(|guardrail| &guardrail.head).chain(otherwise)
    }
}

/// What all rules that make findings have in common.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) id: RuleId,
    pub(crate) why: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) mode: Option<Mode>,
    pub(crate) actions: Vec<Action>,
}

#[derive(Debug, Clone)]
pub(crate) struct Guardrail {
    pub(crate) head: Head,
    /// Joined by "and". One of them is about the kind, written or implied.
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) id: RuleId,
    pub(crate) owner: Option<String>,
    /// Indices into [`Partners::all`]; `None` admits without regard to partners.
    pub(crate) partners: Option<BTreeSet<usize>>,
    pub(crate) kinds: BTreeSet<GuestKind>,
}

#[derive(Debug, Clone)]
pub(crate) struct Otherwise {
    pub(crate) head: Head,
    /// B2B guests, and those kinds that a scenario speaks of.
    pub(crate) kinds: BTreeSet<GuestKind>,
}

#[derive(Debug, Clone)]
pub(crate) struct Partner {
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) until: Option<LastDay>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Partners {
    pub(crate) all: Vec<Partner>,
    /// Indices into `all`.
    pub(crate) by_domain: DomainMap<Vec<usize>>,
}

impl Partners {
    /// The partners one of whose patterns matches this normalised domain.
    pub(crate) fn of(&self, domain: &str) -> BTreeSet<usize> {
        self.by_domain.matches(domain).flat_map(|(_, partners)| partners.iter().copied()).collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Exception {
    pub(crate) rules: BTreeSet<RuleId>,
    pub(crate) until: LastDay,
    pub(crate) ticket: Option<String>,
    pub(crate) approved_by: Option<String>,
}

/// At most `mode` for guests created before a moment, or at no known one.
#[derive(Debug, Clone)]
pub(crate) struct Existing {
    pub(crate) before: Timestamp,
    pub(crate) day: Date,
    pub(crate) mode: Mode,
}

/// Something holds through this day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastDay(pub(crate) Date);

impl LastDay {
    /// The first moment at which it no longer holds.
    pub(crate) fn end(self) -> Timestamp {
        self.0.tomorrow().ok().and_then(start_of).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn is_over(self, now: Timestamp) -> bool {
        now >= self.end()
    }
}

impl fmt::Display for LastDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Midnight UTC.
pub(crate) fn start_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
