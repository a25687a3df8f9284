//! What no notification told: Graph's delta queries name every user and group that changed, and once a day all accounts from
//! outside are gone over. Both put the same looks into the queue as the webhook does.
//!
//! A page's looks are in the queue before its cursor is written: whoever dies in between asks for the page again. Never
//! here: a judgement, or a read of one object.

use std::collections::BTreeSet;

use graph::{ChangedGroup, ChangedLink, ChangedUser, DeltaFrom, DeltaNext, DeltaPage, Removed, Sweep};
use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Change, ChangeKind, Clock, Correlation, Delta, MemberHint, NoticeKind, ObjectId, ResourceKind, Source,
};

use crate::pace::Pace;
use crate::queues::two_looks;
use crate::right_time::may_end;
use crate::{Directory, Notices, Queues, Trouble};

mod listing;

/// The part of the flow `steward` that misses nothing.
#[derive(Debug, Clone)]
pub struct Reconciler {
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub directory: Directory,
    pub notices: Notices,
    pub clock: Clock,
    /// A fresh id for each look.
    pub correlate: fn() -> Correlation,
}

/// A page of either query, as looks.
struct Told {
    changes: Vec<Change>,
    next: DeltaNext,
}

impl Reconciler {
    /// A delta query that came to its end is asked again after so long.
    const EVERY: SignedDuration = SignedDuration::from_mins(10);
    /// Pages one after another, before others of the steward have their turn.
    const PAGES: usize = 20;
    /// With more than this due in the queue, live events come first and the next page waits.
    const BUSY: u64 = 100;
    /// Members of one group in one look: a job has to end well within its lease.
    const MEMBERS: usize = 50;

    /// A few pages of whatever is due.
    ///
    /// # Errors
    /// Graph cannot be asked, which people are told where waiting does not mend it; or the ledger or the queue is in
    /// trouble. What was reached is kept, and the next look goes on from there.
    pub async fn look(&self) -> Result<(), Trouble> {
        let users = self.follow(ResourceKind::User).await;
        let groups = self.follow(ResourceKind::Group).await;
        // Whatever one of them lacks keeps none of the others waiting.
        let listed = self.list().await;
        let mut first = Ok(());
        for result in [users, groups, listed] {
            first = first.and(self.tell_of(result).await);
        }
        first
    }

    /// What no waiting mends is told. The next look tries again all the same.
    async fn tell_of(&self, result: Result<(), Trouble>) -> Result<(), Trouble> {
        let Err(trouble) = &result else { return Ok(()) };
        let error = trouble.why.downcast_ref::<graph::GraphError>().map(graph::GraphError::advice);
        if let Some(graph::Advice::GiveUp { tell } | graph::Advice::FixCredential { tell }) = error {
            let text = format!("what no notification tells cannot be found: failed to {tell}");
            self.notices.raise(NoticeKind::CredentialTrouble, "credential/reconcile", text, 1).await?;
        }
        result
    }

    async fn follow(&self, resource: ResourceKind) -> Result<(), Trouble> {
        for _ in 0..Self::PAGES {
            let now = self.clock.now();
            let Some(mut stored) = self.ledger.delta(resource).await? else {
                return self.begin(resource, None).await;
            };
            // The clock may have been set back since.
            let rests = |ended: Timestamp| now.duration_since(ended).abs() < Self::EVERY;
            let mut pace = Pace::after(stored.value.looks_until, now);
            let rests = stored.value.round_ended_at.is_some_and(rests);
            if rests || pace.is_ahead(now) || self.is_busy(now).await? {
                return Ok(());
            }
            if stored.value.has_lapsed(now) {
                // A clock that is wrong for a moment makes nothing begin anew, and a cursor that may be too old tells nothing.
                if !may_end(&self.reader, &self.notices).await? {
                    return Ok(());
                }
                if stored.value.has_lapsed(self.clock.now()) {
                    tracing::warn!(delta.resource = %resource, "changes may have been lost: the cursor is seven days old");
                    return self.begin(resource, Some(stored)).await;
                }
            }
            let cursor = graph::Cursor::from(stored.value.cursor.clone());
            let owed_since = stored.value.owed_since();
            let told = match self.page(resource, DeltaFrom::Cursor(&cursor), owed_since).await? {
                Sweep::Page(told) => told,
                Sweep::StartAnew(why) => {
                    tracing::warn!(delta.resource = %resource, "changes may have been lost: {why}");
                    return self.begin(resource, Some(stored)).await;
                }
            };
            self.put(told.changes, &mut pace, now).await?;
            stored.value.looks_until = pace.last();
            let (cursor, caught_up) = match told.next {
                DeltaNext::More(cursor) => (cursor, false),
                DeltaNext::CaughtUp(cursor) => (cursor, true),
            };
            stored.value.went_on(cursor.as_str().to_owned(), caught_up, now);
            self.ledger.replace(stored).await?;
        }
        Ok(())
    }

