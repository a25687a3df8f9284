//! An undo of a deletion: interrupted, too late, against another name, and against somebody who deletes again.

use guestlist_tests::{Guest, Setup, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, IncidentId};
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::deleting::{deleted, world};
use crate::given::{come_back, granting, refused};
use crate::policies::closing;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The same an hour later, so that what others do is told from what we did by its moment.
async fn deleted_an_hour_ago() -> (World, Guest, IncidentId) {
    let (world, mallory, id) = deleted().await;
    world.clock.advance(HOUR);
    (world, mallory, id)
}

/// Restored by an undo, and nobody has looked away since.
async fn restored() -> (World, Guest, IncidentId) {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.undo(&id).await;
    world.expect_restored(mallory);
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.slack.read_all();
    (world, mallory, id)
}

#[tokio::test]
async fn an_undo_that_dies_while_it_restores_or_reads_back_is_finished_after_the_restart() {
    for (path, nth) in [("/directory/deletedItems", 0), ("/$batch", 2)] {
        let (mut world, mallory, id) = deleted_an_hour_ago().await;
        world.ask_undo(&id, false).await;
        world.hang_at("POST", path, nth);
        world.kill_during("remediate").await;
        world.expect_restored(mallory);
        come_back(&mut world).await;
        assert_eq!(world.states(mallory).await, ["undone"], "{path}");
        world.expect_no_writes();
        assert!(world.tenant.is_there(mallory));
        world.slack.read_all();
    }
}

#[tokio::test]
async fn an_undo_that_was_never_sent_is_sent_after_the_restart() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.ask_undo(&id, false).await;
    world.next_faults((0..4).map(|_| Fault::new("POST", "/directory", Failure::Reset)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(!world.tenant.is_there(mallory));
    come_back(&mut world).await;
    world.expect_restored(mallory);
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.slack.read_all();
}

#[tokio::test]
async fn a_restoration_whose_answer_is_lost_is_not_sent_again() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.next_faults([Fault::new("POST", "/directory", Failure::LostAnswer)]);
    world.undo(&id).await;
    world.expect_restored(mallory);
    world.expect_no_writes();
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.slack.read_all();
}

/// Somebody who was deleted, which no read has shown yet.
async fn deleted_and_not_read_back() -> (World, Guest, IncidentId) {
    let world = world().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.deliver().await;
    world.run("assess").await;
    world.run("remediate").await;
    world.expect_deleted(mallory);
    assert_eq!(world.states(mallory).await, ["sent"]);
    let id = world.incident(mallory).await.id;
    (world, mallory, id)
}

#[tokio::test]
async fn a_deletion_that_no_read_has_shown_yet_can_be_undone() {
    let (mut world, mallory, id) = deleted_and_not_read_back().await;
    world.undo(&id).await;
    world.expect_restored(mallory);
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.slack.read_all();
}

#[tokio::test]
async fn a_deletion_that_no_read_had_shown_when_its_undo_failed_is_told_and_can_be_undone() {
    let (mut world, mallory, id) = deleted_and_not_read_back().await;
    world.clock.advance(SignedDuration::from_secs(5));
    let denied = Failure::Status(403, RetryAfter::None);
    world.next_faults((0..4).map(|_| Fault::new("POST", "/directory", denied)));
    let request = world.ask_undo(&id, false).await;
    // Before the look that was due for the deletion.
    world.remediator().serve(&request).await.unwrap();
    assert_eq!(world.states(mallory).await, ["failed"]);
    world.forget_writes("/directory/");
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["done"]);
    let told = world.slack.texts().pop().unwrap();
    assert!(told.contains("Deleted the account") && told.contains("guestlist undo"), "{told}");
    world.clock.advance(HOUR);
    world.undo(&id).await;
    world.expect_restored(mallory);
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.slack.read_all();
}

#[tokio::test]
async fn somebody_who_has_restored_the_account_has_his_way_and_the_undo_says_so() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.unnoticed(|tenant| tenant.0.restore_user(mallory.0).unwrap());
    world.clock.advance(SignedDuration::from_mins(20));
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    world.expect_no_writes();
    assert!(world.tenant.is_there(mallory));
    world.live_on(DAY).await;
    world.expect_untouched(mallory);
    world.slack.read_all();
}

