//! What Guestlist remembers of groups between two looks, what it must not forget, and what it needs to be allowed to see.

use std::sync::Arc;

use guestlist_tests::{Setup, World};
use jiff::SignedDuration;
use simulator::{Failure, Fault, GroupKind, RetryAfter, contoso};

use crate::given::{old_member_taken_out, taken_out};
use crate::policies::{CLOSED_GROUPS, asking, closing};

#[tokio::test]
async fn what_an_undo_gave_back_was_there_before() {
    let (mut world, adele, finance, id) = old_member_taken_out().await;
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    world.slack.read_all();
    world.live_on(SignedDuration::from_hours(24 * 8)).await;
    assert!(world.tenant.is_member(adele, finance), "asked for, and not taken");
    assert!(world.states(adele).await.contains(&"waiting"));
    world.slack.read_all();
}

#[tokio::test]
async fn what_was_new_when_we_took_it_is_new_when_an_undo_gives_it_back() {
    let existing = "mode: enforce\nexisting: { before: 2026-01-01, mode: observe }";
    let mut world = World::with_policy(&CLOSED_GROUPS.replace("mode: enforce", existing)).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    let id = world.incident_in(adele, finance).await.id;
    // Long enough that a membership which somebody else had ended would be forgotten.
    world.clock.advance(SignedDuration::from_hours(2));
    world.tenant.stir(adele);
    world.settle().await;
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    world.live_on(SignedDuration::from_hours(24 * 8)).await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_plan_that_has_grown_is_asked_about_aloud_where_messages_are_edited() {
    let policy = asking(&closing("{ domain: [evil.example] }", "leave-groups"));
    let mut world = World::new(Setup { slack_bot: true, ..Setup::with_policy(&policy) }).await;
    let (sales, trips) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, sales).await;
    world.slack.read_all();
    world.tenant.join(mallory, trips);
    world.settle().await;
    let told: Vec<String> = world.slack.read_all().iter().map(|told| told.path.clone()).collect();
    assert_eq!(told.iter().filter(|path| path.ends_with("chat.postMessage")).count(), 1, "{told:?}");
}

#[tokio::test]
async fn a_group_that_hides_its_members_from_us_is_told_of() {
    let policy = closing("{ joins: { visibility: hidden-membership } }", "leave-group");
    let mut world = World::with_policy(&policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let secret = world.tenant.group_of_kind("Secret", GroupKind::Microsoft365);
    world.tenant.0.set_visibility(secret.0, "HiddenMembership").unwrap();
    world.settle().await;
    world.tenant.join(adele, secret);
    world.settle().await;
    let told = world.slack.next_text();
    assert!(told.contains("Member.Read.Hidden") && told.contains("Secret"), "{told}");
    world.expect_no_writes();
}

#[tokio::test]
async fn a_member_who_cannot_be_read_keeps_no_other_waiting() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let (adele, bill) = (world.tenant.invite("adele@fabrikam.com"), world.tenant.invite("bill@fabrikam.com"));
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    let broken = Failure::Status(500, RetryAfter::Seconds(1));
    let path = format!("/users/{}", bill.id());
    world.simulator.set_faults(|faults| {
        let coalesced = simulator::Delay { by: SignedDuration::from_secs(5), chance: 1.0 };
        faults.notifications.coalesced = Some(coalesced);
        (0..40).for_each(|_| faults.next(Fault::new("GET", &path, broken)));
    });
    world.tenant.join(adele, finance);
    world.tenant.join(bill, finance);
    world.settle_for(SignedDuration::from_mins(3)).await;
    world.expect_no_member(adele, finance);
    assert!(world.tenant.is_member(bill, finance));
    world.simulator.calm();
    world.settle_for(SignedDuration::from_hours(12)).await;
    world.expect_no_member(bill, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_writes_nothing_where_the_operator_only_observes() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.assembly.settings.ceiling = model::Mode::Observe;
    world.restart().await;
    let answer = format!("{:?}", world.undo(&id).await);
    assert!(answer.contains("`GUESTLIST_AT_MOST` is `observe`"), "{answer}");
    assert!(!world.tenant.is_member(adele, finance));
}

/// What `validate` prints for a policy is enough to act and to undo, and so is what is left without any one of its rules.
#[tokio::test]
async fn the_permissions_that_a_policy_asks_for_are_enough_for_it() {
    let owners = "{ joins: { any_group: true }, as: owner }";
    for (condition, then) in [
        ("{ domain: [fabrikam.com] }", "disable"),
        ("{ joins: { name: \"Finance *\" } }", "leave-group"),
        ("{ domain: [fabrikam.com] }", "leave-groups"),
        (owners, "drop-ownership"),
    ] {
        let mut world = World::with_policy(&closing(condition, then)).await;
        let policy = Arc::clone(&world.policy.borrow());
        let permissions: Vec<String> = policy.write_permissions().iter().map(ToString::to_string).collect();
        let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
        world.simulator.grant(contoso::WRITER, &permissions);
        let adele = world.tenant.invite("adele@fabrikam.com");
        let finance = world.tenant.group("Finance EU");
        world.tenant.0.add_owner(finance.0, contoso::ALICE).unwrap();
        if condition == owners {
            world.tenant.own(adele, finance);
        } else {
            world.tenant.join(adele, finance);
        }
        world.settle().await;
        let incidents = world.incidents(adele).await;
        let states: Vec<_> = incidents.iter().map(|incident| incident.state.word()).collect();
        assert_eq!(states, ["done"], "{then} with {permissions:?}");
        let answer = world.undo(&incidents[0].id).await;
        assert!(
            matches!(answer, model::Answer::Done { .. } | model::Answer::Sent { .. }),
            "{then}: {answer:?}"
        );
        assert_eq!(world.states(adele).await, ["undone"], "{then} with {permissions:?}");
        world.forget_writes("");
        world.slack.read_all();
    }
}
