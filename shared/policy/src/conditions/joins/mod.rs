//! `joins`: the guest is a member or an owner of a group of this sort. One answer for each group, so that what could not
//! be read about one says nothing about another.

mod matcher;
mod pattern;

use std::collections::BTreeSet;

use model::Permission;

use super::{Answer, ConditionSummary};
use crate::domain::shortened;
use crate::group::Relation;
use crate::memberships::{Seen, relation_words};
use crate::reference::Names;

pub(crate) use matcher::{GroupMatcher, LabelText, Match, Visibility};
pub(crate) use pattern::{BadNamePattern, NamePattern};

pub(super) const SUMMARY: ConditionSummary = ConditionSummary {
    key: "joins",
    summary: "the guest is a member (or, with `as: owner` beside it, an owner) of such a group: `groups` (ids, or names \
              that one group bears), `name` (a pattern with `*` and `?`), `label`, `role_assignable`, `team`, \
              `visibility`, `dynamic`, `any` (alternatives), or `any_group: true`",
    example: "joins: { any: [ { name: \"Finance *\" }, { label: Confidential } ] }",
    permissions: &[Permission("Group.Read.All")],
};

#[derive(Debug, Clone)]
pub(crate) struct JoinsCondition {
    pub(crate) matcher: GroupMatcher,
    /// Never empty.
    pub(crate) relations: BTreeSet<Relation>,
}

impl JoinsCondition {
    /// About all that the guest has to do with one group. With the relations that are meant.
    pub(crate) fn holds(&self, of_one_group: &[Seen<'_>], names: &Names) -> (Answer, BTreeSet<Relation>) {
        let asked = of_one_group.iter().filter(|seen| self.relations.contains(&seen.relation()));
        let (mut yes, mut unknown) = (Told::default(), Told::default());
        for seen in asked {
            match self.matcher.matches(seen, names) {
                Match::No => {}
                Match::Unknown(reasons) => {
                    unknown.add(seen, [seen.told()].into_iter().chain(reasons));
                }
                Match::Yes(phrases) if phrases.is_empty() => yes.add(seen, [seen.told()]),
                Match::Yes(phrases) => {
                    yes.add(seen, [format!("{}, {}", seen.told(), phrases.join(" and "))]);
                }
            }
        }
        if !yes.relations.is_empty() {
            (Answer::Yes(yes.reasons), yes.relations)
        } else if unknown.relations.is_empty() {
            (Answer::No, BTreeSet::new())
        } else {
            (Answer::Unknown(unknown.reasons), unknown.relations)
        }
    }

    pub(crate) fn describe(&self) -> String {
        format!("the account {} {}", relation_words(&self.relations), self.matcher.describe())
    }
}

#[derive(Default)]
struct Told {
    reasons: Vec<String>,
    relations: BTreeSet<Relation>,
}

impl Told {
    fn add(&mut self, seen: &Seen<'_>, reasons: impl IntoIterator<Item = String>) {
        self.relations.insert(seen.relation());
        for reason in reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }
}

impl GroupMatcher {
    fn describe(&self) -> String {
        if self.is_every_group() {
            return "any group".to_owned();
        }
        format!("a group {}", self.phrase())
    }

    fn phrase(&self) -> String {
        let Self { groups, names, labels, role_assignable, team, visibility, dynamic, any } = self;
        let quoted = |texts: Vec<&str>| {
            let texts: Vec<String> = texts.into_iter().map(|text| format!("`{}`", shortened(text))).collect();
            texts.join(" or ")
        };
        let mut all = Vec::new();
        all.extend(groups.as_ref().map(|groups| format!("that is {}", groups.told())));
        if !names.is_empty() {
            let texts = quoted(names.iter().map(NamePattern::text).collect());
            all.push(format!("whose name matches {texts}"));
        }
        if !labels.is_empty() {
            let texts = quoted(labels.iter().map(|label| label.text.as_str()).collect());
            all.push(format!("whose label is {texts}"));
        }
        let flag = |told: Option<bool>, what: &str| match told {
            Some(true) => Some(format!("that is {what}")),
            Some(false) => Some(format!("that is not {what}")),
            None => None,
        };
        all.extend(flag(*role_assignable, "role-assignable"));
        all.extend(flag(*team, "a team"));
        if !visibility.is_empty() {
            let words: Vec<&str> = visibility.iter().map(|one| one.word()).collect();
            all.push(format!("whose visibility is {}", words.join(" or ")));
        }
        all.extend(flag(*dynamic, "dynamic"));
        if !any.is_empty() {
            let alternatives: Vec<String> = any.iter().map(Self::phrase).collect();
            let alternatives = alternatives.join(", or ");
            all.push(if all.is_empty() { alternatives } else { format!("({alternatives})") });
        }
        all.join(" and ")
    }
}
