//! The groups of the policy's own tests. A test need not invent ids: a group that only has a name is the one that the
//! policy means by it, or one that nobody else is.

use std::collections::{BTreeMap, BTreeSet};

use model::ObjectId;
use sha2::{Digest, Sha256};

use super::{Compiler, Id};
use crate::conditions::Visibility;
use crate::file::{At, TestGroup, TestGroups, WrittenTestGroup};
use crate::group::{Group, Label, Membership, Named, Relation, fold};
use crate::policy::Policy;
use crate::reference::Names;

pub(super) struct MadeUp {
    /// What the policy writes beside ids. Two ids beside one name mean neither.
    ids: BTreeMap<String, BTreeSet<ObjectId>>,
    names: BTreeMap<ObjectId, String>,
    /// That stand alone in the policy.
    bare: BTreeSet<String>,
    nameless: u128,
}

impl MadeUp {
    pub(super) fn of(policy: &Policy) -> Self {
        let mut ids = BTreeMap::<String, BTreeSet<ObjectId>>::new();
        let mut names = BTreeMap::new();
        for (id, name) in policy.references().flat_map(|groups| &groups.ids) {
            if let Some(name) = name {
                ids.entry(fold(name)).or_default().insert(*id);
                names.insert(*id, name.clone());
            }
        }
        Self { ids, names, bare: policy.group_names(), nameless: 0 }
    }

    fn id_of(&mut self, name: Option<&str>) -> ObjectId {
        let Some(name) = name else {
            self.nameless += 1;
            return ObjectId::from_u128(self.nameless);
        };
        let known = self.ids.get(&fold(name)).filter(|ids| ids.len() == 1);
        known.and_then(BTreeSet::first).copied().unwrap_or_else(|| invented(name))
    }

    /// What the policy's names mean in the world of the test: the groups of the test that bear them, else a group that
    /// nobody in it has anything to do with.
    pub(super) fn names<'a>(&self, memberships: impl Iterator<Item = &'a Membership>) -> Names {
        let groups: Vec<&Group> = memberships.map(|membership| &membership.group).collect();
        let mean = |name: &String| {
            let bears = |group: &Group| group.name.as_deref().map(fold) == Some(fold(name));
            let bearing = groups.iter().filter(|group| bears(group));
            let ids: BTreeSet<ObjectId> = bearing.map(|group| group.id).collect();
            let named = match (ids.first(), ids.len()) {
                (Some(id), 1) => Named::One(*id),
                (None, _) => Named::One(invented(name)),
                (Some(_), _) => Named::Several(ids.into_iter().collect()),
            };
            (name.clone(), named)
        };
        self.bare.iter().map(mean).collect()
    }
}

/// The same for the same name.
fn invented(name: &str) -> ObjectId {
    let digest = Sha256::digest(fold(name).as_bytes());
    ObjectId::from_u128(digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte)))
}

impl Compiler<'_> {
    /// All of them are new: tests ask what a rule would do, whatever the modes.
    pub(super) fn made_up_groups(
        &mut self,
        relation: Relation,
        groups: Option<&TestGroups>,
        made_up: &mut MadeUp,
    ) -> Option<Vec<Membership>> {
        let groups = groups.into_iter().flat_map(|groups| &groups.items);
        groups
            .map(|group| Some(Membership { group: self.made_up(group, made_up)?, relation, new: true }))
            .collect()
    }

    fn made_up(&mut self, group: &At<WrittenTestGroup>, made_up: &mut MadeUp) -> Option<Group> {
        match &group.value {
            WrittenTestGroup::MadeUp(written) => self.group(written, made_up),
            WrittenTestGroup::Id(text) => match text.parse::<ObjectId>() {
                Ok(id) => Some(plain(id, made_up.names.get(&id).cloned())),
                Err(error) => {
                    let hint = "write `{ name: … }` for a group that only has a name".to_owned();
                    self.problem(group.place, error.to_string(), Some(hint));
                    None
                }
            },
        }
    }

    fn group(&mut self, written: &TestGroup, made_up: &mut MadeUp) -> Option<Group> {
        let TestGroup { id, name, label, role_assignable, team, visibility, dynamic, synced, mail_enabled } =
            written;
        let name = name.as_ref().map(|name| name.value.clone());
        let id = match id {
            Some(id) => self.object_id(id, Id::Group)?,
            None => made_up.id_of(name.as_deref()),
        };
        let visibility = match visibility {
            Some(word) => Some(self.word(word)?),
            None => None,
        };
        let labels = label.iter().flat_map(|words| &words.items);
        let labels = labels.map(|word| Label { id: word.value.clone(), name: Some(word.value.clone()) });
        let team = team.unwrap_or_default();
        let unified = team || visibility.is_some();
        let visibility = visibility.or(unified.then_some(Visibility::Private));
        Some(Group {
            labels: Some(labels.collect()),
            role_assignable: Some(role_assignable.unwrap_or_default()),
            team: Some(team),
            visibility: visibility.map(|visibility| visibility.graph().to_owned()),
            dynamic: Some(dynamic.unwrap_or_default()),
            on_premises_synced: Some(synced.unwrap_or_default()),
            mail_enabled: Some(unified || mail_enabled.unwrap_or_default()),
            unified: Some(unified),
            ..plain(id, name.or_else(|| made_up.names.get(&id).cloned()))
        })
    }
}

/// A security group like any other.
fn plain(id: ObjectId, name: Option<String>) -> Group {
    let no = Some(false);
    Group {
        name: Some(name.unwrap_or_else(|| id.to_string())),
        labels: Some(Vec::new()),
        role_assignable: no,
        team: no,
        dynamic: no,
        on_premises_synced: no,
        mail_enabled: no,
        unified: no,
        management_restricted: no,
        ..Group::unread(id)
    }
}
