//! The directory audit: who invited somebody, and who last did something to an account or a membership
//! (<https://learn.microsoft.com/graph/api/directoryaudit-list>).
//!
//! Every call needs `AuditLog.Read.All`. Graph takes **five requests in ten seconds** of one app in one tenant, for all
//! of its reports together (<https://learn.microsoft.com/graph/throttling-limits>): keeping to that is the caller's part.
//! A row may come minutes after the act, and is kept for 7 days, or for 30 with Entra ID P1
//! (<https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention>): that there is none
//! says nothing.
//!
//! Microsoft's own samples write the names of properties in more than one case, so that case is not looked at here.

use jiff::Timestamp;
use model::ObjectId;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::GraphError;
use crate::loose;
use crate::page::{Page, PageLink, each_in_its_place};
use crate::read::Reader;
use crate::target::Target;

/// Somebody was invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub inviter: Actor,
    pub at: Timestamp,
    /// The address that the invitation was sent for, as it was written.
    pub address: Option<String>,
}

/// Something was done to an account or to one of its memberships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub activity: Activity,
    /// Of a membership: of which group. `None` also where the row does not say.
    pub group: Option<ObjectId>,
    pub by: Actor,
    pub at: Timestamp,
}

/// Whose doing a row says that it is. Names are what somebody chose: escape them wherever they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    User {
        id: ObjectId,
        /// The user principal name.
        name: Option<String>,
    },
    /// Graph often gives one of the two ids alone, and of Microsoft's own services only the name.
    App { app_id: Option<Uuid>, service_principal: Option<ObjectId>, name: Option<String> },
    /// The row names nobody, or not in the documented form.
    Unknown,
}

/// What of the audit can undo or repeat what we did
/// (<https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Enable,
    Disable,
    Delete,
    Restore,
    AddMember,
    RemoveMember,
    AddOwner,
    RemoveOwner,
}

impl Activity {
    pub const ALL: [Self; 8] = [
        Self::Enable,
        Self::Disable,
        Self::Delete,
        Self::Restore,
        Self::AddMember,
        Self::RemoveMember,
        Self::AddOwner,
        Self::RemoveOwner,
    ];

    /// As the audit names it.
    #[must_use]
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Enable => "Enable account",
            Self::Disable => "Disable account",
            Self::Delete => "Delete user",
            Self::Restore => "Restore user",
            Self::AddMember => "Add member to group",
            Self::RemoveMember => "Remove member from group",
            Self::AddOwner => "Add owner to group",
            Self::RemoveOwner => "Remove owner from group",
        }
    }

    fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|activity| activity.display_name().eq_ignore_ascii_case(name))
    }
}

const INVITED: &str = "Invite external user";

fn not_before(since: Timestamp) -> String {
    format!("activityDateTime ge {}", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

impl Reader {
    /// Every invitation of this user that the audit knows and that succeeded, newest first: an address can be invited
    /// again. One request, more for each further page. An app that invites for somebody is the inviter.
    ///
    /// # Errors
    /// Any; [`GraphError::Forbidden`] without `AuditLog.Read.All`. [`GraphError::Unreadable`] names the row: also one
    /// that is about somebody else, since nothing may be taken from that.
    pub async fn invitations(&self, user: ObjectId) -> Result<Vec<Invitation>, GraphError> {
        let asked = format!("activityDisplayName eq '{INVITED}'");
        let rows =
            self.audited(user, &asked, |name| name.eq_ignore_ascii_case(INVITED).then_some(())).await?;
        Ok(rows.into_iter().map(|((), row)| row.invitation()).collect())
    }

    /// A page of all invitations since `since` (whole seconds) that the audit knows and that succeeded, newest first, each with
    /// who was invited. Rows that do not say who are left out.
    ///
    /// # Errors
    /// As [`Self::invitations`].
    pub async fn invitations_since(
        &self,
        since: Timestamp,
        next: Option<PageLink>,
    ) -> Result<Page<(ObjectId, Invitation)>, GraphError> {
        let asked = format!("activityDisplayName eq '{INVITED}' and {}", not_before(since));
        let (page, trace) = self.0.page(&Target::audits(&asked), next).await?;
        let rows = each_in_its_place(&page.items, &trace, Row::read)?.into_iter().filter(|row| row.succeeded);
        let named = |row: Row| Some((row.user()?, row.invitation()));
        Ok(Page { items: rows.filter_map(named).collect(), next: page.next })
    }

    /// What was done since `since` (whole seconds) to this account and its memberships of groups, and succeeded, newest
    /// first. One request, more for each further page; our own writes are among them, under our own app.
    ///
    /// # Errors
    /// As [`Self::invitations`].
    pub async fn acts(&self, user: ObjectId, since: Timestamp) -> Result<Vec<Act>, GraphError> {
        let rows = self.audited(user, &not_before(since), Activity::read).await?;
        Ok(rows.into_iter().map(|(activity, row)| row.act(activity, user)).collect())
    }

    /// The rows about `user` whose activity is one of those wanted, newest first.
    async fn audited<A>(
        &self,
        user: ObjectId,
        asked: &str,
        wanted: impl Fn(&str) -> Option<A>,
    ) -> Result<Vec<(A, Row)>, GraphError> {
        let (items, trace) = self.0.all(&Target::audits_of(user, asked)).await?;
        let read = |object: &Map<String, Value>| {
            let activity = field(object, "activityDisplayName").and_then(Value::as_str);
            let activity = wanted(activity.ok_or("it has no `activityDisplayName`")?);
            activity.map(|activity| Ok((activity, Row::read(object)?.about(user)?))).transpose()
        };
        let rows = each_in_its_place(&items, &trace, read)?.into_iter().flatten();
        let mut rows: Vec<(A, Row)> = rows.filter(|(_, row)| row.succeeded).collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.at));
        Ok(rows)
    }
}

