//! What one request sees of the tenant: the truth, or the truth of a replica that lags behind. Reading only.
use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Group, Other, Record, Relation, Role, Tenant, User};

#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Changes after this instant have not reached the replica that answers.
    pub(crate) seen_until: Option<Timestamp>,
    /// Objects created after this instant are not there yet.
    pub(crate) settled_until: Option<Timestamp>,
}

/// Any directory object, as a collection of mixed types holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object<'a> {
    User(&'a User),
    Group(&'a Group),
    Role(&'a Role),
    Other(&'a Other),
}

impl Object<'_> {
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::User(user) => user.id,
            Self::Group(group) => group.id,
            Self::Role(role) => role.id,
            Self::Other(other) => other.id,
        }
    }
}

impl<'a> View<'a> {
    /// A live user by object id or user principal name.
    pub(crate) fn user_by_key(&self, key: &str) -> Option<&'a User> {
        match Uuid::parse_str(key) {
            Ok(id) => self.user(id),
            Err(_) => self
                .live_users()
                .map(|(_, user)| user)
                .find(|user| user.user_principal_name.eq_ignore_ascii_case(key)),
        }
    }

    pub(crate) fn user(&self, id: Uuid) -> Option<&'a User> {
        self.live(self.tenant.users.get(&id)?).filter(|user| user.deleted_at.is_none())
    }

    pub(crate) fn group(&self, id: Uuid) -> Option<&'a Group> {
        self.live(self.tenant.groups.get(&id)?).filter(|group| group.deleted_at.is_none())
    }

    pub(crate) fn deleted_user(&self, id: Uuid) -> Option<&'a User> {
        self.live(self.tenant.users.get(&id)?).filter(|user| user.deleted_at.is_some())
    }

    pub(crate) fn deleted_group(&self, id: Uuid) -> Option<&'a Group> {
        self.live(self.tenant.groups.get(&id)?).filter(|group| group.deleted_at.is_some())
    }

    fn live<T>(&self, record: &'a Record<T>) -> Option<&'a T> {
        let too_fresh = self.settled_until.is_some_and(|until| record.created_at > until);
        (!too_fresh && !record.is_purged(self.seen_until)).then(|| record.seen(self.seen_until))
    }

    pub(crate) fn object(&self, id: Uuid) -> Option<Object<'a>> {
        None.or_else(|| self.user(id).map(Object::User))
            .or_else(|| self.group(id).map(Object::Group))
            .or_else(|| self.tenant.others.get(&id).map(Object::Other))
            .or_else(|| self.tenant.roles.values().find(|role| role.id == id).map(Object::Role))
    }

    /// Live users with their place in the order of creation.
    pub(crate) fn live_users(&self) -> impl Iterator<Item = (u64, &'a User)> + use<'a> {
        let view = *self;
        self.tenant.users.values().filter_map(move |record| {
            let user = view.live(record).filter(|user| user.deleted_at.is_none())?;
            Some((record.ordinal, user))
        })
    }

    pub(crate) fn live_groups(&self) -> impl Iterator<Item = (u64, &'a Group)> + use<'a> {
        let view = *self;
        self.tenant.groups.values().filter_map(move |record| {
            let group = view.live(record).filter(|group| group.deleted_at.is_none())?;
            Some((record.ordinal, group))
        })
    }

    pub(crate) fn all_deleted_users(&self) -> Vec<(u64, &'a User)> {
        let records = self.tenant.users.values();
        let seen = records.filter_map(|record| Some((record.ordinal, self.live(record)?)));
        seen.filter(|(_, user)| user.deleted_at.is_some()).collect()
    }

    pub(crate) fn all_deleted_groups(&self) -> Vec<(u64, &'a Group)> {
        let records = self.tenant.groups.values();
        let seen = records.filter_map(|record| Some((record.ordinal, self.live(record)?)));
        seen.filter(|(_, group)| group.deleted_at.is_some()).collect()
    }

    /// The groups and roles that hold `id` directly.
    pub(crate) fn member_of(&self, id: Uuid) -> Vec<Object<'a>> {
        let groups = self.groups_of(id, Relation::Member).into_iter().map(Object::Group);
        let roles = self.tenant.roles.values().filter(|role| role.holders.contains(&id)).map(Object::Role);
        groups.chain(roles).collect()
    }

    pub(crate) fn groups_of(&self, id: Uuid, relation: Relation) -> Vec<&'a Group> {
        let live = |record: &'a Record<Group>| {
            let group = self.live(record).filter(|group| group.deleted_at.is_none())?;
            Some((record.ordinal, group))
        };
        let tied = self.tenant.tied_to(id).filter_map(live);
        let mut held: Vec<_> = tied.filter(|(_, group)| group.linked(relation).contains(&id)).collect();
        held.sort_by_key(|(ordinal, _)| *ordinal);
        held.into_iter().map(|(_, group)| group).collect()
    }

    /// The groups and roles that hold `id`, directly or through other groups.
    pub(crate) fn transitive_member_of(&self, id: Uuid) -> Vec<Object<'a>> {
        let mut seen = BTreeSet::from([id]);
        let mut found = Vec::new();
        let mut open = vec![id];
        while let Some(next) = open.pop() {
            for object in self.member_of(next) {
                if seen.insert(object.id()) {
                    found.push(object);
                    open.push(object.id());
                }
            }
        }
        found
    }

    pub(crate) fn transitive_members(&self, group: &Group) -> Vec<Object<'a>> {
        let mut seen = BTreeSet::from([group.id]);
        let mut found = Vec::new();
        let mut open: Vec<Uuid> = group.members.iter().copied().collect();
        while let Some(next) = open.pop() {
            let Some(object) = self.object(next).filter(|object| seen.insert(object.id())) else { continue };
            if let Object::Group(inner) = object {
                open.extend(inner.members.iter().copied());
            }
            found.push(object);
        }
        found
    }

    /// Who is linked to `group`, as far as the objects are alive.
    pub(crate) fn linked(&self, group: &Group, relation: Relation) -> Vec<Object<'a>> {
        group.linked(relation).iter().filter_map(|id| self.object(*id)).collect()
    }
}
