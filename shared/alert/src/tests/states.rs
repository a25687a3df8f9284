//! What is told of an incident in each of its states.

use insta::assert_snapshot;
use model::{Action, Lease, Mode, Plan, State, Step, StepResult};

use super::{GUEST, at, finding, in_state, incident, met, outcome, slack, subject, webhook, webhook_words};
use crate::{Background, about_incident, about_incident_with};

#[test]
fn a_finding_that_is_only_observed_says_what_would_be_done_and_what_held_it_back() {
    let mut held = finding(Mode::Observe);
    held.held_back = vec!["the operator's ceiling is `observe` (GUESTLIST_AT_MOST)".to_owned()];
    let message = about_incident(&met(subject(), held), 1);
    assert_snapshot!(slack(&message), @"
    [text] Would disable guest mallory@evil[.]example: blocked-domain (high)
    [header] Would disable guest mallory@evil[.]example: blocked-domain (high)
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
    Would disable the account (mode observe: nothing was done).
    • held back: the operator's ceiling is `observe` (GUESTLIST_AT_MOST)
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · open · mode observe · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.finding"
    "2f446fae28c24a7f-1-1"
    "Would disable guest mallory@evil.example: blocked-domain (high)"
    "open"
    true
    "Would disable the account (mode observe: nothing was done)."
    null
    []
    null
    "#);
}

#[test]
fn a_finding_that_is_about_to_be_acted_on_says_so_and_how_often_it_was_tried() {
    let mut pending = incident(Mode::Enforce);
    assert_snapshot!(webhook_words(&about_incident(&pending, 1)), @r#"
    "guest.finding"
    "2f446fae28c24a7f-1-1"
    "About to disable guest mallory@evil.example: blocked-domain (high)"
    "open"
    true
    "Will disable the account; it is not done yet."
    null
    []
    null
    "#);
    pending.attempts = 3;
    let message = about_incident(&pending, 1);
    assert!(webhook_words(&message).contains("It was tried 3 times and is tried again."));
    pending.state = State::Claimed { lease: Lease { until: at("10:01:00") } };
    assert_snapshot!(webhook_words(&about_incident(&pending, 1)), @r#"
    "guest.acting"
    "2f446fae28c24a7f-1-1"
    "About to disable guest mallory@evil.example: blocked-domain (high)"
    "claimed"
    false
    "A worker is at it: disable the account."
    null
    []
    null
    "#);
}

#[test]
fn a_rule_that_only_tells_says_that_nothing_was_done() {
    let mut only_told = finding(Mode::Enforce);
    only_told.actions = vec![Action::Notify];
    only_told.plan = Plan::default();
    assert_snapshot!(webhook_words(&about_incident(&met(subject(), only_told), 1)), @r#"
    "guest.finding"
    "2f446fae28c24a7f-1-1"
    "Found guest mallory@evil.example: blocked-domain (high)"
    "open"
    false
    "The rule asks to tell people, and nothing else: nothing was done."
    null
    []
    null
    "#);
}

#[test]
fn an_observed_guest_whose_account_is_disabled_already_is_told_as_such() {
    let mut disabled = subject();
    disabled.enabled = Some(false);
    let message = about_incident(&met(disabled, finding(Mode::Observe)), 1);
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.finding"
    "2f446fae28c24a7f-1-1"
    "Guest mallory@evil.example is already disabled: blocked-domain (high)"
    "open"
    true
    "Would disable the account, but it is disabled already (mode observe: nothing was done)."
    null
    []
    null
    "#);
}

#[test]
fn what_could_not_be_checked_is_told_and_not_claimed_to_be_a_breach() {
    let mut unknown = finding(Mode::Enforce);
    unknown.unknown = true;
    unknown.reasons = vec!["the guest has no usable address".to_owned()];
    assert_snapshot!(slack(&about_incident(&met(subject(), unknown), 1)), @"
    [text] Could not check guest mallory@evil[.]example: blocked-domain (high)
    [header] Could not check guest mallory@evil[.]example: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    May break the rule `blocked-domain` (high severity): it could not be checked
    Why the rule: organisations under sanctions
    • the guest has no usable address
    [section] *What would be done*
    Would disable the account if the rule is broken. What decides that could not be read, so nothing was done.
    [section] *What a person must do*
    Look at the guest, and mend what could not be read: it is judged again then.
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · open · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}

#[test]
fn a_write_that_no_read_shows_yet_is_not_called_done() {
    let state = State::Sent { since: at("10:00:01"), look_again_at: at("10:00:31") };
    let message = about_incident(&in_state(state), 2);
    assert_snapshot!(slack(&message), @"
    [text] Asked Entra to disable guest mallory@evil[.]example: blocked-domain (high)
    [header] Asked Entra to disable guest mallory@evil[.]example: blocked-domain (high)
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
    Asked Entra to disable the account at 2026-11-20 10:00:01 UTC; a read does not show it yet. It is looked at again for 15 minutes.
    [section] Undo: `guestlist undo 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · sent · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.acting"
    "2f446fae28c24a7f-1-2"
    "Asked Entra to disable guest mallory@evil.example: blocked-domain (high)"
    "sent"
    false
    "Asked Entra to disable the account at 2026-11-20 10:00:01 UTC; a read does not show it yet. It is looked at again for 15 minutes."
    null
    []
    "guestlist undo 2f446fae28c24a7f-1 --reason …"
    "#);
}

#[test]
fn what_is_done_was_read_back_and_what_is_left_over_is_told() {
    let mut done = in_state(State::Done { at: at("10:00:05") });
    done.subject.enabled = Some(false);
    done.left_over = vec!["access tokens issued before now stay valid for up to about an hour".to_owned()];
    let message = about_incident(&done, 2);
    assert_snapshot!(slack(&message), @"
    [text] Disabled guest mallory@evil[.]example: blocked-domain (high)
    [header] Disabled guest mallory@evil[.]example: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account disabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)
    [section] *What was done*
    Disabled the account, and read it back at 2026-11-20 10:00:05 UTC.
    [section] *What is left over*
    • access tokens issued before now stay valid for up to about an hour
    [section] Undo: `guestlist undo 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(serde_json::to_string_pretty(&webhook(&message)).unwrap(), @r#"
    {
      "data": {
        "headline": "Disabled guest mallory@evil.example: blocked-domain (high)",
        "id": "2f446fae28c24a7f-1-2",
        "incident": {
          "actions": [
            "disable"
          ],
          "approval": null,
          "by_hand": [],
          "commands": {
            "approve": null,
            "reject": null,
            "show": "guestlist incidents show 2f446fae28c24a7f-1",
            "undo": "guestlist undo 2f446fae28c24a7f-1 --reason …"
          },
          "correlation": "00000000-0000-0000-0000-000000000007",
          "graph_request_ids": [],
          "guest": {
            "account_enabled": false,
            "addresses": [
              "mallory@evil.example"
            ],
            "created_at": "2026-11-20T09:58:00Z",
            "id": "00000000-0000-0000-0000-000000005c1e",
            "kind": "guest",
            "name": "Mallory Doe",
            "organisation": "evil.example",
            "sponsors": [
              {
                "id": "00000000-0000-0000-0000-0000000a11ce",
                "name": "Alice"
              }
            ]
          },
          "held_back": [],
          "hypothetical": false,
          "id": "2f446fae28c24a7f-1",
          "left_over": [
            "access tokens issued before now stay valid for up to about an hour"
          ],
          "mode": "enforce",
          "opened_at": "2026-11-20T10:00:00Z",
          "plan": {
            "hash": "3dff0501747dacd2",
            "steps": [
              {
                "group": null,
                "progress": "done",
                "step": "disable",
                "text": "disabled the account, and read it back"
              }
            ]
          },
          "rule": {
            "group": null,
            "id": "blocked-domain",
            "object": null,
            "reasons": [
              "the address `mallory@evil.example` is in the list `blocked` (`evil.example`)"
            ],
            "relations": [],
            "unknown": false,
            "why": "organisations under sanctions"
          },
          "seen": 1,
          "state": "done",
          "tenant": "00000000-0000-0000-0000-0000000000c0",
          "waits_until": null,
          "what_a_person_must_do": null,
          "what_was_done": "Disabled the account, and read it back at 2026-11-20 10:00:05 UTC."
        },
        "schema": 1,
        "severity": "high",
        "truncated": false
      },
      "timestamp": "2026-11-20T10:00:05Z",
      "type": "guest.done"
    }
    "#);
}

#[test]
fn an_account_that_was_disabled_before_is_not_claimed_as_our_work() {
    let done = in_state(State::Done { at: at("10:00:05") });
    let outcomes = [outcome(Step::Disable { user: GUEST }, StepResult::AlreadySo)];
    let message =
        about_incident_with(&done, 2, Background { outcomes: &outcomes, suspension: None, stop: None });
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.done"
    "2f446fae28c24a7f-1-2"
    "Guest mallory@evil.example was already disabled: blocked-domain (high)"
    "done"
    false
    "Nothing had to be changed: the account was disabled already when it was read at 2026-11-20 10:00:05 UTC."
    null
    []
    null
    "#);
}

#[test]
fn a_second_look_at_what_we_did_ourselves_is_still_our_work() {
    let done = in_state(State::Done { at: at("10:00:05") });
    let step = Step::Disable { user: GUEST };
    let outcomes = [outcome(step, StepResult::Sent), outcome(step, StepResult::AlreadySo)];
    let message =
        about_incident_with(&done, 2, Background { outcomes: &outcomes, suspension: None, stop: None });
    let words = webhook_words(&message);
    assert!(words.contains("Disabled the account, and read it back"), "{words}");
    assert!(words.contains("guestlist undo"), "{words}");
    assert!(slack(&message).contains("Graph request-id: `4e1c2b9a-0000-4000-8000-000000000001`"));
}
