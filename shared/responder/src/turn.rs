//! Whose turn it is: one guest's incidents are carried out one after the other, so that two rules that ask for the same
//! write it once. Claims an incident before anything is done about it.
//!
//! The message that brought us here only names the guest; what is to be done stands in the ledger.

use jiff::Timestamp;
use ledger::Stored;
use model::{Breaker, CannotClaim, Incident, IncidentId, ObjectId, Place, State, Wake};

use crate::step::Pursuit;
use crate::trouble::{after, is_not_found, to_the_second};
use crate::walk::Walk;
use crate::{End, Remediator, Trouble};

impl Remediator {
    /// Others write an incident at most a few times in a row.
    pub(crate) const GIVES_BACK: u32 = 32;

    /// # Errors
    /// The ledger or a queue is in trouble. Trouble with Graph is written into the incident instead.
    pub async fn remediate(&self, id: &IncidentId) -> Result<End, Trouble> {
        let Some(named) = self.ledger.incident(id).await? else {
            return Ok(End::Bury { why: format!("there is no incident `{id}` in the ledger") });
        };
        for stored in self.in_turn(named.value.key.guest).await? {
            let now = self.clock.now();
            // Whoever waits for a person keeps nobody else waiting.
            let over = matches!(&stored.value.state, State::Waiting { since: _, until } if *until <= now);
            let wanted = match wanted_at(&stored.value) {
                _ if over => self.advance(stored).await?,
                Some(at) if at <= now => self.advance(stored).await?,
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
            State::Waiting { since: _, until: _ } => self.end_waiting(stored).await,
            State::Open
            | State::Claimed { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => self.begin(stored).await,
        }
    }

    /// Claims it, and takes a place of the circuit breaker in the same write. Where there is none, it waits for somebody.
    async fn claim_counted(
        &self,
        unclaimed: Stored<Incident>,
        claimed: Stored<Incident>,
        now: Timestamp,
    ) -> Result<Option<Stored<Incident>>, Trouble> {
        let Incident { id, key, subject, .. } = &unclaimed.value;
        for _ in 0..Self::GIVES_BACK {
            let before = self.ledger.breaker().await?;
            let mut breaker = before.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            let place = breaker.take(key.guest, subject.created_at, now);
            let mut wanted = claimed.clone();
            if place != Place::Granted {
                wanted = unclaimed.clone();
                wanted.value.ask(Some(why_open(&breaker)), &self.rules.routes, now);
            }
            let same = before.as_ref().is_some_and(|stored| stored.value == breaker);
            let written = if same {
                self.ledger.replace(wanted).await
            } else {
                self.ledger.replace_counted(wanted, before, &breaker).await
            };
            match written {
                Ok(stored) if place == Place::Granted => return Ok(Some(stored)),
                Ok(stored) => {
                    self.notices.breaker_opened(&breaker).await?;
                    self.queues.tell_about(&stored.value, now).await?;
                    return Ok(None);
                }
                // Another worker took a place at this moment, unless it is the incident that somebody has written.
                Err(ledger::LedgerError::Conflict { place: _ }) => {
                    let current = self.ledger.incident(id).await?;
                    if current.is_none_or(|current| current != unclaimed) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble {
            retry_after: Some(jiff::SignedDuration::from_millis(50)),
            ..Trouble::now(anyhow::anyhow!("others kept writing the incident `{id}`"))
        })
    }

    /// Nobody has decided in time.
    async fn end_waiting(&self, mut stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        stored.value.expire(&self.rules.routes, self.clock.now());
        self.write_down(stored).await
    }

    async fn begin(&self, mut stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        if self.ledger.stop().await?.is_some() {
            return Ok(Some(after(now, Self::STOPPED)));
        }
        let unclaimed = stored.clone();
        match stored.value.claim(now, Self::LEASE) {
            Ok(()) => {}
            Err(CannotClaim::Held { until }) => return Ok(Some(until)),
            Err(CannotClaim::NothingToDo { state: _ }) => return Ok(None),
        }
        // Whoever takes over has his place, and what somebody has approved needs none.
        let begins =
            unclaimed.value.state == State::Open && !unclaimed.value.is_approved(unclaimed.value.plan());
        let stored = if begins {
            let Some(stored) = self.claim_counted(unclaimed, stored, now).await? else { return Ok(None) };
            stored
        } else {
            self.ledger.replace(stored).await?
        };
        let (id, claimed) = (stored.value.id.clone(), stored.value.state.clone());
        let carried_out = match self.carry_out(stored).await {
            Ok((stored, walk)) => self.write_result(stored, walk, &claimed).await,
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
        let steps = incident.plan().steps.clone();
        match self.snapshot(incident.key.guest, &steps).await {
            Ok(snapshot) => {
                self.act(incident, &snapshot, Pursuit::FollowsUp { asked_at: since }).await?;
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

    /// Somebody may have met the finding again, or told of it, while it was carried out. What was done is true all the same,
    /// and goes onto what is there now.
    async fn write_result(
        &self,
        stored: Stored<Incident>,
        walk: Option<Walk>,
        claimed: &State,
    ) -> Result<Option<Timestamp>, Trouble> {
        let id = stored.value.id.clone();
        let mut result = stored;
        for _ in 0..Self::GIVES_BACK {
            match self.ledger.replace(result).await {
                Ok(stored) => {
                    self.queues.tell_about(&stored.value, self.clock.now()).await?;
                    return Ok(wanted_at(&stored.value));
                }
                Err(ledger::LedgerError::Conflict { place }) => {
                    let current = self.ledger.incident(&id).await?;
                    let ours = current.filter(|current| current.value.state == *claimed);
                    let (Some(walk), Some(mut current)) = (&walk, ours) else {
                        return Err(ledger::LedgerError::Conflict { place }.into());
                    };
                    self.settle(&mut current.value, walk).await?;
                    result = current;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::now(anyhow::anyhow!("others kept writing the incident `{id}`")))
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
        State::Waiting { .. }
        | State::Done { .. }
        | State::Partly { .. }
        | State::Refused { .. }
        | State::Failed { .. }
        | State::Undone { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Resolved { .. } => None,
    }
}

fn why_open(breaker: &Breaker) -> String {
    breaker.opened.as_ref().map_or_else(
        || "the circuit breaker is open".to_owned(),
        |opened| {
            let at = to_the_second(opened.at);
            format!(
                "the circuit breaker is open since {at}: more than {} {} an hour",
                opened.limit, opened.budget
            )
        },
    )
}
