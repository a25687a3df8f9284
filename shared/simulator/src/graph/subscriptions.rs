//! The subscriptions of the tenant: what each watches, when it ends, and which change it covers. The Graph calls on
//! them are in `subscription_calls`.
use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::tenant::{Change, ObjectKind, Relation};

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    live: BTreeMap<Uuid, Subscription>,
}

/// A live subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: Uuid,
    /// The client id of the app that made it.
    pub app: Uuid,
    /// As it was asked for.
    pub resource: String,
    pub change_type: String,
    pub notification_url: String,
    pub lifecycle_url: Option<String>,
    pub client_state: Option<String>,
    pub expires_at: Timestamp,
    /// Its authorization ran out: notifications wait until it is renewed or reauthorized.
    pub held: bool,
    pub(crate) watched: Watched,
}

/// What a `resource` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    All(ObjectKind),
    One(ObjectKind, Uuid),
    Links(Uuid, Relation),
}

impl Watched {
    /// `users`, `/users/{id}`, `groups/{id}/members` and so on; none for what cannot be watched.
    pub(crate) fn parse(resource: &str) -> Option<Self> {
        let path = resource.strip_prefix('/').unwrap_or(resource);
        let parts: Vec<&str> = path.split('/').collect();
        let kind = match parts.first() {
            Some(&"users") => ObjectKind::User,
            Some(&"groups") => ObjectKind::Group,
            Some(_) | None => return None,
        };
        let id = parts.get(1).map(|id| Uuid::parse_str(id)).transpose().ok()?;
        match (kind, id, parts.get(2), parts.len()) {
            (kind, None, None, 1) => Some(Self::All(kind)),
            (kind, Some(id), None, 2) => Some(Self::One(kind, id)),
            (ObjectKind::Group, Some(id), Some(&"members"), 3) => Some(Self::Links(id, Relation::Member)),
            (ObjectKind::Group, Some(id), Some(&"owners"), 3) => Some(Self::Links(id, Relation::Owner)),
            _ => None,
        }
    }

    pub(crate) fn kind(self) -> ObjectKind {
        match self {
            Self::All(kind) | Self::One(kind, _) => kind,
            Self::Links(..) => ObjectKind::Group,
        }
    }

    fn covers(self, change: &Change) -> bool {
        match self {
            Self::All(kind) => kind == change.of,
            Self::One(kind, id) => kind == change.of && id == change.id,
            Self::Links(id, relation) => {
                id == change.id && change.links.iter().any(|link| link.relation == relation)
            }
        }
    }
}

impl Subscriptions {
    /// Drops what has expired.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        self.live.retain(|_, subscription| subscription.expires_at > now);
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<&Subscription> {
        self.live.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: Uuid) -> Option<&mut Subscription> {
        self.live.get_mut(&id)
    }

    pub(crate) fn insert(&mut self, subscription: Subscription) {
        self.live.insert(subscription.id, subscription);
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Subscription> {
        self.live.remove(&id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Subscription> {
        self.live.values()
    }

    pub(crate) fn of_app(&self, app: Uuid) -> impl Iterator<Item = &Subscription> {
        self.live.values().filter(move |subscription| subscription.app == app)
    }

    /// The subscription that makes a new one a duplicate: same app, same resource, same change types.
    pub(crate) fn duplicate(&self, app: Uuid, watched: Watched, change_type: &str) -> Option<Uuid> {
        let types = |text: &str| {
            text.split(',').map(|part| part.trim().to_lowercase()).collect::<std::collections::BTreeSet<_>>()
        };
        let wanted = types(change_type);
        let mut known = self.of_app(app);
        let same = known.find(|known| known.watched == watched && types(&known.change_type) == wanted);
        same.map(|known| known.id)
    }

    /// Who is to be told about a change.
    pub(crate) fn covering(&self, change: &Change) -> Vec<Uuid> {
        let wanted = if change.purged { "deleted" } else { "updated" };
        let told = self.live.values().filter(|subscription| {
            let mut types = subscription.change_type.split(',');
            subscription.watched.covers(change) && types.any(|kind| kind.trim().eq_ignore_ascii_case(wanted))
        });
        told.map(|subscription| subscription.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_resources_can_be_watched() {
        let id = Uuid::from_u128(7);
        for (resource, watched) in [
            ("users", Some(Watched::All(ObjectKind::User))),
            ("/groups", Some(Watched::All(ObjectKind::Group))),
            (&format!("/users/{id}"), Some(Watched::One(ObjectKind::User, id))),
            (&format!("groups/{id}/members"), Some(Watched::Links(id, Relation::Member))),
            (&format!("groups/{id}/owners"), Some(Watched::Links(id, Relation::Owner))),
            (&format!("users/{id}/members"), None),
            ("users/alice@contoso.com", None),
            ("Users", None),
            ("auditLogs/directoryAudits", None),
            ("https://graph.microsoft.com/v1.0/users", None),
        ] {
            assert_eq!(Watched::parse(resource), watched, "{resource}");
        }
    }
}
