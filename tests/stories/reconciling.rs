//! What no notification told is found all the same, and Guestlist says up to which moment that is so.

use std::collections::BTreeSet;

use guestlist_tests::World;
use jiff::SignedDuration;
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

const ROUND: SignedDuration = SignedDuration::from_mins(11);

/// A world in which everything was gone over once, and nobody is told of anything.
async fn reconciled(policy: &str) -> World {
    let mut world = World::with_policy(policy).await;
    world.reconcile_all().await;
    world.settle().await;
    world
}

/// The next round of the delta queries, and all that comes of it.
async fn next_round(world: &mut World) {
    world.clock.advance(ROUND);
    world.reconcile().await;
    world.settle().await;
}

#[tokio::test]
async fn guests_who_were_there_before_are_found_by_the_first_listing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let old = world.guest_of_old("old@northwind.example");
    let today = world.guest_today("sam@northwind.example");
    world.settle().await;
    world.slack.expect_silence();
    world.reconcile_all().await;
    world.settle().await;
    world.expect_disabled(today);
    world.expect_disabled(old);
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn an_invitation_that_no_notification_told_is_found_in_the_next_round() {
    let mut world = reconciled(PARTNERS_ONLY).await;
    let sam = world.guest_today("sam@northwind.example");
    world.settle().await;
    assert!(world.tenant.is_enabled(sam));
    next_round(&mut world).await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_membership_that_no_notification_told_is_new_and_found_in_the_next_round() {
    let policy =
        CLOSED_GROUPS.replace("guardrails:", "existing: { before: 2026-11-20, mode: observe }\nguardrails:");
    let mut world = World::with_policy(&policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.reconcile_all().await;
    world.settle().await;
    world.slack.expect_silence();
    world.unnoticed(|tenant| tenant.join(adele, finance));
    world.settle().await;
    assert!(world.tenant.is_member(adele, finance));
    next_round(&mut world).await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_owner_and_a_rename_that_no_notification_told_are_found_in_the_next_round() {
    let mut world = reconciled(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let trips = world.tenant.group("Trips");
    world.tenant.join(adele, trips);
    world.settle().await;
    world.slack.expect_silence();
    world.unnoticed(|tenant| tenant.rename(trips, "Finance trips"));
    world.settle().await;
    assert!(world.tenant.is_member(adele, trips));
    next_round(&mut world).await;
    world.expect_no_member(adele, trips);
    world.slack.read_all();
}

#[tokio::test]
async fn what_was_deleted_without_a_word_ends_its_incidents() {
    let mut world = reconciled(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
    world.unnoticed(|tenant| tenant.0.delete_user(sam.0).unwrap());
    next_round(&mut world).await;
    assert_eq!(world.states(sam).await, ["resolved"]);
    world.slack.read_all();
}

/// A cursor serves for seven days. What happened in a longer outage is found by going over all guests again.
#[tokio::test]
async fn after_an_outage_of_eight_days_nothing_is_missed() {
    let mut world = reconciled(PARTNERS_ONLY).await;
    let gone = world.tenant.invite("eve@northwind.example");
    world.settle().await;
    world.expect_disabled(gone);
    world.slack.read_all();
    next_round(&mut world).await;
    let before = world.told_until().await.unwrap();
    let sam = world.guest_today("sam@northwind.example");
    world.unnoticed(|tenant| {
        tenant.0.delete_user(gone.0).unwrap();
        tenant.0.purge_user(gone.0).unwrap();
    });
    world.clock.advance(SignedDuration::from_hours(24 * 8));
    world.simulator.set_faults(|faults| faults.page_at_most = Some(1));
    world.reconcile().await;
    assert_eq!(world.told_until().await, Some(before), "nobody can say yet what happened since");
    world.simulator.set_faults(|faults| faults.page_at_most = None);
    world.reconcile_all().await;
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.states(gone).await, ["resolved"]);
    next_round(&mut world).await;
    assert!(world.told_until().await.unwrap() > before);
    world.slack.read_all();
}

/// Graph may lose the state of a query at any time.
#[tokio::test]
async fn a_cursor_that_graph_has_lost_begins_a_listing() {
    let mut world = reconciled(PARTNERS_ONLY).await;
    let sam = world.guest_today("sam@northwind.example");
    world.clock.advance(ROUND);
    world.simulator.expire_delta_tokens();
    world.reconcile_all().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn every_page_is_told_although_the_process_dies_between_two() {
    let mut world = reconciled(PARTNERS_ONLY).await;
    world.simulator.set_faults(|faults| faults.page_at_most = Some(2));
    let guests: Vec<_> = (0..7).map(|n| world.guest_today(&format!("g{n}@northwind.example"))).collect();
    world.clock.advance(ROUND);
    world.hang_at("GET", "/users/delta", 2);
    let dies = tokio::time::timeout(std::time::Duration::from_millis(300), world.reconcile()).await;
    assert!(dies.is_err());
    world.restart().await;
    world.reconcile_all().await;
    world.settle().await;
    for guest in guests {
        world.expect_disabled(guest);
    }
    world.slack.texts();
}

#[tokio::test]
async fn every_change_up_to_a_moment_was_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    assert_eq!(world.told_until().await, None);
    let began = world.clock.now();
    world.reconcile_all().await;
    let first = world.told_until().await.unwrap();
    assert!(first <= began);
    next_round(&mut world).await;
    let next = world.told_until().await.unwrap();
    assert!(next <= world.clock.now().checked_sub(SignedDuration::from_mins(15)).unwrap());
    assert!(next > first);
    // While Graph does not answer, the moment stays where it was.
    world.clock.advance(ROUND);
    world.next_faults(
        (0..12).map(|_| Fault::new("GET", "/users/delta", Failure::Status(500, RetryAfter::Seconds(1)))),
    );
    assert!(world.parts.reconciler.as_ref().unwrap().look().await.is_err());
    assert_eq!(world.told_until().await, Some(next));
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.settle().await;
}

/// The delta queries began while the clock was ahead.
#[tokio::test]
async fn a_listing_comes_to_its_end_although_the_clock_was_set_back() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.clock.advance(SignedDuration::from_hours(48));
    world.reconcile_all().await;
    world.clock.advance(-SignedDuration::from_hours(48));
    let old = world.guest_of_old("old@northwind.example");
    let mut begun = BTreeSet::new();
    for _ in 0..80 {
        world.clock.advance(SignedDuration::from_secs(15));
        world.reconcile().await;
        begun.insert(world.store.ledger.listing().await.unwrap().unwrap().value.began_at);
        world.settle_for(SignedDuration::from_secs(1)).await;
    }
    assert!(begun.len() <= 2, "{} listings were begun in twenty minutes", begun.len());
    world.expect_disabled(old);
    assert!(world.told_until().await.unwrap() <= world.clock.now());
    world.slack.texts();
}

/// Invited two minutes before reconciliation begins; the replica that lists users does not know of it yet.
#[tokio::test]
async fn who_was_invited_shortly_before_the_beginning_is_found_before_anything_is_said() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.guest_today("sam@northwind.example");
    let invited = world.clock.now();
    world.clock.advance(SignedDuration::from_mins(2));
    let fresh = Some(Stale { lag: SignedDuration::from_mins(5), chance: 1.0 });
    world.simulator.set_faults(|faults| faults.fresh = fresh);
    for _ in 0..4 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(15)).await;
    }
    world.simulator.set_faults(|faults| faults.fresh = None);
    for _ in 0..8 {
        next_round(&mut world).await;
        let said = world.assessed_until().await;
        assert!(said.is_none_or(|said| said < invited) || !world.tenant.is_enabled(sam), "{said:?}");
    }
    world.expect_disabled(sam);
    assert!(world.assessed_until().await.unwrap() > invited);
    world.slack.texts();
}

/// Graph loses the state of the delta queries again and again for some hours.
#[tokio::test]
async fn a_cursor_that_is_lost_in_each_round_begins_no_listing_each_time() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..50 {
        let _ = world.guest_of_old(&format!("g{n}@fabrikam.com"));
    }
    world.clock.advance(SignedDuration::from_mins(1));
    world.reconcile_all().await;
    world.settle().await;
    let mut begun = BTreeSet::new();
    for _ in 0..18 {
        world.clock.advance(ROUND);
        world.simulator.expire_delta_tokens();
        world.reconcile().await;
        begun.insert(world.store.ledger.listing().await.unwrap().unwrap().value.began_at);
        world.settle_for(SignedDuration::from_mins(1)).await;
        world.reconcile().await;
    }
    assert!(begun.len() <= 4, "{} listings in more than three hours", begun.len());
    let sam = world.guest_today("sam@northwind.example");
    world.reconcile_all().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.texts();
}
