//! The groups of the account under judgement, in an order that does not depend on the order of reading.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::group::{Group, Membership, Memberships, Relation, fold};

/// A membership, with what several rules ask about its group.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    membership: &'a Membership,
    folded_name: OnceCell<Option<String>>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(membership: &'a Membership) -> Self {
        Self { membership, folded_name: OnceCell::new() }
    }

    /// Those of one group stand together. What was not read has none.
    pub(crate) fn all(memberships: &'a Memberships) -> Vec<Self> {
        let Memberships::Known(memberships) = memberships else {
            return Vec::new();
        };
        let mut all: Vec<&Membership> = memberships.iter().collect();
        all.sort_unstable_by(|a, b| {
            let key = |membership: &Membership| (membership.group.id, membership.relation);
            key(a).cmp(&key(b)).then_with(|| a.cmp(b))
        });
        all.into_iter().map(Self::new).collect()
    }

    pub(crate) fn group(&self) -> &'a Group {
        &self.membership.group
    }

    pub(crate) fn relation(&self) -> Relation {
        self.membership.relation
    }

    pub(crate) fn is_new(&self) -> bool {
        self.membership.new
    }

    pub(crate) fn folded_name(&self) -> Option<&str> {
        self.folded_name.get_or_init(|| self.group().name.as_deref().map(fold)).as_deref()
    }

    pub(crate) fn told(&self) -> String {
        format!("the account {} {}", self.relation().verb(), self.group().told())
    }
}

/// As it reads after "the account" and before "a group".
pub(crate) fn relation_words(relations: &BTreeSet<Relation>) -> String {
    let words: Vec<&str> = relations.iter().map(|relation| relation.verb()).collect();
    words.join(" or ")
}