#[tokio::test]
async fn asking_twice_restores_once() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    let requests = [world.ask_undo(&id, false).await, world.ask_undo(&id, false).await];
    world.settle().await;
    world.expect_restored(mallory);
    world.expect_no_writes();
    for request in requests {
        let answer = world.answer(&request).await;
        assert!(matches!(answer, Answer::Sent { .. } | Answer::Done { .. }), "{answer:?}");
    }
    world.slack.read_all();
}

#[tokio::test]
async fn a_purge_by_somebody_ends_the_offer_and_is_told() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.tenant.0.purge_user(mallory.0).unwrap();
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    let told = world.slack.next_text();
    assert!(told.contains("the guest was deleted for good") && !told.contains("guestlist undo"), "{told}");
    assert_snapshot!(refused(world.undo(&id).await), @"the account is not among the deleted users any more: somebody has deleted it for good before its 30 days were over, and nobody can restore it; invite the guest again (if that cannot be, ask again in a few minutes: replicas lag)");
    world.expect_no_writes();
}

#[tokio::test]
async fn after_thirty_days_the_answer_says_that_nobody_can_restore_it() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.live_on(DAY * 30).await;
    assert_eq!(world.states(mallory).await, ["done"]);
    // Entra does this by itself.
    world.unnoticed(|tenant| tenant.0.purge_user(mallory.0).unwrap());
    world.clock.advance(HOUR);
    assert_snapshot!(refused(world.undo(&id).await), @"the account was deleted at 2026-11-20T09:00:04Z, and Entra keeps it for 30 days: nobody can restore it any more; invite the guest again");
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn a_name_that_somebody_else_has_taken_is_for_a_person() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    let other = world.guest_today("mallory2@fabrikam.com");
    let name = world.tenant.0.user(mallory.0).unwrap().user_principal_name;
    world.unnoticed(|tenant| tenant.change(other, |user| user.user_principal_name = name));
    let Answer::Failed { why } = world.undo(&id).await else { panic!("it was not refused") };
    assert!(why.contains("restore it by hand in the Entra admin center, under another name"), "{why}");
    assert!(!world.tenant.is_there(mallory));
    world.forget_writes("/directory/");
    assert_eq!(world.states(mallory).await, ["failed"]);
    let told = world.slack.next_text();
    assert!(told.contains("under another name") && told.contains("guestlist undo"), "{told}");
    // The name is free again.
    world.unnoticed(|tenant| tenant.0.purge_user(other.0).unwrap());
    world.clock.advance(HOUR);
    world.undo(&id).await;
    world.expect_restored(mallory);
    world.slack.read_all();
}

#[tokio::test]
async fn a_protected_id_is_not_restored_and_nothing_is_written_while_writes_are_stopped() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.stop_writes().await;
    assert!(refused(world.undo(&id).await).contains("`guestlist resume` first"));
    world.resume_writes().await;
    let before = crate::deleting::policy();
    world.change_policy(&format!("{before}protect: {{ users: [{}] }}\n", mallory.id()));
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    let why = refused(world.answer(&request).await);
    assert!(why.contains("protect.users") && why.ends_with("`--force` does not override this"), "{why}");
    world.expect_no_writes();
    assert!(!world.tenant.is_there(mallory));
}

#[tokio::test]
async fn an_undo_of_a_deletion_is_refused_while_another_rule_objects_or_cannot_be_asked() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    let also = |condition: &str| {
        format!("{}  - id: another\n    if: {condition}\n    then: [delete]\n", crate::deleting::policy())
    };
    world.change_policy(&also("{ domain: [evil.example] }"));
    assert_snapshot!(refused(world.undo(&id).await), @"`another` would take away again what this undo of `closed` gives back; undo it there, or use `--force --reason`");
    world.change_policy(&also("{ joins: { any: [ { name: \"Finance *\" } ] } }"));
    assert_snapshot!(refused(world.undo(&id).await), @"`another` cannot be judged while the account is deleted (Graph does not show its groups), and may take it away again; look at it, and use `--force --reason` if it is right");
    world.expect_no_writes();
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    world.expect_restored(mallory);
    world.slack.read_all();
}

