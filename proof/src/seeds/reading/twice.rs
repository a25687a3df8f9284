//! The policy in which each thing is asked for by two rules: whoever does it for the one has done it for the other.

use super::{Demand, Place, Policy, Proof, Reach, Taken, demand, is_below, is_named_closed, proof_of};

pub(super) const TEXT: &str = "guardrails:\n  - id: blocked-domain\n    severity: high\n    if: { domain: [evil.example, \
                               northwind.example] }\n    then: [disable]\n  - id: blocked-again\n    severity: medium\n    if: { \
                               domain: [evil.example, \"*.evil.example\"] }\n    then: [disable]\n  - id: closed-groups\n    \
                               severity: high\n    if: { joins: { name: \"Finance *\" } }\n    then: [leave-group]\n  - id: \
                               closed-again\n    severity: low\n    if: { joins: { name: \"Finance *\" } }\n    then: \
                               [leave-group]\n";

impl Policy {
    pub(super) fn twice(&self, place: &Place<'_>) -> Vec<Demand> {
        let first = proof_of(place.user, |domain| domain == "evil.example" || domain == "northwind.example");
        let again = proof_of(place.user, |domain| is_below(domain, "evil.example"));
        let mut demands = Vec::new();
        for (rule, proof) in [("blocked-domain", first), ("blocked-again", again)] {
            match proof {
                Proof::None => {}
                Proof::Weak => demands.push(demand(rule, None, Taken::SignIn, Reach::Observe)),
                Proof::Plain => demands.push(demand(rule, None, Taken::SignIn, self.reach)),
            }
        }
        for group in place.there.iter().filter(|group| is_named_closed(group) && place.is_in(group)) {
            let membership = Taken::Membership(group.id);
            demands.extend(
                ["closed-groups", "closed-again"]
                    .map(|rule| demand(rule, Some(group.id), membership, self.reach)),
            );
        }
        demands
    }
}
