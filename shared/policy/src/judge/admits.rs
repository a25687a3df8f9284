//! Does one scenario admit the account, and until when? What it asks is joined by "and"; the first "no" decides, and what
//! could not be read decides only where nothing says no. Time alone never makes a "yes" of anything here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::origins::Origins;
use crate::conditions::{
    Case, InviterMatcher, Match, OWN_DOMAINS_UNREAD, inviter_is_unknown, kind_is_unknown,
};
use crate::facts::Facts;
use crate::inviter::Inviter;
use crate::kind::Kind;
use crate::policy::{LastDay, Scenario};

#[derive(Debug)]
pub(super) enum Admits {
    /// Until then; for ever where there is no end.
    Yes(Option<End>),
    /// Why, where that is not told with the addresses.
    No(Option<String>),
    Unknown(Unsure),
}

/// When and why something ends.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) at: Timestamp,
    pub(super) why: String,
    /// Of this account alone.
    pub(super) own: bool,
}

/// Why nobody can say.
#[derive(Debug, Default)]
pub(super) struct Unsure {
    pub(super) why: Vec<String>,
    /// Reading who invited the account may settle it.
    pub(super) awaits_inviter: bool,
}

/// One thing that a scenario asks.
enum Asked {
    Holds,
    Fails(Option<String>),
    Unsure(Vec<String>),
}

pub(super) fn admits(scenario: &Scenario, case: &Case<'_>, origins: &Origins<'_>) -> Admits {
    if !is_concerned(scenario, case) {
        return Admits::No(None);
    }
    let mut unsure = Unsure::default();
    for ask in [of_a_partner, sponsored, still, invited, of_a_kind] {
        match ask(scenario, case, origins) {
            Asked::Holds => {}
            Asked::Fails(why) => return Admits::No(why),
            Asked::Unsure(why) => unsure.why.extend(why),
        }
    }
    if unsure.why.is_empty() {
        return Admits::Yes(end(scenario, case, origins));
    }
    let unsure_of_it = matches!(invited(scenario, case, origins), Asked::Unsure(_));
    unsure.awaits_inviter = unsure_of_it && case.facts.inviter.may_be_known_better();
    Admits::Unknown(unsure)
}

pub(super) fn is_concerned(scenario: &Scenario, case: &Case<'_>) -> bool {
    case.could_be().iter().any(|kind| scenario.kinds.contains(kind))
}

fn of_a_partner(scenario: &Scenario, case: &Case<'_>, origins: &Origins<'_>) -> Asked {
    let Some(partners) = &scenario.partners else {
        return Asked::Holds;
    };
    if !origins.are_all_of(partners) {
        return not_of_a_partner(case);
    }
    case.may_lack_an_address().map_or(Asked::Holds, |why| Asked::Unsure(vec![why]))
}

fn not_of_a_partner(case: &Case<'_>) -> Asked {
    if case.addresses.identity.is_empty() {
        let why = case.may_lack_an_address();
        return Asked::Unsure(vec![why.unwrap_or_else(|| "the account has no usable address".to_owned())]);
    }
    if case.facts.verified_domains.is_none() {
        // The address that no partner has may be one of our own, which would not count.
        return Asked::Unsure(vec![OWN_DOMAINS_UNREAD.to_owned()]);
    }
    Asked::Fails(None)
}

/// One sponsor who is named twice is one.
fn sponsored(scenario: &Scenario, case: &Case<'_>, _: &Origins<'_>) -> Asked {
    let Some(least) = scenario.sponsors else {
        return Asked::Holds;
    };
    let Some(sponsors) = &case.facts.sponsors else {
        return Asked::Unsure(vec!["the sponsors of the account could not be read".to_owned()]);
    };
    let found = sponsors.iter().map(|sponsor| sponsor.id).collect::<BTreeSet<_>>().len();
    if found >= least {
        return Asked::Holds;
    }
    let found = match found {
        0 => "no sponsor".to_owned(),
        1 => "1 sponsor".to_owned(),
        _ => format!("{found} sponsors"),
    };
    Asked::Fails(Some(format!("the account has {found}, and scenario `{}` asks for {least}", scenario.id)))
}

/// Neither the scenario nor the stay is over.
fn still(scenario: &Scenario, case: &Case<'_>, _: &Origins<'_>) -> Asked {
    let Scenario { id, until, stay, .. } = scenario;
    if let Some(until) = until.filter(|until| until.is_over(case.now)) {
        return Asked::Fails(Some(format!("scenario `{id}` ended on {until}")));
    }
    let Some(stay) = stay else {
        return Asked::Holds;
    };
    let Some(created_at) = case.facts.created_at else {
        let why = format!(
            "the account has no creation date, from which the stay of {stay} in scenario `{id}` counts"
        );
        return Asked::Unsure(vec![why]);
    };
    let end = stay.after(created_at);
    if end <= case.now {
        return Asked::Fails(Some(format!("the stay of {stay} in scenario `{id}` ended at {end}")));
    }
    Asked::Holds
}

/// Only what the directory audit proves admits: a sponsor is whom the inviter named.
fn invited(scenario: &Scenario, case: &Case<'_>, _: &Origins<'_>) -> Asked {
    let Some(inviters) = &scenario.inviters else {
        return Asked::Holds;
    };
    let Facts { inviter, named_groups, .. } = case.facts;
    let Inviter::Audit(by) = inviter else {
        return Asked::Unsure(vec![inviter_is_unknown(inviter)]);
    };
    match InviterMatcher::admits(inviters, by, named_groups) {
        Match::Yes(_) => Asked::Holds,
        Match::Unknown(why) => Asked::Unsure(why),
        Match::No => Asked::Fails(Some(format!(
            "the inviter{} is not one of those whom scenario `{}` asks for",
            by.told(),
            scenario.id
        ))),
    }
}

fn of_a_kind(_: &Scenario, case: &Case<'_>, _: &Origins<'_>) -> Asked {
    match &case.kind {
        Kind::InternalMember => Asked::Fails(None),
        Kind::Outsider(_) => Asked::Holds,
        Kind::Unknown { could_be: _, why } => Asked::Unsure(vec![kind_is_unknown(why)]),
    }
}

fn end(scenario: &Scenario, case: &Case<'_>, origins: &Origins<'_>) -> Option<End> {
    let Scenario { id, partners, until, .. } = scenario;
    let of_partners = partners.as_ref().and_then(|partners| origins.end(partners));
    let why = |until| format!("scenario `{id}` ends on {until}");
    let of_scenario = until.map(|until| End { at: until.end(), why: why(until), own: false });
    [of_partners, of_scenario, stay_end(scenario, case)].into_iter().flatten().min_by_key(|end| end.at)
}

fn stay_end(scenario: &Scenario, case: &Case<'_>) -> Option<End> {
    let stay = scenario.stay?;
    let at = stay.after(case.facts.created_at?);
    Some(End { at, why: format!("the stay of {stay} in scenario `{}` ends at {at}", scenario.id), own: true })
}

/// When time alone may make another answer of it; the partners are not counted.
pub(super) fn moments(scenario: &Scenario, case: &Case<'_>) -> impl Iterator<Item = Timestamp> {
    let stay = stay_end(scenario, case).map(|end| end.at);
    scenario.until.map(LastDay::end).into_iter().chain(stay)
}
