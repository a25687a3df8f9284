//! Groups as the policy refers to them: by id, or by a name that holds only while exactly one group bears it. Never
//! here: name patterns, which guardrails alone may use.

use std::collections::{BTreeMap, BTreeSet};

use model::ObjectId;

use crate::domain::shortened;
use crate::group::Named;

/// What the names of the policy mean today.
pub(crate) type Names = BTreeMap<String, Named>;

#[derive(Debug, Clone)]
pub(crate) struct NameRef {
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// Joined by "or".
#[derive(Debug, Clone, Default)]
pub(crate) struct GroupRefs {
    /// Each with the name that stands beside it, for people.
    pub(crate) ids: BTreeMap<ObjectId, Option<String>>,
    pub(crate) names: Vec<NameRef>,
}

/// Whether one of the references means a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refers {
    No,
    /// In words that start with `ambiguous: ` or `unknown: `.
    Unknown(Vec<String>),
    Yes,
}

/// What a name that no group bears means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nobody {
    /// Where the policy forbids: nothing.
    MatchesNothing,
    /// Where it admits or protects: somebody is meant, and it is not known who.
    IsUnknown,
}

impl GroupRefs {
    pub(crate) fn refer_to(&self, group: ObjectId, names: &Names, nobody: Nobody) -> Refers {
        if self.ids.contains_key(&group) {
            return Refers::Yes;
        }
        let mut unknown = Vec::new();
        for NameRef { name, line: _, column: _ } in &self.names {
            match names.get(name) {
                Some(Named::One(id)) if *id == group => return Refers::Yes,
                Some(Named::One(_)) => {}
                Some(Named::Several(ids)) if !ids.contains(&group) => {}
                Some(Named::Nobody) if nobody == Nobody::MatchesNothing => {}
                named => unknown.push(unsettled(name, named)),
            }
        }
        if unknown.is_empty() { Refers::No } else { Refers::Unknown(unknown) }
    }

    /// Whether one of the references means one of all the groups that somebody is in.
    pub(crate) fn refer_to_any(&self, groups: &BTreeSet<ObjectId>, names: &Names, nobody: Nobody) -> Refers {
        if self.ids.keys().any(|id| groups.contains(id)) {
            return Refers::Yes;
        }
        let mut unknown = Vec::new();
        for NameRef { name, line: _, column: _ } in &self.names {
            match names.get(name) {
                Some(Named::One(id)) if groups.contains(id) => return Refers::Yes,
                Some(Named::One(_)) => {}
                Some(Named::Several(ids)) if !ids.iter().any(|id| groups.contains(id)) => {}
                Some(Named::Nobody) if nobody == Nobody::MatchesNothing => {}
                named => unknown.push(unsettled(name, named)),
            }
        }
        if unknown.is_empty() { Refers::No } else { Refers::Unknown(unknown) }
    }

    /// Those of `groups` that one of the references may mean: an ambiguous name means all that bear it.
    pub(crate) fn any_of(&self, groups: &BTreeSet<ObjectId>, names: &Names) -> BTreeSet<ObjectId> {
        let by_id = self.ids.keys().copied();
        let by_name = self.names.iter().flat_map(|reference| match names.get(&reference.name) {
            Some(Named::One(id)) => std::slice::from_ref(id),
            Some(Named::Several(ids)) => ids.as_slice(),
            Some(Named::Nobody | Named::Unread { .. }) | None => &[],
        });
        by_id.chain(by_name.copied()).filter(|id| groups.contains(id)).collect()
    }

    /// Names of which it is not known whom they mean.
    pub(crate) fn unknown_names(&self, names: &Names) -> Vec<String> {
        let unknown =
            self.names.iter().filter_map(|NameRef { name, line: _, column: _ }| match names.get(name) {
                Some(Named::One(_) | Named::Several(_)) => None,
                named @ (Some(Named::Nobody | Named::Unread { .. }) | None) => Some(unsettled(name, named)),
            });
        unknown.collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.names.is_empty()
    }

    /// Each as people know it, in the order of the ids and then of the file.
    pub(crate) fn told(&self) -> String {
        let ids = self.ids.iter().map(|(id, name)| match name {
            Some(name) => format!("`{}`", shortened(name)),
            None => format!("`{id}`"),
        });
        let names = self.names.iter().map(|reference| format!("`{}`", shortened(&reference.name)));
        ids.chain(names).collect::<Vec<_>>().join(" or ")
    }
}

/// More ids than these help nobody.
const MOST_IDS: usize = 5;

/// Why a name means nobody in particular, and what to do about it.
pub(crate) fn unsettled(name: &str, named: Option<&Named>) -> String {
    let name = shortened(name);
    match named {
        Some(Named::Several(ids)) => {
            let all: BTreeSet<&ObjectId> = ids.iter().collect();
            let shown: Vec<String> = all.iter().take(MOST_IDS).map(ToString::to_string).collect();
            let more = if all.len() > MOST_IDS { ", …" } else { "" };
            format!(
                "ambiguous: {} groups are called `{name}` ({}{more}): write the id of the one that is meant \
                 (`guestlist resolve` lists them)",
                all.len(),
                shown.join(", "),
            )
        }
        Some(Named::Nobody) => format!(
            "unknown: no group is called `{name}`: correct the name, and write the id beside it with `guestlist \
             resolve --write`"
        ),
        Some(Named::Unread { why }) => format!(
            "unknown: which group is called `{name}` could not be read ({}): write the id beside it with `guestlist \
             resolve --write`",
            shortened(why)
        ),
        Some(Named::One(_)) | None => format!(
            "unknown: which group is called `{name}` has not been read: write the id beside it with `guestlist resolve --write`"
        ),
    }
}
