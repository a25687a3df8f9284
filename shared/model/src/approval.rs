//! Waiting for somebody: an approval is bound to the plan and the account that he saw, ends after seven days, and serves
//! once.
//! Pure, like all transitions.

use jiff::{SignedDuration, Timestamp};

use crate::{Approval, Finding, Incident, Plan, PlanHash, RequestId, Routes, State, Subject, Wake};

/// Why an incident cannot be approved or rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotDecide {
    #[error("it is {state}, and waits for nobody's decision")]
    NotWaiting { state: &'static str },
    #[error("it waited until {until}, and nobody decided")]
    TooLate { until: Timestamp },
    #[error(
        "its plan or the account has changed since it was looked at; it is now `{plan}` for {who}: look again, and decide \
         about that"
    )]
    AnotherPlan { plan: String, who: String },
}

impl Incident {
    /// How long a plan waits for somebody, and how long what he said serves.
    pub const ASKS_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

    /// Somebody has to approve first. `because` is what holds it back beside the mode.
    pub fn ask(&mut self, because: Option<String>, routes: &Routes, now: Timestamp) {
        let until = now.checked_add(Self::ASKS_FOR).unwrap_or(Timestamp::MAX);
        self.wake = Wake::None;
        (self.attempts, self.begun) = (0, false);
        self.spend_approval();
        self.waits_because = because;
        self.become_and_tell(State::Waiting { since: now, until }, routes, now);
    }

    /// Names what somebody is asked: this plan, for this account as it is now.
    #[must_use]
    pub fn question(&self) -> PlanHash {
        let who = self.subject.identity();
        PlanHash::of(&format!("{} for the {} {}", self.plan(), who.kind, who.addresses.join(", ")))
    }

    /// Who the account is, as it was just read. Whoever it has become, nobody has approved of anything for him.
    pub fn is_about(&mut self, subject: Subject, now: Timestamp) {
        if subject.identity() != self.subject.identity() {
            self.subject = subject;
        }
        self.end_approval(now);
    }

    /// An approval that is too old, or for another account, serves nobody, and people are asked again.
    pub fn end_approval(&mut self, now: Timestamp) {
        let who = self.subject.identity();
        let ended = |approval: &Approval| {
            let late = approval.at.checked_add(Self::ASKS_FOR).is_ok_and(|until| until <= now);
            let another = approval.identity.as_ref().is_some_and(|approved| *approved != who);
            !approval.spent && (late || another)
        };
        if self.approval.as_ref().is_some_and(ended) {
            self.approval = None;
            self.told = None;
        }
    }

    /// Whether this finding may be acted on now: its mode allows it and nothing holds it back, or somebody approved of all
    /// that it asks for.
    #[must_use]
    pub fn may_act_on(&self, finding: &Finding) -> bool {
        let free = finding.acts() && self.waits_because.is_none();
        free || (self.is_approved(&finding.plan) && (finding.acts() || finding.asks()))
    }

    /// Whether somebody approved of all that the plan asks for, and it has not been carried out.
    #[must_use]
    pub fn is_approved(&self, plan: &Plan) -> bool {
        self.approval.as_ref().is_some_and(|approval| !approval.spent && plan.is_within(&approval.plan))
    }

    /// # Errors
    /// It does not wait, or not for this plan.
    pub fn approve(
        &mut self,
        plan: PlanHash,
        by: String,
        reason: String,
        request: RequestId,
        now: Timestamp,
    ) -> Result<(), CannotDecide> {
        self.may_decide(now)?;
        if self.question() != plan {
            let who = self.subject.addresses.join(", ");
            return Err(CannotDecide::AnotherPlan { plan: self.plan().to_string(), who });
        }
        let identity = Some(self.subject.identity());
        let plan = self.plan().clone();
        self.approval =
            Some(Approval { by, reason, at: now, plan, identity, spent: false, request: Some(request) });
        self.is_asked_no_more();
        self.state = State::Open;
        self.wake = Wake::Due { at: now };
        self.updated_at = now;
        Ok(())
    }

    /// Whoever is asked the same once more is told of it: something may have been written in between.
    pub(crate) fn is_asked_no_more(&mut self) {
        if matches!(self.state, State::Waiting { .. }) {
            self.told = None;
        }
    }

    /// # Errors
    /// It does not wait.
    pub fn reject(
        &mut self,
        by: String,
        reason: String,
        routes: &Routes,
        now: Timestamp,
    ) -> Result<(), CannotDecide> {
        self.may_decide(now)?;
        self.become_and_tell(State::Rejected { at: now, by, reason }, routes, now);
        Ok(())
    }

    fn may_decide(&self, now: Timestamp) -> Result<(), CannotDecide> {
        match self.state.waits() {
            Some((_, until)) if until <= now => Err(CannotDecide::TooLate { until }),
            Some(_) => Ok(()),
            None => Err(CannotDecide::NotWaiting { state: self.state.word() }),
        }
    }

    /// Ends it if nobody has decided in time. Returns whether that is so.
    pub fn expire(&mut self, routes: &Routes, now: Timestamp) -> bool {
        let late = self.state.waits().is_some_and(|(_, until)| until <= now);
        if late {
            self.become_and_tell(State::Expired { at: now }, routes, now);
        }
        late
    }

    /// Nothing but an approval releases what was held back: neither time, nor a rejection, nor a guest who leaves for a
    /// moment. Whoever opens the next one has to ask, too.
    pub(crate) fn goes_on_waiting(&self) -> Option<String> {
        let undecided = matches!(
            self.state,
            State::Expired { .. } | State::Rejected { .. } | State::Undone { .. } | State::Resolved { .. }
        );
        self.waits_because.clone().filter(|_| undecided)
    }

    /// It serves once.
    pub(crate) fn spend_approval(&mut self) {
        if let Some(approval) = self.approval.as_mut().filter(|approval| !approval.spent) {
            approval.spent = true;
            self.waits_because = None;
        }
    }
}
