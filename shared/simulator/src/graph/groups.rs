//! Reading groups and who belongs to them. Writing is in `group_writes`, links in `links`.
use super::call::{Answer, Call};
use super::lists::{self, Shape};
use super::refusal::Refusal;
use crate::odata::{Type, select};
use crate::tenant::{Group, Object, Relation, View, documents};
use crate::world::State;

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
    let objects = select::related(Object::Group(group), relation, &view, &call.caller);
    let shape = if users_only { Shape::Cast(Type::User) } else { Shape::Mixed };
    lists::answer(call, &view, lists::placed(objects), shape, state.faults.page_at_most)
}

pub(crate) fn count_members(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let group = find(&view, call)?;
    let hidden = select::hides_members(group, &call.caller);
    let members = if hidden { Vec::new() } else { view.linked(group, Relation::Member) };
    lists::count(call, Type::DirectoryObject, members.into_iter().map(documents::of_object))
}

pub(crate) fn find<'a>(view: &View<'a>, call: &Call) -> Result<&'a Group, Refusal> {
    view.group(call.id(0)?).ok_or_else(|| Refusal::not_found(call.key(0)))
}
