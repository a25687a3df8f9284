//! What of ours is in force, and from whom it was taken: read from the outcomes, which nothing but a write of ours makes.
//!
//! Never here: whether it may be given back.

use graph::Deleted;
use jiff::Timestamp;
use ledger::{Ledger, LedgerError};
use model::{Achieved, Identity, Incident, IncidentId, ObjectId, Outcome, State, Step, StepResult};

use crate::Remediator;
use crate::gone::is_the_one_of;
use crate::trouble::after;

/// One step of ours that is in force.
pub(super) struct Taken {
    pub(super) at: Timestamp,
    pub(super) step: Step,
    /// Who the account was then.
    pub(super) identity: Option<Identity>,
    /// What the group was like then.
    pub(super) group: Option<String>,
}

/// What of ours there is to reverse.
pub(super) enum Ours {
    /// The last first.
    InForce(Vec<Taken>),
    PutBack,
    /// A write may still be on its way.
    Writing {
        until: Timestamp,
    },
    Nothing,
}

impl Ours {
    /// Why there is nothing to reverse.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::InForce(_) => "it is in force".to_owned(),
            Self::PutBack => {
                "nothing of ours is in force any more: somebody put it back after we had done it, and who \
                              did it again since must decide"
                    .to_owned()
            }
            Self::Writing { until } => format!("a worker may still be writing; try again at {until}"),
            Self::Nothing => {
                "nothing of ours is in force: the account was disabled, or not in the group, before"
                    .to_owned()
            }
        }
    }
}

/// When we last took something that an undo of this incident would give back. `None`: there is nothing.
///
/// # Errors
/// The ledger is in trouble.
pub async fn acted_at(
    ledger: &Ledger,
    incident: &Incident,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let told_with = told_with(ledger, incident).await?;
    Ok(match ours(ledger, incident, &told_with, now).await? {
        Ours::InForce(taken) => taken.iter().map(|one| one.at).max(),
        Ours::PutBack | Ours::Writing { until: _ } | Ours::Nothing => None,
    })
}

/// The incidents that this one speaks for: people read of them in one message, with one command for all.
pub(super) async fn told_with(ledger: &Ledger, incident: &Incident) -> Result<Vec<Incident>, LedgerError> {
    let all = ledger.incidents_of(incident.key.guest).await?.into_iter().map(|stored| stored.value);
    let spoken_for = |one: &Incident| {
        !one.state.is_closed()
            && one.key.object == incident.key.object
            && one.told_with.as_ref() == Some(&incident.key.rule)
    };
    Ok(all.filter(spoken_for).collect())
}

/// The steps of ours that are in force: sent by us, onto what was otherwise before, and not put back since.
pub(super) async fn ours(
    ledger: &Ledger,
    incident: &Incident,
    told_with: &[Incident],
    now: Timestamp,
) -> Result<Ours, LedgerError> {
    if let (State::Undoing { since, .. }, Some(pending)) = (&incident.state, &incident.undo) {
        let taken = |step: &Step| Taken {
            at: now,
            step: step.undo(),
            identity: pending.identity.clone(),
            group: step.group().and_then(|id| pending.groups.get(&id).cloned()),
        };
        let all = outcomes_in_slot(ledger, &incident.id).await?;
        let given =
            |step: &&Step| all.iter().any(|outcome| outcome.at >= *since && outcome.reverses(step.undo()));
        let left: Vec<Taken> = pending.steps.iter().rev().filter(|step| !given(step)).map(taken).collect();
        return Ok(Ours::InForce(left));
    }
    let mut ours = Vec::new();
    let (_, everything) = done_about(ledger, incident.key.guest).await?;
    for one in [incident].into_iter().chain(told_with) {
        let in_slot = |outcome: &&Outcome| {
            outcome.incident.slot == one.id.slot && outcome.incident.generation <= one.id.generation
        };
        let taken = everything.iter().filter(in_slot).filter(|outcome| outcome.is_ours());
        for outcome in taken.filter(|outcome| !is_reversed(outcome, &everything)) {
            let until = after(outcome.at, Remediator::LEASE);
            if outcome.result == StepResult::Intended && now < until {
                return Ok(Ours::Writing { until });
            }
            // What an earlier incident did is ours only while this one has it from there: what it met itself may be
            // somebody else's doing.
            let inherited = |achieved: &Achieved| {
                achieved.step == outcome.step && !achieved.found_so && achieved.done_at < one.opened_at
            };
            let in_force = one.is_in_force(outcome.step, outcome.at)
                && (outcome.incident == one.id
                    || (one.has_achieved(outcome.step) && one.achieved.iter().any(inherited)));
            ours.push((outcome.clone(), in_force));
        }
    }
    ours.sort_by_key(|(outcome, _)| std::cmp::Reverse(outcome.at));
    let any = !ours.is_empty();
    let mut in_force: Vec<Taken> = Vec::new();
    for (outcome, _) in ours.into_iter().filter(|(_, in_force)| *in_force) {
        let Outcome { step, identity, group, at, .. } = outcome;
        if !in_force.iter().any(|taken| taken.step == step) {
            in_force.push(Taken { at, step, identity, group });
        }
    }
    Ok(match (in_force.is_empty(), any) {
        (false, _) => Ours::InForce(in_force),
        (true, true) => Ours::PutBack,
        (true, false) => Ours::Nothing,
    })
}

