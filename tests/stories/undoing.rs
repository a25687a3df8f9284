//! What was done is undone, stays so for a while, and never against a rule, a changed identity or a protected account.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, IncidentId};
use simulator::{Failure, Fault, Stale};

use crate::given::{disabled, refused};
use crate::policies::PARTNERS_ONLY;

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

async fn forced(world: &mut World, id: &IncidentId) -> Answer {
    let request = world.ask_undo(id, true).await;
    world.settle().await;
    world.answer(&request).await
}

#[tokio::test]
async fn an_undo_is_read_back_and_told() {
    let (mut world, sam, id) = disabled().await;
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Sent { .. }), "no read had shown it yet: {answer:?}");
    world.expect_enabled_again(sam);
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    assert_snapshot!(world.slack.next_text(), @"
    Undone for guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    `carol` undid it (reason: `she is expected`). Asked Entra to enable the account, and read it back at 2026-11-20 09:05:04 UTC. The rule `otherwise.guest` is suspended for this guest until 2026-11-27 09:05:00 UTC.
    Graph request-id: `<id>`, `<id>`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · undone · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen 3 times
    ");
    assert!(world.wake_what_is_due().await == 0, "nothing is left to do");
}

#[tokio::test]
async fn where_reads_are_current_the_answer_says_that_it_is_done() {
    let (mut world, sam, id) = disabled().await;
    // Every replica is current, so that the read-back itself shows it.
    world.simulator.set_faults(|faults| faults.stale = None);
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_stays_undone_for_a_week_and_then_the_rule_counts_again() {
    let (mut world, sam, id) = disabled().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.live_on(SignedDuration::from_hours(6 * 24)).await;
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    world.expect_untouched(sam);
    world.live_on(SignedDuration::from_hours(24)).await;
    world.tenant.change(sam, |user| user.display_name = "Sam".to_owned());
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.incident(sam).await.id.generation, 2);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_covers_every_rule_that_its_message_named() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    let told = world.slack.next_text();
    assert!(told.contains("it also breaks `otherwise.guest`"), "{told}");
    let incidents = world.incidents(mallory).await;
    let speaker = incidents.iter().find(|one| one.told_with.is_none()).unwrap();
    let quiet = incidents.iter().find(|one| one.told_with.is_some()).unwrap();
    let why = refused(world.undo(&quiet.id).await);
    assert_eq!(
        why,
        format!(
            "`{}` speaks for this incident, and what was done is written there; undo that one",
            speaker.id
        )
    );
    world.undo(&speaker.id).await;
    world.expect_enabled_again(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
    world.clock.advance(SignedDuration::from_hours(24));
    world.tenant.redeem(mallory);
    world.settle().await;
    world.expect_untouched(mallory);
}

#[tokio::test]
async fn an_undo_is_refused_while_another_rule_objects_unless_it_is_forced() {
    let (mut world, sam, id) = disabled().await;
    world.change_policy(&PARTNERS_ONLY.replace("[evil.example,", "[northwind.example, evil.example,"));
    assert_snapshot!(refused(world.undo(&id).await), @"`blocked-domain` would take away again what this undo of `otherwise.guest` gives back; undo it there, or use `--force --reason`");
    assert!(!world.tenant.is_enabled(sam));
    world.expect_no_writes();
    forced(&mut world, &id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.clock.advance(SignedDuration::from_hours(24));
    world.tenant.redeem(sam);
    world.settle().await;
    world.expect_untouched(sam);
}

#[tokio::test]
async fn an_undo_is_refused_where_the_identity_has_changed_unless_it_is_forced() {
    let (mut world, sam, id) = disabled().await;
    world.tenant.change(sam, |user| user.mail = Some("sam@adatum.example".to_owned()));
    world.clock.advance(SignedDuration::from_mins(1));
    // Nobody has looked at the guest since.
    let request = world.ask_undo(&id, false).await;
    world.run("remediate").await;
    assert_snapshot!(refused(world.answer(&request).await), @"the account's identity has changed since; look at it, and use `--force --reason` if it is right");
    forced(&mut world, &id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn nobody_can_force_an_undo_for_a_protected_account() {
    let (mut world, sam, id) = disabled().await;
    world.tenant.0.assign_role(sam.0, "User Administrator").unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let why = refused(world.undo(&id).await);
    assert_eq!(refused(forced(&mut world, &id).await), why);
    assert!(why.starts_with("the account holds the directory role"), "{why}");
    assert!(why.ends_with("`--force` does not override this"), "{why}");
    assert!(!world.tenant.is_enabled(sam));
    world.expect_no_writes();
    world.tenant.0.remove_role(sam.0, "User Administrator");
    world.change_policy(&format!("{PARTNERS_ONLY}protect: {{ users: [{}] }}\n", sam.id()));
    assert!(refused(forced(&mut world, &id).await).contains("protect.users"));
}

#[tokio::test]
async fn an_undo_is_refused_while_writes_are_stopped() {
    let (mut world, sam, id) = disabled().await;
    world.stop_writes().await;
    assert!(refused(forced(&mut world, &id).await).contains("`guestlist resume` first"));
    assert!(!world.tenant.is_enabled(sam));
    world.resume_writes().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn asking_twice_undoes_once() {
    let (mut world, sam, id) = disabled().await;
    let first = world.ask_undo(&id, false).await;
    let second = world.ask_undo(&id, false).await;
    world.settle().await;
    world.expect_enabled_again(sam);
    world.expect_no_writes();
    for request in [first, second] {
        let answer = world.answer(&request).await;
        assert!(matches!(answer, Answer::Sent { .. } | Answer::Done { .. }), "{answer:?}");
    }
    assert_snapshot!(refused(world.undo(&id).await), @"it is undone: nothing of ours is in force");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn what_another_worker_may_be_giving_back_at_this_moment_is_not_given_twice() {
    let (mut world, sam, id) = disabled().await;
    world.ask_undo(&id, false).await;
    world.hang_at("PATCH", "/users", 0);
    world.kill_during("remediate").await;
    world.expect_enabled_again(sam);
    let again = world.ask_undo(&id, false).await;
    world.run("remediate").await;
    let answer = world.answer(&again).await;
    assert!(
        matches!(&answer, Answer::Sent { text } if text.starts_with("an undo is under way")),
        "{answer:?}"
    );
    world.expect_no_writes();
    world.settle().await;
    // Whoever takes over knows the intent alone, and sends once more what sets the same value.
    world.expect_enabled_again(sam);
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_incident_that_does_not_exist_is_refused() {
    let (mut world, _, id) = disabled().await;
    let next = IncidentId { generation: id.generation + 1, ..id };
    assert!(refused(world.undo(&next).await).contains("there is no incident"));
}

#[tokio::test]
async fn what_is_resolved_but_still_in_force_can_be_undone() {
    let (mut world, sam, id) = disabled().await;
    world.change_policy(&PARTNERS_ONLY.replace("fabrikam.com,", "fabrikam.com, northwind.example,"));
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    assert_eq!(world.slack.read_all().len(), 1);
    assert!(!world.tenant.is_enabled(sam), "a finding that is gone enables nobody by itself");
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_disable_that_no_read_has_shown_yet_can_be_undone() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    world.run("remediate").await;
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "sent");
    world.expect_disabled(sam);
    // Every read still shows him as he was before, enabled: that proves nothing, and the undo is sent.
    world.undo(&incident.id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_that_dies_in_its_write_is_finished_after_the_restart() {
    let (mut world, sam, id) = disabled().await;
    world.ask_undo(&id, false).await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Hang)]);
    world.kill_during("remediate").await;
    world.restart().await;
    world.wake_what_is_due().await;
    world.settle().await;
    world.expect_enabled_again(sam);
    // Whether the first was carried out nobody knows, and twice is the same as once.
    world.expect_write("PATCH", &format!("/users/{}", sam.id()));
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_that_dies_while_it_is_read_back_is_finished_after_the_restart() {
    let (mut world, sam, id) = disabled().await;
    let request = world.ask_undo(&id, false).await;
    let back = format!("/users/{}", sam.id());
    world.next_faults([Fault::new("GET", &back, Failure::Hang)]);
    world.kill_during("remediate").await;
    world.restart().await;
    world.settle().await;
    world.expect_enabled_again(sam);
    world.expect_no_writes();
    let answer = world.answer(&request).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_request_whose_wake_up_was_lost_is_served_all_the_same() {
    let (mut world, sam, id) = disabled().await;
    let request = world.ask_undo(&id, false).await;
    let lost = world.store.queues.remediations.claim(world.clock.now(), WEEK, 10).await.unwrap();
    for one in lost {
        world.store.queues.remediations.ack(&one).await.unwrap();
    }
    world.settle().await;
    world.expect_no_writes();
    world.clock.advance(SignedDuration::from_mins(3));
    assert_eq!(world.wake_what_is_due().await, 1);
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_that_no_read_shows_for_fifteen_minutes_has_failed_and_can_be_asked_for_again() {
    let (mut world, sam, id) = disabled().await;
    world.clock.advance(SignedDuration::from_hours(1));
    let lag = SignedDuration::from_mins(40);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.undo(&id).await;
    assert_eq!(world.incident(sam).await.state.word(), "failed");
    assert_eq!(world.slack.read_all().len(), 2, "that it was sent, and that no read shows it");
    world.expect_enabled_again(sam);
    world.clock.advance(SignedDuration::from_hours(1));
    world.undo(&id).await;
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    assert_eq!(world.slack.read_all().len(), 1);
}
