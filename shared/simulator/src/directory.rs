//! The acts of people in the tenant, outside Graph: inviting, redeeming, changing users. Each raises the notifications
//! that Graph would raise. Acts on groups are in `group_acts`; what Graph allows apps to do is in `graph`.
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Map;
use uuid::Uuid;

use crate::contoso;
use crate::tenant::{Actor, Identity, Tenant, User, UserType};
use crate::world::{State, World};

/// A handle on the true state of the tenant. Reading through it is never stale.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(crate) world: Arc<World>,
    /// Whom the audit names for what happens to accounts and memberships.
    by: Uuid,
}

/// Why an act was refused: the tenant has no such object.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("find the user `{0}`: look at the users of the tenant for its id")]
    NoUser(Uuid),
    #[error("find the group `{0}`: look at the groups of the tenant for its id")]
    NoGroup(Uuid),
    #[error(
        "find the deleted object `{0}`: only soft-deleted users and Microsoft 365 groups can be restored"
    )]
    NotDeleted(Uuid),
}

/// An invitation. `by` becomes the sponsor.
#[derive(Clone, Debug)]
pub struct Invite {
    pub address: String,
    /// None = the part before the @.
    pub name: Option<String>,
    pub by: Uuid,
    /// `Member` makes an external member.
    pub user_type: UserType,
    /// As if the invitation had been sent so many days ago.
    pub days_ago: u16,
}

impl Invite {
    pub fn new(address: &str, by: Uuid) -> Self {
        Self { address: address.to_owned(), name: None, by, user_type: UserType::Guest, days_ago: 0 }
    }
}

/// How an invitation was redeemed: what the guest signs in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeem {
    /// Another Entra tenant, whose id does not show on the guest.
    Entra,
    Microsoft,
    Google,
    Facebook,
    OneTimePasscode,
    /// SAML or WS-Federation, with the issuer's URI.
    Federation(String),
}

/// An account with credentials of this tenant: a member, or a local guest.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub user_principal_name: String,
    /// None = the part before the @.
    pub name: Option<String>,
    pub user_type: UserType,
}

impl NewUser {
    pub fn member(user_principal_name: &str) -> Self {
        let user_principal_name = user_principal_name.to_owned();
        Self { user_principal_name, name: None, user_type: UserType::Member }
    }

    pub fn local_guest(user_principal_name: &str) -> Self {
        Self { user_type: UserType::Guest, ..Self::member(user_principal_name) }
    }

    pub(crate) fn build(self, tenant: &mut Tenant, now: Timestamp) -> User {
        let Self { user_principal_name, name, user_type } = self;
        let nickname = local_part(&user_principal_name).to_owned();
        let domain = tenant.initial_domain().to_owned();
        User {
            id: tenant.new_id(),
            display_name: name.unwrap_or_else(|| nickname.clone()),
            mail_nickname: nickname,
            mail: Some(user_principal_name.clone()),
            other_mails: Vec::new(),
            proxy_addresses: vec![format!("SMTP:{user_principal_name}")],
            identities: vec![upn_identity(&domain, &user_principal_name)],
            user_principal_name,
            user_type: Some(user_type),
            creation_type: None,
            external_user_state: None,
            external_user_state_changed_at: None,
            enabled: true,
            created_at: Some(now),
            on_premises_sync_enabled: None,
            management_restricted: false,
            company_name: None,
            sponsors: Vec::new(),
            manager: None,
            sessions_valid_from: now,
            last_successful_sign_in: None,
            invited_by: None,
            deleted_at: None,
            other: Map::new(),
        }
    }
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}

fn upn_identity(domain: &str, upn: &str) -> Identity {
    Identity {
        sign_in_type: "userPrincipalName".to_owned(),
        issuer: domain.to_owned(),
        issuer_assigned_id: Some(upn.to_owned()),
    }
}

/// A guest as the invitation API leaves it: pending, and known by nothing but the address.
pub(crate) fn invited(tenant: &mut Tenant, invite: &Invite, sponsors: Vec<Uuid>, now: Timestamp) -> User {
    let address = invite.address.clone();
    let upn = format!("{}#EXT#@{}", address.replace('@', "_"), tenant.initial_domain());
    let base = NewUser { user_principal_name: upn, name: None, user_type: invite.user_type };
    let user = base.build(tenant, now);
    let age = SignedDuration::from_hours(24 * i64::from(invite.days_ago));
    User {
        created_at: now.checked_sub(age).ok(),
        display_name: invite.name.clone().unwrap_or_else(|| local_part(&address).to_owned()),
        mail: Some(address.clone()),
        other_mails: vec![address.clone()],
        proxy_addresses: vec![format!("SMTP:{address}")],
        creation_type: Some("Invitation".to_owned()),
        external_user_state: Some("PendingAcceptance".to_owned()),
        external_user_state_changed_at: Some(now),
        sponsors,
        ..user
    }
}

impl User {
    /// By id, user principal name, mail address or display name.
    pub(crate) fn is_called(&self, text: &str) -> bool {
        let names = [Some(&self.user_principal_name), self.mail.as_ref(), Some(&self.display_name)];
        Uuid::parse_str(text) == Ok(self.id)
            || names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(text))
    }
}

