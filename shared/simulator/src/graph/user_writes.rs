//! Writing users: switching accounts on and off, other properties, soft deletion, sponsors, sessions. Sensitive
//! writes on administrators need an Entra role of the app beside its permission (Microsoft Learn, privileged roles).
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::properties::{self, flag, text, texts};
use super::refusal::Refusal;
use super::{lists, permissions, users};
use crate::directory::NewUser;
use crate::odata::Type;
use crate::tenant::{Object, User, UserType, View};
use crate::world::{Sight, State};

const MOST_SPONSORS: usize = 5;
/// Writing one of these on an administrator is sensitive.
const SENSITIVE: &[&str] = &[
    "accountEnabled",
    "businessPhones",
    "mobilePhone",
    "onPremisesImmutableId",
    "otherMails",
    "passwordProfile",
    "userPrincipalName",
];

/// The user to be written, as he truly is; a user too fresh for the replica is not there.
fn target(state: &State, call: &Call) -> Result<User, Refusal> {
    let view = state.view(Sight { seen_until: None, settled_until: call.sight.settled_until });
    users::find(&view, call).cloned()
}

pub(crate) fn patch(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    properties::check(body, Type::User, "User", &[])?;
    let mut user = target(state, call)?;
    let only_account = body.keys().all(|name| name == "accountEnabled");
    match only_account {
        // Switching accounts needs a permission to read them as well.
        true => call.caller.must_have_any(permissions::READ_USERS)?,
        false => call.caller.must_have_any(permissions::WRITE_USERS)?,
    }
    if body.keys().any(|name| SENSITIVE.contains(&name.as_str())) {
        may_touch(state, call, &user)?;
    }
    if user.on_premises_sync_enabled == Some(true) && !only_account {
        return Err(Refusal::directory(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or \
             objects currently undergoing migration.",
        ));
    }
    apply(&mut user, body)?;
    state.tenant.put_user(user, call.now);
    Ok(Answer::nothing())
}

fn may_touch(state: &State, call: &Call, user: &User) -> Result<(), Refusal> {
    let protection = state.tenant.protection_of(user.id);
    match protection.yields_to(&call.caller.directory_roles) && !user.management_restricted {
        true => Ok(()),
        false => Err(Refusal::denied()),
    }
}

fn apply(user: &mut User, body: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in body {
        match name.as_str() {
            "accountEnabled" => user.enabled = flag(body, name).unwrap_or(user.enabled),
            "displayName" => user.display_name = text(body, name).unwrap_or_default(),
            "userPrincipalName" => user.user_principal_name = text(body, name).unwrap_or_default(),
            "mailNickname" => user.mail_nickname = text(body, name).unwrap_or_default(),
            "mail" => user.mail = text(body, name),
            "otherMails" => user.other_mails = texts(body, name).unwrap_or_default(),
            "companyName" => user.company_name = text(body, name),
            "userType" => {
                user.user_type = match text(body, name).as_deref() {
                    None => None,
                    Some("Guest") => Some(UserType::Guest),
                    Some("Member") => Some(UserType::Member),
                    Some(_) => return Err(Refusal::invalid_value(name, "User")),
                }
            }
            "identities" | "externalUserState" | "externalUserStateChangeDateTime" => {
                let message = format!("The simulator does not change '{name}' through Graph.");
                return Err(Refusal::directory(message));
            }
            // A password is never kept.
            "passwordProfile" => {}
            _ => drop(user.other.insert(name.clone(), value.clone())),
        }
    }
    Ok(())
}

