//! "Every change up to T was assessed" is said when it is so, and not before.

use guestlist_tests::World;
use jiff::SignedDuration;
use simulator::{Failure, Fault, RetryAfter};

use crate::policies::PARTNERS_ONLY;

const ROUND: SignedDuration = SignedDuration::from_mins(11);

async fn reconciled() -> World {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    world.settle().await;
    world.clock.advance(SignedDuration::from_mins(20));
    world.reconcile().await;
    world.settle().await;
    world
}

#[tokio::test]
async fn what_was_there_before_is_looked_at_before_anything_is_called_assessed() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let old = world.guest_of_old("old@northwind.example");
    world.reconcile_all().await;
    assert!(world.told_until().await.is_some());
    assert_eq!(world.assessed_until().await, None, "he waits in the queue");
    world.settle_now().await;
    world.expect_disabled(old);
    assert_eq!(world.assessed_until().await, world.told_until().await);
}

#[tokio::test]
async fn what_a_delta_query_tells_is_looked_at_before_it_is_called_assessed() {
    let mut world = reconciled().await;
    let before = world.assessed_until().await.unwrap();
    let sam = world.guest_today("sam@northwind.example");
    world.clock.advance(ROUND);
    world.reconcile().await;
    assert!(world.told_until().await.unwrap() > before);
    assert_eq!(world.assessed_until().await, Some(before), "he waits in the queue");
    world.settle_now().await;
    world.expect_disabled(sam);
    assert!(world.assessed_until().await.unwrap() > before);
}

#[tokio::test]
async fn a_look_that_fails_again_and_again_is_owed_since_people_told_of_it() {
    let mut world = reconciled().await;
    let sam = world.tenant.invite("sam@northwind.example");
    let invited_at = world.clock.now();
    let path = format!("/users/{}", sam.id());
    let fails = || Fault::new("GET", &path, Failure::Status(500, RetryAfter::Seconds(1)));
    world.next_faults((0..500).map(|_| fails()));
    for _ in 0..4 {
        world.clock.advance(ROUND);
        world.reconcile().await;
        world.settle_for(SignedDuration::from_mins(1)).await;
    }
    assert!(world.told_until().await.unwrap() > invited_at);
    assert!(world.assessed_until().await.unwrap() <= invited_at);
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.settle().await;
    world.expect_disabled(sam);
    assert!(world.assessed_until().await.unwrap() > invited_at);
    world.slack.texts();
}
