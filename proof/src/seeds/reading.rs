//! The policies of the runs, and a reading of each by somebody who never saw our code: what it demands of a guest, from
//! the true state of the tenant.

use jiff::{SignedDuration, Timestamp};
use simulator::{Group, GroupKind, User, UserType};
use uuid::Uuid;

use super::acts::Book;

mod invited;
mod twice;

pub use invited::{SPONSORS, STAFF};

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
    /// Softly: the account waits among the deleted users.
    Account,
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
    /// Graph lets no app take this: people are told to.
    pub by_hand: bool,
}

/// Which policy is in force, how far it goes, and whom it protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub book: Book,
    pub reach: Reach,
    /// The operator allows no more.
    pub ceiling: Reach,
    pub protects: Option<Uuid>,
    /// Whoever has an exception, where the book gives one.
    pub excepted: Option<Uuid>,
    /// The group of those whose guests are let in, where it matters who invited them.
    pub sponsors: Uuid,
}

/// Who somebody is, by where his account is from and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Guest,
    ExternalMember,
    LocalGuest,
    Ours,
}

const PARTNERS: &str = "partners:\n  fabrikam: { domains: [fabrikam.com, \"*.fabrikam.com\"], owner: anna@contoso.com, \
                        until: 2027-06-30 }\n";
/// The last days of the book `Timed`, and its spans.
const PARTNER_UNTIL: &str = "2026-11-24";
const EXCEPTED_UNTIL: &str = "2026-11-27";
const STAY_DAYS: i64 = 6;
const PENDING_DAYS: i64 = 3;
/// Whoever was created before this day is left alone by the book `Blocked`.
const BEFORE: &str = "2026-06-01";

