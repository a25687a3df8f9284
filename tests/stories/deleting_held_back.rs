//! A deletion waits where people want to be asked, and where too many guests would be touched.

use guestlist_tests::Guest;
use jiff::SignedDuration;

use crate::deleting::{policy, world};
use crate::given::{approve_as_seen, refused};
use crate::policies::asking;

#[tokio::test]
async fn people_are_asked_first_where_the_mode_is_ask() {
    let mut world = world().await;
    world.change_policy(&asking(&policy()));
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_untouched(mallory);
    let told = world.slack.next_text();
    assert!(told.starts_with("Waits for approval to delete guest mallory@evil[.]example"), "{told}");
    let incident = world.incident(mallory).await;
    // Somebody else by now: nobody has approved of that.
    world.tenant.change(mallory, |user| user.mail = Some("eve@evil.example".to_owned()));
    let seen = incident.question();
    world.settle().await;
    let why = refused(approve_as_seen(&mut world, &incident, seen).await);
    assert!(why.starts_with("its plan or the account has changed since"), "{why}");
    world.expect_untouched(mallory);
    world.approve(&incident.id).await;
    world.expect_deleted(mallory);
    assert_eq!(world.states(mallory).await, ["done"]);
    world.slack.read_all();
}

#[tokio::test]
async fn a_deletion_takes_a_place_of_the_circuit_breaker() {
    let mut world = world().await;
    let guests: Vec<Guest> = (0..4).map(|n| world.guest_of_old(&format!("guest{n}@evil.example"))).collect();
    world.clock.advance(SignedDuration::from_mins(1));
    for guest in &guests {
        world.tenant.stir(*guest);
        world.settle_now().await;
    }
    world.settle().await;
    let there = guests.iter().filter(|guest| world.tenant.is_there(**guest)).count();
    assert_eq!(there, 1, "three established guests an hour, and the fourth asks");
    for guest in guests.iter().filter(|guest| !world.tenant.is_there(**guest)) {
        world.expect_deleted(*guest);
    }
    world.slack.read_all();
}
