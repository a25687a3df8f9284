//! `delete`: the account goes, softly, and an undo brings it back with all that it belongs to. What others delete or restore is
//! theirs.

use guestlist_tests::{Guest, Setup, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, IncidentId, StepResult};
use simulator::{Failure, Fault, Stale};

use crate::given::{come_back, granting, refused};
use crate::policies::{asking, closing};

const DAY: SignedDuration = SignedDuration::from_hours(24);

pub(crate) fn policy() -> String {
    closing("{ domain: [evil.example] }", "delete")
}

async fn deleting(setup: Setup) -> World {
    let world = World::new(setup).await;
    granting(&world, &["User.DeleteRestore.All"]);
    world
}

pub(crate) async fn world() -> World {
    deleting(Setup::with_policy(&policy())).await
}

/// A guest whom we have deleted, and the team told.
pub(crate) async fn deleted() -> (World, Guest, IncidentId) {
    let mut world = world().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_deleted(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
    let id = world.incident(mallory).await.id;
    (world, mallory, id)
}

/// Somebody whose finding is recorded. No worker has come yet.
async fn found() -> (World, Guest) {
    let world = world().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.deliver().await;
    world.run("assess").await;
    (world, mallory)
}

/// An undo gives the account back.
async fn restored(world: &mut World, mallory: Guest) {
    let id = world.incident(mallory).await.id;
    world.undo(&id).await;
    world.expect_restored(mallory);
    world.slack.read_all();
}

#[tokio::test]
async fn a_deletion_is_read_back_and_told_with_the_undo_and_its_end() {
    let mut world = world().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_deleted(mallory);
    assert_snapshot!(world.slack.next_text(), @"
    Deleted guest mallory@evil[.]example: closed (high)
    *Who*
    `mallory` · guest
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed` (high severity)
    • mail `mallory@evil.example` matches `evil.example`
    *What was done*
    Deleted the account, and read it back at 2026-11-20 09:00:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • the account waits among the deleted users with its memberships: 30 days after its deletion (about 2026-12-20) nobody can restore it any more
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen twice
    ");
    let outcomes = world.outcomes(mallory).await;
    assert_eq!((outcomes.len(), &outcomes[0].result, outcomes[0].before), (1, &StepResult::Done, Some(true)));
    world.live_on(DAY * 3).await;
    assert_eq!(world.states(mallory).await, ["done"], "our own deletion does not end it");
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_undo_restores_the_account_with_its_memberships_and_is_told() {
    let mut world = world().await;
    let sales = world.tenant.group("Sales");
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, sales).await;
    world.expect_deleted(mallory);
    world.slack.read_all();
    let id = world.incident(mallory).await.id;
    world.clock.advance(SignedDuration::from_hours(1));
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Sent { .. }), "no read had shown it yet: {answer:?}");
    world.expect_restored(mallory);
    world.expect_member(mallory, sales);
    assert!(world.tenant.is_enabled(mallory));
    assert_eq!(world.states(mallory).await, ["undone"]);
    assert_snapshot!(world.slack.next_text(), @"
    Undone for guest mallory@evil[.]example: closed (high)
    *Who*
    `mallory` · guest · account enabled
    Address: `mallory@evil.example`
    Organisation: `evil.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed` (high severity)
    • mail `mallory@evil.example` matches `evil.example`
    *What was done*
    `carol` undid it (reason: `she is expected`). Asked Entra to restore the account, and read it back at 2026-11-20 10:06:04 UTC. The rule `closed` is suspended for this guest until 2026-11-27 10:06:00 UTC.
    Graph request-id: `<id>`, `<id>`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · undone · mode enforce · tenant <id> · opened 2026-11-20 09:01:00 UTC · seen twice
    ");
}

#[tokio::test]
async fn where_reads_are_current_the_answer_says_that_the_account_is_restored() {
    let (mut world, mallory, id) = deleted().await;
    world.simulator.set_faults(|faults| faults.stale = None);
    let Answer::Done { text } = world.undo(&id).await else { panic!("it was not done") };
    assert!(text.starts_with("the account is restored; the rule is suspended for it until"), "{text}");
    world.expect_restored(mallory);
    world.slack.read_all();
}

#[tokio::test]
async fn who_was_restored_stays_for_a_week_and_then_the_rule_counts_again() {
    let (mut world, mallory, id) = deleted().await;
    world.undo(&id).await;
    world.expect_restored(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
    world.live_on(DAY * 6).await;
    world.tenant.stir(mallory);
    world.settle().await;
    world.expect_untouched(mallory);
    assert!(world.tenant.is_there(mallory));
    world.live_on(DAY * 2).await;
    world.expect_deleted(mallory);
    assert_eq!(world.incident(mallory).await.id.generation, 2);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn somebody_who_restores_is_answered_and_after_three_rounds_people_decide_and_read_who_it_was() {
    let mut world = world().await;
    granting(&world, &["User.DeleteRestore.All", "AuditLog.Read.All"]);
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    for _ in 0..3 {
        world.expect_deleted(mallory);
        world.clock.advance(SignedDuration::from_hours(1));
        world.tenant.0.restore_user(mallory.0).unwrap();
        world.settle().await;
    }
    assert_eq!(world.states(mallory).await, ["waiting"]);
    world.expect_no_writes();
    assert!(world.tenant.is_there(mallory));
    let told = world.slack.texts().join("\n");
    assert!(told.contains("has put it back 3 times since"), "{told}");
    assert!(told.contains("the directory audit names `carol@contoso.com` (user "), "{told}");
    let id = world.incident(mallory).await.id;
    world.approve(&id).await;
    world.expect_deleted(mallory);
    world.slack.texts();
}

#[tokio::test]
async fn who_was_deleted_by_somebody_else_is_not_ours_to_restore() {
    let mut world = world().await;
    world.change_policy(&asking(&policy()));
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    let id = world.incident(mallory).await.id;
    world.slack.read_all();
    world.tenant.0.delete_user(mallory.0).unwrap();
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    assert_eq!(world.slack.read_all().len(), 1);
    assert!(matches!(world.undo(&id).await, Answer::Refused { .. }));
    world.expect_no_writes();
}

#[tokio::test]
async fn somebody_who_was_faster_is_not_us() {
    let (mut world, mallory) = found().await;
    world.tenant.0.delete_user(mallory.0).unwrap();
    // The read before our write does not show it yet, and Graph answers that it knows no such user.
    world.run("remediate").await;
    world.forget_writes("/users/");
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    let outcomes = world.outcomes(mallory).await;
    assert!(outcomes.iter().all(|outcome| !outcome.is_ours()), "{outcomes:?}");
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn a_replica_that_does_not_know_the_guest_is_no_deletion() {
    let (mut world, mallory) = found().await;
    world.next_faults([Fault::new("DELETE", "/users", Failure::NotFound)]);
    world.run("remediate").await;
    world.forget_writes("/users/");
    assert_eq!(world.states(mallory).await, ["open"], "tried again, and nothing is claimed");
    world.settle().await;
    world.expect_deleted(mallory);
    assert_eq!(world.states(mallory).await, ["done"]);
    world.slack.read_all();
}

#[tokio::test]
async fn holders_of_roles_members_of_role_assignable_groups_and_protected_accounts_are_never_deleted() {
    let mut world = world().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.tenant.0.assign_role(mallory.0, "User Administrator").unwrap();
    let eve = world.guest_today("eve@evil.example");
    world.unnoticed(|tenant| tenant.join(eve, guestlist_tests::Group::HELPDESK));
    let trent = world.guest_today("trent@evil.example");
    world.change_policy(&format!("{}protect: {{ users: [{}] }}\n", policy(), trent.id()));
    world.clock.advance(SignedDuration::from_mins(1));
    for guest in [mallory, eve, trent] {
        world.tenant.stir(guest);
        world.settle().await;
        assert_eq!(world.states(guest).await, ["refused"]);
        assert!(world.tenant.is_there(guest));
    }
    world.expect_no_writes();
    let told = world.slack.texts().join("\n");
    assert!(told.contains("Decide, and delete the account by hand if it must be."), "{told}");
}

#[tokio::test]
async fn a_role_that_was_assigned_in_between_protects_from_deletion() {
    let (mut world, mallory) = found().await;
    world.tenant.0.assign_role(mallory.0, "User Administrator").unwrap();
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["refused"]);
    world.expect_untouched(mallory);
    assert!(world.tenant.is_there(mallory));
    world.slack.read_all();
}

#[tokio::test]
async fn members_of_our_own_are_never_deleted() {
    let mut world = world().await;
    world
        .tenant
        .change(Guest(simulator::contoso::BOB), |user| user.mail = Some("bob@evil.example".to_owned()));
    world.settle().await;
    world.expect_no_writes();
}

#[tokio::test]
async fn without_the_permission_nothing_is_done_and_people_read_what_is_missing() {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["failed"]);
    world.forget_writes("/users/");
    assert!(world.tenant.is_there(mallory));
    let told = world.slack.texts().join("\n");
    assert!(told.contains("grant the app the permission that this call needs"), "{told}");
}

#[tokio::test]
async fn a_worker_that_dies_while_it_deletes_or_reads_back_has_done_it() {
    for (method, path, nth, result) in
        [("DELETE", "/users", 0, StepResult::Intended), ("POST", "/$batch", 1, StepResult::Sent)]
    {
        let (mut world, mallory) = found().await;
        world.hang_at(method, path, nth);
        world.kill_during("remediate").await;
        world.expect_deleted(mallory);
        assert_eq!(world.outcomes(mallory).await.last().map(|one| &one.result), Some(&result));
        come_back(&mut world).await;
        assert_eq!(world.states(mallory).await, ["done"], "{method}");
        let told = world.slack.texts();
        assert!(
            told.last().unwrap().starts_with("Deleted guest mallory@evil[.]example"),
            "{method}: {told:?}"
        );
        restored(&mut world, mallory).await;
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_not_sent_again_and_is_ours() {
    let mut world = world().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.next_faults([Fault::new("DELETE", "/users", Failure::LostAnswer)]);
    world.settle().await;
    world.expect_deleted(mallory);
    world.expect_no_writes();
    assert_eq!(world.states(mallory).await, ["done"]);
    world.slack.read_all();
    restored(&mut world, mallory).await;
}

#[tokio::test]
async fn a_read_that_lags_claims_nothing_and_looks_again() {
    let mut world = world().await;
    let lag = SignedDuration::from_mins(8);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle_for(SignedDuration::from_mins(6)).await;
    world.expect_deleted(mallory);
    assert_eq!(world.states(mallory).await, ["sent"]);
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["done"]);
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn two_rules_that_delete_delete_once_and_one_that_disables_ends_with_the_account() {
    let mut world = world().await;
    let also = "  - id: also\n    if: { domain: [evil.example] }\n    then: [delete]\n  - id: blocked\n    severity: low\n    if: { domain: [evil.example] }\n    then: [disable]\n";
    world.change_policy(&format!("{}{also}", policy()));
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_deleted(mallory);
    assert_eq!(world.calls("DELETE", &format!("/users/{}", mallory.id())), 1);
    // Whoever was to block the account may have read it as it was before, and Graph knows no such user any more.
    world.forget_writes("/users/");
    assert_eq!(world.states(mallory).await, ["done", "done", "resolved"]);
    world.slack.read_all();
    let incidents = world.incidents(mallory).await;
    let speaker = incidents.iter().find(|one| one.told_with.is_none() && one.state.word() == "done").unwrap();
    // What would block the account as soon as it is back objects, and `--force` overrides it.
    let why = refused(world.undo(&speaker.id).await);
    assert!(
        why.starts_with("`blocked` would take away again what this undo of `closed` gives back"),
        "{why}"
    );
    let request = world.ask_undo(&speaker.id, true).await;
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    world.expect_restored(mallory);
    world.live_on(DAY).await;
    world.expect_untouched(mallory);
    assert!(world.tenant.is_there(mallory));
    world.slack.read_all();
}

#[tokio::test]
async fn who_was_disabled_before_comes_back_disabled() {
    let mut world = world().await;
    world.change_policy(&closing("{ domain: [evil.example] }", "disable"));
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.slack.read_all();
    let other = format!(
        "{}  - id: gone\n    if: {{ domain: [evil.example] }}\n    then: [delete]\n",
        closing("{ domain: [evil.example] }", "disable")
    );
    world.change_policy(&other);
    world.clock.advance(SignedDuration::from_mins(30));
    world.tenant.stir(mallory);
    world.settle().await;
    world.expect_deleted(mallory);
    world.slack.read_all();
    assert_eq!(world.states(mallory).await, ["done", "done"]);
    let incidents = world.incidents(mallory).await;
    let of = |rule: &str| incidents.iter().find(|one| one.key.rule.as_str() == rule).unwrap().id.clone();
    let why = refused(world.undo(&of("closed")).await);
    assert_eq!(why, format!("`{}` has deleted the account: undo that one first", of("gone")));
    world.undo(&of("gone")).await;
    world.expect_restored(mallory);
    world.live_on(DAY).await;
    assert!(world.tenant.is_there(mallory) && !world.tenant.is_enabled(mallory));
    world.expect_no_writes();
    world.undo(&of("closed")).await;
    world.expect_enabled_again(mallory);
    world.slack.read_all();
}
