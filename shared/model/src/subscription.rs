//! What we know of a Graph subscription of ours.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ParseWordError, ResourceKind, SubscriptionId, TenantId};

/// What a subscription watches. Each has one resource path and one list of change types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    Users,
    Groups,
}

impl Watched {
    pub const ALL: [Self; 2] = [Self::Users, Self::Groups];

    /// The subscription's `resource`.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Users => "/users",
            Self::Groups => "/groups",
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
        }
    }

    /// The subscription's `changeType`: `created` does not exist for users and groups.
    #[must_use]
    pub fn change_type(self) -> &'static str {
        match self {
            Self::Users | Self::Groups => "updated,deleted",
        }
    }

    /// The one whose notifications are about these.
    #[must_use]
    pub fn of(kind: ResourceKind) -> Self {
        match kind {
            ResourceKind::User => Self::Users,
            ResourceKind::Group => Self::Groups,
        }
    }

    /// What its notifications are about.
    #[must_use]
    pub fn kind(self) -> ResourceKind {
        match self {
            Self::Users => ResourceKind::User,
            Self::Groups => ResourceKind::Group,
        }
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.resource())
    }
}

/// Names one request for a subscription, before Graph has given it an id: 16 random bytes as 22 characters of
/// URL-safe base64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);

impl Nonce {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if text.len() == 22 && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            let text = text.chars().take(40).collect();
            Err(ParseWordError::new(text, "22 characters of URL-safe base64"))
        }
    }
}

impl TryFrom<String> for Nonce {
    type Error = ParseWordError;

    fn try_from(text: String) -> Result<Self, ParseWordError> {
        text.parse()
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        nonce.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Written as pending *before* Graph is asked, so that a notification that overtakes our bookkeeping is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    pub nonce: Nonce,
    pub tenant: TenantId,
    pub watched: Watched,
    pub notification_url: String,
    /// The key that sealed its clientState.
    pub key: String,
    pub asked_at: Timestamp,
    pub binding: Binding,
    pub last_notification_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "binding")]
pub enum Binding {
    /// Graph was asked, or is about to be.
    Pending,
    /// `expires_at` is what Graph returned, or what a notification said.
    Bound { id: SubscriptionId, expires_at: Timestamp, renewed_at: Timestamp },
    /// Gone, or given up. What it sent before may still be on its way.
    /// Without an id, it was never bound, or an earlier version did not keep it.
    Retired {
        at: Timestamp,
        #[serde(default)]
        id: Option<SubscriptionId>,
    },
}

impl SubscriptionRecord {
    /// Graph tries to deliver a notification for so long
    /// (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>).
    pub const STILL_HEARD: SignedDuration = SignedDuration::from_hours(4);

    /// Whether a notification may be of this subscription: it lives, or what it sent before it ended can still come.
    #[must_use]
    pub fn hears(&self, subscription: SubscriptionId, now: Timestamp) -> bool {
        let known = match self.binding {
            Binding::Pending => None,
            Binding::Bound { id, expires_at: _, renewed_at: _ } => Some(id),
            Binding::Retired { at: _, id } => id,
        };
        known == Some(subscription) && !self.is_silent(now)
    }

    /// It is gone, or given up.
    pub fn retire(&mut self, at: Timestamp) {
        self.binding = Binding::Retired { at, id: self.id() };
    }

    /// Nothing that it sent can still come.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        match self.binding {
            Binding::Pending | Binding::Bound { id: _, expires_at: _, renewed_at: _ } => false,
            Binding::Retired { at, id: _ } => now.duration_since(at) > Self::STILL_HEARD,
        }
    }

    /// When it ends unless it is renewed, if it is not gone.
    #[must_use]
    pub fn lives_until(&self) -> Option<Timestamp> {
        match self.binding {
            Binding::Bound { id: _, expires_at, renewed_at: _ } => Some(expires_at),
            Binding::Pending | Binding::Retired { at: _, id: _ } => None,
        }
    }

    /// While it lives.
    #[must_use]
    pub fn id(&self) -> Option<SubscriptionId> {
        match self.binding {
            Binding::Bound { id, expires_at: _, renewed_at: _ } => Some(id),
            Binding::Pending | Binding::Retired { at: _, id: _ } => None,
        }
    }
}
