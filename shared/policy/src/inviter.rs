//! Who invited an account, as it was when the invitation was sent. Where that comes from decides what it proves.

use std::collections::BTreeSet;
use std::fmt;

use model::{GuestKind, ObjectId};
use serde::{Deserialize, Serialize};

use crate::address::{inviter_addresses, is_ext_name};
use crate::facts::{Facts, Standing};
use crate::kind::{Kind, kind_of};

/// What was read about who invited the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inviter {
    /// Not asked for yet: it costs a request, and most verdicts do not need it.
    Unread,
    Unreadable {
        why: String,
    },
    /// The row "Invite external user" of the directory audit names it
    /// (<https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities>). It proves who it was.
    Audit(InvitedBy),
    /// The account's sponsors, of whom one may be it. The inviter could choose them, so that this is a hint: it is told, and
    /// neither acts nor admits (<https://learn.microsoft.com/entra/external-id/b2b-sponsors>).
    Sponsors(Vec<InvitedBy>),
}

impl Inviter {
    /// Whether another read may say more of it.
    pub(crate) fn may_be_known_better(&self) -> bool {
        match self {
            Self::Unread => true,
            Self::Audit(by) => by.early,
            Self::Unreadable { why: _ } | Self::Sponsors(_) => false,
        }
    }
}

/// A user or an app. `None` means that it could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InvitedBy {
    /// Of the user, or of the app's service principal.
    pub id: Option<ObjectId>,
    /// For people: nothing is decided by it.
    pub name: Option<String>,
    pub kind: Option<InviterKind>,
    /// By which it signs in and gets mail; an app has none. Our own domains count here, and a name with `#EXT#` does not.
    pub addresses: Option<Vec<String>>,
    /// Every group that it was a member of, however deep.
    pub groups: Option<BTreeSet<ObjectId>>,
    /// It was read so soon after the invitation that the replica may not have heard of its latest groups. Then these admit, and
    /// nothing is done to anybody because of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Groups of which one read said that it was a member, and another that it was not: nobody can say what was so when it
    /// invited.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub doubted: BTreeSet<ObjectId>,
}

impl InvitedBy {
    /// Nothing read yet: every condition is unknown.
    #[must_use]
    pub fn unread() -> Self {
        Self::default()
    }

    /// A user about whom this was read.
    #[must_use]
    pub fn user(facts: &Facts) -> Self {
        let kind = match kind_of(facts) {
            Kind::InternalMember => Some(InviterKind::InternalMember),
            Kind::Outsider(kind) => Some(kind.into()),
            Kind::Unknown { could_be: _, why: _ } => None,
        };
        let groups = match &facts.standing {
            Standing::Known { directory_roles: _, role_assignable_groups: _, groups } => Some(groups.clone()),
            Standing::Unread | Standing::Unreadable { why: _ } => None,
        };
        let addresses = inviter_addresses(facts);
        let (id, name) = (Some(facts.id), facts.name.clone());
        Self { id, name, kind, addresses, groups, ..Self::unread() }
    }

    /// As people know it: by its address, else its name, else its id.
    pub(crate) fn told(&self) -> String {
        let Self { id, name, kind: _, addresses, groups: _, early: _, doubted: _ } = self;
        let address = addresses.iter().flatten().find(|address| !is_ext_name(address));
        let name = address.or(name.as_ref()).filter(|name| !name.trim().is_empty());
        match (name, id) {
            (Some(name), _) => format!(" `{}`", crate::domain::shortened(name)),
            (None, Some(id)) => format!(" {id}"),
            (None, None) => String::new(),
        }
    }
}

/// What an inviter is. Unlike a guest, it may be one of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InviterKind {
    Guest,
    ExternalMember,
    LocalGuest,
    /// Credentials of this tenant, `userType` Member.
    InternalMember,
    /// An app by itself, for no user.
    App,
}

impl InviterKind {
    pub const ALL: [Self; 5] =
        [Self::Guest, Self::ExternalMember, Self::LocalGuest, Self::InternalMember, Self::App];

    /// The word in the policy file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::ExternalMember => "external-member",
            Self::LocalGuest => "local-guest",
            Self::InternalMember => "internal-member",
            Self::App => "app",
        }
    }
}

impl From<GuestKind> for InviterKind {
    fn from(kind: GuestKind) -> Self {
        match kind {
            GuestKind::Guest => Self::Guest,
            GuestKind::ExternalMember => Self::ExternalMember,
            GuestKind::LocalGuest => Self::LocalGuest,
        }
    }
}

/// As it reads after "is".
impl fmt::Display for InviterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "a guest",
            Self::ExternalMember => "an external member",
            Self::LocalGuest => "a local guest",
            Self::InternalMember => "an internal member",
            Self::App => "an app",
        })
    }
}
