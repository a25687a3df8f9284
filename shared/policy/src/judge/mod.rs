//! The decision. Guardrails and scenarios are asked apart from each other, then what a finding may do is lowered step by
//! step: by modes, by protection, by exceptions. Every lowering leaves its reason in the finding.

mod admission;
mod bounds;
mod finding;
mod groups;
mod plan;
mod protection;
mod suspension;

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Action, Finding, Mode, Subject};

use self::admission::Admission;
use self::finding::Maker;
use crate::address::Address;
use crate::conditions::{Answer, Case, Condition};
use crate::facts::Facts;
use crate::group::Memberships;
use crate::kind::{Kind, kind_of};
use crate::policy::{Guardrail, Policy};
use crate::verdict::Verdict;

/// Judges one account. `ceiling` is the most that the operator allows. Cannot fail: what could not be read becomes a
/// finding that is `unknown`.
#[must_use]
pub fn judge(policy: &Policy, facts: &Facts, ceiling: Mode, now: Timestamp) -> Verdict {
    let kind = kind_of(facts);
    if kind == Kind::InternalMember {
        return Verdict::nothing_to_judge();
    }
    let case = Case::new(facts, kind, now);
    let admission = Admission::of(policy, &case);
    let maker = Maker { policy, case: &case, ceiling };
    let Found { findings, looked_at_groups } = find(&maker, &admission);
    let (mut findings, suspended) = suspension::split(policy, findings, &case, now);
    let leaves_all = findings.iter().any(|finding| finding.actions.contains(&Action::LeaveGroups));
    let wants_memberships = facts.memberships == Memberships::Unread && (looked_at_groups || leaves_all);
    let wants_standing = protection::refuse(policy, &mut findings, facts);
    let ends = suspended.iter().map(|held| held.until);
    let changes_at = ends.chain(admission.ends_at).min();
    Verdict {
        subject: subject(policy, &case),
        admitted_by: admission.by().cloned(),
        findings,
        suspended,
        wants_standing,
        wants_memberships,
        changes_at,
    }
}

/// What the rules say, before anything holds it back.
#[derive(Debug, Default)]
struct Found {
    /// In the order of the file.
    findings: Vec<Finding>,
    /// Whether a rule had to know the groups, read or not.
    looked_at_groups: bool,
}

fn find(maker: &Maker<'_>, admission: &Admission<'_>) -> Found {
    let Maker { policy, case, ceiling: _ } = maker;
    let mut found = Found::default();
    for rule in &policy.guardrails {
        match &rule.joins {
            None => found.findings.extend(maker.about_the_guest(&rule.head, rule.answer(case))),
            Some(joins) => groups::guardrail(maker, rule, joins, &mut found),
        }
    }
    if let Some(otherwise) = &policy.otherwise {
        let answer = admission.otherwise(otherwise, case);
        found.findings.extend(maker.about_the_guest(&otherwise.head, answer));
    }
    if let Some(otherwise) = &policy.otherwise_membership {
        groups::uncovered(maker, otherwise, admission, &mut found);
    }
    found
}

/// What protects the account from every act, in words that say what a person must do instead. A standing that was not
/// read protects nothing by itself: [`judge()`] refuses to act without it.
#[must_use]
pub fn protection(policy: &Policy, facts: &Facts) -> Option<String> {
    protection::protected(policy, facts)
}

impl Guardrail {
    /// What its conditions say about the guest himself.
    fn answer(&self, case: &Case<'_>) -> Answer {
        self.conditions
            .iter()
            .fold(Answer::Yes(Vec::new()), |answer, condition: &Condition| answer.and(condition.holds(case)))
    }
}

fn subject(policy: &Policy, case: &Case<'_>) -> Option<Subject> {
    let facts = case.facts;
    Some(Subject {
        id: facts.id,
        kind: case.could_be().first().copied()?,
        name: facts.name.clone(),
        addresses: case.addresses.identity_texts(),
        organisation: organisation(policy, case),
        sponsors: facts.sponsors.clone().unwrap_or_default(),
        created_at: facts.created_at,
        enabled: facts.enabled,
    })
}

/// The partner that each identity address is of, else its domain. Sorted, because Graph gives them in no order.
fn organisation(policy: &Policy, case: &Case<'_>) -> Option<String> {
    let name = |address: &Address| {
        let partner =
            policy.partners.of(address.domain()).first().and_then(|index| policy.partners.all.get(*index));
        partner.map_or_else(|| address.domain().to_owned(), |partner| partner.name.clone())
    };
    let names: BTreeSet<String> = case.addresses.identity.iter().map(name).collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(" and "))
}
