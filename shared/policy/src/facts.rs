//! What was read about one user object. `None` means that it could not be read, unless it says otherwise here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{ObjectId, SponsorName, Suspension};

use crate::group::{Memberships, Named};
use crate::inviter::Inviter;

/// The facts that a verdict is made of, as read from Graph
/// (<https://learn.microsoft.com/graph/api/resources/user>). Nothing here was believed because a notification said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub id: ObjectId,
    pub name: Option<String>,
    pub user_type: Option<String>,
    pub identities: Option<Vec<Identity>>,
    /// `None` also where the user has none.
    pub mail: Option<String>,
    pub other_mails: Option<Vec<String>>,
    /// With their `smtp:` or other prefix, as Graph returns them.
    pub proxy_addresses: Option<Vec<String>>,
    pub user_principal_name: Option<String>,
    /// The address that was invited, from the directory audit. `None` where the audit was not asked.
    pub invited_address: Option<String>,
    /// `None` also for the accounts that have none.
    pub creation_type: Option<String>,
    /// `None` also for the accounts that have none.
    pub external_user_state: Option<String>,
    pub enabled: Option<bool>,
    /// `None` also for accounts so old that the directory has no date for them.
    pub created_at: Option<Timestamp>,
    pub sponsors: Option<Vec<SponsorName>>,
    /// As it was when the invitation was sent.
    pub inviter: Inviter,
    /// The tenant's own verified domains.
    pub verified_domains: Option<Vec<String>>,
    pub on_premises_synced: bool,
    /// In a restricted management administrative unit.
    pub management_restricted: bool,
    pub standing: Standing,
    /// The groups that he is directly in, and those that he owns.
    pub memberships: Memberships,
    /// What the names mean today that [`crate::Policy::group_names`] gives. A name that is missing was not read.
    pub named_groups: BTreeMap<String, Named>,
    /// Of this guest, from the ledger.
    pub suspensions: Vec<Suspension>,
}

impl Facts {
    /// Nothing read yet but the id: every condition is unknown.
    #[must_use]
    pub fn unread(id: ObjectId) -> Self {
        Self {
            id,
            name: None,
            user_type: None,
            identities: None,
            mail: None,
            other_mails: None,
            proxy_addresses: None,
            user_principal_name: None,
            invited_address: None,
            creation_type: None,
            external_user_state: None,
            enabled: None,
            created_at: None,
            sponsors: None,
            inviter: Inviter::Unread,
            verified_domains: None,
            on_premises_synced: false,
            management_restricted: false,
            standing: Standing::Unread,
            memberships: Memberships::Unread,
            named_groups: BTreeMap::new(),
            suspensions: Vec::new(),
        }
    }
}

/// One way in which the user signs in (<https://learn.microsoft.com/graph/api/resources/objectidentity>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub sign_in_type: Option<String>,
    pub issuer: Option<String>,
    pub issuer_assigned_id: Option<String>,
}

/// What the user holds that makes it a target for people only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not asked for yet: it costs a request, and most verdicts do not need it.
    Unread,
    Unreadable {
        why: String,
    },
    Known {
        /// Names of directory roles.
        directory_roles: Vec<String>,
        /// Groups that can hold directory roles, of which the user is a member or an owner.
        role_assignable_groups: Vec<ObjectId>,
        /// Every group that the user is a member of, however deep.
        groups: BTreeSet<ObjectId>,
    },
}
