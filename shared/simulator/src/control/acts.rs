//! One handler for each act on people, who are named by id, user principal name, mail or display name. Acts on groups
//! are in `group_acts`.
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Done, Problem, directory};
use crate::directory::{Directory, DirectoryError, Invite, NewUser, Redeem};
use crate::faults::Faults;
use crate::tenant::{User, UserType};
use crate::world::World;

pub(super) type Shared = State<Arc<World>>;
pub(super) type Given<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteBody {
    address: String,
    name: Option<String>,
    by: String,
    #[serde(default)]
    member: bool,
    /// Lets the guest be there for so long already.
    #[serde(default)]
    days_ago: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedeemBody {
    user: String,
    #[serde(default)]
    with: Account,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Account {
    #[default]
    Entra,
    Microsoft,
    Google,
    Facebook,
    OneTimePasscode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddUserBody {
    upn: String,
    name: Option<String>,
    #[serde(default)]
    guest: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserBody {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleBody {
    user: String,
    role: String,
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        Self::missing(format!("failed to {error}"))
    }
}

pub(super) fn find_user(directory: &Directory, text: &str) -> Result<User, Problem> {
    directory.find_user(text).ok_or_else(|| {
        Problem::missing(format!(
            "no one user is `{text}`: give an id, a user principal name, or a mail from GET /control/users"
        ))
    })
}

pub(super) fn done(fields: Value) -> Done {
    Ok(Json(fields))
}

pub(super) async fn invite(world: Shared, body: Given<InviteBody>) -> Done {
    let Json(InviteBody { address, name, by, member, days_ago }) = body?;
    let directory = directory(&world);
    let by = find_user(&directory, &by)?.id;
    if !address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')) {
        return Err(Problem::wrong(format!(
            "`{address}` is no mail address: write it as name@domain.example"
        )));
    }
    let user_type = if member { UserType::Member } else { UserType::Guest };
    let id = directory.invite(Invite { address, name, by, user_type, days_ago });
    done(json!({"id": id.to_string()}))
}

pub(super) async fn redeem(world: Shared, body: Given<RedeemBody>) -> Done {
    let Json(RedeemBody { user: named, with }) = body?;
    let directory = directory(&world);
    let id = find_user(&directory, &named)?.id;
    let how = match with {
        Account::Entra => Redeem::Entra,
        Account::Microsoft => Redeem::Microsoft,
        Account::Google => Redeem::Google,
        Account::Facebook => Redeem::Facebook,
        Account::OneTimePasscode => Redeem::OneTimePasscode,
    };
    directory.redeem(id, how)?;
    done(json!({"id": id.to_string()}))
}

pub(super) async fn add_user(world: Shared, body: Given<AddUserBody>) -> Done {
    let Json(AddUserBody { upn, name, guest }) = body?;
    let user_type = if guest { UserType::Guest } else { UserType::Member };
    let id = directory(&world).add_user(NewUser { user_principal_name: upn, name, user_type });
    done(json!({"id": id.to_string()}))
}

async fn on_user(
    world: Shared,
    body: Given<UserBody>,
    act: impl FnOnce(&Directory, uuid::Uuid) -> Result<(), DirectoryError>,
) -> Done {
    let Json(UserBody { user: named }) = body?;
    let directory = directory(&world);
    let id = find_user(&directory, &named)?.id;
    act(&directory, id)?;
    done(json!({"id": id.to_string()}))
}

pub(super) async fn disable(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::disable).await
}

pub(super) async fn enable(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::enable).await
}

pub(super) async fn promote(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::promote_to_member).await
}

pub(super) async fn delete(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::delete_user).await
}

pub(super) async fn restore(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::restore_user).await
}

pub(super) async fn purge(world: Shared, body: Given<UserBody>) -> Done {
    on_user(world, body, Directory::purge_user).await
}

pub(super) async fn role(world: Shared, body: Given<RoleBody>) -> Done {
    let Json(RoleBody { user: named, role }) = body?;
    let directory = directory(&world);
    let id = find_user(&directory, &named)?.id;
    directory.assign_role(id, &role)?;
    done(json!({"id": id.to_string()}))
}

/// Only the named faults change; the rest stays as it is.
pub(super) async fn faults(State(world): Shared, body: Given<Value>) -> Done {
    let Json(wanted) = body?;
    let wanted = wanted.as_object().ok_or_else(|| Problem::wrong("send an object: {\"hang\": 0.1}"))?;
    let changed = world.look(|state, _| {
        let mut all = serde_json::to_value(&state.faults)?;
        for (name, value) in wanted {
            all.as_object_mut().map(|all| all.insert(name.clone(), value.clone()));
        }
        let faults: Faults = serde_json::from_value(all)?;
        state.faults.replace_standing(faults);
        serde_json::to_value(&state.faults)
    });
    let changed = changed.map_err(|error| {
        Problem::wrong(format!("{error}; GET /control/faults shows every fault with its present value"))
    });
    done(changed?)
}
