//! A user as it is read for a judgement. Reading is lenient but for the id, and `$select` names every property, since
//! a default read leaves out most of what matters (<https://learn.microsoft.com/graph/api/resources/user>).

use jiff::Timestamp;
use model::ObjectId;
use serde_json::{Map, Value};

use crate::loose;

/// `None` is unknown: Graph said null, said nothing, or said something of another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: ObjectId,
    pub display_name: Option<String>,
    /// Of a guest its domain is *ours*: never a sign of where he comes from.
    pub user_principal_name: Option<String>,
    pub mail: Option<String>,
    pub other_mails: Option<Vec<String>>,
    pub proxy_addresses: Option<Vec<String>>,
    pub identities: Option<Vec<Identity>>,
    /// `Guest`, `Member`, or unset on some old accounts.
    pub user_type: Option<String>,
    /// `Invitation`, `SelfServiceSignUp`, `EmailVerified`, `LocalAccount`, or unset on ordinary accounts.
    pub creation_type: Option<String>,
    /// `PendingAcceptance` or `Accepted`, of those who were invited.
    pub external_user_state: Option<String>,
    pub external_user_state_changed_at: Option<Timestamp>,
    pub account_enabled: Option<bool>,
    /// Unset on some accounts from before 2018.
    pub created_at: Option<Timestamp>,
    pub on_premises_sync_enabled: Option<bool>,
    pub is_management_restricted: Option<bool>,
    pub company_name: Option<String>,
    /// At most five. The inviter is the first unless he named another.
    pub sponsors: Option<Vec<Sponsor>>,
}

/// How somebody signs in. Of a guest who redeemed with Entra the home tenant is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub sign_in_type: Option<String>,
    pub issuer: Option<String>,
    pub issuer_assigned_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sponsor {
    pub id: ObjectId,
    pub name: Option<String>,
    pub kind: SponsorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SponsorKind {
    User,
    Group,
    Unknown,
}

macro_rules! properties {
    () => {
        "$select=id,displayName,userPrincipalName,mail,otherMails,proxyAddresses,identities,userType,creationType,\
         externalUserState,externalUserStateChangeDateTime,accountEnabled,createdDateTime,onPremisesSyncEnabled,\
         isManagementRestricted,companyName"
    };
}

macro_rules! sponsors {
    () => {
        "&$expand=sponsors($select=id,displayName)"
    };
}

impl User {
    /// One resource unit: `$select` takes one off, `$expand` adds one.
    pub(crate) const QUERY: &'static str = concat!(properties!(), sponsors!());
    /// The same of every user, in the largest pages that Graph gives.
    pub(crate) const QUERY_ALL: &'static str = concat!(properties!(), sponsors!(), "&$top=999");
    /// The same of a deleted user, whose sponsors Graph does not tell.
    pub(crate) const QUERY_WITHOUT_SPONSORS: &'static str = properties!();

    /// What tells of which kind somebody is, and nothing else.
    pub(crate) const QUERY_KIND: &'static str =
        "$select=id,userType,identities,creationType,externalUserState&$top=999";

    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a user is not an object")?;
        let id = loose::text(object, "id").and_then(|id| id.parse().ok());
        let text = |key| loose::text(object, key);
        Ok(Self {
            id: id.ok_or("a user has no id that is a GUID")?,
            display_name: text("displayName"),
            user_principal_name: text("userPrincipalName"),
            mail: text("mail"),
            other_mails: loose::texts(object, "otherMails"),
            proxy_addresses: loose::texts(object, "proxyAddresses"),
            identities: loose::list(object, "identities", |item| item.as_object().map(Identity::read)),
            user_type: text("userType"),
            creation_type: text("creationType"),
            external_user_state: text("externalUserState"),
            external_user_state_changed_at: loose::moment(object, "externalUserStateChangeDateTime"),
            account_enabled: loose::flag(object, "accountEnabled"),
            created_at: loose::moment(object, "createdDateTime"),
            on_premises_sync_enabled: loose::flag(object, "onPremisesSyncEnabled"),
            is_management_restricted: loose::flag(object, "isManagementRestricted"),
            company_name: text("companyName"),
            sponsors: loose::list(object, "sponsors", Sponsor::read),
        })
    }
}

