//! The Reader: everything that is read of a tenant. Its app holds read permissions alone.
//!
//! Costs are in Graph's resource units (<https://learn.microsoft.com/graph/throttling-limits>); each call is one round
//! trip unless it says otherwise.

use model::{ObjectId, TenantId};
use serde_json::Value;

use crate::client::{Client, Document};
use crate::deleted::{is_user, item};
use crate::error::{GraphError, Trace};
use crate::loose;
use crate::page::{Page, PageLink, each};
use crate::standing::Standing;
use crate::target::Target;
use crate::user::User;

/// Reads a tenant, and keeps its subscriptions (they need read permissions, and no write permission serves).
#[derive(Debug, Clone)]
pub struct Reader(pub(crate) Client);

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectIs {
    User,
    /// Soft-deleted, and restorable for 30 days.
    DeletedUser,
    DeletedOther,
    Group,
    /// Neither a user nor a group that this app may see, deleted or not: a device, a service principal, or nothing.
    Unknown,
}

/// The tenant itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: TenantId,
    pub display_name: Option<String>,
    pub verified_domains: Vec<String>,
}

impl Reader {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Every property that a judgement needs, with the sponsors. 1 unit.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] also while the replica that answers has not heard of a new user.
    pub async fn user(&self, id: ObjectId) -> Result<User, GraphError> {
        user(id, self.0.read(&Target::user(id).query(User::QUERY)).await?)
    }

    /// Directory roles and role-assignable groups. 2 units; a round trip more for each further 999 memberships.
    ///
    /// # Errors
    /// Any, also when only a part could be read: half of somebody's roles is not an answer.
    pub async fn standing(&self, id: ObjectId) -> Result<Standing, GraphError> {
        let [member_of, owned] = self.0.batch([roles(id), owned(id)]).await?;
        self.whole_standing(member_of?, owned?).await
    }

    /// Both of the above in one round trip. 3 units.
    ///
    /// # Errors
    /// The user's error first, then the standing's.
    pub async fn user_and_standing(&self, id: ObjectId) -> Result<(User, Standing), GraphError> {
        let targets = [Target::user(id).query(User::QUERY), roles(id), owned(id)];
        let [found, member_of, owned] = self.0.batch(targets).await?;
        let user = user(id, found?)?;
        Ok((user, self.whole_standing(member_of?, owned?).await?))
    }

    async fn whole_standing(&self, member_of: Document, owned: Document) -> Result<Standing, GraphError> {
        let (member_of, trace) = self.0.rest(member_of).await?;
        let (owned, _) = self.0.rest(owned).await?;
        standing(&member_of, &owned, &trace)
    }

    /// What kind of object an id names, without the permission to read the whole directory. 3 units.
    ///
    /// # Errors
    /// Any but [`GraphError::NotFound`]. That the app may not read groups is no error: such an id is unknown to it.
    pub async fn what_is(&self, id: ObjectId) -> Result<ObjectIs, GraphError> {
        let targets = [Target::user(id).query("$select=id"), item(id), Target::group(id).query("$select=id")];
        let [user, deleted, group] = self.0.batch(targets).await?;
        if found(user)?.is_some() {
            return Ok(ObjectIs::User);
        }
        if let Some(Document { value, trace: _ }) = found(deleted)? {
            return Ok(if is_user(&value) { ObjectIs::DeletedUser } else { ObjectIs::DeletedOther });
        }
        match group {
            Ok(_) => Ok(ObjectIs::Group),
            Err(GraphError::NotFound { .. } | GraphError::Forbidden { .. }) => Ok(ObjectIs::Unknown),
            Err(error) => Err(error),
        }
    }

    /// The tenant and its verified domains. 1 unit.
    ///
    /// # Errors
    /// Any, also when the verified domains could not be read: without them our own people look like strangers.
    pub async fn organization(&self) -> Result<Organization, GraphError> {
        let target = Target::new("/organization").query("$select=id,displayName,verifiedDomains");
        let (items, trace) = self.0.all(&target).await?;
        let read = items.first().map(Organization::read);
        read.unwrap_or(Err("it names no organization")).map_err(|why| GraphError::unreadable(why, &trace))
    }

    /// How many guests there are, by `userType` alone. The count may lag. 1 unit
    /// (<https://learn.microsoft.com/graph/aad-advanced-queries>).
    ///
    /// # Errors
    /// Any; an answer that is not a number is [`GraphError::Unreadable`].
    pub async fn count_guests(&self) -> Result<u64, GraphError> {
        self.0.count(&Target::new("/users/$count").query("$filter=userType%20eq%20%27Guest%27")).await
    }

    /// All users of the tenant, 999 at a time. 2 units a page.
    ///
    /// # Errors
    /// Any; a next link that leads anywhere but to Graph is [`GraphError::Unreadable`].
    pub async fn users_page(&self, next: Option<PageLink>) -> Result<Page<User>, GraphError> {
        let first = Target::new("/users").query(User::QUERY_ALL);
        let (Page { items, next }, trace) = self.0.page(&first, next).await?;
        Ok(Page { items: each(&items, &trace, User::read)?, next })
    }
}

/// Roles, and groups however deep.
pub(crate) fn roles(id: ObjectId) -> Target {
    Target::of_user(id, "transitiveMemberOf").query(Standing::QUERY)
}

fn owned(id: ObjectId) -> Target {
    Target::of_user(id, "ownedObjects").query(Standing::QUERY)
}

pub(crate) fn standing(member_of: &[Value], owned: &[Value], trace: &Trace) -> Result<Standing, GraphError> {
    Standing::read(member_of, owned).map_err(|why| GraphError::unreadable(why, trace))
}

pub(crate) fn user(id: ObjectId, document: Document) -> Result<User, GraphError> {
    let Document { value, trace } = document;
    let user = User::read(&value).map_err(|why| GraphError::unreadable(why, &trace))?;
    if user.id == id { Ok(user) } else { Err(GraphError::unreadable("it is about another user", &trace)) }
}

pub(crate) fn found(read: Result<Document, GraphError>) -> Result<Option<Document>, GraphError> {
    match read {
        Ok(document) => Ok(Some(document)),
        Err(GraphError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Organization {
    fn read(value: &Value) -> Result<Self, &'static str> {
        let object = value.as_object().ok_or("an organization is not an object")?;
        let id = loose::text(object, "id").and_then(|id| id.parse().ok());
        let name = |domain: &Value| loose::text(domain.as_object()?, "name");
        Ok(Self {
            id: id.ok_or("the organization has no id that is a GUID")?,
            display_name: loose::text(object, "displayName"),
            // Every tenant has its initial domain at least: an empty list is none.
            verified_domains: loose::list(object, "verifiedDomains", name)
                .filter(|domains| !domains.is_empty())
                .ok_or("the organization's verified domains are missing")?,
        })
    }
}
