//! What is told of memberships and ownerships.

use insta::assert_snapshot;
use model::{Achieved, Action, Finding, Incident, Mode, ObjectId, Outcome, Plan, State, Step, StepResult};

use super::{GUEST, at, finding, met, outcome, slack, subject, teams, webhook, webhook_words};
use crate::{Background, about_incident, about_incident_with};

pub(super) const FINANCE: ObjectId = ObjectId::from_u128(0xf1);
pub(super) const BOARD: ObjectId = ObjectId::from_u128(0xb0);
pub(super) const NAMELESS: ObjectId = ObjectId::from_u128(0xaa);
const LEAVE: Step = Step::RemoveMember { user: GUEST, group: FINANCE };
const DISOWN: Step = Step::RemoveOwner { user: GUEST, group: FINANCE };

pub(super) fn joined(mode: Mode, steps: &[Step]) -> Finding {
    let mut finding = finding(mode);
    finding.rule = "confidential-groups".parse().unwrap();
    finding.object = Some(FINANCE);
    finding.why = None;
    finding.reasons = vec!["the group `Finance EU` is named like `Finance *`".to_owned()];
    finding.actions = vec![Action::LeaveGroup];
    finding.plan = Plan { steps: steps.to_vec() };
    finding.names = [(FINANCE, "Finance EU".to_owned()), (BOARD, "Board".to_owned())].into();
    finding
}

/// Disable, and out of three groups.
pub(super) fn everything() -> Finding {
    let leave = [FINANCE, BOARD, NAMELESS].map(|group| Step::RemoveMember { user: GUEST, group });
    let mut finding = joined(Mode::Enforce, &[]);
    finding.object = None;
    finding.rule = "blocked-domain".parse().unwrap();
    finding.plan.steps = [Step::Disable { user: GUEST }].into_iter().chain(leave).collect();
    finding
}

pub(super) fn in_state(finding: Finding, state: State) -> Incident {
    let mut incident = met(subject(), finding);
    (incident.state, incident.updated_at) = (state, at("10:00:05"));
    incident
}

pub(super) fn achieved(incident: &mut Incident, steps: &[Step]) {
    incident.achieved = steps
        .iter()
        .map(|step| Achieved {
            step: *step,
            done_at: at("10:00:05"),
            put_back: None,
            found_so: false,
            earlier: Vec::new(),
        })
        .collect();
}

pub(super) fn told(incident: &Incident, outcomes: &[Outcome]) -> crate::Message {
    about_incident_with(incident, 2, Background { outcomes, suspension: None, stop: None })
}

