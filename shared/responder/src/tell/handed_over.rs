//! What a channel was owed that is not among the settings any more: those that hear of such things now are told instead.
//!
//! Never here: a channel that takes nothing, and may be mended.

use model::{AlertJob, ChannelName, ChannelState, Incident, IncidentId, Notice, Owed, hand_over};

use crate::trouble::after;
use crate::{Teller, Trouble};

impl Teller {
    pub(super) async fn hand_over(&self, about: &AlertJob, from: &ChannelName) -> Result<(), Trouble> {
        match about {
            AlertJob::Incident(id) => self.hand_over_incident(id, from, Owed::Due).await.map(|_| ()),
            AlertJob::Notice(key) => self.hand_over_notice(key, from, Owed::Due).await,
            AlertJob::RollUp => self.hand_over_lines(from).await,
        }
    }

    /// First all that it is owed, then the note that it is owed nothing: whoever dies in between finds them handed over.
    async fn hand_over_lines(&self, from: &ChannelName) -> Result<(), Trouble> {
        let Some(stored) = self.ledger.channel(from).await? else { return Ok(()) };
        let lines = stored.value.rolled_up;
        for line in &lines {
            let of_incident = match line.about.parse::<IncidentId>() {
                Ok(id) => self.hand_over_incident(&id, from, Owed::DueOrRolledUp).await?,
                Err(_) => false,
            };
            if !of_incident {
                self.hand_over_notice(&line.about, from, Owed::DueOrRolledUp).await?;
            }
        }
        // What it took nothing of would wait for its next try.
        let within = after(self.clock.now(), Self::LONGEST);
        for stored in self.ledger.due_incidents(within, Self::AT_ONCE).await? {
            self.hand_over_incident(&stored.value.id, from, Owed::Due).await?;
        }
        for stored in self.ledger.due_notices(within, Self::AT_ONCE).await? {
            self.hand_over_notice(&stored.value.key, from, Owed::Due).await?;
        }
        let left = |state: ChannelState| {
            let mut state = ChannelState { sent: Vec::new(), broken: None, ..state };
            state.rolled_up.retain(|line| !lines.contains(line));
            if state.rolled_up.is_empty() {
                state.roll_up_at = None;
            }
            state
        };
        self.ledger.update::<ChannelState>(&from.0, |state| state.map(left)).await?;
        tracing::info!(
            channel.name = %from,
            lines = lines.len(),
            "a channel is not among the settings any more; what it was owed is told in the others"
        );
        Ok(())
    }

    /// False: there is no such incident.
    async fn hand_over_incident(
        &self,
        id: &IncidentId,
        from: &ChannelName,
        owed: Owed,
    ) -> Result<bool, Trouble> {
        for _ in 0..Self::MARKS {
            let Some(mut stored) = self.ledger.incident(id).await? else { return Ok(false) };
            let Incident { finding, deliveries, .. } = &mut stored.value;
            let to = self.that_are_here(self.notices.routes.for_severity(finding.severity));
            if !hand_over(deliveries, (from, owed), &to, self.clock.now()) {
                return Ok(true);
            }
            Self::note_handed_over(id, from, &to);
            match self.ledger.replace(stored).await {
                Ok(stored) => {
                    self.notices.queues.tell_about(&stored.value).await?;
                    return Ok(true);
                }
                Err(ledger::LedgerError::Conflict { place: _ }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::now(anyhow::anyhow!("others kept writing the incident `{id}`")))
    }

    async fn hand_over_notice(&self, key: &str, from: &ChannelName, owed: Owed) -> Result<(), Trouble> {
        let now = self.clock.now();
        let handed = |notice: Option<Notice>| {
            let mut notice = notice?;
            let to = self.that_are_here(self.notices.who_hears(notice.kind));
            let any = hand_over(&mut notice.deliveries, (from, owed), &to, now);
            any.then(|| {
                Self::note_handed_over(key, from, &to);
                notice
            })
        };
        match self.ledger.update::<Notice>(key, handed).await? {
            Some(stored) => self.notices.tell(&stored.value).await,
            None => Ok(()),
        }
    }

    fn that_are_here(&self, mut names: Vec<ChannelName>) -> Vec<ChannelName> {
        names.retain(|name| self.channels.contains_key(name));
        names
    }

    fn note_handed_over(about: impl std::fmt::Display, from: &ChannelName, to: &[ChannelName]) {
        if to.is_empty() {
            tracing::error!(
                channel.name = %from,
                alert.about = %about,
                "a channel is not among the settings any more, and none of the others hears of this: it is not told"
            );
        }
    }
}
