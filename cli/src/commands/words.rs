//! Words that several commands use: who somebody is, what a step does, and when something was.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Finding, Incident, ObjectId, Plan, Step, Subject};

/// To the second: nobody reads more.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// The guest in a column: an address where there is one.
pub(super) fn called(subject: &Subject) -> String {
    subject.addresses.first().cloned().unwrap_or_else(|| subject.id.to_string())
}

/// `Adele (guest), adele@fabrikam.com`
pub(super) fn who(subject: &Subject) -> String {
    let name = subject.name.as_deref().unwrap_or("(no name)");
    let addresses =
        if subject.addresses.is_empty() { subject.id.to_string() } else { subject.addresses.join(", ") };
    format!("{name} ({}), {addresses}", subject.kind)
}

/// Names are not unique, and whoever has to decide has to know which group is meant.
pub(super) fn group(id: ObjectId, names: &BTreeMap<ObjectId, String>) -> String {
    names.get(&id).map_or_else(|| format!("the group {id}"), |name| format!("`{name}` ({id})"))
}

pub(super) fn step(step: Step, names: &BTreeMap<ObjectId, String>) -> String {
    let named = |id| group(id, names);
    match step {
        Step::Disable { user: _ } => "disable the account".to_owned(),
        Step::Enable { user: _ } => "enable the account".to_owned(),
        Step::RemoveMember { user: _, group } => format!("take the account out of {}", named(group)),
        Step::AddMember { user: _, group } => format!("add the account to {}", named(group)),
        Step::RemoveOwner { user: _, group } => {
            format!("take the ownership of {} from the account", named(group))
        }
        Step::AddOwner { user: _, group } => format!("make the account an owner of {}", named(group)),
    }
}

pub(super) fn plan(plan: &Plan, names: &BTreeMap<ObjectId, String>) -> String {
    let steps: Vec<String> = plan.steps.iter().map(|one| step(*one, names)).collect();
    if steps.is_empty() { "do nothing".to_owned() } else { steps.join(", then ") }
}

/// What reverses it, the last step first.
pub(super) fn reverse(incident: &Incident) -> String {
    let mut steps: Vec<Step> = incident.plan().steps.iter().map(|step| step.undo()).collect();
    steps.reverse();
    plan(&Plan { steps }, &incident.finding.names)
}

/// The group that a finding is about, by its name where there is one to read.
pub(super) fn place(finding: &Finding) -> Option<String> {
    let id = finding.object?;
    Some(finding.names.get(&id).cloned().unwrap_or_else(|| id.to_string()))
}

/// The rule's own reason, and what was seen.
pub(super) fn why(finding: &Finding) -> String {
    let all: Vec<&str> = finding.why.iter().chain(&finding.reasons).map(String::as_str).collect();
    all.join("; ")
}
