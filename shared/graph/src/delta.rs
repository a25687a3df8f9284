//! Delta queries: which users and groups changed since a cursor, one page a call
//! (<https://learn.microsoft.com/graph/delta-query-overview>).
//!
//! Lives here: what is tracked, and how an answer is read. It tells *which* objects to look at and never what they are:
//! Graph may repeat an object, tell of it late, and spread one group over several pages, in no order. Never here: the
//! state of an object, which is read by itself, and where a cursor is kept.

use model::ObjectId;
use serde_json::{Map, Value};

use crate::error::GraphError;
use crate::loose;
use crate::page::each_in_its_place;
use crate::read::Reader;
use crate::sweep::{Cursor, Sweep, Turn, Walk};
use crate::target::Target;

/// Where a delta query begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaFrom<'a> {
    /// With every object that there is, as if each had just been created.
    Everything,
    /// With whatever changes from now on: no objects, and a cursor.
    Now,
    /// Where an earlier page ended.
    Cursor(&'a Cursor),
}

/// A page of changes. It may be empty and not the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaPage<T> {
    pub items: Vec<T>,
    pub next: DeltaNext,
}

/// Where a delta query goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeltaNext {
    /// More is there already: ask at once.
    More(Cursor),
    /// That was all. Asked later, this tells what changed since; until then it ages, and after seven days it may be
    /// [worthless](crate::Worthless).
    CaughtUp(Cursor),
}

/// A user was created, restored, deleted, or changed in what is tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedUser {
    pub id: ObjectId,
    pub removed: Option<Removed>,
}

/// A group was created, restored, deleted, or changed in what is tracked, or somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedGroup {
    pub id: ObjectId,
    pub removed: Option<Removed>,
    /// Of a large group a part: the others are in other items of the same id, on this page or a later one.
    pub members: Vec<ChangedLink>,
    /// The same of those who own it.
    pub owners: Vec<ChangedLink>,
}

/// Somebody or something came into a group, or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedLink {
    pub id: ObjectId,
    pub removed: bool,
}

/// How an object went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Soft-deleted, restorable for 30 days. A guest who leaves the tenant by himself goes like this.
    Restorable,
    ForGood,
    /// Graph does not say.
    Unsaid,
}

/// Only what is selected is tracked (<https://learn.microsoft.com/graph/delta-query-users>), so that this names what a
/// judgement looks at. Sponsors and restricted administrative units are no properties of the user, and cannot be.
const USERS: &str = "$select=id,displayName,userPrincipalName,mail,otherMails,proxyAddresses,identities,userType,\
    creationType,externalUserState,accountEnabled,onPremisesSyncEnabled";
const USERS_FROM_NOW: &str = "$select=id,displayName,userPrincipalName,mail,otherMails,proxyAddresses,identities,\
    userType,creationType,externalUserState,accountEnabled,onPremisesSyncEnabled&$deltatoken=latest";
const GROUPS: &str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,isAssignableToRole,visibility,\
    resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,assignedLabels,members,owners";
const GROUPS_FROM_NOW: &str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,isAssignableToRole,\
    visibility,resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,assignedLabels,members,owners\
    &$deltatoken=latest";

impl Reader {
    /// One page of the users that changed, guests or not. Graph alone decides how long a page is: it takes no `$top`
    /// here. Permission: `User.Read.All`. At most 2 units. Changes of sponsors are not told.
    ///
    /// A [worthless](crate::Worthless) cursor is an answer, [`Sweep::StartAnew`], and not an error; the link that Graph
    /// offers beside a 410 is not followed.
    ///
    /// # Errors
    /// Any. [`GraphError::Unreadable`] names the item that is not of the documented form, and is also a link that leads
    /// anywhere but on with this query; the cursor of before stays good.
    pub async fn users_delta(
        &self,
        from: DeltaFrom<'_>,
    ) -> Result<Sweep<DeltaPage<ChangedUser>>, GraphError> {
        let target = Target::new("/users/delta");
        let turn = self.delta(Walk::UsersDelta, target, (USERS, USERS_FROM_NOW), from).await?;
        turn.and_then(|turn| turn.changes(ChangedUser::read))
    }

