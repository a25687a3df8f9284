//! The words for what a plan does, for one step and for many: before the guest's name in a headline, and in sentences.
//! Never here: how far a plan came, and the markup of a product.

use std::collections::BTreeMap;

use model::{ObjectId, Step};

use crate::message::{Progress, first_letter_up};
use crate::plain::{clean, quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tense {
    Base,
    Past,
}

/// Some steps, and what their groups are called.
pub(crate) struct Steps<'a> {
    pub(crate) steps: Vec<Step>,
    pub(crate) names: &'a BTreeMap<ObjectId, String>,
}

/// The steps of one sort.
struct Part {
    like: Step,
    groups: Vec<ObjectId>,
}

impl Steps<'_> {
    /// `disable *, remove from 3 groups`: the guest stands where the `*` is, and before every name of a group.
    pub(crate) fn headline(&self, tense: Tense) -> String {
        let group =
            |id: ObjectId| self.name(id).map_or_else(|| format!("the group {id}"), |name| quoted(&name, 60));
        let mut parts = self.parts().into_iter().enumerate().map(|(n, part)| {
            let (verb, rest) = (verb(part.like, tense), rest(&part, group));
            if n == 0 { format!("{verb} *{rest}") } else { format!("{verb}{rest}") }
        });
        let first = parts.next().unwrap_or_else(|| tense.of("look at *", "looked at *").to_owned());
        listed(std::iter::once(first).chain(parts).collect())
    }

    /// `disable the account and remove the guest from 3 groups`
    pub(crate) fn sentence(&self, tense: Tense) -> String {
        let parts = self.parts();
        if parts.is_empty() {
            return tense.of("look at the guest", "looked at the guest").to_owned();
        }
        let said = parts.iter().map(|part| {
            let rest = rest(part, |id| self.group(id));
            format!("{} {}{rest}", verb(part.like, tense), object(part.like))
        });
        listed(said.collect())
    }

    /// What became of one step.
    pub(crate) fn became(
        &self,
        step: Step,
        progress: Progress,
        why: Option<&str>,
        hypothetical: bool,
    ) -> String {
        let one = |tense| Steps { steps: vec![step], names: self.names }.sentence(tense);
        let why = why.map_or_else(String::new, |why| format!(": {}", clean(why, 500)));
        match progress {
            Progress::NotDone if hypothetical => one(Tense::Base),
            Progress::NotDone => format!("not done: {}", one(Tense::Base)),
            Progress::Sent => format!("asked Entra to {}; no read shows it yet", one(Tense::Base)),
            Progress::Done => format!("{}, and read it back", one(Tense::Past)),
            Progress::AlreadySo => format!("nothing had to be changed: {} already", self.state_of(step)),
            Progress::PutBack => format!("{}, and somebody changed it back", one(Tense::Past)),
            Progress::Undone => format!("{}, and undid it", one(Tense::Past)),
            Progress::Refused => format!("not tried: {}{why}", one(Tense::Base)),
            Progress::Failed => format!("failed to {}{why}", one(Tense::Base)),
        }
    }

    /// How it is once the step has done its work: `the account was disabled`.
    pub(crate) fn state_of(&self, step: Step) -> String {
        match step {
            Step::Disable { user: _ } => "the account was disabled".to_owned(),
            Step::Enable { user: _ } => "the account was enabled".to_owned(),
            Step::RemoveMember { user: _, group } => {
                format!("the guest was no member of {}", self.group(group))
            }
            Step::AddMember { user: _, group } => format!("the guest was a member of {}", self.group(group)),
            Step::RemoveOwner { user: _, group } => {
                format!("the guest was no owner of {}", self.group(group))
            }
            Step::AddOwner { user: _, group } => format!("the guest was an owner of {}", self.group(group)),
            Step::Delete { user: _ } => "the account was deleted".to_owned(),
            Step::Restore { user: _ } => "the account was there".to_owned(),
        }
    }

    /// The same about the guest of a headline.
    pub(crate) fn headline_of_state(&self, step: Step) -> String {
        let group = |id| self.name(id).map_or_else(|| format!("the group {id}"), |name| quoted(&name, 60));
        match step {
            Step::Disable { user: _ } => "* was already disabled".to_owned(),
            Step::Enable { user: _ } => "* was already enabled".to_owned(),
            Step::RemoveMember { user: _, group: id } => format!("* was not in {} any more", group(id)),
            Step::AddMember { user: _, group: id } => format!("* was already in {}", group(id)),
            Step::RemoveOwner { user: _, group: id } => format!("* was no owner of {} any more", group(id)),
            Step::AddOwner { user: _, group: id } => format!("* was already an owner of {}", group(id)),
            Step::Delete { user: _ } => "* was already deleted".to_owned(),
            Step::Restore { user: _ } => "* was already there".to_owned(),
        }
    }

    pub(crate) fn name(&self, group: ObjectId) -> Option<String> {
        let name = clean(self.names.get(&group)?, 200);
        Some(if name.trim().is_empty() { "(blank)".to_owned() } else { name })
    }

    /// A group in a sentence.
    pub(crate) fn group(&self, id: ObjectId) -> String {
        match self.name(id) {
            Some(name) => format!("the group {} ({id})", quoted(&name, 100)),
            None => format!("the group {id}"),
        }
    }

    /// In the order in which the plan has them.
    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for step in &self.steps {
            let same = |part: &&mut Part| std::mem::discriminant(&part.like) == std::mem::discriminant(step);
            match parts.iter_mut().find(same) {
                Some(part) => part.groups.extend(step.group()),
                None => parts.push(Part { like: *step, groups: step.group().into_iter().collect() }),
            }
        }
        parts
    }
}

