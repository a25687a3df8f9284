//! Raises notices: what operators are told that is not about a guest's finding.

use model::{AlertJob, ChannelName, Clock, Notice, NoticeKind};

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
    /// The same `key` is the same trouble, and is told once until it has been quiet for an hour.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub async fn raise(&self, kind: NoticeKind, key: &str, text: String, times: u64) -> Result<(), Trouble> {
        let channels = self.channels.clone();
        self.raise_in(&channels, kind, key, text, times).await
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
        let due = notice.value.deliveries.iter().filter_map(|d| Some((d.channel.clone(), d.due_at()?)));
        self.queues.tell(&AlertJob::Notice(key.to_owned()), due.collect(), now).await
    }
}
