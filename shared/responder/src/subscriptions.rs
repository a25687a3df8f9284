//! Keeps our Graph subscriptions alive: create, bind, renew at half life, reauthorize when asked, recreate when gone.
//!
//! For users and groups Graph never says that a subscription is gone
//! (<https://learn.microsoft.com/graph/change-notifications-lifecycle-events>), so they are looked at every few minutes.

use std::sync::Arc;

use graph::{Creation, NewSubscription, Subscription};
use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Binding, Clock, Nonce, NoticeKind, Permission, SubscriptionId, SubscriptionRecord, TenantId, Watched,
};
use seal::StateKeys;
use secrecy::{ExposeSecret as _, SecretString};

use crate::trouble::{after, is_not_found};
use crate::{End, Notices, Trouble};

/// Where Graph is to send its notifications. Public https URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receivers {
    pub notifications: String,
    pub lifecycle: String,
}

/// The part of the flow `steward` that looks at subscriptions. Holds a credential that only reads: Graph refuses
/// subscriptions to one that writes.
#[derive(Clone)]
pub struct SubscriptionKeeper {
    pub tenant: TenantId,
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub keys: Arc<StateKeys>,
    pub receivers: Receivers,
    pub notices: Notices,
    pub clock: Clock,
    /// Sixteen random bytes a call.
    pub random: fn() -> [u8; 16],
}

impl std::fmt::Debug for SubscriptionKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionKeeper").field("receivers", &self.receivers).finish_non_exhaustive()
    }
}

impl SubscriptionKeeper {
    /// What an app that reads always needs: users and groups, and subscriptions to both
    /// (<https://learn.microsoft.com/graph/api/subscription-post-subscriptions>).
    pub const PERMISSIONS: [Permission; 2] = [Permission("User.Read.All"), Permission("Group.Read.All")];