/// A row, but for what it tells of.
struct Row {
    at: Timestamp,
    by: Actor,
    succeeded: bool,
    targets: Vec<Map<String, Value>>,
    details: Vec<Map<String, Value>>,
}

impl Row {
    fn read(object: &Map<String, Value>) -> Result<Self, String> {
        let at = field(object, "activityDateTime").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let result = field(object, "result").and_then(Value::as_str);
        let targets =
            objects(object, "targetResources").ok_or("`targetResources` is not a list of objects")?;
        Ok(Self {
            at: at.ok_or("it has no `activityDateTime` that is a time")?,
            by: Actor::read(object),
            succeeded: result.is_some_and(|result| result.eq_ignore_ascii_case("success")),
            targets,
            details: objects(object, "additionalDetails").unwrap_or_default(),
        })
    }

    fn about(self, user: ObjectId) -> Result<Self, String> {
        let about = self.targets.iter().any(|target| guid(target, "id") == Some(user));
        about.then_some(self).ok_or_else(|| "it is about somebody else".to_owned())
    }

    /// The first user among its targets.
    fn user(&self) -> Option<ObjectId> {
        let is_user = |target: &&Map<String, Value>| {
            text(target, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("user"))
        };
        self.targets.iter().filter(is_user).find_map(|target| guid(target, "id"))
    }

    fn invitation(self) -> Invitation {
        let Self { at, by, succeeded: _, targets: _, details } = self;
        let named = |pair: &&Map<String, Value>| {
            text(pair, "key").is_some_and(|key| key.eq_ignore_ascii_case("invitedUserEmailAddress"))
        };
        let address = details.iter().find(named).and_then(|pair| text(pair, "value"));
        Invitation { inviter: by, at, address }
    }

    fn act(self, activity: Activity, user: ObjectId) -> Act {
        let Self { at, by, succeeded: _, targets, details: _ } = self;
        let group = match activity {
            Activity::Enable | Activity::Disable | Activity::Delete | Activity::Restore => None,
            Activity::AddMember | Activity::RemoveMember | Activity::AddOwner | Activity::RemoveOwner => {
                group(&targets, user)
            }
        };
        Act { activity, group, by, at }
    }
}

/// The group of a membership: a target of its own, and if that is missing a modified property of the other one.
fn group(targets: &[Map<String, Value>], user: ObjectId) -> Option<ObjectId> {
    let is_group = |target: &&Map<String, Value>| {
        text(target, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("group"))
    };
    let target = targets.iter().filter(is_group).find_map(|target| guid(target, "id"));
    let modified = || {
        let of_user = targets.iter().find(|target| guid(target, "id") == Some(user))?;
        let named = |property: &&Map<String, Value>| {
            text(property, "displayName").is_some_and(|name| name.eq_ignore_ascii_case("Group.ObjectID"))
        };
        let property = objects(of_user, "modifiedProperties")?.iter().find(named).cloned()?;
        // JSON inside a text: `"\"77aa…\""`.
        let value = |key| text(&property, key).and_then(|value| value.trim_matches('"').parse().ok());
        value("newValue").or_else(|| value("oldValue"))
    };
    target.or_else(modified)
}

impl Actor {
    fn read(row: &Map<String, Value>) -> Self {
        let part = |name| field(field(row, "initiatedBy")?.as_object()?, name)?.as_object();
        if let Some(user) = part("user")
            && let Some(id) = guid(user, "id")
        {
            return Self::User { id, name: text(user, "userPrincipalName") };
        }
        let Some(app) = part("app") else {
            return Self::Unknown;
        };
        let app_id = text(app, "appId").and_then(|id| id.parse().ok()).filter(|id: &Uuid| !id.is_nil());
        let service_principal = guid(app, "servicePrincipalId");
        let name = text(app, "displayName");
        if app_id.is_none() && service_principal.is_none() && name.is_none() {
            return Self::Unknown;
        }
        Self::App { app_id, service_principal, name }
    }
}

/// A property in whatever case, rather in the documented one.
fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other = || object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    object.get(name).or_else(other)
}

/// An empty text says no more than none.
fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    field(object, name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn guid(object: &Map<String, Value>, name: &str) -> Option<ObjectId> {
    loose::as_guid(field(object, name)?)
}

fn objects(object: &Map<String, Value>, name: &str) -> Option<Vec<Map<String, Value>>> {
    field(object, name)?.as_array()?.iter().map(|item| item.as_object().cloned()).collect()
}
