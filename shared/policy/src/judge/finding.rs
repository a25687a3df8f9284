//! From an answer to a finding: how far it may go, what it would do, and what only a person can do.

use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, Mode};

use super::bounds::{self, Bounds};
use super::plan::{self, Made};
use crate::conditions::{Answer, Case, Weakness};
use crate::group::{Group, Relation};
use crate::memberships::Seen;
use crate::policy::{Head, Policy};

/// The membership that a finding is about.
#[derive(Debug, Clone)]
pub(super) struct About<'a> {
    pub(super) group: &'a Group,
    /// All that the account has to do with the group.
    pub(super) of_this_group: &'a [Seen<'a>],
    /// Those that the finding means, each with whether it is new. Never empty.
    pub(super) relations: BTreeMap<Relation, bool>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) policy: &'a Policy,
    pub(super) case: &'a Case<'a>,
    pub(super) ceiling: Mode,
}

impl Maker<'_> {
    pub(super) fn about_the_guest(&self, head: &Head, answer: Answer) -> Option<Finding> {
        self.make(head, answer, None)
    }

    pub(super) fn make(&self, head: &Head, answer: Answer, about: Option<About<'_>>) -> Option<Finding> {
        let (reasons, unknown) = match answer {
            Answer::No => return None,
            Answer::OnlyTells(reasons, weak) => {
                return Some(only_tells(head, (reasons, weak), about.as_ref()));
            }
            Answer::Unknown(reasons) => (reasons, true),
            Answer::Yes(reasons) => (reasons, false),
        };
        let Bounds { mode, words, left_alone, old_at_most } =
            bounds::of(self.policy, head, self.case.facts, self.ceiling, about.as_ref());
        let Made { plan, by_hand, names, held_back: kept, nothing_fits } =
            plan::make(&head.actions, self.case, about.as_ref(), &left_alone, old_at_most);
        let mut held_back = if plan.is_empty() { Vec::new() } else { words };
        held_back.extend(left_alone.into_values());
        held_back.extend(kept);
        held_back.extend(nothing_fits);
        let for_people = !unknown && plan.is_empty() && !by_hand.is_empty();
        Some(Finding {
            rule: head.id.clone(),
            object: about.map(|about| about.group.id),
            severity: head.severity,
            why: head.why.clone(),
            reasons,
            mode,
            held_back,
            actions: head.actions.clone(),
            refused: for_people.then(|| by_hand.join("; ")),
            plan,
            by_hand,
            names,
            unknown,
        })
    }
}

fn only_tells(
    head: &Head,
    (reasons, weak): (Vec<String>, BTreeSet<Weakness>),
    about: Option<&About<'_>>,
) -> Finding {
    Finding {
        rule: head.id.clone(),
        object: about.map(|about| about.group.id),
        severity: head.severity,
        why: head.why.clone(),
        reasons,
        mode: Mode::Observe,
        held_back: weak.into_iter().map(|weakness| weakness.note().to_owned()).collect(),
        actions: Vec::new(),
        plan: model::Plan::default(),
        by_hand: Vec::new(),
        names: about.map(|about| plan::name_of(about.group)).into_iter().flatten().collect(),
        unknown: false,
        refused: None,
    }
}