    /// Renewed at half of this. The longest that Graph allows for users and groups is 41,760 minutes.
    const LIFE: SignedDuration = SignedDuration::from_hours(48);
    /// How long a subscription that is gone stays in the ledger.
    const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 7);

    /// Compares what Graph has with what is wanted, and mends the difference. Of a subscription that cannot be mended
    /// people are told, and the next look tries again.
    ///
    /// Returns for how long Graph wants to be left alone, if it has said so.
    ///
    /// # Errors
    /// Graph cannot be asked, which people are told, too; or the ledger is in trouble.
    pub async fn look(&self) -> Result<Option<SignedDuration>, Trouble> {
        let mut left_alone = None;
        let there = match self.reader.subscriptions().await {
            Ok(there) => there,
            Err(error) => return self.trouble("list the subscriptions", error).await,
        };
        for watched in Watched::ALL {
            if let Err(trouble) = self.keep(watched, &there).await {
                left_alone = left_alone.max(trouble.retry_after);
                let text = format!("the subscription to `{watched}` is in trouble: {trouble}");
                let key = format!("subscription{watched}");
                self.notices.raise(NoticeKind::SubscriptionTrouble, &key, text, 1).await?;
            }
        }
        for stray in there.iter().filter(|one| self.is_stray(one)) {
            tracing::info!(subscription.id = %stray.id, subscription.resource = stray.resource, "it sends to our address, and watches nothing that is wanted");
            if let Err(trouble) = self.delete(stray.id).await {
                left_alone = left_alone.max(trouble.retry_after);
                let Subscription { id, resource, .. } = stray;
                let text = format!(
                    "the subscription {id} to `{resource}` sends to our address and cannot be deleted: {trouble}"
                );
                self.notices.raise(NoticeKind::SubscriptionTrouble, &format!("stray/{id}"), text, 1).await?;
            }
        }
        Ok(left_alone)
    }

    async fn trouble<T>(&self, doing: &str, error: graph::GraphError) -> Result<T, Trouble> {
        let text = format!("failed to {doing}: {error}");
        self.notices.raise(NoticeKind::SubscriptionTrouble, "subscriptions", text, 1).await?;
        Err(error.into())
    }

    /// What a lifecycle notification says. An event that is not known is looked into like any other.
    ///
    /// # Errors
    /// Graph or the ledger is in trouble.
    pub async fn heed(&self, subscription: SubscriptionId, event: &str) -> Result<End, Trouble> {
        tracing::info!(subscription.id = %subscription, lifecycle.event = event, "Graph says");
        self.notices.changes_lost(subscription, event).await?;
        if event == "reauthorizationRequired" {
            match self.reader.reauthorize(subscription).await {
                Ok(()) => {}
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.look().await?;
        Ok(End::Done)
    }

    async fn keep(&self, watched: Watched, there: &[Subscription]) -> Result<(), Trouble> {
        let now = self.clock.now();
        let ours: Vec<&Subscription> = there.iter().filter(|one| self.is_ours(one, watched)).collect();
        let mut alive = false;
        for stored in self.ledger.subscriptions().await? {
            if stored.value.watched == watched {
                alive |= self.keep_record(stored, &ours, now).await?;
            }
        }
        if alive || self.adopt_one(&ours, watched, now).await? {
            return Ok(());
        }
        for moved in there.iter().filter(|one| self.was_ours(one, watched)) {
            tracing::info!(subscription.id = %moved.id, "it sends to an address that we had before");
            self.delete(moved.id).await?;
        }
        self.create(watched, now).await
    }

    /// Takes over what an earlier request of ours made.
    async fn adopt_one(
        &self,
        ours: &[&Subscription],
        watched: Watched,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        for stray in ours {
            if self.adopt(stray, watched, now).await? {
                return Ok(true);
            }
            // Its clientState cannot be checked: what it sends would all be dropped.
            self.delete(stray.id).await?;
        }
        Ok(false)
    }

    /// Made by us under another public address. It would stand in the way: Graph allows one of a kind for each app.
    fn was_ours(&self, subscription: &Subscription, watched: Watched) -> bool {
        let elsewhere = subscription.notification_url.as_ref() != Some(&self.receivers.notifications);
        let sealed = subscription.client_state.as_ref().map(SecretString::expose_secret);
        let opened = sealed.and_then(|state| self.keys.open(state, self.tenant).ok());
        elsewhere && opened.is_some_and(|(sealed_for, _, _)| sealed_for == watched)
    }

    fn is_ours(&self, subscription: &Subscription, watched: Watched) -> bool {
        subscription.notification_url.as_ref() == Some(&self.receivers.notifications)
            && subscription.watched() == Some(watched)
    }

    /// With our address, and of no kind that we make.
    fn is_stray(&self, subscription: &Subscription) -> bool {
        subscription.notification_url.as_ref() == Some(&self.receivers.notifications)
            && subscription.watched().is_none()
    }

    /// Whether the record stands for a subscription that lives.
    async fn keep_record(
        &self,
        stored: Stored<SubscriptionRecord>,
        ours: &[&Subscription],
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let known_key = self.keys.key_ids().any(|id| id == stored.value.key);
        match stored.value.binding.clone() {
            Binding::Retired { at, id: _ } => {
                if now.duration_since(at) > Self::REMEMBERED {
                    self.ledger.delete(stored).await?;
                }
                Ok(false)
            }
            // Graph was asked and has not answered us: its list, or its first notification, tells the id.
            Binding::Pending => Ok(false),
            Binding::Bound { id, expires_at, renewed_at } => {
                // Whatever still sends to an earlier address of ours is deleted as the list shows it.
                let moved = stored.value.notification_url != self.receivers.notifications;
                if moved || !known_key {
                    if !moved {
                        self.delete(id).await?;
                    }
                    self.retire(stored, now).await?;
                    return Ok(false);
                }
                if !ours.iter().any(|one| one.id == id) && !self.lives(id).await? {
                    self.retire(stored, now).await?;
                    return Ok(false);
                }
                let life = expires_at.duration_since(renewed_at);
                if now.duration_since(renewed_at) < life / 2 {
                    return Ok(true);
                }
                self.renew(stored, id, now).await
            }
        }
    }

    async fn renew(
        &self,
        mut stored: Stored<SubscriptionRecord>,
        id: SubscriptionId,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        match self.reader.renew(id, after(now, Self::LIFE)).await {
            Ok(renewed) => {
                // What was asked is not always what was given.
                stored.value.binding = Binding::Bound { id, expires_at: renewed.expires_at, renewed_at: now };
                self.ledger.replace(stored).await?;
                Ok(true)
            }
            Err(error) if is_not_found(&error) => {
                self.retire(stored, now).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A list can lag behind; only what Graph does not know by its id is gone.
    async fn lives(&self, id: SubscriptionId) -> Result<bool, Trouble> {
        match self.reader.subscription(id).await {
            Ok(_) => Ok(true),
            Err(error) if is_not_found(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn retire(&self, mut stored: Stored<SubscriptionRecord>, now: Timestamp) -> Result<(), Trouble> {
        stored.value.retire(now);
        self.ledger.replace(stored).await?;
        Ok(())
    }

    async fn delete(&self, id: SubscriptionId) -> Result<(), Trouble> {
        match self.reader.delete_subscription(id).await {
            Ok(()) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A subscription with our URL that no record is bound to: the answer to a request of ours was lost, or the
    /// ledger was. Graph echoes the clientState, which proves that we made it.
    async fn adopt(&self, stray: &Subscription, watched: Watched, now: Timestamp) -> Result<bool, Trouble> {
        let Some(state) = stray.client_state.as_ref().map(SecretString::expose_secret) else {
            return Ok(false);
        };
        let Ok((sealed_for, nonce, key)) = self.keys.open(state, self.tenant) else { return Ok(false) };
        if sealed_for != watched {
            return Ok(false);
        }
        let binding = Binding::Bound { id: stray.id, expires_at: stray.expires_at, renewed_at: now };
        match self.ledger.subscription(&nonce).await? {
            Some(mut stored) => {
                stored.value.binding = binding;
                self.ledger.replace(stored).await?;
            }
            None => {
                let record = self.record(watched, nonce, key.to_string(), binding, now);
                self.ledger.insert(record).await?;
            }
        }
        Ok(true)
    }

    fn record(
        &self,
        watched: Watched,
        nonce: Nonce,
        key: String,
        binding: Binding,
        now: Timestamp,
    ) -> SubscriptionRecord {
        SubscriptionRecord {
            nonce,
            tenant: self.tenant,
            watched,
            notification_url: self.receivers.notifications.clone(),
            key,
            asked_at: now,
            binding,
            last_notification_at: None,
        }
    }

    /// The nonce is written as pending first: a notification may overtake the answer to our request.
    async fn create(&self, watched: Watched, now: Timestamp) -> Result<(), Trouble> {
        let nonce = self.pending(watched, now).await?;
        let state = self.keys.seal(self.tenant, watched, &nonce);
        let new = NewSubscription {
            watched,
            notification_url: self.receivers.notifications.clone(),
            lifecycle_url: self.receivers.lifecycle.clone(),
            client_state: SecretString::from(state.as_str().to_owned()),
            expires_at: after(now, Self::LIFE),
        };
        match self.reader.create_subscription(new).await {
            Ok(Creation::Created(made)) => self.bind(&nonce, &made, now).await,
            Ok(Creation::AlreadyThere) => self.find(watched, now).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The nonce of a request that came to nothing is used again, so that failures do not fill the ledger.
    async fn pending(&self, watched: Watched, now: Timestamp) -> Result<Nonce, Trouble> {
        let key = self.keys.sealing_key();
        let reusable = |record: &SubscriptionRecord| {
            record.watched == watched
                && record.binding == Binding::Pending
                && record.key == key
                && record.notification_url == self.receivers.notifications
        };
        let stored = self.ledger.subscriptions().await?;
        if let Some(waiting) = stored.into_iter().find(|stored| reusable(&stored.value)) {
            return Ok(waiting.value.nonce);
        }
        let nonce = seal::nonce((self.random)());
        let record = self.record(watched, nonce.clone(), key.to_owned(), Binding::Pending, now);
        self.ledger.insert(record).await?;
        Ok(nonce)
    }

    /// Graph says that it is there already, although the list did not show it.
    async fn find(&self, watched: Watched, now: Timestamp) -> Result<(), Trouble> {
        let there = self.reader.subscriptions().await?;
        let ours: Vec<&Subscription> = there.iter().filter(|one| self.is_ours(one, watched)).collect();
        if self.adopt_one(&ours, watched, now).await? {
            return Ok(());
        }
        Err(Trouble::now(anyhow::anyhow!(
            "another subscription of this app to `{watched}` sends to another address; delete it, or give Guestlist an \
             app registration of its own"
        )))
    }

    async fn bind(&self, nonce: &Nonce, made: &Subscription, now: Timestamp) -> Result<(), Trouble> {
        self.ledger
            .update::<SubscriptionRecord>(nonce.as_str(), |record| {
                record.map(|record| {
                    let binding =
                        Binding::Bound { id: made.id, expires_at: made.expires_at, renewed_at: now };
                    SubscriptionRecord { binding, ..record }
                })
            })
            .await?;
        tracing::info!(subscription.id = %made.id, subscription.expires_at = %made.expires_at, "subscribed");
        Ok(())
    }
}
