//! Whose turn it is: one guest's incidents are carried out one after the other, so that two rules that ask for the same
//! write it once. Claims an incident before anything is done about it.
//!
//! The message that brought us here only names the guest; what is to be done stands in the ledger.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::{LedgerError, Stored};
use model::{CannotClaim, Incident, IncidentId, ObjectId, State, Step, Wake};

use crate::queues::look_when_due;
use crate::remediate::CarriedOut;
use crate::right_time::may_end;
use crate::step::Pursuit;
use crate::trouble::{after, is_not_found};
use crate::{End, Remediator, Trouble};

mod places;

pub(crate) use places::Counted;

impl Remediator {
    /// Others write an incident at most a few times in a row.
    pub(crate) const GIVES_BACK: u32 = 32;

    /// After so long a job leaves what is left of its guest to the next one: its own lease must outlast it.
    pub(crate) const A_JOB: SignedDuration = SignedDuration::from_mins(1);

    /// # Errors
    /// The ledger or a queue is in trouble. Trouble with Graph is written into the incident instead.
    pub async fn remediate(&self, id: &IncidentId) -> Result<End, Trouble> {
        let Some(named) = self.ledger.incident(id).await? else {
            return Ok(End::Bury { why: format!("there is no incident `{id}` in the ledger") });
        };
        // What is claimed, ended or counted at a wrong moment does harm for as long as the clock was wrong.
        may_end(&self.reader, &self.notices).await?;
        let (began, mut turn) = (self.clock.now(), Turn::default());
        for stored in self.in_turn(named.value.key.guest).await? {
            let now = self.clock.now();
            let awaited = Awaited::of(&stored.value, now);
            // Whoever waits for a person keeps nobody else waiting.
            let over = matches!(&stored.value.state, State::Waiting { since: _, until } if *until <= now);
            let wanted = match wanted_at(&stored.value) {
                Some(_) if turn.keeps_waiting(&stored.value) => continue,
                Some(at) if at > now => Ok(Some(at)),
                None if !over => Ok(None),
                Some(_) | None if now.duration_since(began) >= Self::A_JOB => Ok(Some(now)),
                Some(_) | None => self.advance(stored).await,
            };
            turn.note(wanted, awaited);
        }
        turn.end()
    }

