//! Is an inviter one of those that a rule or a scenario speaks of? What was not read decides nothing.

use std::collections::BTreeSet;

use model::ObjectId;

use crate::address::{Address, Source, is_ext_name};
use crate::conditions::{DomainSource, Match};
use crate::domain::Purpose;
use crate::inviter::{InvitedBy, InviterKind};
use crate::reference::{GroupRefs, Names, Nobody, Refers};

/// Keys are joined by "and", the entries of one key by "or".
#[derive(Debug, Clone, Default)]
pub(crate) struct InviterMatcher {
    pub(crate) kinds: BTreeSet<InviterKind>,
    pub(crate) ids: BTreeSet<ObjectId>,
    pub(crate) domains: Vec<DomainSource>,
    pub(crate) group: Option<GroupRefs>,
}

/// As what somebody is known: a sponsor may have invited the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Inviter,
    Sponsor,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Inviter => "inviter",
            Self::Sponsor => "sponsor",
        }
    }

    fn source(self) -> Source {
        match self {
            Self::Inviter => Source::Inviter,
            Self::Sponsor => Source::Sponsor,
        }
    }
}

#[derive(Clone, Copy)]
struct Asked<'a> {
    by: &'a InvitedBy,
    role: Role,
    names: &'a Names,
    /// To admit, every address must be of the domains; to forbid, one is enough.
    purpose: Purpose,
}

impl Asked<'_> {
    fn who(&self) -> String {
        format!("the {}{}", self.role.word(), self.by.told())
    }

    fn unread(&self, what: &str) -> Match {
        Match::Unknown(vec![format!("{what} of {} could not be read", self.who())])
    }
}

impl InviterMatcher {
    pub(crate) fn forbids(&self, by: &InvitedBy, role: Role, names: &Names) -> Match {
        self.matches(Asked { by, role, names, purpose: Purpose::Deny })
    }

    pub(crate) fn admits(&self, by: &InvitedBy, names: &Names) -> Match {
        self.matches(Asked { by, role: Role::Inviter, names, purpose: Purpose::Admit })
    }

    fn matches(&self, asked: Asked<'_>) -> Match {
        let (mut met, mut unknown) = (Vec::new(), Vec::new());
        for test in [kind, id, domain, group] {
            match test(self, asked) {
                Some(Match::No) => return Match::No,
                Some(Match::Unknown(mut reasons)) => unknown.append(&mut reasons),
                Some(Match::Yes(mut reasons)) => met.append(&mut reasons),
                None => {}
            }
        }
        if unknown.is_empty() { Match::Yes(met) } else { Match::Unknown(unknown) }
    }

    /// As it reads after "the inviter" or "somebody who".
    pub(crate) fn describe(&self) -> String {
        let Self { kinds, ids, domains, group } = self;
        let or = |words: Vec<String>| words.join(" or ");
        let mut all = Vec::new();
        if !kinds.is_empty() {
            all.push(format!("is {}", or(kinds.iter().map(ToString::to_string).collect())));
        }
        if !ids.is_empty() {
            all.push(format!("is {}", or(ids.iter().map(|id| format!("`{id}`")).collect())));
        }
        if !domains.is_empty() {
            all.push(format!("is of {}", or(domains.iter().flat_map(DomainSource::told).collect())));
        }
        all.extend(group.as_ref().map(|group| format!("is a member of {}", group.told())));
        all.join(" and ")
    }
}

fn kind(rule: &InviterMatcher, asked: Asked<'_>) -> Option<Match> {
    if rule.kinds.is_empty() {
        return None;
    }
    Some(match asked.by.kind {
        None => asked.unread("the kind"),
        Some(kind) if rule.kinds.contains(&kind) => Match::Yes(vec![format!("{} is {kind}", asked.who())]),
        Some(_) => Match::No,
    })
}

fn id(rule: &InviterMatcher, asked: Asked<'_>) -> Option<Match> {
    if rule.ids.is_empty() {
        return None;
    }
    Some(match asked.by.id {
        None => asked.unread("the id"),
        Some(id) if rule.ids.contains(&id) => {
            Match::Yes(vec![format!("{} is named by its id `{id}`", asked.who())])
        }
        Some(_) => Match::No,
    })
}

fn domain(rule: &InviterMatcher, asked: Asked<'_>) -> Option<Match> {
    if rule.domains.is_empty() {
        return None;
    }
    let Some(written) = &asked.by.addresses else {
        return Some(asked.unread("the address"));
    };
    if asked.by.kind == Some(InviterKind::App) && written.is_empty() {
        return Some(Match::No);
    }
    let mut met = Vec::new();
    let (mut all, mut hidden) = (true, false);
    for text in written.iter().filter(|text| !is_ext_name(text)) {
        let Some(address) = Address::parse(asked.role.source(), text) else {
            hidden = true;
            continue;
        };
        let mut reasons: Vec<String> = rule.domains.iter().filter_map(|one| one.reason(&address)).collect();
        reasons.sort_unstable();
        all &= !reasons.is_empty();
        met.append(&mut reasons);
    }
    let nothing = vec![format!("{} has no usable address", asked.who())];
    Some(match asked.purpose {
        Purpose::Deny if !met.is_empty() => Match::Yes(met),
        Purpose::Admit if !all => Match::No,
        Purpose::Admit if !met.is_empty() && !hidden => Match::Yes(met),
        Purpose::Deny if !all && !hidden => Match::No,
        Purpose::Deny | Purpose::Admit => Match::Unknown(nothing),
    })
}

fn group(rule: &InviterMatcher, asked: Asked<'_>) -> Option<Match> {
    let wanted = rule.group.as_ref()?;
    let nobody = match asked.purpose {
        Purpose::Deny => Nobody::MatchesNothing,
        Purpose::Admit => Nobody::IsUnknown,
    };
    let InvitedBy { groups: Some(groups), early, doubted, .. } = asked.by else {
        return Some(asked.unread("the groups"));
    };
    let (who, wanted_ones) = (asked.who(), wanted.told());
    let unsure = |why: &str| Match::Unknown(vec![format!("{who} {why} {wanted_ones}")]);
    let too_early = || unsure("was read too soon after the invitation to say whether it is a member of");
    let may_act = asked.purpose == Purpose::Deny;
    Some(match wanted.refer_to_any(groups, asked.names, nobody) {
        Refers::Unknown(reasons) => Match::Unknown(reasons),
        Refers::Yes if *early && may_act => too_early(),
        Refers::Yes => Match::Yes(vec![format!("{who} is a member of {wanted_ones}")]),
        Refers::No if *early => too_early(),
        Refers::No => match wanted.refer_to_any(doubted, asked.names, nobody) {
            Refers::No => Match::No,
            Refers::Unknown(reasons) => Match::Unknown(reasons),
            Refers::Yes => unsure("was shown both in and out of the group when it was read twice:"),
        },
    })
}
