//! The decision. Guardrails and scenarios are asked apart from each other, then what a finding may do is lowered step by
//! step: by modes, by protection, by exceptions. Every lowering leaves its reason in the finding.

mod admission;
mod bounds;
mod protection;
mod suspension;

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Finding, Mode, Subject};

use self::admission::Admission;
use crate::address::Address;
use crate::conditions::{Answer, Case, Condition};
use crate::facts::Facts;
use crate::kind::{Kind, kind_of};
use crate::policy::{Guardrail, Head, Policy};
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
    let mut findings: Vec<Finding> = policy
        .guardrails
        .iter()
        .filter_map(|rule| finding(policy, &rule.head, rule.answer(&case), facts, ceiling))
        .collect();
    if let Some(otherwise) = &policy.otherwise {
        let answer = admission.otherwise(otherwise, &case);
        findings.extend(finding(policy, &otherwise.head, answer, facts, ceiling));
    }
    let (mut findings, suspended) = suspension::split(policy, findings, facts, now);
    let wants_standing = protection::refuse(policy, &mut findings, facts);
    let ends = suspended.iter().map(|held| held.until);
    let changes_at = ends.chain(admission.ends_at).min();
    Verdict {
        subject: subject(policy, &case),
        admitted_by: admission.by,
        findings,
        suspended,
        wants_standing,
        changes_at,
    }
}

/// What protects the account from every act, in words that say what a person must do instead. A standing that was not
/// read protects nothing by itself: [`judge()`] refuses to act without it.
#[must_use]
pub fn protection(policy: &Policy, facts: &Facts) -> Option<String> {
    protection::protected(policy, facts)
}

impl Guardrail {
    fn answer(&self, case: &Case<'_>) -> Answer {
        self.conditions
            .iter()
            .fold(Answer::Yes(Vec::new()), |answer, condition: &Condition| answer.and(condition.holds(case)))
    }
}

fn finding(policy: &Policy, head: &Head, answer: Answer, facts: &Facts, ceiling: Mode) -> Option<Finding> {
    let (reasons, unknown, tells) = match answer {
        Answer::No => return None,
        Answer::Unknown(reasons) => (reasons, true, false),
        Answer::OnlyTells(reasons) => (reasons, false, true),
        Answer::Yes(reasons) => (reasons, false, false),
    };
    let (mode, held_back, actions) = if tells {
        let note = "only a secondary address matches, which proves little: `any_address: true` lets the rule act on it";
        (Mode::Observe, vec![note.to_owned()], Vec::new())
    } else {
        let (mode, held_back) = bounds::lowest(policy, head, facts, ceiling);
        (mode, held_back, head.actions.clone())
    };
    Some(Finding {
        rule: head.id.clone(),
        object: None,
        severity: head.severity,
        why: head.why.clone(),
        reasons,
        mode,
        held_back,
        actions,
        unknown,
        refused: None,
    })
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
