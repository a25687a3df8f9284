//! One handler for each act on groups, which are named by id or name; what is in them, by id or name of whatever kind.
use axum::Json;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::acts::{Given, Shared, done};
use super::{Done, Problem, directory};
use crate::directory::{Directory, DirectoryError};
use crate::group_acts::NewGroup;
use crate::tenant::{Group, GroupKind, OtherKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkBody {
    group: String,
    /// A user, or anything else that can be in a group.
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
    visibility: Option<Visibility>,
    #[serde(default)]
    synced: bool,
    #[serde(default)]
    restricted: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Visibility {
    Private,
    Public,
    HiddenMembership,
}

impl Visibility {
    fn word(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::Public => "Public",
            Self::HiddenMembership => "HiddenMembership",
        }
    }
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
pub(super) struct VisibilityBody {
    group: String,
    visibility: Visibility,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedBody {
    group: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectBody {
    name: String,
    kind: KindOfObject,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindOfObject {
    Device,
    ServicePrincipal,
}

fn find_group(directory: &Directory, text: &str) -> Result<Group, Problem> {
    directory.find_group(text).ok_or_else(|| {
        Problem::missing(format!("no one group is `{text}`: give an id or a name from GET /control/groups"))
    })
}

fn find_object(directory: &Directory, text: &str) -> Result<Uuid, Problem> {
    directory.find_object(text).ok_or_else(|| {
        Problem::missing(format!(
            "no one object is `{text}`: give an id or a name from GET /control/users, GET /control/groups, or the \
             answer of POST /control/add-object"
        ))
    })
}

async fn link(
    world: Shared,
    body: Given<LinkBody>,
    act: impl FnOnce(&Directory, Uuid, Uuid) -> Result<(), DirectoryError>,
) -> Done {
    let Json(LinkBody { group: named, user: person }) = body?;
    let directory = directory(&world);
    let (group, user) = (find_group(&directory, &named)?.id, find_object(&directory, &person)?);
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
    let Json(body) = body?;
    let GroupBody { name, kind, label, owner, role_assignable, rule, visibility, synced, restricted } = body;
    let directory = directory(&world);
    let owners = owner.map(|owner| find_object(&directory, &owner)).transpose()?;
    let kind = match kind {
        KindOfGroup::Security => GroupKind::Security,
        KindOfGroup::Microsoft365 => GroupKind::Microsoft365,
        KindOfGroup::Team => GroupKind::Team,
        KindOfGroup::MailEnabledSecurity => GroupKind::MailEnabledSecurity,
        KindOfGroup::Distribution => GroupKind::Distribution,
    };
    let id = directory.create_group(NewGroup {
        kind,
        label,
        role_assignable,
        visibility: visibility.map(|visibility| visibility.word().to_owned()),
        dynamic: rule,
        synced,
        management_restricted: restricted,
        owners: owners.into_iter().collect(),
        ..NewGroup::named(&name)
    });
    done(json!({"id": id.to_string()}))
}

pub(super) async fn rename_group(world: Shared, body: Given<RenameBody>) -> Done {
    let Json(RenameBody { group, name }) = body?;
    on_group(&world, &group, |directory, id| directory.rename_group(id, &name))
}

pub(super) async fn label(world: Shared, body: Given<LabelBody>) -> Done {
    let Json(LabelBody { group, label }) = body?;
    on_group(&world, &group, |directory, id| directory.set_label(id, label.as_deref()))
}

pub(super) async fn visibility(world: Shared, body: Given<VisibilityBody>) -> Done {
    let Json(VisibilityBody { group, visibility }) = body?;
    on_group(&world, &group, |directory, id| directory.set_visibility(id, visibility.word()))
}

pub(super) async fn delete_group(world: Shared, body: Given<NamedBody>) -> Done {
    let Json(NamedBody { group }) = body?;
    on_group(&world, &group, Directory::delete_group)
}

pub(super) async fn restore_group(world: Shared, body: Given<NamedBody>) -> Done {
    let Json(NamedBody { group }) = body?;
    on_group(&world, &group, Directory::restore_group)
}

fn on_group(
    world: &Shared,
    named: &str,
    act: impl FnOnce(&Directory, Uuid) -> Result<(), DirectoryError>,
) -> Done {
    let directory = directory(world);
    let id = find_group(&directory, named)?.id;
    act(&directory, id)?;
    done(json!({"group": id.to_string()}))
}

/// What is neither user nor group, and may be in a group all the same.
pub(super) async fn add_object(world: Shared, body: Given<ObjectBody>) -> Done {
    let Json(ObjectBody { name, kind }) = body?;
    let kind = match kind {
        KindOfObject::Device => OtherKind::Device,
        KindOfObject::ServicePrincipal => OtherKind::ServicePrincipal,
    };
    let id = directory(&world).add_object(kind, &name);
    done(json!({"id": id.to_string()}))
}
