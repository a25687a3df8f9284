//! What we know of a Graph subscription of ours.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
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

    /// The subscription's `changeType`: `created` does not exist for users and groups.
    #[must_use]
    pub fn change_type(self) -> &'static str {
        match self {
            Self::Users | Self::Groups => "updated,deleted",
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
    /// Gone. Notifications that are still on their way are dropped.
    Retired { at: Timestamp },
}

impl SubscriptionRecord {
    #[must_use]
    pub fn id(&self) -> Option<SubscriptionId> {
        match self.binding {
            Binding::Bound { id, expires_at: _, renewed_at: _ } => Some(id),
            Binding::Pending | Binding::Retired { at: _ } => None,
        }
    }
}
