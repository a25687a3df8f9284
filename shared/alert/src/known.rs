//! What the outcomes in the ledger say about the steps of an incident: which were ours, which are in force, which were
//! reversed. Without outcomes it says what the incident itself knows, and no more.
//! Never here: words.

use jiff::Timestamp;
use model::{Achieved, Incident, Outcome, State, Step, StepResult};

use crate::message::Progress;
use crate::plain::clean;

pub(crate) struct Known<'a> {
    incident: &'a Incident,
    /// The oldest first.
    outcomes: Vec<&'a Outcome>,
}

/// Whether a read has shown what the write changed.
fn was_done(outcome: &Outcome) -> bool {
    outcome.result == StepResult::Done && !outcome.found_so
}

impl<'a> Known<'a> {
    pub(crate) fn of(incident: &'a Incident, outcomes: &'a [Outcome]) -> Self {
        let mut outcomes: Vec<&Outcome> = outcomes.iter().collect();
        outcomes.sort_by_key(|outcome| outcome.at);
        Self { incident, outcomes }
    }

    /// How far a step of the plan came, and why no further.
    pub(crate) fn progress(&self, step: Step) -> (Progress, Option<&'a str>) {
        let last = self.outcomes.iter().rfind(|outcome| outcome.step == step).copied();
        let read = self.incident.has_achieved(step) || matches!(self.incident.state, State::Done { at: _ });
        let ours = self.sent_at(step).is_some();
        let since = self.sent_at(step).filter(|_| !matches!(self.incident.state, State::Undone { .. }));
        if self.was_reversed(step, since) {
            return (Progress::Undone, None);
        }
        if read {
            let progress =
                if ours || self.outcomes.is_empty() { Progress::Done } else { Progress::AlreadySo };
            return (progress, None);
        }
        let put_back = self.incident.achieved.iter().find(|achieved| achieved.step == step);
        if let Some(Achieved { put_back: Some(put_back), .. }) = put_back
            && last.is_none_or(|outcome| outcome.at <= *put_back)
        {
            return (Progress::PutBack, None);
        }
        match last.map(|outcome| &outcome.result) {
            Some(StepResult::Done | StepResult::Sent | StepResult::Intended) => (Progress::Sent, None),
            Some(StepResult::AlreadySo) => (Progress::AlreadySo, None),
            Some(StepResult::Refused { why }) => (Progress::Refused, Some(why)),
            Some(StepResult::Failed { why }) => (Progress::Failed, Some(why)),
            Some(StepResult::NeverShown) => {
                (Progress::Failed, Some("no read has shown it within 15 minutes"))
            }
            Some(StepResult::TurnedAway { why: _ }) => (Progress::NotDone, None),
            None => (self.without_outcome(), None),
        }
    }

    /// The state of the incident speaks for a step only where it is the only one.
    fn without_outcome(&self) -> Progress {
        let is_sent = matches!(self.incident.state, State::Sent { .. });
        if is_sent && self.incident.plan().steps.len() == 1 { Progress::Sent } else { Progress::NotDone }
    }

    /// Nothing of these has been sent, because Graph would not take it.
    pub(crate) fn was_turned_away(&self, steps: &[Step]) -> bool {
        let last = |step: &Step| self.outcomes.iter().rfind(|outcome| outcome.step == *step);
        let turned_away = |step: &Step| {
            last(step).is_some_and(|outcome| matches!(outcome.result, StepResult::TurnedAway { why: _ }))
        };
        steps.iter().any(turned_away) && !steps.iter().filter_map(last).any(|one| one.result.was_sent())
    }

    fn sent_at(&self, step: Step) -> Option<Timestamp> {
        let sent = |outcome: &&&Outcome| outcome.step == step && outcome.changed_something();
        self.outcomes.iter().rfind(sent).map(|outcome| outcome.at)
    }

    /// Those that were asked for and read back, and that Graph never answered for.
    pub(crate) fn unanswered(&self, steps: &[Step]) -> Vec<Step> {
        let last = |step: &Step| self.outcomes.iter().rfind(|outcome| outcome.step == *step);
        let unanswered =
            |step: &&Step| last(step).is_some_and(|outcome| was_done(outcome) && outcome.request.is_none());
        steps.iter().filter(unanswered).copied().collect()
    }

    /// The steps of ours that took something and that nobody has reversed, in the order of their writes. `None` where no
    /// outcome is at hand.
    pub(crate) fn in_force(&self) -> Option<Vec<Step>> {
        if self.outcomes.is_empty() {
            return None;
        }
        let mut steps: Vec<Step> = Vec::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.step.takes_away()) {
            let Some(at) = self.sent_at(outcome.step) else { continue };
            let reversed = self.reversed_at(outcome.step).is_some_and(|undone| undone >= at);
            let ours = !reversed && self.incident.is_in_force(outcome.step, at);
            if ours && !steps.contains(&outcome.step) {
                steps.push(outcome.step);
            }
        }
        Some(steps)
    }

    /// When a read showed that the step is undone.
    fn reversed_at(&self, step: Step) -> Option<Timestamp> {
        self.outcomes.iter().rfind(|outcome| outcome.reverses(step)).map(|outcome| outcome.at)
    }

    /// Whether an undo of ours has been read back: after `since`, where it may have been done again.
    fn was_reversed(&self, step: Step, since: Option<Timestamp>) -> bool {
        let undone = matches!(self.incident.state, State::Undone { .. });
        let reversed = |outcome: &&Outcome| outcome.step == step.undo() && was_done(outcome);
        let mut all = self.outcomes.iter().copied().filter(reversed);
        all.any(|outcome| since.map_or(undone, |since| outcome.at >= since))
    }

    /// The writes of undos that a read has shown.
    pub(crate) fn reversed(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let undo = |outcome: &&&Outcome| !outcome.step.takes_away() && was_done(outcome);
        for outcome in self.outcomes.iter().filter(undo) {
            if !steps.contains(&outcome.step) {
                steps.push(outcome.step);
            }
        }
        steps
    }

    /// We did some of the plan before, and somebody changed it back.
    pub(crate) fn was_put_back(&self) -> bool {
        let steps = &self.incident.plan().steps;
        self.incident.achieved.iter().any(|one| one.put_back.is_some() && steps.contains(&one.step))
    }

    /// The steps of the plan that Graph was asked for, whether a read has shown them or not.
    pub(crate) fn asked_for(&self) -> Vec<Step> {
        let steps = self.incident.plan().steps.iter().copied();
        steps.filter(|step| self.sent_at(*step).is_some()).collect()
    }

    pub(crate) fn has_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// Graph's, for a support case.
    pub(crate) fn requests(&self) -> Vec<String> {
        let ids = self.outcomes.iter().filter_map(|outcome| outcome.request.as_ref());
        let mut requests: Vec<String> = ids.map(|id| clean(id, 64)).collect();
        requests.dedup();
        requests
    }
}
