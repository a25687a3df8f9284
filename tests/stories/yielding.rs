//! Going over a whole tenant takes a stated number of requests, and keeps nobody waiting who changes meanwhile.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use simulator::{Kind, Quota};

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

fn of_old(world: &World, count: usize) -> Vec<Guest> {
    (0..count).map(|n| world.guest_of_old(&format!("guest{n}@fabrikam.com"))).collect()
}

/// What Graph was asked since the last time, of this kind.
fn asked(world: &World, path: &str) -> Kind {
    world.simulator.traffic().kinds.get(&("GET", path)).copied().unwrap_or_default()
}

async fn known(world: &World, guests: &[Guest]) -> usize {
    let mut known = 0;
    for guest in guests {
        known += usize::from(world.store.ledger.known(guest.id()).await.unwrap().is_some());
    }
    known
}

/// For U users, G of them guests: 2 requests that begin the delta queries, one for each page of users, three for each guest
/// who was not known and in one round trip for each who was; a round in which nothing happened is 2.
#[tokio::test]
async fn a_listing_is_a_request_for_each_page_and_a_look_for_each_guest() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let guests = of_old(&world, 12);
    world.clock.advance(SignedDuration::from_mins(1));
    // Three people are there beside the guests: fifteen users are three pages.
    world.simulator.set_faults(|faults| faults.page_at_most = Some(5));
    world.reconcile_all().await;
    world.settle().await;
    assert_eq!(known(&world, &guests).await, 12);
    let of = |path: &str| asked(&world, path).requests;
    assert_eq!((of("users/delta"), of("groups/delta"), of("users")), (1, 1, 3));
    assert_eq!((of("users/{}"), of("users/{}/memberOf"), of("users/{}/ownedObjects")), (12, 12, 12));
    // Our own domains, for whoever lists and whoever looks.
    let traffic = world.simulator.traffic();
    assert_eq!((of("organization"), traffic.requests, traffic.resource_units), (2, 43, 43));
    assert_eq!(traffic.round_trips, 2 + 3 + 2 + 2 * 12);

    world.simulator.reset_traffic();
    world.clock.advance(SignedDuration::from_mins(11));
    world.reconcile().await;
    world.settle().await;
    assert_eq!(world.simulator.traffic().requests, 2);

    world.simulator.reset_traffic();
    world.clock.advance(SignedDuration::from_mins(11));
    world.simulator.expire_delta_tokens();
    world.reconcile_all().await;
    world.settle().await;
    let of = |path: &str| asked(&world, path).requests;
    assert_eq!((of("users/delta"), of("groups/delta"), of("users")), (2, 2, 3));
    assert_eq!(of("users/{}/memberOf"), 12);
    // Whoever is known is one round trip.
    assert_eq!(world.simulator.traffic().round_trips, 4 + 3 + 12);
}

#[tokio::test]
async fn looks_of_a_listing_are_twenty_a_second_over_all_its_pages_and_it_waits_for_them() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    of_old(&world, 1_000);
    world.simulator.set_faults(|faults| faults.page_at_most = Some(300));
    let changes = world.store.queues.changes.clone();
    world.reconcile().await;
    for (after, due) in [(0, 1), (1, 21), (10, 201)] {
        let moment = world.clock.now().checked_add(SignedDuration::from_secs(after)).unwrap();
        assert_eq!(changes.depth(moment).await.unwrap().ready, due, "after {after} s");
    }
    // Those of the first three pages are due within 45 seconds: the fourth is not asked for.
    let depth = changes.depth(world.clock.now()).await.unwrap();
    assert_eq!((depth.ready + depth.waiting, asked(&world, "users").requests), (897, 3));
    world.reconcile().await;
    assert_eq!(asked(&world, "users").requests, 3);
    let listing = world.store.ledger.listing().await.unwrap().unwrap().value;
    let span = listing.looks_until.unwrap().duration_since(world.clock.now());
    assert_eq!(span, SignedDuration::from_millis(896 * 50));
}

#[tokio::test]
async fn graph_turns_the_sweep_away_before_a_live_event_and_the_sweep_waits_as_it_was_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, 60);
    // Reads of the sweep are turned away from thirty units on, all others from forty on.
    let quota = Quota { units: 40, within: SignedDuration::from_secs(10) };
    world.simulator.set_faults(|faults| faults.quota = Some(quota));
    world.reconcile().await;
    world.settle_for(SignedDuration::from_secs(5)).await;
    let before = known(&world, &guests).await;
    assert!((1..30).contains(&before), "{before} looks fit beside the pages and our own domains");
    let turned_away = world.simulator.traffic().throttled;
    assert!(turned_away > 0);

    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_now().await;
    world.expect_disabled(sam);
    assert_eq!(known(&world, &guests).await, before, "the sweep waits");
    let looks = asked(&world, "users/{}");
    assert!(looks.requests > looks.of_low_priority, "{looks:?}");
    assert_eq!(
        world.simulator.traffic().throttled,
        turned_away,
        "nobody asks while Graph wants to be left alone"
    );

    world.reconcile_all().await;
    world.settle().await;
    assert_eq!(known(&world, &guests).await, 60);
    assert_eq!(world.slack.read_all().len(), 1);
    assert!(world.dead_letters().await.is_empty());
}
