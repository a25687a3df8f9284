//! What happens between a question and its answer: the guest leaves, the process dies, the policy changes, a protection
//! appears.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::Answer;
use simulator::{Failure, Fault, GroupKind};

use crate::given::{come_back, refused, waiting_read};
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, asking, closing};

#[tokio::test]
async fn whoever_leaves_by_himself_is_not_asked_about_any_more() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.tenant.leave(adele, finance);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    assert!(world.slack.next_text().starts_with("Resolved"));
    assert!(refused(world.approve(&id).await).contains("it is resolved"));
    world.expect_no_writes();
}

#[tokio::test]
async fn an_approval_after_an_unnoticed_leaving_writes_nothing() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.unnoticed(|tenant| tenant.leave(adele, finance));
    world.clock.advance(SignedDuration::from_mins(1));
    world.approve(&id).await;
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    world.slack.read_all();
}

#[tokio::test]
async fn an_approval_survives_a_death_of_the_process_at_any_question() {
    for (method, path) in [("POST", "/$batch"), ("GET", "/organization"), ("DELETE", "/groups")] {
        let (mut world, adele, finance, id) = waiting_read().await;
        world.clock.advance(SignedDuration::from_hours(2));
        world.ask_approval(&id, "carol").await;
        world.next_faults([Fault::new(method, path, Failure::Hang)]);
        world.kill_during("remediate").await;
        come_back(&mut world).await;
        assert!(!world.tenant.is_member(adele, finance), "{method} {path}");
        world.forget_writes("/members/");
        let incident = world.incident_in(adele, finance).await;
        assert_eq!(incident.state.word(), "done", "{method} {path}");
        assert_eq!(incident.approval.unwrap().by, "carol");
        world.slack.read_all();
    }
}

#[tokio::test]
async fn an_approval_whose_wake_up_was_lost_is_carried_out_all_the_same() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.ask_approval(&id, "carol").await;
    assert!(world.worker("remediate").run_due(1).await.unwrap() > 0);
    let lost =
        world.store.queues.remediations.claim(world.clock.now(), SignedDuration::from_hours(99), 10).await;
    for one in lost.unwrap() {
        world.store.queues.remediations.ack(&one).await.unwrap();
    }
    world.clock.advance(SignedDuration::from_mins(3));
    world.wake_what_is_due().await;
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert!(world.slack.read_all().len() <= 2);
}

#[tokio::test]
async fn a_policy_that_starts_to_enforce_acts_on_what_waits() {
    let (mut world, adele, finance, _) = waiting_read().await;
    world.change_policy(CLOSED_GROUPS);
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_policy_that_falls_to_observe_takes_the_question_back() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe"));
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    assert!(refused(world.approve(&id).await).contains("waits for nobody's decision"));
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn nobody_is_asked_about_a_protected_guest() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let sam = world.guest_today("sam@northwind.example");
    world.tenant.0.assign_role(sam.0, "User Administrator").unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(sam);
    world.settle().await;
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "refused");
    assert!(refused(world.approve(&incident.id).await).contains("waits for nobody's decision"));
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_protection_that_appears_before_the_act_beats_the_approval() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.tenant.0.assign_role(adele.0, "User Administrator").unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    world.approve(&id).await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "refused");
    world.slack.read_all();
}

#[tokio::test]
async fn what_was_approved_can_be_undone() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Sent { .. } | Answer::Done { .. }), "{answer:?}");
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    world.slack.read_all();
}

#[tokio::test]
async fn one_approval_covers_every_rule_that_its_message_named() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["waiting", "waiting"]);
    let told = world.slack.next_text();
    assert!(told.contains("it also breaks `otherwise.guest`"), "{told}");
    let incidents = world.incidents(mallory).await;
    let speaker = incidents.iter().find(|one| one.told_with.is_none()).unwrap().id.clone();
    world.approve(&speaker).await;
    world.expect_disabled(mallory);
    world.expect_no_writes();
    assert_eq!(world.states(mallory).await, ["done", "done"]);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn one_rejection_covers_every_rule_that_its_message_named() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    let incidents = world.incidents(mallory).await;
    let speaker = incidents.iter().find(|one| one.told_with.is_none()).unwrap().id.clone();
    world.slack.read_all();
    world.reject(&speaker).await;
    assert_eq!(world.states(mallory).await, ["rejected", "rejected"]);
    assert_eq!(world.slack.read_all().len(), 1);
    world.clock.advance(SignedDuration::from_mins(30));
    world.tenant.stir(mallory);
    world.settle().await;
    world.expect_untouched(mallory);
    world.slack.expect_silence();
}

#[tokio::test]
async fn what_a_person_does_by_hand_while_it_waits_is_not_asked_for_any_more() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "waiting");
    world.slack.read_all();
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    assert_ne!(world.incident(sam).await.state.word(), "waiting");
    assert!(refused(world.approve(&incident.id).await).contains("waits for nobody's decision"));
    assert_snapshot!(world.slack.next_text(), @"
    Guest sam@northwind[.]example is already disabled: otherwise.guest (medium)
    *Who*
    `sam` · guest · account disabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What would be done*
    Would disable the account, but it is disabled already (mode ask: nothing was done).
    • held back: the policy's mode is `ask`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode ask · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen 4 times
    ");
}

#[tokio::test]
async fn what_is_approved_and_can_be_done_in_part_is_done_in_part() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups");
    let mut world = World::with_policy(&asking(&policy)).await;
    let mallory = world.guest_today("mallory@evil.example");
    let list = world.tenant.group_of_kind("Everybody", GroupKind::Distribution);
    world.meet_in(mallory, list).await;
    let incident = world.incident(mallory).await;
    assert_eq!(incident.state.word(), "waiting");
    let told = world.slack.next_text();
    assert!(told.contains("an Exchange administrator must take the account out of it"), "{told}");
    world.approve(&incident.id).await;
    world.expect_disabled(mallory);
    world.expect_member(mallory, list);
    assert_eq!(world.incident(mallory).await.state.word(), "partly");
    assert_eq!(world.slack.read_all().len(), 1);
}

/// What was asked once for two rules is asked again for the one that is left: the other's message says that it is gone.
#[tokio::test]
async fn what_still_waits_is_asked_when_the_rule_that_spoke_for_it_falls_silent() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["waiting", "waiting"]);
    assert_eq!(world.slack.read_all().len(), 1);
    world.change_policy(&asking(PARTNERS_ONLY).replace("evil.example", "worse.example"));
    world.tenant.stir(mallory);
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["resolved", "waiting"]);
    let told = world.headlines();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().any(|one| one.starts_with("Waits for approval") && one.contains("otherwise.guest")),
        "{told:?}"
    );
    // And once.
    world.tenant.stir(mallory);
    world.settle().await;
    world.slack.expect_silence();
    world.expect_untouched(mallory);
}

/// Whichever of the two is approved, people hear what came of it where they were asked.
#[tokio::test]
async fn whoever_approves_what_another_rule_speaks_for_approves_what_was_asked() {
    let mut world = World::with_policy(&asking(PARTNERS_ONLY)).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    let incidents = world.incidents(mallory).await;
    let [silent] = incidents.iter().filter(|one| one.told_with.is_some()).collect::<Vec<_>>()[..] else {
        panic!("{incidents:?}");
    };
    assert_eq!(world.slack.read_all().len(), 1);
    world.approve(&silent.id).await;
    world.expect_disabled(mallory);
    assert_eq!(world.states(mallory).await, ["done", "done"]);
    let told = world.headlines();
    assert!(told.len() == 1 && told[0].contains("blocked"), "{told:?}");
}
