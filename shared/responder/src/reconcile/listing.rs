//! The going over of all accounts from outside: what the delta queries cannot know (what happened before they began, what
//! Graph forgot to tell, memberships that changed alone) is found by a look at each of them. A changed policy is applied to
//! everybody by the same looks.

use jiff::Timestamp;
use ledger::Stored;
use model::{ChangeKind, InForce, Listing, ListingPlace, ObjectId, ResourceKind};
use policy::{Kind, kind_of};
use queue::Move;
use tokio::task::JoinSet;

use super::Reconciler;
use crate::pace::Pace;
use crate::queues::one_look;
use crate::{Trouble, facts_of};

impl Reconciler {
    /// Pages one after another, before others of the steward have their turn.
    const PAGES_OF_A_LISTING: usize = 4;
    /// Known guests at a time, when those that were not met are looked for.
    const KNOWN: usize = 500;

    pub(super) async fn list(&self) -> Result<(), Trouble> {
        let now = self.clock.now();
        let in_force = self.ledger.in_force().await?.map(|stored| stored.value);
        let in_force = in_force.as_ref();
        let deltas = self.ledger.deltas().await?;
        let mut stored = match self.ledger.listing().await? {
            Some(stored) if !stored.value.is_over(&deltas, in_force, now) => stored,
            Some(mut stored) => {
                stored.value = Listing::begin(Some(&stored.value), &deltas, in_force, now);
                self.ledger.replace(stored).await?
            }
            None => self.ledger.insert(Listing::begin(None, &deltas, in_force, now)).await?,
        };
        for _ in 0..Self::PAGES_OF_A_LISTING {
            if Self::is_ahead(&stored.value, now) || self.is_busy(now).await? {
                return Ok(());
            }
            stored = match stored.value.place.clone() {
                ListingPlace::Users { cursor } => self.list_users(stored, cursor, in_force).await?,
                ListingPlace::Known { after } => self.look_for_missed(stored, after).await?,
                ListingPlace::Judged { after } => match self.see_judged(stored, after, in_force).await? {
                    Some(stored) => stored,
                    // They are about to be looked at.
                    None => return Ok(()),
                },
                ListingPlace::Ended { at: _ } => return Ok(()),
            };
        }
        Ok(())
    }

    /// Enough of its looks are still to come. Those whom it has not met are looked for, and it ends, when all of them are due:
    /// what is said of its end would be too early else.
    fn is_ahead(listing: &Listing, now: Timestamp) -> bool {
        let pace = Pace::after(listing.looks_until, now);
        match &listing.place {
            ListingPlace::Users { cursor: _ } => pace.is_ahead(now),
            ListingPlace::Known { after: _ } | ListingPlace::Judged { after: _ } => pace.is_under_way(now),
            ListingPlace::Ended { at: _ } => false,
        }
    }

    async fn list_users(
        &self,
        mut stored: Stored<Listing>,
        cursor: Option<String>,
        in_force: Option<&InForce>,
    ) -> Result<Stored<Listing>, Trouble> {
        let now = self.clock.now();
        let cursor = cursor.map(graph::Cursor::from);
        let page = match self.reader.list_users(cursor.as_ref()).await? {
            graph::Sweep::Page(page) => page,
            graph::Sweep::StartAnew(why) => {
                tracing::warn!("the listing of accounts begins anew: {why}");
                let deltas = self.ledger.deltas().await?;
                stored.value = Listing::begin(Some(&stored.value), &deltas, in_force, now);
                return Ok(self.ledger.replace(stored).await?);
            }
        };
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        let (mut met, mut noting) = (Vec::new(), JoinSet::new());
        for user in page.items {
            let (id, began_at) = (user.id, stored.value.began_at);
            if kind_of(&facts_of(user, &domains, Vec::new())) != Kind::InternalMember {
                let ledger = self.ledger.clone();
                noting.spawn(async move { ledger.note_listed(id, began_at).await });
                met.push(id);
            }
        }
        // Side by side, so that they share a commit.
        while let Some(ended) = noting.join_next().await {
            ended.map_err(Trouble::now)??;
        }
        stored.value.met = stored.value.met.saturating_add(count(&met));
        self.look_at(&met, &mut stored.value, now).await?;
        stored.value.place = match page.next {
            Some(next) => ListingPlace::Users { cursor: Some(next.as_str().to_owned()) },
            None => ListingPlace::Known { after: None },
        };
        Ok(self.ledger.replace(stored).await?)
    }