/// The incident for which we have deleted the account, if this deletion is ours.
pub(crate) async fn deleted_by(
    ledger: &Ledger,
    guest: ObjectId,
    deleted: Deleted,
) -> Result<Option<IncidentId>, LedgerError> {
    let step = Step::Delete { user: guest };
    let (incidents, everything) = done_about(ledger, guest).await?;
    let ours = incidents.into_iter().find(|one| {
        let deletes = |outcome: &&Outcome| {
            outcome.incident.slot == one.id.slot && outcome.step == step && outcome.is_ours()
        };
        everything.iter().filter(deletes).any(|outcome| {
            !is_reversed(outcome, &everything)
                && one.is_in_force(step, outcome.at)
                && is_the_one_of(outcome.at, deleted)
        })
    });
    Ok(ours.map(|one| one.id))
}

/// When an undo of ours restored the account and a read showed it, if that was our last word about it.
pub(crate) async fn restored_at(ledger: &Ledger, guest: ObjectId) -> Result<Option<Timestamp>, LedgerError> {
    let (delete, restore) = (Step::Delete { user: guest }, Step::Restore { user: guest });
    let ours = |outcome: &Outcome| match &outcome.result {
        StepResult::Done => outcome.step == delete || outcome.step == restore,
        StepResult::Intended | StepResult::Sent => outcome.step == delete,
        StepResult::TurnedAway { why: _ }
        | StepResult::NeverShown
        | StepResult::AlreadySo
        | StepResult::Refused { why: _ }
        | StepResult::Failed { why: _ } => false,
    };
    let (_, everything) = done_about(ledger, guest).await?;
    let last = everything.into_iter().filter(ours).max_by_key(|outcome| outcome.at);
    Ok(last.filter(|outcome| outcome.step == restore).map(|outcome| outcome.at))
}

/// The newest incident of each slot of a guest's, and all that they and those before them did.
async fn done_about(ledger: &Ledger, guest: ObjectId) -> Result<(Vec<Incident>, Vec<Outcome>), LedgerError> {
    let stored = ledger.incidents_of(guest).await?;
    let incidents: Vec<Incident> = stored.into_iter().map(|stored| stored.value).collect();
    let mut everything = Vec::new();
    for incident in &incidents {
        everything.extend(outcomes_in_slot(ledger, &incident.id).await?);
    }
    Ok((incidents, everything))
}

/// Those of this incident and of all before it: what they did may still be in force.
async fn outcomes_in_slot(ledger: &Ledger, id: &IncidentId) -> Result<Vec<Outcome>, LedgerError> {
    let mut all = Vec::new();
    for generation in 1..=id.generation {
        let id = IncidentId { slot: id.slot.clone(), generation };
        all.extend(ledger.outcomes(&id).await?);
    }
    Ok(all)
}

/// An undo of ours has put it back since.
fn is_reversed(outcome: &Outcome, all: &[Outcome]) -> bool {
    all.iter().any(|other| other.at >= outcome.at && other.reverses(outcome.step))
}
