//! `kind`: the account is of one of these kinds. A guardrail that does not say is about all outsiders.

use std::collections::BTreeSet;

use model::{GuestKind, Permission};

use super::{Answer, Case, ConditionSummary};
use crate::kind::Kind;

pub(super) const SUMMARY: ConditionSummary = ConditionSummary {
    key: "kind",
    summary: "the account is a guest (another organisation's identity), an external member (the same, with `userType` \
              Member) or a local guest (credentials of this tenant)",
    example: "kind: [guest, external-member]",
    permissions: &[Permission("User.Read.All")],
};

#[derive(Debug, Clone)]
pub(crate) struct KindCondition {
    kinds: BTreeSet<GuestKind>,
    written: bool,
}

impl KindCondition {
    pub(crate) fn written(kinds: BTreeSet<GuestKind>) -> Self {
        Self { kinds, written: true }
    }

    pub(crate) fn implied() -> Self {
        Self { kinds: GuestKind::ALL.into(), written: false }
    }

    pub(super) fn holds(&self, case: &Case<'_>) -> Answer {
        if !case.could_be().iter().any(|kind| self.kinds.contains(kind)) {
            return Answer::No;
        }
        match &case.kind {
            Kind::InternalMember => Answer::No,
            Kind::Outsider(kind) if self.written => Answer::Yes(vec![told(*kind).to_owned()]),
            Kind::Outsider(_) => Answer::Yes(Vec::new()),
            Kind::Unknown { could_be: _, why } => Answer::Unknown(vec![kind_is_unknown(why)]),
        }
    }

    pub(super) fn describe(&self) -> Option<String> {
        let kinds: Vec<String> = self.kinds.iter().map(GuestKind::to_string).collect();
        self.written.then(|| format!("the kind is {}", kinds.join(" or ")))
    }
}

fn told(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Guest => "the account is a guest",
        GuestKind::ExternalMember => "the account is an external member",
        GuestKind::LocalGuest => "the account is a local guest",
    }
}

pub(crate) fn kind_is_unknown(why: &str) -> String {
    format!("the kind of the account is unknown: {why}")
}
