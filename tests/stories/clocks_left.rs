//! What a clock that was ahead wrote before Graph had said the time keeps nothing waiting once it is right.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use simulator::{Failure, Fault, Invite, RetryAfter};

use crate::clocks::{EIGHT_DAYS, HOUR, MINUTE, goes_ahead, is_set_right};
use crate::clocks_beside::{reconciled, rounds};
use crate::given::{come_back, found};
use crate::policies::{PARTNERS_ONLY, closing};

async fn for_two_days(world: &mut World) {
    for _ in 0..75 {
        world.settle_for(MINUTE * 20).await;
        world.clock.advance(MINUTE * 20);
        world.subscribe().await;
        world.reconcile().await;
        world.wake_what_is_due().await;
    }
}

#[tokio::test]
async fn the_lease_of_a_worker_who_died_ends() {
    let (mut world, sam) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    goes_ahead(&world, EIGHT_DAYS);
    world.next_faults([
        Fault::new("POST", "/$batch", Failure::Hang),
        Fault::new("GET", "/users", Failure::Hang),
    ]);
    world.kill_during("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    is_set_right(&world).await;
    come_back(&mut world).await;
    // As the process does at its start, where nobody else runs the part.
    for name in ["assess", "remediate"] {
        world.worker(name).take_over().await.unwrap();
    }
    world.tenant.stir(sam);
    world.live_on(HOUR * 24).await;
    world.reconcile_all().await;
    world.live_on(HOUR * 24).await;
    assert!(!world.tenant.is_enabled(sam), "two days later nobody has disabled him");
    world.forget_writes("/");
    world.slack.texts();
}

/// He dies over a look while the clock is ahead, and the next process starts when it is right.
async fn a_worker_died() -> (World, Guest) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    goes_ahead(&world, EIGHT_DAYS);
    world.next_faults([
        Fault::new("GET", "/users", Failure::Hang),
        Fault::new("POST", "/$batch", Failure::Hang),
    ]);
    world.kill_during("assess").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    is_set_right(&world).await;
    world.restart().await;
    (world, sam)
}

async fn is_looked_at_within_two_days(world: &mut World, sam: Guest) {
    for_two_days(world).await;
    let (now, until) = (world.clock.now(), world.assessed_until().await);
    world.slack.texts();
    world.forget_writes("/");
    assert!(!world.tenant.is_enabled(sam), "two days later nobody has looked at him");
    assert!(until.is_some_and(|until| now.duration_since(until) < HOUR), "{until:?}");
}

#[tokio::test]
async fn a_look_whose_worker_died_is_made_where_others_run_the_part() {
    let (mut world, sam) = a_worker_died().await;
    is_looked_at_within_two_days(&mut world, sam).await;
}

#[tokio::test]
async fn a_look_whose_worker_died_is_made_by_the_next_process() {
    let (mut world, sam) = a_worker_died().await;
    world.worker("assess").take_over().await.unwrap();
    is_looked_at_within_two_days(&mut world, sam).await;
}

/// Two notifications of one group, whose first look fails.
#[tokio::test]
async fn what_was_assessed_goes_on() {
    let (mut world, adele) = crate::given::admitted(crate::policies::CLOSED_GROUPS).await;
    let bob = world.tenant.invite("bob@fabrikam.com");
    let group = world.tenant.group("Trips");
    world.settle().await;
    world.reconcile_all().await;
    world.tenant.join(adele, group);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(2));
    world.tenant.join(bob, group);
    world.deliver().await;
    let bad = |method: &str, path: &str| Fault::new(method, path, Failure::Status(503, RetryAfter::None));
    world.next_faults((0..60).flat_map(|_| [bad("GET", "/"), bad("POST", "/")]));
    goes_ahead(&world, EIGHT_DAYS);
    world.run("assess").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    is_set_right(&world).await;
    for_two_days(&mut world).await;
    let (until, now) = (world.assessed_until().await, world.clock.now());
    world.forget_writes("/");
    world.slack.texts();
    assert!(until.is_some_and(|until| now.duration_since(until) < HOUR * 2), "{until:?} at {now}");
}

