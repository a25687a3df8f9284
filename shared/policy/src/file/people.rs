//! Where the policy file speaks of who invited a guest, and of one who was made up for a test.

use schemars::JsonSchema;
use serde::Deserialize;

use super::groups::{Groups, TestGroups};
use super::located::{IdText, Text, Words};
use super::vocabulary::{Vocabulary, Word};
use crate::inviter::InviterKind;

/// Whoever invited the guest. All of these must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inviter {
    /// What it is. Unlike a guest, it may be an internal member or an app.
    pub(crate) kind: Option<Words<Word<InviterKind>>>,
    /// Patterns, and in a guardrail lists by name, too. To admit, each address of the inviter must be of one.
    pub(crate) domain: Option<Words<Text>>,
    /// Object ids of users, and of the service principals of apps.
    pub(crate) ids: Option<Words<IdText>>,
    /// Whoever is a member of this group, however deep. By id, by name, or as `{ id, name }`.
    pub(crate) group: Option<Groups>,
}

impl Inviter {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { kind, domain, ids, group } = self;
        kind.is_none() && domain.is_none() && ids.is_none() && group.is_none()
    }
}

/// Who invited the guest of a test. What is not written is not so: an internal member in no group.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestInviter {
    /// Object id, where the policy names it.
    pub(crate) id: Option<IdText>,
    /// internal-member if not written.
    pub(crate) kind: Option<Word<InviterKind>>,
    pub(crate) mail: Option<String>,
    /// The groups that it is a member of; none if not written.
    pub(crate) member_of: Option<TestGroups>,
    /// Where it is known from; audit if not written. A sponsor is only a hint.
    pub(crate) source: Option<Word<InviterSource>>,
}

/// Where an inviter is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InviterSource {
    Audit,
    Sponsor,
    Unknown,
}

impl Vocabulary for InviterSource {
    const NAME: &'static str = "source";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        [("audit", Self::Audit), ("sponsor", Self::Sponsor), ("unknown", Self::Unknown)]
            .map(|(word, source)| (word.to_owned(), source))
            .to_vec()
    }
}

impl Vocabulary for InviterKind {
    const NAME: &'static str = "kind";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        Self::ALL.map(|kind| (kind.word().to_owned(), kind)).to_vec()
    }
}
