//! `POST /invitations`: an app invites a guest, or sends the mail of an existing one again. Redemption happens outside
//! Graph. An app has no sponsor to give, so that a guest invited by one has none unless the request names some.
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::properties::{self, flag, text};
use super::refusal::Refusal;
use crate::directory::{Invite, invited};
use crate::tenant::{Actor, Object, User, UserType};
use crate::world::State;

const KNOWN: &[&str] = &[
    "invitedUserEmailAddress",
    "inviteRedirectUrl",
    "invitedUserDisplayName",
    "invitedUserType",
    "sendInvitationMessage",
    "invitedUserMessageInfo",
    "invitedUserSponsors",
    "resetRedemption",
    "invitedUser",
];
/// Signs that an invited address may not contain (invitation reference).
const FORBIDDEN: &[char] = &[
    '~', '!', '#', '$', '%', '^', '&', '*', '(', ')', '=', '[', ']', '{', '}', '/', '|', ';', '\'', '<', '>',
    '?', ',',
];

pub(crate) fn create(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(match ["id", "inviteRedeemUrl", "status"].contains(&name.as_str()) {
            true => Refusal::read_only(name),
            false => Refusal::invalid_property(name),
        });
    }
    properties::need(body, &["invitedUserEmailAddress", "inviteRedirectUrl"])?;
    let address = text(body, "invitedUserEmailAddress").unwrap_or_default();
    if !address.contains('@') || address.contains(FORBIDDEN) {
        return Err(Refusal::directory(format!("The invited email address '{address}' is invalid.")));
    }
    if flag(body, "resetRedemption") == Some(true) || body.contains_key("invitedUser") {
        return Err(Refusal::directory("The simulator does not reset redemptions."));
    }
    let user_type = match text(body, "invitedUserType").as_deref() {
        None | Some("Guest") => UserType::Guest,
        Some("Member") => UserType::Member,
        Some(_) => return Err(Refusal::invalid_value("invitedUserType", "Invitation")),
    };
    let known =
        state.tenant.truth().live_users().map(|(_, user)| user).find(|user| knows(user, &address)).cloned();
    let user = match known {
        Some(user) => user,
        None => {
            let sponsors = sponsors(state, body)?;
            let name = text(body, "invitedUserDisplayName");
            let invite = Invite { address: address.clone(), name, by: Uuid::nil(), user_type, days_ago: 0 };
            let user = invited(&mut state.tenant, &invite, sponsors, call.now);
            state.tenant.put_user(user.clone(), call.now);
            state.tenant.audit_invitation(user.id, &address, Actor::App(call.caller.app), call.now);
            user
        }
    };
    Ok(answer(state, call, body, &user))
}

fn knows(user: &User, address: &str) -> bool {
    let own = user.mail.iter().chain(&user.other_mails);
    user.creation_type.is_some() && own.into_iter().any(|mail| mail.eq_ignore_ascii_case(address))
}

fn sponsors(state: &State, body: &Map<String, Value>) -> Result<Vec<Uuid>, Refusal> {
    let Some(listed) = body.get("invitedUserSponsors").and_then(Value::as_array) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for one in listed {
        let id = one.get("id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
        match id.and_then(|id| state.tenant.truth().object(id)) {
            Some(object @ (Object::User(_) | Object::Group(_))) => found.push(object.id()),
            Some(Object::Role(_) | Object::Other(_)) | None => {
                return Err(Refusal::invalid_value("invitedUserSponsors", "Invitation"));
            }
        }
    }
    Ok(found)
}

fn answer(state: &mut State, call: &Call, body: &Map<String, Value>, user: &User) -> Answer {
    let id = state.passing_id();
    let ticket = state.passing_id();
    let status = user.external_user_state.clone().unwrap_or_else(|| "Completed".to_owned());
    let status = if status == "Accepted" { "Completed".to_owned() } else { status };
    let tenant = state.tenant.id;
    let shown = json!({
        "id": id.to_string(),
        "inviteRedeemUrl": format!("https://login.example/redeem?tenant={tenant}&ticket={ticket}"),
        "invitedUserDisplayName": text(body, "invitedUserDisplayName"),
        "invitedUserType": user.user_type.map(UserType::as_str),
        "invitedUserEmailAddress": text(body, "invitedUserEmailAddress"),
        "sendInvitationMessage": flag(body, "sendInvitationMessage").unwrap_or(false),
        "resetRedemption": false,
        "inviteRedirectUrl": text(body, "inviteRedirectUrl"),
        "status": status,
        "invitedUserMessageInfo": {"messageLanguage": null, "customizedMessageBody": null, "ccRecipients": []},
        "invitedUser": {"id": user.id.to_string()},
    });
    Answer::entity(201, call.context("invitations/$entity"), shown)
}
