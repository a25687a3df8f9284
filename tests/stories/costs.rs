//! What each kind of event asks of Microsoft Graph, from its notification to silence: the second look five minutes later
//! and the echoes of our own writes included, while reads lag three seconds behind writes. In resource units as Microsoft
//! counts them (<https://learn.microsoft.com/graph/throttling-limits>).

use guestlist_tests::{Cost, World};
use jiff::SignedDuration;
use simulator::NewUser;

use crate::policies::PARTNERS_ONLY;

/// In a tenant whose own domains have been read this hour by both flows: that is one round trip more for each.
async fn warm() -> World {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let first = world.tenant.invite("first@northwind.example");
    world.settle().await;
    world.expect_disabled(first);
    assert_eq!(world.slack.read_all().len(), 1);
    world.simulator.reset_traffic();
    world
}

#[track_caller]
fn check(world: &World, round_trips: u64, resource_units: u64, writes: u64) {
    assert_eq!(world.cost(), Cost { round_trips, resource_units, writes });
}

/// With a policy of one rule that matches; a second rule that asks for the same costs one round trip and three units more.
///
/// | event, from its notification to silence | round trips | resource units | writes |
/// | --- | --- | --- | --- |
/// | an internal member changes | 2 | 2 | 0 |
/// | a guest who is admitted changes | 2 | 2 | 0 |
/// | a guest breaks a rule that only tells | 2 | 2 | 0 |
/// | a guest is disabled | 12 | 17 | 1 |
/// | the same, where two rules ask for it | 13 | 20 | 1 |
/// | an undo | 8 | 10 | 1 |
/// | a guest is deleted, and can be restored | 3 | 3 | 0 |
/// | a guest is deleted for good | 4 | 4 | 0 |
/// | an id that nobody knows, looked for during 15 minutes, twice | 30 | 34 | 0 |
///
/// The tenant's own domains are one round trip and one unit more, once an hour for each flow.
#[tokio::test]
async fn every_kind_of_event_asks_of_graph_what_the_table_says() {
    let mut world = warm().await;

    world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    check(&world, 2, 2, 0);

    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    check(&world, 2, 2, 0);

    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    check(&world, 12, 17, 1);
    world.expect_disabled(sam);

    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    check(&world, 13, 20, 1);
    world.expect_disabled(mallory);

    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    check(&world, 8, 10, 1);
    world.expect_enabled_again(sam);

    world.tenant.0.delete_user(sam.0).unwrap();
    world.settle().await;
    check(&world, 3, 3, 0);

    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.0.purge_user(sam.0).unwrap();
    world.settle().await;
    check(&world, 4, 4, 0);

    world.tenant.change(adele, |user| user.display_name = "Adele Vance".to_owned());
    world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
    world.tenant.0.purge_user(adele.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle_for(SignedDuration::from_mins(40)).await;
    check(&world, 30, 34, 0);
    world.slack.read_all();
}

#[tokio::test]
async fn a_finding_that_is_only_told_costs_no_more_than_a_look() {
    let mut world = warm().await;
    world.change_policy(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe"));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    check(&world, 2, 2, 0);
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}
