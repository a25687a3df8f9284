//! `domain`: the guest has an address of one of these domains. It acts on an identity address; a secondary address
//! alone is only told, unless `any_address` says otherwise.

use std::sync::Arc;

use model::Permission;

use super::{Answer, Case, ConditionSummary, OWN_DOMAINS_UNREAD, Weakness};
use crate::address::Address;
use crate::domain::DomainMap;

pub(super) const SUMMARY: ConditionSummary = ConditionSummary {
    key: "domain",
    summary: "an address of the guest is of one of these domains; with a dot it is a pattern, without one a list",
    example: "domain: [blocked, competitor.example, \"*.competitor.example\"]",
    permissions: &[Permission("User.Read.All")],
};

#[derive(Debug, Clone)]
pub(crate) struct DomainCondition {
    pub(crate) sources: Vec<DomainSource>,
    pub(crate) any_address: bool,
}

/// Patterns of the rule itself, or a list by its name.
#[derive(Debug, Clone)]
pub(crate) enum DomainSource {
    Written { patterns: DomainMap<()>, texts: Vec<String> },
    List { name: String, patterns: Arc<DomainMap<()>> },
}

impl DomainCondition {
    pub(super) fn holds(&self, case: &Case<'_>) -> Answer {
        let identity = self.reasons(&case.addresses.identity);
        let secondary = self.reasons(&case.addresses.secondary);
        if !identity.is_empty() || (self.any_address && !secondary.is_empty()) {
            let mut reasons = identity;
            reasons.extend(secondary);
            if case.facts.verified_domains.is_some() {
                return Answer::Yes(reasons);
            }
            // It may be a domain of our own.
            reasons.push(OWN_DOMAINS_UNREAD.to_owned());
            return Answer::Unknown(reasons);
        }
        if !secondary.is_empty() {
            return Answer::OnlyTells(secondary, [Weakness::SecondaryAddress].into());
        }
        let unread = if self.any_address { case.unread_secondaries() } else { Vec::new() };
        let unknown: Vec<String> = case.may_lack_an_address().into_iter().chain(unread).collect();
        if unknown.is_empty() { Answer::No } else { Answer::Unknown(unknown) }
    }

    /// Sorted, so that the order of lists and entries shows nowhere.
    fn reasons(&self, addresses: &[Address]) -> Vec<String> {
        let mut reasons = Vec::new();
        for address in addresses {
            let matched = self.sources.iter().filter_map(|source| source.reason(address));
            let before = reasons.len();
            reasons.extend(matched);
            if let Some(of_this_address) = reasons.get_mut(before..) {
                of_this_address.sort_unstable();
            }
        }
        reasons.dedup();
        reasons
    }

    pub(super) fn describe(&self) -> String {
        let sources: Vec<String> = self.sources.iter().flat_map(DomainSource::told).collect();
        let address = if self.any_address { "any address" } else { "an address" };
        format!("{address} is of {}", sources.join(" or "))
    }
}

impl DomainSource {
    pub(super) fn told(&self) -> Vec<String> {
        match self {
            Self::Written { patterns: _, texts } => texts.iter().map(|text| format!("`{text}`")).collect(),
            Self::List { name, patterns: _ } => vec![format!("list `{name}`")],
        }
    }

    /// The narrowest pattern that matches stands for all.
    pub(super) fn reason(&self, address: &Address) -> Option<String> {
        match self {
            Self::Written { patterns, texts: _ } => {
                let (matched, ()) = patterns.matches(address.domain()).next()?;
                Some(format!("{} matches `{matched}`", address.told()))
            }
            Self::List { name, patterns } => {
                let (matched, ()) = patterns.matches(address.domain()).next()?;
                Some(format!("{} matches `{matched}` in list `{name}`", address.told()))
            }
        }
    }
}
