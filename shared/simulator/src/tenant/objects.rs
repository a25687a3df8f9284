//! What a tenant holds: users, groups, roles and the rest, as they truly are. How Graph shows them is in `documents`;
//! how they change is in `directory`. Nothing here knows HTTP.
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// A user, deleted or not. `deleted_at` set means: in the deleted items, restorable for 30 days.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub id: Uuid,
    pub display_name: String,
    pub user_principal_name: String,
    pub mail_nickname: String,
    pub mail: Option<String>,
    pub other_mails: Vec<String>,
    pub proxy_addresses: Vec<String>,
    pub identities: Vec<Identity>,
    pub user_type: Option<UserType>,
    pub creation_type: Option<String>,
    /// `PendingAcceptance` or `Accepted`; none for everybody who was not invited.
    pub external_user_state: Option<String>,
    pub external_user_state_changed_at: Option<Timestamp>,
    pub enabled: bool,
    /// None for some users from before 2018, as in the real directory.
    pub created_at: Option<Timestamp>,
    pub on_premises_sync_enabled: Option<bool>,
    pub management_restricted: bool,
    pub company_name: Option<String>,
    pub sponsors: Vec<Uuid>,
    pub manager: Option<Uuid>,
    pub sessions_valid_from: Timestamp,
    pub last_successful_sign_in: Option<Timestamp>,
    /// Who sent the invitation: the truth, whatever `sponsors` says.
    pub invited_by: Option<Uuid>,
    pub deleted_at: Option<Timestamp>,
    /// Further properties under their Graph names (`jobTitle`, `department`, …), kept as they were written.
    pub other: Map<String, Value>,
}

/// `userType`; the real directory also knows null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserType {
    #[default]
    Guest,
    Member,
}

impl UserType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "Guest",
            Self::Member => "Member",
        }
    }
}

/// One `objectIdentity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub sign_in_type: String,
    pub issuer: String,
    /// None for guests from another Entra tenant: their home tenant is not on the object.
    pub issuer_assigned_id: Option<String>,
}

/// A group, deleted or not (only Microsoft 365 groups can be in the deleted items).
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub id: Uuid,
    pub display_name: String,
    pub description: Option<String>,
    pub mail_nickname: String,
    pub kind: GroupKind,
    pub label: Option<Label>,
    pub role_assignable: bool,
    /// `Private`, `Public` or `HiddenMembership`.
    pub visibility: Option<String>,
    /// Set for dynamic groups: members cannot be changed through Graph.
    pub membership_rule: Option<String>,
    pub on_premises_sync_enabled: Option<bool>,
    pub management_restricted: bool,
    pub created_at: Timestamp,
    pub members: BTreeSet<Uuid>,
    pub owners: BTreeSet<Uuid>,
    pub deleted_at: Option<Timestamp>,
    pub other: Map<String, Value>,
}

/// The four kinds of group of Microsoft's groups overview, and a Microsoft 365 group with a team.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupKind {
    #[default]
    Security,
    Microsoft365,
    Team,
    /// Read-only in Graph.
    MailEnabledSecurity,
    /// Read-only in Graph.
    Distribution,
}

impl GroupKind {
    pub(crate) fn mail_enabled(self) -> bool {
        !matches!(self, Self::Security)
    }

    pub(crate) fn security_enabled(self) -> bool {
        matches!(self, Self::Security | Self::MailEnabledSecurity)
    }

    pub(crate) fn unified(self) -> bool {
        matches!(self, Self::Microsoft365 | Self::Team)
    }

    /// Mail-enabled security groups and distribution lists: Graph cannot write them.
    pub(crate) fn read_only(self) -> bool {
        matches!(self, Self::MailEnabledSecurity | Self::Distribution)
    }
}

/// A sensitivity label on a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub id: Uuid,
    pub name: String,
}

/// An activated directory role and who holds it (users or role-assignable groups).
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) id: Uuid,
    pub(crate) template: Uuid,
    pub(crate) name: String,
    pub(crate) holders: BTreeSet<Uuid>,
}

/// A directory object that is neither user nor group; it may be a member or an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherKind {
    ServicePrincipal,
    Device,
}

#[derive(Clone, Debug)]
pub(crate) struct Other {
    pub(crate) id: Uuid,
    pub(crate) kind: OtherKind,
    pub(crate) name: String,
}

/// How an object stands to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Member,
    Owner,
}

impl Relation {
    /// The name of the navigation property.
    pub(crate) fn property(self) -> &'static str {
        match self {
            Self::Member => "members",
            Self::Owner => "owners",
        }
    }
}

impl Group {
    pub(crate) fn linked(&self, relation: Relation) -> &BTreeSet<Uuid> {
        match relation {
            Relation::Member => &self.members,
            Relation::Owner => &self.owners,
        }
    }

    pub(crate) fn linked_mut(&mut self, relation: Relation) -> &mut BTreeSet<Uuid> {
        match relation {
            Relation::Member => &mut self.members,
            Relation::Owner => &mut self.owners,
        }
    }
}
