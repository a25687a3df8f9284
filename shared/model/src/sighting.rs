//! A finding is met, and what was done about it is seen or is seen no more. Pure, like all transitions.

use jiff::Timestamp;

use crate::{Achieved, Correlation, Finding, Incident, Routes, RuleId, Snapshot, State, Step, Subject, Wake};

/// A finding, as it was met on one look at the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub subject: Subject,
    pub finding: Finding,
    pub snapshot: Snapshot,
    /// The rule that speaks for this one, too.
    pub told_with: Option<RuleId>,
    pub correlation: Correlation,
}

impl Incident {
    /// The finding was met: for the first time, or again. Decides whether `remediate` is to be woken.
    pub fn see(&mut self, met: Sighting, routes: &Routes, now: Timestamp) {
        let Sighting { subject, finding, snapshot, told_with, correlation: _ } = met;
        self.bring_near(now);
        let has_its_own_voice_again = self.told_with.is_some() && told_with.is_none();
        self.told_with = told_with;
        self.saw(&snapshot, now);
        self.seen = self.seen.saturating_add(1);
        self.last_seen_at = now;
        let to_do = |step: &&Step| snapshot.shows(**step) != Some(true);
        let missing: Vec<Step> = finding.plan.steps.iter().filter(to_do).copied().collect();
        let left = missing.iter().any(|step| self.is_left_to_a_person(*step));
        let news = missing.iter().any(|step| !self.is_left_to_a_person(*step) && !self.settles(*step, now));
        // What was left because the guest was protected can be done now.
        let freed = left && self.finding.refused.is_some() && finding.refused.is_none();
        let more_by_hand = finding.by_hand.iter().any(|one| !self.finding.by_hand.contains(one));
        let asked_before = self.question();
        self.subject = subject;
        let judged = finding.clone();
        self.note(finding);
        match &self.state {
            State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. } => {}
            State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => {}
            State::Done { .. } | State::Partly { .. } => {
                let in_charge = judged.acts() || judged.asks();
                if (news || freed) && in_charge {
                    // Somebody put it back. Acting again is a change that people are told.
                    self.told = None;
                    self.spend_approval();
                    self.act_or_ask(&judged, routes, now);
                } else if more_by_hand && in_charge {
                    let why = judged.by_hand.join("; ");
                    self.become_and_tell(State::Partly { at: now, why }, routes, now);
                } else if left && judged.acts() && self.waits_because.is_none() {
                    // It may be possible by now. People know of it, and hear again only of what has changed.
                    self.wake_up(routes, now);
                } else if judged.by_hand.is_empty() && self.complete(&snapshot, routes, now) {
                    // A person has done the rest.
                } else if has_its_own_voice_again {
                    self.tell(self.state.word().to_owned(), routes, now);
                }
            }
            State::Waiting { since: _, until: _ } => {
                let another_question = self.question() != asked_before;
                let held = self.waits_because.is_some();
                if judged.refused.is_some() || !(judged.acts() || judged.asks()) || missing.is_empty() {
                    self.settle_or_refuse(&judged, routes, now);
                } else if judged.acts() && !held {
                    self.wake_up(routes, now);
                } else if another_question {
                    self.told = None;
                    self.ask(self.waits_because.clone(), routes, now);
                } else if has_its_own_voice_again {
                    // Whoever was asked was asked by a message that has come to its end.
                    self.ask(self.waits_because.clone(), routes, now);
                }
            }
            State::Open | State::Refused { .. } | State::Failed { .. } => {
                self.end_approval(now);
                // Whoever has tried it finds out what came of it: it may be done, although nobody has read it.
                let was_tried = self.was_begun() && !matches!(self.wake, Wake::None);
                let free = judged.acts() && self.waits_because.is_none();
                if was_tried {
                    self.updated_at = now;
                } else if judged.refused.is_some() {
                    self.settle_or_refuse(&judged, routes, now);
                } else if free || ((judged.acts() || judged.asks()) && !missing.is_empty()) {
                    self.act_or_ask(&judged, routes, now);
                } else {
                    self.settle_or_refuse(&judged, routes, now);
                }
            }
        }
        self.recount(routes, now);
    }

    /// Where a message can be edited in its place, it tells now and then how often the finding was met.
    fn recount(&mut self, routes: &Routes, now: Timestamp) {
        const TOLD_AT: [u32; 9] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000];
        let busy = self.deliveries.iter().any(|delivery| delivery.due_at().is_some());
        if busy || self.state.is_closed() || !TOLD_AT.contains(&self.seen) {
            return;
        }
        // One that was taken out of the settings since has nothing to edit, and nobody else is to hear of a number.
        let here = routes.all();
        let posted: Vec<_> = self.posted.keys().filter(|name| here.contains(name)).cloned().collect();
        crate::delivery::schedule(&mut self.deliveries, &posted, now);
    }

    fn act_or_ask(&mut self, judged: &Finding, routes: &Routes, now: Timestamp) {
        if self.may_act_on(judged) {
            self.wake_up(routes, now);
        } else {
            self.ask(self.waits_because.clone(), routes, now);
        }
    }

    /// Nothing is to be done: by nobody, or by us.
    fn settle_or_refuse(&mut self, judged: &Finding, routes: &Routes, now: Timestamp) {
        self.wake = Wake::None;
        let state = judged.refused.clone().map_or(State::Open, |why| State::Refused { why });
        self.become_and_tell(state, routes, now);
    }

    /// The finding as it is judged now. What was done about it stays in its plan, and so does what is under way.
    pub fn note(&mut self, finding: Finding) {
        let under_way =
            matches!(self.state, State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. });
        let attempted = if under_way { self.plan().steps.clone() } else { Vec::new() };
        self.note_beside(finding, &attempted);
    }

    /// The finding as it is judged now, beside what was attempted or achieved for an earlier one.
    pub fn note_beside(&mut self, mut finding: Finding, attempted: &[Step]) {
        let asked = std::mem::take(&mut finding.plan.steps);
        let stays =
            |step: &&Step| asked.contains(step) || attempted.contains(step) || self.has_achieved(**step);
        // In the order in which they were planned first.
        let mut steps: Vec<Step> = self.finding.plan.steps.iter().filter(stays).copied().collect();
        steps.extend(asked.iter().filter(|step| !self.finding.plan.steps.contains(step)));
        finding.plan.steps = steps;
        for (group, name) in &self.finding.names {
            finding.names.entry(*group).or_insert_with(|| name.clone());
        }
        self.finding = finding;
    }

    /// What a read showed. The contrary of what we did, after that had settled: a person put it back, and whoever does it
    /// later is not us. Returns whether that is news.
    pub fn saw(&mut self, snapshot: &Snapshot, now: Timestamp) -> bool {
        if matches!(self.state, State::Undoing { .. }) {
            return false;
        }
        let mut news = false;
        for Achieved { step, done_at, put_back, found_so: _, earlier: _ } in &mut self.achieved {
            let settled = !is_fresh(*done_at, now);
            let known = put_back.is_some_and(|put_back| put_back >= *done_at);
            if snapshot.shows(*step) == Some(false) && settled && !known {
                *put_back = Some(*done_at);
                news = true;
            }
        }
        news
    }

    /// A read shows what the step wants: because of us, or because it was `found_so`.
    pub fn achieve(&mut self, step: Step, found_so: bool, now: Timestamp) {
        if self.has_achieved(step) {
            return;
        }
        match self.achieved.iter_mut().find(|achieved| achieved.step == step) {
            Some(achieved) => {
                if !achieved.found_so {
                    achieved.earlier.push(achieved.done_at);
                }
                achieved.earlier.retain(|at| now.duration_since(*at) < Self::FOUGHT_WITHIN);
                (achieved.done_at, achieved.found_so) = (now, found_so);
            }
            None => {
                self.achieved.push(Achieved {
                    step,
                    done_at: now,
                    put_back: None,
                    found_so,
                    earlier: Vec::new(),
                });
            }
        }
    }

    /// Somebody changed back what the step did up to that moment.
    pub fn put_back(&mut self, step: Step, done_at: Timestamp) {
        if let Some(achieved) = self.achieved.iter_mut().find(|achieved| achieved.step == step) {
            achieved.put_back = achieved.put_back.max(Some(done_at));
        }
    }

    /// A read has shown it, and nobody has put it back.
    #[must_use]
    pub fn has_achieved(&self, step: Step) -> bool {
        let in_force = |achieved: &&Achieved| {
            achieved.step == step && achieved.put_back.is_none_or(|put_back| achieved.done_at > put_back)
        };
        self.achieved.iter().any(|achieved| in_force(&achieved))
    }

    /// The same, and it was our doing.
    pub(crate) fn has_done(&self, step: Step) -> bool {
        self.has_achieved(step) && self.achieved.iter().any(|one| one.step == step && !one.found_so)
    }

    /// What outlives this incident: whoever opens the next one must know it, to see whether somebody puts it back.
    pub(crate) fn still_in_force(&self) -> Vec<Achieved> {
        let in_force = self.achieved.iter().filter(|achieved| self.has_achieved(achieved.step));
        in_force.cloned().collect()
    }

    /// What was left to a person is done, too: a read shows all that the plan asks for. Returns whether that is news.
    pub fn complete(&mut self, snapshot: &Snapshot, routes: &Routes, now: Timestamp) -> bool {
        let settled = snapshot.unsettled.is_empty();
        let all = settled && self.plan().steps.iter().all(|step| snapshot.shows(*step) == Some(true));
        let news = matches!(self.state, State::Partly { .. }) && all;
        if news {
            for step in self.plan().steps.clone() {
                self.achieve(step, true, now);
            }
            self.finding.by_hand.clear();
            self.become_and_tell(State::Done { at: now }, routes, now);
        }
        news
    }

    /// It was asked for before, and could not be done: people have been told.
    fn is_left_to_a_person(&self, step: Step) -> bool {
        matches!(self.state, State::Partly { .. })
            && self.plan().steps.contains(&step)
            && !self.achieved.iter().any(|achieved| achieved.step == step)
    }

    /// It was done a moment ago, and a replica may show the state before.
    fn settles(&self, step: Step, now: Timestamp) -> bool {
        self.achieved.iter().any(|achieved| achieved.step == step && is_fresh(achieved.done_at, now))
    }

    /// This read shows the contrary of what was done a moment ago. It may be old: the same is believed from then on.
    #[must_use]
    pub fn believes_at(&self, snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
        let contrary = |achieved: &&Achieved| {
            let shows = snapshot.shows(achieved.step);
            shows == Some(false) && self.has_achieved(achieved.step) && is_fresh(achieved.done_at, now)
        };
        let settled =
            |achieved: &Achieved| achieved.done_at.checked_add(Self::SETTLES_AFTER).unwrap_or(Timestamp::MAX);
        self.achieved.iter().filter(contrary).map(settled).max()
    }
}

/// A replica may show the state before. What was done in time to come was done before the clock was set back.
fn is_fresh(done_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(done_at).abs() < Incident::SETTLES_AFTER
}
