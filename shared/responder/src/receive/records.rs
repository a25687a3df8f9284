//! What the ledger knows of the subscriptions that one POST speaks of: each is read once, however many items there are.
//! Here a notification that has overtaken the answer to our request for its subscription binds it.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use model::{Binding, Nonce, SubscriptionId, SubscriptionRecord};

use super::Receiver;
use super::admit::Sealed;
use crate::Trouble;
use crate::trouble::after;

pub(super) struct Records<'a> {
    receiver: &'a Receiver,
    now: Timestamp,
    read: HashMap<Nonce, Read>,
}

struct Read {
    record: Option<SubscriptionRecord>,
    /// The POST holds an item of this subscription.
    spoke: bool,
}

impl<'a> Records<'a> {
    /// The note of the last notification is this exact.
    const NOTED: SignedDuration = SignedDuration::from_mins(1);
    /// How long a subscription lives at least
    /// (<https://learn.microsoft.com/graph/api/resources/subscription>).
    const SHORTEST: SignedDuration = SignedDuration::from_mins(45);

    pub(super) fn of(receiver: &'a Receiver, now: Timestamp) -> Self {
        Self { receiver, now, read: HashMap::new() }
    }

    /// Whether what was sealed may speak for this subscription, or, where the item names none, for any at all.
    /// `expires_at` is what the item says of it.
    pub(super) async fn speaks(
        &mut self,
        sealed: &Sealed,
        subscription: Option<SubscriptionId>,
        expires_at: Option<Timestamp>,
    ) -> Result<bool, Trouble> {
        if !self.read.contains_key(&sealed.nonce) {
            let record = self.receiver.ledger.subscription(&sealed.nonce).await?.map(|stored| stored.value);
            self.read.insert(sealed.nonce.clone(), Read { record, spoke: false });
        }
        let Some(Read { record: Some(record), spoke }) = self.read.get_mut(&sealed.nonce) else {
            return Ok(false);
        };
        if record.watched != sealed.watched {
            return Ok(false);
        }
        let Some(subscription) = subscription else {
            return Ok(!record.is_silent(self.now));
        };
        if record.binding == Binding::Pending {
            let expires_at = expires_at.unwrap_or_else(|| after(self.now, Self::SHORTEST));
            *record = self.receiver.bind(record, subscription, expires_at, self.now).await?;
        }
        let speaks = record.hears(subscription, self.now);
        *spoke |= speaks;
        Ok(speaks)
    }

    /// Notes which subscriptions spoke. Losing this note costs nothing.
    pub(super) async fn note(self) {
        let Self { receiver, now, read } = self;
        for (nonce, Read { record, spoke }) in read {
            let noted = record.and_then(|record| record.last_notification_at);
            if !spoke || noted.is_some_and(|at| now.duration_since(at).abs() < Self::NOTED) {
                continue;
            }
            let note = |current: Option<SubscriptionRecord>| {
                current.map(|current| SubscriptionRecord { last_notification_at: Some(now), ..current })
            };
            if let Err(error) = receiver.ledger.update(nonce.as_str(), note).await {
                tracing::warn!("failed to note a notification: {error}");
            }
        }
    }
}

impl Receiver {
    /// Binds the record, unless somebody was faster; gives back what it is now.
    async fn bind(
        &self,
        record: &SubscriptionRecord,
        id: SubscriptionId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<SubscriptionRecord, Trouble> {
        let bind = |current: Option<SubscriptionRecord>| {
            current.map(|current| match current.binding {
                Binding::Pending => {
                    let binding = Binding::Bound { id, expires_at, renewed_at: now };
                    SubscriptionRecord { binding, ..current }
                }
                Binding::Bound { id: _, expires_at: _, renewed_at: _ }
                | Binding::Retired { at: _, id: _ } => current,
            })
        };
        let bound = self.ledger.update(record.nonce.as_str(), bind).await?;
        Ok(bound.map_or_else(|| record.clone(), |bound| bound.value))
    }
}
