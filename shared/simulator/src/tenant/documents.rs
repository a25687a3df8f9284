//! Directory objects as Graph documents with every property that the simulator keeps. Which of them an answer shows
//! is decided by `odata::select`.
use serde_json::{Map, Value, json};

use super::objects::OtherKind;
use super::{Group, Object, Other, Role, User};
use crate::dates;

pub(crate) type Document = Map<String, Value>;

pub(crate) fn of_object(object: Object<'_>) -> Document {
    match object {
        Object::User(user) => of_user(user),
        Object::Group(group) => of_group(group),
        Object::Role(role) => of_role(role),
        Object::Other(other) => of_other(other),
    }
}

pub(crate) fn of_user(user: &User) -> Document {
    let User {
        id,
        display_name,
        user_principal_name,
        mail_nickname,
        mail,
        other_mails,
        proxy_addresses,
        identities,
        user_type,
        creation_type,
        external_user_state,
        external_user_state_changed_at,
        enabled,
        created_at,
        on_premises_sync_enabled,
        management_restricted,
        company_name,
        sponsors: _,
        manager: _,
        sessions_valid_from,
        last_successful_sign_in,
        invited_by: _,
        deleted_at,
        other,
    } = user;
    let identities: Vec<Value> = identities
        .iter()
        .map(|identity| {
            json!({
                "signInType": identity.sign_in_type,
                "issuer": identity.issuer,
                "issuerAssignedId": identity.issuer_assigned_id,
            })
        })
        .collect();
    let mut document = other.clone();
    document.extend(object(json!({
        "id": id.to_string(),
        "displayName": display_name,
        "userPrincipalName": user_principal_name,
        "mailNickname": mail_nickname,
        "mail": mail,
        "otherMails": other_mails,
        "proxyAddresses": proxy_addresses,
        "identities": identities,
        "userType": user_type.map(super::UserType::as_str),
        "creationType": creation_type,
        "externalUserState": external_user_state,
        "externalUserStateChangeDateTime": external_user_state_changed_at.map(dates::seconds),
        "accountEnabled": enabled,
        "createdDateTime": created_at.map(dates::seconds),
        "onPremisesSyncEnabled": on_premises_sync_enabled,
        "isManagementRestricted": management_restricted.then_some(true),
        "companyName": company_name,
        "signInSessionsValidFromDateTime": dates::seconds(*sessions_valid_from),
        "deletedDateTime": deleted_at.map(dates::seconds),
    })));
    // A user who never signed in has no activity at all, not an empty one.
    if let Some(at) = last_successful_sign_in {
        let at = dates::seconds(*at);
        let activity = json!({"lastSignInDateTime": at, "lastSuccessfulSignInDateTime": at});
        document.insert("signInActivity".to_owned(), activity);
    }
    document
}

pub(crate) fn of_group(group: &Group) -> Document {
    let Group {
        id,
        display_name,
        description,
        mail_nickname,
        kind,
        label,
        role_assignable,
        visibility,
        membership_rule,
        on_premises_sync_enabled,
        management_restricted,
        created_at,
        members: _,
        owners: _,
        deleted_at,
        other,
    } = group;
    let mut types = Vec::new();
    if kind.unified() {
        types.push("Unified");
    }
    if membership_rule.is_some() {
        types.push("DynamicMembership");
    }
    let labels: Vec<Value> = label
        .iter()
        .map(|label| json!({"labelId": label.id.to_string(), "displayName": label.name}))
        .collect();
    let team = matches!(kind, super::GroupKind::Team).then_some("Team");
    let mut document = other.clone();
    document.extend(object(json!({
        "id": id.to_string(),
        "displayName": display_name,
        "description": description,
        "mailNickname": mail_nickname,
        "groupTypes": types,
        "mailEnabled": kind.mail_enabled(),
        "securityEnabled": kind.security_enabled(),
        "resourceProvisioningOptions": team.into_iter().collect::<Vec<_>>(),
        "assignedLabels": labels,
        "isAssignableToRole": role_assignable.then_some(true),
        "visibility": visibility,
        "membershipRule": membership_rule,
        "membershipRuleProcessingState": membership_rule.as_ref().map(|_| "On"),
        "onPremisesSyncEnabled": on_premises_sync_enabled,
        "isManagementRestricted": management_restricted.then_some(true),
        "createdDateTime": dates::seconds(*created_at),
        "renewedDateTime": dates::seconds(*created_at),
        "deletedDateTime": deleted_at.map(dates::seconds),
    })));
    document
}

fn of_role(role: &Role) -> Document {
    let Role { id, template, name, holders: _ } = role;
    object(json!({
        "id": id.to_string(),
        "displayName": name,
        "description": null,
        "roleTemplateId": template.to_string(),
        "deletedDateTime": null,
    }))
}

fn of_other(other: &Other) -> Document {
    let Other { id, kind, name } = other;
    let enabled = match kind {
        OtherKind::ServicePrincipal | OtherKind::Device => true,
    };
    object(json!({
        "id": id.to_string(), "displayName": name, "accountEnabled": enabled, "deletedDateTime": null,
    }))
}

fn object(value: Value) -> Document {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
