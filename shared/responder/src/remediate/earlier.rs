//! What was sent before this claim: whoever was interrupted may have done it, and whoever goes on must know.
//!
//! Never here: a write, or what becomes of the incident.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Incident, Outcome, Snapshot, Step, StepResult};

use crate::step::{Progress, Pursuit};
use crate::{Remediator, Trouble};

impl Remediator {
    /// What may have been sent for this incident: the last attempt of each step.
    pub(super) async fn sent(&self, incident: &Incident) -> Result<Vec<Outcome>, Trouble> {
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        let last: BTreeMap<String, Outcome> =
            outcomes.into_iter().map(|outcome| (outcome.step.to_string(), outcome)).collect();
        Ok(last.into_values().filter(|outcome| outcome.result.was_sent()).collect())
    }

    /// A write of before we were interrupted has landed: it is done, whatever is judged now.
    pub(super) async fn note_landed(
        &self,
        incident: &mut Incident,
        sent: &[Outcome],
        snapshot: &Snapshot,
    ) -> Result<(), Trouble> {
        for Outcome { step, at, .. } in sent.iter().filter(|outcome| outcome.step.takes_away()) {
            let landed = snapshot.shows(*step) == Some(true) && incident.is_in_force(*step, *at);
            if landed && !incident.has_achieved(*step) {
                let pursuit = Pursuit::FollowsUp { asked_at: *at };
                if let Progress::Seen { found_so } = self.take(incident, *step, snapshot, pursuit).await? {
                    incident.achieve(*step, found_so, self.clock.now());
                }
            }
        }
        Ok(())
    }
}

/// Everything that the plan asks for was attempted by us, or is under way, and shows.
pub(super) fn shows_all(incident: &Incident, attempted: &[Step], snapshot: &Snapshot) -> bool {
    let mut steps = incident.plan().steps.iter();
    let any = incident.plan().steps.iter().any(|step| attempted.contains(step));
    any && steps.all(|step| snapshot.shows(*step) == Some(true))
}

/// Since when something has been on its way that this read does not show, and may still land.
pub(super) fn under_way(sent: &[Outcome], snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let lands = |outcome: &&Outcome| {
        outcome.step.takes_away()
            && matches!(outcome.result, StepResult::Intended | StepResult::Sent)
            && snapshot.shows(outcome.step) != Some(true)
            && now.duration_since(outcome.at) < Incident::LOOKS_FOR
    };
    sent.iter().filter(lands).map(|outcome| outcome.at).min()
}
