//! The policies of the runs, and a reading of each by somebody who never saw our code: what it demands of a guest, from
//! the true state of the tenant.

use jiff::Timestamp;
use simulator::{Group, User, UserType};
use uuid::Uuid;

use super::history::Book;

/// How far a demand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    Observe,
    Ask,
    Enforce,
}

impl Reach {
    fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Ask => "ask",
            Self::Enforce => "enforce",
        }
    }
}

/// What is to be taken from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    SignIn,
    Membership(Uuid),
    Ownership(Uuid),
}

/// A rule is broken, and this is what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pub rule: &'static str,
    pub object: Option<Uuid>,
    pub taken: Taken,
    pub reach: Reach,
}

/// Which policy is in force, how far it goes, and whom it protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub book: Book,
    pub reach: Reach,
    pub protects: Option<Uuid>,
}

const PARTNERS: &str = "partners:\n  fabrikam: { domains: [fabrikam.com, \"*.fabrikam.com\"], owner: anna@contoso.com, \
                        until: 2027-06-30 }\n";
/// Whoever was created before this day is left alone by the book `Blocked`.
const BEFORE: &str = "2026-06-01";

impl Policy {
    #[must_use]
    pub fn text(&self) -> String {
        let Self { book, reach, protects } = self;
        let mut text = format!("version: 1\nmode: {}\n", reach.word());
        if let Some(id) = protects {
            text += &format!("protect:\n  users: [{id}]\n");
        }
        text + &match book {
            Book::Closed { owners_ask } => {
                let mode = if *owners_ask { "\n    mode: ask" } else { "" };
                format!(
                    "{PARTNERS}guardrails:\n  - id: closed-groups\n    severity: high\n    if: {{ joins: {{ any: [ {{ name: \
                     \"Finance *\" }}, {{ label: Confidential }} ] }} }}\n    then: [leave-group]\n  - id: \
                     guests-own-nothing\n    if: {{ joins: {{ any_group: true }}, as: owner }}\n    then: \
                     [drop-ownership]{mode}\nscenarios:\n  - id: agency-work\n    owner: marketing@contoso.com\n    admits: \
                     {{ partners: [fabrikam] }}\notherwise:\n  guest: {{ severity: medium, then: [disable] }}\n"
                )
            }
            Book::Agency => format!(
                "{PARTNERS}scenarios:\n  - id: agency-work\n    owner: marketing@contoso.com\n    admits: {{ partners: \
                 [fabrikam] }}\n    joins: {{ groups: [ {{ id: {}, name: Marketing }} ] }}\notherwise:\n  membership: {{ \
                 severity: medium, then: [leave-group] }}\n",
                simulator::contoso::MARKETING
            ),
            Book::Blocked => format!(
                "existing: {{ before: {BEFORE}, mode: observe }}\nguardrails:\n  - id: blocked-domain\n    severity: high\n    \
                 if: {{ domain: [evil.example, \"*.evil.example\"] }}\n    then: [disable, leave-groups]\n"
            ),
        }
    }

    /// What it demands of this guest. `as_if_in` are groups of which he is taken to be a member and an owner, whatever he is.
    #[must_use]
    pub fn demands(&self, user: &User, groups: &[Group], as_if_in: &[Uuid], roles: &[Uuid]) -> Vec<Demand> {
        let is_guest = user.user_type == Some(UserType::Guest) && user.creation_type.is_some();
        let spared = self.protects == Some(user.id) || roles.contains(&user.id);
        if !is_guest || user.deleted_at.is_some() {
            return Vec::new();
        }
        let there: Vec<&Group> = groups
            .iter()
            .filter(|group| group.deleted_at.is_none() && group.membership_rule.is_none())
            .collect();
        let is_in = |group: &Group| group.members.contains(&user.id) || as_if_in.contains(&group.id);
        let owns = |group: &Group| group.owners.contains(&user.id) || as_if_in.contains(&group.id);
        // Whoever is protected is told of, and never written to.
        let most = if spared { Reach::Observe } else { Reach::Enforce };
        let demand =
            |rule, object, taken, reach: Reach| Demand { rule, object, taken, reach: reach.min(most) };
        let mut demands = Vec::new();
        match self.book {
            Book::Closed { owners_ask } => {
                if !is_partner(user) {
                    demands.push(demand("otherwise.guest", None, Taken::SignIn, self.reach));
                }
                for group in &there {
                    // A rule that does not say as what he joins means as a member.
                    if is_closed(group) && is_in(group) {
                        let taken = Taken::Membership(group.id);
                        demands.push(demand("closed-groups", Some(group.id), taken, self.reach));
                    }
                    if owns(group) {
                        let reach = if owners_ask { self.reach.min(Reach::Ask) } else { self.reach };
                        let taken = Taken::Ownership(group.id);
                        demands.push(demand("guests-own-nothing", Some(group.id), taken, reach));
                    }
                }
            }
            Book::Agency => {
                for group in there.iter().filter(|group| is_in(group)) {
                    if !is_partner(user) || group.id != simulator::contoso::MARKETING {
                        let taken = Taken::Membership(group.id);
                        demands.push(demand("otherwise.membership", Some(group.id), taken, self.reach));
                    }
                }
                // The rule speaks of owners, too, and what it asks for takes nothing from them: it is told.
                for group in there.iter().filter(|group| owns(group) && !is_in(group)) {
                    if !is_partner(user) || group.id != simulator::contoso::MARKETING {
                        let taken = Taken::Ownership(group.id);
                        demands.push(demand("otherwise.membership", Some(group.id), taken, Reach::Observe));
                    }
                }
            }
            Book::Blocked => {
                let blocked = |address: &String| is_below(&domain(address), "evil.example");
                if user.mail.iter().any(blocked) {
                    let reach = if is_of_old(user) { Reach::Observe } else { self.reach };
                    demands.push(demand("blocked-domain", None, Taken::SignIn, reach));
                    let groups = there.iter().filter(|group| is_in(group));
                    demands.extend(
                        groups
                            .map(|group| demand("blocked-domain", None, Taken::Membership(group.id), reach)),
                    );
                } else if user.other_mails.iter().chain(&user.proxy_addresses).any(blocked) {
                    // An address that proves little is told, and not acted on.
                    demands.push(demand("blocked-domain", None, Taken::SignIn, Reach::Observe));
                }
            }
        }
        demands
    }
}

fn domain(address: &str) -> String {
    address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).unwrap_or_default()
}

fn is_below(domain: &str, parent: &str) -> bool {
    domain == parent || domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
}

fn is_partner(user: &User) -> bool {
    user.mail.iter().any(|mail| is_below(&domain(mail), "fabrikam.com"))
}

fn is_closed(group: &Group) -> bool {
    group.display_name.to_lowercase().starts_with("finance ")
        || group.label.as_ref().is_some_and(|label| label.name == "Confidential")
}

fn is_of_old(user: &User) -> bool {
    let before: Option<Timestamp> = format!("{BEFORE}T00:00:00Z").parse().ok();
    user.created_at.is_none_or(|created| before.is_some_and(|before| created < before))
}
