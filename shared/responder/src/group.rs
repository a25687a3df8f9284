//! A group changed. The notification names members that came or went, and says nothing of owners and properties: those are
//! held against what was seen before. Whatever is found is guests, and each is judged with all that he belongs to.
//!
//! Members are paged only when something changed that the policy looks at.

use std::collections::{BTreeMap, BTreeSet};

use graph::{GraphError, GroupRead, MembershipsRead, Person, User};
use jiff::{SignedDuration, Timestamp};
use ledger::{Joined, KnownGroup, Stored};
use model::{Attempt, Change, ChangeKind, MemberHint, ObjectId, ResourceKind, Source};
use policy::{Kind, kind_of};

use crate::assess::Seen;
use crate::facts::group_of;
use crate::group_memory::{Owners, changed_owners, users_among};
use crate::pace::Pace;
use crate::queues::two_looks;
use crate::trouble::is_not_found;
use crate::{Assessor, End, Trouble, facts_of};

/// What was told of one member: one notification may say both, in no order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named {
    added: bool,
    removed: bool,
    /// He is an owner, and was none when the owners were last seen.
    pub(crate) became_owner: bool,
}

/// A guest whom a change of the group concerns.
struct Concerned {
    user: User,
    memberships: MembershipsRead,
    named: Named,
}

impl Assessor {
    /// How long a read may contradict what Graph has just told, before it is believed.
    const SETTLES: SignedDuration = SignedDuration::from_mins(4);
    const MISSING_FOR: SignedDuration = SignedDuration::from_mins(15);
    const FIRST_LOOK_AGAIN_SECONDS: i64 = 15;

    pub(crate) async fn look_at_group(
        &self,
        change: &Change,
        attempt: Option<Attempt>,
    ) -> Result<End, Trouble> {
        if !self.rules.policy().looks_at_groups() {
            return Ok(End::Done);
        }
        if change.kind == ChangeKind::Deleted {
            return self.group_is_gone(change).await;
        }
        let mut named = named(&change.members);
        let read_at = self.clock.now();
        let ids: Vec<ObjectId> = named.keys().copied().collect();
        let guests = self.known_among(&ids).await?;
        let (group, people) = self.reader.group_and_people(change.id, &ids, &guests).await;
        let group = match group {
            Ok(group) => group,
            Err(error) if is_not_found(&error) => return self.look_for_group(change, attempt).await,
            Err(error) => return Err(error.into()),
        };
        let known = self.ledger.known_group(change.id).await?;
        let (mut people, unread) = present(people);
        let changed = changed_owners(known.as_ref(), &group, &mut named);
        // A read that told who owns it may have been older than what it told of: whoever is a guest is judged each time.
        let owned_by: Vec<ObjectId> = users_among(&group).into_iter().collect();
        let guests_among_owners = self.known_among(&owned_by).await?;
        let others: BTreeSet<ObjectId> = changed.union(&guests_among_owners).copied().collect();
        let others: Vec<ObjectId> = others.into_iter().filter(|id| !ids.contains(id)).collect();
        let (others, unread_others) = present(self.reader.users(&others).await);
        people.extend(others.into_iter().map(|user| Person { user, memberships: None }));
        let (concerned, unread_guests) = self.guests_among(people, &named).await?;
        let owners = Owners { now: users_among(&group), changed };
        let (unsettled, unseen) =
            self.look_at_guests(change, &group, concerned, (&owners, attempt, read_at)).await?;
        // Whoever could be read was judged: one who cannot keeps nobody else waiting.
        if let Some(trouble) = unread.or(unread_others).or(unread_guests) {
            return Err(trouble);
        }
        let fingerprint = self.look_at_members(change, known.as_ref(), &group).await?;
        let is_first = known.is_none() && !unseen.is_empty() && !self.believes(change, attempt);
        if !is_first {
            self.remember_group(change.id, fingerprint, known, owners, &unseen).await?;
        }
        Ok(self.until_settled(change, attempt, unsettled))
    }

    /// Those who were seen before as guests: their groups are read in the same round trip.
    async fn known_among(&self, ids: &[ObjectId]) -> Result<BTreeSet<ObjectId>, Trouble> {
        let mut known = BTreeSet::new();
        for id in ids {
            if self.ledger.known(*id).await?.is_some() {
                known.insert(*id);
            }
        }
        Ok(known)
    }

