//! Counts by rule: what it finds, what it would do as the modes are, and what switching that rule alone to `enforce` would
//! touch.

use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, ObjectId, RuleId, Step};
use policy::Verdict;
use serde::Serialize;

use super::is_open;
use super::read::Looked;

pub(super) type ByRule = BTreeMap<RuleId, RuleCounts>;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct RuleCounts {
    /// Findings: one a guest, or one a membership.
    pub(super) found: u64,
    /// With the modes as they are, and the operator's ceiling. What is so already is not counted.
    pub(super) would_act: u64,
    /// The same, once somebody approves.
    pub(super) would_ask: u64,
    /// Never acted on.
    pub(super) protected: u64,
    pub(super) unknown: u64,
    /// Findings of which a part at least is for a person.
    pub(super) by_hand: u64,
    /// The rule's mode, the file's and the ceiling at `enforce`, and `existing` as it is.
    pub(super) if_enforced: Touched,
    /// The same without `existing`.
    pub(super) if_enforced_for_existing: Touched,
}

/// What would change in the tenant. What is so already is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Touched {
    pub(super) guests: u64,
    /// Disabled or deleted.
    pub(super) accounts: u64,
    pub(super) memberships: u64,
    pub(super) ownerships: u64,
}

impl Touched {
    fn add(&mut self, steps: &BTreeSet<Step>) {
        one_more(&mut self.guests, !steps.is_empty());
        for step in steps {
            match step {
                Step::Disable { user: _ } | Step::Delete { user: _ } => one_more(&mut self.accounts, true),
                Step::RemoveMember { user: _, group: _ } => one_more(&mut self.memberships, true),
                Step::RemoveOwner { user: _, group: _ } => one_more(&mut self.ownerships, true),
                // No rule gives.
                Step::Enable { user: _ }
                | Step::Restore { user: _ }
                | Step::AddMember { user: _, group: _ }
                | Step::AddOwner { user: _, group: _ } => {}
            }
        }
    }
}

fn one_more(count: &mut u64, yes: bool) {
    *count = count.saturating_add(u64::from(yes));
}

/// Adds what was found about one guest.
pub(super) fn count(looked: &Looked, by_rule: &mut ByRule) {
    for finding in &looked.today.findings {
        let counts = by_rule.entry(finding.rule.clone()).or_default();
        one_more(&mut counts.found, true);
        let open = is_open(&finding.plan, &looked.snapshot);
        one_more(&mut counts.would_act, open && finding.acts());
        one_more(&mut counts.would_ask, open && finding.asks());
        one_more(&mut counts.unknown, finding.unknown);
    }
    let mut now = BTreeMap::<RuleId, BTreeSet<Step>>::new();
    let mut in_the_end = BTreeMap::<RuleId, BTreeSet<Step>>::new();
    for finding in &looked.for_everybody.findings {
        let counts = by_rule.entry(finding.rule.clone()).or_default();
        let protected = finding.refused.is_some() && !is_for_people(finding);
        one_more(&mut counts.protected, protected);
        one_more(&mut counts.by_hand, !protected && !finding.unknown && !finding.by_hand.is_empty());
        if !finding.acts() {
            continue;
        }
        let open = |step: &&Step| looked.snapshot.shows(**step) != Some(true);
        in_the_end.entry(finding.rule.clone()).or_default().extend(finding.plan.steps.iter().filter(open));
        if let Some(kept) = of(&looked.enforced, &finding.rule, finding.object).filter(|kept| kept.acts()) {
            now.entry(finding.rule.clone()).or_default().extend(kept.plan.steps.iter().filter(open));
        }
    }
    for (rule, steps) in now {
        by_rule.entry(rule).or_default().if_enforced.add(&steps);
    }
    for (rule, steps) in in_the_end {
        by_rule.entry(rule).or_default().if_enforced_for_existing.add(&steps);
    }
}

fn of<'a>(verdict: &'a Verdict, rule: &RuleId, object: Option<ObjectId>) -> Option<&'a Finding> {
    verdict.findings.iter().find(|finding| finding.rule == *rule && finding.object == object)
}

/// Refused because only a person can do what the rule asks for, not because of who the guest is.
fn is_for_people(finding: &Finding) -> bool {
    !finding.by_hand.is_empty() && finding.refused.as_ref() == Some(&finding.by_hand.join("; "))
}
