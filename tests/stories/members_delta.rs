//! What a notification names in `members@delta` is a hint: it comes in any order, early, late, doubled and in pieces, and
//! in the end only what is true of the group counts.

use guestlist_tests::{Cost, Group, Guest, World, body_of};
use jiff::SignedDuration;
use model::Watched;
use serde_json::{Value, json};
use simulator::{Delay, Stale};

use crate::given::admitted;
use crate::policies::CLOSED_GROUPS;

/// A guest and a closed group in which he is not, both known, and every replica up to date.
async fn apart() -> (World, Guest, Group) {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.simulator.reset_traffic();
    (world, adele, finance)
}

/// A guest in a closed group, of whom people have been told and no more.
async fn observed() -> (World, Guest, Group) {
    let (mut world, adele, finance) = apart().await;
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe"));
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    assert_eq!(world.slack.read_all().len(), 1);
    (world, adele, finance)
}

fn added(guest: Guest) -> Value {
    json!({ "id": guest.id() })
}

fn removed(guest: Guest) -> Value {
    json!({ "id": guest.id(), "@removed": "deleted" })
}

fn item(world: &World, group: Group, members: &[Value]) -> Value {
    let mut item = world.genuine(Watched::Groups, group.id());
    item["resourceData"]["members@delta"] = json!(members);
    item
}

#[tokio::test]
async fn an_addition_and_a_removal_of_one_guest_in_one_notification_end_as_the_group_says() {
    for first_added in [true, false] {
        for stays in [true, false] {
            let (mut world, adele, finance) = apart().await;
            world.unnoticed(|tenant| {
                tenant.join(adele, finance);
                if !stays {
                    tenant.leave(adele, finance);
                }
            });
            world.clock.advance(SignedDuration::from_secs(10));
            let mut members = vec![added(adele), removed(adele)];
            if !first_added {
                members.reverse();
            }
            assert_eq!(world.notify(&[item(&world, finance, &members)]).await.status, 202);
            world.settle().await;
            if stays {
                world.expect_no_member(adele, finance);
            }
            assert!(!world.tenant.is_member(adele, finance));
            world.expect_no_writes();
            assert_eq!(world.slack.read_all().len(), usize::from(stays));
        }
    }
}

