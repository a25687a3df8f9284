//! One step: write down the intent, send it, write down what Graph says. Several are taken in `walk.rs`, which reads them
//! back together.

use std::time::Duration;

use graph::{Gate, GraphError, GroupRead, LinkedKind, NotWritten};
use jiff::Timestamp;
use ledger::Ledger;
use model::{Clock, Incident, IncidentId, Mode, ObjectId, Outcome, Snapshot, Step, StepResult};

use crate::remediate::Judged;
use crate::trouble::{in_words, is_not_found};
use crate::{Remediator, Trouble};

/// How far a step has come.
pub(crate) enum Progress {
    /// A read shows it.
    Seen {
        /// It was so before we came.
        found_so: bool,
    },
    /// Graph has accepted it, and nobody has looked yet.
    Accepted(Box<Outcome>),
    /// Sent at `since`, and no read has shown it.
    Unseen {
        since: Timestamp,
    },
    Failed {
        why: String,
    },
    /// Not tried, because Graph would not: a person must do it.
    ByHand {
        why: String,
    },
    /// A read showed it at `done_at`, and a later one shows the contrary: somebody else changed it.
    PutBack {
        done_at: Timestamp,
    },
    /// It was only looked for, and has to be judged before it is sent (again).
    Unsent,
    /// It was asked for before, and is not asked for any more.
    NotWanted,
    /// Not sent: all writes are stopped.
    Stopped,
    Trouble(GraphError),
}

/// What may have been carried out, although Graph did not accept this attempt.
enum Doubt {
    None,
    /// One of a moment ago, which is recorded like this.
    Earlier(Box<Outcome>),
    /// This one: its answer was lost.
    This,
}

impl Doubt {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// Whether a write of this step may be on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pursuit<'a> {
    /// The step is asked for, and was judged. What was sent for an earlier asking has had its time, and is sent again.
    Begins(&'a Judged),
    /// It may have been sent since it was asked for, and is only looked for.
    FollowsUp { asked_at: Timestamp },
}

impl Remediator {
    /// Takes one step. The snapshot is what was just read.
    pub(crate) async fn take(
        &self,
        incident: &Incident,
        step: Step,
        snapshot: &Snapshot,
        pursuit: Pursuit<'_>,
    ) -> Result<Progress, Trouble> {
        let id = &incident.id;
        let before = self.outcome_of(id, step).await?;
        let now = self.clock.now();
        if snapshot.shows(step) == Some(true) && !self.in_doubt(id, step, before.as_ref(), now).await? {
            return self.already_so(incident, step, before, snapshot).await;
        }
        match pursuit {
            // Sent a moment ago: the read is older than the write. Sending it again would tell nothing new.
            Pursuit::Begins(judged) => match before {
                Some(Outcome { result: StepResult::Sent, at, .. })
                    if now.duration_since(at) < Incident::LOOKS_FOR =>
                {
                    Ok(Progress::Unseen { since: at })
                }
                Some(_) | None if !judged.covers(step) => Ok(Progress::NotWanted),
                before => self.send(incident, step, (snapshot, before), judged).await,
            },
            Pursuit::FollowsUp { asked_at } => Ok(looked_for(before.as_ref(), asked_at, now)),
        }
    }

    async fn outcome_of(&self, incident: &IncidentId, step: Step) -> Result<Option<Outcome>, Trouble> {
        Ok(self.ledger.outcomes(incident).await?.into_iter().rfind(|outcome| outcome.step == step))
    }

    /// We wrote the contrary a moment ago: a read that shows what this step wants may be older than that write. Only once
    /// this step was accepted, too, is the read its read-back.
    async fn in_doubt(
        &self,
        incident: &IncidentId,
        step: Step,
        before: Option<&Outcome>,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let Some(contrary) = self.outcome_of(incident, step.undo()).await? else { return Ok(false) };
        let may_be_unseen = match &contrary.result {
            StepResult::Intended | StepResult::Sent => true,
            StepResult::Done => now.duration_since(contrary.at) < Incident::LOOKS_FOR,
            StepResult::TurnedAway { why: _ }
            | StepResult::NeverShown
            | StepResult::AlreadySo
            | StepResult::Refused { why: _ }
            | StepResult::Failed { why: _ } => false,
        };
        let accepted_since = before.is_some_and(|outcome| {
            matches!(outcome.result, StepResult::Sent | StepResult::Done) && outcome.at >= contrary.at
        });
        Ok(may_be_unseen && !accepted_since)
    }

