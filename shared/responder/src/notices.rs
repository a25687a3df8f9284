//! Raises notices: what operators are told that is not about a guest's finding.

use model::{
    AlertJob, Breaker, ChannelName, Clock, Notice, NoticeKind, Opened, Resumed, Routes, Stop, SubscriptionId,
    due_deliveries,
};

use crate::{Queues, Trouble};

/// Writes notices into the ledger and wakes `alert`.
#[derive(Debug, Clone)]
pub struct Notices {
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub routes: Routes,
    pub clock: Clock,
}

impl Notices {
    /// The same `key` is the same trouble: it is told after spans that grow, and anew after an hour of quiet.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub async fn raise(&self, kind: NoticeKind, key: &str, text: String, times: u64) -> Result<(), Trouble> {
        self.raise_in(&self.who_hears(kind), kind, key, text, times).await
    }

    /// Whoever heard of a trouble hears of its end.
    pub(crate) fn who_hears(&self, kind: NoticeKind) -> Vec<ChannelName> {
        let ended = kind.ends().map_or(kind.severity(), NoticeKind::severity);
        self.routes.for_severity(kind.severity().max(ended))
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

    /// One loud alert each time that it opens.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn breaker_opened(&self, breaker: &Breaker) -> Result<(), Trouble> {
        let Some(Opened { at, budget, limit }) = &breaker.opened else { return Ok(()) };
        let key = format!("breaker/{at}");
        let text = format!(
            "the circuit breaker has opened: more than {limit} {budget} would have been touched within an hour; \
             from now on everything asks first, and nothing that waits is released by a reset"
        );
        // Whoever was here at the same moment has told it.
        if let Some(notice) = self.written_once(NoticeKind::BreakerOpened, &key, text.clone()).await? {
            tracing::error!(notice.key = key, "{text}");
            self.tell(&notice).await?;
        }
        Ok(())
    }

    /// Each stop of all writes, and each end of one.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn writes_stopped(&self, stop: &Stop) -> Result<(), Trouble> {
        let Stop { since, by, reason, ended } = stop;
        let text = format!("all writes to the tenant are stopped by {by}: {reason}");
        self.once(NoticeKind::WritesStopped, &format!("writes-stopped/{since}"), text).await?;
        let Some(Resumed { at, by, reason }) = ended else { return Ok(()) };
        let text = format!("writes to the tenant are allowed again by {by}: {reason}");
        self.once(NoticeKind::WritesResumed, &format!("writes-resumed/{at}"), text).await
    }

    /// Tells it, unless it was told before under this key.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn once(&self, kind: NoticeKind, key: &str, text: String) -> Result<(), Trouble> {
        match self.written_once(kind, key, text).await? {
            Some(notice) => self.tell(&notice).await,
            None => Ok(()),
        }
    }

    async fn written_once(
        &self,
        kind: NoticeKind,
        key: &str,
        text: String,
    ) -> Result<Option<Notice>, Trouble> {
        let channels = self.who_hears(kind);
        let now = self.clock.now();
        let first = || Notice::new(key.to_owned(), kind, text.clone(), &channels, now);
        let written = self.ledger.update::<Notice>(key, |before| before.is_none().then(first)).await?;
        Ok(written.map(|stored| stored.value))
    }

    /// Writes a notice and wakes `alert`, unless there is nothing to write.
    async fn write(
        &self,
        key: &str,
        change: impl FnMut(Option<Notice>) -> Option<Notice> + Send,
    ) -> Result<(), Trouble> {
        match self.ledger.update::<Notice>(key, change).await? {
            Some(notice) => self.tell(&notice.value).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn tell(&self, notice: &Notice) -> Result<(), Trouble> {
        let due = due_deliveries(&notice.deliveries);
        self.queues.tell(&AlertJob::Notice(notice.key.clone()), due).await
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
        let written = self.write(key, |before| {
            Some(match before {
                Some(mut notice) => {
                    notice.again(text.clone(), times, channels, now);
                    notice
                }
                None => Notice::new(key.to_owned(), kind, text.clone(), channels, now),
            })
        });
        written.await
    }
}