impl Policy {
    #[must_use]
    pub fn text(&self) -> String {
        let Self { book, reach, ceiling: _, protects, excepted, sponsors: _ } = self;
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
            Book::Deleting => "guardrails:\n  - id: blocked-domain\n    severity: high\n    if: { domain: [evil.example, \
                               \"*.evil.example\"] }\n    then: [delete]\n  - id: secret-groups\n    if: { joins: { label: \
                               Confidential } }\n    then: [delete]\n  - id: closed-groups\n    if: { joins: { name: \
                               \"Finance *\" } }\n    then: [leave-group]\n"
                .to_owned(),
            Book::Twice => twice::TEXT.to_owned(),
            Book::Invited => self.invited_text(),
            Book::Timed => {
                let exceptions = excepted.map_or_else(String::new, |id| {
                    format!("exceptions:\n  - {{ guest: {id}, from: [otherwise.guest], until: {EXCEPTED_UNTIL} }}\n")
                });
                format!(
                    "{}guardrails:\n  - id: forgotten-invitations\n    if: {{ pending_for: {PENDING_DAYS}d }}\n    then: \
                     [disable]\nscenarios:\n  - id: agency-work\n    admits: {{ partners: [fabrikam] }}\n    stay: \
                     {STAY_DAYS}d\n    notice: 1d\notherwise:\n  guest: {{ severity: medium, then: [disable] }}\n{exceptions}",
                    PARTNERS.replace("2027-06-30", PARTNER_UNTIL)
                )
            }
        }
    }

    /// Whether nothing is done before somebody has approved.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.reach.min(self.ceiling) == Reach::Ask
    }

    /// Whether it matters to it who is in which group.
    #[must_use]
    pub fn looks_at_groups(&self) -> bool {
        !matches!(self.book, Book::Timed | Book::Invited)
    }

    /// What it demands of this account now. `as_if_in` are groups of which it is taken to be a member and an owner, whatever
    /// it is.
    #[must_use]
    pub fn demands(
        &self,
        user: &User,
        (groups, as_if_in): (&[Group], &[Uuid]),
        roles: &[Uuid],
        now: Timestamp,
    ) -> Vec<Demand> {
        let kind = kind_of(user);
        if kind == Kind::Ours || user.deleted_at.is_some() {
            return Vec::new();
        }
        let there: Vec<&Group> = groups.iter().filter(|group| group.deleted_at.is_none()).collect();
        let belongs = |group: &Group| group.members.contains(&user.id) || group.owners.contains(&user.id);
        let spared = self.protects == Some(user.id)
            || roles.contains(&user.id)
            || there.iter().any(|group| group.role_assignable && belongs(group));
        // Whoever is protected is told of, and never written to.
        let most = if spared { Reach::Observe } else { self.ceiling };
        let place = Place { user, there: &there, as_if_in };
        let mut demands = match self.book {
            Book::Closed { owners_ask } => self.closed(&place, kind, owners_ask),
            Book::Agency => self.agency(&place, kind),
            Book::Blocked => self.blocked(&place),
            Book::Deleting => self.deleting(&place),
            Book::Twice => self.twice(&place),
            Book::Invited => self.invited(&place, kind),
            Book::Timed => self.timed(user, kind, now),
        };
        for demand in &mut demands {
            let by_hand = place.is_by_hand(demand.taken);
            demand.reach = demand.reach.min(most);
            if by_hand && demand.reach > Reach::Observe {
                (demand.by_hand, demand.reach) = (true, Reach::Observe);
            }
        }
        demands
    }

    fn closed(&self, place: &Place<'_>, kind: Kind, owners_ask: bool) -> Vec<Demand> {
        let mut demands = Vec::new();
        if kind == Kind::Guest && !is_partner(place.user) {
            demands.push(demand("otherwise.guest", None, Taken::SignIn, self.reach));
        }
        for group in place.there {
            // A rule that does not say as what he joins means as a member.
            if is_closed(group) && place.is_in(group) {
                demands.push(demand(
                    "closed-groups",
                    Some(group.id),
                    Taken::Membership(group.id),
                    self.reach,
                ));
            }
            if place.owns(group) {
                let reach = if owners_ask { self.reach.min(Reach::Ask) } else { self.reach };
                demands.push(demand("guests-own-nothing", Some(group.id), Taken::Ownership(group.id), reach));
            }
        }
        demands
    }

    fn agency(&self, place: &Place<'_>, kind: Kind) -> Vec<Demand> {
        let mut demands = Vec::new();
        let is_covered = |group: &Group| {
            group.membership_rule.is_some()
                || (is_partner(place.user) && group.id == simulator::contoso::MARKETING)
        };
        let uncovered = place.there.iter().filter(|group| kind == Kind::Guest && !is_covered(group));
        for group in uncovered {
            let id = group.id;
            if place.is_in(group) {
                demands.push(demand("otherwise.membership", Some(id), Taken::Membership(id), self.reach));
            } else if place.owns(group) {
                // The rule speaks of owners, too, and what it asks for takes nothing from them: it is told.
                demands.push(demand("otherwise.membership", Some(id), Taken::Ownership(id), Reach::Observe));
            }
        }
        demands
    }

    fn blocked(&self, place: &Place<'_>) -> Vec<Demand> {
        let user = place.user;
        let told = || vec![demand("blocked-domain", None, Taken::SignIn, Reach::Observe)];
        match proof_of_blocked(user) {
            Proof::None => Vec::new(),
            Proof::Weak => told(),
            Proof::Plain => {
                let reach = if is_of_old(user) { Reach::Observe } else { self.reach };
                let mut demands = vec![demand("blocked-domain", None, Taken::SignIn, reach)];
                let groups = place.there.iter().filter(|group| place.is_in(group));
                demands.extend(
                    groups.map(|group| demand("blocked-domain", None, Taken::Membership(group.id), reach)),
                );
                demands
            }
        }
    }

    fn deleting(&self, place: &Place<'_>) -> Vec<Demand> {
        let reach = match proof_of_blocked(place.user) {
            Proof::None => None,
            Proof::Weak => Some(Reach::Observe),
            Proof::Plain => Some(self.reach),
        };
        let account = |reach| demand("blocked-domain", None, Taken::Account, reach);
        let mut demands: Vec<Demand> = reach.map(account).into_iter().collect();
        for group in place.there {
            // What he would be in does not cost him his account.
            if is_confidential(group) && group.members.contains(&place.user.id) {
                demands.push(demand("secret-groups", Some(group.id), Taken::Account, self.reach));
            }
            if is_named_closed(group) && place.is_in(group) {
                let membership = Taken::Membership(group.id);
                demands.push(demand("closed-groups", Some(group.id), membership, self.reach));
            }
        }
        demands
    }

    fn timed(&self, user: &User, kind: Kind, now: Timestamp) -> Vec<Demand> {
        let mut demands = Vec::new();
        // Graph tells the second.
        let created = user.created_at.and_then(|created| Timestamp::from_second(created.as_second()).ok());
        let age = created.map(|created| now.duration_since(created));
        let is_older = |days: i64| age.is_none_or(|age| age >= SignedDuration::from_hours(24 * days));
        if user.external_user_state.as_deref() == Some("PendingAcceptance") && is_older(PENDING_DAYS) {
            demands.push(demand("forgotten-invitations", None, Taken::SignIn, self.reach));
        }
        let is_admitted = is_partner(user) && !is_past(PARTNER_UNTIL, now) && !is_older(STAY_DAYS);
        let is_excepted = self.excepted == Some(user.id) && !is_past(EXCEPTED_UNTIL, now);
        if kind == Kind::Guest && !is_admitted && !is_excepted {
            demands.push(demand("otherwise.guest", None, Taken::SignIn, self.reach));
        }
        demands
    }
}

