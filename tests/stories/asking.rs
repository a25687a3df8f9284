//! `ask`: nothing is done before somebody has looked at the plan and said yes, and what he said yes to is all that is done.

use guestlist_tests::{Setup, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::Answer;

use crate::given::{approve_as_seen, refused, waiting};
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, asking, closing};

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

#[tokio::test]
async fn people_are_asked_once_with_the_commands_that_answer_and_nothing_is_done_meanwhile() {
    let (mut world, adele, finance, _) = waiting().await;
    world.live_on(SignedDuration::from_hours(48)).await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    assert_snapshot!(world.slack.next_text(), @"
    Waits for approval to remove guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What would be done*
    Would remove the guest from the group `Finance EU` (<id>). Nothing was done: it waits for somebody to approve or reject it, because the mode is `ask`. If nobody has by 2026-11-27 09:10:15 UTC, nothing is done.
    • held back: the policy's mode is `ask`
    *What a person must do*
    Look at it, and approve or reject it before 2026-11-27 09:10:15 UTC.
    Approve: `guestlist approve <incident>-1 --plan <plan> --reason …`
    Reject: `guestlist reject <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · waiting · mode ask · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen once
    ");
}

#[tokio::test]
async fn an_approval_is_carried_out_once_read_back_and_told_with_the_name_and_the_reason() {
    let (mut world, adele, finance, id) = waiting().await;
    world.slack.read_all();
    let answer = world.approve(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    world.expect_no_member(adele, finance);
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What was done*
    Removed the guest from the group `Finance EU` (<id>), and read it back at 2026-11-20 09:15:04 UTC.
    Approved by `carol` at 2026-11-20 09:15:00 UTC: `looked at it`
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode ask · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen twice
    ");
    // He is let in again: what was approved once is not approved for ever.
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_rejection_is_told_and_nobody_is_asked_again_for_a_week() {
    let (mut world, adele, finance, id) = waiting().await;
    world.slack.read_all();
    let answer = world.reject(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    world.expect_member(adele, finance);
    assert_snapshot!(world.slack.next_text(), @"
    Rejected: will not remove guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What was done*
    `carol` rejected it at 2026-11-20 09:15:00 UTC (reason: `he belongs there`); nothing was done. The rule `closed-groups` is suspended for this guest in this group until 2026-11-27 09:15:00 UTC.
    • held back: the policy's mode is `ask`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · rejected · mode ask · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen twice
    ");
    world.live_on(SignedDuration::from_hours(6 * 24)).await;
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "rejected");
    world.slack.expect_silence();
    world.live_on(SignedDuration::from_hours(2 * 24)).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    assert_eq!(world.slack.read_all().len(), 1, "the week is over, and he is still there");
    world.expect_member(adele, finance);
}

#[tokio::test]
async fn a_rejection_of_one_group_says_nothing_about_another() {
    let (mut world, adele, finance, id) = waiting().await;
    world.reject(&id).await;
    world.expect_member(adele, finance);
    let other = world.tenant.group("Finance US");
    world.tenant.join(adele, other);
    world.settle().await;
    assert_eq!(world.incident_in(adele, other).await.state.word(), "waiting");
    world.expect_member(adele, other);
    world.slack.read_all();
}

#[tokio::test]
async fn nobody_answers_for_a_week_and_that_is_said_and_nothing_is_done() {
    let (mut world, adele, finance, id) = waiting().await;
    world.slack.read_all();
    world.live_on(WEEK + SignedDuration::from_hours(1)).await;
    world.expect_member(adele, finance);
    assert_eq!(world.store.ledger.incident(&id).await.unwrap().unwrap().value.state.word(), "expired");
    assert_snapshot!(world.slack.next_text(), @"
    Nobody decided about guest adele@fabrikam[.]com in 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What was done*
    Nobody decided within 7 days, which ended at 2026-11-27 09:15:00 UTC; nothing was done.
    • held back: the policy's mode is `ask`
    *What a person must do*
    The rule asks to remove the guest from the group `Finance EU` (<id>): do it by hand if it must be. When the finding is met again, it waits for approval again.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · expired · mode ask · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen twice
    ");
    assert!(refused(world.approve(&id).await).contains("waits for nobody's decision"));
    world.expect_member(adele, finance);
}

#[tokio::test]
async fn an_approval_of_a_plan_that_has_grown_since_is_refused() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups");
    let mut world = World::with_policy(&asking(&policy)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let incident = world.incident(mallory).await;
    assert_eq!((incident.state.word(), incident.plan().steps.len()), ("waiting", 1));
    assert_eq!(world.slack.read_all().len(), 1);
    // The approver looks, and meanwhile the guest joins a group.
    let seen = incident.question();
    world.tenant.join(mallory, sales);
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1, "people are asked about the new plan");
    let why = refused(approve_as_seen(&mut world, &incident, seen).await);
    assert!(why.starts_with("its plan or the account has changed since"), "{why}");
    world.expect_untouched(mallory);
    world.approve(&incident.id).await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, sales);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_plan_that_grows_between_the_approval_and_the_act_is_asked_for_again() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups");
    let mut world = World::with_policy(&asking(&policy)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let incident = world.incident(mallory).await;
    let request = world.ask_approval(&incident.id, "carol").await;
    world.unnoticed(|tenant| tenant.join(mallory, sales));
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Done { .. }));
    world.expect_untouched(mallory);
    world.expect_member(mallory, sales);
    assert_eq!(world.incident(mallory).await.state.word(), "waiting");
    assert_eq!(world.slack.read_all().len(), 2, "asked, and asked again");
}

#[tokio::test]
async fn a_plan_that_shrinks_before_the_act_is_covered_by_the_approval() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups");
    let mut world = World::with_policy(&asking(&policy)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let (sales, trips) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    world.tenant.join(mallory, sales);
    world.tenant.join(mallory, trips);
    world.settle().await;
    let incident = world.incident(mallory).await;
    world.slack.read_all();
    world.ask_approval(&incident.id, "carol").await;
    world.unnoticed(|tenant| tenant.leave(mallory, trips));
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, sales);
    world.expect_no_writes();
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_approval_while_writes_are_stopped_is_kept_and_carried_out_afterwards() {
    let (mut world, adele, finance, id) = waiting().await;
    world.stop_writes().await;
    let Answer::Done { text } = world.approve(&id).await else { panic!("it was not taken") };
    assert!(text.contains("`guestlist resume`"), "{text}");
    world.live_on(SignedDuration::from_hours(3)).await;
    world.expect_member(adele, finance);
    world.resume_writes().await;
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn where_the_operator_allows_only_to_observe_nobody_is_asked() {
    let setup = Setup { ceiling: "observe", ..Setup::with_policy(&asking(PARTNERS_ONLY)) };
    let mut world = World::new(setup).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    let id = world.incident(sam).await.id;
    assert_eq!(world.incident(sam).await.state.word(), "open");
    assert!(refused(world.approve(&id).await).contains("waits for nobody's decision"));
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn where_the_operator_allows_only_to_ask_a_rule_that_acts_asks() {
    let setup = Setup { ceiling: "ask", ..Setup::with_policy(PARTNERS_ONLY) };
    let mut world = World::new(setup).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "waiting");
    world.expect_untouched(sam);
    world.approve(&incident.id).await;
    world.expect_disabled(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn a_mode_that_falls_to_observe_after_the_approval_holds() {
    let (mut world, adele, finance, id) = waiting().await;
    world.ask_approval(&id, "carol").await;
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe"));
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    world.slack.read_all();
}

#[tokio::test]
async fn two_approvers_at_once_approve_once() {
    let (mut world, adele, finance, id) = waiting().await;
    let first = world.ask_approval(&id, "carol").await;
    let second = world.ask_approval(&id, "dora").await;
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_writes();
    let answers = [world.answer(&first).await, world.answer(&second).await];
    assert!(answers.iter().any(|answer| matches!(answer, Answer::Done { .. })), "{answers:?}");
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "done");
    assert!(incident.approval.is_some_and(|approval| approval.spent));
    world.slack.read_all();
}

#[tokio::test]
async fn one_who_approves_and_one_who_rejects_end_as_the_first_said() {
    let (mut world, adele, finance, id) = waiting().await;
    let no = world.ask_rejection(&id, "dora").await;
    world.settle().await;
    let yes = world.ask_approval(&id, "carol").await;
    world.settle().await;
    assert!(matches!(world.answer(&no).await, Answer::Done { .. }));
    assert!(refused(world.answer(&yes).await).contains("it is rejected"));
    world.expect_member(adele, finance);
    world.slack.read_all();
}
