//! Does a scenario admit the guest, and does one that does cover his groups? Every identity address must be of some
//! partner that the scenario names.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{ObjectId, RuleId};

use crate::address::Address;
use crate::conditions::{Answer, Case, OWN_DOMAINS_UNREAD, kind_is_unknown};
use crate::kind::Kind;
use crate::memberships::Seen;
use crate::policy::{Otherwise, Partner, Policy, Scenario};
use crate::reference::{Names, Nobody, Refers};

/// What all scenarios together say.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    /// In the order of the file.
    answers: Vec<(&'a Scenario, Admits)>,
    /// When the first partner that matters here ends.
    pub(super) ends_at: Option<Timestamp>,
    reasons: Vec<String>,
}

const NOT_ADMITTED: &str = "no scenario admits the account";
const MAYBE_ADMITTED: &str = "whether a scenario admits the account could not be checked";

#[derive(Debug)]
enum Admits {
    Yes,
    No,
    Unknown(String),
}

impl<'a> Admission<'a> {
    pub(super) fn of(policy: &'a Policy, case: &Case<'_>) -> Self {
        let origins = Origins::of(policy, case);
        let answers = policy.scenarios.iter().map(|scenario| (scenario, admits(scenario, case, &origins)));
        let named = |index: &usize| {
            policy
                .scenarios
                .iter()
                .any(|scenario| scenario.partners.as_ref().is_some_and(|all| all.contains(index)))
        };
        let ends = origins.active().filter(|(index, _)| named(index));
        Self {
            ends_at: ends.filter_map(|(_, partner)| partner.until.map(|until| until.end())).min(),
            answers: answers.collect(),
            reasons: origins.reasons(),
        }
    }

    /// The first scenario that admits.
    pub(super) fn by(&self) -> Option<&'a RuleId> {
        self.admitting().next()
    }

    fn admitting(&self) -> impl Iterator<Item = &'a RuleId> {
        let admitting = self.answers.iter().filter(|(_, admits)| matches!(admits, Admits::Yes));
        admitting.map(|(scenario, _)| &scenario.id)
    }

    /// Why scenarios that do not admit might.
    fn unknown(&self) -> BTreeSet<String> {
        let unknown = self.answers.iter().filter_map(|(_, admits)| match admits {
            Admits::Unknown(why) => Some(why.clone()),
            Admits::Yes | Admits::No => None,
        });
        unknown.collect()
    }

    pub(super) fn otherwise(&self, otherwise: &Otherwise, case: &Case<'_>) -> Answer {
        let concerned = case.could_be().iter().any(|kind| otherwise.kinds.contains(kind));
        if !concerned || self.by().is_some() {
            return Answer::No;
        }
        if let Kind::Unknown { could_be: _, why } = &case.kind {
            return Answer::Unknown(vec![kind_is_unknown(why)]);
        }
        let addresses = self.reasons.iter().cloned();
        let unknown = self.unknown();
        if unknown.is_empty() {
            return Answer::Yes([NOT_ADMITTED.to_owned()].into_iter().chain(addresses).collect());
        }
        Answer::Unknown([MAYBE_ADMITTED.to_owned()].into_iter().chain(addresses).chain(unknown).collect())
    }

    /// Whether the account is in one group that no scenario that admits it covers. A dynamic group is covered unless a
    /// guardrail names it: who is in it is the rule's decision and not the guest's.
    pub(super) fn uncovered(&self, policy: &Policy, case: &Case<'_>, of_one_group: &[Seen<'_>]) -> Answer {
        let Some(group) = of_one_group.first().map(Seen::group) else {
            return Answer::No;
        };
        let names = &case.facts.named_groups;
        let mut unknown = BTreeSet::new();
        for (scenario, admits) in &self.answers {
            match (admits, scenario.covers(group.id, names)) {
                (Admits::No, _) | (_, Refers::No) => {}
                (Admits::Yes, Refers::Yes) => return Answer::No,
                (Admits::Yes, Refers::Unknown(reasons)) => unknown.extend(reasons),
                (Admits::Unknown(why), Refers::Yes) => {
                    unknown.insert(why.clone());
                }
                (Admits::Unknown(why), Refers::Unknown(reasons)) => {
                    unknown.insert(why.clone());
                    unknown.extend(reasons);
                }
            }
        }
        let dynamic = dynamic(of_one_group);
        if dynamic != Some(false) {
            match (policy.guardrails_name(group.id, names), dynamic) {
                (Refers::Yes, _) => {}
                (Refers::No, Some(_)) => return Answer::No,
                (Refers::No, None) => {
                    unknown.insert("whether the group is dynamic could not be read".to_owned());
                }
                (Refers::Unknown(reasons), _) => unknown.extend(reasons),
            }
        }
        if let Kind::Unknown { could_be: _, why } = &case.kind {
            unknown.insert(kind_is_unknown(why));
        }
        let mut reasons = self.told(of_one_group, unknown.is_empty());
        if unknown.is_empty() {
            return Answer::Yes(reasons);
        }
        reasons.extend(unknown);
        Answer::Unknown(reasons)
    }

    fn told(&self, of_one_group: &[Seen<'_>], certain: bool) -> Vec<String> {
        let mut reasons: Vec<String> = of_one_group.iter().map(Seen::told).collect();
        reasons.dedup();
        let admitting: Vec<String> = self.admitting().map(|id| format!("`{id}`")).collect();
        match (admitting.is_empty(), certain) {
            (false, true) => reasons.push(format!(
                "no scenario that admits the account covers this group (admitted by {})",
                admitting.join(", ")
            )),
            (true, true) => {
                reasons.push(NOT_ADMITTED.to_owned());
                reasons.extend(self.reasons.iter().cloned());
            }
            (_, false) => {
                reasons.push("whether a scenario covers this membership could not be checked".to_owned());
            }
        }
        reasons
    }
}

/// Where two readings of one group differ, the one that covers counts.
fn dynamic(of_one_group: &[Seen<'_>]) -> Option<bool> {
    let mut all = of_one_group.iter().map(|seen| seen.group().dynamic);
    if all.clone().any(|dynamic| dynamic == Some(true)) {
        return Some(true);
    }
    all.all(|dynamic| dynamic == Some(false)).then_some(false)
}

impl Scenario {
    fn covers(&self, group: ObjectId, names: &Names) -> Refers {
        match &self.joins {
            None => Refers::Yes,
            Some(groups) => groups.refer_to(group, names, Nobody::IsUnknown),
        }
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
