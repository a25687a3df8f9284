//! Is a group one of those that the rule speaks of? What was not read decides nothing, and is not asked where something
//! else decides.

use std::collections::BTreeSet;

use model::ObjectId;

use super::pattern::NamePattern;
use crate::domain::shortened;
use crate::group::{Group, Label, fold};
use crate::memberships::Seen;
use crate::reference::{GroupRefs, Names, Nobody, Refers};

/// Keys are joined by "and", the entries of one key by "or". Without any key it is every group.
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupMatcher {
    pub(crate) groups: Option<GroupRefs>,
    pub(crate) names: Vec<NamePattern>,
    pub(crate) labels: Vec<LabelText>,
    pub(crate) role_assignable: Option<bool>,
    pub(crate) team: Option<bool>,
    pub(crate) visibility: BTreeSet<Visibility>,
    pub(crate) dynamic: Option<bool>,
    /// Joined by "or".
    pub(crate) any: Vec<GroupMatcher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visibility {
    Private,
    Public,
    HiddenMembership,
}

impl Visibility {
    pub(crate) const ALL: [Self; 3] = [Self::Private, Self::Public, Self::HiddenMembership];

    /// The word in the policy file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::HiddenMembership => "hidden-membership",
        }
    }

    /// Graph's word (<https://learn.microsoft.com/graph/api/resources/group#group-visibility-options>).
    pub(crate) fn graph(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::Public => "Public",
            Self::HiddenMembership => "HiddenMembership",
        }
    }
}

/// The name or the id of a label.
#[derive(Debug, Clone)]
pub(crate) struct LabelText {
    pub(crate) text: String,
    folded: String,
    /// A GUID, which is no name.
    is_id: bool,
}

impl LabelText {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), folded: fold(text), is_id: text.parse::<ObjectId>().is_ok() }
    }

    /// `None`: the label's name decides, and was not read.
    fn is(&self, label: &Label) -> Option<bool> {
        if self.text.eq_ignore_ascii_case(&label.id) {
            return Some(true);
        }
        if self.is_id {
            return Some(false);
        }
        label.name.as_deref().map(|name| fold(name) == self.folded)
    }
}

/// With what reads after "a member of `X`, ", or with what could not be read, in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    No,
    Unknown(Vec<String>),
    Yes(Vec<String>),
}

impl Match {
    fn unread(what: &str) -> Self {
        Self::Unknown(vec![format!("{what} could not be read")])
    }

    fn yes(phrase: impl Into<String>) -> Self {
        Self::Yes(vec![phrase.into()])
    }

    /// Every "yes" tells its reasons, so that the order of the alternatives decides nothing.
    pub(crate) fn either(all: impl Iterator<Item = Self>) -> Self {
        let (mut unknown, mut met, mut yes) = (Vec::new(), Vec::new(), false);
        for one in all {
            match one {
                Self::No => {}
                Self::Unknown(mut reasons) => unknown.append(&mut reasons),
                Self::Yes(mut reasons) => {
                    yes = true;
                    met.append(&mut reasons);
                }
            }
        }
        if yes {
            Self::Yes(met)
        } else if unknown.is_empty() {
            Self::No
        } else {
            Self::Unknown(unknown)
        }
    }
}

impl GroupMatcher {
    pub(crate) fn matches(&self, seen: &Seen<'_>, names: &Names) -> Match {
        let (mut met, mut unknown) = (Vec::new(), Vec::new());
        for test in TESTS {
            match test(self, seen, names) {
                Some(Match::No) => return Match::No,
                Some(Match::Unknown(mut reasons)) => unknown.append(&mut reasons),
                Some(Match::Yes(mut reasons)) => met.append(&mut reasons),
                None => {}
            }
        }
        if unknown.is_empty() { Match::Yes(met) } else { Match::Unknown(unknown) }
    }

    /// Every reference to a group by id or name, those of the alternatives, too.
    pub(crate) fn references(&self) -> impl Iterator<Item = &GroupRefs> {
        self.groups.iter().chain(self.any.iter().filter_map(|one| one.groups.as_ref()))
    }

