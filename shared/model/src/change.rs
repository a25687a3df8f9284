//! What arrived: a hint that an object should be looked at. It carries no state, because state is read from Graph.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Correlation, ObjectId, TenantId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    User,
    Group,
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Group => "group",
        })
    }
}

/// Graph has no `created` for users and groups: a creation and a soft delete both arrive as `updated`, and `deleted`
/// means for good (<https://learn.microsoft.com/graph/change-notifications-overview>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Updated,
    Deleted,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        })
    }
}

/// Why an object is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Graph told us.
    Notification,
    /// Five minutes after Graph told us, because its replicas lag.
    SecondLook,
    /// An operator or the program itself asked for it.
    Request,
    /// Graph's delta query, or a going over all guests: it may have been told before.
    Reconciliation,
    /// A date has come: an exception, a suspension or a partner ends. Nobody touched the object.
    TimePassed,
}

/// One id of `members@delta`. It may be a user, a group, a device or a service principal: the notification does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberHint {
    pub id: ObjectId,
    pub removed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub tenant: TenantId,
    pub resource: ResourceKind,
    pub id: ObjectId,
    pub kind: ChangeKind,
    pub source: Source,
    /// Nobody waits for it: where Graph has to turn somebody away, it is this look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
    /// Of a group: the members that the notification named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberHint>,
    /// When we were told of it. What nobody told has happened since then, and is owed since then.
    pub received_at: Timestamp,
    pub correlation: Correlation,
}
