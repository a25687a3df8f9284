//! What is told of plans of several steps.

use insta::assert_snapshot;
use model::{Incident, Outcome, State, Step, StepResult, Suspension};

use super::groups::{NAMELESS, achieved, everything, in_state, told};
use super::{GUEST, at, outcome, slack, webhook_words};
use crate::{Background, about_incident_with};

#[test]
fn a_plan_of_several_steps_is_told_step_by_step() {
    let mut sent =
        in_state(everything(), State::Sent { since: at("10:00:01"), look_again_at: at("10:00:31") });
    let [disable, finance, board, nameless] = sent.plan().steps.clone().try_into().unwrap();
    achieved(&mut sent, &[disable, board]);
    let outcomes = [
        outcome(disable, StepResult::Done),
        outcome(finance, StepResult::Sent),
        outcome(board, StepResult::AlreadySo),
    ];
    assert_snapshot!(slack(&told(&sent, &outcomes)), @"
    [text] Asked Entra to disable guest mallory@evil[.]example and remove from 3 groups: blocked-domain (high)
    [header] Asked Entra to disable guest mallory@evil[.]example and remove from 3 groups: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    • the group `Finance EU` is named like `Finance *`
    [section] *What was done*
    Asked Entra to disable the account and remove the guest from 3 groups at 2026-11-20 10:00:01 UTC; a read does not show all of it yet. It is looked at again for 15 minutes.
    • disabled the account, and read it back
    • asked Entra to remove the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1); no read shows it yet
    • nothing had to be changed: the guest was no member of the group `Board` (00000000-0000-0000-0000-0000000000b0) already
    • not done: remove the guest from the group 00000000-0000-0000-0000-0000000000aa
    Graph request-id: `4e1c2b9a-0000-4000-8000-000000000001`
    [section] Undo: `guestlist undo 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · sent · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_eq!(nameless, Step::RemoveMember { user: GUEST, group: NAMELESS });
    let done = Incident { state: State::Done { at: at("10:00:05") }, ..sent };
    let outcomes = [&outcomes[..], &[outcome(nameless, StepResult::Sent)]].concat();
    assert_snapshot!(webhook_words(&told(&done, &outcomes)), @r#"
    "guest.done"
    "2f446fae28c24a7f-1-2"
    "Disabled guest mallory@evil.example and removed from 2 groups: blocked-domain (high)"
    "done"
    false
    "Disabled the account and removed the guest from 2 groups, and read it back at 2026-11-20 10:00:05 UTC. One more thing that the rule asks for was so already."
    null
    []
    "guestlist undo 2f446fae28c24a7f-1 --reason …"
    "#);
}

#[test]
fn what_is_partly_done_says_what_is_done_and_what_a_person_must_do() {
    let mut finding = everything();
    finding.by_hand = vec![
        "take the guest out of `All Sales` in its membership rule: a dynamic group cannot be changed by hand"
            .to_owned(),
    ];
    let why = "Graph refused to change the group `Board`".to_owned();
    let mut partly = in_state(finding, State::Partly { at: at("10:00:05"), why });
    let [disable, finance, board, nameless] = partly.plan().steps.clone().try_into().unwrap();
    achieved(&mut partly, &[disable, finance]);
    let outcomes = [
        outcome(disable, StepResult::Done),
        outcome(finance, StepResult::Done),
        outcome(board, StepResult::Failed { why: "Graph answered 403".to_owned() }),
        outcome(nameless, StepResult::Refused { why: "the group is synchronised".to_owned() }),
    ];
    assert_snapshot!(slack(&told(&partly, &outcomes)), @"
    [text] Disabled guest mallory@evil[.]example and removed from 'Finance EU'; the rest is for a person: blocked-domain (high)
    [header] Disabled guest mallory@evil[.]example and removed from 'Finance EU'; the rest is for a person: blocked-domain (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `blocked-domain` (high severity)
    • the group `Finance EU` is named like `Finance *`
    [section] *What was done*
    Disabled the account and removed the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1), and read it back at 2026-11-20 10:00:05 UTC. The rest is for a person: Graph refused to change the group `Board`.
    • disabled the account, and read it back
    • removed the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1), and read it back
    • failed to remove the guest from the group `Board` (00000000-0000-0000-0000-0000000000b0): Graph answered 403
    • not tried: remove the guest from the group 00000000-0000-0000-0000-0000000000aa: the group is synchronised
    Graph request-id: `4e1c2b9a-0000-4000-8000-000000000001`
    [section] *What a person must do*
    Do the rest, or decide that it need not be done.
    • take the guest out of `All Sales` in its membership rule: a dynamic group cannot be changed by hand
    [section] Undo: `guestlist undo 2f446fae28c24a7f-1 --reason …`
    Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · partly · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}

#[test]
fn an_undo_of_several_steps_names_only_what_was_put_back() {
    let undone = State::Undone { at: at("11:00:02"), by: "anna".to_owned(), reason: "SEC-123".to_owned() };
    let mut incident = in_state(everything(), undone);
    let [disable, finance, board, nameless] = incident.plan().steps.clone().try_into().unwrap();
    achieved(&mut incident, &[disable, finance, board, nameless]);
    let later = |step: Step, result| Outcome { at: at("11:00:01"), ..outcome(step, result) };
    let outcomes = [
        outcome(disable, StepResult::Done),
        outcome(finance, StepResult::Done),
        outcome(board, StepResult::AlreadySo),
        later(finance.undo(), StepResult::Done),
        later(disable.undo(), StepResult::Done),
    ];
    let suspension = Suspension {
        guest: GUEST,
        rule: "blocked-domain".parse().unwrap(),
        object: None,
        identity: None,
        until: at("12:00:00"),
        by: "anna".to_owned(),
        reason: "SEC-123".to_owned(),
        written_at: at("11:00:00"),
        looked_at: None,
    };
    let background = Background { outcomes: &outcomes, suspension: Some(&suspension), stop: None };
    assert_snapshot!(slack(&about_incident_with(&incident, 4, background)), @"
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
    • the group `Finance EU` is named like `Finance *`
    [section] *What was done*
    `anna` undid it (reason: `SEC-123`). Asked Entra to add the guest to the group `Finance EU` (00000000-0000-0000-0000-0000000000f1) and enable the account, and read it back at 2026-11-20 11:00:02 UTC. The rule `blocked-domain` is suspended for this guest until 2026-11-20 12:00:00 UTC.
    • disabled the account, and undid it
    • removed the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1), and undid it
    • nothing had to be changed: the guest was no member of the group `Board` (00000000-0000-0000-0000-0000000000b0) already
    • nothing had to be changed: the guest was no member of the group 00000000-0000-0000-0000-0000000000aa already
    Graph request-id: `4e1c2b9a-0000-4000-8000-000000000001`
    [section] Details: `guestlist incidents show 2f446fae28c24a7f-1`
    [context] incident 2f446fae28c24a7f-1 · undone · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}
