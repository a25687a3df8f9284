//! Does a scenario admit the guest? Every identity address must be of some partner that the scenario names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::RuleId;

use crate::address::Address;
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
        let origins = Origins::of(policy, case);
        let mut admission = Self::default();
        for scenario in &policy.scenarios {
            match admits(scenario, case, &origins) {
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
        let ends = origins.active().filter(|(index, _)| named(index));
        admission.ends_at = ends.filter_map(|(_, partner)| partner.until.map(|until| until.end())).min();
        admission.reasons = origins.reasons();
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

/// One identity address, and the partners that it is of.
struct Origin<'a> {
    address: &'a Address,
    /// Whether over or not.
    partners: Vec<(usize, &'a Partner)>,
}

/// Every identity address with its partners.
struct Origins<'a> {
    all: Vec<Origin<'a>>,
    now: Timestamp,
}

impl<'a> Origins<'a> {
    fn of(policy: &'a Policy, case: &'a Case<'_>) -> Self {
        let partner = |index: usize| Some((index, policy.partners.all.get(index)?));
        let origin = |address: &'a Address| {
            let partners = policy.partners.of(address.domain()).into_iter().filter_map(partner).collect();
            Origin { address, partners }
        };
        Self { all: case.addresses.identity.iter().map(origin).collect(), now: case.now }
    }

    fn is_over(&self, partner: &Partner) -> bool {
        partner.until.is_some_and(|until| until.is_over(self.now))
    }

    fn active(&self) -> impl Iterator<Item = (usize, &'a Partner)> {
        let partners = self.all.iter().flat_map(|origin| origin.partners.iter().copied());
        partners.filter(|(_, partner)| !self.is_over(partner))
    }

    /// Every address is of one of these, and there is an address.
    fn are_all_of(&self, partners: &BTreeSet<usize>) -> bool {
        let fits = |(index, partner): &(usize, &Partner)| partners.contains(index) && !self.is_over(partner);
        !self.all.is_empty() && self.all.iter().all(|origin| origin.partners.iter().any(fits))
    }

    /// What speaks against admission, address by address.
    fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.all.iter().map(Origin::told).collect();
        let partners: BTreeMap<usize, &Partner> =
            self.all.iter().flat_map(|origin| origin.partners.iter().copied()).collect();
        for partner in partners.into_values().filter(|partner| self.is_over(partner)) {
            if let Some(until) = partner.until {
                let owner =
                    partner.owner.as_ref().map(|owner| format!(" (owner {owner})")).unwrap_or_default();
                reasons.push(format!("partner `{}`{owner} ended on {until}", partner.name));
            }
        }
        reasons
    }
}

impl Origin<'_> {
    fn told(&self) -> String {
        let names: Vec<String> =
            self.partners.iter().map(|(_, partner)| format!("`{}`", partner.name)).collect();
        if names.is_empty() {
            format!("{} is of no partner", self.address.told())
        } else {
            format!("{} is of partner {}", self.address.told(), names.join(" and "))
        }
    }
}

fn admits(scenario: &Scenario, case: &Case<'_>, origins: &Origins<'_>) -> Admits {
    if !case.could_be().iter().any(|kind| scenario.kinds.contains(kind)) {
        return Admits::No;
    }
    if let Some(partners) = &scenario.partners {
        if !origins.are_all_of(partners) {
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