    /// It is as the step wants it: because somebody else made it so, or because we did and this is the read-back.
    async fn already_so(
        &self,
        incident: &Incident,
        step: Step,
        before: Option<Outcome>,
        snapshot: &Snapshot,
    ) -> Result<Progress, Trouble> {
        let at = self.clock.now();
        let outcome = match before {
            Some(outcome) if outcome.found_so && outcome.result == StepResult::Sent => {
                Outcome { result: StepResult::AlreadySo, at, ..outcome }
            }
            Some(outcome) if outcome.is_unsettled() => Outcome { result: StepResult::Done, at, ..outcome },
            // What somebody put back since was done again by another.
            Some(outcome)
                if matches!(outcome.result, StepResult::Done | StepResult::AlreadySo)
                    && incident.is_in_force(step, outcome.at) =>
            {
                return Ok(Progress::Seen { found_so: outcome.result == StepResult::AlreadySo });
            }
            Some(_) | None => Outcome {
                incident: incident.id.clone(),
                step,
                before: snapshot.before(step),
                identity: None,
                group: None,
                result: StepResult::AlreadySo,
                at,
                found_so: false,
                request: None,
            },
        };
        self.ledger.record(&outcome).await?;
        Ok(Progress::Seen { found_so: outcome.result == StepResult::AlreadySo })
    }

    /// The one place that writes to a tenant for a plan, and the last that asks whether it may.
    async fn send(
        &self,
        incident: &Incident,
        step: Step,
        (snapshot, last): (&Snapshot, Option<Outcome>),
        judged: &Judged,
    ) -> Result<Progress, Trouble> {
        if self.is_stopped().await? {
            return Ok(Progress::Stopped);
        }
        if !judged.covers(step) {
            return Err(Trouble::now(anyhow::anyhow!("nobody has judged whether to {step}")));
        }
        let Some(deadline) = self.still_ours(incident).await? else {
            return Err(Trouble::now(anyhow::anyhow!(
                "another worker may have taken over `{}`",
                incident.id
            )));
        };
        let mut outcome = Outcome {
            incident: incident.id.clone(),
            step,
            before: snapshot.before(step),
            identity: judged.identity().cloned(),
            group: judged.group(step),
            result: StepResult::Intended,
            at: self.clock.now(),
            found_so: false,
            request: None,
        };
        let possible = if judged.is_possible(step) { Ok(None) } else { self.would_not(incident, step).await };
        match possible {
            Ok(None) => {}
            Ok(Some(why)) => {
                outcome.result = StepResult::Refused { why: why.clone() };
                self.ledger.record(&outcome).await?;
                return Ok(Progress::ByHand { why });
            }
            Err(error) => return Ok(Progress::Trouble(error)),
        }
        let ready = self.writer.ready().await;
        // Nothing is asked of anybody between this and the write but that it is written down.
        if self.is_stopped().await? {
            return Ok(Progress::Stopped);
        }
        self.ledger.record(&outcome).await?;
        let gate = NotStopped(&self.ledger);
        let write = async {
            match ready {
                Ok(()) => self.writer.apply(step, &gate).await,
                Err(error) => Err(NotWritten { error, maybe_done: false }),
            }
        };
        let written = tokio::select! {
            // First: after a pause of the whole process, this is what has to be noticed.
            biased;
            () = past(&self.clock, deadline) => {
                // It may have been carried out all the same: the intent stays, and the next look finds out.
                return Err(Trouble::now(anyhow::anyhow!("the time to {step} ended before Graph answered")));
            }
            written = write => written,
        };
        outcome.at = self.clock.now();
        match written {
            Ok(written) => {
                outcome.request = written.request_id;
                self.accepted(outcome).await
            }
            Err(NotWritten { error, maybe_done }) => {
                // What was sent so long ago has shown, or was changed back.
                let may_show = |last: &Outcome| {
                    last.is_unsettled()
                        && !last.found_so
                        && outcome.at.duration_since(last.at) < Incident::LOOKS_FOR
                };
                let doubt = match last.filter(may_show) {
                    _ if maybe_done => Doubt::This,
                    Some(last) => Doubt::Earlier(Box::new(last)),
                    None => Doubt::None,
                };
                self.not_accepted(outcome, error, doubt).await
            }
        }
    }