#[tokio::test]
async fn changes_that_reach_us_as_one_notification_lose_nobody() {
    let (mut world, adele, finance) = apart().await;
    let span = Delay { by: SignedDuration::from_secs(10), chance: 1.0 };
    world.simulator.set_faults(|faults| faults.notifications.coalesced = Some(span));
    let (bill, cora) = (world.guest_today("bill@fabrikam.com"), world.guest_today("cora@fabrikam.com"));
    world.tenant.join(adele, finance);
    world.tenant.join(bill, finance);
    world.tenant.leave(bill, finance);
    world.tenant.join(cora, finance);
    world.tenant.leave(adele, finance);
    world.tenant.join(adele, finance);
    world.settle().await;
    for guest in [adele, cora] {
        world.expect_no_member(guest, finance);
    }
    assert!(world.incidents(bill).await.is_empty(), "he left by himself");
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn two_posts_about_one_group_with_different_members_lose_none_of_them() {
    let (mut world, adele, finance) = apart().await;
    let bill = world.guest_today("bill@fabrikam.com");
    world.unnoticed(|tenant| {
        tenant.join(adele, finance);
        tenant.join(bill, finance);
    });
    for guest in [adele, bill] {
        assert_eq!(world.notify(&[item(&world, finance, &[added(guest)])]).await.status, 202);
    }
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_member(bill, finance);
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn one_post_with_two_items_about_one_group_loses_none_of_their_members() {
    let (mut world, adele, finance) = apart().await;
    let bill = world.guest_today("bill@fabrikam.com");
    world.unnoticed(|tenant| {
        tenant.join(adele, finance);
        tenant.join(bill, finance);
    });
    let items = [added(adele), added(bill)].map(|member| item(&world, finance, &[member]));
    assert_eq!(world.post("/graph/notifications", body_of(&items)).await.status, 202);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_member(bill, finance);
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn a_notification_that_comes_twice_is_carried_out_once() {
    let (mut world, adele, finance) = apart().await;
    world.simulator.set_faults(|faults| faults.notifications.doubled = 1.0);
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_writes();
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_member_whom_no_replica_shows_for_two_minutes_is_found_all_the_same() {
    let (mut world, adele, finance) = apart().await;
    let lag = SignedDuration::from_mins(2);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.tenant.join(adele, finance);
    world.settle_for(SignedDuration::from_mins(1)).await;
    world.expect_member(adele, finance);
    assert!(world.incidents(adele).await.is_empty());
    world.settle_for(SignedDuration::from_mins(30)).await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 2, "that it was sent, and that it shows");
}

#[tokio::test]
async fn a_member_whom_no_replica_shows_for_ten_minutes_is_found_by_the_last_look_of_reconciliation() {
    let (mut world, adele, finance) = apart().await;
    world.reconcile_all().await;
    world.settle().await;
    let lag = SignedDuration::from_mins(10);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.tenant.join(adele, finance);
    let joined = world.clock.now();
    world.settle().await;
    assert!(world.tenant.is_member(adele, finance), "no read has shown it");
    for _ in 0..4 {
        let known = world.assessed_until().await;
        let is_over = !world.tenant.is_member(adele, finance);
        assert!(is_over || known.is_none_or(|known| known < joined), "{known:?}, joined {joined}");
        world.clock.advance(SignedDuration::from_mins(1));
        world.reconcile().await;
        world.settle_for(SignedDuration::from_mins(10)).await;
    }
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 2, "that it was sent, and that it shows");
}

#[tokio::test]
async fn an_addition_that_no_read_shows_yet_resolves_nothing() {
    let (mut world, adele, finance) = observed().await;
    world.unnoticed(|tenant| tenant.leave(adele, finance));
    world.clock.advance(SignedDuration::from_mins(1));
    // Every read of the coming minute is from between the two.
    let lag = SignedDuration::from_secs(50);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.tenant.join(adele, finance);
    world.settle_for(SignedDuration::from_secs(40)).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    world.settle().await;
    let incident = world.incident_in(adele, finance).await;
    assert_eq!((incident.state.word(), incident.id.generation), ("open", 1));
    world.expect_member(adele, finance);
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_removal_whose_read_still_shows_him_is_neither_acted_on_nor_forgotten() {
    let (mut world, adele, finance) = observed().await;
    let lag = SignedDuration::from_secs(50);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.clock.advance(SignedDuration::from_mins(2));
    world.change_policy(CLOSED_GROUPS);
    world.tenant.leave(adele, finance);
    world.settle_for(SignedDuration::from_secs(40)).await;
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    world.settle().await;
    world.expect_no_writes();
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "resolved");
    assert!(world.slack.next_text().starts_with("Resolved for guest adele@fabrikam[.]com"));
}

#[tokio::test]
async fn a_guest_so_new_that_graph_does_not_know_him_is_found_in_the_group() {
    let (mut world, _, finance) = apart().await;
    let lag = SignedDuration::from_secs(40);
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let bill = world.tenant.invite("bill@fabrikam.com");
    world.tenant.join(bill, finance);
    world.settle().await;
    world.expect_no_member(bill, finance);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_forged_member_who_is_in_no_group_changes_nothing() {
    let (mut world, adele, finance) = apart().await;
    assert_eq!(world.notify(&[item(&world, finance, &[added(adele)])]).await.status, 202);
    world.settle().await;
    world.expect_untouched(adele);
    assert!(world.incidents(adele).await.is_empty());
    world.slack.expect_silence();
}

#[tokio::test]
async fn five_hundred_ids_in_one_notification_are_read_in_batches() {
    let (mut world, adele, finance) = apart().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
    world.simulator.reset_traffic();
    let unknown = (1..=500_u128).map(|n| json!({ "id": uuid::Uuid::from_u128(n << 64).to_string() }));
    let members: Vec<Value> = unknown.collect();
    assert_eq!(world.notify(&[item(&world, finance, &members)]).await.status, 202);
    world.settle().await;
    let Cost { round_trips, resource_units: _, writes } = world.cost();
    assert_eq!(writes, 0);
    assert!(round_trips <= 2 * 28, "{round_trips} round trips for two looks at 500 ids");
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_removal_by_somebody_else_is_resolved_and_told_once() {
    let (mut world, adele, finance) = observed().await;
    world.tenant.leave(adele, finance);
    world.settle().await;
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "resolved");
    let told = world.slack.next_text();
    assert!(told.contains("the guest is not in the group any more"), "{told}");
}

#[tokio::test]
async fn a_guest_who_joins_again_after_we_took_him_out_is_taken_out_again_and_it_is_told() {
    let (mut world, adele, finance) = apart().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1, "that it was done again is news");
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
}
