//! Reading users and what they belong to. Writing them is in `user_writes`.
use super::call::{Answer, Call};
use super::lists::{self, Shape};
use super::permissions;
use super::refusal::Refusal;
use crate::odata::{Type, select};
use crate::tenant::{Object, User, View};
use crate::world::State;

pub(crate) fn list(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    sign_in_activity_needs_the_audit_log(call)?;
    let view = state.view(call.sight);
    let items = view.live_users().map(|(place, user)| (place, Object::User(user))).collect();
    lists::answer(call, &view, items, Shape::Own(Type::User), state.faults.page_at_most)
}

/// `/users/$count`: always an advanced query.
pub(crate) fn count(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let documents = view.live_users().map(|(_, user)| crate::tenant::documents::of_user(user));
    lists::count(call, Type::User, documents)
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    sign_in_activity_needs_the_audit_log(call)?;
    let view = state.view(call.sight);
    let user = find(&view, call)?;
    lists::one(call, &view, Object::User(user))
}

pub(crate) fn manager(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let user = find(&view, call)?;
    let manager = user.manager.and_then(|id| view.object(id));
    let manager = manager
        .ok_or_else(|| Refusal::new(404, "Request_ResourceNotFound", "Resource 'manager' does not exist."))?;
    lists::one_mixed(call, manager)
}

/// `/users/{id}/{relation}`, or its groups only.
pub(crate) fn relation(
    state: &mut State,
    call: &Call,
    relation: &str,
    groups_only: bool,
) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let user = find(&view, call)?;
    let objects = select::related(Object::User(user), relation, &view, &call.caller);
    let shape = if groups_only { Shape::Cast(Type::Group) } else { Shape::Mixed };
    lists::answer(call, &view, lists::placed(objects), shape, state.faults.page_at_most)
}

/// The user of the path, by object id or user principal name.
pub(crate) fn find<'a>(view: &View<'a>, call: &Call) -> Result<&'a User, Refusal> {
    view.user_by_key(call.key(0)).ok_or_else(|| Refusal::not_found(call.key(0)))
}

fn sign_in_activity_needs_the_audit_log(call: &Call) -> Result<(), Refusal> {
    let selection = call.query.selection(Type::User)?;
    match selection.names("signInActivity") && !call.caller.has(permissions::READ_AUDIT_LOG) {
        true => Err(Refusal::denied()),
        false => Ok(()),
    }
}