pub(crate) fn create(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    properties::check(body, Type::User, "User", &[])?;
    let needed = ["accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"];
    properties::need(body, &needed)?;
    let upn = text(body, "userPrincipalName").unwrap_or_default();
    if state.tenant.truth().user_by_key(&upn).is_some() {
        let message = "Another object with the same value for property userPrincipalName already exists.";
        return Err(Refusal::directory(message));
    }
    let mut user = NewUser::member(&upn).build(&mut state.tenant, call.now);
    user.mail = None;
    user.proxy_addresses.clear();
    apply(&mut user, body)?;
    let id = user.id;
    state.tenant.put_user(user, call.now);
    let view = state.tenant.truth();
    let user = view.user(id).ok_or_else(|| Refusal::not_found(&upn))?;
    created(call, &view, Object::User(user))
}

/// The answer to a creation: the default properties, with 201.
pub(crate) fn created(call: &Call, view: &View<'_>, object: Object<'_>) -> Result<Answer, Refusal> {
    Ok(Answer { status: 201, ..lists::one(call, view, object)? })
}

/// Soft deletion, of a user or of whatever a link points to.
pub(crate) fn delete(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let user = target(state, call)?;
    soft_delete(state, call, user)
}

/// DELETE of a link without `/$ref` deletes what the link points to, if the app may delete users.
pub(crate) fn delete_linked(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = call.id(1)?;
    let user = state.tenant.truth().user(id).cloned().ok_or_else(|| Refusal::not_found(call.key(1)))?;
    soft_delete(state, call, user)
}

fn soft_delete(state: &mut State, call: &Call, mut user: User) -> Result<Answer, Refusal> {
    may_touch(state, call, &user)?;
    user.deleted_at = Some(call.now);
    state.tenant.put_user(user, call.now);
    Ok(Answer::nothing())
}

/// Always true; sessions of external users are those of their home tenant and go on.
pub(crate) fn revoke_sessions(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    if call.body.as_ref().is_some_and(|body| body.as_object().is_none_or(|map| !map.is_empty())) {
        return Err(Refusal::bad_request("revokeSignInSessions takes no parameters."));
    }
    let mut user = target(state, call)?;
    let local = user.identities.iter().all(|identity| identity.sign_in_type == "userPrincipalName");
    if local && user.creation_type.is_none() {
        user.sessions_valid_from = call.now;
        state.tenant.put_user(user, call.now);
    }
    let body = json!({"@odata.context": call.context("Edm.Boolean"), "value": true});
    Ok(Answer::json(200, body))
}

pub(crate) fn add_sponsor(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    let reference = match (body.get("@odata.id"), body.len()) {
        (Some(Value::String(url)), 1) => properties::reference(url)?,
        _ => return Err(Refusal::directory("Expected one property: '@odata.id'.")),
    };
    let mut user = target(state, call)?;
    match state.tenant.truth().object(reference) {
        Some(Object::User(_) | Object::Group(_)) => {}
        Some(Object::Role(_) | Object::Other(_)) | None => {
            return Err(Refusal::not_found(&reference.to_string()));
        }
    }
    if user.sponsors.contains(&reference) {
        return Err(already_there("sponsors"));
    }
    if user.sponsors.len() >= MOST_SPONSORS {
        return Err(Refusal::directory("A user can have at most 5 sponsors."));
    }
    user.sponsors.push(reference);
    state.tenant.put_user(user, call.now);
    Ok(Answer::nothing())
}

pub(crate) fn already_there(property: &str) -> Refusal {
    Refusal::directory(format!(
        "One or more added object references already exist for the following modified properties: '{property}'."
    ))
}

pub(crate) fn remove_sponsor(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let sponsor = linked_id(call)?;
    let mut user = target(state, call)?;
    if !user.sponsors.contains(&sponsor) {
        return Err(Refusal::not_found(&sponsor.to_string()));
    }
    user.sponsors.retain(|known| *known != sponsor);
    state.tenant.put_user(user, call.now);
    Ok(Answer::nothing())
}

/// The second id of a `/$ref` call: in the path, or in `@id`.
pub(crate) fn linked_id(call: &Call) -> Result<Uuid, Refusal> {
    match call.query.get("@id") {
        Some(url) => properties::reference(url),
        None => call.id(1),
    }
}
