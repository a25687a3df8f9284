//! What an undo gives back, to whom, and what it says where it gave nothing.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, RequestKind};
use simulator::{Failure, Fault, RetryAfter, UserType};

use crate::given::{disabled, refused, taken_as_two, taken_out, waiting_read};
use crate::policies::CLOSED_GROUPS;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn told(world: &mut World) -> String {
    world.slack.texts().join("\n")
}

#[tokio::test]
async fn what_was_taken_from_one_identity_is_not_given_to_the_next() {
    let (mut world, guest, [secret, trips], id) = taken_as_two().await;
    world.slack.read_all();
    let answer = world.undo(&id).await;
    world.expect_member_again(guest, trips);
    let Answer::Sent { text } = answer else { panic!("{answer:?}") };
    assert!(
        text.ends_with(
            "; not given back, because it was taken while the account had another identity: `Secret`"
        ),
        "{text}"
    );
    assert!(!world.tenant.is_member(guest, secret));
    let told = told(&mut world);
    assert!(told.contains("Asked Entra to add the guest to the group `Trips`"), "{told}");
    assert!(told.contains("removed the guest from the group `Secret` (<id>), and read it back"), "{told}");
}

#[tokio::test]
async fn a_suspension_does_not_hold_for_another_identity() {
    let (mut world, sam, id) = disabled().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
    world.tenant.stir(sam);
    world.settle().await;
    world.slack.expect_silence();
    world.tenant.change(sam, |user| user.mail = Some("mallory@totally-other.example".to_owned()));
    world.settle().await;
    world.expect_disabled(sam);
    let told = told(&mut world);
    assert!(told.contains("mallory@totally-other.example"), "{told}");
}

#[tokio::test]
async fn a_rejection_is_about_the_identity_that_was_seen() {
    let (mut world, adele, finance, id) = waiting_read().await;
    let kind = RequestKind::Reject { incident: id, suspend_for: SignedDuration::from_hours(24 * 7) };
    world.ask(kind, "carol", "adele belongs there").await;
    world.settle().await;
    world.slack.read_all();
    world.tenant.stir(adele);
    world.settle().await;
    world.slack.expect_silence();
    world.tenant.change(adele, |user| user.mail = Some("ceo@fabrikam.com".to_owned()));
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    let told = told(&mut world);
    assert!(told.contains("ceo@fabrikam.com"), "{told}");
}

#[tokio::test]
async fn what_a_rule_says_counts_for_an_undo_whatever_its_mode() {
    let (mut world, adele, finance, id) = taken_out().await;
    let second =
        "  - id: no-finance\n    if: { joins: { name: \"*EU\" } }\n    then: [leave-group]\nscenarios:";
    world.change_policy(
        &CLOSED_GROUPS.replace("scenarios:", second).replace("mode: enforce", "mode: observe"),
    );
    let why = refused(world.undo(&id).await);
    assert!(why.contains("`no-finance`"), "{why}");
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
}

#[tokio::test]
async fn nobody_can_force_a_write_to_an_internal_member() {
    let (mut world, sam, id) = disabled().await;
    world.tenant.change(sam, |user| {
        user.user_type = Some(UserType::Member);
        user.mail = Some("sam@contoso.com".to_owned());
        user.creation_type = None;
        user.external_user_state = None;
        for identity in &mut user.identities {
            identity.sign_in_type = "userPrincipalName".to_owned();
            identity.issuer = "contoso.com".to_owned();
            identity.issuer_assigned_id = Some("sam@contoso.com".to_owned());
        }
    });
    world.settle().await;
    world.slack.read_all();
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    assert_snapshot!(refused(world.answer(&request).await), @"the account is not a guest's any more, and only guests are written to; `--force` does not override this");
    assert!(!world.tenant.is_enabled(sam));
    world.expect_no_writes();
}

#[tokio::test]
async fn a_group_that_has_become_confidential_takes_nobody_back_without_a_look() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.tenant.rename(finance, "Lunch");
    world.settle().await;
    world.tenant.label(finance, Some("Confidential"));
    world.settle().await;
    world.clock.advance(DAY);
    world.slack.read_all();
    assert_snapshot!(refused(world.undo(&id).await).replace(&finance.id().to_string(), "<id>"), @"`Lunch` (<id>) is not what it was when the guest was taken out of it (then: name `Finance EU`, label none, visibility none, team no; now: name `Lunch`, label `Confidential`, visibility none, team no); look at it, and use `--force --reason` if it is right");
    assert!(!world.tenant.is_member(adele, finance));
    // Somebody has looked.
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Done { .. } | Answer::Sent { .. }));
    world.expect_member_again(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_does_not_make_anybody_untouchable() {
    let (mut world, adele, finance, id) = taken_out().await;
    let protecting = format!("protect: {{ groups: [{}] }}\nguardrails:", finance.id());
    world.change_policy(&CLOSED_GROUPS.replace("guardrails:", &protecting));
    for force in [false, true] {
        let request = world.ask_undo(&id, force).await;
        world.settle().await;
        let why = refused(world.answer(&request).await);
        assert!(why.contains("is under `protect.groups`, and whoever is in it is never written to"), "{why}");
    }
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
}

/// An undo that Graph has put off for ten minutes.
async fn put_off() -> (World, guestlist_tests::Guest, guestlist_tests::Group) {
    let (world, adele, finance, id) = taken_out().await;
    world.clock.advance(SignedDuration::from_mins(30));
    let request = world.ask_undo(&id, false).await;
    world.next_faults([Fault::new("POST", "/groups", Failure::Throttled(RetryAfter::Seconds(600)))]);
    world.run("remediate").await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    world.forget_writes("/members/");
    (world, adele, finance)
}

#[tokio::test]
async fn an_undo_that_wrote_nothing_is_not_called_undone() {
    let (mut world, adele, finance) = put_off().await;
    world.unnoticed(|tenant| tenant.0.delete_group(finance.0).unwrap());
    world.live_on(SignedDuration::from_hours(1)).await;
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed");
    let told = told(&mut world);
    assert!(told.contains("the group is not in the directory any more"), "{told}");
    assert!(!told.contains("read it back"), "{told}");
}

#[tokio::test]
async fn a_group_that_a_replica_does_not_know_yet_is_looked_for() {
    let (mut world, adele, finance) = put_off().await;
    let missing = |_| Fault::new("GET", "/groups", Failure::NotFound);
    world.next_faults((0..3).map(missing));
    world.settle().await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_that_graph_never_takes_ends_and_a_person_is_asked() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.clock.advance(SignedDuration::from_mins(30));
    world.ask_undo(&id, false).await;
    let busy = |_| Fault::new("POST", "/groups", Failure::Throttled(RetryAfter::Seconds(5)));
    world.next_faults((0..200).map(busy));
    world.live_on(SignedDuration::from_hours(6)).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed");
    let told = told(&mut world);
    assert!(told.contains("tried 12 times"), "{told}");
    world.forget_writes("/members/");
}

#[tokio::test]
async fn one_read_that_does_not_know_the_guest_does_not_end_an_undo() {
    let (mut world, adele, finance) = put_off().await;
    world.next_faults([Fault::new("GET", "/users", Failure::NotFound)]);
    world.settle().await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    world.slack.read_all();
}

#[tokio::test]
async fn a_guest_who_is_deleted_ends_his_undo() {
    let (mut world, adele, finance) = put_off().await;
    world.unnoticed(|tenant| tenant.0.delete_user(adele.0).unwrap());
    world.settle().await;
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    world.slack.read_all();
}
