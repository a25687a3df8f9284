//! The words for an account that is deleted and restored.

use insta::assert_snapshot;
use model::{
    Action, Finding, Incident, Mode, Outcome, PendingUndo, Plan, State, Step, StepResult, Suspension,
};

use super::{GUEST, at, finding, met, outcome, subject, webhook, webhook_words};
use crate::{Background, about_incident, about_incident_with};

const DELETE: Step = Step::Delete { user: GUEST };

fn deletes(mode: Mode) -> Incident {
    let plan = Plan { steps: vec![DELETE] };
    met(subject(), Finding { actions: vec![Action::Delete], plan, ..finding(mode) })
}

#[test]
fn a_deletion_that_is_only_observed_or_under_way_claims_nothing() {
    assert_snapshot!(webhook_words(&about_incident(&deletes(Mode::Observe), 1)), @r#"
    "guest.finding"
    "2f446fae28c24a7f-1-1"
    "Would delete guest mallory@evil.example: blocked-domain (high)"
    "open"
    true
    "Would delete the account (mode observe: nothing was done)."
    null
    []
    null
    "#);
    let sent = Incident {
        state: State::Sent { since: at("10:00:03"), look_again_at: at("10:00:05") },
        ..deletes(Mode::Enforce)
    };
    assert_snapshot!(webhook_words(&about_incident(&sent, 1)), @r#"
    "guest.acting"
    "2f446fae28c24a7f-1-1"
    "Asked Entra to delete guest mallory@evil.example: blocked-domain (high)"
    "sent"
    false
    "Asked Entra to delete the account at 2026-11-20 10:00:03 UTC; a read does not show it yet. It is looked at again for 15 minutes."
    null
    []
    "guestlist undo 2f446fae28c24a7f-1 --reason …"
    "#);
}

#[test]
fn a_deletion_is_named_as_one_and_so_is_its_undo() {
    let mut incident = deletes(Mode::Enforce);
    incident.state = State::Done { at: at("10:00:05") };
    incident.achieve(DELETE, false, at("10:00:05"));
    let outcomes = [outcome(DELETE, StepResult::Done)];
    let background = Background { outcomes: &outcomes, suspension: None, stop: None };
    let message = about_incident_with(&incident, 1, background);
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.done"
    "2f446fae28c24a7f-1-1"
    "Deleted guest mallory@evil.example: blocked-domain (high)"
    "done"
    false
    "Deleted the account, and read it back at 2026-11-20 10:00:05 UTC."
    null
    []
    "guestlist undo 2f446fae28c24a7f-1 --reason …"
    "#);
    let event = webhook(&message).to_string();
    assert!(event.contains("\"step\":\"delete\""), "{event}");

    incident.state = State::Undoing {
        since: at("10:05:00"),
        look_again_at: at("10:05:05"),
        by: "carol".to_owned(),
        reason: "she is expected".to_owned(),
    };
    incident.undo = Some(PendingUndo {
        steps: vec![DELETE.undo()],
        identity: None,
        force: false,
        group_missing_since: None,
        groups: std::collections::BTreeMap::new(),
        deleted_at: Some(at("10:00:03")),
    });
    let told = webhook_words(&about_incident(&incident, 2));
    assert!(
        told.contains("Asked Entra to restore guest mallory@evil.example again: blocked-domain"),
        "{told}"
    );
}

/// A 502, a timeout: the write may have been carried out, or somebody else did it meanwhile.
#[test]
fn what_graph_did_not_answer_for_is_not_claimed_for_sure() {
    let mut incident = deletes(Mode::Enforce);
    incident.state = State::Done { at: at("10:00:05") };
    incident.achieve(DELETE, false, at("10:00:05"));
    let outcomes = [Outcome { request: None, ..outcome(DELETE, StepResult::Done) }];
    let message =
        about_incident_with(&incident, 1, Background { outcomes: &outcomes, suspension: None, stop: None });
    let told = webhook_words(&message);
    assert!(
        told.contains(
            "Deleted the account, and read it back at 2026-11-20 10:00:05 UTC. Graph's answer to the request to delete the \
             account got lost: whoever did the same at that time may have been faster."
        ),
        "{told}"
    );
}

/// Somebody gave it back before any read had shown it, so that nobody had heard of it.
#[test]
fn an_undo_tells_what_had_been_asked_for_although_nothing_was_left_to_put_back() {
    let mut incident = deletes(Mode::Enforce);
    incident.state =
        State::Undone { at: at("10:05:05"), by: "carol".to_owned(), reason: "she is expected".to_owned() };
    let restored = StepResult::Failed { why: "there is no such account".to_owned() };
    let outcomes = [outcome(DELETE, StepResult::Sent), outcome(DELETE.undo(), restored)];
    let background = Background { outcomes: &outcomes, suspension: None, stop: None };
    let told = webhook_words(&about_incident_with(&incident, 1, background));
    assert!(
        told.contains(
            "Entra had been asked to delete the account. At 2026-11-20 10:05:05 UTC that did not show, and there was nothing to put \
             back."
        ),
        "{told}"
    );
    let found = [outcome(DELETE, StepResult::AlreadySo)];
    let background = Background { outcomes: &found, suspension: None, stop: None };
    let told = webhook_words(&about_incident_with(&incident, 1, background));
    assert!(told.contains("Nothing had to be changed: all was as before"), "{told}");
}

#[test]
fn a_rule_that_is_suspended_in_all_groups_is_not_said_to_be_in_one() {
    let mut incident = deletes(Mode::Enforce);
    incident.finding.object = Some(model::ObjectId::from_u128(0x90bd));
    incident.state =
        State::Undone { at: at("10:05:05"), by: "carol".to_owned(), reason: "she is expected".to_owned() };
    let mut suspension = Suspension {
        guest: GUEST,
        rule: incident.key.rule.clone(),
        object: None,
        identity: None,
        until: at("12:00:00"),
        by: "carol".to_owned(),
        reason: "she is expected".to_owned(),
        written_at: at("10:05:00"),
        looked_at: None,
    };
    for (object, in_one) in [(None, false), (incident.finding.object, true)] {
        suspension.object = object;
        let background = Background { outcomes: &[], suspension: Some(&suspension), stop: None };
        let told = webhook_words(&about_incident_with(&incident, 1, background));
        assert_eq!(told.contains("suspended for this guest in this group until"), in_one, "{told}");
    }
}
