//! What is told of what waits for somebody to decide, and of how that ended.

use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Approval, Incident, Mode, State, Suspension};

use super::{GUEST, at, in_state, incident, slack, teams, webhook, webhook_words};
use crate::{Background, about_incident, about_incident_with};

fn waiting() -> Incident {
    let asked = incident(Mode::Ask);
    assert!(matches!(asked.state, State::Waiting { .. }), "{:?}", asked.state);
    asked
}

#[test]
fn what_waits_says_what_would_be_done_why_it_waits_until_when_and_how_to_decide() {
    let message = about_incident(&waiting(), 1);
    assert_snapshot!(slack(&message), @"
    [text] Waits for approval to disable guest mallory@evil[.]example: blocked-domain (high)
    [header] Waits for approval to disable guest mallory@evil[.]example: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)
    [section] *What would be done*
    Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is `ask`. If nobody has by 2026-11-27 10:00:00 UTC, nothing is done.
    [section] *What a person must do*
    Look at it, and approve or reject it before 2026-11-27 10:00:00 UTC.
    [section] Approve: `guestlist approve 2f446fae28c24a7f-1 --plan 3dff0501747dacd2 --reason …`
    Reject: `guestlist reject 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · waiting · mode ask · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(teams(&message), @"
    Waits for approval to disable guest mallory@evil[.]example: blocked-domain (high)
    Who
    “Mallory Doe” · guest · account enabled
    Address: “mallory@evil[.]example”
    Organisation: “evil[.]example”
    Sponsor: “Alice”
    Object id: “00000000-0000-0000-0000-000000005c1e” · created 2026-11-20 09:58:00 UTC
    What happened
    Breaks the rule “blocked-domain” (high severity)
    Why the rule: organisations under sanctions
    • the address “mallory@evil[.]example” is in the list “blocked” (“evil[.]example”)
    What would be done
    Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is “ask”. If nobody has by 2026-11-27 10:00:00 UTC, nothing is done.
    What a person must do
    Look at it, and approve or reject it before 2026-11-27 10:00:00 UTC.
    Approve: guestlist approve 2f446fae28c24a7f-1 --plan 3dff0501747dacd2 --reason …
    Reject: guestlist reject 2f446fae28c24a7f-1 --reason …
    Details: guestlist incidents show 2f446fae28c24a7f-1
    incident 2f446fae28c24a7f-1 · waiting · mode ask · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.waiting"
    "2f446fae28c24a7f-1-1"
    "Waits for approval to disable guest mallory@evil.example: blocked-domain (high)"
    "waiting"
    true
    "Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is `ask`. If nobody has by 2026-11-27 10:00:00 UTC, nothing is done."
    "Look at it, and approve or reject it before 2026-11-27 10:00:00 UTC."
    []
    null
    "#);
    let event = webhook(&message);
    let incident = &event["data"]["incident"];
    assert_snapshot!(incident["commands"].to_string(), @r#"{"approve":"guestlist approve 2f446fae28c24a7f-1 --plan 3dff0501747dacd2 --reason …","reject":"guestlist reject 2f446fae28c24a7f-1 --reason …","show":"guestlist incidents show 2f446fae28c24a7f-1","undo":null}"#);
    assert_eq!(incident["waits_until"], "2026-11-27T10:00:00Z");
    assert_eq!(incident["plan"]["hash"], waiting().question().to_string());
}

#[test]
fn what_the_breaker_holds_back_says_so() {
    let mut held = waiting();
    held.finding.mode = Mode::Enforce;
    held.waits_because = Some("the circuit breaker is open: 3 established guests within an hour".to_owned());
    let words = webhook_words(&about_incident(&held, 1));
    assert!(
        words.contains("because the circuit breaker is open: 3 established guests within an hour."),
        "{words}"
    );
    assert!(!words.contains("the mode is"), "{words}");
}

fn approved(mut incident: Incident) -> Incident {
    let plan = incident.plan().clone();
    let (by, reason) = ("carol".to_owned(), "known attacker".to_owned());
    incident.approval =
        Some(Approval { by, reason, at: at("10:30:00"), plan, identity: None, spent: true, request: None });
    incident
}

#[test]
fn what_was_approved_says_who_did_and_why() {
    let done = approved(in_state(State::Done { at: at("10:30:05") }));
    assert_snapshot!(slack(&about_incident(&done, 2)), @"
    [text] Disabled guest mallory@evil[.]example: blocked-domain (high)
    [header] Disabled guest mallory@evil[.]example: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)
    [section] *What was done*
    Disabled the account, and read it back at 2026-11-20 10:30:05 UTC.
    Approved by `carol` at 2026-11-20 10:30:00 UTC: `known attacker`
    [section] Undo: `guestlist undo 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    let approval = &webhook(&about_incident(&done, 2))["data"]["incident"]["approval"];
    assert_snapshot!(approval.to_string(), @r#"{"at":"2026-11-20T10:30:00Z","by":"carol","reason":"known attacker"}"#);
}

#[test]
fn an_approval_that_was_used_up_is_none_of_what_waits_now() {
    let again = approved(waiting());
    let message = about_incident(&again, 3);
    assert!(!slack(&message).contains("carol"), "{}", slack(&message));
    assert!(webhook(&message)["data"]["incident"]["approval"].is_null());
}

#[test]
fn a_rejection_says_who_rejected_it_and_until_when_it_holds() {
    let (by, reason) = ("carol".to_owned(), "a customer, see SEC-124".to_owned());
    let rejected = in_state(State::Rejected { at: at("11:00:00"), by: by.clone(), reason: reason.clone() });
    let suspension = Suspension {
        guest: GUEST,
        rule: "blocked-domain".parse().unwrap(),
        object: None,
        identity: None,
        until: at("11:00:00").checked_add(SignedDuration::from_hours(7 * 24)).unwrap(),
        by,
        reason,
        written_at: at("11:00:00"),
        looked_at: None,
    };
    let background = Background { outcomes: &[], suspension: Some(&suspension), stop: None };
    let message = about_incident_with(&rejected, 2, background);
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.rejected"
    "2f446fae28c24a7f-1-2"
    "Rejected: will not disable guest mallory@evil.example: blocked-domain (high)"
    "rejected"
    false
    "`carol` rejected it at 2026-11-20 11:00:00 UTC (reason: `a customer, see SEC-124`); nothing was done. The rule `blocked-domain` is suspended for this guest until 2026-11-27 11:00:00 UTC."
    null
    []
    null
    "#);
    assert!(!slack(&message).contains("guestlist approve"));
}

#[test]
fn what_nobody_decided_about_says_that_nothing_was_done() {
    let expired = in_state(State::Expired { at: at("12:00:00") });
    assert_snapshot!(webhook_words(&about_incident(&expired, 2)), @r#"
    "guest.expired"
    "2f446fae28c24a7f-1-2"
    "Nobody decided about guest mallory@evil.example: blocked-domain (high)"
    "expired"
    false
    "Nobody decided within 7 days, which ended at 2026-11-20 12:00:00 UTC; nothing was done."
    "The rule asks to disable the account: do it by hand if it must be. When the finding is met again, it waits for approval again."
    []
    null
    "#);
}
