//! What a guardrail can ask about a guest and his groups, one file or folder a condition. A condition answers yes, no or unknown with its reasons
//! in words, and declares here beside its code what it needs to read.

mod domain;
mod inviter;
mod joins;
mod kind;
mod pending_for;

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{GuestKind, Permission};

use crate::address::Addresses;
use crate::facts::Facts;
use crate::kind::Kind;
use crate::memberships::Seen;

pub(crate) use domain::{DomainCondition, DomainSource};
pub(crate) use inviter::{InviterCondition, InviterMatcher, inviter_is_unknown};
pub(crate) use joins::{
    BadNamePattern, GroupMatcher, JoinsCondition, LabelText, Match, NamePattern, Visibility,
};
pub(crate) use kind::{KindCondition, kind_is_unknown};
pub(crate) use pending_for::PendingForCondition;

/// An account under judgement, with what the conditions share about it.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) kind: Kind,
    pub(crate) addresses: Addresses,
    /// Those of one group stand together.
    pub(crate) memberships: Vec<Seen<'a>>,
    pub(crate) now: Timestamp,
}

impl<'a> Case<'a> {
    pub(crate) fn new(facts: &'a Facts, kind: Kind, now: Timestamp) -> Self {
        let memberships = Seen::all(&facts.memberships);
        Self { facts, kind, addresses: Addresses::of(facts), memberships, now }
    }

    /// All that the account has to do with one group, group by group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &[Seen<'a>]> {
        self.memberships.chunk_by(|a, b| a.group().id == b.group().id)
    }

    /// The kinds that it may be: one where it is known.
    pub(crate) fn could_be(&self) -> &[GuestKind] {
        match &self.kind {
            Kind::InternalMember => &[],
            Kind::Outsider(kind) => std::slice::from_ref(kind),
            Kind::Unknown { could_be, why: _ } => could_be,
        }
    }

    /// Why an identity address may be missing. Whoever signs in with credentials of ours needs none.
    pub(crate) fn may_lack_an_address(&self) -> Option<String> {
        if self.facts.identities.is_none() {
            return Some("`identities` could not be read".to_owned());
        }
        if !self.addresses.unusable.is_empty() {
            return Some(self.addresses.unusable.join("; "));
        }
        let from_outside = self.could_be().iter().any(|kind| *kind != GuestKind::LocalGuest);
        (self.addresses.identity.is_empty() && from_outside)
            .then(|| "the account has no usable address of another organisation".to_owned())
    }
}

impl Case<'_> {
    /// Which secondary addresses may be missing: these matter only to a rule that acts on one.
    pub(crate) fn unread_secondaries(&self) -> Vec<String> {
        let Facts { other_mails, proxy_addresses, .. } = self.facts;
        let unread = [("otherMails", other_mails.is_none()), ("proxyAddresses", proxy_addresses.is_none())];
        let unread = unread.into_iter().filter(|(_, unread)| *unread);
        unread.map(|(name, _)| format!("`{name}` could not be read")).collect()
    }
}

pub(crate) const OWN_DOMAINS_UNREAD: &str = "the tenant's verified domains could not be read";

/// What is asked about the guest himself. What is asked about his groups is a [`JoinsCondition`] beside it.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Domain(DomainCondition),
    Kind(KindCondition),
    Inviter(InviterCondition),
    PendingFor(PendingForCondition),
}

impl Condition {
    pub(crate) fn holds(&self, case: &Case<'_>) -> Answer {
        match self {
            Self::Domain(condition) => condition.holds(case),
            Self::Kind(condition) => condition.holds(case),
            Self::Inviter(condition) => condition.holds(case),
            Self::PendingFor(condition) => condition.holds(case),
        }
    }

    /// When time alone makes another answer of it.
    pub(crate) fn changes_at(&self, case: &Case<'_>) -> Option<Timestamp> {
        match self {
            Self::Domain(_) | Self::Kind(_) | Self::Inviter(_) => None,
            Self::PendingFor(condition) => condition.begins(case),
        }
    }

    pub(crate) fn inviter(&self) -> Option<&InviterMatcher> {
        match self {
            Self::Inviter(condition) => Some(&condition.matcher),
            Self::Domain(_) | Self::Kind(_) | Self::PendingFor(_) => None,
        }
    }

    /// As it reads after "if". `None` where it was not written.
    pub(crate) fn describe(&self) -> Option<String> {
        match self {
            Self::Domain(condition) => Some(condition.describe()),
            Self::Kind(condition) => condition.describe(),
            Self::Inviter(condition) => Some(condition.describe()),
            Self::PendingFor(condition) => Some(condition.describe()),
        }
    }
}

/// With its reasons in words. The order is that of "and": the first of two wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    No,
    Unknown(Vec<String>),
    /// It holds by something too weak to act on.
    OnlyTells(Vec<String>, BTreeSet<Weakness>),
    Yes(Vec<String>),
}

impl Answer {
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::No || other == Self::No {
            return Self::No;
        }
        let unknown = matches!(self, Self::Unknown(_)) || matches!(other, Self::Unknown(_));
        let (mut reasons, mut weak) = self.said();
        let (mut more, mut weaker) = other.said();
        reasons.append(&mut more);
        weak.append(&mut weaker);
        if unknown {
            Self::Unknown(reasons)
        } else if weak.is_empty() {
            Self::Yes(reasons)
        } else {
            Self::OnlyTells(reasons, weak)
        }
    }

    fn said(self) -> (Vec<String>, BTreeSet<Weakness>) {
        match self {
            Self::No => (Vec::new(), BTreeSet::new()),
            Self::Unknown(reasons) | Self::Yes(reasons) => (reasons, BTreeSet::new()),
            Self::OnlyTells(reasons, weak) => (reasons, weak),
        }
    }
}

/// Why something that matches is not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weakness {
    SecondaryAddress,
    Sponsor,
}

impl Weakness {
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::SecondaryAddress => {
                "only a secondary address matches, which proves little: `any_address: true` lets the rule act on it"
            }
            Self::Sponsor => {
                "only a sponsor matches, whom the inviter could choose: the directory audit does not say who invited"
            }
        }
    }
}

/// What a condition of a guardrail is, for documents and for the consent list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionSummary {
    /// The key under `if`.
    pub key: &'static str,
    pub summary: &'static str,
    pub example: &'static str,
    /// What the app that reads needs, at least.
    pub permissions: &'static [Permission],
}

/// Every condition that this version knows.
#[must_use]
pub fn conditions() -> [ConditionSummary; 5] {
    [domain::SUMMARY, kind::SUMMARY, inviter::SUMMARY, pending_for::SUMMARY, joins::SUMMARY]
}
