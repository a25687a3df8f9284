//! The truth of the tenant: objects, their versions, and the log of changes that notifications and delta queries are
//! made of. Every write goes through `put_user`, `put_group` or `purge`, so that no change goes unlogged.
pub(crate) mod audit;
pub(crate) mod documents;
mod history;
pub(crate) mod objects;
pub(crate) mod roles;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub(crate) use audit::{Actor, AuditRow};
pub(crate) use history::Record;
pub use objects::{Group, GroupKind, Identity, Label, OtherKind, User, UserType};
pub(crate) use objects::{Other, Relation, Role};
pub(crate) use view::{Object, View};

#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// The first is the initial one (`….onmicrosoft.com`), the second, if any, the default one.
    pub(crate) domains: Vec<String>,
    pub(crate) users: BTreeMap<Uuid, Record<User>>,
    pub(crate) groups: BTreeMap<Uuid, Record<Group>>,
    /// The groups to which an object is tied, or was once: where to look, and not what is so.
    tied_to: BTreeMap<Uuid, BTreeSet<Uuid>>,
    pub(crate) others: BTreeMap<Uuid, Other>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) labels: BTreeMap<String, Uuid>,
    pub(crate) audits: Vec<AuditRow>,
    /// Who acts at this moment. None = nobody of whom the audit would tell.
    acting: Option<Actor>,
    pub(crate) log: Vec<Change>,
    /// Changes that no subscription has been told about yet.
    pub(crate) unannounced: Vec<Change>,
    pub(crate) sequence: u64,
    ordinals: u64,
    pub(crate) luck: fastrand::Rng,
    /// For ids that mean nothing: how many audit rows there are must not change the ids of objects.
    noise: fastrand::Rng,
}

/// One write of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) of: ObjectKind,
    pub(crate) id: Uuid,
    /// Gone for good; everything else, soft deletion included, is an update.
    pub(crate) purged: bool,
    /// Graph names of what is different now.
    pub(crate) properties: Vec<String>,
    pub(crate) links: Vec<LinkChange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    User,
    Group,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkChange {
    pub(crate) object: Uuid,
    pub(crate) relation: Relation,
    pub(crate) added: bool,
}

impl Tenant {
    pub(crate) fn new(id: Uuid, name: String, domains: Vec<String>, seed: u64) -> Self {
        Self {
            id,
            name,
            domains,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            tied_to: BTreeMap::new(),
            others: BTreeMap::new(),
            roles: BTreeMap::new(),
            labels: BTreeMap::new(),
            audits: Vec::new(),
            acting: None,
            log: Vec::new(),
            unannounced: Vec::new(),
            sequence: 0,
            ordinals: 0,
            luck: fastrand::Rng::with_seed(seed ^ 0x7465_6e61_6e74),
            noise: fastrand::Rng::with_seed(seed ^ 0x6175_6469_7473),
        }
    }

