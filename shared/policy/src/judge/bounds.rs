//! How far a finding may go: the lowest of the rule's mode, the file's, that for guests who were there before, and what
//! the operator allows.

use model::{Mode, Plan};

use crate::facts::Facts;
use crate::policy::{Existing, Head, Policy};

/// The effective mode, and in words everything that stands below `enforce`: whoever wants the rule to act has to lift
/// all of it. Empty where the rule would write nothing anyway.
pub(super) fn lowest(policy: &Policy, head: &Head, facts: &Facts, ceiling: Mode) -> (Mode, Vec<String>) {
    let existing = policy.existing.as_ref().filter(|existing| was_there_before(existing, facts));
    let bounds = [
        head.mode.map(|mode| (mode, format!("the rule's own mode is `{mode}`"))),
        Some((policy.mode, format!("the policy's mode is `{}`", policy.mode))),
        existing.map(|existing| (existing.mode, there_before(existing, facts))),
        Some((ceiling, format!("the operator allows at most `{ceiling}` (`GUESTLIST_AT_MOST`)"))),
    ];
    let bounds = bounds.into_iter().flatten();
    let writes = !Plan::new(facts.id, &head.actions).is_empty();
    let mut lowest = Mode::Enforce;
    let mut held_back = Vec::new();
    for (mode, words) in bounds {
        lowest = lowest.min(mode);
        if mode < Mode::Enforce && writes {
            held_back.push(words);
        }
    }
    (lowest, held_back)
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