fn demand(rule: &'static str, object: Option<Uuid>, taken: Taken, reach: Reach) -> Demand {
    Demand { rule, object, taken, reach, by_hand: false }
}

/// Somebody among the groups that are there.
struct Place<'a> {
    user: &'a User,
    there: &'a [&'a Group],
    as_if_in: &'a [Uuid],
}

impl Place<'_> {
    fn is_in(&self, group: &Group) -> bool {
        group.members.contains(&self.user.id) || self.as_if_in.contains(&group.id)
    }

    fn owns(&self, group: &Group) -> bool {
        group.owners.contains(&self.user.id) || self.as_if_in.contains(&group.id)
    }

    fn is_by_hand(&self, taken: Taken) -> bool {
        let (id, as_member) = match taken {
            Taken::SignIn | Taken::Account => return false,
            Taken::Membership(id) => (id, true),
            Taken::Ownership(id) => (id, false),
        };
        let foreign = |group: &&Group| {
            let of_mail = matches!(group.kind, GroupKind::MailEnabledSecurity | GroupKind::Distribution);
            let computed = group.membership_rule.is_some() && as_member;
            of_mail || computed || group.role_assignable || group.on_premises_sync_enabled == Some(true)
        };
        self.there.iter().filter(|group| group.id == id).any(foreign)
    }
}

/// Whoever was invited is from outside, as long as he is called a guest or signs in with an account from elsewhere.
fn kind_of(user: &User) -> Kind {
    match (user.creation_type.is_some(), user.user_type) {
        (true, Some(UserType::Guest)) => Kind::Guest,
        (true, _) => Kind::ExternalMember,
        (false, Some(UserType::Guest)) => Kind::LocalGuest,
        (false, _) => Kind::Ours,
    }
}

/// After the end of that day.
fn is_past(day: &str, now: Timestamp) -> bool {
    let midnight: Option<Timestamp> = format!("{day}T00:00:00Z").parse().ok();
    midnight.is_some_and(|midnight| now.duration_since(midnight) >= SignedDuration::from_hours(24))
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

/// How plain it is that somebody is of the blocked domain.
enum Proof {
    None,
    /// Nothing tells where a guest is from, or an address that proves little does: that is told, and not acted on.
    Weak,
    Plain,
}

fn proof_of_blocked(user: &User) -> Proof {
    proof_of(user, |domain| is_below(domain, "evil.example"))
}

fn proof_of(user: &User, is_blocked: impl Fn(&str) -> bool) -> Proof {
    let blocked = |address: &&String| is_blocked(&domain(address));
    let mail = user.mail.iter().find(|mail| !is_below(&domain(mail), "contoso.com"));
    match mail {
        // Whoever signs in with us needs no address.
        None if kind_of(user) == Kind::LocalGuest => Proof::None,
        None => Proof::Weak,
        Some(mail) if blocked(&mail) => Proof::Plain,
        Some(_) if user.other_mails.iter().chain(&user.proxy_addresses).any(|one| blocked(&one)) => {
            Proof::Weak
        }
        Some(_) => Proof::None,
    }
}

fn is_closed(group: &Group) -> bool {
    is_named_closed(group) || is_confidential(group)
}

fn is_named_closed(group: &Group) -> bool {
    group.display_name.to_lowercase().starts_with("finance ")
}

fn is_confidential(group: &Group) -> bool {
    group.label.as_ref().is_some_and(|label| label.name == "Confidential")
}

fn is_of_old(user: &User) -> bool {
    let before: Option<Timestamp> = format!("{BEFORE}T00:00:00Z").parse().ok();
    user.created_at.is_none_or(|created| before.is_some_and(|before| created < before))
}