    async fn accepted(&self, mut outcome: Outcome) -> Result<Progress, Trouble> {
        outcome.result = StepResult::Sent;
        self.ledger.record(&outcome).await?;
        let Outcome { incident, step, request, .. } = &outcome;
        tracing::info!(incident.id = %incident, graph.request_id = request, "{step}: accepted");
        Ok(Progress::Accepted(Box::new(outcome)))
    }

    /// Graph has one answer for "it was so before" and for other reasons; only a read tells.
    async fn not_accepted(
        &self,
        mut outcome: Outcome,
        error: GraphError,
        doubt: Doubt,
    ) -> Result<Progress, Trouble> {
        let (incident, step) = (outcome.incident.clone(), outcome.step);
        outcome.request = error.trace().request_id.clone();
        let unlinks = matches!(step, Step::RemoveMember { .. } | Step::RemoveOwner { .. });
        if unlinks && is_not_found(&error) {
            // Somebody else was faster, unless an earlier attempt of ours got no answer.
            outcome.found_so = doubt.is_none();
            return self.accepted(outcome).await;
        }
        let shows =
            async || self.snapshot(step.user(), &[step]).await.is_ok_and(|now| now.shows(step) == Some(true));
        // A replica that does not know a user says the same of him as one that knows of his deletion.
        if step.moves_account() && is_not_found(&error) && shows().await {
            outcome.found_so = doubt.is_none();
            return self.accepted(outcome).await;
        }
        let why = in_words(&error);
        if let Some(by_hand) = name_is_taken(step, &error) {
            let why = format!("failed to {step}: {why}; {by_hand}");
            self.not_done(outcome, StepResult::Failed { why: why.clone() }, doubt).await?;
            tracing::warn!(incident.id = %incident, "failed to {step}: {error}");
            return Ok(Progress::Failed { why });
        }
        match error.advice() {
            graph::Advice::GiveUp { tell: _ } => {
                let links = matches!(step, Step::AddMember { .. } | Step::AddOwner { .. });
                if links && shows().await {
                    outcome.found_so = doubt.is_none();
                    return self.accepted(outcome).await;
                }
                let failed = StepResult::Failed { why: why.clone() };
                self.not_done(outcome, failed, doubt).await?;
                tracing::warn!(incident.id = %incident, "failed to {step}: {error}");
                Ok(Progress::Failed { why: format!("failed to {step}: {why}") })
            }
            graph::Advice::TryAgain { after: _ }
            | graph::Advice::MaybeNotReplicatedYet
            | graph::Advice::FixCredential { tell: _ } => {
                self.not_done(outcome, StepResult::TurnedAway { why }, doubt).await?;
                Ok(Progress::Trouble(error))
            }
        }
    }

    /// What is known not to have been done is nobody's to undo, whoever does the same after this.
    async fn not_done(&self, mut outcome: Outcome, result: StepResult, doubt: Doubt) -> Result<(), Trouble> {
        match doubt {
            // The intent stays, and the next look finds out.
            Doubt::This => return Ok(()),
            // With its own time: what was turned away does not make it younger.
            Doubt::Earlier(earlier) => outcome = *earlier,
            Doubt::None => outcome.result = result,
        }
        Ok(self.ledger.record(&outcome).await?)
    }