impl Identity {
    fn read(object: &Map<String, Value>) -> Self {
        Self {
            sign_in_type: loose::text(object, "signInType"),
            issuer: loose::text(object, "issuer"),
            issuer_assigned_id: loose::text(object, "issuerAssignedId"),
        }
    }
}

impl Sponsor {
    fn read(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let id = loose::text(object, "id")?.parse().ok()?;
        let kind = match loose::kind(object).as_deref() {
            Some("user") => SponsorKind::User,
            Some("group") => SponsorKind::Group,
            Some(_) | None => SponsorKind::Unknown,
        };
        Some(Self { id, name: loose::text(object, "displayName"), kind })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "8d3f0000-0000-4000-8000-000000000001";

    #[test]
    fn a_redeemed_guest_is_read_with_everything_that_was_asked_for() {
        let user = User::read(&json!({
            "@odata.context": "x", "id": ID, "displayName": "Mallory", "mail": "mallory@evil.example",
            "userPrincipalName": "mallory_evil.example#EXT#@contoso.onmicrosoft.com",
            "otherMails": ["m@evil.example"], "proxyAddresses": ["SMTP:mallory@evil.example"],
            "identities": [
                {"signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": null},
                {"signInType": "userPrincipalName", "issuer": "contoso.onmicrosoft.com", "issuerAssignedId": "m"}],
            "userType": "Guest", "creationType": "Invitation", "externalUserState": "Accepted",
            "externalUserStateChangeDateTime": "2026-11-20T10:00:00Z", "accountEnabled": true,
            "createdDateTime": "2026-11-19T10:00:00.1234567+01:00", "onPremisesSyncEnabled": null,
            "isManagementRestricted": null, "companyName": "Evil",
            "sponsors": [{"@odata.type": "#microsoft.graph.user", "id": ID, "displayName": "Alice"},
                {"@odata.type": "#microsoft.graph.group", "id": ID}, {"id": ID}],
        }))
        .unwrap();
        assert_eq!(user.created_at, Some("2026-11-19T09:00:00.1234567Z".parse().unwrap()));
        assert_eq!(user.identities.unwrap().len(), 2);
        assert_eq!((user.account_enabled, user.on_premises_sync_enabled), (Some(true), None));
        let sponsors = user.sponsors.unwrap();
        assert_eq!(sponsors[0].name.as_deref(), Some("Alice"));
        let kinds: Vec<_> = sponsors.iter().map(|sponsor| sponsor.kind).collect();
        assert_eq!(kinds, [SponsorKind::User, SponsorKind::Group, SponsorKind::Unknown]);
    }

    #[test]
    fn an_oddly_typed_property_is_unknown_and_spoils_nothing_else() {
        let user = User::read(&json!({
            "id": ID, "displayName": 7, "mail": ["x"], "otherMails": ["a@contoso.com", 1], "identities": [1],
            "accountEnabled": "true", "createdDateTime": "yesterday", "sponsors": [{"id": "x"}], "new": {},
            "userType": "Guest",
        }))
        .unwrap();
        assert_eq!(
            (user.display_name, user.mail, user.other_mails, user.identities),
            (None, None, None, None)
        );
        assert_eq!((user.account_enabled, user.created_at, user.sponsors), (None, None, None));
        assert_eq!(user.user_type.as_deref(), Some("Guest"));
    }

    #[test]
    fn a_user_without_a_guid_is_no_user() {
        for value in [json!({}), json!({"id": 7}), json!({"id": "me"}), json!([]), json!(null)] {
            assert!(User::read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn one_user_all_users_and_deleted_ones_are_asked_for_the_same_properties() {
        assert_eq!(User::QUERY_ALL, format!("{}&$top=999", User::QUERY));
        assert!(User::QUERY.starts_with(&format!("{}&$expand=", User::QUERY_WITHOUT_SPONSORS)));
    }
}
