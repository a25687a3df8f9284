//! A channel that takes nothing: what it is owed is tried at long intervals, and sent as soon as it works again.
//!
//! Never here: the message itself, and how many of them a channel takes an hour.

use alert::Message;
use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{AlertJob, ChannelName, ChannelState, Delivery, DeliveryStatus, Incident, Notice, NoticeKind};

use crate::tell::{Mark, fresh, next_roll_up};
use crate::trouble::after;
use crate::{End, Teller, Trouble};

impl Teller {
    /// Longer than anybody needs to see that a channel is dead, and to mend it.
    pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);
    const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
    pub(crate) const LONGEST: SignedDuration = SignedDuration::from_hours(6);
    /// What a channel that works again is sent at once; the rest comes at its own time.
    pub(crate) const AT_ONCE: usize = 500;

    /// As long again as it has been owed: waits that double.
    pub(crate) fn try_again(since: Timestamp, now: Timestamp) -> Timestamp {
        after(now, now.duration_since(since).clamp(Self::SHORTEST, Self::LONGEST))
    }

    /// The lines stay until the channel takes them.
    pub(crate) async fn roll_up_later(&self, name: &ChannelName, at: Timestamp) -> Result<End, Trouble> {
        self.ledger
            .update::<ChannelState>(&name.0, |state| {
                state.map(|state| ChannelState { roll_up_at: Some(at), ..state })
            })
            .await?;
        Ok(End::Again { at, job: None })
    }

    /// The channel took a message. What it is owed is due now.
    pub(crate) async fn channel_works(&self, name: &ChannelName) -> Result<(), Trouble> {
        let broken = self.ledger.channel(name).await?.is_some_and(|stored| stored.value.broken.is_some());
        if !broken {
            return Ok(());
        }
        let now = self.clock.now();
        let mut mended = false;
        let mut rolls_up = false;
        self.ledger
            .update::<ChannelState>(&name.0, |state| {
                state.map(|mut state| {
                    mended = state.broken.take().is_some();
                    rolls_up = !state.rolled_up.is_empty();
                    state.roll_up_at = rolls_up.then(|| next_roll_up(now));
                    state
                })
            })
            .await?;
        if !mended {
            return Ok(());
        }
        tracing::info!(channel.name = %name, "the channel takes messages again");
        if rolls_up {
            let due = vec![(name.clone(), next_roll_up(now))];
            self.notices.queues.tell(&AlertJob::RollUp, due).await?;
        }
        self.send_what_is_owed(name, now).await
    }

    /// The oldest first: each is due since it happened.
    async fn send_what_is_owed(&self, name: &ChannelName, now: Timestamp) -> Result<(), Trouble> {
        let within = after(now, Self::LONGEST);
        for Stored { value, .. } in self.ledger.due_incidents(within, Self::AT_ONCE).await? {
            let Incident { id, updated_at, deliveries, .. } = &value;
            for (sequence, status) in owed(deliveries, name, now) {
                let mark = Mark { channel: name, sequence, status: &status, posted: None };
                self.mark_incident(id, mark).await?;
                let due = vec![(name.clone(), *updated_at)];
                self.notices.queues.tell(&AlertJob::Incident(id.clone()), due).await?;
            }
        }
        for Stored { value, .. } in self.ledger.due_notices(within, Self::AT_ONCE).await? {
            let Notice { key, last_at, deliveries, .. } = &value;
            for (sequence, status) in owed(deliveries, name, now) {
                self.mark_notice(key, name, sequence, &status).await?;
                let due = vec![(name.clone(), *last_at)];
                self.notices.queues.tell(&AlertJob::Notice(key.clone()), due).await?;
            }
        }
        Ok(())
    }

    /// A dead channel is reported in the others, and stands in the log and the status. Returns since when it is dead.
    pub(crate) async fn channel_broken(
        &self,
        name: &ChannelName,
        why: &str,
        now: Timestamp,
    ) -> Result<Timestamp, Trouble> {
        let mut since = now;
        self.ledger
            .update::<ChannelState>(&name.0, |state| {
                let mut state = state.unwrap_or_else(|| fresh(name));
                since = state.broken.get_or_insert((now, why.to_owned())).0;
                Some(state)
            })
            .await?;
        let text =
            format!("the channel `{name}` takes no messages: {why}; messages for it wait until it does");
        let key = format!("channel-broken/{name}");
        self.notices.raise_in(&self.others(name), NoticeKind::ChannelBroken, &key, text, 1).await?;
        Ok(since)
    }

    /// Nobody will hear of it there: the others do, as long as this goes on.
    pub(crate) async fn give_up(
        &self,
        name: &ChannelName,
        message: &Message,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        self.channel_broken(name, why, now).await?;
        tracing::error!(
            channel.name = %name,
            alert.id = message.id,
            "a message was given up after seven days: {why}; it said: {}",
            message.headline,
        );
        let text = format!(
            "a message for the channel `{name}` was given up after seven days: {why}; it said: {}",
            message.headline
        );
        let key = format!("given-up/{name}");
        self.notices.raise_in(&self.others(name), NoticeKind::ChannelBroken, &key, text, 1).await
    }

    fn others(&self, name: &ChannelName) -> Vec<ChannelName> {
        self.channels.keys().filter(|other| *other != name).cloned().collect()
    }
}

/// The deliveries that were tried in vain and wait, as due now.
fn owed(deliveries: &[Delivery], name: &ChannelName, now: Timestamp) -> Vec<(u32, DeliveryStatus)> {
    let waits = |delivery: &Delivery| match &delivery.status {
        DeliveryStatus::Due { at, attempts } if *attempts > 0 && *at > now => {
            Some((delivery.sequence, DeliveryStatus::Due { at: now, attempts: *attempts }))
        }
        DeliveryStatus::Due { at: _, attempts: _ }
        | DeliveryStatus::Sent { at: _ }
        | DeliveryStatus::RolledUp { at: _ }
        | DeliveryStatus::Superseded
        | DeliveryStatus::Failed { at: _, why: _ } => None,
    };
    deliveries.iter().filter(|delivery| delivery.channel == *name).filter_map(waits).collect()
}
