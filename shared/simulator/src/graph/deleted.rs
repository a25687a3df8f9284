//! The deleted items: what can still be restored, and ending that. `directory/deletedItems` in Graph.
use super::call::{Answer, Call};
use super::lists::{self, Shape};
use super::permissions;
use super::refusal::Refusal;
use crate::odata::{Selection, Type, select};
use crate::tenant::{Object, User, documents};
use crate::world::State;

pub(crate) fn list(state: &mut State, call: &Call, of: Type) -> Result<Answer, Refusal> {
    let view = state.view(call.sight);
    let items = match of {
        Type::Group => view
            .all_deleted_groups()
            .into_iter()
            .map(|(place, group)| (place, Object::Group(group)))
            .collect(),
        _ => view.all_deleted_users().into_iter().map(|(place, user)| (place, Object::User(user))).collect(),
    };
    lists::answer(call, &view, items, Shape::Own(of), state.faults.page_at_most)
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = call.id(0)?;
    let view = state.view(call.sight);
    let user = view.deleted_user(id).map(Object::User);
    let object = user.or_else(|| view.deleted_group(id).map(Object::Group));
    let object = object.ok_or_else(|| Refusal::not_found(call.key(0)))?;
    call.caller.must_have_any(readers(object))?;
    let selection = call.query.selection(Type::DirectoryObject)?;
    let of = select::type_of(object);
    let mut shown = serde_json::Map::new();
    shown.insert("@odata.type".to_owned(), format!("#{}", of.name()).into());
    let document = documents::of_object(object);
    shown.extend(Selection { names: selection.names.clone(), expand: None }.show(of, &document));
    if selection.names.is_none() {
        shown.extend(document.get("deletedDateTime").map(|at| ("deletedDateTime".to_owned(), at.clone())));
    }
    let context = format!("directoryObjects{}/$entity", selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), shown.into()))
}

fn readers(object: Object<'_>) -> &'static [&'static str] {
    match object {
        Object::Group(_) => permissions::READ_DELETED_GROUPS,
        Object::User(_) | Object::Role(_) | Object::Other(_) => permissions::READ_DELETED_USERS,
    }
}

/// Restores a user or a Microsoft 365 group; other groups never get here.
pub(crate) fn restore(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = call.id(0)?;
    let gone = || Refusal::not_found(call.key(0));
    let known = state.tenant.true_user(id).filter(|user| user.deleted_at.is_some()).cloned();
    if let Some(mut user) = known {
        call.caller.must_have_any(permissions::DELETE_USERS)?;
        if !state.tenant.protection_of(id).yields_to(&call.caller.directory_roles) {
            return Err(Refusal::denied());
        }
        name_is_free(state, &user)?;
        user.deleted_at = None;
        state.tenant.put_user(user, call.now);
    } else {
        let group = state.tenant.true_group(id).filter(|group| group.deleted_at.is_some()).cloned();
        let mut group = group.ok_or_else(gone)?;
        call.caller.must_have_any(permissions::DELETE_GROUPS)?;
        group.deleted_at = None;
        state.tenant.put_group(group, call.now);
    }
    let object = state.tenant.truth().object(id).ok_or_else(gone)?;
    lists::one_restored(call, object)
}

/// What a user is called by must not have become somebody else's. The caller may give another name in the body, which the
/// simulator does not take.
fn name_is_free(state: &State, user: &User) -> Result<(), Refusal> {
    let same = |one: &String, other: &String| one.eq_ignore_ascii_case(other);
    let taken = |property: &str| {
        let message = format!("Another object with the same value for property {property} already exists.");
        Err(Refusal::directory(message))
    };
    for (_, other) in state.tenant.truth().live_users() {
        if same(&other.user_principal_name, &user.user_principal_name) {
            return taken("userPrincipalName");
        }
        if other.proxy_addresses.iter().any(|one| user.proxy_addresses.iter().any(|his| same(one, his))) {
            return taken("proxyAddresses");
        }
    }
    Ok(())
}

/// Permanent deletion.
pub(crate) fn purge(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = call.id(0)?;
    let user = state.tenant.true_user(id).filter(|user| user.deleted_at.is_some()).map(|user| user.id);
    match user {
        Some(user) if state.tenant.protection_of(user).yields_to(&call.caller.directory_roles) => {
            state.tenant.purge_user(user, call.now);
            Ok(Answer::nothing())
        }
        Some(_) => Err(Refusal::denied()),
        None => Err(Refusal::not_found(call.key(0))),
    }
}