    /// What Graph would refuse, known before it is tried: the last user among the owners stays
    /// (<https://learn.microsoft.com/graph/api/group-delete-owners>).
    pub(crate) async fn would_not(
        &self,
        incident: &Incident,
        step: Step,
    ) -> Result<Option<String>, GraphError> {
        let Step::RemoveOwner { user, group } = step else { return Ok(None) };
        let (read, _) = self.reader.group_and_users(group, &[]).await;
        let GroupRead { group: _, owners } = read?;
        let others = |id: ObjectId| id != user;
        let another = owners.iter().any(|owner| owner.kind == LinkedKind::User && others(owner.id));
        let called = incident.finding.names.get(&group);
        let group = called.map_or_else(|| format!("the group {group}"), |name| format!("`{name}` ({group})"));
        let why = || {
            format!(
                "the guest is the last owner of {group}: give it another owner, and take this one away then"
            )
        };
        Ok((!another).then(why))
    }

    /// Until when an attempt may start, if we are still who holds the incident.
    async fn still_ours(&self, incident: &Incident) -> Result<Option<Timestamp>, Trouble> {
        let until = incident.held_until().and_then(|until| until.checked_sub(Self::LONGEST_CALL).ok());
        let Some(deadline) = until.filter(|deadline| self.clock.now() < *deadline) else { return Ok(None) };
        let current = self.ledger.incident(&incident.id).await?;
        let same = current.is_some_and(|stored| stored.value.state == incident.state);
        Ok(same.then_some(deadline))
    }

    async fn is_stopped(&self) -> Result<bool, Trouble> {
        Ok(self.ledger.stop().await?.is_some() || self.rules.ceiling == Mode::Observe)
    }
}

/// Whether all writes are stopped by now. Where nobody can say, nothing is sent again.
pub(crate) struct NotStopped<'a>(pub(crate) &'a Ledger);

impl Gate for NotStopped<'_> {
    async fn is_open(&self) -> bool {
        matches!(self.0.stop().await, Ok(None))
    }
}

/// Looks at the clock again and again: a timer does not count the time in which a machine sleeps, after which nobody knows
/// what time it is for a while.
pub(crate) async fn past(clock: &Clock, deadline: Timestamp) {
    const TICK: Duration = Duration::from_millis(50);
    while clock.now() < deadline && !clock.is_doubted() {
        tokio::time::sleep(TICK).await;
    }
}

/// Graph restores nobody under a name or with an address that another account has by now, and waiting does not mend that
/// (<https://learn.microsoft.com/graph/api/directory-deleteditems-restore>).
fn name_is_taken(step: Step, error: &GraphError) -> Option<&'static str> {
    let restores = matches!(step, Step::Restore { user: _ });
    let refused = matches!(error, GraphError::Rejected { .. } | GraphError::Conflict { .. });
    (restores && refused).then_some(
        "if another account has taken its user principal name or an address since, restore it by hand in the Entra admin \
         center, under another name",
    )
}

/// What became of a step that is not as it was wanted, and was asked for at `asked_at`.
fn looked_for(before: Option<&Outcome>, asked_at: Timestamp, now: Timestamp) -> Progress {
    let Some(outcome) = before.filter(|outcome| outcome.at >= asked_at) else { return Progress::Unsent };
    match &outcome.result {
        StepResult::Sent => Progress::Unseen { since: outcome.at },
        // A read showed it, and this one may be older.
        StepResult::Done if now.duration_since(outcome.at) < Incident::SETTLES_AFTER => {
            Progress::Unseen { since: outcome.at }
        }
        StepResult::Done => Progress::PutBack { done_at: outcome.at },
        StepResult::Intended
        | StepResult::TurnedAway { why: _ }
        | StepResult::NeverShown
        | StepResult::AlreadySo
        | StepResult::Refused { why: _ }
        | StepResult::Failed { why: _ } => Progress::Unsent,
    }
}
