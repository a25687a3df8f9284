//! The policy in which it matters who invited a guest: a guest invites nobody, and whoever is to come in was invited by a
//! sponsor. Of whom nobody can say who invited him, that is told.

use super::{Demand, Kind, Place, Policy, Reach, Taken, demand, is_of_old};

/// Those who may invite, and all of the tenant's own people.
pub const SPONSORS: &str = "Sponsors";
pub const STAFF: &str = "Staff";

impl Policy {
    pub(super) fn invited_text(&self) -> String {
        format!(
            "guardrails:\n  - id: guests-do-not-invite\n    severity: high\n    if: {{ inviter: {{ kind: [guest, \
             external-member] }} }}\n    then: [disable]\nscenarios:\n  - id: sponsored\n    owner: marketing@contoso.com\n    \
             admits: {{ inviters: {{ group: {{ id: {}, name: {SPONSORS} }} }} }}\notherwise:\n  guest: {{ severity: medium, \
             then: [disable] }}\n",
            self.sponsors
        )
    }

    /// Who invited somebody is what he was when he did: nobody here becomes a sponsor, or ceases to be one, after he has
    /// invited.
    pub(super) fn invited(&self, place: &Place<'_>, kind: Kind) -> Vec<Demand> {
        let user = place.user;
        // The audit has no row any more of whoever came long ago.
        let by = user.invited_by.filter(|_| !is_of_old(user));
        let is_in = |name: &str| {
            let of_name = place.there.iter().find(|group| group.display_name == name);
            by.is_some_and(|by| of_name.is_some_and(|group| group.members.contains(&by)))
        };
        let breaks = |rule, is_broken: bool| {
            let reach = if by.is_some() { self.reach } else { Reach::Observe };
            (by.is_none() || is_broken).then(|| demand(rule, None, Taken::SignIn, reach))
        };
        let admitted = breaks("otherwise.guest", !is_in(SPONSORS)).filter(|_| kind == Kind::Guest);
        breaks("guests-do-not-invite", !is_in(STAFF)).into_iter().chain(admitted).collect()
    }
}
