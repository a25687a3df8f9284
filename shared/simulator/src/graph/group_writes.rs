//! Creating, changing and deleting groups through Graph.
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::call::{Answer, Call};
use super::properties::{self, flag, text, texts};
use super::refusal::Refusal;
use super::{groups, links, permissions, user_writes};
use crate::group_acts::NewGroup;
use crate::odata::Type;
use crate::tenant::{Group, GroupKind, Object};
use crate::world::{Sight, State};

const BIND_MEMBERS: &str = "members@odata.bind";
const BIND_OWNERS: &str = "owners@odata.bind";
/// Fixed at creation, or never writable by an app.
const FIXED: &[&str] =
    &["isAssignableToRole", "mailEnabled", "securityEnabled", "groupTypes", "assignedLabels"];

pub(crate) fn create(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    properties::check(body, Type::Group, "Group", &[BIND_MEMBERS, BIND_OWNERS])?;
    properties::need(body, &["displayName", "mailEnabled", "mailNickname", "securityEnabled"])?;
    let role_assignable = flag(body, "isAssignableToRole").unwrap_or(false);
    if role_assignable && !call.caller.has(permissions::WRITE_ROLES) {
        return Err(Refusal::denied());
    }
    let new = NewGroup {
        description: text(body, "description"),
        kind: kind(body)?,
        role_assignable,
        visibility: text(body, "visibility"),
        dynamic: text(body, "membershipRule"),
        ..NewGroup::named(&text(body, "displayName").unwrap_or_default())
    };
    let mut group = new.build(&mut state.tenant, call.now);
    group.mail_nickname = text(body, "mailNickname").unwrap_or_default();
    group.members = bound(state, body, BIND_MEMBERS)?;
    group.owners = bound(state, body, BIND_OWNERS)?;
    let id = group.id;
    state.tenant.put_group(group, call.now);
    let view = state.tenant.truth();
    let group = view.group(id).ok_or_else(|| Refusal::not_found(&id.to_string()))?;
    user_writes::created(call, &view, Object::Group(group))
}

/// Only Microsoft 365 and plain security groups can be created through Graph.
fn kind(body: &Map<String, Value>) -> Result<GroupKind, Refusal> {
    let unified = texts(body, "groupTypes").unwrap_or_default().iter().any(|kind| kind == "Unified");
    match (unified, flag(body, "mailEnabled"), flag(body, "securityEnabled")) {
        (true, Some(true), Some(_)) => Ok(GroupKind::Microsoft365),
        (false, Some(false), Some(true)) => Ok(GroupKind::Security),
        _ => Err(Refusal::directory("The service does not currently support writes of mail-enabled groups.")),
    }
}

fn bound(state: &State, body: &Map<String, Value>, name: &str) -> Result<BTreeSet<uuid::Uuid>, Refusal> {
    let mut found = BTreeSet::new();
    for url in texts(body, name).unwrap_or_default() {
        let id = properties::reference(&url)?;
        if state.tenant.truth().object(id).is_none() {
            return Err(Refusal::not_found(&id.to_string()));
        }
        found.insert(id);
    }
    Ok(found)
}

pub(crate) fn patch(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    if let Some(urls) = body.get(BIND_MEMBERS) {
        return match body.len() {
            1 => links::add_many(state, call, urls),
            _ => Err(Refusal::directory("members@odata.bind must be the only property of the request.")),
        };
    }
    properties::check(body, Type::Group, "Group", &[])?;
    call.caller.must_have_any(permissions::WRITE_GROUPS)?;
    if let Some(fixed) = body.keys().find(|name| FIXED.contains(&name.as_str())) {
        return Err(Refusal::read_only(fixed));
    }
    let mut group = target(state, call)?;
    for (name, value) in body {
        match name.as_str() {
            "displayName" => group.display_name = text(body, name).unwrap_or_default(),
            "description" => group.description = text(body, name),
            "mailNickname" => group.mail_nickname = text(body, name).unwrap_or_default(),
            "visibility" => group.visibility = text(body, name),
            "membershipRule" if group.membership_rule.is_some() => group.membership_rule = text(body, name),
            _ => drop(group.other.insert(name.clone(), value.clone())),
        }
    }
    state.tenant.put_group(group, call.now);
    Ok(Answer::nothing())
}

pub(crate) fn delete(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let group = target(state, call)?;
    state.tenant.delete_group(group.id, call.now);
    Ok(Answer::nothing())
}

/// The group to be written, if it is mastered here.
fn target(state: &State, call: &Call) -> Result<Group, Refusal> {
    let view = state.view(Sight { seen_until: None, settled_until: call.sight.settled_until });
    let group = groups::find(&view, call)?.clone();
    if group.kind.read_only() {
        let message = "Cannot Update a mail-enabled security groups and or distribution list.";
        return Err(Refusal::directory(message));
    }
    let privileged = group.role_assignable && !call.caller.has(permissions::WRITE_ROLES);
    match privileged || group.management_restricted || group.on_premises_sync_enabled == Some(true) {
        true => Err(Refusal::denied()),
        false => Ok(group),
    }
}
