//! What people do with groups, outside Graph. Each act raises the notifications that Graph would raise: a change of
//! members carries `members@delta`, a change of properties or owners does not.
use jiff::Timestamp;
use serde_json::Map;
use uuid::Uuid;

use crate::directory::{Directory, DirectoryError};
use crate::tenant::objects::Other;
use crate::tenant::{Group, GroupKind, Label, OtherKind, Relation, Tenant};

#[derive(Clone, Debug, Default)]
pub struct NewGroup {
    pub name: String,
    pub description: Option<String>,
    pub kind: GroupKind,
    /// The name of a sensitivity label.
    pub label: Option<String>,
    pub role_assignable: bool,
    /// `Private`, `Public` or `HiddenMembership`.
    pub visibility: Option<String>,
    /// The membership rule of a dynamic group.
    pub dynamic: Option<String>,
    /// Mastered on premises.
    pub synced: bool,
    pub management_restricted: bool,
    pub owners: Vec<Uuid>,
    pub members: Vec<Uuid>,
}

impl NewGroup {
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn build(self, tenant: &mut Tenant, now: Timestamp) -> Group {
        let Self {
            name,
            description,
            kind,
            label,
            role_assignable,
            visibility,
            dynamic,
            synced,
            management_restricted,
            owners,
            members,
        } = self;
        let nickname: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Group {
            id: tenant.new_id(),
            description,
            mail_nickname: nickname.to_lowercase(),
            kind,
            label: label.map(|label| tenant.label(&label)),
            role_assignable,
            visibility: visibility.or_else(|| kind.unified().then(|| "Private".to_owned())),
            membership_rule: dynamic,
            on_premises_sync_enabled: synced.then_some(true),
            management_restricted,
            created_at: now,
            members: members.into_iter().collect(),
            owners: owners.into_iter().collect(),
            deleted_at: None,
            display_name: name,
            other: Map::new(),
        }
    }
}

impl Tenant {
    /// The sensitivity label of that name; the same name has the same id.
    pub(crate) fn label(&mut self, name: &str) -> Label {
        let spare = self.new_id();
        let id = *self.labels.entry(name.to_owned()).or_insert(spare);
        Label { id, name: name.to_owned() }
    }
}

impl Group {
    /// By id or display name.
    fn is_called(&self, text: &str) -> bool {
        Uuid::parse_str(text) == Ok(self.id) || self.display_name.eq_ignore_ascii_case(text)
    }
}

impl Directory {
    pub fn create_group(&self, new: NewGroup) -> Uuid {
        self.act(|state, now| {
            let group = new.build(&mut state.tenant, now);
            let id = group.id;
            state.tenant.put_group(group, now);
            id
        })
    }

    pub fn rename_group(&self, id: Uuid, name: &str) -> Result<(), DirectoryError> {
        self.set_group(id, |group| group.display_name = name.to_owned())
    }

    /// Puts a sensitivity label on the group, by its name, or takes it off.
    pub fn set_label(&self, id: Uuid, name: Option<&str>) -> Result<(), DirectoryError> {
        let label = name.map(|name| self.world.act(|state, _| state.tenant.label(name)));
        self.set_group(id, |group| group.label = label)
    }

    pub fn add_member(&self, group: Uuid, object: Uuid) -> Result<(), DirectoryError> {
        self.link(group, object, Relation::Member, true)
    }

    pub fn remove_member(&self, group: Uuid, object: Uuid) -> Result<(), DirectoryError> {
        self.link(group, object, Relation::Member, false)
    }

    pub fn add_owner(&self, group: Uuid, object: Uuid) -> Result<(), DirectoryError> {
        self.link(group, object, Relation::Owner, true)
    }

    pub fn remove_owner(&self, group: Uuid, object: Uuid) -> Result<(), DirectoryError> {
        self.link(group, object, Relation::Owner, false)
    }

    fn link(&self, group: Uuid, object: Uuid, relation: Relation, there: bool) -> Result<(), DirectoryError> {
        self.world.look(|state, _| match state.tenant.truth().object(object) {
            Some(_) => Ok(()),
            None if !there => Ok(()),
            None => Err(DirectoryError::NoUser(object)),
        })?;
        self.set_group(group, |group| {
            let linked = group.linked_mut(relation);
            if there {
                linked.insert(object);
            } else {
                linked.remove(&object);
            }
        })
    }

