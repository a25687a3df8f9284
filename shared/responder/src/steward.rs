//! Wakes what is due: lost wake-ups, leases and suspensions that ended, reads that are to be repeated, messages that were
//! not sent. The queues do this by themselves; the steward is what makes a lost message harmless.

use jiff::Timestamp;
use ledger::{LedgerError, Stored};
use model::{AlertJob, Clock, Correlation, Incident, Request, State, Suspension, Wake, due_deliveries};

use crate::pace::Pace;
use crate::queues::{WHEN_DUE, look_when_due};
use crate::right_time::may_end;
use crate::{Notices, Queues, Trouble};

/// The part of the flow `steward` that looks into the ledger.
#[derive(Debug, Clone)]
pub struct Steward {
    /// Tells what time it is at Graph, before anything ends.
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub notices: Notices,
    pub clock: Clock,
    /// A fresh id for each look at a guest.
    pub correlate: fn() -> Correlation,
}

impl Steward {
    /// At most this many documents of each kind a round: the rest waits for the next.
    const A_ROUND: usize = 500;

    /// Returns how many were woken.
    ///
    /// # Errors
    /// The ledger or a queue is in trouble.
    pub async fn wake_what_is_due(&self) -> Result<usize, Trouble> {
        let woken = self.wake_all_but_suspensions().await?;
        Ok(woken.saturating_add(self.end_suspensions().await?))
    }

    /// For who may not write suspensions.
    ///
    /// # Errors
    /// The ledger or a queue is in trouble.
    pub async fn wake_all_but_suspensions(&self) -> Result<usize, Trouble> {
        let now = self.clock.now();
        let mut woken = 0_usize;
        // Whoever holds something for so long had a clock that was ahead; unless it is ours that is behind.
        if self.clock.was_compared() {
            for queue in self.queues.all() {
                queue.bring_near(now, WHEN_DUE).await?;
            }
        }
        for stored in self.ledger.due_incidents(now, Self::A_ROUND).await? {
            woken = woken.saturating_add(1);
            let about = AlertJob::Incident(stored.value.id.clone());
            self.queues.tell_again(&about, due_deliveries(&stored.value.deliveries)).await?;
            if Self::waits_for_remediate(&stored.value.state, stored.value.wake, now) {
                self.queues.wake_remediate_again(&stored.value, now).await?;
            }
        }
        for stored in self.ledger.due_notices(now, Self::A_ROUND).await? {
            woken = woken.saturating_add(1);
            let due = due_deliveries(&stored.value.deliveries);
            let about = AlertJob::Notice(stored.value.key.clone());
            self.queues.tell_again(&about, due).await?;
        }
        let known = self.notices.routes.all();
        for Stored { value: mut channel, .. } in
            self.ledger.due_channels(Timestamp::MAX, Self::A_ROUND).await?
        {
            channel.bring_near(now);
            let name = channel.name;
            // What a channel is owed that is not among the settings any more is told in the others.
            if known.contains(&name) && channel.roll_up_at.is_none_or(|at| at > now) {
                continue;
            }
            woken = woken.saturating_add(1);
            self.queues.tell_again(&AlertJob::RollUp, vec![(name, now)]).await?;
        }
        for stored in self.ledger.waiting(Self::A_ROUND).await? {
            let Request { id, asked_at, .. } = stored.value;
            // Whoever asked may have had another clock.
            if now.duration_since(asked_at).abs() < Incident::WAKE_LOST_AFTER {
                continue;
            }
            woken = woken.saturating_add(1);
            self.queues.wake_request(&id, now).await?;
        }
        self.ledger.note_clock(self.clock.wrong_by(), now).await?;
        // Told by whoever hears of it first; nothing has to wait for that.
        self.notices.tell_of_clock().await?;
        if let Some(stored) = self.ledger.breaker().await? {
            // Whoever opened it may have died before he could say so.
            self.notices.breaker_opened(&stored.value).await?;
        }
        if let Some(stop) = self.ledger.last_stop().await? {
            // The command that stopped them has no channels.
            self.notices.writes_stopped(&stop).await?;
        }
        Ok(woken)
    }

    /// First the look, then the note of it: whoever dies in between looks twice. A suspension goes long after its end, so
    /// that no clock that is wrong for a moment takes from people what they decided.
    ///
    /// # Errors
    /// The ledger or a queue is in trouble.
    pub async fn end_suspensions(&self) -> Result<usize, Trouble> {
        let now = self.clock.now();
        let mut ended = self.ledger.due::<Suspension>(now, Self::A_ROUND).await?;
        if ended.is_empty() || !may_end(&self.reader, &self.notices).await? {
            return Ok(0);
        }
        // The clock may have been set right while Graph was asked.
        let now = self.clock.now();
        ended.retain(|stored| stored.value.due_at() <= now);
        let (count, mut pace) = (ended.len(), Pace::after(None, now));
        for mut stored in ended {
            let (guest, correlation) = (stored.value.guest, (self.correlate)());
            let look = look_when_due((self.ledger.tenant(), guest), pace.next(now), true, correlation)?;
            self.queues.changes.send(vec![look]).await?;
            let noted = if stored.value.is_to_go(now) {
                self.ledger.delete(stored).await
            } else {
                stored.value.looked_at = Some(now);
                self.ledger.replace(stored).await.map(|_| ())
            };
            match noted {
                // Lifted, or prolonged, a moment ago.
                Ok(()) | Err(LedgerError::Conflict { place: _ }) => {}
                Err(error) => return Err(error.into()),
            }
            tracing::info!(%correlation, guest.id = %guest, "a suspension has ended");
        }
        Ok(count)
    }

    fn waits_for_remediate(state: &State, wake: Wake, now: Timestamp) -> bool {
        match state {
            State::Claimed { lease } => lease.until <= now,
            State::Sent { look_again_at, .. } | State::Undoing { look_again_at, .. } => *look_again_at <= now,
            State::Open => match wake {
                Wake::None => false,
                Wake::Due { at } => at <= now,
                Wake::Sent { at } => at.checked_add(Incident::WAKE_LOST_AFTER).is_ok_and(|at| at <= now),
            },
            State::Waiting { since: _, until } => *until <= now,
            State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => false,
        }
    }
}