    /// From now on. What happened before is found by the listing, which is due because of this.
    async fn begin(&self, resource: ResourceKind, before: Option<Stored<Delta>>) -> Result<(), Trouble> {
        let asked_at = self.clock.now();
        let mut page = self.page(resource, DeltaFrom::Now, asked_at).await?;
        let cursor = loop {
            match page {
                Sweep::Page(Told { changes: _, next: DeltaNext::CaughtUp(cursor) }) => break cursor,
                Sweep::Page(Told { changes: _, next: DeltaNext::More(cursor) }) => {
                    page = self.page(resource, DeltaFrom::Cursor(&cursor), asked_at).await?;
                }
                Sweep::StartAnew(why) => {
                    return Err(Trouble::now(anyhow::anyhow!(
                        "a new delta query of {resource}s ended: {why}"
                    )));
                }
            }
        };
        // Graph's answer has told what time it is.
        let now = self.clock.now();
        let listing = self.ledger.listing().await?;
        let known =
            (before.as_ref().map(|stored| &stored.value), listing.as_ref().map(|stored| &stored.value));
        let delta = Delta::begin(resource, cursor.as_str().to_owned(), known, now);
        match before {
            Some(mut stored) => {
                stored.value = delta;
                self.ledger.replace(stored).await?
            }
            None => self.ledger.insert(delta).await?,
        };
        Ok(())
    }

    async fn page(
        &self,
        resource: ResourceKind,
        from: DeltaFrom<'_>,
        owed_since: Timestamp,
    ) -> Result<Sweep<Told>, Trouble> {
        Ok(match resource {
            ResourceKind::User => match self.reader.users_delta(from).await? {
                Sweep::Page(DeltaPage { items, next }) => {
                    Sweep::Page(Told { changes: self.of_users(items, owed_since).await?, next })
                }
                Sweep::StartAnew(why) => Sweep::StartAnew(why),
            },
            ResourceKind::Group => match self.reader.groups_delta(from).await? {
                Sweep::Page(DeltaPage { items, next }) => {
                    Sweep::Page(Told { changes: self.of_groups(items, owed_since), next })
                }
                Sweep::StartAnew(why) => Sweep::StartAnew(why),
            },
        })
    }

    /// Whoever is gone matters only if he was known.
    async fn of_users(&self, users: Vec<ChangedUser>, owed_since: Timestamp) -> Result<Vec<Change>, Trouble> {
        let (mut changes, mut met) = (Vec::new(), BTreeSet::new());
        for ChangedUser { id, removed } in users {
            if !met.insert((id, removed.is_some()))
                || (removed.is_some() && self.ledger.known(id).await?.is_none())
            {
                continue;
            }
            changes.push(self.change(ResourceKind::User, id, kind(removed), owed_since));
        }
        Ok(changes)
    }

    fn of_groups(&self, groups: Vec<ChangedGroup>, owed_since: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for ChangedGroup { id, removed, members, owners: _ } in groups {
            // Owners are read with every look at a group, and held against those seen before.
            let of_group = self.change(ResourceKind::Group, id, kind(removed), owed_since);
            let hint = |link: &ChangedLink| MemberHint { id: link.id, removed: link.removed };
            if members.is_empty() || removed.is_some() {
                changes.push(of_group);
                continue;
            }
            for some in members.chunks(Self::MEMBERS) {
                let members = some.iter().map(hint).collect();
                changes.push(Change { members, ..of_group.clone() });
            }
        }
        changes
    }

    fn change(
        &self,
        resource: ResourceKind,
        id: ObjectId,
        kind: ChangeKind,
        received_at: Timestamp,
    ) -> Change {
        Change {
            tenant: self.ledger.tenant(),
            resource,
            id,
            kind,
            source: Source::Reconciliation,
            background: true,
            members: Vec::new(),
            received_at,
            correlation: (self.correlate)(),
        }
    }

    async fn put(&self, changes: Vec<Change>, pace: &mut Pace, now: Timestamp) -> Result<(), Trouble> {
        if changes.is_empty() {
            return Ok(());
        }
        tracing::info!(delta.changes = changes.len(), "reconciliation tells of changes");
        let mut looks = Vec::with_capacity(changes.len().saturating_mul(2));
        for change in changes {
            // A look at members of a group reads each of them.
            let due = pace.next_of(change.members.len(), now);
            looks.extend(two_looks(change, due)?);
        }
        Ok(self.queues.changes.send(looks).await?)
    }

    async fn is_busy(&self, now: Timestamp) -> Result<bool, Trouble> {
        Ok(self.queues.changes.depth(now).await?.ready > Self::BUSY)
    }
}

/// A soft deletion can be restored, and is found by the look.
fn kind(removed: Option<Removed>) -> ChangeKind {
    match removed {
        Some(Removed::ForGood) => ChangeKind::Deleted,
        Some(Removed::Restorable | Removed::Unsaid) | None => ChangeKind::Updated,
    }
}
