//! Reads about groups: what somebody belongs to, who belongs to a group, and what a name stands for. Collections are
//! read whole or not at all: half of somebody's memberships would look like all of them.
//!
//! Costs are in Graph's resource units (<https://learn.microsoft.com/graph/throttling-limits>). Never here: a write.

use std::collections::BTreeSet;

use model::ObjectId;
use serde_json::Value;

use crate::client::Document;
use crate::error::{GraphError, Trace};
use crate::group::{Group, Linked};
use crate::page::{Entry, Page, PageLink, each};
use crate::read::{Reader, roles, standing, user};
use crate::standing::Standing;
use crate::target::{Relation, Target};
use crate::user::User;

/// What somebody belongs to directly, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MembershipsRead {
    /// Without groups that hide their members, where the app lacks `Member.Read.Hidden`
    /// (<https://learn.microsoft.com/graph/api/user-list-memberof>).
    pub member_of: Vec<Group>,
    pub owner_of: Vec<Group>,
}

/// A user, and his groups where they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub user: User,
    pub memberships: Option<MembershipsRead>,
}

/// What Graph answered about somebody's groups, as member and as owner.
type Groups = (Result<Document, GraphError>, Result<Document, GraphError>);

/// A group and those who answer for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRead {
    pub group: Group,
    /// Up to a hundred, by id (<https://learn.microsoft.com/graph/api/group-list-owners>).
    pub owners: Vec<Linked>,
}

impl Reader {
    /// A user and his groups in one round trip. 3 units; a round trip and 1 unit more for each further 999 groups.
    ///
    /// # Errors
    /// The user's error first, then that of his groups.
    pub async fn user_and_memberships(&self, id: ObjectId) -> Result<(User, MembershipsRead), GraphError> {
        let targets = [Target::user(id).query(User::QUERY), member_of(id), owner_of(id)];
        let [found, member_of, owner_of] = self.0.batch(targets).await?;
        let user = user(id, found?)?;
        Ok((user, self.whole_memberships(member_of?, owner_of?).await?))
    }

