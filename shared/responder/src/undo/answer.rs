//! What whoever asked for an undo reads: what the guest has again, what stays taken away, and which rules are suspended.

use std::collections::BTreeSet;

use model::{Incident, ObjectId, RuleId, Step};

use crate::remediate::{Objecting, named};

fn called(incident: &Incident, group: ObjectId) -> String {
    incident.finding.names.get(&group).map_or_else(|| format!("`{group}`"), |name| format!("`{name}`"))
}

/// What stays taken away.
pub(super) fn not_given_back(incident: &Incident, steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let what = steps.iter().map(|step| match step.group() {
        Some(group) => called(incident, group),
        None if step.moves_account() => "the account".to_owned(),
        None => "the sign-in".to_owned(),
    });
    let what: BTreeSet<String> = what.collect();
    format!(
        "; not given back, because it was taken while the account had another identity: {}",
        what.into_iter().collect::<Vec<_>>().join(", ")
    )
}

/// What the guest has again.
pub(super) fn given_back(incident: &Incident, steps: &[Step]) -> String {
    let group = |id: &ObjectId| called(incident, *id);
    let words = |step: &Step| match step {
        Step::Enable { user: _ } => "the account is enabled".to_owned(),
        Step::Disable { user: _ } => "the account is disabled".to_owned(),
        Step::Restore { user: _ } => "the account is restored".to_owned(),
        Step::Delete { user: _ } => "the account is deleted".to_owned(),
        Step::AddMember { user: _, group: id } => format!("the account is a member of {} again", group(id)),
        Step::RemoveMember { user: _, group: id } => format!("the account is no member of {}", group(id)),
        Step::AddOwner { user: _, group: id } => format!("the account is an owner of {} again", group(id)),
        Step::RemoveOwner { user: _, group: id } => format!("the account is no owner of {}", group(id)),
    };
    steps.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// `the rule is`, or all of them by name.
pub(super) fn which_rules(rules: &BTreeSet<Objecting>) -> String {
    let names: BTreeSet<&RuleId> = rules.iter().map(|(rule, _)| rule).collect();
    if names.len() < 2 { "the rule is".to_owned() } else { format!("the rules {} are", named(rules)) }
}
