//! How an alert reads once nothing more happens by itself: refused, failed, undone, resolved.

use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Mode, State, Step, StepResult, Suspension};

use super::{GUEST, at, finding, in_state, incident, met, outcome, slack, subject, webhook_words};
use crate::{Background, about_incident, about_incident_with};

#[test]
fn a_refusal_says_what_a_person_must_do() {
    let why = "the guest holds the directory role `User Administrator`".to_owned();
    let message = about_incident(&in_state(State::Refused { why }), 1);
    assert_snapshot!(slack(&message), @"
    [text] A person must decide about guest mallory@evil[.]example: blocked-domain (high)
    [header] A person must decide about guest mallory@evil[.]example: blocked-domain (high)
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
    Nothing was done: the guest holds the directory role `User Administrator`.
    [section] *What a person must do*
    Decide, and disable the account by hand if it must be.
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · refused · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(webhook_words(&message), @r#"
    "guest.refused"
    "2f446fae28c24a7f-1-1"
    "A person must decide about guest mallory@evil.example: blocked-domain (high)"
    "refused"
    false
    "Nothing was done: the guest holds the directory role `User Administrator`."
    "Decide, and disable the account by hand if it must be."
    []
    null
    "#);
}

#[test]
fn a_failure_says_why_and_offers_an_undo_only_where_something_is_in_force() {
    let why = "failed to disable the account: Graph answered 403".to_owned();
    let failed = in_state(State::Failed { why });
    assert_snapshot!(webhook_words(&about_incident(&failed, 1)), @r#"
    "guest.failed"
    "2f446fae28c24a7f-1-1"
    "Failed, and a person must look at guest mallory@evil.example: blocked-domain (high)"
    "failed"
    false
    "Failed to disable the account: Graph answered 403."
    "Look at it in the Entra admin center: the rule asks to disable the account."
    []
    null
    "#);
    let sent = [outcome(Step::Disable { user: GUEST }, StepResult::Sent)];
    let message =
        about_incident_with(&failed, 1, Background { outcomes: &sent, suspension: None, stop: None });
    assert!(webhook_words(&message).contains("guestlist undo"));
    let reversed = [sent[0].clone(), outcome(Step::Enable { user: GUEST }, StepResult::Done)];
    let message =
        about_incident_with(&failed, 1, Background { outcomes: &reversed, suspension: None, stop: None });
    assert!(!webhook_words(&message).contains("guestlist undo"));
}

#[test]
fn an_undo_says_who_asked_why_and_until_when_it_holds() {
    let (by, reason) = ("anna".to_owned(), "false alarm, see SEC-123".to_owned());
    let undoing = State::Undoing {
        since: at("11:00:00"),
        look_again_at: at("11:00:30"),
        by: by.clone(),
        reason: reason.clone(),
    };
    assert_snapshot!(webhook_words(&about_incident(&in_state(undoing), 3)), @r#"
    "guest.undoing"
    "2f446fae28c24a7f-1-3"
    "Asked Entra to enable guest mallory@evil.example again: blocked-domain (high)"
    "undoing"
    false
    "`anna` asked for an undo (reason: `false alarm, see SEC-123`). Asked Entra to enable the account at 2026-11-20 11:00:00 UTC; a read does not show it yet. It is looked at again for 15 minutes."
    null
    []
    null
    "#);

    let undone = in_state(State::Undone { at: at("11:00:02"), by: by.clone(), reason: reason.clone() });
    assert_snapshot!(webhook_words(&about_incident(&undone, 4)), @r#"
    "guest.undone"
    "2f446fae28c24a7f-1-4"
    "Undone for guest mallory@evil.example: blocked-domain (high)"
    "undone"
    false
    "`anna` undid it (reason: `false alarm, see SEC-123`). Asked Entra to enable the account, and read it back at 2026-11-20 11:00:02 UTC. The rule `blocked-domain` is suspended for this guest for now; the details tell until when."
    null
    []
    null
    "#);
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
    assert_snapshot!(slack(&about_incident_with(&undone, 4, background)), @"
    [text] Undone for guest mallory@evil[.]example: blocked-domain (high)
    [header] Undone for guest mallory@evil[.]example: blocked-domain (high)
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
    `anna` undid it (reason: `false alarm, see SEC-123`). Asked Entra to enable the account, and read it back at 2026-11-20 11:00:02 UTC. The rule `blocked-domain` is suspended for this guest until 2026-11-27 11:00:00 UTC.
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · undone · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}

#[test]
fn a_finding_that_is_gone_is_told_with_what_stays_in_force() {
    let why = "the guest does not break this rule any more".to_owned();
    let mut resolved = in_state(State::Resolved { at: at("12:00:00"), why });
    assert_snapshot!(webhook_words(&about_incident(&resolved, 3)), @r#"
    "guest.resolved"
    "2f446fae28c24a7f-1-3"
    "Resolved for guest mallory@evil.example: blocked-domain (high)"
    "resolved"
    false
    "The finding is gone since 2026-11-20 12:00:00 UTC: the guest does not break this rule any more."
    null
    []
    null
    "#);
    resolved.left_over = vec!["sharing links of the account are still there".to_owned()];
    assert_snapshot!(webhook_words(&about_incident(&resolved, 3)), @r#"
    "guest.resolved"
    "2f446fae28c24a7f-1-3"
    "Resolved for guest mallory@evil.example: blocked-domain (high)"
    "resolved"
    false
    "The finding is gone since 2026-11-20 12:00:00 UTC: the guest does not break this rule any more. What was done about it (disabled the account) was not reversed."
    null
    ["sharing links of the account are still there"]
    "guestlist undo 2f446fae28c24a7f-1 --reason …"
    "#);
}

#[test]
fn a_guest_of_whom_little_is_known_is_named_by_the_object_id() {
    let mut bare = subject();
    (bare.name, bare.addresses, bare.organisation, bare.sponsors) = (None, Vec::new(), None, Vec::new());
    (bare.created_at, bare.enabled) = (None, None);
    assert_snapshot!(slack(&about_incident(&met(bare, finding(Mode::Observe)), 1)), @"
    [text] Would disable guest 00000000-0000-0000-0000-000000005c1e: blocked-domain (high)
    [header] Would disable guest 00000000-0000-0000-0000-000000005c1e: blocked-domain (high)
    [section] *Who*
    no display name · guest
    Address: none on record
    Sponsor: none on record
    Object id: `00000000-0000-0000-0000-000000005c1e`
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    Why the rule: organisations under sanctions
    • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)
    [section] *What would be done*
    Would disable the account (mode observe: nothing was done).
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · open · mode observe · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}

#[test]
fn a_message_keeps_its_id_over_retries_and_changes_it_with_the_delivery() {
    let mut incident = incident(Mode::Enforce);
    let first = about_incident(&incident, 1);
    incident.attempts = 4;
    assert_eq!(about_incident(&incident, 1).id, first.id);
    assert_eq!(first.id, format!("{}-1", incident.id));
    assert_ne!(about_incident(&incident, 2).id, first.id);
    assert!(!first.id.contains('.'));
}

#[test]
fn a_terminal_shows_all_of_it_without_markup() {
    let mut done = in_state(State::Done { at: at("10:00:05") });
    done.subject.name = Some("Mallory \u{1b}[31m\nDetails: `x`".to_owned());
    done.left_over = vec!["access tokens issued before now stay valid for up to about an hour".to_owned()];
    let text = about_incident(&done, 2).plain_text();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert_snapshot!(text, @"
    Disabled guest mallory@evil.example: blocked-domain (high)

    Who
      Mallory ␛[31m␊Details: `x` · guest · account enabled
      Address: mallory@evil.example
      Organisation: evil.example
      Sponsor: Alice
      Object id: 00000000-0000-0000-0000-000000005c1e · created 2026-11-20 09:58:00 UTC

    What happened
      Breaks the rule blocked-domain (high severity)
      Why the rule: organisations under sanctions
      • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)

    What was done
      Disabled the account, and read it back at 2026-11-20 10:00:05 UTC.

    What is left over
      • access tokens issued before now stay valid for up to about an hour

    Undo: guestlist undo 2f446fae28c24a7f-1 --reason …
    Details: guestlist incidents show 2f446fae28c24a7f-1
    incident 2f446fae28c24a7f-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}