/// The audit's row comes three minutes late.
#[tokio::test]
async fn who_invited_a_guest_is_learnt() {
    let policy = closing("{ inviter: { kind: [guest, external-member] } }", "disable");
    let mut world = World::with_policy(&policy).await;
    world.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_mins(3));
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.clock.advance(HOUR);
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.deliver().await;
    goes_ahead(&world, EIGHT_DAYS);
    world.settle_for(SignedDuration::from_secs(5)).await;
    is_set_right(&world).await;
    world.clock.advance(MINUTE * 5);
    world.tenant.stir(friend);
    for_two_days(&mut world).await;
    world.slack.texts();
    assert!(!world.tenant.is_enabled(friend), "two days later nobody knows who invited him");
    world.forget_writes("/");
}

/// The channel takes nothing while the clock is ahead, for which nobody has told us.
#[tokio::test]
async fn a_message_that_could_not_be_sent_is_sent() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    world.run("remediate").await;
    for _ in 0..4 {
        world.clock.advance(SignedDuration::from_secs(5));
        world.run("remediate").await;
    }
    world.expect_disabled(sam);
    world.slack.answer_always(Some(500));
    goes_ahead(&world, EIGHT_DAYS);
    world.settle_for(SignedDuration::from_secs(10)).await;
    world.clock.goes_astray(SignedDuration::ZERO);
    world.slack.answer_always(None);
    world.slack.read_all();
    world.live_on(HOUR * 24).await;
    world.tenant.stir(sam);
    world.live_on(HOUR * 24).await;
    let told = world.slack.texts();
    assert!(!told.is_empty(), "two days later nobody has been told that he was disabled");
}

/// A process that carries out alone has no steward who would hear of the time.
#[tokio::test]
async fn the_canary_flies() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.with_canary().await;
    goes_ahead(&world, HOUR * 3);
    world.look_after_the_canary().await;
    world.clock.goes_astray(SignedDuration::ZERO);
    for _ in 0..5 {
        world.an_hour_later().await;
    }
    world.forget_writes("/");
    world.slack.texts();
    assert!(world.canary().await.idle.is_none());
}

#[tokio::test]
async fn the_last_notification_is_not_in_time_to_come() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, HOUR * 30);
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    for _ in 0..12 {
        world.clock.advance(HOUR);
        world.tenant.stir(adele);
        world.settle_for(MINUTE * 6).await;
    }
    let now = world.clock.now();
    let records = world.store.ledger.subscriptions().await.unwrap();
    let last: Vec<_> = records.iter().filter_map(|one| one.value.last_notification_at).collect();
    world.slack.texts();
    world.forget_writes("/");
    assert!(last.iter().all(|at| *at <= now), "{last:?} at {now}");
}

#[tokio::test]
async fn a_clock_that_was_ahead_by_three_minutes_repeats_no_read_each_second() {
    let (mut world, _) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    world.simulator.set_faults(|faults| {
        faults.stale = Some(simulator::Stale { lag: MINUTE * 5, chance: 1.0 });
    });
    goes_ahead(&world, MINUTE * 3);
    world.run("remediate").await;
    world.clock.goes_astray(SignedDuration::ZERO);
    world.simulator.reset_traffic();
    world.wake_what_is_due().await;
    world.settle_for(MINUTE * 3).await;
    let asked = world.calls_below("GET", "/users");
    world.forget_writes("/");
    world.slack.texts();
    assert!(asked < 30, "{asked}");
}

/// Whoever looked after the machine set its clock right while Graph could not be reached.
#[tokio::test]
async fn commands_go_by_the_clock_of_serve_after_it_was_set_right_without_graph() {
    let mut world = reconciled().await;
    world.clock.set_wrong_by(EIGHT_DAYS);
    rounds(&mut world, 1).await;
    world.next_faults(
        (0..4_000).flat_map(|_| [Fault::any("/", Failure::Reset), Fault::any("/token", Failure::Reset)]),
    );
    world.clock.set_wrong_by(SignedDuration::ZERO);
    for _ in 0..60 {
        let _ = world.assembly.clock.now();
        world.clock.advance(SignedDuration::from_secs(15));
        world.wake_what_is_due().await;
    }
    let (serves, right) = (world.assembly.clock.now(), world.clock.now());
    let commands = world.store.right(world.clock.now()).await.unwrap();
    let told = world.store.ledger.clock_ahead().await.unwrap();
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!(serves, right);
    assert_eq!(
        commands, serves,
        "the clock of the machine is right, and the ledger says it is ahead by {told:?}"
    );
}
