//! The JSON of notifications, in the shape that captured ones have: `Users/{id}`, `#Microsoft.Graph.User`, no `id` of
//! their own, `@removed` as a bare string, and dates in three forms. Nothing here sends.
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::dates;
use crate::faults::Luck;
use crate::graph::subscriptions::Subscription;
use crate::tenant::{Change, ObjectKind, Relation};

#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Changed {
        of: ObjectKind,
        id: Uuid,
        purged: bool,
        /// Members added (true) or removed (false).
        members: Vec<(Uuid, bool)>,
        sequence: u64,
        at: Timestamp,
    },
    Lifecycle(Lifecycle),
}

/// A lifecycle event. Only `ReauthorizationRequired` is documented for users and groups; receivers must bear the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    ReauthorizationRequired,
    SubscriptionRemoved,
    Missed,
    /// One of those that Microsoft announces will come.
    Unknown(String),
}

impl Lifecycle {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::ReauthorizationRequired => "reauthorizationRequired",
            Self::SubscriptionRemoved => "subscriptionRemoved",
            Self::Missed => "missed",
            Self::Unknown(name) => name,
        }
    }
}

impl Notice {
    pub(crate) fn of(change: &Change) -> Self {
        let Change { sequence, at, of, id, purged, properties: _, links } = change;
        // Owners never show in a notification: a change of owners looks like a change of properties.
        let members = links.iter().filter(|link| link.relation == Relation::Member);
        let members = members.map(|link| (link.object, link.added)).collect();
        Self::Changed { of: *of, id: *id, purged: *purged, members, sequence: *sequence, at: *at }
    }

    /// Takes up a later notice about the same object, unless one of them tells of its end. Each member stands in it once
    /// as added and once as removed at most, in no order.
    pub(crate) fn absorb(&mut self, later: &Self, luck: &mut Luck) -> bool {
        match (self, later) {
            (
                Self::Changed { of, id, purged: false, members, sequence, at },
                Self::Changed {
                    of: later_of,
                    id: later_id,
                    purged: false,
                    members: more,
                    sequence: newest,
                    at: latest,
                },
            ) if of == later_of && id == later_id => {
                let new: Vec<_> = more.iter().filter(|member| !members.contains(member)).copied().collect();
                members.extend(new);
                luck.draws.shuffle(members);
                (*sequence, *at) = (*newest, *latest);
                true
            }
            (Self::Changed { .. } | Self::Lifecycle(_), Self::Changed { .. } | Self::Lifecycle(_)) => false,
        }
    }

    pub(crate) fn is_lifecycle(&self) -> bool {
        match self {
            Self::Changed { .. } => false,
            Self::Lifecycle(_) => true,
        }
    }

    /// A lifecycle event that Microsoft's description does not know.
    pub(crate) fn is_undocumented(&self) -> bool {
        matches!(self, Self::Lifecycle(Lifecycle::Unknown(_)))
    }

    /// Where it goes: without a lifecycle address, lifecycle events go where everything goes.
    pub(crate) fn url<'a>(&self, subscription: &'a Subscription) -> &'a str {
        match (self, &subscription.lifecycle_url) {
            (Self::Lifecycle(_), Some(url)) => url,
            (Self::Lifecycle(_), None) | (Self::Changed { .. }, _) => &subscription.notification_url,
        }
    }

    /// One element of `value`. `form` picks the form of the date.
    pub(crate) fn item(&self, subscription: &Subscription, tenant: Uuid, form: u8) -> Value {
        let mut item = Map::new();
        item.insert("subscriptionId".to_owned(), json!(subscription.id.to_string()));
        let expires = dates::as_notified(subscription.expires_at, form);
        item.insert("subscriptionExpirationDateTime".to_owned(), json!(expires));
        item.insert("tenantId".to_owned(), json!(tenant.to_string()));
        item.insert("clientState".to_owned(), json!(subscription.client_state));
        match self {
            Self::Lifecycle(event) => {
                item.insert("lifecycleEvent".to_owned(), json!(event.name()));
            }
            Self::Changed { of, id, purged, members, sequence, at } => {
                let (set, type_name) = match of {
                    ObjectKind::User => ("Users", "#Microsoft.Graph.User"),
                    ObjectKind::Group => ("Groups", "#Microsoft.Graph.Group"),
                };
                let mut data = json!({
                    "@odata.type": type_name,
                    "@odata.id": format!("{set}/{id}"),
                    "id": id.to_string(),
                    "organizationId": tenant.to_string(),
                    "sequenceNumber": dates::sequence_number(*at, *sequence),
                });
                if !members.is_empty()
                    && let Value::Object(data) = &mut data
                {
                    let members = members.iter().map(|(id, added)| match added {
                        true => json!({"id": id.to_string()}),
                        false => json!({"id": id.to_string(), "@removed": "deleted"}),
                    });
                    data.insert("members@delta".to_owned(), Value::Array(members.collect()));
                }
                item.insert("changeType".to_owned(), json!(if *purged { "deleted" } else { "updated" }));
                item.insert("resource".to_owned(), json!(format!("{set}/{id}")));
                item.insert("resourceData".to_owned(), data);
            }
        }
        Value::Object(item)
    }
}