impl Directory {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world, by: contoso::CAROL }
    }

    /// The same in the hands of `person`, whom the audit then names. In Carol's, who administrates, if nobody is said.
    pub fn by(&self, person: Uuid) -> Self {
        Self { world: Arc::clone(&self.world), by: person }
    }

    /// Changes the tenant, and lets the audit say whose doing it is.
    pub(crate) fn act<R>(&self, change: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let by = Actor::Person(self.by);
        self.world.act(|state, now| state.act_as(by, |state| change(state, now)))
    }

    /// Sends an invitation: the guest exists from now on, pending.
    pub fn invite(&self, invite: Invite) -> Uuid {
        self.world.act(|state, now| {
            let mut user = invited(&mut state.tenant, &invite, vec![invite.by], now);
            user.invited_by = Some(invite.by);
            let id = user.id;
            state.tenant.put_user(user, now);
            state.tenant.audit_invitation(id, &invite.address, Actor::Person(invite.by), now);
            id
        })
    }

    pub fn redeem(&self, id: Uuid, how: Redeem) -> Result<(), DirectoryError> {
        self.act_on_user(id, |user, now| {
            let federated = |issuer: &str| Identity {
                sign_in_type: "federated".to_owned(),
                issuer: issuer.to_owned(),
                issuer_assigned_id: None,
            };
            user.identities.insert(
                0,
                match how {
                    Redeem::Entra => federated("ExternalAzureAD"),
                    Redeem::Microsoft => federated("MicrosoftAccount"),
                    Redeem::Google => federated("google.com"),
                    Redeem::Facebook => federated("facebook.com"),
                    Redeem::OneTimePasscode => federated("mail"),
                    Redeem::Federation(issuer) => federated(&issuer),
                },
            );
            user.external_user_state = Some("Accepted".to_owned());
            user.external_user_state_changed_at = Some(now);
        })?;
        self.world.act(|state, now| state.tenant.audit_redemption(id, now));
        Ok(())
    }

    /// An internal member or a local guest.
    pub fn add_user(&self, new: NewUser) -> Uuid {
        self.world.act(|state, now| {
            let user = new.build(&mut state.tenant, now);
            let id = user.id;
            state.tenant.put_user(user, now);
            id
        })
    }

    /// Changes any property of a user.
    pub fn set(&self, id: Uuid, change: impl FnOnce(&mut User)) -> Result<(), DirectoryError> {
        self.act_on_user(id, |user, _| change(user))
    }

    pub fn enable(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.set(id, |user| user.enabled = true)
    }

    pub fn disable(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.set(id, |user| user.enabled = false)
    }

    /// A guest becomes a member: an external member, if he was invited.
    pub fn promote_to_member(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.set(id, |user| user.user_type = Some(UserType::Member))
    }

    /// Assigns a directory role by its display name (`User Administrator`).
    pub fn assign_role(&self, id: Uuid, role: &str) -> Result<(), DirectoryError> {
        self.world.act(|state, _| {
            let known = state.tenant.true_user(id).is_some() || state.tenant.true_group(id).is_some();
            state.tenant.role_mut(role).holders.extend(known.then_some(id));
            known.then_some(()).ok_or(DirectoryError::NoUser(id))
        })
    }

    pub fn remove_role(&self, id: Uuid, role: &str) {
        self.world.act(|state, _| state.tenant.role_mut(role).holders.remove(&id));
    }

    /// Soft deletion: the user can be restored for 30 days.
    pub fn delete_user(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.act_on_user(id, |user, now| user.deleted_at = Some(now))
    }

    pub fn restore_user(&self, id: Uuid) -> Result<(), DirectoryError> {
        if self.user(id).is_none_or(|user| user.deleted_at.is_none()) {
            return Err(DirectoryError::NotDeleted(id));
        }
        self.set(id, |user| user.deleted_at = None)
    }

    /// Permanent deletion, from the deleted items or at once.
    pub fn purge_user(&self, id: Uuid) -> Result<(), DirectoryError> {
        self.world.act(|state, now| match state.tenant.true_user(id) {
            Some(_) => {
                state.tenant.purge_user(id, now);
                Ok(())
            }
            None => Err(DirectoryError::NoUser(id)),
        })
    }

    /// The true state, soft-deleted users included; none after a purge.
    pub fn user(&self, id: Uuid) -> Option<User> {
        self.world.look(|state, _| state.tenant.true_user(id).cloned())
    }

    /// All users that are not purged, oldest first.
    pub fn users(&self) -> Vec<User> {
        self.world.look(|state, _| {
            let mut records: Vec<_> =
                state.tenant.users.values().filter(|record| record.purged_at.is_none()).collect();
            records.sort_by_key(|record| record.ordinal);
            records.into_iter().map(|record| record.truth().clone()).collect()
        })
    }

    /// The user with this id, user principal name, mail address or display name, if there is exactly one.
    pub fn find_user(&self, text: &str) -> Option<User> {
        let mut found = self.users().into_iter().filter(|user| user.is_called(text));
        found.next().filter(|_| found.next().is_none())
    }

    fn act_on_user(&self, id: Uuid, change: impl FnOnce(&mut User, Timestamp)) -> Result<(), DirectoryError> {
        self.act(|state, now| {
            let mut user = state.tenant.true_user(id).cloned().ok_or(DirectoryError::NoUser(id))?;
            change(&mut user, now);
            state.tenant.put_user(user, now);
            Ok(())
        })
    }
}
