//! How an act ought to end, and how its end reads.

use std::collections::{BTreeMap, BTreeSet};

use model::{Incident, ObjectId, State};
use uuid::Uuid;

/// What a rule may take from a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// His sign-in.
    Account,
    Member(Uuid),
    Owner(Uuid),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) user: Uuid,
    pub(super) at: At,
}

impl Place {
    pub(super) fn member(user: Uuid, group: Uuid) -> Self {
        Self { user, at: At::Member(group) }
    }

    /// What an incident about it is about.
    pub(super) fn object(&self) -> Option<ObjectId> {
        match self.at {
            At::Account => None,
            At::Member(group) | At::Owner(group) => Some(ObjectId::from_u128(group.as_u128())),
        }
    }
}

/// How an act ought to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    LeftAlone,
    /// The account is disabled, or the membership or the ownership is gone, and a read has shown it.
    Taken,
    /// A finding that people are told, and nothing is done.
    Told,
    /// A person is asked to act.
    Refused,
    /// Somebody has to approve first.
    Waits,
    /// Somebody decided that nothing is done.
    Rejected,
    /// What was done is undone, and stays so.
    Undone,
}

impl Ends {
    /// `holds`: he still has what might be taken.
    pub(super) fn fits(self, holds: bool, incidents: &[Incident]) -> bool {
        let any = |wanted: fn(&State) -> bool| incidents.iter().any(|incident| wanted(&incident.state));
        match self {
            Self::LeftAlone => holds && incidents.iter().all(|incident| incident.state.is_closed()),
            Self::Taken => !holds && any(|state| matches!(state, State::Done { .. })),
            Self::Told => holds && any(|state| matches!(state, State::Open)),
            Self::Refused => holds && any(|state| matches!(state, State::Refused { .. })),
            Self::Waits => holds && any(|state| matches!(state, State::Waiting { .. })),
            Self::Rejected => holds && any(|state| matches!(state, State::Rejected { .. })),
            Self::Undone => holds && any(|state| matches!(state, State::Undone { .. })),
        }
    }
}

/// What became of a place.
pub(super) struct Met {
    pub(super) place: Place,
    /// Whether he still has it.
    pub(super) holds: bool,
    pub(super) incidents: Vec<Incident>,
}

pub(super) fn verdict(met: &[Met]) -> String {
    let all = || met.iter().flat_map(|met| &met.incidents);
    let breaks = |incident: &&Incident| {
        !incident.state.is_closed() || matches!(incident.state, State::Resolved { .. })
    };
    let broken: BTreeSet<String> =
        all().filter(breaks).map(|incident| incident.key.rule.to_string()).collect();
    if !broken.is_empty() {
        return format!("breaks {}", broken.into_iter().collect::<Vec<_>>().join(", "));
    }
    let suspended =
        all().find(|incident| matches!(incident.state, State::Undone { .. } | State::Rejected { .. }));
    suspended.map_or_else(|| "no objection".to_owned(), |one| format!("{} is suspended", one.key.rule))
}

/// What was done, counted where there are several guests.
pub(super) fn done(met: &[Met]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for Met { place, holds, incidents } in met {
        let words: BTreeSet<&str> =
            incidents.iter().map(|incident| word(&incident.state, place.at, *holds)).collect();
        // What was done says more than that something else needed nothing.
        for word in words.iter().filter(|word| **word != NOTHING) {
            let count = counts.entry(word).or_default();
            *count = count.saturating_add(1);
        }
    }
    let counted = |(word, count): (&str, usize)| {
        if met.len() > 1 { format!("{count} {word}") } else { word.to_owned() }
    };
    let words: Vec<String> = counts.into_iter().map(counted).collect();
    if words.is_empty() { NOTHING.to_owned() } else { words.join(", ") }
}

const NOTHING: &str = "nothing";

fn word(state: &State, at: At, holds: bool) -> &'static str {
    match state {
        State::Done { .. } => match at {
            At::Account => "disabled, read back",
            At::Member(_) => "taken out, read back",
            At::Owner(_) => "dropped, read back",
        },
        State::Refused { .. } => match at {
            At::Account => "refused: protected",
            At::Member(_) | At::Owner(_) => "for a person to do",
        },
        State::Open => "told",
        State::Waiting { .. } => "waits for approval",
        State::Rejected { .. } if holds => "rejected, stays as it was",
        State::Undone { .. } if holds => match at {
            At::Account => "enabled again",
            At::Member(_) => "a member again",
            At::Owner(_) => "an owner again",
        },
        State::Failed { .. } => "failed",
        State::Partly { .. } => "done in part",
        State::Expired { .. } => "nobody decided",
        State::Claimed { .. }
        | State::Sent { .. }
        | State::Undoing { .. }
        | State::Undone { .. }
        | State::Rejected { .. }
        | State::Resolved { .. } => NOTHING,
    }
}
