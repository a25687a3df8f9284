//! What of ours is in force, and from whom it was taken: read from the outcomes, which nothing but a write of ours makes.
//!
//! Never here: whether it may be given back.

use jiff::Timestamp;
use model::{Achieved, Identity, Incident, IncidentId, Outcome, State, Step, StepResult};

use crate::trouble::after;
use crate::{Remediator, Trouble};

/// One step of ours that is in force.
pub(super) struct Taken {
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

impl Remediator {
    /// The steps of ours that are in force: sent by us, onto what was otherwise before, and not put back since.
    pub(super) async fn ours(
        &self,
        incident: &Incident,
        told_with: &[Incident],
        now: Timestamp,
    ) -> Result<Ours, Trouble> {
        if let (State::Undoing { .. }, Some(pending)) = (&incident.state, &incident.undo) {
            let taken = |step: &Step| Taken {
                step: step.undo(),
                identity: pending.identity.clone(),
                group: step.group().and_then(|id| pending.groups.get(&id).cloned()),
            };
            return Ok(Ours::InForce(pending.steps.iter().rev().map(taken).collect()));
        }
        let mut ours = Vec::new();
        for one in [incident].into_iter().chain(told_with) {
            let all = self.outcomes_in_slot(&one.id).await?;
            for outcome in all.iter().filter(|outcome| outcome.is_ours() && !is_reversed(outcome, &all)) {
                let until = after(outcome.at, Self::LEASE);
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
            let Outcome { step, identity, group, .. } = outcome;
            if !in_force.iter().any(|taken| taken.step == step) {
                in_force.push(Taken { step, identity, group });
            }
        }
        Ok(match (in_force.is_empty(), any) {
            (false, _) => Ours::InForce(in_force),
            (true, true) => Ours::PutBack,
            (true, false) => Ours::Nothing,
        })
    }

    /// Those of this incident, or, where it wrote nothing, of the last one before it that did: what that one did may still be
    /// in force.
    async fn outcomes_in_slot(&self, id: &IncidentId) -> Result<Vec<Outcome>, Trouble> {
        for generation in (1..=id.generation).rev() {
            let id = IncidentId { slot: id.slot.clone(), generation };
            let outcomes = self.ledger.outcomes(&id).await?;
            if outcomes.iter().any(|outcome| outcome.is_ours() || !outcome.step.takes_away()) {
                return Ok(outcomes);
            }
        }
        Ok(Vec::new())
    }
}

/// An undo of ours has put it back since.
fn is_reversed(outcome: &Outcome, all: &[Outcome]) -> bool {
    all.iter().any(|other| other.at >= outcome.at && other.reverses(outcome.step))
}