#[tokio::test]
async fn a_deletion_because_of_a_group_is_undone_everywhere() {
    let policy = closing("{ joins: { any: [ { name: \"Finance *\" } ] } }", "delete");
    let mut world = World::new(Setup::with_policy(&policy)).await;
    granting(&world, &["User.DeleteRestore.All"]);
    let (europe, america) = (world.tenant.group("Finance EU"), world.tenant.group("Finance US"));
    let adele = world.guest_today("adele@fabrikam.com");
    world.unnoticed(|tenant| tenant.join(adele, america));
    world.meet_in(adele, europe).await;
    world.expect_deleted(adele);
    world.forget_writes("/users/");
    assert_eq!(world.states(adele).await, ["done", "done"]);
    world.slack.read_all();
    world.clock.advance(HOUR);
    let incidents = world.incidents(adele).await;
    let mut ours = Vec::new();
    for one in &incidents {
        let outcomes = world.store.ledger.outcomes(&one.id).await.unwrap();
        if outcomes.iter().any(|outcome| outcome.is_ours()) {
            ours.push(one.id.clone());
        }
    }
    let [id] = ours.as_slice() else { panic!("deleted by {ours:?}") };
    world.undo(id).await;
    world.expect_restored(adele);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("The rule `closed` is suspended for this guest until"), "{told}");
    world.live_on(DAY * 2).await;
    assert!(world.tenant.is_there(adele) && world.tenant.is_member(adele, america));
    world.expect_untouched(adele);
    world.slack.read_all();
}

/// A lifecycle policy of Entra, say.
#[tokio::test]
async fn what_an_undo_restored_and_somebody_deletes_again_is_told_by_whom_and_never_fought_over() {
    let (mut world, mallory, id) = restored().await;
    world.live_on(DAY).await;
    world.tenant.0.by(simulator::contoso::BOB).delete_user(mallory.0).unwrap();
    world.settle().await;
    assert_snapshot!(world.slack.next_text(), @"
    What an undo restored was deleted again
    *What happened*
    the guest <id>, whom an undo restored at 2026-11-20T10:05:04Z, was deleted again at 2026-11-21T10:10:00Z, and not by Guestlist; the directory audit names `bob@contoso.com` (user <id>), at 2026-11-21T10:10:00Z
    *What to do*
    Settle with whoever deleted it (a lifecycle policy, say) that the account is to stay, and restore it in the Entra admin center then: nothing is restored a second time by itself
    Look: `guestlist incidents`
    notice · medium severity · 2026-11-21 10:15:00 UTC
    ");
    world.expect_no_writes();
    // It is told once, however often it is looked at, and nothing is restored by itself.
    world.live_on(DAY * 3).await;
    assert!(!world.tenant.is_there(mallory));
    world.expect_no_writes();
    assert!(refused(world.undo(&id).await).starts_with("it is undone"));
}

#[tokio::test]
async fn somebody_who_deletes_again_before_the_restoration_was_read_back_has_his_way() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    granting(&world, &["User.DeleteRestore.All", "AuditLog.Read.All"]);
    let lag = SignedDuration::from_mins(2);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.ask_undo(&id, false).await;
    world.run("remediate").await;
    world.expect_restored(mallory);
    assert_eq!(world.states(mallory).await, ["undoing"]);
    world.clock.advance(SignedDuration::from_secs(30));
    world.tenant.0.by(simulator::contoso::BOB).delete_user(mallory.0).unwrap();
    world.clock.advance(SignedDuration::from_mins(3));
    world.settle().await;
    world.expect_no_writes();
    assert_eq!(world.states(mallory).await, ["resolved"]);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("somebody has deleted the account again at"), "{told}");
    let answer = refused(world.undo(&id).await);
    assert!(answer.starts_with("somebody has deleted the account at"), "{answer}");
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn a_restoration_whose_answer_was_lost_is_not_repeated_against_somebody_who_has_deleted_again() {
    let (mut world, mallory, id) = deleted_an_hour_ago().await;
    world.ask_undo(&id, false).await;
    world.hang_at("POST", "/directory", 0);
    world.kill_during("remediate").await;
    world.expect_restored(mallory);
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.0.delete_user(mallory.0).unwrap();
    come_back(&mut world).await;
    world.expect_no_writes();
    assert!(!world.tenant.is_there(mallory));
    let told = world.slack.texts().join("\n");
    assert!(told.contains("nothing is restored a second time"), "{told}");
}