    /// Ids are drawn from the seed, so that a run can be repeated.
    pub(crate) fn new_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.luck.u128(..).to_be_bytes()).into_uuid()
    }

    fn passing_id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.noise.u128(..).to_be_bytes()).into_uuid()
    }

    /// From now on the audit tells of `actor` what happens, or of nobody.
    pub(crate) fn let_act(&mut self, actor: Option<Actor>) {
        self.acting = actor;
    }

    pub(crate) fn initial_domain(&self) -> &str {
        self.domains.first().map_or("contoso.onmicrosoft.com", String::as_str)
    }

    pub(crate) fn default_domain(&self) -> &str {
        self.domains.get(1).map_or_else(|| self.initial_domain(), String::as_str)
    }

    pub(crate) fn truth(&self) -> View<'_> {
        View { tenant: self, seen_until: None, settled_until: None }
    }

    /// The user, soft-deleted or not, as he truly is; none after a purge.
    pub(crate) fn true_user(&self, id: Uuid) -> Option<&User> {
        self.users.get(&id).filter(|record| record.purged_at.is_none()).map(Record::truth)
    }

    pub(crate) fn true_group(&self, id: Uuid) -> Option<&Group> {
        self.groups.get(&id).filter(|record| record.purged_at.is_none()).map(Record::truth)
    }

    /// Writes a user. A write that changes nothing is no change and raises nothing.
    pub(crate) fn put_user(&mut self, user: User, now: Timestamp) {
        let id = user.id;
        let before = self.true_user(id).cloned();
        if let Some(before) = &before {
            self.audit_account(before, &user, now);
        }
        let properties = match &before {
            Some(before) if *before == user => return,
            Some(before) => difference(&documents::of_user(before), &documents::of_user(&user)),
            None => documents::of_user(&user).keys().cloned().collect(),
        };
        let sequence = self.note(ObjectKind::User, id, false, properties, Vec::new(), now);
        if let Some(record) = self.users.get_mut(&id) {
            record.write(user, sequence, now);
        } else {
            self.ordinals += 1;
            self.users.insert(id, Record::new(user, self.ordinals, sequence, now));
        }
    }

    /// Writes a group, its links included.
    pub(crate) fn put_group(&mut self, group: Group, now: Timestamp) {
        let id = group.id;
        let (properties, links) = match self.true_group(id) {
            Some(before) if *before == group => return,
            Some(before) => (
                difference(&documents::of_group(before), &documents::of_group(&group)),
                link_changes(Some(before), &group),
            ),
            None => (documents::of_group(&group).keys().cloned().collect(), link_changes(None, &group)),
        };
        for link in links.iter().filter(|link| link.added) {
            self.tied_to.entry(link.object).or_default().insert(id);
        }
        self.audit_links(&group, &links, now);
        let sequence = self.note(ObjectKind::Group, id, false, properties, links, now);
        if let Some(record) = self.groups.get_mut(&id) {
            record.write(group, sequence, now);
        } else {
            self.ordinals += 1;
            self.groups.insert(id, Record::new(group, self.ordinals, sequence, now));
        }
    }

    /// Every group to which the object may be tied, in any version of the group.
    pub(crate) fn tied_to(&self, object: Uuid) -> impl Iterator<Item = &Record<Group>> {
        let groups = self.tied_to.get(&object).into_iter().flatten();
        groups.filter_map(|id| self.groups.get(id))
    }

    /// What goes with the user leaves no rows of its own.
    pub(crate) fn purge_user(&mut self, id: Uuid, now: Timestamp) {
        let acting = self.acting.take();
        let holding: Vec<Group> = self
            .tied_to(id)
            .map(Record::truth)
            .filter(|group| group.members.contains(&id) || group.owners.contains(&id))
            .cloned()
            .collect();
        for mut group in holding {
            group.members.remove(&id);
            group.owners.remove(&id);
            self.put_group(group, now);
        }
        self.acting = acting;
        let sequence = self.note(ObjectKind::User, id, true, Vec::new(), Vec::new(), now);
        if let Some(record) = self.users.get_mut(&id) {
            record.purged_at = Some(now);
            record.changed = sequence;
        }
    }

    pub(crate) fn purge_group(&mut self, id: Uuid, now: Timestamp) {
        let sequence = self.note(ObjectKind::Group, id, true, Vec::new(), Vec::new(), now);
        if let Some(record) = self.groups.get_mut(&id) {
            record.purged_at = Some(now);
            record.changed = sequence;
        }
    }

    fn note(
        &mut self,
        of: ObjectKind,
        id: Uuid,
        purged: bool,
        properties: Vec<String>,
        links: Vec<LinkChange>,
        at: Timestamp,
    ) -> u64 {
        self.sequence += 1;
        let change = Change { sequence: self.sequence, at, of, id, purged, properties, links };
        self.log.push(change.clone());
        self.unannounced.push(change);
        self.sequence
    }
}

fn difference(
    before: &serde_json::Map<String, Value>,
    after: &serde_json::Map<String, Value>,
) -> Vec<String> {
    let names = before.keys().chain(after.keys()).collect::<BTreeSet<_>>();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

fn link_changes(before: Option<&Group>, after: &Group) -> Vec<LinkChange> {
    let mut changes = Vec::new();
    for relation in [Relation::Member, Relation::Owner] {
        let old = before.map(|group| group.linked(relation).clone()).unwrap_or_default();
        let new = after.linked(relation);
        let removed = old.difference(new).map(|object| (*object, false));
        let added = new.difference(&old).map(|object| (*object, true));
        changes.extend(removed.chain(added).map(|(object, added)| LinkChange { object, relation, added }));
    }
    changes
}
