//! Reading groups and who belongs to them. Writing is in `group_writes`, links in `links`.
use super::call::{Answer, Call};
use super::lists::{self, Shape};
use super::refusal::Refusal;
use crate::odata::{Type, select};
use crate::tenant::{Group, Object, Relation, View, documents};
use crate::world::State;

/// Members of a group with `visibility: HiddenMembership` need this beside the permission to read members.
const HIDDEN: &str = "Member.Read.Hidden";

pub(crate) fn list(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let items = view.live_groups().map(|(place, group)| (place, Object::Group(group))).collect();
    lists::answer(call, &view, items, Shape::Own(Type::Group), state.faults.page_at_most)
}

pub(crate) fn count(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    lists::count(call, Type::Group, view.live_groups().map(|(_, group)| documents::of_group(group)))
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let group = find(&view, call)?;
    lists::one(call, &view, Object::Group(group))
}

/// `/groups/{id}/{relation}`, or its users only.
pub(crate) fn relation(
    state: &mut State,
    call: &Call,
    relation: &str,
    users_only: bool,
) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let group = find(&view, call)?;
    let objects = match hidden_from(group, call) && relation != "owners" {
        true => Vec::new(),
        false => select::related(Object::Group(group), relation, &view),
    };
    let shape = if users_only { Shape::Cast(Type::User) } else { Shape::Mixed };
    lists::answer(call, &view, lists::numbered(objects), shape, state.faults.page_at_most)
}

pub(crate) fn count_members(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let group = find(&view, call)?;
    let members = if hidden_from(group, call) { Vec::new() } else { view.linked(group, Relation::Member) };
    lists::count(call, Type::DirectoryObject, members.into_iter().map(documents::of_object))
}

fn hidden_from(group: &Group, call: &Call) -> bool {
    group.visibility.as_deref() == Some("HiddenMembership") && !call.caller.has(HIDDEN)
}

pub(crate) fn find<'a>(view: &View<'a>, call: &Call) -> Result<&'a Group, Refusal> {
    view.group(call.id(0)?).ok_or_else(|| Refusal::not_found(call.key(0)))
}
