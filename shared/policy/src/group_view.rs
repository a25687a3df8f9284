//! What of a group the policy looks at. Two views that are equal mean that no verdict about any member or owner of the
//! group has changed.

use std::collections::BTreeSet;
use std::fmt;

use model::RuleId;

use crate::conditions::Match;
use crate::group::{Group, Membership, Named, Relation, fold};
use crate::memberships::Seen;
use crate::policy::Policy;
use crate::reference::{GroupRefs, Names, Nobody, Refers};
use crate::writable::Obstacle;

/// Its text is a fingerprint: one line that is equal where the views are. It says nothing about who is in the group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupView {
    /// What guardrails answer while the names of the policy mean the groups that bear them.
    settled: Answers,
    /// What they answer where names mean nobody.
    nameless: Answers,
    /// What they answer where nobody knows what names mean.
    unread: Answers,
    /// Scenarios that name it.
    covered_by: BTreeSet<RuleId>,
    protected: bool,
    /// Names of the policy that this group bears.
    names: BTreeSet<String>,
    /// Of whom a rule decides; looked at only where memberships have to be covered.
    dynamic: Option<Option<bool>>,
    member_obstacle: Option<Obstacle>,
    owner_obstacle: Option<Obstacle>,
}

impl Policy {
    /// What this policy looks at in a group. A name of the policy counts as this group's where the group bears it, whoever
    /// else does.
    #[must_use]
    pub fn group_view(&self, group: &Group) -> GroupView {
        let own = group.name.as_deref().map(fold);
        let names: BTreeSet<String> =
            self.group_names().into_iter().filter(|name| own.as_ref() == Some(&fold(name))).collect();
        let own = |name: &str| if names.contains(name) { Named::One(group.id) } else { Named::Nobody };
        let unread = |_: &str| Named::Unread { why: String::new() };
        let meaning = self.meaning(own);
        let names_it =
            |groups: &GroupRefs| groups.refer_to(group.id, &meaning, Nobody::MatchesNothing) == Refers::Yes;
        let covering = self.scenarios.iter().filter(|scenario| scenario.joins.as_ref().is_some_and(names_it));
        GroupView {
            settled: self.answers(group, &meaning),
            nameless: self.answers(group, &self.meaning(|_| Named::Nobody)),
            unread: self.answers(group, &self.meaning(unread)),
            covered_by: covering.map(|scenario| scenario.id.clone()).collect(),
            protected: names_it(&self.protected_groups),
            names,
            dynamic: self.otherwise_membership.as_ref().map(|_| group.dynamic),
            member_obstacle: Obstacle::of(group, Relation::Member),
            owner_obstacle: Obstacle::of(group, Relation::Owner),
        }
    }

    fn meaning(&self, of: impl Fn(&str) -> Named) -> Names {
        let names = self.group_names().into_iter();
        names.map(|name| (name.clone(), of(&name))).collect()
    }

    fn answers(&self, group: &Group, names: &Names) -> Answers {
        let membership = Membership { group: group.clone(), relation: Relation::Member, new: false };
        let seen = Seen::new(&membership);
        let mut answers = Answers::default();
        for guardrail in &self.guardrails {
            let Some(joins) = &guardrail.joins else { continue };
            let id = || guardrail.head.id.clone();
            match joins.matcher.matches(&seen, names) {
                Match::No => {}
                Match::Unknown(_) => {
                    answers.unknown.insert(id());
                }
                Match::Yes(_) => {
                    answers.yes.insert(id());
                }
            }
        }
        answers
    }
}

/// Guardrails that match, and those of which it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Answers {
    yes: BTreeSet<RuleId>,
    unknown: BTreeSet<RuleId>,
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { yes, unknown } = self;
        write!(f, "{}?{}", rules(yes), rules(unknown))
    }
}

fn rules(rules: &BTreeSet<RuleId>) -> String {
    rules.iter().map(RuleId::as_str).collect::<Vec<_>>().join(",")
}

impl GroupView {
    /// Whether a membership of this group can be a finding: a rule is about it, or may be, or memberships have to be covered.
    #[must_use]
    pub fn concerns_members(&self) -> bool {
        let Answers { yes, unknown } = &self.settled;
        !yes.is_empty() || !unknown.is_empty() || self.dynamic.is_some()
    }
}

impl fmt::Display for GroupView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            settled,
            nameless,
            unread,
            covered_by,
            protected,
            names,
            dynamic,
            member_obstacle,
            owner_obstacle,
        } = self;
        let covered_by = rules(covered_by);
        let dynamic = match dynamic {
            None => "-",
            Some(None) => "unread",
            Some(Some(true)) => "yes",
            Some(Some(false)) => "no",
        };
        let obstacle = |obstacle: &Option<Obstacle>| obstacle.map_or("-".to_owned(), |it| it.to_string());
        let (member, owner) = (obstacle(member_obstacle), obstacle(owner_obstacle));
        write!(
            f,
            "rules={settled} nameless={nameless} unread={unread} covered={covered_by} protected={protected} dynamic={dynamic} \
             members={member} owners={owner} names={names:?}"
        )
    }
}
