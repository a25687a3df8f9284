//! `pending_for`: the account was invited that long ago, and the invitation has not been accepted since.

use jiff::Timestamp;
use model::Permission;

use super::{Answer, Case, ConditionSummary};
use crate::facts::Facts;
use crate::span::Span;

pub(super) const SUMMARY: ConditionSummary = ConditionSummary {
    key: "pending_for",
    summary: "the invitation has not been accepted, so long after the account was created (days or hours)",
    example: "pending_for: 14d",
    permissions: &[Permission("User.Read.All")],
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingForCondition {
    pub(crate) span: Span,
}

impl PendingForCondition {
    pub(super) fn holds(self, case: &Case<'_>) -> Answer {
        let Self { span } = self;
        if !is_pending(case.facts) {
            return Answer::No;
        }
        let Some(created_at) = case.facts.created_at else {
            let why = "the invitation has not been accepted, and the account has no creation date";
            return Answer::Unknown(vec![why.to_owned()]);
        };
        if span.after(created_at) > case.now {
            return Answer::No;
        }
        Answer::Yes(vec![format!(
            "the invitation has not been accepted within {span} (the account was created at {created_at})"
        )])
    }

    /// When it begins to hold, if nobody accepts.
    pub(super) fn begins(self, case: &Case<'_>) -> Option<Timestamp> {
        let created_at = case.facts.created_at.filter(|_| is_pending(case.facts))?;
        Some(self.span.after(created_at))
    }

    pub(super) fn describe(self) -> String {
        format!("the invitation has not been accepted within {}", self.span)
    }
}

/// <https://learn.microsoft.com/graph/api/resources/user#properties>
fn is_pending(facts: &Facts) -> bool {
    facts.external_user_state.as_deref().is_some_and(|state| state.eq_ignore_ascii_case("PendingAcceptance"))
}
