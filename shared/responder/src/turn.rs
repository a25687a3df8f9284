//! Whose turn it is: one guest's incidents are carried out one after the other, so that two rules that ask for the same
//! write it once. Claims an incident before anything is done about it.
//!
//! The message that brought us here only names the guest; what is to be done stands in the ledger.

use jiff::Timestamp;
use ledger::Stored;
use model::{CannotClaim, Incident, IncidentId, ObjectId, State, Wake};

use crate::step::Pursuit;
use crate::trouble::{after, is_not_found};
use crate::{End, Remediator, Trouble};

impl Remediator {
    /// Others write an incident at most a few times in a row.
    const GIVES_BACK: u32 = 32;

    /// # Errors
    /// The ledger or a queue is in trouble. Trouble with Graph is written into the incident instead.
    pub async fn remediate(&self, id: &IncidentId) -> Result<End, Trouble> {
        let Some(named) = self.ledger.incident(id).await? else {
            return Ok(End::Bury { why: format!("there is no incident `{id}` in the ledger") });
        };
        for stored in self.in_turn(named.value.key.guest).await? {
            let wanted = match wanted_at(&stored.value) {
                Some(at) if at <= self.clock.now() => self.advance(stored).await?,
                not_yet => not_yet,
            };
            // The others wait for this one: what it writes may be all that they ask for.
            if let Some(at) = wanted {
                return Ok(End::Again { at, job: None });
            }
        }
        Ok(End::Done)
    }

    /// First what is under way, then what people were told of: an undo names that one.
    async fn in_turn(&self, guest: ObjectId) -> Result<Vec<Stored<Incident>>, Trouble> {
        let mut incidents = self.ledger.incidents_of(guest).await?;
        incidents.sort_by_key(|Stored { value, .. }| {
            (value.state == State::Open, value.told_with.is_some(), value.opened_at)
        });
        Ok(incidents)
    }

    /// Moves one incident on. Returns when it wants to be moved again.
    async fn advance(&self, stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        match stored.value.state.clone() {
            State::Undoing { since, look_again_at: _, by, reason } => {
                self.finish_undo(stored, since, by, reason).await
            }
            State::Sent { since, look_again_at: _ } => self.look_for(stored, since).await,
            State::Open
            | State::Claimed { .. }
            | State::Done { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Resolved { .. } => self.begin(stored).await,
        }
    }

    async fn begin(&self, mut stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        if self.ledger.stop().await?.is_some() {
            return Ok(Some(after(now, Self::STOPPED)));
        }
        match stored.value.claim(now, Self::LEASE) {
            Ok(()) => {}
            Err(CannotClaim::Held { until }) => return Ok(Some(until)),
            Err(CannotClaim::NothingToDo { state: _ }) => return Ok(None),
        }
        let stored = self.ledger.replace(stored).await?;
        let (id, claimed) = (stored.value.id.clone(), stored.value.state.clone());
        let carried_out = match self.carry_out(stored).await {
            Ok(stored) => self.write_down(stored).await,
            Err(trouble) => Err(trouble),
        };
        if carried_out.is_err() {
            self.give_back(&id, &claimed).await?;
        }
        carried_out
    }

    /// Reads only, until the write shows or has had its time.
    async fn look_for(
        &self,
        mut stored: Stored<Incident>,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let incident = &mut stored.value;
        match self.reader.user(incident.key.guest).await {
            Ok(user) => {
                self.act(incident, user.account_enabled, Pursuit::FollowsUp { asked_at: since }).await?;
            }
            Err(error) if is_not_found(&error) => self.not_there(incident).await?,
            Err(error) => match error.advice() {
                graph::Advice::TryAgain { after: _ } => self.unseen(incident, since, now),
                graph::Advice::MaybeNotReplicatedYet
                | graph::Advice::GiveUp { tell: _ }
                | graph::Advice::FixCredential { tell: _ } => {
                    self.in_trouble(incident, &error, "read the guest").await?;
                }
            },
        }
        self.write_down(stored).await
    }

    pub(crate) async fn write_down(&self, stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        let stored = self.ledger.replace(stored).await?;
        self.queues.tell_about(&stored.value, self.clock.now()).await?;
        Ok(wanted_at(&stored.value))
    }

    /// Somebody met the finding again while it was being worked on, or the ledger failed. What was sent is in the
    /// outcomes, so the next try finds out; it need not wait for the end of this lease.
    async fn give_back(&self, id: &IncidentId, claimed: &State) -> Result<(), Trouble> {
        // Others write the incident too: it is read again until it is given back, or another's.
        for _ in 0..Self::GIVES_BACK {
            let now = self.clock.now();
            let Some(mut stored) = self.ledger.incident(id).await? else { return Ok(()) };
            if stored.value.state != *claimed {
                return Ok(());
            }
            stored.value.release(now, now);
            match self.ledger.replace(stored).await {
                Ok(_) => return Ok(()),
                Err(ledger::LedgerError::Conflict { place: _ }) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::now(anyhow::anyhow!("others kept writing the incident `{id}`")))
    }
}

/// When `remediate` has something to do about an incident.
fn wanted_at(incident: &Incident) -> Option<Timestamp> {
    match &incident.state {
        State::Claimed { lease } => Some(lease.until),
        State::Sent { look_again_at, .. } | State::Undoing { look_again_at, .. } => Some(*look_again_at),
        State::Open => match incident.wake {
            Wake::None => None,
            Wake::Due { at } | Wake::Sent { at } => Some(at),
        },
        State::Done { .. }
        | State::Refused { .. }
        | State::Failed { .. }
        | State::Undone { .. }
        | State::Resolved { .. } => None,
    }
}
