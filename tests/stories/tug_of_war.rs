//! Somebody keeps putting back what is taken away. After three rounds it is for people to say who is right.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;

use crate::given::granting;
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

/// Disabled, and enabled again by somebody, that often.
async fn rounds(world: &mut World, guest: Guest, times: usize) {
    for _ in 0..times {
        world.expect_disabled(guest);
        world.clock.advance(SignedDuration::from_hours(1));
        world.tenant.0.enable(guest.0).unwrap();
        world.settle().await;
    }
}

#[tokio::test]
async fn after_three_rounds_people_decide_and_read_who_it_was() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    granting(&world, &["AuditLog.Read.All"]);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    rounds(&mut world, sam, 3).await;
    assert_eq!(world.states(sam).await, ["waiting"]);
    world.expect_untouched(sam);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("has put it back 3 times since 2026-11-20T09:"), "{told}");
    assert!(told.contains("Waits for approval to disable guest") && told.contains(" again: "), "{told}");
    assert!(told.contains("the directory audit names `carol@contoso.com` (user "), "{told}");
    // Nothing but a decision goes on, however often he is looked at.
    world.tenant.stir(sam);
    world.settle().await;
    world.expect_untouched(sam);
    let id = world.incident(sam).await.id;
    world.approve(&id).await;
    world.expect_disabled(sam);
    world.slack.texts();
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    assert_eq!(world.states(sam).await, ["waiting"], "it was approved once");
    world.expect_untouched(sam);
    world.slack.texts();
}

#[tokio::test]
async fn what_was_put_back_long_ago_is_not_counted() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    rounds(&mut world, sam, 2).await;
    world.expect_disabled(sam);
    world.live_on(SignedDuration::from_hours(24 * 8)).await;
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.texts();
}

#[tokio::test]
async fn a_membership_that_keeps_coming_back_is_for_people_too() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    for _ in 0..3 {
        world.tenant.join(adele, finance);
        world.settle().await;
        world.expect_no_member(adele, finance);
        world.clock.advance(SignedDuration::from_hours(1));
    }
    world.tenant.join(adele, finance);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    world.expect_member(adele, finance);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("has put it back 3 times"), "{told}");
    assert!(told.contains("grant the app that writes `AuditLog.Read.All`"), "{told}");
}
