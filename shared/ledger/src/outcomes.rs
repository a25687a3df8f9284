//! What the steps of incidents did. An undo relies on these, so what was read before a write is never written over.

use jiff::Timestamp;
use model::{IncidentId, Outcome, Step, StepResult};
use serde::{Deserialize, Serialize};

use crate::ledger::TRIES;
use crate::{Document, Ledger, LedgerError, Stored};

/// One attempt at a step. A step that is tried again after it was settled is another attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    attempt: u32,
    outcome: Outcome,
}

impl Document for Recorded {
    const KIND: &'static str = "outcome";

    fn sort(&self) -> String {
        // Ten digits, so that the text order is that of the numbers.
        format!("{}{:010}", prefix(&self.outcome.incident, self.outcome.step), self.attempt)
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

fn prefix(incident: &IncidentId, step: Step) -> String {
    match step {
        Step::Disable { user } => format!("{incident}/disable/{user}/"),
        Step::Enable { user } => format!("{incident}/enable/{user}/"),
        Step::Delete { user } => format!("{incident}/delete/{user}/"),
        Step::Restore { user } => format!("{incident}/restore/{user}/"),
        Step::RemoveMember { user, group } => format!("{incident}/remove-member/{user}/{group}/"),
        Step::AddMember { user, group } => format!("{incident}/add-member/{user}/{group}/"),
        Step::RemoveOwner { user, group } => format!("{incident}/remove-owner/{user}/{group}/"),
        Step::AddOwner { user, group } => format!("{incident}/add-owner/{user}/{group}/"),
    }
}

/// Whether the attempt has come to its end, so that the next record of the step begins another one.
fn is_settled(result: &StepResult) -> bool {
    match result {
        StepResult::Intended | StepResult::Sent | StepResult::TurnedAway { why: _ } => false,
        StepResult::AlreadySo
        | StepResult::NeverShown
        | StepResult::Done
        | StepResult::Refused { why: _ }
        | StepResult::Failed { why: _ } => true,
    }
}

impl Ledger {
    /// The outcomes of an incident's steps, each attempt at its last state, the oldest first.
    pub async fn outcomes(&self, incident: &IncidentId) -> Result<Vec<Outcome>, LedgerError> {
        let stored: Vec<Stored<Recorded>> = self.all(&format!("{incident}/")).await?;
        let mut outcomes: Vec<_> = stored.into_iter().map(|stored| stored.value.outcome).collect();
        outcomes.sort_by_key(|outcome| outcome.at);
        Ok(outcomes)
    }

    /// Writes an outcome down. It replaces the one before of the same step while that one is not settled, and keeps what
    /// had been read before a write that may have been carried out; else it begins another attempt. The same outcome again
    /// changes nothing.
    pub async fn record(&self, outcome: &Outcome) -> Result<(), LedgerError> {
        let prefix = prefix(&outcome.incident, outcome.step);
        for _ in 0..TRIES {
            let latest: Option<Stored<Recorded>> = self.all(&prefix).await?.pop();
            let written = match latest {
                None => self.insert(Recorded { attempt: 1, outcome: outcome.clone() }).await,
                Some(latest) if latest.value.outcome == *outcome => return Ok(()),
                Some(latest) if is_settled(&latest.value.outcome.result) => {
                    let attempt = latest.value.attempt.saturating_add(1);
                    self.insert(Recorded { attempt, outcome: outcome.clone() }).await
                }
                Some(mut latest) => {
                    let mut outcome = outcome.clone();
                    // What was turned away changed nothing: what was read before the next attempt counts.
                    if latest.value.outcome.result.was_sent() {
                        outcome.before = latest.value.outcome.before.or(outcome.before);
                    }
                    outcome.identity = outcome.identity.or(latest.value.outcome.identity.take());
                    latest.value.outcome = outcome;
                    self.replace(latest).await
                }
            };
            match written {
                Err(LedgerError::Conflict { place: _ }) => tokio::task::yield_now().await,
                written => {
                    written?;
                    self.recorded.count(&outcome.result);
                    return Ok(());
                }
            }
        }
        Err(LedgerError::TooManyTries { place: self.place::<Recorded>(&prefix) })
    }
}
