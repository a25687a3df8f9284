//! Does a scenario admit the guest? Every identity address must be of one and the same partner that a scenario names.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::RuleId;

use crate::conditions::{Answer, Case, OWN_DOMAINS_UNREAD, kind_is_unknown};
use crate::kind::Kind;
use crate::policy::{Otherwise, Partner, Policy, Scenario};

/// What all scenarios together say.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The first that admits.
    pub(super) by: Option<RuleId>,
    /// When the first partner that matters here ends.
    pub(super) ends_at: Option<Timestamp>,
    /// Why one that does not admit might.
    unknown: BTreeSet<String>,
    reasons: Vec<String>,
}

const NOT_ADMITTED: &str = "no scenario admits the account";
const MAYBE_ADMITTED: &str = "whether a scenario admits the account could not be checked";

enum Admits {
    Yes,
    No,
    Unknown(String),
}

impl Admission {
    pub(super) fn of(policy: &Policy, case: &Case<'_>) -> Self {
        let partners = CommonPartners::of(policy, case);
        let mut admission = Self::default();
        for scenario in &policy.scenarios {
            match admits(scenario, case, &partners) {
                Admits::Yes if admission.by.is_none() => admission.by = Some(scenario.id.clone()),
                Admits::Yes | Admits::No => {}
                Admits::Unknown(why) => {
                    admission.unknown.insert(why);
                }
            }
        }
        let named = |index: &usize| {
            policy
                .scenarios
                .iter()
                .any(|scenario| scenario.partners.as_ref().is_some_and(|all| all.contains(index)))
        };
        let ends = partners.active.iter().filter(|(index, _)| named(index));
        admission.ends_at = ends.filter_map(|(_, partner)| partner.until.map(|until| until.end())).min();
        admission.reasons = reasons(policy, case, &partners);
        admission
    }

    pub(super) fn otherwise(&self, otherwise: &Otherwise, case: &Case<'_>) -> Answer {
        let concerned = case.could_be().iter().any(|kind| otherwise.kinds.contains(kind));
        if !concerned || self.by.is_some() {
            return Answer::No;
        }
        if let Kind::Unknown { could_be: _, why } = &case.kind {
            return Answer::Unknown(vec![kind_is_unknown(why)]);
        }
        let addresses = self.reasons.iter().cloned();
        if self.unknown.is_empty() {
            return Answer::Yes([NOT_ADMITTED.to_owned()].into_iter().chain(addresses).collect());
        }
        let unknown = self.unknown.iter().cloned();
        Answer::Unknown([MAYBE_ADMITTED.to_owned()].into_iter().chain(addresses).chain(unknown).collect())
    }
}

/// The partners that every identity address is of.
struct CommonPartners<'a> {
    active: Vec<(usize, &'a Partner)>,
    ended: Vec<&'a Partner>,
}

impl<'a> CommonPartners<'a> {
    fn of(policy: &'a Policy, case: &Case<'_>) -> Self {
        let mut addresses = case.addresses.identity.iter();
        let first = addresses.next().map(|address| policy.partners.of(address.domain())).unwrap_or_default();
        let common = addresses.fold(first, |common, address| {
            let these = policy.partners.of(address.domain());
            common.intersection(&these).copied().collect()
        });
        let mut partners = Self { active: Vec::new(), ended: Vec::new() };
        for index in common {
            if let Some(partner) = policy.partners.all.get(index) {
                if partner.until.is_some_and(|until| until.is_over(case.now)) {
                    partners.ended.push(partner);
                } else {
                    partners.active.push((index, partner));
                }
            }
        }
        partners
    }
}

fn admits(scenario: &Scenario, case: &Case<'_>, common: &CommonPartners<'_>) -> Admits {
    if !case.could_be().iter().any(|kind| scenario.kinds.contains(kind)) {
        return Admits::No;
    }
    if let Some(partners) = &scenario.partners {
        if !common.active.iter().any(|(index, _)| partners.contains(index)) {
            return not_of_a_partner(case);
        }
        if let Some(why) = case.may_lack_an_address() {
            return Admits::Unknown(why);
        }
    }
    match &case.kind {
        Kind::InternalMember => Admits::No,
        Kind::Outsider(_) => Admits::Yes,
        Kind::Unknown { could_be: _, why } => Admits::Unknown(kind_is_unknown(why)),
    }
}

fn not_of_a_partner(case: &Case<'_>) -> Admits {
    if case.addresses.identity.is_empty() {
        let why = case.may_lack_an_address();
        return Admits::Unknown(why.unwrap_or_else(|| "the account has no usable address".to_owned()));
    }
    if case.facts.verified_domains.is_none() {
        // The address that no partner has may be one of our own, which would not count.
        return Admits::Unknown(OWN_DOMAINS_UNREAD.to_owned());
    }
    Admits::No
}

/// What speaks against admission, address by address.
fn reasons(policy: &Policy, case: &Case<'_>, common: &CommonPartners<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    for address in &case.addresses.identity {
        let of = policy.partners.of(address.domain());
        let names: Vec<String> = of
            .iter()
            .filter_map(|index| policy.partners.all.get(*index))
            .map(|partner| format!("`{}`", partner.name))
            .collect();
        if names.is_empty() {
            reasons.push(format!("{} is of no partner", address.told()));
        } else {
            reasons.push(format!("{} is of partner {}", address.told(), names.join(" and ")));
        }
    }
    for partner in &common.ended {
        if let Some(until) = partner.until {
            let owner = partner.owner.as_ref().map(|owner| format!(" (owner {owner})")).unwrap_or_default();
            reasons.push(format!("partner `{}`{owner} ended on {until}", partner.name));
        }
    }
    reasons
}
