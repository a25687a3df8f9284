//! Whatever fails and whenever the process dies: in the end the right guests are disabled, people are told the truth, and
//! nobody else was touched.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::{IncidentId, StepResult};
use simulator::{Delay, Failure, Failures, Fault, NewUser, NotificationFaults, RetryAfter, Stale, Throttle};

use crate::given::come_back;
use crate::policies::PARTNERS_ONLY;

const HOURS_12: SignedDuration = SignedDuration::from_hours(12);

async fn world_with(address: &str) -> (World, Guest) {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let guest = world.tenant.invite(address);
    world.deliver().await;
    (world, guest)
}

/// Disabled, told once as done, and one outcome that an undo can rely on.
async fn expect_caught(world: &World, guest: Guest) -> IncidentId {
    assert!(!world.tenant.is_enabled(guest));
    let incident = world.incident(guest).await;
    assert_eq!(incident.state.word(), "done");
    let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    assert_eq!((&outcomes[0].result, outcomes[0].before), (&StepResult::Done, Some(true)));
    let told = world.slack.read_all();
    let done = told.iter().filter(|told| told.text().starts_with("Disabled guest")).count();
    assert_eq!(done, 1, "{:?}", told.iter().map(guestlist_tests::Told::text).collect::<Vec<_>>());
    assert!(world.dead_letters().await.is_empty());
    world.forget_writes(&format!("/users/{}", guest.id()));
    incident.id
}

#[tokio::test]
async fn a_death_at_any_question_to_graph_loses_nothing() {
    for (flow, method, path) in [
        ("assess", "GET", "/users"),
        ("assess", "GET", "/organization"),
        ("assess", "POST", "/$batch"),
        ("remediate", "POST", "/$batch"),
        ("remediate", "GET", "/organization"),
        ("remediate", "PATCH", "/users"),
        ("remediate", "GET", "/users"),
    ] {
        let (mut world, sam) = world_with("sam@northwind.example").await;
        if flow == "remediate" {
            world.run("assess").await;
        }
        world.next_faults([Fault::new(method, path, Failure::Hang)]);
        world.kill_during(flow).await;
        come_back(&mut world).await;
        let id = expect_caught(&world, sam).await;
        // And what was done by the process before can be undone by this one.
        world.undo(&id).await;
        world.expect_enabled_again(sam);
        assert_eq!(world.slack.read_all().len(), 1, "{flow} {method} {path}");
    }
}

#[tokio::test]
async fn a_death_between_the_incident_and_its_wake_up_is_made_good_by_the_steward() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    world.run("assess").await;
    // The incident is in the ledger, and nobody was woken or told.
    for queue in [&world.store.queues.remediations, &world.store.queues.alerts] {
        for one in queue.claim(world.clock.now() + HOURS_12, HOURS_12, 100).await.unwrap() {
            queue.ack(&one).await.unwrap();
        }
    }
    come_back(&mut world).await;
    expect_caught(&world, sam).await;
}

#[tokio::test]
async fn a_death_after_the_write_was_intended_and_before_it_was_sent_sends_it() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    world.run("assess").await;
    // What `remediate` leaves behind when it dies right before the write.
    let mut stored = world.store.ledger.incidents_of(sam.id()).await.unwrap().remove(0);
    let now = world.clock.now();
    stored.value.claim(now, SignedDuration::from_mins(2)).unwrap();
    let outcome = model::Outcome {
        incident: stored.value.id.clone(),
        step: stored.value.plan().steps[0],
        before: Some(true),
        found_so: false,
        identity: Some(stored.value.subject.identity()),
        group: None,
        result: StepResult::Intended,
        at: now,
        request: None,
    };
    world.store.ledger.replace(stored).await.unwrap();
    world.store.ledger.record(&outcome).await.unwrap();
    come_back(&mut world).await;
    expect_caught(&world, sam).await;
}

#[tokio::test]
async fn a_death_after_everything_and_before_the_acknowledgement_does_it_once() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    world.run("assess").await;
    let id = world.incident(sam).await.id;
    // The flow ran to its end, and the job was never acknowledged.
    world.remediator().remediate(&id).await.unwrap();
    come_back(&mut world).await;
    expect_caught(&world, sam).await;
    assert_eq!(world.calls("PATCH", &format!("/users/{}", sam.id())), 1);
}

#[tokio::test]
async fn a_death_before_people_were_told_tells_them() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    world.run("assess").await;
    world.run("remediate").await;
    world.clock.advance(SignedDuration::from_secs(10));
    world.run("remediate").await;
    assert_eq!(world.incident(sam).await.state.word(), "done");
    let alerts = &world.store.queues.alerts;
    for one in alerts.claim(world.clock.now() + HOURS_12, HOURS_12, 100).await.unwrap() {
        alerts.ack(&one).await.unwrap();
    }
    come_back(&mut world).await;
    expect_caught(&world, sam).await;
}

