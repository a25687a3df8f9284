//! What a channel takes in an hour, and the message into which the rest goes.
//!
//! Never here: what a channel that takes nothing is owed.

use alert::{Receipt, SendError};
use jiff::{SignedDuration, Timestamp};
use model::{AlertJob, ChannelName, ChannelState, RolledUp};

use super::Open;
use crate::meter::Delivered;
use crate::trouble::after;
use crate::{End, Teller, Trouble};

impl Teller {
    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    const AN_HOUR_AT_MOST: usize = 10;
    const ROLL_UP_EVERY_SECONDS: i64 = 300;

    /// Takes one of this hour's places, or adds the line to the roll-up.
    pub(super) async fn take_place(
        &self,
        name: &ChannelName,
        line: RolledUp,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let mut taken = false;
        self.ledger
            .update::<ChannelState>(&name.0, |state| {
                let mut state = state.unwrap_or_else(|| fresh(name));
                // A stamp from the future is of a clock that was set back since.
                state.sent.iter_mut().for_each(|at| *at = (*at).min(now));
                state.sent.retain(|at| now.duration_since(*at) < Self::HOUR);
                taken = state.sent.len() < Self::AN_HOUR_AT_MOST;
                if taken {
                    state.sent.push(now);
                } else {
                    state.rolled_up.retain(|other| other.about != line.about);
                    state.rolled_up.push(line.clone());
                    // One that waits for longer was put off: the channel takes nothing, or has asked for it.
                    state.roll_up_at.get_or_insert(next_roll_up(now));
                }
                Some(state)
            })
            .await?;
        if !taken {
            let due = vec![(name.clone(), next_roll_up(now))];
            self.notices.queues.tell(&AlertJob::RollUp, due).await?;
        }
        Ok(taken)
    }

    pub(super) async fn give_place_back(
        &self,
        name: &ChannelName,
        taken_at: Timestamp,
    ) -> Result<(), Trouble> {
        self.ledger
            .update::<ChannelState>(&name.0, |state| {
                state.map(|mut state| {
                    if let Some(index) = state.sent.iter().rposition(|at| *at == taken_at) {
                        state.sent.remove(index);
                    }
                    state
                })
            })
            .await?;
        Ok(())
    }

    pub(super) async fn roll_up(&self, (name, open): (&ChannelName, &Open)) -> Result<End, Trouble> {
        let now = self.clock.now();
        let Some(mut stored) = self.ledger.channel(name).await? else { return Ok(End::Done) };
        stored.value.bring_near(now);
        let Some(due) = stored.value.roll_up_at else { return Ok(End::Done) };
        if due > now {
            return Ok(End::Again { at: due, job: None });
        }
        let waiting = stored.value.rolled_up;
        let told = alert::next_roll_up(&waiting);
        let message = alert::roll_up(&told, waiting.len().saturating_sub(told.len()), due, now);
        match open.send(&self.wire, &message, None, now).await {
            Ok(Receipt { posted: _ }) => {
                self.meter.delivered(name, Delivered::Sent);
                self.channel_works(name).await?;
            }
            Err(SendError::Later { after: wait, why }) => {
                self.meter.delivered(name, Delivered::Later);
                tracing::warn!(channel.name = %name, "the roll-up is not told yet: {why}");
                let at = after(now, wait.unwrap_or(SignedDuration::from_secs(60)));
                return self.roll_up_later(name, at).await;
            }
            Err(SendError::Broken { why }) => {
                self.meter.delivered(name, Delivered::Later);
                let since = self.channel_broken(name, &why, now).await?;
                return self.roll_up_later(name, Self::try_again(since, now)).await;
            }
        }
        // What came in while the message was on its way waits for the next one, as what one message cannot hold does.
        let state = self
            .ledger
            .update::<ChannelState>(&name.0, |state| {
                state.map(|mut state| {
                    state.rolled_up.retain(|line| !told.contains(line));
                    state.roll_up_at = (!state.rolled_up.is_empty()).then(|| next_roll_up(now));
                    state
                })
            })
            .await?;
        let again = state.and_then(|state| state.value.roll_up_at);
        Ok(again.map_or(End::Done, |at| End::Again { at, job: None }))
    }
}

pub(crate) fn fresh(name: &ChannelName) -> ChannelState {
    ChannelState {
        name: name.clone(),
        sent: Vec::new(),
        rolled_up: Vec::new(),
        roll_up_at: None,
        broken: None,
    }
}

/// The next full five minutes.
pub(crate) fn next_roll_up(now: Timestamp) -> Timestamp {
    let step = Teller::ROLL_UP_EVERY_SECONDS;
    let next = now.as_second().div_euclid(step).saturating_add(1).saturating_mul(step);
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}
