//! "Every change up to T was assessed" is said when it is so, and not before.

use guestlist_tests::World;
use jiff::SignedDuration;
use model::Watched;
use simulator::{Failure, Fault, Quota, RetryAfter, Stale};

use crate::policies::PARTNERS_ONLY;

const ROUND: SignedDuration = SignedDuration::from_mins(11);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What the timers of a real process do, again and again.
async fn rounds(world: &mut World, count: usize) {
    for _ in 0..count {
        world.clock.advance(ROUND);
        world.reconcile().await;
        world.settle_for(SignedDuration::from_mins(1)).await;
    }
}

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
    for _ in 0..3 {
        world.reconcile().await;
    }
    assert_eq!(world.told_until().await, None, "replicas may not have heard of all that was there before");
    world.clock.advance(SignedDuration::from_mins(15));
    for _ in 0..3 {
        world.reconcile().await;
    }
    assert!(world.told_until().await.is_some());
    assert_eq!(world.assessed_until().await, None, "he waits in the queue");
    world.settle_now().await;
    world.expect_disabled(old);
    let said = (world.assessed_until().await, world.told_until().await);
    assert!(said.0 < said.1, "the replica that was asked may not have heard of all: {said:?}");
    world.settle().await;
    assert_eq!(world.assessed_until().await, world.told_until().await);
    world.slack.texts();
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
    assert_eq!(
        world.assessed_until().await,
        Some(before),
        "the replica that was asked may not have heard of all"
    );
    world.settle().await;
    assert!(world.assessed_until().await.unwrap() > before);
    world.slack.texts();
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

/// The clock was three days ahead while reconciliation told of a change, and is then put right.
#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_from_being_asked_about() {
    let mut world = reconciled().await;
    world.clock.advance(HOUR * 72);
    let _adele = world.guest_today("adele@fabrikam.com");
    rounds(&mut world, 2).await;
    world.clock.advance(-(HOUR * 72));
    assert_eq!(world.assessed_until().await, None, "nobody knows when that was");
    let sam = world.guest_today("sam@northwind.example");
    rounds(&mut world, 4).await;
    world.expect_disabled(sam);
    assert!(world.assessed_until().await.unwrap() < world.clock.now());
    world.slack.texts();
}

/// One of those whom the first listing has met cannot be read for a while.
#[tokio::test]
async fn a_policy_is_not_called_applied_to_all_before_everybody_was_judged_by_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let old = world.guest_of_old("old@northwind.example");
    world.clock.advance(SignedDuration::from_mins(1));
    let path = format!("/users/{}", old.id());
    let fails = || Fault::new("GET", &path, Failure::Status(500, RetryAfter::Seconds(1)));
    world.next_faults((0..500).map(|_| fails()));
    rounds(&mut world, 3).await;
    let in_force = world.store.ledger.in_force().await.unwrap().unwrap().value;
    assert_eq!(in_force.applied_at, None);
    world.simulator.set_faults(|faults| faults.queued.clear());
    rounds(&mut world, 6).await;
    world.expect_disabled(old);
    let in_force = world.store.ledger.in_force().await.unwrap().unwrap().value;
    assert!(in_force.applied_at.is_some());
    world.slack.texts();
}

/// However long Graph has no room for reconciliation, to wait is no failure.
#[tokio::test]
async fn what_graph_turns_away_for_a_day_is_looked_at_when_there_is_room() {
    let mut world = reconciled().await;
    let sam = world.guest_today("sam@northwind.example");
    world.clock.advance(ROUND);
    world.reconcile().await;
    world.simulator.set_faults(|faults| {
        faults.quota = Some(Quota { units: 0, within: SignedDuration::from_secs(10) });
    });
    world.settle_for(HOUR * 24).await;
    assert!(world.dead_letters().await.is_empty());
    world.simulator.set_faults(|faults| faults.quota = None);
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.texts();
}