    /// One page of the groups that changed, with those who came and went as members and owners. As
    /// [`Self::users_delta`]; permission: `Group.Read.All`. From [`DeltaFrom::Everything`] on all members and owners are
    /// told as having come. Who is in a dynamic group is told like any other member.
    ///
    /// # Errors
    /// As [`Self::users_delta`].
    pub async fn groups_delta(
        &self,
        from: DeltaFrom<'_>,
    ) -> Result<Sweep<DeltaPage<ChangedGroup>>, GraphError> {
        let target = Target::new("/groups/delta");
        let turn = self.delta(Walk::GroupsDelta, target, (GROUPS, GROUPS_FROM_NOW), from).await?;
        turn.and_then(|turn| turn.changes(ChangedGroup::read))
    }

    async fn delta(
        &self,
        walk: Walk,
        target: Target,
        (everything, now): (&'static str, &'static str),
        from: DeltaFrom<'_>,
    ) -> Result<Sweep<Turn>, GraphError> {
        let (first, cursor) = match from {
            DeltaFrom::Everything => (target.query(everything), None),
            DeltaFrom::Now => (target.query(now), None),
            DeltaFrom::Cursor(cursor) => (target, Some(cursor)),
        };
        self.0.turn(walk, &first, cursor).await
    }
}

impl Turn {
    fn changes<T>(
        self,
        read: impl Fn(&Map<String, Value>) -> Result<T, String>,
    ) -> Result<DeltaPage<T>, GraphError> {
        let Self { items, next, caught_up, trace } = self;
        let next = match (next, caught_up) {
            (Some(next), None) => DeltaNext::More(next),
            (None, Some(caught_up)) => DeltaNext::CaughtUp(caught_up),
            (Some(_), Some(_)) | (None, None) => {
                let why = "it has to have one of `@odata.nextLink` and `@odata.deltaLink`, and not both";
                return Err(GraphError::unreadable(why, &trace));
            }
        };
        Ok(DeltaPage { items: each_in_its_place(&items, &trace, read)?, next })
    }
}

impl ChangedUser {
    fn read(object: &Map<String, Value>) -> Result<Self, String> {
        Ok(Self { id: id(object)?, removed: Removed::read(object)? })
    }
}

impl ChangedGroup {
    fn read(object: &Map<String, Value>) -> Result<Self, String> {
        Ok(Self {
            id: id(object)?,
            removed: Removed::read(object)?,
            members: ChangedLink::all(object, "members@delta")?,
            owners: ChangedLink::all(object, "owners@delta")?,
        })
    }
}

impl ChangedLink {
    fn all(group: &Map<String, Value>, key: &str) -> Result<Vec<Self>, String> {
        let items = match group.get(key) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(format!("`{key}` is not a list")),
        };
        let read = |(at, item): (usize, &Value)| {
            let link = item.as_object().ok_or_else(|| "it is not an object".to_owned()).and_then(Self::read);
            link.map_err(|why| format!("`{key}[{at}]`: {why}"))
        };
        items.iter().enumerate().map(read).collect()
    }

    fn read(object: &Map<String, Value>) -> Result<Self, String> {
        Ok(Self { id: id(object)?, removed: Removed::read(object)?.is_some() })
    }
}

impl Removed {
    /// An object with a reason here, and only the reason in notifications: both are taken, because nothing says that
    /// it stays so.
    fn read(object: &Map<String, Value>) -> Result<Option<Self>, String> {
        let reason = match object.get("@removed") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(reason)) => Some(reason),
            Some(Value::Object(removed)) => match removed.get("reason") {
                None | Some(Value::Null) => None,
                Some(Value::String(reason)) => Some(reason),
                Some(_) => return Err("`@removed.reason` is not a text".to_owned()),
            },
            Some(_) => return Err("`@removed` is neither a text nor an object".to_owned()),
        };
        Ok(Some(match reason.map(|reason| reason.to_ascii_lowercase()).as_deref() {
            Some("changed") => Self::Restorable,
            Some("deleted") => Self::ForGood,
            Some(_) | None => Self::Unsaid,
        }))
    }
}

fn id(object: &Map<String, Value>) -> Result<ObjectId, String> {
    object.get("id").and_then(loose::as_guid).ok_or_else(|| "it has no `id` that is a GUID".to_owned())
}
