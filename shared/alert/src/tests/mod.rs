//! What every test of this crate starts from: one guest, one rule, and the moments of one day.

mod cards;
mod decisions;
mod deletions;
mod endings;
mod groups;
mod hostile;
mod others;
mod pager;
mod pages;
mod plans;
mod sink;
mod sinks;
mod slack_bot;
mod states;

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{
    Action, ChannelName, Correlation, Finding, GuestKind, Incident, IncidentKey, Mode, ObjectId, Outcome,
    Plan, Routes, Severity, Sighting, Snapshot, SponsorName, State, Step, StepResult, Subject, TenantId,
};
use serde_json::Value;

const GUEST: ObjectId = ObjectId::from_u128(0x5c1e);

fn at(time: &str) -> Timestamp {
    format!("2026-11-20T{time}Z").parse().unwrap()
}

fn subject() -> Subject {
    Subject {
        id: GUEST,
        kind: GuestKind::Guest,
        name: Some("Mallory Doe".to_owned()),
        addresses: vec!["mallory@evil.example".to_owned()],
        organisation: Some("evil.example".to_owned()),
        sponsors: vec![SponsorName { id: ObjectId::from_u128(0xa11ce), name: Some("Alice".to_owned()) }],
        created_at: Some(at("09:58:00")),
        enabled: Some(true),
    }
}

fn finding(mode: Mode) -> Finding {
    Finding {
        rule: "blocked-domain".parse().unwrap(),
        object: None,
        severity: Severity::High,
        why: Some("organisations under sanctions".to_owned()),
        reasons: vec![
            "the address `mallory@evil.example` is in the list `blocked` (`evil.example`)".to_owned(),
        ],
        mode,
        held_back: Vec::new(),
        actions: vec![Action::Disable],
        plan: Plan { steps: vec![Step::Disable { user: GUEST }] },
        by_hand: Vec::new(),
        names: BTreeMap::new(),
        unknown: false,
        refused: None,
    }
}

/// An incident of the rule's mode, as it is just after it was met for the first time.
fn met(subject: Subject, finding: Finding) -> Incident {
    let key = IncidentKey {
        tenant: TenantId::from_u128(0xc0),
        guest: subject.id,
        rule: finding.rule.clone(),
        object: finding.object,
    };
    let correlation = Correlation::from_u128(7);
    let snapshot = Snapshot { enabled: subject.enabled, ..Snapshot::default() };
    let met = Sighting { subject, finding, snapshot, told_with: None, correlation };
    Incident::open(key, None, met, &routes(), at("10:00:00"))
}

fn routes() -> Routes {
    Routes(vec![(ChannelName("slack".to_owned()), Severity::Low)])
}

fn incident(mode: Mode) -> Incident {
    met(subject(), finding(mode))
}

fn in_state(state: State) -> Incident {
    Incident { state, updated_at: at("10:00:05"), ..incident(Mode::Enforce) }
}

/// All that a reader of the message sees in Slack, block by block.
fn slack(message: &crate::Message) -> String {
    let payload = crate::block_kit::payload(message);
    let mut shown = format!("[text] {}", payload["text"].as_str().unwrap());
    for block in payload["blocks"].as_array().unwrap() {
        let text = block["text"]["text"].as_str().or(block["elements"][0]["text"].as_str()).unwrap();
        shown.push_str(&format!("\n[{}] {text}", block["type"].as_str().unwrap()));
    }
    shown
}

/// All that a reader of the card sees in Teams.
fn teams(message: &crate::Message) -> String {
    let payload = crate::card::payload(message);
    let blocks = payload["attachments"][0]["content"]["body"].as_array().unwrap();
    blocks.iter().map(|block| block["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn webhook(message: &crate::Message) -> Value {
    serde_json::from_str(&crate::event::body(message).unwrap()).unwrap()
}

/// What differs from state to state in the signed webhook.
fn webhook_words(message: &crate::Message) -> String {
    let event = webhook(message);
    let incident = &event["data"]["incident"];
    [
        &event["type"],
        &event["data"]["id"],
        &event["data"]["headline"],
        &incident["state"],
        &incident["hypothetical"],
        &incident["what_was_done"],
        &incident["what_a_person_must_do"],
        &incident["left_over"],
        &incident["commands"]["undo"],
    ]
    .map(ToString::to_string)
    .join("\n")
}

fn outcome(step: Step, result: StepResult) -> Outcome {
    let request = Some("4e1c2b9a-0000-4000-8000-000000000001".to_owned());
    Outcome {
        incident: incident(Mode::Enforce).id,
        step,
        before: Some(true),
        identity: None,
        group: None,
        result,
        at: at("10:00:03"),
        found_so: false,
        request,
    }
}