#[test]
fn a_guest_who_was_taken_out_of_a_group_is_told_with_the_groups_name_and_id() {
    let done = in_state(joined(Mode::Enforce, &[LEAVE]), State::Done { at: at("10:00:05") });
    let message = told(&done, &[outcome(LEAVE, StepResult::Done)]);
    assert_snapshot!(slack(&message), @"
    [text] Removed guest mallory@evil[.]example from 'Finance EU': confidential-groups (high)
    [header] Removed guest mallory@evil[.]example from 'Finance EU': confidential-groups (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `confidential-groups` (high severity)
    Group: `Finance EU` (`00000000-0000-0000-0000-0000000000f1`) · member
    • the group `Finance EU` is named like `Finance *`
    [section] *What was done*
    Removed the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1), and read it back at 2026-11-20 10:00:05 UTC.
    Graph request-id: `4e1c2b9a-0000-4000-8000-000000000001`
    [section] Undo: `guestlist undo 2f446fae3f23036baec2-1 --reason …`
    Details: `guestlist incidents show 2f446fae3f23036baec2-1`
    [context] incident 2f446fae3f23036baec2-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(teams(&message), @"
    Removed guest mallory@evil[.]example from 'Finance EU': confidential-groups (high)
    Who
    “Mallory Doe” · guest · account enabled
    Address: “mallory@evil[.]example”
    Organisation: “evil[.]example”
    Sponsor: “Alice”
    Object id: “00000000-0000-0000-0000-000000005c1e” · created 2026-11-20 09:58:00 UTC
    What happened
    Breaks the rule “confidential-groups” (high severity)
    Group: “Finance EU” (“00000000-0000-0000-0000-0000000000f1”) · member
    • the group “Finance EU” is named like “Finance ∗”
    What was done
    Removed the guest from the group “Finance EU” (00000000-0000-0000-0000-0000000000f1), and read it back at 2026-11-20 10:00:05 UTC.
    Graph request-id: “4e1c2b9a-0000-4000-8000-000000000001”
    Undo: guestlist undo 2f446fae3f23036baec2-1 --reason …
    Details: guestlist incidents show 2f446fae3f23036baec2-1
    incident 2f446fae3f23036baec2-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    let event = webhook(&message);
    let incident = &event["data"]["incident"];
    assert_snapshot!(serde_json::to_string_pretty(&[&incident["rule"], &incident["plan"]]).unwrap(), @r#"
    [
      {
        "group": {
          "id": "00000000-0000-0000-0000-0000000000f1",
          "name": "Finance EU"
        },
        "id": "confidential-groups",
        "object": "00000000-0000-0000-0000-0000000000f1",
        "reasons": [
          "the group `Finance EU` is named like `Finance *`"
        ],
        "relations": [
          "member"
        ],
        "unknown": false,
        "why": null
      },
      {
        "hash": "d4be7a4bfa745217",
        "steps": [
          {
            "group": {
              "id": "00000000-0000-0000-0000-0000000000f1",
              "name": "Finance EU"
            },
            "progress": "done",
            "step": "remove-member",
            "text": "removed the guest from the group `Finance EU` (00000000-0000-0000-0000-0000000000f1), and read it back"
          }
        ]
      }
    ]
    "#);
}

#[test]
fn each_verb_reads_as_a_sentence() {
    let headlines = |finding: Finding| {
        let incident = met(subject(), finding.clone());
        let done = in_state(finding, State::Done { at: at("10:00:05") });
        format!("{}\n{}", about_incident(&incident, 1).headline, about_incident(&done, 1).headline)
    };
    assert_snapshot!(headlines(joined(Mode::Observe, &[DISOWN])), @"
    Would remove guest mallory@evil.example as an owner of `Finance EU`: confidential-groups (high)
    Removed guest mallory@evil.example as an owner of `Finance EU`: confidential-groups (high)
    ");
    assert_snapshot!(headlines(joined(Mode::Observe, &[LEAVE, DISOWN])), @"
    Would remove guest mallory@evil.example from `Finance EU` and remove as an owner of `Finance EU`: confidential-groups (high)
    Removed guest mallory@evil.example from `Finance EU` and removed as an owner of `Finance EU`: confidential-groups (high)
    ");
    assert_snapshot!(headlines(Finding { mode: Mode::Observe, ..everything() }), @"
    Would disable guest mallory@evil.example and remove from 3 groups: blocked-domain (high)
    Disabled guest mallory@evil.example and removed from 3 groups: blocked-domain (high)
    ");
    let mut nameless = joined(Mode::Observe, &[Step::RemoveMember { user: GUEST, group: NAMELESS }]);
    nameless.names.clear();
    assert_snapshot!(headlines(nameless), @"
    Would remove guest mallory@evil.example from the group 00000000-0000-0000-0000-0000000000aa: confidential-groups (high)
    Removed guest mallory@evil.example from the group 00000000-0000-0000-0000-0000000000aa: confidential-groups (high)
    ");
}

#[test]
fn what_only_a_person_can_do_is_not_called_done_and_says_what_to_do() {
    let mut finding = joined(Mode::Enforce, &[]);
    finding.by_hand = vec!["take the guest out of `Finance EU` where it is synchronised from".to_owned()];
    assert_snapshot!(slack(&about_incident(&met(subject(), finding.clone()), 1)), @"
    [text] A person must decide about guest mallory@evil[.]example in 'Finance EU': confidential-groups (high)
    [header] A person must decide about guest mallory@evil[.]example in 'Finance EU': confidential-groups (high)
    [section] *Who*
    `Mallory Doe` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `00000000-0000-0000-0000-000000005c1e` · created 2026-11-20 09:58:00 UTC
    [section] *What happened*
    Breaks the rule `confidential-groups` (high severity)
    Group: `Finance EU` (`00000000-0000-0000-0000-0000000000f1`)
    • the group `Finance EU` is named like `Finance *`
    [section] *What was done*
    Nothing was done: only a person can do what the rule asks for.
    [section] *What a person must do*
    • take the guest out of `Finance EU` where it is synchronised from
    [section] Details: `guestlist incidents show 2f446fae3f23036baec2-1`
    [context] incident 2f446fae3f23036baec2-1 · open · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    finding.mode = Mode::Observe;
    assert_snapshot!(webhook_words(&about_incident(&met(subject(), finding), 1)), @r#"
    "guest.finding"
    "2f446fae3f23036baec2-1-1"
    "Found guest mallory@evil.example in `Finance EU`: confidential-groups (high)"
    "open"
    true
    "Only a person can do what the rule asks for (mode observe: nothing was done)."
    null
    []
    null
    "#);
}

#[test]
fn a_guest_who_had_left_before_is_not_claimed_as_our_work() {
    let done = in_state(joined(Mode::Enforce, &[LEAVE]), State::Done { at: at("10:00:05") });
    assert_snapshot!(webhook_words(&told(&done, &[outcome(LEAVE, StepResult::AlreadySo)])), @r#"
    "guest.done"
    "2f446fae3f23036baec2-1-2"
    "Guest mallory@evil.example was not in `Finance EU` any more: confidential-groups (high)"
    "done"
    false
    "Nothing had to be changed: the guest was no member of the group `Finance EU` (00000000-0000-0000-0000-0000000000f1) already when it was read at 2026-11-20 10:00:05 UTC."
    null
    []
    null
    "#);
    let both = in_state(joined(Mode::Enforce, &[LEAVE, DISOWN]), State::Done { at: at("10:00:05") });
    let outcomes = [outcome(LEAVE, StepResult::AlreadySo), outcome(DISOWN, StepResult::AlreadySo)];
    let words = webhook_words(&told(&both, &outcomes));
    assert!(
        words.contains("Nothing had to be changed: all that the rule asks for was so already"),
        "{words}"
    );
}

#[test]
fn what_somebody_put_back_is_not_ours_to_undo() {
    let why = "Graph answered 403".to_owned();
    let mut failed = in_state(joined(Mode::Enforce, &[LEAVE]), State::Failed { why });
    let outcomes = [outcome(LEAVE, StepResult::Done)];
    achieved(&mut failed, &[LEAVE]);
    assert!(webhook_words(&told(&failed, &outcomes)).contains("guestlist undo"));
    failed.achieved[0].put_back = Some(at("10:00:05"));
    let words = webhook_words(&told(&failed, &outcomes));
    assert!(!words.contains("guestlist undo"), "{words}");
    assert_eq!(
        webhook(&told(&failed, &outcomes))["data"]["incident"]["plan"]["steps"][0]["progress"],
        "put-back"
    );
}

#[test]
fn the_name_of_a_group_cannot_format_or_link_or_pass_for_the_guest() {
    let mut hostile = joined(Mode::Enforce, &[LEAVE]);
    hostile.names.insert(FINANCE, "*<!channel>* `x` [y](https://evil.example) * <at>z</at>".to_owned());
    let message = about_incident(&in_state(hostile, State::Done { at: at("10:00:05") }), 1);
    super::hostile::expect_within_limits(&message);
    super::hostile::expect_harmless(&message);
    assert_snapshot!(slack(&message).lines().next().unwrap(), @"[text] Removed guest mallory@evil[.]example from '∗&lt;!channel&gt;∗ 'x' [y](https[:]//evil[.]example) ∗ &lt;at&gt;z&lt;/at&gt;': confidential-groups (high)");
    assert_snapshot!(teams(&message).lines().next().unwrap(), @"Removed guest mallory@evil[.]example from '∗＜!channel＞∗ 'x' ［y］(https[:]//evil[.]example) ∗ ＜at＞z＜/at＞': confidential-groups (high)");
}
