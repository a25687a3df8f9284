//! The going over of all accounts from outside: what the delta queries cannot know (what happened before they began, what
//! Graph forgot to tell, memberships that changed alone) is found by a look at each of them.

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{ChangeKind, Listing, ListingPlace, ObjectId, ResourceKind};
use policy::{Kind, kind_of};
use queue::Move;

use super::Reconciler;
use crate::queues::one_look;
use crate::trouble::after;
use crate::{Trouble, facts_of};

impl Reconciler {
    /// A listing begins so long after the last one did.
    const LIST_EVERY: SignedDuration = SignedDuration::from_hours(24);
    /// Pages one after another, before others of the steward have their turn.
    const PAGES_OF_A_LISTING: usize = 4;
    /// Looks of a listing are due one after another, so that a live event never waits for a page of them.
    const APART: SignedDuration = SignedDuration::from_millis(50);
    /// Known guests at a time, when those that were not met are looked for.
    const KNOWN: usize = 500;

    pub(super) async fn list(&self) -> Result<(), Trouble> {
        let now = self.clock.now();
        let mut stored = match self.ledger.listing().await? {
            Some(stored) if !self.begins(&stored.value, now).await? => stored,
            Some(mut stored) => {
                stored.value = Listing::begin(Some(&stored.value), now);
                self.ledger.replace(stored).await?
            }
            None => self.ledger.insert(Listing::begin(None, now)).await?,
        };
        for _ in 0..Self::PAGES_OF_A_LISTING {
            if self.is_busy(now).await? {
                return Ok(());
            }
            stored = match stored.value.place.clone() {
                ListingPlace::Users { cursor } => self.list_users(stored, cursor).await?,
                ListingPlace::Known { after } => self.look_for_missed(stored, after).await?,
                ListingPlace::Ended { at: _ } => return Ok(()),
            };
        }
        Ok(())
    }

    /// Its time has come, or a delta query has begun anew since.
    async fn begins(&self, listing: &Listing, now: Timestamp) -> Result<bool, Trouble> {
        for resource in [ResourceKind::User, ResourceKind::Group] {
            let delta = self.ledger.delta(resource).await?;
            if delta.is_some_and(|stored| stored.value.begun_at > listing.began_at) {
                return Ok(true);
            }
        }
        let ended = matches!(listing.place, ListingPlace::Ended { at: _ });
        Ok(ended && now.duration_since(listing.began_at) >= Self::LIST_EVERY)
    }

    async fn list_users(
        &self,
        mut stored: Stored<Listing>,
        cursor: Option<String>,
    ) -> Result<Stored<Listing>, Trouble> {
        let now = self.clock.now();
        let cursor = cursor.map(graph::Cursor::from);
        let page = match self.reader.list_users(cursor.as_ref()).await? {
            graph::Sweep::Page(page) => page,
            graph::Sweep::StartAnew(why) => {
                tracing::warn!("the listing of accounts begins anew: {why}");
                stored.value = Listing::begin(Some(&stored.value), now);
                return Ok(self.ledger.replace(stored).await?);
            }
        };
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        let mut met = Vec::new();
        for user in page.items {
            let id = user.id;
            if kind_of(&facts_of(user, &domains, Vec::new())) != Kind::InternalMember {
                self.ledger.note_listed(id, stored.value.began_at).await?;
                met.push(id);
            }
        }
        stored.value.met = stored.value.met.saturating_add(count(&met));
        self.look_at(&met, now).await?;
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
        let was_missed = |guest: &&ledger::KnownGuest| {
            guest.listed_in.is_none_or(|met| met < began_at) && guest.first_seen < began_at
        };
        let missed: Vec<ObjectId> = known.iter().filter(was_missed).map(|guest| guest.id).collect();
        stored.value.missed = stored.value.missed.saturating_add(count(&missed));
        self.look_at(&missed, now).await?;
        match known.last() {
            Some(last) if known.len() == Self::KNOWN => {
                stored.value.place = ListingPlace::Known { after: Some(last.id.to_string()) };
            }
            Some(_) | None => {
                stored.value.end(now);
                let Listing { met, missed, began_at, .. } = &stored.value;
                tracing::info!(listing.met = met, listing.missed = missed, listing.began_at = %began_at, "all accounts from outside were gone over");
            }
        }
        Ok(self.ledger.replace(stored).await?)
    }

    async fn look_at(&self, ids: &[ObjectId], now: Timestamp) -> Result<(), Trouble> {
        let mut looks: Vec<Move> = Vec::with_capacity(ids.len());
        let mut due = now;
        for id in ids {
            let change = self.change(ResourceKind::User, *id, ChangeKind::Updated, now);
            looks.push(one_look(change, due)?);
            due = after(due, Self::APART);
        }
        if looks.is_empty() {
            return Ok(());
        }
        Ok(self.queues.changes.send(looks, now).await?)
    }
}

fn count(ids: &[ObjectId]) -> u64 {
    u64::try_from(ids.len()).unwrap_or(u64::MAX)
}
