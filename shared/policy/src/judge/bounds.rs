//! How far a finding may go: the lowest of the rule's mode, the file's, that for guests who were there before, and what
//! the operator allows.

use std::collections::BTreeMap;

use model::Mode;

use super::finding::About;
use crate::facts::Facts;
use crate::group::Relation;
use crate::policy::{Existing, Head, Policy};

pub(super) struct Bounds {
    pub(super) mode: Mode,
    /// Everything that stands below `enforce`: whoever wants the rule to act has to lift all of it.
    pub(super) words: Vec<String>,
    /// Relations to the group that were there before, beside a new one that may be acted on, each with why it is left.
    pub(super) left_alone: BTreeMap<Relation, String>,
    /// The finding is about a new membership of a guest who was there before: his other memberships of before are left,
    /// because they may go no further than this.
    pub(super) old_at_most: Option<Mode>,
}

pub(super) fn of(
    policy: &Policy,
    head: &Head,
    facts: &Facts,
    ceiling: Mode,
    about: Option<&About<'_>>,
) -> Bounds {
    let bounds = [
        head.mode.map(|mode| (mode, format!("the rule's own mode is `{mode}`"))),
        Some((policy.mode, format!("the policy's mode is `{}`", policy.mode))),
        existing_for(policy, facts, about).map(|existing| (existing.mode, there_before(existing, facts))),
        Some((ceiling, format!("the operator allows at most `{ceiling}` (`GUESTLIST_AT_MOST`)"))),
    ];
    let mut mode = Mode::Enforce;
    let mut words = Vec::new();
    for (bound, said) in bounds.into_iter().flatten() {
        mode = mode.min(bound);
        if bound < Mode::Enforce {
            words.push(said);
        }
    }
    let left_alone = left_alone(policy, facts, mode, about);
    Bounds { mode, words, left_alone, old_at_most: old_at_most(policy, facts, mode, about) }
}

fn old_at_most(policy: &Policy, facts: &Facts, mode: Mode, about: Option<&About<'_>>) -> Option<Mode> {
    about?;
    let existing = policy.existing.as_ref().filter(|existing| was_there_before(existing, facts))?;
    (existing.mode < mode).then_some(existing.mode)
}

/// A membership that is new may be acted on even where its guest was there before.
fn existing_for<'a>(policy: &'a Policy, facts: &Facts, about: Option<&About<'_>>) -> Option<&'a Existing> {
    let new = about.is_some_and(|about| about.relations.values().any(|new| *new));
    policy.existing.as_ref().filter(|existing| !new && was_there_before(existing, facts))
}

fn left_alone(
    policy: &Policy,
    facts: &Facts,
    mode: Mode,
    about: Option<&About<'_>>,
) -> BTreeMap<Relation, String> {
    let existing = policy.existing.as_ref().filter(|existing| was_there_before(existing, facts));
    let (Some(existing), Some(about)) = (existing, about) else {
        return BTreeMap::new();
    };
    if existing.mode >= mode || !about.relations.values().any(|new| *new) {
        return BTreeMap::new();
    }
    let old = about.relations.iter().filter(|(_, new)| !**new).map(|(relation, _)| *relation);
    old.map(|relation| {
        let what = match relation {
            Relation::Member => "membership",
            Relation::Owner => "ownership",
        };
        let words = format!(
            "the {what} was there before and is left alone: `existing` allows at most `{}` for it",
            existing.mode
        );
        (relation, words)
    })
    .collect()
}

fn was_there_before(existing: &Existing, facts: &Facts) -> bool {
    facts.created_at.is_none_or(|created_at| created_at < existing.before)
}

fn there_before(existing: &Existing, facts: &Facts) -> String {
    let Existing { before: _, day, mode } = existing;
    match facts.created_at {
        Some(_) => format!("the account was created before {day}: `existing` allows at most `{mode}`"),
        None => format!("the account has no creation date: `existing` allows at most `{mode}`"),
    }
}