    /// The groups of many, each with his own result, in the order of `ids`. 2 units each, ten in a round trip.
    pub async fn memberships(
        &self,
        ids: &[ObjectId],
    ) -> Vec<(ObjectId, Result<MembershipsRead, GraphError>)> {
        let targets: Vec<Target> = ids.iter().flat_map(|id| [member_of(*id), owner_of(*id)]).collect();
        let mut parts = self.0.batch_all(&targets).await.into_iter();
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let read = match (parts.next(), parts.next()) {
                (Some(Ok(member_of)), Some(Ok(owner_of))) => {
                    self.whole_memberships(member_of, owner_of).await
                }
                (Some(Err(error)), _) | (_, Some(Err(error))) => Err(error),
                (None, _) | (_, None) => {
                    Err(GraphError::unreadable("a part of the batch has no answer", &Trace::default()))
                }
            };
            found.push((*id, read));
        }
        found
    }

    /// A user, what protects him, and his groups, in one round trip. 4 units; a round trip and 1 unit more for each
    /// further 999 of anything.
    ///
    /// # Errors
    /// The user's error first, then the others'.
    pub async fn everything(&self, id: ObjectId) -> Result<(User, Standing, MembershipsRead), GraphError> {
        let targets = [Target::user(id).query(User::QUERY), roles(id), member_of(id), owner_of(id)];
        let [found, roles, member_of, owner_of] = self.0.batch(targets).await?;
        let user = user(id, found?)?;
        let (roles, trace) = self.0.rest(roles?).await?;
        let (member_of, _) = self.0.rest(member_of?).await?;
        let (owned, _) = self.0.rest(owner_of?).await?;
        let standing = standing(&roles, &owned, &trace)?;
        Ok((user, standing, memberships_read(&member_of, &owned, &trace)?))
    }

    /// As [`Self::group_and_people`], of whom no groups are asked for.
    pub async fn group_and_users(
        &self,
        group: ObjectId,
        ids: &[ObjectId],
    ) -> (Result<GroupRead, GraphError>, Vec<(ObjectId, Result<User, GraphError>)>) {
        let (group, people) = self.group_and_people(group, ids, &BTreeSet::new()).await;
        let users = people.into_iter().map(|(id, person)| (id, person.map(|person| person.user)));
        (group, users.collect())
    }

    /// A group with its owners, and the users among `ids`, in one round trip: up to eighteen requests for them, and one
    /// more round trip for each further twenty. 2 units, 1 for each of `ids`, and 2 more for each whose groups are asked for.
    ///
    /// An id that names no user is [`GraphError::NotFound`] for that id alone: it may be a group, a device, a service
    /// principal, or somebody of whom the replica that answers has not heard.
    pub async fn group_and_people(
        &self,
        group: ObjectId,
        ids: &[ObjectId],
        with_groups: &BTreeSet<ObjectId>,
    ) -> (Result<GroupRead, GraphError>, Vec<(ObjectId, Result<Person, GraphError>)>) {
        let mut targets = vec![
            Target::group(group).query(Group::QUERY),
            Target::of_group(group, Relation::Owners).query(Linked::QUERY),
        ];
        for id in ids {
            targets.push(Target::user(*id).query(User::QUERY));
            if with_groups.contains(id) {
                targets.extend([member_of(*id), owner_of(*id)]);
            }
        }
        let mut parts = self.0.batch_all(&targets).await.into_iter();
        let mut next = || {
            let missing =
                || Err(GraphError::unreadable("a part of the batch has no answer", &Trace::default()));
            parts.next().unwrap_or_else(missing)
        };
        let (found, owners) = (next(), next());
        let mut people = Vec::with_capacity(ids.len());
        for id in ids {
            let found = next().and_then(|document| user(*id, document));
            let groups = with_groups.contains(id).then(|| (next(), next()));
            people.push((*id, self.person(found, groups).await));
        }
        (self.whole_group(group, found, owners).await, people)
    }

    async fn person(
        &self,
        found: Result<User, GraphError>,
        groups: Option<Groups>,
    ) -> Result<Person, GraphError> {
        let user = found?;
        let memberships = match groups {
            Some((member_of, owner_of)) => Some(self.whole_memberships(member_of?, owner_of?).await?),
            None => None,
        };
        Ok(Person { user, memberships })
    }

    /// Users, each with his own result, in the order of `ids`. 1 unit each, twenty in a round trip.
    pub async fn users(&self, ids: &[ObjectId]) -> Vec<(ObjectId, Result<User, GraphError>)> {
        let targets: Vec<Target> = ids.iter().map(|id| Target::user(*id).query(User::QUERY)).collect();
        let read = self.0.batch_all(&targets).await;
        let each = ids.iter().zip(read);
        each.map(|(id, part)| (*id, part.and_then(|document| user(*id, document)))).collect()
    }

    /// Groups, each with its own result, in the order of `ids`. 1 unit each, twenty in a round trip.
    pub async fn groups(&self, ids: &[ObjectId]) -> Vec<(ObjectId, Result<Group, GraphError>)> {
        let targets: Vec<Target> = ids.iter().map(|id| Target::group(*id).query(Group::QUERY)).collect();
        let read = self.0.batch_all(&targets).await;
        let each = ids.iter().zip(read);
        each.map(|(id, part)| (*id, part.and_then(|document| group(*id, document)))).collect()
    }

    /// The users among the direct members, 999 members at a time, with what tells of which kind they are. 2 units a
    /// page. A group that hides its members has none for an app without `Member.Read.Hidden`.
    ///
    /// # Errors
    /// Any; a next link that leads anywhere but to Graph is [`GraphError::Unreadable`], and so is a member of which
    /// Graph does not tell the type.
    pub async fn members_page(
        &self,
        group: ObjectId,
        next: Option<PageLink>,
    ) -> Result<Page<User>, GraphError> {
        let first = Target::of_group(group, Relation::Members).query(User::QUERY_KIND);
        let (Page { items, next }, trace) = self.0.page(&first, next).await?;
        let users = items.iter().filter_map(|item| member(item).transpose());
        let items = users.collect::<Result<_, _>>().map_err(|why| GraphError::unreadable(why, &trace))?;
        Ok(Page { items, next })
    }

    /// The groups of that name, by id: names are not unique, and any member can create a group. Graph compares without
    /// regard to case. 1 unit.
    ///
    /// # Errors
    /// Any, also when only a part of them could be read.
    pub async fn groups_named(&self, name: &str) -> Result<Vec<ObjectId>, GraphError> {
        let (items, trace) = self.0.all(&Target::groups_named(name)).await?;
        let mut ids = each(&items, &trace, |item| Ok(Entry::read(item)?.id))?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    async fn whole_memberships(
        &self,
        member_of: Document,
        owner_of: Document,
    ) -> Result<MembershipsRead, GraphError> {
        let (member_of, trace) = self.0.rest(member_of).await?;
        let (owner_of, _) = self.0.rest(owner_of).await?;
        memberships_read(&member_of, &owner_of, &trace)
    }

    async fn whole_group(
        &self,
        id: ObjectId,
        found: Result<Document, GraphError>,
        owners: Result<Document, GraphError>,
    ) -> Result<GroupRead, GraphError> {
        let group = group(id, found?)?;
        let (owners, trace) = self.0.rest(owners?).await?;
        let mut owners = each(&owners, &trace, Linked::read)?;
        owners.sort_unstable();
        owners.dedup();
        Ok(GroupRead { group, owners })
    }
}

fn group(id: ObjectId, document: Document) -> Result<Group, GraphError> {
    let Document { value, trace } = document;
    let group = Group::read(&value).map_err(|why| GraphError::unreadable(why, &trace))?;
    if group.id == id { Ok(group) } else { Err(GraphError::unreadable("it is about another group", &trace)) }
}

fn member_of(id: ObjectId) -> Target {
    Target::of_user(id, "memberOf").query(Group::QUERY_ALL)
}

fn owner_of(id: ObjectId) -> Target {
    Target::of_user(id, "ownedObjects").query(Group::QUERY_ALL)
}

fn memberships_read(
    member_of: &[Value],
    owner_of: &[Value],
    trace: &Trace,
) -> Result<MembershipsRead, GraphError> {
    let groups = |items| Group::among(items).map_err(|why| GraphError::unreadable(why, trace));
    Ok(MembershipsRead { member_of: groups(member_of)?, owner_of: groups(owner_of)? })
}

/// A member that is a user; groups, devices, contacts and service principals are none.
fn member(item: &Value) -> Result<Option<User>, String> {
    match Entry::read(item)?.kind.as_deref() {
        Some("user") => User::read(item).map(Some),
        Some(_) => Ok(None),
        None => Err("a member does not tell its type".to_owned()),
    }
}