    /// Those who are, or may be, from outside, each with his groups.
    async fn guests_among(
        &self,
        people: Vec<Person>,
        named: &BTreeMap<ObjectId, Named>,
    ) -> Result<(Vec<Concerned>, Option<Trouble>), Trouble> {
        let (mut concerned, mut unread, mut trouble) = (Vec::new(), Vec::new(), None);
        let mut read: BTreeMap<ObjectId, MembershipsRead> = BTreeMap::new();
        let mut users = Vec::with_capacity(people.len());
        for Person { user, memberships } in people {
            read.extend(memberships.map(|memberships| (user.id, memberships)));
            users.push(user);
        }
        let guests = self.outsiders(users).await?;
        unread.extend(guests.iter().map(|user| user.id).filter(|id| !read.contains_key(id)));
        if !unread.is_empty() {
            let of_each = |(id, read): (ObjectId, Result<MembershipsRead, GraphError>)| {
                (id, read.map(|memberships| (id, memberships)))
            };
            let all = self.reader.memberships(&unread).await.into_iter().map(of_each).collect();
            let (all, failed) = present(all);
            read.extend(all);
            trouble = failed;
        }
        for user in guests {
            let named = named.get(&user.id).copied().unwrap_or_default();
            if let Some(memberships) = read.remove(&user.id) {
                concerned.push(Concerned { user, memberships, named });
            }
        }
        Ok((concerned, trouble))
    }

    async fn outsiders(&self, users: Vec<User>) -> Result<Vec<User>, Trouble> {
        let domains = self.directory.verified_domains(&self.reader, self.clock.now()).await?;
        let from_outside =
            |user: &User| kind_of(&facts_of(user.clone(), &domains, Vec::new())) != Kind::InternalMember;
        Ok(users.into_iter().filter(from_outside).collect())
    }

    /// Returns the members whose reads contradict what was told, and the owners of whom a read does not yet show what
    /// changed.
    async fn look_at_guests(
        &self,
        change: &Change,
        of: &GroupRead,
        concerned: Vec<Concerned>,
        (owners, attempt, read_at): (&Owners, Option<Attempt>, Timestamp),
    ) -> Result<(Vec<MemberHint>, BTreeSet<ObjectId>), Trouble> {
        let (group, believes) = (change.id, self.believes(change, attempt));
        let hides = of.group.visibility.as_deref() == Some("HiddenMembership");
        let (mut unsettled_hints, mut unseen_owners) = (Vec::new(), BTreeSet::new());
        for Concerned { user, memberships: read, named } in concerned {
            let id = user.id;
            let is_member = read.member_of.iter().any(|one| one.id == group);
            let is_owner = read.owner_of.iter().any(|one| one.id == group);
            let contradicts =
                (named.added && !named.removed && !is_member) || (named.removed && !named.added && is_member);
            let mut unsettled = BTreeSet::new();
            if contradicts && !believes {
                unsettled.insert(group);
                unsettled_hints.push(MemberHint { id, removed: named.removed });
            }
            if contradicts && believes && named.added && hides {
                self.tell_of_hidden(of, id).await?;
            }
            if owners.changed.contains(&id) && is_owner != owners.now.contains(&id) {
                unseen_owners.insert(id);
            }
            let now = self.clock.now();
            for (is_new, owner) in [(named.added && is_member, false), (named.became_owner && is_owner, true)]
            {
                if is_new && !self.was_given_back(id, group, owner).await? {
                    self.ledger.put(&Joined { guest: id, group, owner, at: now }).await?;
                }
            }
            let seen = Seen { user, memberships: Some(read), unsettled, read_at };
            self.judge_and_record(&of_guest(change, id), seen).await?;
        }
        Ok((unsettled_hints, unseen_owners))
    }

    /// Whether what is read is believed even where it contradicts what was told.
    fn believes(&self, change: &Change, attempt: Option<Attempt>) -> bool {
        let waited = attempt.map(|attempt| self.clock.now().duration_since(attempt.since));
        change.source == Source::SecondLook || waited.is_some_and(|waited| waited >= Self::SETTLES)
    }

    fn until_settled(&self, change: &Change, attempt: Option<Attempt>, members: Vec<MemberHint>) -> End {
        if members.is_empty() {
            return End::Done;
        }
        let change = Change { members, ..change.clone() };
        self.again(&change, attempt)
    }

    fn again(&self, change: &Change, attempt: Option<Attempt>) -> End {
        let now = self.clock.now();
        let attempt = attempt.unwrap_or(Attempt { count: 0, since: now });
        let wait = Self::FIRST_LOOK_AGAIN_SECONDS.saturating_mul(1_i64 << attempt.count.min(10));
        let next = Attempt { count: attempt.count.saturating_add(1), since: attempt.since };
        Self::look_again(change, next, now, wait)
    }