#[tokio::test]
async fn another_worker_that_met_the_finding_meanwhile_costs_no_time() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    world.run("assess").await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Delay(std::time::Duration::from_millis(300)))]);
    let remediating = world.worker("remediate").run_due(16);
    let meeting = async {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        // The incident is written by somebody else while the write is on its way.
        let mut stored = world.store.ledger.incidents_of(sam.id()).await.unwrap().remove(0);
        assert_eq!(stored.value.state.word(), "claimed");
        stored.value.seen += 1;
        world.store.ledger.replace(stored).await.unwrap();
    };
    let (ran, ()) = tokio::join!(remediating, meeting);
    assert_eq!(ran.unwrap(), 1);
    let incident = world.incident(sam).await;
    assert_eq!((incident.state.word(), incident.seen), ("sent", 2), "what both have written is there");
    world.settle_for(SignedDuration::from_secs(30)).await;
    expect_caught(&world, sam).await;
    assert_eq!(world.calls("PATCH", &format!("/users/{}", sam.id())), 1);
}

#[tokio::test]
async fn everything_fails_at_once_and_the_right_guests_are_disabled() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.set_faults(|faults| {
        faults.stale = Some(Stale { lag: SignedDuration::from_secs(20), chance: 0.7 });
        faults.fresh = Some(Stale { lag: SignedDuration::from_secs(40), chance: 0.7 });
        // Short enough to be waited for in line: of a batch, only what failed is asked for again.
        let retry_after = RetryAfter::Decimals(0.005);
        faults.throttle = Some(Throttle { every: 5, chance: 0.0, retry_after });
        faults.failures = Some(Failures { chance: 0.1, statuses: vec![500, 502, 503, 504], retry_after });
        faults.reset = 0.03;
        faults.lost_answer = 0.03;
        faults.token_failure = 0.2;
        faults.notifications = NotificationFaults {
            lost: 0.0,
            doubled: 0.5,
            reordered: 1.0,
            delayed: Some(Delay { by: SignedDuration::from_secs(90), chance: 0.3 }),
            coalesced: None,
        };
    });
    let guilty: Vec<_> = (0..12)
        .map(|n| {
            let address = if n % 2 == 0 { "northwind.example" } else { "evil.example" };
            world.tenant.invite(&format!("guilty{n}@{address}"))
        })
        .collect();
    let innocent: Vec<_> =
        (0..12).map(|n| world.tenant.invite(&format!("innocent{n}@fabrikam.com"))).collect();
    let ours = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    for guest in guilty.iter().chain(&innocent).step_by(2) {
        world.clock.advance(SignedDuration::from_secs(7));
        world.tenant.redeem(*guest);
    }
    for _ in 0..12 {
        world.settle_for(SignedDuration::from_hours(1)).await;
        world.wake_what_is_due().await;
    }
    world.simulator.calm();
    world.settle_for(HOURS_12).await;
    for guest in &innocent {
        assert!(world.tenant.is_enabled(*guest));
        assert!(world.incidents(*guest).await.is_empty());
        assert_eq!(world.calls("PATCH", &format!("/users/{}", guest.id())), 0);
    }
    assert!(world.tenant.0.user(ours).unwrap().enabled);
    for guest in &guilty {
        for incident in world.incidents(*guest).await {
            assert_eq!(incident.state.word(), "done", "{:?}", incident.state);
        }
        assert!(!world.tenant.is_enabled(*guest));
        world.forget_writes(&format!("/users/{}", guest.id()));
    }
    assert!(world.dead_letters().await.is_empty());
    assert!(!world.slack.read_all().is_empty());
}

#[tokio::test]
async fn a_service_that_asks_for_a_moment_over_and_over_does_not_wear_us_out() {
    let (mut world, sam) = world_with("sam@northwind.example").await;
    let throttled = || Failure::Throttled(RetryAfter::Seconds(1));
    world.next_faults((0..20).map(|_| Fault::new("GET", "/users", throttled())));
    world.next_faults((0..11).map(|_| Fault::new("PATCH", "/users", throttled())));
    world.settle_for(HOURS_12).await;
    expect_caught(&world, sam).await;
}

#[tokio::test]
async fn what_a_killed_process_had_claimed_is_taken_over_by_the_next_at_once() {
    for (flow, method, path) in [("assess", "GET", "/users"), ("remediate", "PATCH", "/users")] {
        let (mut world, sam) = world_with("sam@northwind.example").await;
        if flow == "remediate" {
            world.run("assess").await;
        }
        world.next_faults([Fault::new(method, path, Failure::Hang)]);
        world.kill_during(flow).await;
        world.restart().await;
        for worker in &world.parts.workers {
            worker.take_over().await.unwrap();
        }
        world.settle_for(SignedDuration::from_secs(30)).await;
        expect_caught(&world, sam).await;
    }
}
