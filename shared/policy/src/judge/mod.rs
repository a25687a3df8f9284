//! The decision. Guardrails and scenarios are asked apart from each other, then what a finding may do is lowered step by
//! step: by modes, by protection, by exceptions. Every lowering leaves its reason in the finding.

mod admission;
mod admits;
mod bounds;
mod finding;
mod groups;
mod origins;
mod plan;
mod protection;
mod suspension;

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Action, Finding, Mode, ObjectId, RuleId, Subject};

use self::admission::{Admission, Asked};
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
    let mut case = Case::new(facts, kind, now);
    let (mut verdict, moments) = judge_now(policy, &case, ceiling);
    // Most of these moments may change nothing: a partner ends, say, and another still admits.
    let changes_at = moments.into_iter().filter(|moment| *moment > now).find(|moment| {
        case.now = *moment;
        judge_now(policy, &case, ceiling).0 != verdict
    });
    verdict.changes_at = changes_at;
    verdict
}

/// Without the moment at which it changes, and with all those at which it may.
fn judge_now(policy: &Policy, case: &Case<'_>, ceiling: Mode) -> (Verdict, BTreeSet<Timestamp>) {
    let (facts, now) = (case.facts, case.now);
    let mut admission = Admission::of(policy, case);
    let mut moments = std::mem::take(&mut admission.moments);
    let maker = Maker { policy, case, ceiling };
    let Found { findings, looked_at_groups, awaiting_inviter } = find(&maker, &admission);
    let (mut findings, suspended) = suspension::split(policy, findings, case, now);
    let leaves_all = findings.iter().any(|finding| finding.actions.contains(&Action::LeaveGroups));
    let wants_memberships = facts.memberships == Memberships::Unread && (looked_at_groups || leaves_all);
    let wants_standing = protection::refuse(policy, &mut findings, facts);
    let ends = admission.ends(now).filter(|_| minds_admission(policy, case));
    moments.extend(suspended.iter().map(|held| held.until));
    moments.extend(ends.as_ref().map(|(_, notice_at)| *notice_at));
    moments.extend(policy.guardrails.iter().flat_map(|rule| rule.changes_at(case)));
    let ends = ends.map(|(ends, _)| ends);
    let awaits = |finding: &Finding| awaiting_inviter.contains(&(finding.rule.clone(), finding.object));
    let end_may_be_none = ends.as_ref().is_some_and(|ends| ends.soon) && admission.awaits_inviter();
    let verdict = Verdict {
        subject: subject(policy, case),
        admitted_by: admission.by().cloned(),
        wants_inviter: end_may_be_none || findings.iter().any(awaits),
        findings,
        suspended,
        wants_standing,
        wants_memberships,
        ends,
        changes_at: None,
    };
    (verdict, moments)
}

/// Whether a rule asks if such an account is admitted.
fn minds_admission(policy: &Policy, case: &Case<'_>) -> bool {
    let rules = [&policy.otherwise, &policy.otherwise_membership].into_iter().flatten();
    let mut kinds = rules.flat_map(|rule| &rule.kinds);
    kinds.any(|kind| case.could_be().contains(kind))
}

/// What the rules say, before anything holds it back.
#[derive(Debug, Default)]
struct Found {
    /// In the order of the file.
    findings: Vec<Finding>,
    /// Whether a rule had to know the groups, read or not.
    looked_at_groups: bool,
    /// Findings that are unknown, by rule and group, which reading who invited the account may settle.
    awaiting_inviter: BTreeSet<(RuleId, Option<ObjectId>)>,
}

impl Found {
    fn add(&mut self, finding: Option<Finding>, awaits_inviter: bool) {
        let Some(finding) = finding else { return };
        if awaits_inviter {
            self.awaiting_inviter.insert((finding.rule.clone(), finding.object));
        }
        self.findings.push(finding);
    }
}

fn find(maker: &Maker<'_>, admission: &Admission<'_>) -> Found {
    let Maker { policy, case, ceiling: _ } = maker;
    let mut found = Found::default();
    for rule in &policy.guardrails {
        match &rule.joins {
            None => {
                let finding = maker.about_the_guest(&rule.head, rule.answer(case));
                found.add(finding, rule.awaits_inviter(case));
            }
            Some(joins) => groups::guardrail(maker, rule, joins, &mut found),
        }
    }
    if let Some(otherwise) = &policy.otherwise {
        let Asked { answer, awaits_inviter } = admission.otherwise(otherwise, case);
        found.add(maker.about_the_guest(&otherwise.head, answer), awaits_inviter);
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

    /// Whether an answer that is not "no" is unknown for want of who invited the account, or of what that one was.
    fn awaits_inviter(&self, case: &Case<'_>) -> bool {
        let unknown =
            |one: &Condition| one.inviter().is_some() && matches!(one.holds(case), Answer::Unknown(_));
        case.facts.inviter.may_be_known_better() && self.conditions.iter().any(unknown)
    }

    fn changes_at(&self, case: &Case<'_>) -> impl Iterator<Item = Timestamp> {
        self.conditions.iter().filter_map(|condition| condition.changes_at(case))
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
