//! What was read about groups and about who is in them. `None` means that it could not be read: where Graph answers
//! `null` for "no" or "none", whoever reads says so.

use std::fmt;

use model::ObjectId;

use crate::domain::shortened;

/// How a guest belongs to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    Member,
    Owner,
}

impl Relation {
    pub(crate) const ALL: [Self; 2] = [Self::Member, Self::Owner];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }

    /// As it reads after "the account".
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Member => "is a member of",
            Self::Owner => "owns",
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A group (<https://learn.microsoft.com/graph/api/resources/group>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    pub id: ObjectId,
    pub name: Option<String>,
    pub labels: Option<Vec<Label>>,
    /// `isAssignableToRole`.
    pub role_assignable: Option<bool>,
    /// `resourceProvisioningOptions` has `Team`.
    pub team: Option<bool>,
    /// As Graph writes it: `Private`, `Public`, `HiddenMembership`. `None` also for a security group, which has none.
    pub visibility: Option<String>,
    /// `groupTypes` has `DynamicMembership`: its members are those of whom a rule holds.
    pub dynamic: Option<bool>,
    pub on_premises_synced: Option<bool>,
    pub mail_enabled: Option<bool>,
    /// `groupTypes` has `Unified`: a Microsoft 365 group.
    pub unified: Option<bool>,
    /// In a restricted management administrative unit.
    pub management_restricted: Option<bool>,
}

impl Group {
    /// Nothing read yet but the id: every condition is unknown.
    #[must_use]
    pub fn unread(id: ObjectId) -> Self {
        Self {
            id,
            name: None,
            labels: None,
            role_assignable: None,
            team: None,
            visibility: None,
            dynamic: None,
            on_premises_synced: None,
            mail_enabled: None,
            unified: None,
            management_restricted: None,
        }
    }

    /// As people are told: by its name, where there is one to read.
    pub(crate) fn told(&self) -> String {
        match self.name.as_deref().filter(|name| !name.trim().is_empty()) {
            Some(name) => format!("`{}`", shortened(name)),
            None => format!("the group {}", self.id),
        }
    }
}

/// A sensitivity label (<https://learn.microsoft.com/graph/api/resources/assignedlabel>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub id: String,
    pub name: Option<String>,
}

/// One guest in one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Membership {
    pub group: Group,
    pub relation: Relation,
    /// A notification named it. One that was met otherwise was there before.
    pub new: bool,
}

/// Direct ones only: nobody can be taken out of a group in which he is through another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Memberships {
    /// Not asked for.
    Unread,
    Unreadable {
        why: String,
    },
    Known(Vec<Membership>),
}

/// What a group's name in the policy means today. Names are not unique, and any member may create a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Nobody,
    One(ObjectId),
    Several(Vec<ObjectId>),
    Unread { why: String },
}

/// Upper and lower case are one, and nothing else is: each character stands for itself.
pub(crate) fn fold(text: &str) -> String {
    text.chars().map(folded).collect()
}

/// A character whose lower case is several is left as it is, so that `?` stays one of them.
fn folded(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) | (None, _) => c,
    }
}