impl Tense {
    fn of(self, base: &'static str, past: &'static str) -> &'static str {
        match self {
            Self::Base => base,
            Self::Past => past,
        }
    }
}

fn verb(step: Step, tense: Tense) -> &'static str {
    match step {
        Step::Disable { user: _ } => tense.of("disable", "disabled"),
        Step::Enable { user: _ } => tense.of("enable", "enabled"),
        Step::RemoveMember { .. } | Step::RemoveOwner { .. } => tense.of("remove", "removed"),
        Step::AddMember { .. } => tense.of("add", "added"),
        Step::AddOwner { .. } => tense.of("make", "made"),
        Step::Delete { user: _ } => tense.of("delete", "deleted"),
        Step::Restore { user: _ } => tense.of("restore", "restored"),
    }
}

fn object(step: Step) -> &'static str {
    match step {
        Step::Disable { user: _ }
        | Step::Enable { user: _ }
        | Step::Delete { user: _ }
        | Step::Restore { user: _ } => "the account",
        Step::RemoveMember { .. }
        | Step::AddMember { .. }
        | Step::RemoveOwner { .. }
        | Step::AddOwner { .. } => "the guest",
    }
}

/// What stands behind the guest.
fn rest(part: &Part, group: impl Fn(ObjectId) -> String) -> String {
    let groups = match part.groups.as_slice() {
        [one] => group(*one),
        several => format!("{} groups", several.len()),
    };
    match part.like {
        Step::Disable { user: _ }
        | Step::Enable { user: _ }
        | Step::Delete { user: _ }
        | Step::Restore { user: _ } => String::new(),
        Step::RemoveMember { .. } => format!(" from {groups}"),
        Step::AddMember { .. } => format!(" to {groups}"),
        Step::RemoveOwner { .. } => format!(" as an owner of {groups}"),
        Step::AddOwner { .. } => format!(" an owner of {groups}"),
    }
}

/// `a, b and c`
fn listed(mut parts: Vec<String>) -> String {
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

/// A sentence of its own.
pub(crate) fn said(text: &str) -> String {
    format!("{}.", first_letter_up(text))
}
