//! What a rule's actions mean for this guest today. Only what he holds is taken, only of himself, and only where Graph
//! lets an app take it; the rest is for a person, in words that say what to do.

use std::collections::{BTreeMap, BTreeSet};

use model::{Action, Mode, ObjectId, Plan, Step};

use super::finding::About;
use crate::conditions::Case;
use crate::domain::shortened;
use crate::group::{Group, Memberships, Relation};
use crate::memberships::Seen;
use crate::writable::unwritable;

#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) plan: Plan,
    pub(super) by_hand: Vec<String>,
    pub(super) names: BTreeMap<ObjectId, String>,
    /// What the mode for guests who were there before keeps from being taken.
    pub(super) held_back: Vec<String>,
    /// Why the rule asks for something and there is nothing to do.
    pub(super) nothing_fits: Option<String>,
}

/// Containment first, then what he is in, then what he owns. A deletion takes all of that with it and stands alone.
pub(super) fn make(
    actions: &[Action],
    case: &Case<'_>,
    about: Option<&About<'_>>,
    left_alone: &BTreeMap<Relation, String>,
    old_at_most: Option<Mode>,
) -> Made {
    let user = case.facts.id;
    let mut draft = Draft { user, made: Made::default(), done: BTreeSet::new() };
    draft.made.names.extend(about.and_then(|about| name_of(about.group)));
    if actions.contains(&Action::Delete) {
        draft.made.plan.steps.push(Step::Delete { user });
        return draft.made;
    }
    if actions.contains(&Action::Disable) {
        draft.made.plan.steps.push(Step::Disable { user });
    }
    let held = |wanted: Relation| {
        about.filter(|about| about.relations.contains_key(&wanted) && !left_alone.contains_key(&wanted))
    };
    if let Some(about) = held(Relation::Member).filter(|_| actions.contains(&Action::LeaveGroup)) {
        draft.take(about.of_this_group, Relation::Member);
    }
    if actions.contains(&Action::LeaveGroups) {
        draft.take_all(case, old_at_most);
    }
    if let Some(about) = held(Relation::Owner).filter(|_| actions.contains(&Action::DropOwnership)) {
        draft.take(about.of_this_group, Relation::Owner);
    }
    let mut made = draft.made;
    if let Some(about) =
        about.filter(|_| made.plan.is_empty() && made.by_hand.is_empty() && left_alone.is_empty())
    {
        made.nothing_fits = nothing_fits(actions, about);
    }
    made
}

struct Draft {
    user: ObjectId,
    made: Made,
    done: BTreeSet<(ObjectId, Relation)>,
}

impl Draft {
    /// Where two readings of one group differ, the one that forbids counts.
    fn take(&mut self, of_one_group: &[Seen<'_>], relation: Relation) {
        let held = || of_one_group.iter().filter(|seen| seen.relation() == relation).map(Seen::group);
        let Some(group) = held().next() else { return };
        if !self.done.insert((group.id, relation)) {
            return;
        }
        self.made.names.extend(name_of(group));
        let (user, id) = (self.user, group.id);
        match held().find_map(|group| unwritable(group, relation)) {
            Some(why) => self.made.by_hand.push(format!("{}: {why}", with_id(group))),
            None => self.made.plan.steps.push(match relation {
                Relation::Member => Step::RemoveMember { user, group: id },
                Relation::Owner => Step::RemoveOwner { user, group: id },
            }),
        }
    }

    fn take_all(&mut self, case: &Case<'_>, old_at_most: Option<Mode>) {
        let mut left = 0_usize;
        for of_one_group in case.groups() {
            let members = || of_one_group.iter().filter(|seen| seen.relation() == Relation::Member);
            if old_at_most.is_some() && members().next().is_some() && !members().any(Seen::is_new) {
                left = left.saturating_add(1);
            } else {
                self.take(of_one_group, Relation::Member);
            }
        }
        if let Some(mode) = old_at_most.filter(|_| left > 0) {
            let what = match left {
                1 => "1 membership that was there before is left alone".to_owned(),
                many => format!("{many} memberships that were there before are left alone"),
            };
            self.made
                .held_back
                .push(format!("{what}: `existing` allows at most `{mode}` for what was there"));
        }
        if let Memberships::Unreadable { why } = &case.facts.memberships {
            self.made.by_hand.push(format!(
                "the groups of the account could not be read ({}): a person must take it out of them",
                shortened(why)
            ));
        }
    }
}

fn with_id(group: &Group) -> String {
    match &group.name {
        Some(name) => format!("`{}` ({})", shortened(name), group.id),
        None => format!("the group {}", group.id),
    }
}

pub(super) fn name_of(group: &Group) -> Option<(ObjectId, String)> {
    group.name.as_ref().map(|name| (group.id, name.clone()))
}

/// Only members can leave, and only owners have something to drop.
fn nothing_fits(actions: &[Action], about: &About<'_>) -> Option<String> {
    let asks = |action: Action| actions.contains(&action);
    let (word, action) = match (about.relations.contains_key(&Relation::Member), asks(Action::LeaveGroup)) {
        (false, true) => ("an owner", Action::LeaveGroup),
        (true, _) if asks(Action::DropOwnership) => ("a member", Action::DropOwnership),
        (true | false, true | false) => return None,
    };
    Some(format!("the account is only {word} of the group, for which `{action}` does nothing"))
}
