//! One handler for each act. People are named by id, user principal name, mail or display name; groups by id or name.
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Done, Problem, directory};
use crate::directory::{Directory, DirectoryError, Invite, NewUser, Redeem};
use crate::faults::Faults;
use crate::group_acts::NewGroup;
use crate::tenant::{Group, GroupKind, User, UserType};
use crate::world::World;

type Shared = State<Arc<World>>;
type Given<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InviteBody {
    address: String,
    name: Option<String>,
    by: String,
    #[serde(default)]
    member: bool,
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
pub(super) struct LinkBody {
    group: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupBody {
    name: String,
    #[serde(default)]
    kind: KindOfGroup,
    label: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    role_assignable: bool,
    rule: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindOfGroup {
    #[default]
    Security,
    Microsoft365,
    Team,
    MailEnabledSecurity,
    Distribution,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RenameBody {
    group: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelBody {
    group: String,
    label: Option<String>,
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

fn find_user(directory: &Directory, text: &str) -> Result<User, Problem> {
    directory.find_user(text).ok_or_else(|| {
        Problem::missing(format!(
            "no one user is `{text}`: give an id, a user principal name, or a mail from GET /control/users"
        ))
    })
}

fn find_group(directory: &Directory, text: &str) -> Result<Group, Problem> {
    directory.find_group(text).ok_or_else(|| {
        Problem::missing(format!("no one group is `{text}`: give an id or a name from GET /control/groups"))
    })
}

fn done(fields: Value) -> Done {
    Ok(Json(fields))
}

pub(super) async fn invite(world: Shared, body: Given<InviteBody>) -> Done {
    let Json(InviteBody { address, name, by, member }) = body?;
    let directory = directory(&world);
    let by = find_user(&directory, &by)?.id;
    if !address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')) {
        return Err(Problem::wrong(format!(
            "`{address}` is no mail address: write it as name@domain.example"
        )));
    }
    let user_type = if member { UserType::Member } else { UserType::Guest };
    let id = directory.invite(Invite { address, name, by, user_type });
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

async fn link(
    world: Shared,
    body: Given<LinkBody>,
    act: impl FnOnce(&Directory, uuid::Uuid, uuid::Uuid) -> Result<(), DirectoryError>,
) -> Done {
    let Json(LinkBody { group: named, user: person }) = body?;
    let directory = directory(&world);
    let (group, user) = (find_group(&directory, &named)?.id, find_user(&directory, &person)?.id);
    act(&directory, group, user)?;
    done(json!({"group": group.to_string(), "user": user.to_string()}))
}

pub(super) async fn add_member(world: Shared, body: Given<LinkBody>) -> Done {
    link(world, body, Directory::add_member).await
}

pub(super) async fn remove_member(world: Shared, body: Given<LinkBody>) -> Done {
    link(world, body, Directory::remove_member).await
}

pub(super) async fn add_owner(world: Shared, body: Given<LinkBody>) -> Done {
    link(world, body, Directory::add_owner).await
}

pub(super) async fn remove_owner(world: Shared, body: Given<LinkBody>) -> Done {
    link(world, body, Directory::remove_owner).await
}

pub(super) async fn group(world: Shared, body: Given<GroupBody>) -> Done {
    let Json(GroupBody { name, kind, label, owner, role_assignable, rule }) = body?;
    let directory = directory(&world);
    let owners = owner.map(|owner| find_user(&directory, &owner)).transpose()?;
    let kind = match kind {
        KindOfGroup::Security => GroupKind::Security,
        KindOfGroup::Microsoft365 => GroupKind::Microsoft365,
        KindOfGroup::Team => GroupKind::Team,
        KindOfGroup::MailEnabledSecurity => GroupKind::MailEnabledSecurity,
        KindOfGroup::Distribution => GroupKind::Distribution,
    };
    let owners = owners.into_iter().map(|owner| owner.id).collect();
    let new = NewGroup { kind, label, role_assignable, dynamic: rule, owners, ..NewGroup::named(&name) };
    let id = directory.create_group(new);
    done(json!({"id": id.to_string()}))
}

pub(super) async fn rename_group(world: Shared, body: Given<RenameBody>) -> Done {
    let Json(RenameBody { group: named, name }) = body?;
    let directory = directory(&world);
    let id = find_group(&directory, &named)?.id;
    directory.rename_group(id, &name)?;
    done(json!({"group": id.to_string()}))
}

pub(super) async fn label(world: Shared, body: Given<LabelBody>) -> Done {
    let Json(LabelBody { group: named, label }) = body?;
    let directory = directory(&world);
    let id = find_group(&directory, &named)?.id;
    directory.set_label(id, label.as_deref())?;
    done(json!({"group": id.to_string()}))
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
