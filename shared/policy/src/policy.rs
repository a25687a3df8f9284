//! A policy that has been checked: every reference resolved, every word and date read. Only `compile` makes one, so that
//! judging has nothing left to refuse.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::{Action, GuestKind, Mode, ObjectId, Permission, RuleId, Severity};

use crate::conditions::{Condition, InviterMatcher, JoinsCondition};
use crate::domain::DomainMap;
use crate::expectation::Test;
use crate::group::Named;
use crate::problem::Problem;
use crate::reference::{GroupRefs, NameRef, Names, Nobody, Refers, unsettled};
use crate::span::Span;

/// The name of the rule that is broken by a guest whom no scenario admits.
pub(crate) const OTHERWISE_GUEST: &str = "otherwise.guest";
/// The name of the rule that is broken by a membership that no admitting scenario covers.
pub(crate) const OTHERWISE_MEMBERSHIP: &str = "otherwise.membership";

/// One policy file and the lists that it names, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) name: String,
    pub(crate) hash: String,
    pub(crate) mode: Mode,
    pub(crate) existing: Option<Existing>,
    pub(crate) partners: Partners,
    pub(crate) protected: BTreeSet<ObjectId>,
    pub(crate) protected_groups: GroupRefs,
    pub(crate) guardrails: Vec<Guardrail>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) otherwise: Option<Otherwise>,
    pub(crate) otherwise_membership: Option<Otherwise>,
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

    /// Whether a change of a group, or of who is in it, can change a verdict.
    #[must_use]
    pub fn looks_at_groups(&self) -> bool {
        self.otherwise_membership.is_some()
            || self.guardrails.iter().any(|guardrail| guardrail.joins.is_some())
            || self.heads().any(|head| head.actions.contains(&Action::LeaveGroups))
    }

    /// Whether it can matter who invited an account: [`crate::Facts::inviter`].
    #[must_use]
    pub fn looks_at_inviters(&self) -> bool {
        self.inviters().next().is_some()
    }

    /// The names that stand where ids belong. What they mean today goes into [`crate::Facts::named_groups`].
    #[must_use]
    pub fn group_names(&self) -> BTreeSet<String> {
        self.references().flat_map(|groups| &groups.names).map(|reference| reference.name.clone()).collect()
    }

    /// The names that do not mean one group today, each with its place in the file, in this order. A guardrail whose name no group bears
    /// finds nothing, and only this tells it.
    #[must_use]
    pub fn unsettled_names(&self, names: &BTreeMap<String, Named>) -> Vec<Problem> {
        let all = self.references().flat_map(|groups| &groups.names);
        let unsettled = all.filter_map(|NameRef { name, line, column }| {
            let named = names.get(name);
            (!matches!(named, Some(Named::One(_)))).then(|| Problem {
                file: self.name.clone(),
                line: *line,
                column: *column,
                message: unsettled(name, named),
                hint: None,
            })
        });
        let mut unsettled: Vec<Problem> = unsettled.collect();
        unsettled.sort_by_key(|problem| (problem.line, problem.column));
        unsettled
    }

    /// The same policy with its mode and that of every rule at `enforce`. `existing` stays, and the operator's ceiling is the
    /// caller's.
    #[must_use]
    pub fn with_every_rule_enforced(&self) -> Self {
        let mut enforced = Self { mode: Mode::Enforce, ..self.clone() };
        let guardrails = enforced.guardrails.iter_mut().map(|guardrail| &mut guardrail.head);
        let otherwise = [&mut enforced.otherwise, &mut enforced.otherwise_membership];
        let otherwise = otherwise.into_iter().flatten().map(|otherwise| &mut otherwise.head);
        for head in guardrails.chain(otherwise) {
            head.mode = None;
        }
        enforced
    }

    /// The same policy for those too who were there before.
    #[must_use]
    pub fn without_existing(&self) -> Self {
        Self { existing: None, ..self.clone() }
    }

    /// Every group that the file names by id.
    #[must_use]
    pub fn group_ids(&self) -> BTreeSet<ObjectId> {
        self.references().flat_map(|groups| groups.ids.keys().copied()).collect()
    }

    /// The rules that make findings, in the order of the file.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let otherwise = [&self.otherwise, &self.otherwise_membership];
        let otherwise = otherwise.into_iter().flatten().map(|otherwise| &otherwise.head);
        self.guardrails.iter().map(|guardrail| &guardrail.head).chain(otherwise)
    }

    /// Every place where groups are meant by id or by name.
    pub(crate) fn references(&self) -> impl Iterator<Item = &GroupRefs> {
        let scenarios = self.scenarios.iter().filter_map(|scenario| scenario.joins.as_ref());
        let inviters = self.inviters().filter_map(|inviter| inviter.group.as_ref());
        std::iter::once(&self.protected_groups)
            .chain(self.named_by_guardrails())
            .chain(scenarios)
            .chain(inviters)
    }

    /// Every place where inviters are meant.
    fn inviters(&self) -> impl Iterator<Item = &InviterMatcher> {
        let conditions = self.guardrails.iter().flat_map(|guardrail| &guardrail.conditions);
        let scenarios = self.scenarios.iter().filter_map(|scenario| scenario.inviters.as_ref());
        conditions.filter_map(Condition::inviter).chain(scenarios)
    }

    fn named_by_guardrails(&self) -> impl Iterator<Item = &GroupRefs> {
        let joins = self.guardrails.iter().filter_map(|guardrail| guardrail.joins.as_ref());
        joins.flat_map(|joins| joins.matcher.references())
    }

    /// Whether a guardrail names this group, whomever else it asks for.
    pub(crate) fn guardrails_name(&self, group: ObjectId, names: &Names) -> Refers {
        let mut unknown = Vec::new();
        for groups in self.named_by_guardrails() {
            match groups.refer_to(group, names, Nobody::MatchesNothing) {
                Refers::No => {}
                Refers::Unknown(mut reasons) => unknown.append(&mut reasons),
                Refers::Yes => return Refers::Yes,
            }
        }
        if unknown.is_empty() { Refers::No } else { Refers::Unknown(unknown) }
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
    /// Joined to them by "and": then each group has a finding of its own.
    pub(crate) joins: Option<JoinsCondition>,
}

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) id: RuleId,
    pub(crate) owner: Option<String>,
    /// Indices into [`Partners::all`]; `None` admits without regard to partners.
    pub(crate) partners: Option<BTreeSet<usize>>,
    pub(crate) kinds: BTreeSet<GuestKind>,
    /// Who must have invited the guest.
    pub(crate) inviters: Option<InviterMatcher>,
    /// At least so many.
    pub(crate) sponsors: Option<usize>,
    /// `None` covers every group.
    pub(crate) joins: Option<GroupRefs>,
    pub(crate) until: Option<LastDay>,
    /// How long after his creation it admits a guest.
    pub(crate) stay: Option<Span>,
    /// How long before an end people are told.
    pub(crate) notice: Span,
}

/// `otherwise.guest`, or `otherwise.membership`.
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
    /// Only for findings about this group.
    pub(crate) group: Option<ObjectId>,
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
