//! The guest, as people are told about him: what kind of outsider he is, and who.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ObjectId;

/// What kind of outsider a user object is, told from `identities` and `userType` and from nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestKind {
    /// External identity, `userType` Guest.
    Guest,
    /// External identity, `userType` Member: cross-tenant synchronisation makes these.
    ExternalMember,
    /// Credentials of this tenant, `userType` Guest.
    LocalGuest,
}

impl GuestKind {
    pub const ALL: [Self; 3] = [Self::Guest, Self::ExternalMember, Self::LocalGuest];

    /// The word in the policy file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::ExternalMember => "external-member",
            Self::LocalGuest => "local-guest",
        }
    }
}

impl fmt::Display for GuestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "guest",
            Self::ExternalMember => "external member",
            Self::LocalGuest => "local guest",
        })
    }
}

/// A user or group that answers for a guest. The inviter could choose it: a hint, never a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SponsorName {
    pub id: ObjectId,
    pub name: Option<String>,
}

/// The guest as people are told about him. Written by whoever he is: escape it wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    pub id: ObjectId,
    pub kind: GuestKind,
    pub name: Option<String>,
    /// His identity addresses, normalised. A change of these is a change of identity.
    pub addresses: Vec<String>,
    /// The partner's name in the policy, else the domain of an identity address.
    pub organisation: Option<String>,
    pub sponsors: Vec<SponsorName>,
    pub created_at: Option<Timestamp>,
    /// `accountEnabled`, where it could be read.
    pub enabled: Option<bool>,
}

/// Who an account is: another kind or other addresses are somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub kind: GuestKind,
    pub addresses: Vec<String>,
}

impl Subject {
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { kind: self.kind, addresses: self.addresses.clone() }
    }
}
