//! Everything fails at once while guests come and go in groups: in the end everybody is where the policy wants him, people
//! were told, and nobody else was touched.

use guestlist_tests::{Group, Guest, Setup, World, seeds};
use jiff::SignedDuration;
use simulator::{Delay, Failure, Failures, Fault, NewUser, NotificationFaults, RetryAfter, Stale, Throttle};

use crate::given::{admitted, come_back};
use crate::policies::CLOSED_GROUPS;

fn storm(world: &World) {
    world.simulator.set_faults(|faults| {
        faults.stale = Some(Stale { lag: SignedDuration::from_secs(20), chance: 0.7 });
        faults.fresh = Some(Stale { lag: SignedDuration::from_secs(40), chance: 0.7 });
        let retry_after = RetryAfter::Decimals(0.005);
        faults.throttle = Some(Throttle { every: 7, chance: 0.0, retry_after });
        faults.failures = Some(Failures { chance: 0.1, statuses: vec![500, 502, 503, 504], retry_after });
        faults.reset = 0.03;
        faults.lost_answer = 0.05;
        faults.token_failure = 0.2;
        faults.notifications = NotificationFaults {
            lost: 0.0,
            doubled: 0.4,
            reordered: 1.0,
            delayed: Some(Delay { by: SignedDuration::from_secs(90), chance: 0.3 }),
            coalesced: Some(Delay { by: SignedDuration::from_secs(5), chance: 0.5 }),
        };
    });
}

async fn weather_it(world: &mut World) {
    for _ in 0..12 {
        world.settle_for(SignedDuration::from_hours(1)).await;
        world.clock.advance(SignedDuration::from_mins(2));
        world.wake_what_is_due().await;
    }
    world.simulator.calm();
    for _ in 0..3 {
        world.settle_for(SignedDuration::from_hours(12)).await;
        world.clock.advance(SignedDuration::from_mins(3));
        world.wake_what_is_due().await;
    }
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn whatever_fails_every_guest_leaves_the_closed_groups_and_stays_in_the_open_ones() {
    for seed in seeds(3) {
        guests_in_a_storm(seed).await;
    }
}

async fn guests_in_a_storm(seed: u64) {
    let mut world = World::new(Setup { seed, ..Setup::with_policy(CLOSED_GROUPS) }).await;
    let closed: Vec<Group> = (0..3).map(|n| world.tenant.group(&format!("Finance {n}"))).collect();
    let open: Vec<Group> = (0..3).map(|n| world.tenant.group(&format!("Project {n}"))).collect();
    let guests: Vec<Guest> = (0..8).map(|n| world.tenant.invite(&format!("guest{n}@fabrikam.com"))).collect();
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    storm(&world);
    for (n, guest) in guests.iter().enumerate() {
        world.clock.advance(SignedDuration::from_secs(7));
        world.tenant.join(*guest, closed[n % 3]);
        world.tenant.join(*guest, open[n % 3]);
        if n % 2 == 0 {
            world.tenant.leave(*guest, closed[n % 3]);
            world.tenant.join(*guest, closed[n % 3]);
        }
        if n % 4 == 1 {
            world.tenant.own(*guest, open[n % 3]);
        }
        world.step().await;
    }
    for group in closed.iter().chain(&open) {
        world.tenant.0.add_member(group.0, dave).unwrap();
    }
    world.tenant.rename(open[2], "Finance once a project");
    weather_it(&mut world).await;
    for (n, guest) in guests.iter().enumerate() {
        let states: Vec<_> = world.incidents(*guest).await.into_iter().map(|one| one.state).collect();
        assert!(
            !closed.iter().any(|group| world.tenant.is_member(*guest, *group)),
            "seed {seed}, guest {n}: {states:?}"
        );
        assert_eq!(
            world.tenant.is_member(*guest, open[n % 3]),
            n % 3 != 2,
            "seed {seed}, guest {n}: {states:?}"
        );
        assert!(
            !open.iter().any(|group| world.tenant.is_owner(*guest, *group)),
            "seed {seed}, guest {n}: {states:?}"
        );
        assert!(world.tenant.is_enabled(*guest));
        for incident in world.incidents(*guest).await {
            assert!(
                ["done", "resolved"].contains(&incident.state.word()),
                "seed {seed}, guest {n}: {:?}",
                incident.state
            );
        }
    }
    for group in closed.iter().chain(&open) {
        assert!(world.tenant.0.is_member(group.0, dave), "he is no guest");
    }
    assert!(world.incidents(Guest(dave)).await.is_empty());
    world.forget_writes("/members/");
    world.forget_writes("/owners/");
    assert!(!world.slack.read_all().is_empty());
}

#[tokio::test]
async fn whatever_fails_an_undo_ends_with_the_guest_where_he_was() {
    for _ in 0..3 {
        let (mut world, adele) = admitted(CLOSED_GROUPS).await;
        let finance = world.tenant.group("Finance EU");
        world.settle().await;
        world.tenant.join(adele, finance);
        world.settle().await;
        world.expect_no_member(adele, finance);
        let id = world.incident_in(adele, finance).await.id;
        storm(&world);
        world.ask_undo(&id, false).await;
        weather_it(&mut world).await;
        assert!(
            world.tenant.is_member(adele, finance),
            "{:?}",
            world.incident_in(adele, finance).await.state
        );
        assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
        world.forget_writes("/members/");
        world.slack.read_all();
    }
}

#[tokio::test]
async fn a_death_of_the_one_who_looks_loses_no_member() {
    for (method, path, nth) in
        [("POST", "/$batch", 0), ("POST", "/$batch", 1), ("GET", "/groups", 0), ("POST", "/$batch", 2)]
    {
        let (mut world, adele) = admitted(CLOSED_GROUPS).await;
        world.clock.advance(SignedDuration::from_hours(2));
        let finance = world.unnoticed(|tenant| tenant.group("Finance EU"));
        world.tenant.join(adele, finance);
        world.deliver().await;
        world.clock.advance(SignedDuration::from_secs(10));
        world.hang_at(method, path, nth);
        world.kill_during("assess").await;
        come_back(&mut world).await;
        assert!(!world.tenant.is_member(adele, finance), "{method} {path} {nth}");
        world.expect_no_member(adele, finance);
        assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
        assert_eq!(world.slack.read_all().len(), 1, "{method} {path} {nth}");
    }
}

#[tokio::test]
async fn one_member_who_cannot_be_read_keeps_the_others_waiting_and_loses_none() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let bill = world.guest_today("bill@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    let path = format!("/users/{}", bill.id());
    world
        .next_faults((0..6).map(|_| Fault::new("GET", &path, Failure::Status(503, RetryAfter::Seconds(20)))));
    world.tenant.join(adele, finance);
    world.tenant.join(bill, finance);
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_no_member(adele, finance);
    world.expect_no_member(bill, finance);
    assert!(world.dead_letters().await.is_empty());
    world.slack.read_all();
}
