//! Adding and removing members and owners (`/$ref`). What cannot be written through Graph is refused as the reference
//! describes: dynamic, synced and mail-enabled groups, role-assignable ones without the right, the last owner.
use serde_json::Value;
use uuid::Uuid;

use super::call::{Answer, Call};
use super::refusal::Refusal;
use super::{groups, permissions, properties, user_writes};
use crate::tenant::{Group, Object, OtherKind, Relation};
use crate::world::{Sight, State};

/// Microsoft Graph, `group`: the owners of a group.
const MOST_OWNERS: usize = 100;

/// The group to be written, if the app may write its links.
fn writable(state: &State, call: &Call, relation: Relation) -> Result<Group, Refusal> {
    let view = state.view(Sight { seen_until: None, settled_until: call.sight.settled_until });
    let group = groups::find(&view, call)?.clone();
    may_link(&group, call, relation)?;
    Ok(group)
}

fn may_link(group: &Group, call: &Call, relation: Relation) -> Result<(), Refusal> {
    if group.kind.read_only() {
        let message = "Cannot Update a mail-enabled security groups and or distribution list.";
        return Err(Refusal::directory(message));
    }
    if group.on_premises_sync_enabled == Some(true) {
        return Err(Refusal::directory(
            "Unable to update the specified properties for objects that have originated within an external service.",
        ));
    }
    let dynamic = group.membership_rule.is_some() && relation == Relation::Member;
    let privileged = group.role_assignable && !call.caller.has(permissions::WRITE_ROLES);
    match dynamic || privileged || group.management_restricted {
        true => Err(Refusal::denied()),
        false => Ok(()),
    }
}

fn relation(name: &str) -> Relation {
    if name == "owners" { Relation::Owner } else { Relation::Member }
}

pub(crate) fn add(state: &mut State, call: &Call, name: &str) -> Result<Answer, Refusal> {
    let relation = relation(name);
    let body = call.object_body()?;
    let object = match (body.get("@odata.id"), body.len()) {
        (Some(Value::String(url)), 1) => properties::reference(url)?,
        _ => return Err(Refusal::directory("Expected one property: '@odata.id'.")),
    };
    let mut group = writable(state, call, relation)?;
    link(state, call, &mut group, object, relation)?;
    state.tenant.put_group(group, call.now);
    Ok(Answer::nothing())
}

/// `members@odata.bind` of a PATCH: up to twenty, all or nothing.
pub(crate) fn add_many(state: &mut State, call: &Call, urls: &Value) -> Result<Answer, Refusal> {
    let urls = urls.as_array().filter(|urls| (1..=20).contains(&urls.len()));
    let urls = urls.ok_or_else(|| Refusal::directory("members@odata.bind takes 1 to 20 references."))?;
    let mut group = writable(state, call, Relation::Member)?;
    for url in urls {
        let object = properties::reference(url.as_str().unwrap_or_default())?;
        link(state, call, &mut group, object, Relation::Member)?;
    }
    state.tenant.put_group(group, call.now);
    Ok(Answer::nothing())
}

fn link(
    state: &State,
    call: &Call,
    group: &mut Group,
    object: Uuid,
    relation: Relation,
) -> Result<(), Refusal> {
    let view = state.view(Sight { seen_until: None, settled_until: call.sight.settled_until });
    let can_own = match view.object(object) {
        Some(Object::Role(_)) | None => return Err(Refusal::not_found(&object.to_string())),
        Some(Object::User(_)) => true,
        Some(Object::Group(_)) => false,
        Some(Object::Other(other)) => match other.kind {
            OtherKind::ServicePrincipal => true,
            OtherKind::Device => false,
        },
    };
    if relation == Relation::Owner && !can_own {
        return Err(Refusal::directory("Only users and service principals can own a group."));
    }
    if group.linked(relation).contains(&object) {
        return Err(user_writes::already_there(relation.property()));
    }
    if relation == Relation::Owner && group.owners.len() >= MOST_OWNERS {
        return Err(Refusal::directory("A group can have at most 100 owners."));
    }
    group.linked_mut(relation).insert(object);
    Ok(())
}

pub(crate) fn remove(state: &mut State, call: &Call, name: &str) -> Result<Answer, Refusal> {
    let relation = relation(name);
    let object = user_writes::linked_id(call)?;
    let mut group = writable(state, call, relation)?;
    let view = state.view(Sight { seen_until: None, settled_until: call.sight.settled_until });
    if !group.linked(relation).contains(&object) || view.object(object).is_none() {
        return Err(Refusal::not_found(&object.to_string()));
    }
    if relation == Relation::Owner {
        let users = group.owners.iter().filter(|owner| state.tenant.truth().user(**owner).is_some());
        let is_user = state.tenant.truth().user(object).is_some();
        if is_user && users.count() == 1 {
            let message = "The group must have at least one owner, hence this owner cannot be removed.";
            return Err(Refusal::directory(message));
        }
    }
    group.linked_mut(relation).remove(&object);
    state.tenant.put_group(group, call.now);
    Ok(Answer::nothing())
}