    pub(super) fn is_every_group(&self) -> bool {
        let Self { groups, names, labels, role_assignable, team, visibility, dynamic, any } = self;
        let told = [role_assignable, team, dynamic].iter().any(|told| told.is_some());
        let lists = names.is_empty() && labels.is_empty() && visibility.is_empty() && any.is_empty();
        groups.is_none() && lists && !told
    }
}

/// `None`: the rule does not ask.
type Test = fn(&GroupMatcher, &Seen<'_>, &Names) -> Option<Match>;

/// What costs least comes first.
const TESTS: [Test; 8] = [references, role_assignable, team, dynamic, visibility, name, label, alternatives];

fn references(rule: &GroupMatcher, seen: &Seen<'_>, names: &Names) -> Option<Match> {
    let groups = rule.groups.as_ref()?;
    Some(match groups.refer_to(seen.group().id, names, Nobody::MatchesNothing) {
        Refers::No => Match::No,
        Refers::Unknown(reasons) => Match::Unknown(reasons),
        Refers::Yes => Match::yes("which the rule names"),
    })
}

fn role_assignable(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    let told = ["which is role-assignable", "which is not role-assignable"];
    flag(rule.role_assignable, seen.group().role_assignable, told, "whether the group is role-assignable")
}

fn team(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    let told = ["which is a team", "which is no team"];
    flag(rule.team, seen.group().team, told, "whether the group is a team")
}

fn dynamic(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    let told = ["which is dynamic", "which is not dynamic"];
    flag(rule.dynamic, seen.group().dynamic, told, "whether the group is dynamic")
}

fn flag(wanted: Option<bool>, found: Option<bool>, told: [&str; 2], what: &str) -> Option<Match> {
    let wanted = wanted?;
    let [yes, no] = told;
    Some(match found {
        None => Match::unread(what),
        Some(found) if found != wanted => Match::No,
        Some(_) => Match::yes(if wanted { yes } else { no }),
    })
}

fn visibility(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    if rule.visibility.is_empty() {
        return None;
    }
    let Group { visibility, unified, .. } = seen.group();
    Some(match visibility {
        // Only Microsoft 365 groups have one.
        None if *unified == Some(false) => Match::No,
        None => Match::unread("the group's visibility"),
        Some(found) => {
            let wanted = rule.visibility.iter().find(|wanted| wanted.graph().eq_ignore_ascii_case(found));
            wanted.map_or(Match::No, |wanted| Match::yes(format!("whose visibility is {}", wanted.word())))
        }
    })
}

fn name(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    if rule.names.is_empty() {
        return None;
    }
    let Some(found) = seen.folded_name() else {
        return Some(Match::unread("the group's name"));
    };
    let matched = rule.names.iter().find(|pattern| pattern.matches(found));
    let told =
        |pattern: &NamePattern| Match::yes(format!("whose name matches `{}`", shortened(pattern.text())));
    Some(matched.map_or(Match::No, told))
}

fn label(rule: &GroupMatcher, seen: &Seen<'_>, _: &Names) -> Option<Match> {
    if rule.labels.is_empty() {
        return None;
    }
    let Some(found) = &seen.group().labels else {
        return Some(Match::unread("the group's labels"));
    };
    let all = rule.labels.iter().flat_map(|wanted| found.iter().map(move |label| (wanted, label)));
    let mut answer = Match::No;
    for (wanted, label) in all {
        match wanted.is(label) {
            Some(true) => return Some(Match::yes(format!("whose label is `{}`", shortened(&wanted.text)))),
            Some(false) => {}
            None => answer = Match::unread("the name of the group's label"),
        }
    }
    Some(answer)
}

fn alternatives(rule: &GroupMatcher, seen: &Seen<'_>, names: &Names) -> Option<Match> {
    (!rule.any.is_empty()).then(|| Match::either(rule.any.iter().map(|one| one.matches(seen, names))))
}