/// The first look is answered by a replica that lags, and the second one fails for hours.
#[tokio::test]
async fn a_second_look_that_fails_is_owed_since_the_change() {
    let mut world = reconciled().await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    rounds(&mut world, 2).await;
    world.clock.advance(ROUND);
    world.tenant.change(adele, |user| user.mail = Some("adele@evil.example".to_owned()));
    let changed = world.clock.now();
    world.clock.advance(SignedDuration::from_secs(10));
    world.reconcile().await;
    world
        .simulator
        .set_faults(|faults| faults.stale = Some(Stale { lag: SignedDuration::from_mins(4), chance: 1.0 }));
    world.settle_for(SignedDuration::from_mins(1)).await;
    world.simulator.set_faults(|faults| faults.stale = None);
    assert!(world.tenant.is_enabled(adele));
    let path = format!("/users/{}", adele.id());
    world.next_faults(
        (0..4000).map(|_| Fault::new("GET", &path, Failure::Status(500, RetryAfter::Seconds(1)))),
    );
    let mut untrue = None;
    for _ in 0..8 {
        world.clock.advance(ROUND);
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(20)).await;
        let said = world.assessed_until().await;
        if said.is_some_and(|said| said > changed) && world.tenant.is_enabled(adele) {
            untrue.get_or_insert((world.clock.now(), said));
        }
    }
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.settle().await;
    let enabled = world.tenant.is_enabled(adele);
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!((untrue, enabled), (None, false), "changed {changed}");
}

/// The looks at a change lie among the dead letters, which the statement names. A person replays them, and Graph does not answer.
#[tokio::test]
async fn a_change_whose_dead_letters_are_replayed_is_not_called_assessed_before_it_is() {
    let mut world = reconciled().await;
    let sam = world.tenant.invite("sam@northwind.example");
    let invited = world.clock.now();
    world.deliver().await;
    world.clock.advance(ROUND);
    world.reconcile().await;
    let (queue, now) =
        (world.store.queues.changes.clone(), world.clock.now() + SignedDuration::from_mins(16));
    let mut buried = Vec::new();
    for claimed in queue.claim(now, SignedDuration::from_mins(3), 100).await.unwrap() {
        if claimed.key.contains(&sam.id().to_string()) {
            queue.bury(&claimed, "it failed 31 times", now).await.unwrap();
            buried.push(claimed.key);
        } else {
            queue.delay(&claimed, now, None).await.unwrap();
        }
    }
    rounds(&mut world, 6).await;
    let with_dead = (world.assessed_until().await, world.dead_letters().await.len());
    for dead in queue.dead(None, 10).await.unwrap() {
        assert!(queue.replay(&dead.id, world.clock.now()).await.unwrap());
    }
    let (said, dead) = (world.assessed_until().await, world.dead_letters().await.len());
    let enabled = world.tenant.is_enabled(sam);
    world.settle().await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(enabled, "{buried:?} {with_dead:?}");
    assert!(
        said.is_none_or(|said| said < invited),
        "invited {invited}, not looked at; buried {buried:?}, then {with_dead:?}; replayed, {dead} dead letters, said {said:?}"
    );
}

/// `serve` was away for hours, and lost a notification. A worker takes a later one of the same guest and is killed; reconciliation
/// tells of him while that one holds the key.
#[tokio::test]
async fn what_was_told_while_its_key_was_held_is_owed_since_it_happened() {
    let mut world = reconciled().await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    rounds(&mut world, 3).await;
    world.clock.advance(HOUR);
    world.unnoticed(|tenant| {
        tenant.change(adele, |user| user.mail = Some("adele@evil.example".to_owned()));
    });
    let changed = world.clock.now();
    world.clock.advance(HOUR);
    world.notify(&[world.genuine(Watched::Users, adele.id())]).await;
    let now = world.clock.now();
    let held = world.store.queues.changes.claim(now, SignedDuration::from_mins(3), 100).await.unwrap();
    let keys: Vec<String> = held.iter().map(|one| one.key.clone()).collect();
    world.clock.advance(SignedDuration::from_secs(15));
    world.reconcile().await;
    let (said, enabled) = (world.assessed_until().await, world.tenant.is_enabled(adele));
    let depth = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    rounds(&mut world, 2).await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(enabled);
    assert!(
        said.is_none_or(|said| said < changed),
        "changed {changed}, held {keys:?} and not looked at, said {said:?}; {depth:?}"
    );
}
