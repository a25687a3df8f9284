//! Which partners the identity addresses of an account are of, and until when.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::admits::End;
use crate::address::Address;
use crate::conditions::Case;
use crate::policy::{LastDay, Partner, Policy};

/// One identity address, and the partners that it is of.
struct Origin<'a> {
    address: &'a Address,
    /// Whether over or not.
    partners: Vec<(usize, &'a Partner)>,
}

/// Every identity address with its partners.
pub(super) struct Origins<'a> {
    all: Vec<Origin<'a>>,
    now: Timestamp,
}

impl<'a> Origins<'a> {
    pub(super) fn of(policy: &'a Policy, case: &'a Case<'_>) -> Self {
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

    /// When partners end of which an address is.
    pub(super) fn moments(&self) -> impl Iterator<Item = Timestamp> {
        let partners = self.all.iter().flat_map(|origin| &origin.partners);
        partners.filter_map(|(_, partner)| partner.until.map(LastDay::end))
    }

    /// Every address is of one of these, and there is an address.
    pub(super) fn are_all_of(&self, partners: &BTreeSet<usize>) -> bool {
        !self.all.is_empty() && self.all.iter().all(|origin| self.holding(origin, partners).next().is_some())
    }

    fn holding(&self, origin: &Origin<'a>, partners: &BTreeSet<usize>) -> impl Iterator<Item = &'a Partner> {
        let named = origin.partners.iter().filter(|(index, _)| partners.contains(index));
        named.map(|(_, partner)| *partner).filter(|partner| !self.is_over(partner))
    }

    /// When the first address is of none of these any more. `None`: never.
    pub(super) fn end(&self, partners: &BTreeSet<usize>) -> Option<End> {
        let ends = self.all.iter().filter_map(|origin| {
            let mut last: Option<(LastDay, &Partner)> = None;
            for partner in self.holding(origin, partners) {
                let until = partner.until?;
                if last.is_none_or(|(latest, _)| latest.end() < until.end()) {
                    last = Some((until, partner));
                }
            }
            let (until, partner) = last?;
            Some(End { at: until.end(), why: format!("{} ends on {until}", told(partner)), own: false })
        });
        ends.min_by_key(|end| end.at)
    }

    /// What speaks against admission, address by address.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.all.iter().map(Origin::told).collect();
        let partners: BTreeMap<usize, &Partner> =
            self.all.iter().flat_map(|origin| origin.partners.iter().copied()).collect();
        for partner in partners.into_values().filter(|partner| self.is_over(partner)) {
            if let Some(until) = partner.until {
                reasons.push(format!("{} ended on {until}", told(partner)));
            }
        }
        reasons
    }
}

fn told(partner: &Partner) -> String {
    let owner = partner.owner.as_ref().map(|owner| format!(" (owner {owner})")).unwrap_or_default();
    format!("partner `{}`{owner}", partner.name)
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
