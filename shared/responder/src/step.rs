//! One step: write down the intent, send it, read it back, write down what came of it.

use std::time::Duration;

use jiff::Timestamp;
use model::{Incident, IncidentId, Outcome, Step, StepResult};

use crate::remediate::Judged;
use crate::trouble::in_words;
use crate::{Remediator, Trouble};

/// How far a step has come.
pub(crate) enum Progress {
    /// A read shows it.
    Seen,
    /// Sent at `since`, and no read has shown it.
    Unseen {
        since: Timestamp,
    },
    Failed {
        why: String,
    },
    /// A read showed it at `done_at`, and a later one shows the contrary: somebody else changed it.
    PutBack {
        done_at: Timestamp,
    },
    /// It was only looked for, and has to be judged before it is sent (again).
    Unsent,
    /// Not sent: all writes are stopped.
    Stopped,
    Trouble(graph::GraphError),
}

/// Whether a write of this step may be on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pursuit<'a> {
    /// The step is asked for, and was judged. What was sent for an earlier asking has had its time, and is sent again.
    Begins(&'a Judged),
    /// It may have been sent since it was asked for, and is only looked for.
    FollowsUp { asked_at: Timestamp },
}

/// What the step makes of `accountEnabled`.
fn wanted(step: Step) -> bool {
    match step {
        Step::Disable { user: _ } => false,
        Step::Enable { user: _ } => true,
    }
}

impl Remediator {
    /// Takes one step. `enabled` is what was just read.
    pub(crate) async fn take(
        &self,
        incident: &Incident,
        step: Step,
        enabled: Option<bool>,
        pursuit: Pursuit<'_>,
    ) -> Result<Progress, Trouble> {
        let id = &incident.id;
        let before = self.outcome_of(id, step).await?;
        let now = self.clock.now();
        if enabled == Some(wanted(step)) && !self.in_doubt(id, step, before.as_ref(), now).await? {
            return self.already_so(id, step, before, enabled).await;
        }
        match pursuit {
            // Sent a moment ago: the read is older than the write. Sending it again would tell nothing new.
            Pursuit::Begins(judged) => match before {
                Some(Outcome { result: StepResult::Sent, at, .. })
                    if now.duration_since(at) < Incident::LOOKS_FOR =>
                {
                    Ok(Progress::Unseen { since: at })
                }
                Some(_) | None => self.send(incident, step, enabled, judged).await,
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
            StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => false,
        };
        let accepted_since = before.is_some_and(|outcome| {
            matches!(outcome.result, StepResult::Sent | StepResult::Done) && outcome.at >= contrary.at
        });
        Ok(may_be_unseen && !accepted_since)
    }

    /// It is as the step wants it: because somebody else made it so, or because we did and this is the read-back.
    async fn already_so(
        &self,
        incident: &IncidentId,
        step: Step,
        before: Option<Outcome>,
        enabled: Option<bool>,
    ) -> Result<Progress, Trouble> {
        let at = self.clock.now();
        let outcome = match before {
            Some(outcome) if matches!(outcome.result, StepResult::Intended | StepResult::Sent) => {
                Outcome { result: StepResult::Done, at, ..outcome }
            }
            Some(outcome) if matches!(outcome.result, StepResult::Done | StepResult::AlreadySo) => {
                return Ok(Progress::Seen);
            }
            Some(_) | None => Outcome {
                incident: incident.clone(),
                step,
                enabled_before: enabled,
                identity: None,
                result: StepResult::AlreadySo,
                at,
                request: None,
            },
        };
        self.ledger.record(&outcome).await?;
        Ok(Progress::Seen)
    }

    /// The one place that writes to a tenant, and the last that asks whether it may.
    async fn send(
        &self,
        incident: &Incident,
        step: Step,
        enabled: Option<bool>,
        judged: &Judged,
    ) -> Result<Progress, Trouble> {
        if self.ledger.stop().await?.is_some() {
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
        let incident = &incident.id;
        let mut outcome = Outcome {
            incident: incident.clone(),
            step,
            enabled_before: enabled,
            identity: judged.identity().cloned(),
            result: StepResult::Intended,
            at: self.clock.now(),
            request: None,
        };
        self.ledger.record(&outcome).await?;
        let written = tokio::select! {
            // First: after a pause of the whole process, this is what has to be noticed.
            biased;
            () = self.past(deadline) => {
                // It may have been carried out all the same: the intent stays, and the next look finds out.
                return Err(Trouble::now(anyhow::anyhow!("the time to {step} ended before Graph answered")));
            }
            written = self.writer.apply(step) => written,
        };
        outcome.at = self.clock.now();
        match written {
            Ok(written) => {
                outcome.request = written.request_id;
                outcome.result = StepResult::Sent;
                self.ledger.record(&outcome).await?;
                tracing::info!(incident.id = %incident, graph.request_id = outcome.request, "{step}: accepted");
                self.read_back(outcome).await
            }
            Err(error) => match error.advice() {
                graph::Advice::GiveUp { tell: _ } => {
                    let why = in_words(&error);
                    outcome.result = StepResult::Failed { why: why.clone() };
                    outcome.request = error.trace().request_id.clone();
                    self.ledger.record(&outcome).await?;
                    tracing::warn!(incident.id = %incident, "failed to {step}: {error}");
                    Ok(Progress::Failed { why: format!("failed to {step}: {why}") })
                }
                // It may have been carried out all the same: the intent stays, and the next look finds out.
                graph::Advice::TryAgain { after: _ }
                | graph::Advice::MaybeNotReplicatedYet
                | graph::Advice::FixCredential { tell: _ } => Ok(Progress::Trouble(error)),
            },
        }
    }

    /// Until when an attempt may start, if we are still who holds the incident.
    async fn still_ours(&self, incident: &Incident) -> Result<Option<Timestamp>, Trouble> {
        let until = incident.held_until().and_then(|until| until.checked_sub(Self::LONGEST_CALL).ok());
        let Some(deadline) = until.filter(|deadline| self.clock.now() < *deadline) else { return Ok(None) };
        let current = self.ledger.incident(&incident.id).await?;
        let same = current.is_some_and(|stored| stored.value.state == incident.state);
        Ok(same.then_some(deadline))
    }

    /// Looks at the clock again and again: a timer does not count the time in which a machine sleeps.
    async fn past(&self, deadline: Timestamp) {
        const TICK: Duration = Duration::from_millis(50);
        while self.clock.now() < deadline {
            tokio::time::sleep(TICK).await;
        }
    }

    async fn read_back(&self, mut outcome: Outcome) -> Result<Progress, Trouble> {
        let since = outcome.at;
        match self.reader.user(outcome.step.user()).await {
            Ok(user) if user.account_enabled == Some(wanted(outcome.step)) => {
                outcome.result = StepResult::Done;
                outcome.at = self.clock.now();
                self.ledger.record(&outcome).await?;
                Ok(Progress::Seen)
            }
            Ok(_) => Ok(Progress::Unseen { since }),
            Err(error) => {
                tracing::warn!(incident.id = %outcome.incident, "failed to read back: {error}");
                Ok(Progress::Unseen { since })
            }
        }
    }
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
        | StepResult::AlreadySo
        | StepResult::Refused { why: _ }
        | StepResult::Failed { why: _ } => Progress::Unsent,
    }
}
