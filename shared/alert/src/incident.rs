//! An alert about a guest's finding: who, which rule, and what the ledger knows beside it.
//! Never here: the words for each state (`wording.rs`), and the markup of a product.

use model::{Incident, Outcome, Step, StepResult, Subject, Suspension};

use crate::message::{About, IncidentReport, Message, Sponsor, Who, first_letter_up};
use crate::plain::clean;
use crate::section::{Piece, unmarked};
use crate::wording::{Telling, tell};

/// What the ledger knows beside the incident. An alert without it is right, and says a little less.
#[derive(Debug, Clone, Copy, Default)]
pub struct Background<'a> {
    /// The incident's, in any order.
    pub outcomes: &'a [Outcome],
    /// What keeps an undo undone.
    pub suspension: Option<&'a Suspension>,
}

/// What people are told about an incident, as it stands now. `sequence` is the delivery's.
#[must_use]
pub fn about_incident(incident: &Incident, sequence: u32) -> Message {
    about_incident_with(incident, sequence, Background::default())
}

/// As [`about_incident`], with what the ledger knows beside it: whether anything was sent at all, Graph's request ids,
/// and until when an undo holds.
#[must_use]
pub fn about_incident_with(incident: &Incident, sequence: u32, background: Background<'_>) -> Message {
    let known = Known::from(background.outcomes);
    let Telling { kind, headline: verb, hypothetical, done, must, undoable } =
        tell(incident, &known, background.suspension);
    let headline_pieces = headline(incident, &verb);
    let finding = &incident.finding;
    let report = IncidentReport {
        incident: incident.id.clone(),
        tenant: incident.key.tenant,
        correlation: incident.correlation,
        state: incident.state.word(),
        opened_at: incident.opened_at,
        seen: incident.seen,
        who: who(&incident.subject),
        rule: finding.rule.clone(),
        object: finding.object,
        why: finding.why.as_ref().map(|why| clean(why, 500)),
        reasons: cleaned(&finding.reasons),
        unknown: finding.unknown,
        mode: finding.mode,
        held_back: cleaned(&finding.held_back),
        actions: finding.actions.iter().map(ToString::to_string).collect(),
        hypothetical,
        done,
        must,
        left_over: cleaned(&incident.left_over),
        undo: undoable.then(|| format!("guestlist undo {}", incident.id)),
        show: format!("guestlist incidents show {}", incident.id),
        requests: known.requests,
    };
    Message {
        id: format!("{}-{sequence}", incident.id),
        kind,
        severity: finding.severity,
        headline: unmarked(&headline_pieces),
        at: incident.updated_at,
        about: About::Incident(Box::new(report)),
        headline_pieces,
    }
}

fn cleaned(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| clean(text, 700)).collect()
}

fn who(subject: &Subject) -> Who {
    let Subject { id, kind, name, addresses, organisation, sponsors, created_at, enabled } = subject;
    let named = |name: &String| {
        let shown = clean(name, 200);
        if shown.trim().is_empty() { "(blank)".to_owned() } else { shown }
    };
    Who {
        id: *id,
        kind: *kind,
        name: name.as_ref().map(named),
        addresses: addresses.iter().map(|address| clean(address, 320)).collect(),
        organisation: organisation.as_ref().map(named),
        sponsors: sponsors
            .iter()
            .map(|sponsor| Sponsor { id: sponsor.id, name: sponsor.name.as_ref().map(named) })
            .collect(),
        created_at: *created_at,
        enabled: *enabled,
    }
}

/// `Disabled guest mallory@evil.example: blocked-domain (high)`
fn headline(incident: &Incident, verb: &str) -> Vec<Piece> {
    let subject = &incident.subject;
    let called = subject.addresses.first().or(subject.name.as_ref());
    let called = called.map_or_else(|| subject.id.to_string(), |called| clean(called, 60));
    let (before, after) = verb.split_once('*').unwrap_or((verb, ""));
    let finding = &incident.finding;
    vec![
        Piece::Words(first_letter_up(&format!("{before}{} ", subject.kind))),
        Piece::Value(called),
        Piece::Words(format!("{after}: {} ({})", finding.rule, finding.severity)),
    ]
}

/// What the outcomes say that the incident does not.
pub(crate) struct Known {
    /// Nothing had to be sent.
    pub(crate) already_so: bool,
    /// Something of ours was sent and not reversed. `None` where no outcome is at hand.
    pub(crate) in_force: Option<bool>,
    requests: Vec<String>,
}

impl From<&[Outcome]> for Known {
    fn from(outcomes: &[Outcome]) -> Self {
        let mut outcomes: Vec<&Outcome> = outcomes.iter().collect();
        outcomes.sort_by_key(|outcome| outcome.at);
        let mut sent = false;
        let mut in_force = false;
        for outcome in &outcomes {
            match &outcome.result {
                StepResult::Done | StepResult::Sent | StepResult::Intended => {
                    sent = true;
                    in_force = match outcome.step {
                        Step::Disable { user: _ } => true,
                        Step::Enable { user: _ } => false,
                    };
                }
                StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => {}
            }
        }
        let last = outcomes.last().map(|outcome| &outcome.result);
        let mut requests: Vec<String> =
            outcomes.iter().filter_map(|outcome| outcome.request.as_ref()).map(|id| clean(id, 64)).collect();
        requests.dedup();
        Self {
            already_so: !sent && matches!(last, Some(StepResult::AlreadySo)),
            in_force: last.is_some().then_some(in_force),
            requests,
        }
    }
}