    /// What the policy sees of the group. Where that has changed, every guest in it is looked at.
    async fn look_at_members(
        &self,
        change: &Change,
        known: Option<&Stored<KnownGroup>>,
        read: &GroupRead,
    ) -> Result<String, Trouble> {
        let view = self.rules.policy().group_view(&group_of(read.group.clone()));
        let fingerprint = view.to_string();
        let same = match known {
            Some(known) => known.value.fingerprint == fingerprint,
            None => !view.concerns_members(),
        };
        if same {
            return Ok(fingerprint);
        }
        tracing::info!(correlation = %change.correlation, group.id = %change.id, "looking at the guests of a group");
        let owners: Vec<ObjectId> = users_among(read).into_iter().collect();
        let (owners, unread) = present(self.reader.users(&owners).await);
        let mut pace = Pace::after(None, self.clock.now());
        self.look_at_each(change, owners, &mut pace).await?;
        if let Some(trouble) = unread {
            return Err(trouble);
        }
        let mut next = None;
        loop {
            let page = self.reader.members_page(change.id, next).await?;
            self.look_at_each(change, page.items, &mut pace).await?;
            match page.next {
                Some(link) => next = Some(link),
                None => return Ok(fingerprint),
            }
        }
    }

    /// Twice each, because what is read of a guest's groups may be as old as what is read of the group.
    async fn look_at_each(&self, change: &Change, users: Vec<User>, pace: &mut Pace) -> Result<(), Trouble> {
        let now = self.clock.now();
        let mut looks = Vec::new();
        for user in self.outsiders(users).await? {
            looks.extend(two_looks(of_many(change, user.id), pace.next(now))?);
        }
        if !looks.is_empty() {
            self.queues.changes.send(looks).await?;
        }
        Ok(())
    }

    /// Deleted, or so new that the replica that answered has not heard of it.
    async fn look_for_group(&self, change: &Change, attempt: Option<Attempt>) -> Result<End, Trouble> {
        match self.reader.what_is(change.id).await? {
            graph::ObjectIs::DeletedOther => return self.group_is_gone(change).await,
            graph::ObjectIs::User
            | graph::ObjectIs::DeletedUser
            | graph::ObjectIs::Group
            | graph::ObjectIs::Unknown => {}
        }
        let waited = attempt.map(|attempt| self.clock.now().duration_since(attempt.since));
        let given_up = waited.is_some_and(|waited| waited >= Self::MISSING_FOR);
        if given_up || (change.source == Source::SecondLook && attempt.is_none()) {
            return self.group_is_gone(change).await;
        }
        Ok(self.again(change, attempt))
    }

    /// Nobody is in it any more: whoever had an incident about it is looked at.
    async fn group_is_gone(&self, change: &Change) -> Result<End, Trouble> {
        let now = self.clock.now();
        let filter = ledger::IncidentFilter { object: Some(change.id), ..ledger::IncidentFilter::default() };
        let (mut cursor, mut pace) = (None, Pace::after(None, self.clock.now()));
        loop {
            let page = self.ledger.incidents(&filter, cursor, 500).await?;
            let open = page.incidents.iter().filter(|stored| !stored.value.state.is_closed());
            let guests: BTreeSet<ObjectId> = open.map(|stored| stored.value.key.guest).collect();
            let mut looks = Vec::new();
            for guest in guests {
                looks.extend(two_looks(of_many(change, guest), pace.next(now))?);
            }
            if !looks.is_empty() {
                self.queues.changes.send(looks).await?;
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        self.ledger.forget_group(change.id).await?;
        Ok(End::Done)
    }
}

/// The same change, as one of a guest.
fn of_guest(change: &Change, guest: ObjectId) -> Change {
    let kind = ChangeKind::Updated;
    Change { resource: ResourceKind::User, id: guest, kind, members: Vec::new(), ..change.clone() }
}

/// A look at one of all guests in a changed group, for whom nobody waits.
fn of_many(change: &Change, guest: ObjectId) -> Change {
    Change { source: Source::Request, background: true, ..of_guest(change, guest) }
}

fn named(hints: &[MemberHint]) -> BTreeMap<ObjectId, Named> {
    let mut all = BTreeMap::<ObjectId, Named>::new();
    for MemberHint { id, removed } in hints {
        let named = all.entry(*id).or_default();
        named.removed |= removed;
        named.added |= !removed;
    }
    all
}

/// Whoever is no user (a group, a device, a service principal) is nobody's guest, and a guest so new that the replica has
/// not heard of him is announced by a change of his own.
fn present<T>(read: Vec<(ObjectId, Result<T, GraphError>)>) -> (Vec<T>, Option<Trouble>) {
    let (mut found, mut trouble) = (Vec::with_capacity(read.len()), None);
    for (id, read) in read {
        match read {
            Ok(one) => found.push(one),
            Err(error) if is_not_found(&error) => {
                tracing::debug!(member.id = %id, "no user that Graph knows (yet)");
            }
            Err(error) => trouble = Some(Trouble::from(error)),
        }
    }
    (found, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_added_and_removed_in_one_notification_is_both() {
        let id = ObjectId::from_u128(1);
        let hints = [MemberHint { id, removed: true }, MemberHint { id, removed: false }];
        let named = named(&hints)[&id];
        assert!(named.added && named.removed);
    }
}
