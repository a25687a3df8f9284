//! Waiting for somebody: an approval is bound to the plan that he saw, ends after seven days, and serves once.
//! Pure, like all transitions.

use jiff::{SignedDuration, Timestamp};

use crate::{Approval, Finding, Incident, Plan, PlanHash, Routes, State, Wake};

/// Why an incident cannot be approved or rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotDecide {
    #[error("it is {state}, and waits for nobody's decision")]
    NotWaiting { state: &'static str },
    #[error("it waited until {until}, and nobody decided")]
    TooLate { until: Timestamp },
    #[error(
        "its plan has changed since it was looked at; it is now `{plan}`: look again, and decide about that"
    )]
    AnotherPlan { plan: String },
}

impl Incident {
    /// How long a plan waits for somebody.
    pub const ASKS_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

    /// Somebody has to approve first. `because` is what holds it back beside the mode.
    pub fn ask(&mut self, because: Option<String>, routes: &Routes, now: Timestamp) {
        let until = now.checked_add(Self::ASKS_FOR).unwrap_or(Timestamp::MAX);
        self.wake = Wake::None;
        self.attempts = 0;
        self.spend_approval();
        self.waits_because = because;
        self.become_and_tell(State::Waiting { since: now, until }, routes, now);
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
        now: Timestamp,
    ) -> Result<(), CannotDecide> {
        self.may_decide(now)?;
        if self.plan().hash() != plan {
            return Err(CannotDecide::AnotherPlan { plan: self.plan().to_string() });
        }
        self.approval = Some(Approval { by, reason, at: now, plan: self.plan().clone(), spent: false });
        self.state = State::Open;
        self.wake = Wake::Due { at: now };
        self.updated_at = now;
        Ok(())
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
        match &self.state {
            State::Waiting { since: _, until } if *until <= now => {
                Err(CannotDecide::TooLate { until: *until })
            }
            State::Waiting { since: _, until: _ } => Ok(()),
            State::Open
            | State::Claimed { .. }
            | State::Sent { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undoing { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => Err(CannotDecide::NotWaiting { state: self.state.word() }),
        }
    }

    /// Ends it if nobody has decided in time. Returns whether that is so.
    pub fn expire(&mut self, routes: &Routes, now: Timestamp) -> bool {
        let late = matches!(&self.state, State::Waiting { since: _, until } if *until <= now);
        if late {
            self.become_and_tell(State::Expired { at: now }, routes, now);
        }
        late
    }

    /// It serves once.
    pub(crate) fn spend_approval(&mut self) {
        self.waits_because = None;
        if let Some(approval) = &mut self.approval {
            approval.spent = true;
        }
    }
}