    /// First what is under way, then the gravest, and of those first what people were told of: an undo names that one.
    async fn in_turn(&self, guest: ObjectId) -> Result<Vec<Stored<Incident>>, Trouble> {
        let (mut incidents, now) = (self.ledger.incidents_of(guest).await?, self.clock.now());
        for stored in &mut incidents {
            stored.value.bring_near(now);
        }
        incidents.sort_by_key(|Stored { value, .. }| {
            let begins = value.state == State::Open;
            (begins, Reverse(value.finding.severity), value.told_with.is_some(), value.opened_at)
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

    /// Nobody has decided in time.
    async fn end_waiting(&self, mut stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        if !may_end(&self.reader, &self.notices).await? {
            return Ok(Some(after(self.clock.now(), Self::STOPPED)));
        }
        if matches!(stored.value.state, State::Waiting { since: _, until } if until > self.clock.now()) {
            return Ok(None);
        }
        stored.value.expire(&self.rules.routes, self.clock.now());
        self.write_down(stored).await
    }

    async fn begin(&self, mut stored: Stored<Incident>) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        if self.ledger.stop().await?.is_some() {
            let again = after(now, Self::STOPPED);
            // However many wait, the steward finds what else is overdue.
            if stored.value.put_off_wake(again, now) {
                self.ledger.replace(stored).await?;
            }
            return Ok(Some(again));
        }
        if self.clock.was_compared() {
            stored.value.end_approval(now);
        }
        // Whoever takes over goes on with what was sent under the claim that has ended.
        let taken_over =
            matches!(stored.value.state, State::Claimed { .. }).then_some(stored.value.updated_at);
        match stored.value.claim(now, Self::LEASE) {
            Ok(()) => {}
            Err(CannotClaim::Held { until }) => return Ok(Some(until)),
            Err(CannotClaim::NothingToDo { state: _ }) => return Ok(None),
        }
        let stored = self.ledger.replace(stored).await?;
        let (id, claimed) = (stored.value.id.clone(), stored.value.state.clone());
        let carried_out = match self.carry_out(stored, taken_over).await {
            Ok(Some(carried_out)) => self.write_result(carried_out, &claimed).await,
            Ok(None) => Ok(None),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = &carried_out {
            self.give_back(&id, &claimed, trouble.retry_after).await?;
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
            Ok(snapshot) if snapshot.there == Some(false) => self.not_there(incident).await?,
            Ok(snapshot) => {
                let sent = self.sent(incident).await?;
                self.act(incident, &snapshot, Pursuit::FollowsUp { asked_at: since }).await?;
                self.disprove(&sent, &snapshot).await?;
            }
            Err(error) if is_not_found(&error) => self.not_there(incident).await?,
            Err(error) => match error.advice() {
                // Nobody has read anything: that it does not show is not known.
                graph::Advice::TryAgain { after: _ } if now.duration_since(since) < Incident::LOOKS_FOR => {
                    self.unseen(incident, since, now);
                }
                graph::Advice::TryAgain { after: _ }
                | graph::Advice::MaybeNotReplicatedYet
                | graph::Advice::GiveUp { tell: _ }
                | graph::Advice::FixCredential { tell: _ } => {
                    self.in_trouble(incident, &error, "read the guest").await?;
                }
            },
        }
        self.try_anew_later(&stored.value, false).await?;
        self.write_down(stored).await
    }

    /// Whatever made Graph refuse may be mended by then, and nothing else may tell of the guest for a day. The longer it
    /// has lasted the longer it waits, up to the listing that looks at everybody once a day.
    async fn try_anew_later(&self, incident: &Incident, left: bool) -> Result<(), Trouble> {
        const FIRST: SignedDuration = SignedDuration::from_hours(1);
        const LAST: SignedDuration = SignedDuration::from_hours(24);
        let failed = match &incident.state {
            State::Failed { why: _ } => true,
            State::Partly { at: _, why: _ } => left,
            State::Open
            | State::Waiting { .. }
            | State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Refused { .. }
            | State::Undoing { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => false,
        };
        if !failed {
            return Ok(());
        }
        let Incident { key, correlation, failing_since, .. } = incident;
        let now = self.clock.now();
        let wait = failing_since.map_or(FIRST, |since| now.duration_since(since).clamp(FIRST, LAST));
        let look = look_when_due((key.tenant, key.guest), after(now, wait), true, *correlation)?;
        Ok(self.queues.changes.send(vec![look]).await?)
    }

    /// Somebody may have met the finding again, or told of it, while it was carried out. What was done is true all the same,
    /// and goes onto what is there now.
    async fn write_result(
        &self,
        carried_out: CarriedOut,
        claimed: &State,
    ) -> Result<Option<Timestamp>, Trouble> {
        let CarriedOut { written, stored: mut result, walk, place } = carried_out;
        let id = result.value.id.clone();
        let unused = match place {
            Some(taken_at) if !self.has_sent(&result.value, taken_at).await? => Some(taken_at),
            Some(_) | None => None,
        };
        let left = walk.as_ref().is_some_and(|walk| !walk.failed.is_empty());
        for _ in 0..Self::GIVES_BACK {
            self.try_anew_later(&result.value, left).await?;
            match self.write_end(result.clone(), unused).await {
                Ok(stored) => {
                    self.queues.tell_about(&stored.value).await?;
                    return Ok(wanted_at(&stored.value));
                }
                Err(LedgerError::Conflict { place }) => {
                    let current = self.ledger.incident(&id).await?;
                    if unused.is_some() && current.as_ref() == Some(&written) {
                        // It was the circuit breaker that somebody has written.
                        tokio::task::yield_now().await;
                        continue;
                    }
                    let ours = current.filter(|current| current.value.state == *claimed);
                    let (Some(walk), Some(mut current)) = (&walk, ours) else {
                        return Err(LedgerError::Conflict { place }.into());
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
        self.queues.tell_about(&stored.value).await?;
        Ok(wanted_at(&stored.value))
    }

    /// Somebody met the finding again while it was being worked on, or the ledger failed. What was sent is in the
    /// outcomes, so the next try finds out; it need not wait for the end of this lease, but for as long as the other side
    /// asks for.
    async fn give_back(
        &self,
        id: &IncidentId,
        claimed: &State,
        told: Option<SignedDuration>,
    ) -> Result<(), Trouble> {
        // Others write the incident too: it is read again until it is given back, or another's.
        for _ in 0..Self::GIVES_BACK {
            let now = self.clock.now();
            let Some(mut stored) = self.ledger.incident(id).await? else { return Ok(()) };
            if stored.value.state != *claimed {
                return Ok(());
            }
            stored.value.release(after(now, told.unwrap_or_default()), now);
            match self.ledger.replace(stored).await {
                Ok(_) => return Ok(()),
                Err(LedgerError::Conflict { place: _ }) => tokio::task::yield_now().await,
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

/// One guest's incidents, as far as they have come.
#[derive(Default)]
struct Turn {
    /// What is under way or waits for its next try.
    awaited: BTreeSet<Step>,
    /// A worker has the guest to himself.
    held: bool,
    earliest: Option<Timestamp>,
    trouble: Option<Trouble>,
}

/// What others need not do as long as this incident wants to be moved later.
enum Awaited {
    Everything,
    Steps(Vec<Step>),
}

impl Awaited {
    fn of(incident: &Incident, now: Timestamp) -> Self {
        match &incident.state {
            State::Claimed { lease } if lease.until > now => Self::Everything,
            // What is given back now is taken away again after that.
            State::Undoing { .. } => {
                let steps = incident.undo.iter().flat_map(|undo| &undo.steps);
                Self::Steps(steps.map(|step| step.undo()).collect())
            }
            // It begins nothing before the one that speaks for it, which must not wait for it, either.
            State::Open if incident.told_with.is_some() => Self::Steps(Vec::new()),
            State::Open
            | State::Waiting { .. }
            | State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => Self::Steps(incident.plan().steps.clone()),
        }
    }
}

impl Turn {
    /// Whether all that this one asks for is awaited: it may have nothing to do after that.
    fn keeps_waiting(&self, incident: &Incident) -> bool {
        let begins = incident.state == State::Open && !incident.plan().is_empty();
        let mut steps = incident.plan().steps.iter();
        self.held || (begins && steps.all(|step| self.awaited.contains(step)))
    }

    fn note(&mut self, wanted: Result<Option<Timestamp>, Trouble>, awaited: Awaited) {
        let wanted = match wanted {
            Ok(None) => return,
            Ok(Some(at)) => Some(at),
            // The others have their turn all the same.
            Err(trouble) => {
                self.trouble.get_or_insert(trouble);
                None
            }
        };
        self.earliest = [self.earliest, wanted].into_iter().flatten().min();
        match awaited {
            Awaited::Everything => self.held = true,
            Awaited::Steps(steps) => self.awaited.extend(steps),
        }
    }

    fn end(self) -> Result<End, Trouble> {
        match (self.trouble, self.earliest) {
            (Some(trouble), _) => Err(trouble),
            (None, Some(at)) => Ok(End::Again { at, job: None }),
            (None, None) => Ok(End::Done),
        }
    }
}