    /// Who is known and was not met was deleted, or is an internal member by now.
    async fn look_for_missed(
        &self,
        mut stored: Stored<Listing>,
        after_this: Option<String>,
    ) -> Result<Stored<Listing>, Trouble> {
        let now = self.clock.now();
        let known = self.ledger.known_guests(after_this.as_deref(), Self::KNOWN).await?;
        let began_at = stored.value.began_at;
        // Who was first seen in time to come was so before the clock was set back.
        let was_missed = |guest: &&ledger::KnownGuest| {
            let old = guest.first_seen < began_at || guest.first_seen > now;
            guest.listed_in != Some(began_at) && old
        };
        let missed: Vec<ObjectId> = known.iter().filter(was_missed).map(|guest| guest.id).collect();
        stored.value.missed = stored.value.missed.saturating_add(count(&missed));
        self.look_at(&missed, &mut stored.value, now).await?;
        match known.last() {
            Some(last) if known.len() == Self::KNOWN || !missed.is_empty() => {
                stored.value.place = ListingPlace::Known { after: Some(last.id.to_string()) };
            }
            Some(_) | None => {
                stored.value.met_all();
                let Listing { met, missed, began_at, .. } = &stored.value;
                tracing::info!(listing.met = met, listing.missed = missed, listing.began_at = %began_at, "all accounts from outside were gone over");
            }
        }
        Ok(self.ledger.replace(stored).await?)
    }

    /// Goes on for as long as everybody has been judged by the policy that this listing applies.
    async fn see_judged(
        &self,
        mut stored: Stored<Listing>,
        after_this: Option<String>,
        in_force: Option<&InForce>,
    ) -> Result<Option<Stored<Listing>>, Trouble> {
        let now = self.clock.now();
        let mine = in_force.filter(|policy| stored.value.is_of(policy) && policy.applied_at.is_none());
        let Some(InForce { policy, since, applied_at: _ }) = mine else {
            stored.value.end(now);
            return Ok(Some(self.ledger.replace(stored).await?));
        };
        // Whoever could not be looked at yet is not known either, if it was for the first time.
        let owed_since = self.queues.changes.owed_since().await?;
        if owed_since.is_some() && owed_since <= stored.value.looks_until {
            return Ok(None);
        }
        let known = self.ledger.known_guests(after_this.as_deref(), Self::KNOWN).await?;
        if !known.iter().all(|guest| guest.was_judged_by(policy)) {
            return Ok(None);
        }
        match known.last() {
            Some(last) if known.len() == Self::KNOWN => {
                stored.value.place = ListingPlace::Judged { after: Some(last.id.to_string()) };
            }
            Some(_) | None => {
                self.ledger.note_applied(*since, now).await?;
                tracing::info!(policy.name = policy, policy.since = %since, "the policy has been applied to all");
                stored.value.end(now);
            }
        }
        Ok(Some(self.ledger.replace(stored).await?))
    }

    /// The looks of a page are due after those of the page before.
    async fn look_at(&self, ids: &[ObjectId], listing: &mut Listing, now: Timestamp) -> Result<(), Trouble> {
        if ids.is_empty() {
            return Ok(());
        }
        let owed_since = self.owed_since(listing, now).await?;
        let mut pace = Pace::after(listing.looks_until, now);
        let mut looks: Vec<Move> = Vec::with_capacity(ids.len());
        for id in ids {
            let change = self.change(ResourceKind::User, *id, ChangeKind::Updated, owed_since);
            looks.push(one_look(change, pace.next(now))?);
        }
        self.queues.changes.send(looks).await?;
        listing.looks_until = pace.last();
        Ok(())
    }

    /// Where it makes good what was lost, nothing is called assessed before its looks have come to their end.
    async fn owed_since(&self, listing: &Listing, now: Timestamp) -> Result<Timestamp, Trouble> {
        let deltas = self.ledger.deltas().await?;
        Ok(if model::is_made_good(&deltas, listing) {
            now
        } else {
            model::told_until(&deltas, Some(listing)).unwrap_or(Timestamp::MIN)
        })
    }
}

fn count(ids: &[ObjectId]) -> u64 {
    u64::try_from(ids.len()).unwrap_or(u64::MAX)
}
