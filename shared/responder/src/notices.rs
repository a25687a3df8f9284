//! Raises notices: what operators are told that is not about a guest's finding.

use model::{AlertJob, ChannelName, Clock, Notice, NoticeKind, SubscriptionId, due_deliveries};

use crate::{Queues, Trouble};

/// Writes notices into the ledger and wakes `alert`.
#[derive(Debug, Clone)]
pub struct Notices {
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub channels: Vec<ChannelName>,
    pub clock: Clock,
}

impl Notices {
    /// The same `key` is the same trouble: it is told after spans that grow, and anew after an hour of quiet.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub async fn raise(&self, kind: NoticeKind, key: &str, text: String, times: u64) -> Result<(), Trouble> {
        let channels = self.channels.clone();
        self.raise_in(&channels, kind, key, text, times).await
    }

    /// Graph says that changes may never have reached us. Other lifecycle events are no news to people.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn changes_lost(
        &self,
        subscription: SubscriptionId,
        event: &str,
    ) -> Result<(), Trouble> {
        if !matches!(event, "missed" | "subscriptionRemoved") {
            return Ok(());
        }
        let now = self.clock.now();
        let records = self.ledger.subscriptions().await?;
        let record =
            records.into_iter().map(|stored| stored.value).find(|one| one.id() == Some(subscription));
        let (whose, since) = record.map_or_else(
            || (format!("the subscription {subscription}"), "an unknown moment".to_owned()),
            |record| {
                // Graph does not say since when, and the last notification that came may be this very event.
                (format!("the subscription to `{}`", record.watched), record.asked_at.to_string())
            },
        );
        let text = format!(
            "Graph says `{event}` of {whose}: changes between {since} and {now} may have been missed; `guestlist check \
             --all` shows what the policy says of every guest today"
        );
        let key = format!("{event}/{subscription}");
        self.raise(NoticeKind::SubscriptionTrouble, &key, text, 1).await
    }

    /// In these channels only.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub async fn raise_in(
        &self,
        channels: &[ChannelName],
        kind: NoticeKind,
        key: &str,
        text: String,
        times: u64,
    ) -> Result<(), Trouble> {
        let now = self.clock.now();
        tracing::warn!(notice.kind = ?kind, notice.key = key, notice.times = times, "{text}");
        let notice = self
            .ledger
            .update::<Notice>(key, |before| {
                Some(match before {
                    Some(mut notice) => {
                        notice.again(text.clone(), times, channels, now);
                        notice
                    }
                    None => Notice::new(key.to_owned(), kind, text.clone(), channels, now),
                })
            })
            .await?;
        let Some(notice) = notice else { return Ok(()) };
        let due = due_deliveries(&notice.value.deliveries);
        self.queues.tell(&AlertJob::Notice(key.to_owned()), due, now).await
    }
}
