//! `inviter`: whoever invited the account is of this sort. Only the directory audit proves who it was: what a sponsor is,
//! whom the inviter could choose, is told and nothing else.

mod matcher;

use model::Permission;

use super::{Answer, Case, ConditionSummary, Match, Weakness};
use crate::facts::Facts;
use crate::inviter::Inviter;

pub(crate) use matcher::{InviterMatcher, Role};

pub(super) const SUMMARY: ConditionSummary = ConditionSummary {
    key: "inviter",
    summary: "whoever invited the account is such a one: `kind` (guest, external-member, local-guest, internal-member, app), \
              `domain` (as above), `ids` (of users and service principals), `group` (an id, or a name that one group bears; \
              however deep). What only a sponsor is, is told and not acted on",
    example: "inviter: { kind: [guest, external-member] }",
    permissions: &[
        Permission("AuditLog.Read.All"),
        Permission("User.Read.All"),
        Permission("GroupMember.Read.All"),
    ],
};

#[derive(Debug, Clone)]
pub(crate) struct InviterCondition {
    pub(crate) matcher: InviterMatcher,
}

impl InviterCondition {
    pub(super) fn holds(&self, case: &Case<'_>) -> Answer {
        let Facts { inviter, named_groups, .. } = case.facts;
        match inviter {
            Inviter::Audit(by) => match self.matcher.forbids(by, Role::Inviter, named_groups) {
                Match::No => Answer::No,
                Match::Unknown(reasons) => Answer::Unknown(reasons),
                Match::Yes(reasons) => Answer::Yes(reasons),
            },
            Inviter::Sponsors(all) => {
                let hints = all.iter().map(|by| self.matcher.forbids(by, Role::Sponsor, named_groups));
                match Match::either(hints) {
                    Match::Yes(reasons) => Answer::OnlyTells(reasons, [Weakness::Sponsor].into()),
                    Match::No | Match::Unknown(_) => Answer::Unknown(vec![inviter_is_unknown(inviter)]),
                }
            }
            Inviter::Unread | Inviter::Unreadable { why: _ } => {
                Answer::Unknown(vec![inviter_is_unknown(inviter)])
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("the inviter {}", self.matcher.describe())
    }
}

/// Why nobody can say who it was.
pub(crate) fn inviter_is_unknown(inviter: &Inviter) -> String {
    match inviter {
        Inviter::Unread => "who invited the account has not been read".to_owned(),
        Inviter::Unreadable { why } => {
            format!("who invited the account is not known ({})", crate::domain::shortened(why))
        }
        Inviter::Sponsors(_) | Inviter::Audit(_) => {
            "who invited the account is not proven: the directory audit does not say it, and a sponsor is only a hint"
                .to_owned()
        }
    }
}
