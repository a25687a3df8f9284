//! What was sent before this claim: whoever was interrupted may have done it, and whoever goes on must know.
//!
//! Never here: a write, or what becomes of the incident.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Incident, Outcome, Snapshot, Step, StepResult};

use super::Judged;
use crate::step::{Progress, Pursuit};
use crate::walk::Walk;
use crate::{Remediator, Trouble};

impl Remediator {
    /// What may have been sent for this incident: the last attempt of each step.
    pub(crate) async fn sent(&self, incident: &Incident) -> Result<Vec<Outcome>, Trouble> {
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        let last: BTreeMap<String, Outcome> =
            outcomes.into_iter().map(|outcome| (outcome.step.to_string(), outcome)).collect();
        Ok(last.into_values().filter(|outcome| outcome.result.was_sent()).collect())
    }

    /// What reads still do not show after so long was not done, or somebody changed it back at once: whatever they show
    /// later is not ours.
    pub(crate) async fn disprove(&self, sent: &[Outcome], snapshot: &Snapshot) -> Result<(), Trouble> {
        let now = self.clock.now();
        let disproved = |outcome: &&Outcome| {
            outcome.is_unsettled()
                && now.duration_since(outcome.at) >= Incident::LOOKS_FOR
                && snapshot.shows(outcome.step) == Some(false)
        };
        for outcome in sent.iter().filter(disproved) {
            self.ledger.record(&Outcome { result: StepResult::NeverShown, ..outcome.clone() }).await?;
        }
        Ok(())
    }

    /// No read has shown it in its time, for the first time.
    pub(super) async fn is_to_be_sent_once_more(
        &self,
        incident: &Incident,
        walk: &Walk,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let late = walk.unseen.is_some_and(|since| now.duration_since(since) >= Incident::LOOKS_FOR);
        if !late {
            return Ok(false);
        }
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        Ok(outcomes.iter().all(|outcome| outcome.result != StepResult::NeverShown))
    }

    /// Whether anything is left to be sent. Of whom nothing can be done, nobody is touched, and he is not counted.
    pub(super) async fn touches(
        &self,
        incident: &Incident,
        snapshot: &Snapshot,
        judged: &mut Judged,
    ) -> bool {
        let steps = incident.plan().steps.iter().filter(|step| snapshot.shows(**step) != Some(true));
        let mut missing: Vec<Step> = steps.filter(|step| judged.covers(**step)).copied().collect();
        // What Graph has to be asked about comes last: the others touch him anyway.
        missing.sort_by_key(|step| matches!(step, Step::RemoveOwner { .. }));
        for step in missing {
            match self.would_not(incident, step).await {
                Ok(None) => {
                    judged.note_possible(step);
                    return true;
                }
                Ok(Some(_)) => {}
                // Whoever sends it asks again, and says what came of that.
                Err(_) => return true,
            }
        }
        false
    }

    /// A write of before we were interrupted has landed: it is done, whatever is judged now.
    pub(crate) async fn note_landed(
        &self,
        incident: &mut Incident,
        sent: &[Outcome],
        snapshot: &Snapshot,
    ) -> Result<(), Trouble> {
        self.disprove(sent, snapshot).await?;
        for Outcome { step, at, .. } in sent.iter().filter(|outcome| outcome.step.takes_away()) {
            let landed = snapshot.shows(*step) == Some(true) && incident.is_in_force(*step, *at);
            if landed && !incident.has_achieved(*step) {
                let pursuit = Pursuit::FollowsUp { asked_at: *at };
                if let Progress::Seen { found_so } = self.take(incident, *step, snapshot, pursuit).await? {
                    incident.achieve(*step, found_so, self.clock.now());
                    // Whoever looked in between may have planned without it: what we did is told as done all the same.
                    let planned = incident.plan().steps.contains(step);
                    if !planned && !found_so {
                        incident.finding.plan.steps.push(*step);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Everything that the plan asks for was attempted by us, or is under way, and shows.
pub(super) fn shows_all(incident: &Incident, attempted: &[Step], snapshot: &Snapshot) -> bool {
    let any = incident.plan().steps.iter().any(|step| attempted.contains(step));
    any && shows_plan(incident, snapshot)
}

/// Nothing is missing of what the plan asks for.
pub(super) fn shows_plan(incident: &Incident, snapshot: &Snapshot) -> bool {
    incident.plan().steps.iter().all(|step| snapshot.shows(*step) == Some(true))
}

/// Since when something has been on its way that this read does not show, and may still land.
pub(super) fn under_way(sent: &[Outcome], snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let lands = |outcome: &&Outcome| {
        outcome.step.takes_away()
            && outcome.is_unsettled()
            && snapshot.shows(outcome.step) != Some(true)
            && now.duration_since(outcome.at) < Incident::LOOKS_FOR
    };
    sent.iter().filter(lands).map(|outcome| outcome.at).min()
}
