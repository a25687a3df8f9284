//! An alert about a guest's finding: who, which rule, and what the ledger knows beside it.
//! Never here: the words for each state (`wording.rs`), and the markup of a product.

use model::{Finding, Incident, ObjectId, Outcome, Step, Stop, Subject, Suspension};

use crate::decision;
use crate::known::Known;
use crate::message::{
    About, Group, IncidentReport, Kind, Message, Sponsor, StepReport, Who, first_letter_up,
};
use crate::plain::clean;
use crate::section::{Piece, unmarked};
use crate::wording::{Telling, Topic, tell};

/// What the ledger knows beside the incident. An alert without it is right, and says a little less.
#[derive(Debug, Clone, Copy, Default)]
pub struct Background<'a> {
    /// The incident's, in any order.
    pub outcomes: &'a [Outcome],
    /// What keeps an undo undone.
    pub suspension: Option<&'a Suspension>,
    /// What holds all writes: an approval is carried out when it ends.
    pub stop: Option<&'a Stop>,
}

/// What people are told about an incident, as it stands now. `sequence` is the delivery's.
#[must_use]
pub fn about_incident(incident: &Incident, sequence: u32) -> Message {
    about_incident_with(incident, sequence, Background::default())
}

/// As [`about_incident`], with what the ledger knows beside it: whether anything was sent at all, Graph's request ids,
/// until when an undo holds, and whether writes are stopped.
#[must_use]
pub fn about_incident_with(incident: &Incident, sequence: u32, background: Background<'_>) -> Message {
    let known = Known::of(incident, background.outcomes);
    let Background { outcomes: _, suspension, stop } = background;
    let topic = Topic { incident, known: &known, suspension, stop };
    let telling = tell(&topic);
    let headline_pieces = headline(incident, &telling.headline);
    Message {
        id: format!("{}-{sequence}", incident.id),
        kind: telling.kind,
        severity: incident.finding.severity,
        headline: unmarked(&headline_pieces),
        at: incident.updated_at,
        about: About::Incident(Box::new(report(&topic, telling))),
        headline_pieces,
    }
}

fn report(topic: &Topic<'_>, telling: Telling) -> IncidentReport {
    let Telling { kind, headline: _, hypothetical, done, must, undoable } = telling;
    let incident = topic.incident;
    let finding = &incident.finding;
    IncidentReport {
        incident: incident.id.clone(),
        tenant: incident.key.tenant,
        correlation: incident.correlation,
        state: incident.state.word(),
        opened_at: incident.opened_at,
        seen: incident.seen,
        who: who(&incident.subject),
        rule: finding.rule.clone(),
        group: finding.object.map(|id| group(topic, id)),
        relations: relations(finding),
        why: finding.why.as_ref().map(|why| clean(why, 500)),
        reasons: cleaned(&finding.reasons),
        unknown: finding.unknown,
        mode: finding.mode,
        // What held it back is over once somebody has approved.
        held_back: if decision::approval(incident).is_some() {
            Vec::new()
        } else {
            cleaned(&finding.held_back)
        },
        actions: finding.actions.iter().map(ToString::to_string).collect(),
        hypothetical,
        done,
        steps: steps(topic, hypothetical),
        plan: incident.question(),
        must,
        by_hand: if is_over(kind) { Vec::new() } else { cleaned(&finding.by_hand) },
        approval: decision::approval(incident),
        left_over: cleaned(&incident.left_over),
        decide: decision::decide(incident),
        undo: undoable.then(|| format!("guestlist undo {} --reason …", incident.id)),
        show: format!("guestlist incidents show {}", incident.id),
        page: None,
        requests: topic.known.requests(),
    }
}

/// Whether nothing is left for a person to do about it.
fn is_over(kind: Kind) -> bool {
    match kind {
        Kind::Undoing | Kind::Undone | Kind::Rejected | Kind::Resolved => true,
        Kind::Finding
        | Kind::Unknown
        | Kind::Waiting
        | Kind::Acting
        | Kind::Done
        | Kind::Partly
        | Kind::Refused
        | Kind::Failed
        | Kind::Expired
        | Kind::Notice
        | Kind::RollUp => false,
    }
}

fn group(topic: &Topic<'_>, id: ObjectId) -> Group {
    Group { id, name: topic.plan().name(id) }
}

fn steps(topic: &Topic<'_>, hypothetical: bool) -> Vec<StepReport> {
    let plan = topic.plan();
    let report = |step: &Step| {
        let (progress, why) = topic.known.progress(*step);
        StepReport {
            step: *step,
            group: step.group().map(|id| group(topic, id)),
            progress,
            text: plan.became(*step, progress, why, hypothetical),
        }
    };
    plan.steps.iter().map(report).collect()
}

/// What the plan takes from the guest in the group that the finding is about.
fn relations(finding: &Finding) -> Vec<&'static str> {
    let here = |step: &&Step| step.group().is_some() && step.group() == finding.object;
    let mut relations: Vec<&'static str> = finding
        .plan
        .steps
        .iter()
        .filter(here)
        .filter_map(|step| match step {
            Step::RemoveMember { .. } | Step::AddMember { .. } => Some("member"),
            Step::RemoveOwner { .. } | Step::AddOwner { .. } => Some("owner"),
            Step::Disable { user: _ }
            | Step::Enable { user: _ }
            | Step::Delete { user: _ }
            | Step::Restore { user: _ } => None,
        })
        .collect();
    relations.dedup();
    relations
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
    let mut pieces =
        vec![Piece::Words(first_letter_up(&format!("{before}{} ", subject.kind))), Piece::Value(called)];
    if !after.is_empty() {
        pieces.push(Piece::Prose(after.to_owned()));
    }
    pieces.push(Piece::Words(format!(": {} ({})", finding.rule, finding.severity)));
    pieces
}