    /// Changes any property of a group.
    pub fn set_group(&self, id: Uuid, change: impl FnOnce(&mut Group)) -> Result<(), DirectoryError> {
        self.act(|state, now| {
            let mut group = state.tenant.true_group(id).cloned().ok_or(DirectoryError::NoGroup(id))?;
            change(&mut group);
            state.tenant.put_group(group, now);
            Ok(())
        })
    }

    /// Microsoft 365 groups go to the deleted items, all others are gone for good.
    pub fn delete_group(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.world.act(|state, now| match state.tenant.true_group(id) {
            Some(_) => {
                state.tenant.delete_group(id, now);
                Ok(())
            }
            None => Err(DirectoryError::NoGroup(id)),
        })
    }

    pub fn restore_group(&self, id: Uuid) -> Result<(), DirectoryError> {
        if self.group(id).is_none_or(|group| group.deleted_at.is_none()) {
            return Err(DirectoryError::NotDeleted(id));
        }
        self.set_group(id, |group| group.deleted_at = None)
    }

    /// A service principal or a device, which may be a member or an owner like a user.
    pub fn add_object(&self, kind: OtherKind, name: &str) -> Uuid {
        self.world.act(|state, _| {
            let id = state.tenant.new_id();
            state.tenant.others.insert(id, Other { id, kind, name: name.to_owned() });
            id
        })
    }

    /// The user, group, service principal or device of this id or name, if there is exactly one.
    pub fn find_object(&self, text: &str) -> Option<Uuid> {
        let id = Uuid::parse_str(text).ok();
        let others: Vec<Uuid> = self.world.look(|state, _| {
            let named = |other: &&Other| Some(other.id) == id || other.name.eq_ignore_ascii_case(text);
            state.tenant.others.values().filter(named).map(|other| other.id).collect()
        });
        let users = self.users().into_iter().filter(|user| user.is_called(text)).map(|user| user.id);
        let groups = self.groups().into_iter().filter(|group| group.is_called(text)).map(|group| group.id);
        let mut found = users.chain(groups).chain(others);
        found.next().filter(|_| found.next().is_none())
    }

    /// `Private`, `Public` or `HiddenMembership`.
    pub fn set_visibility(&self, id: Uuid, visibility: &str) -> Result<(), DirectoryError> {
        self.set_group(id, |group| group.visibility = Some(visibility.to_owned()))
    }

    /// The true state, soft-deleted groups included.
    pub fn group(&self, id: Uuid) -> Option<Group> {
        self.world.look(|state, _| state.tenant.true_group(id).cloned())
    }

    pub fn groups(&self) -> Vec<Group> {
        self.world.look(|state, _| {
            let mut records: Vec<_> =
                state.tenant.groups.values().filter(|record| record.purged_at.is_none()).collect();
            records.sort_by_key(|record| record.ordinal);
            records.into_iter().map(|record| record.truth().clone()).collect()
        })
    }

    /// The group with this id or display name, if there is exactly one.
    pub fn find_group(&self, text: &str) -> Option<Group> {
        let mut found = self.groups().into_iter().filter(|group| group.is_called(text));
        found.next().filter(|_| found.next().is_none())
    }

    /// Whether `object` is a member of `group` in truth.
    pub fn is_member(&self, group: Uuid, object: Uuid) -> bool {
        self.group(group).is_some_and(|group| group.members.contains(&object))
    }

    pub fn is_owner(&self, group: Uuid, object: Uuid) -> bool {
        self.group(group).is_some_and(|group| group.owners.contains(&object))
    }
}

impl Tenant {
    pub(crate) fn delete_group(&mut self, id: Uuid, now: Timestamp) {
        match self.true_group(id).cloned() {
            Some(group) if group.kind.unified() && group.deleted_at.is_none() => {
                self.put_group(Group { deleted_at: Some(now), ..group }, now);
            }
            Some(_) => self.purge_group(id, now),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_label_name_has_the_same_id() {
        let mut tenant = Tenant::new(Uuid::nil(), "Contoso".to_owned(), Vec::new(), 1);
        let first = tenant.label("Confidential");
        assert_eq!(tenant.label("Confidential"), first);
        assert_ne!(tenant.label("Public").id, first.id);
    }
}
