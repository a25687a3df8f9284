//! Going over a whole tenant takes a stated number of requests, and keeps nobody waiting who changes meanwhile.

use guestlist_tests::{Guest, World};
use jiff::{SignedDuration, Timestamp};
use simulator::{Kind, NewUser, Quota};

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

/// For U users, G of them guests: 2 requests that begin the delta queries, and twice (at once, and when replicas have heard of
/// what was before) one for each page of users, three for each guest who was not known and in one round trip for each who
/// was; a round in which nothing happened is 2.
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
    // The second listing comes with the next round.
    assert_eq!((of("users/delta"), of("groups/delta"), of("users")), (2, 2, 2 * 3));
    assert_eq!((of("users/{}"), of("users/{}/memberOf"), of("users/{}/ownedObjects")), (24, 24, 24));
    // Our own domains, for whoever lists and whoever looks.
    let traffic = world.simulator.traffic();
    assert_eq!((of("organization"), traffic.requests), (2, 4 + 2 * 3 + 2 + 2 * 3 * 12));
    assert_eq!(traffic.round_trips, 4 + 2 * 3 + 2 + 2 * 12 + 12);

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
    assert_eq!((of("users/delta"), of("groups/delta"), of("users")), (3, 3, 2 * 3));
    assert_eq!(of("users/{}/memberOf"), 2 * 12);
    // Whoever is known is one round trip.
    assert_eq!(world.simulator.traffic().round_trips, 6 + 2 * (3 + 12));
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
async fn looks_at_what_a_delta_query_tells_are_twenty_a_second_and_the_next_page_waits_for_them() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    world.settle().await;
    of_old(&world, 1_000);
    world.simulator.reset_traffic();
    let changes = world.store.queues.changes.clone();
    world.clock.advance(SignedDuration::from_mins(11));
    world.reconcile().await;
    for (after, due) in [(0, 1), (1, 21), (10, 201)] {
        let moment = world.clock.now().checked_add(SignedDuration::from_secs(after)).unwrap();
        assert_eq!(changes.depth(moment).await.unwrap().ready, due, "after {after} s");
    }
    // A page is a hundred: those of the first seven are due within 35 seconds.
    assert_eq!(asked(&world, "users/delta").requests, 7);
    world.reconcile().await;
    assert_eq!(asked(&world, "users/delta").requests, 7);
    world.clock.advance(SignedDuration::from_secs(30));
    world.reconcile().await;
    assert_eq!(asked(&world, "users/delta").requests, 7, "six hundred are due");
    world.settle_now().await;
    world.reconcile().await;
    assert_eq!(asked(&world, "users/delta").requests, 10);
}

#[tokio::test]
async fn looks_at_the_guests_of_a_changed_group_are_twenty_a_second() {
    let mut world = World::with_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe")).await;
    let plans = world.tenant.group("Plans");
    let guests = of_old(&world, 60);
    guests.iter().for_each(|guest| world.tenant.join(*guest, plans));
    world.settle().await;
    world.reconcile_all().await;
    world.settle().await;
    world.tenant.rename(plans, "Finance Plans");
    // The first look at the group reads what a replica has not heard of yet.
    world.settle_now().await;
    world.clock.advance(SignedDuration::from_mins(5));
    world.worker("assess").run_due(1).await.unwrap();
    let changes = &world.store.queues.changes;
    for (after, due) in [(0, 1), (1, 21), (3, 60)] {
        let moment = world.clock.now().checked_add(SignedDuration::from_secs(after)).unwrap();
        assert_eq!(changes.depth(moment).await.unwrap().ready, due, "after {after} s");
    }
    world.settle().await;
    for guest in guests {
        assert_eq!(world.incidents(guest).await.len(), 1);
    }
    world.slack.texts();
}

#[tokio::test]
async fn nobody_waits_for_the_guests_of_a_changed_group_nor_for_a_second_look_of_the_sweep() {
    let mut world = World::with_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe")).await;
    let plans = world.tenant.group("Plans");
    let guests = of_old(&world, 20);
    guests.iter().for_each(|guest| world.tenant.join(*guest, plans));
    world.settle().await;
    world.reconcile_all().await;
    world.settle().await;
    world.tenant.rename(plans, "Finance Plans");
    world.simulator.reset_traffic();
    world.settle_for(SignedDuration::from_mins(30)).await;
    let of_groups = asked(&world, "users/{}/memberOf");
    assert_eq!((of_groups.requests, of_groups.of_low_priority), (40, 40));

    guests.iter().for_each(|guest| world.unnoticed(|tenant| tenant.stir(*guest)));
    world.clock.advance(SignedDuration::from_mins(11));
    world.simulator.reset_traffic();
    world.reconcile().await;
    world.settle().await;
    let looks = asked(&world, "users/{}");
    assert_eq!((looks.requests, looks.of_low_priority), (40, 40));
    world.slack.texts();
}

/// Nine thousand members of our own come into a group while nobody tells of it.
#[tokio::test]
async fn a_round_that_tells_of_one_large_group_keeps_within_the_units() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    world.reconcile_all().await;
    world.settle().await;
    let everybody = world.tenant.group("Everybody");
    world.settle().await;
    world.unnoticed(|tenant| {
        for n in 0..9_000 {
            let id = tenant.0.add_user(NewUser::member(&format!("m{n}@contoso.com")));
            tenant.0.add_member(everybody.0, id).unwrap();
        }
    });
    world.clock.advance(SignedDuration::from_mins(11));
    world.simulator.reset_traffic();
    let mut busiest = 0;
    for _ in 0..6 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(10)).await;
        busiest = busiest.max(world.cost().resource_units);
        world.clock.advance(SignedDuration::from_millis(1));
    }
    assert!((200..=1_000).contains(&busiest), "{busiest} units in ten seconds");
}

/// Three hundred guests of a partner whose last day ends at midnight.
#[tokio::test]
async fn what_falls_due_at_one_moment_is_twenty_a_second_and_nobody_waits_for_it() {
    let observing = PARTNERS_ONLY.replace("mode: enforce", "mode: observe");
    let mut world = World::with_policy(&observing.replace("2027-06-30", "2026-11-21")).await;
    let guests: Vec<Guest> = (0..300).map(|n| world.tenant.invite(&format!("g{n}@fabrikam.com"))).collect();
    world.count_guests().await;
    world.settle_for(SignedDuration::from_hours(1)).await;
    let midnight: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    world.clock.advance_to(midnight);
    let changes = world.store.queues.changes.clone();
    for (after, most) in [(0, 5), (1, 30), (15, 300)] {
        let moment = midnight + SignedDuration::from_secs(after);
        let due = changes.depth(moment).await.unwrap().ready;
        assert!(due <= most, "{due} after {after} s");
    }
    world.simulator.reset_traffic();
    world.settle_for(SignedDuration::from_secs(15)).await;
    let looks = asked(&world, "users/{}");
    assert_eq!((looks.requests, looks.of_low_priority), (300, 300));
    for guest in guests {
        assert_eq!(world.incidents(guest).await.len(), 1);
    }
    world.slack.texts();
}

/// What reconciliation asks for is no news to a look that waits: that one is still read with the priority of a live event.
#[tokio::test]
async fn a_live_event_stays_one_when_the_sweep_tells_of_it_too() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    world.settle().await;
    world.clock.advance(SignedDuration::from_mins(11));
    let sam = world.tenant.invite("sam@northwind.example");
    world.simulator.deliver_due().await;
    world.simulator.reset_traffic();
    world.reconcile().await;
    world.settle_now().await;
    assert_eq!(asked(&world, "users/{}").of_low_priority, 0);
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
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
