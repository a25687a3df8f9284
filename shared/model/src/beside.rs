//! What a guest's other incidents mean for one of his: who speaks for it, how often its steps were put back, and what somebody
//! was asked already. Pure, like all transitions.
//!
//! `beside` are always the guest's other incidents, the newest of each slot.

use jiff::{SignedDuration, Timestamp};

use crate::{Achieved, Incident, Routes, Snapshot, State, Step, Wake};

impl Incident {
    /// How long an incident waits at least for another: whoever was moved in the wrong order costs one more turn a second.
    const NEXT_TURN: SignedDuration = SignedDuration::from_secs(1);

    /// The incident that speaks for this one; none where this one `is_approved` for itself.
    #[must_use]
    pub fn speaker<'a>(&self, beside: &'a [Self], is_approved: bool) -> Option<&'a Self> {
        let rule = self.told_with.as_ref()?;
        let speaks = |one: &&Self| {
            one.key.rule == *rule && one.key.object == self.key.object && !one.state.is_closed()
        };
        let request = |one: &Self| one.approval.as_ref().and_then(|approval| approval.request.clone());
        beside.iter().find(speaks).filter(|one| !is_approved || request(one) == request(self))
    }

    /// Another speaks for it, and has not done what both ask for (yet): this one comes to the same, and begins nothing of
    /// which nobody would hear.
    pub fn follow(&mut self, speaker: &Self, routes: &Routes, now: Timestamp) {
        let soon = now.checked_add(Self::NEXT_TURN).unwrap_or(now);
        match (&speaker.state, speaker.wake) {
            (State::Waiting { .. }, _) => self.ask(speaker.waits_because.clone(), routes, now),
            (State::Refused { why }, _) => self.refused(why.clone(), routes, now),
            (State::Failed { why }, _) => self.failed(why.clone(), routes, now),
            (State::Open, Wake::Due { at } | Wake::Sent { at }) => self.release(at.max(soon), now),
            (State::Claimed { lease }, _) => self.release(lease.until.max(soon), now),
            (State::Sent { look_again_at, .. }, _) => self.release((*look_again_at).max(soon), now),
            // Whoever looks at the guest next wakes both.
            (
                State::Open
                | State::Done { .. }
                | State::Partly { .. }
                | State::Undoing { .. }
                | State::Undone { .. }
                | State::Rejected { .. }
                | State::Expired { .. }
                | State::Resolved { .. },
                _,
            ) => self.held_back(routes, now),
        }
    }

    /// A step that we have taken again and again, and that somebody keeps changing back; and when we took it first. Who is
    /// right is for people to say.
    ///
    /// The rounds are the guest's: whoever changes it back does not ask for which rule we took it. `beside` are his other
    /// incidents.
    #[must_use]
    pub fn fought_over(
        &self,
        beside: &[Self],
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Option<(Step, Timestamp)> {
        // What an operator has undone was not fought over.
        let all: Vec<&Self> = beside
            .iter()
            .filter(|one| !matches!(one.state, State::Undoing { .. } | State::Undone { .. }))
            .chain([self])
            .collect();
        let since = |step: Step| {
            if snapshot.shows(step) != Some(false) || all.iter().any(|one| one.has_done(step)) {
                return None;
            }
            let achieved = all.iter().flat_map(|one| &one.achieved).filter(|achieved| achieved.step == step);
            let rounds: Vec<Timestamp> = achieved
                .flat_map(Achieved::rounds)
                .filter(|at| now.duration_since(*at) < Self::FOUGHT_WITHIN)
                .collect();
            rounds.iter().min().copied().filter(|_| rounds.len() >= Self::ROUNDS)
        };
        self.plan().steps.iter().find_map(|step| Some((*step, since(*step)?)))
    }

    /// Why this plan waits for somebody: he was asked about a part of it already, for another rule about the same guest, and
    /// nothing but an approval releases what is held back.
    #[must_use]
    pub fn held_beside(&self, beside: &[Self], snapshot: &Snapshot) -> Option<String> {
        let missing = |step: &&Step| snapshot.shows(**step) != Some(true);
        let asks_for = |step: &Step| self.plan().steps.contains(step);
        let held = |one: &&Self| {
            one.state.waits().is_some() && one.plan().steps.iter().filter(missing).any(asks_for)
        };
        beside.iter().filter(held).find_map(|one| one.waits_because.clone())
    }
}
