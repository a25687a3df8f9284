//! Words that several commands use: who somebody is, what a step does, and when something was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use host::{Part, Store};
use jiff::Timestamp;
use model::{Finding, Incident, ObjectId, Plan, Step, Subject};

/// To the second: nobody reads more.
pub(super) fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Who does it where the store lies.
pub(super) fn who_does(store: &Store, part: Part) -> String {
    if store.is_on_aws() { format!("the function `{}`", part.word()) } else { "`guestlist serve`".to_owned() }
}

/// Where on AWS somebody looks who has no answer.
pub(super) const REMEDIATE_IS_SILENT: &str = "see the alarms and the log of the function `remediate`, and whether the stack's parameter `Remediation` is `stopped`";

/// What to look into when it is not done.
pub(super) fn log_of(store: &Store, part: Part) -> String {
    if store.is_on_aws() {
        format!("the log of the function `{}`", part.word())
    } else {
        "the log of `serve`".to_owned()
    }
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
        Step::Delete { user: _ } => "delete the account".to_owned(),
        Step::Restore { user: _ } => "restore the account".to_owned(),
    }
}

pub(super) fn plan(plan: &Plan, names: &BTreeMap<ObjectId, String>) -> String {
    let steps: Vec<String> = plan.steps.iter().map(|one| step(*one, names)).collect();
    if steps.is_empty() { "do nothing".to_owned() } else { steps.join(", then ") }
}

/// The same in a column, without the groups: `disable the account, take out of 3 groups`.
pub(super) fn briefly(plan: &Plan) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for step in &plan.steps {
        let what = match step {
            Step::Disable { user: _ } => "disable the account",
            Step::Enable { user: _ } => "enable the account",
            Step::RemoveMember { user: _, group: _ } => "take out of",
            Step::AddMember { user: _, group: _ } => "add to",
            Step::RemoveOwner { user: _, group: _ } => "take the ownership of",
            Step::AddOwner { user: _, group: _ } => "make an owner of",
            Step::Delete { user: _ } => "delete the account",
            Step::Restore { user: _ } => "restore the account",
        };
        match counts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((what, 1)),
        }
    }
    let words = counts.into_iter().map(|(what, count)| match (what.ends_with("account"), count) {
        (true, _) => what.to_owned(),
        (false, 1) => format!("{what} the group"),
        (false, _) => format!("{what} {count} groups"),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "do nothing".to_owned() } else { words.join(", ") }
}

/// What reverses it, the last step first.
pub(super) fn reverse(incident: &Incident) -> Plan {
    let mut steps: Vec<Step> = incident.plan().steps.iter().map(|step| step.undo()).collect();
    steps.reverse();
    Plan { steps }
}

/// The group that a finding is about, by its name where there is one to read.
pub(super) fn place(finding: &Finding) -> Option<String> {
    let id = finding.object?;
    Some(finding.names.get(&id).cloned().unwrap_or_else(|| id.to_string()))
}

/// The group that a finding is about, or else the only one that its plan is about.
pub(super) fn only_place(finding: &Finding) -> Option<String> {
    let groups: BTreeSet<ObjectId> = finding.plan.steps.iter().filter_map(|step| step.group()).collect();
    let only = groups.first().filter(|_| groups.len() == 1);
    let named = |id: &ObjectId| finding.names.get(id).cloned().unwrap_or_else(|| id.to_string());
    place(finding).or_else(|| only.map(named))
}

/// How this binary is called: through `cargo` as long as it lies where `cargo` has built it.
pub(super) fn ourselves() -> &'static str {
    // Cargo marks its folder, which may have another name, as one that no backup needs.
    let is_cargo_s = |folder: &Path| folder.ends_with("target") || folder.join("CACHEDIR.TAG").exists();
    let built = |path: PathBuf| path.ancestors().skip(1).any(is_cargo_s);
    if std::env::current_exe().is_ok_and(built) { "cargo run --bin guestlist --" } else { "guestlist" }
}

/// The rule's own reason, and what was seen.
pub(super) fn why(finding: &Finding) -> String {
    let all: Vec<&str> = finding.why.iter().chain(&finding.reasons).map(String::as_str).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_in_a_column_counts_its_groups() {
        let user = ObjectId::from_u128(1);
        let leave = |n| Step::RemoveMember { user, group: ObjectId::from_u128(n) };
        let brief = |steps: &[Step]| briefly(&Plan { steps: steps.to_vec() });
        assert_eq!(brief(&[]), "do nothing");
        assert_eq!(brief(&[leave(2)]), "take out of the group");
        let all = [Step::Disable { user }, leave(2), leave(3), leave(4)];
        assert_eq!(brief(&all), "disable the account, take out of 3 groups");
    }
}
