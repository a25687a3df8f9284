//! Time alone changes what is said of a guest: whatever ends on a day is looked at on that day, without anybody touching
//! him.

use guestlist_tests::{Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;

use crate::policies::PARTNERS_ONLY;

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn undone() -> (World, Guest) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.slack.read_all().len(), 2);
    (world, sam)
}

/// A guest of a partner whose last day is tomorrow.
async fn partner_until_tomorrow() -> (World, Guest) {
    let mut world = World::with_policy(&PARTNERS_ONLY.replace("2027-06-30", "2026-11-21")).await;
    let olga = world.tenant.invite("olga@fabrikam.com");
    world.settle().await;
    world.expect_untouched(olga);
    assert!(world.slack.next_text().starts_with("A guest's admission ends soon"));
    (world, olga)
}

/// As if all of the queue's messages were lost.
async fn lose_the_looks(world: &World) -> usize {
    let far = world.clock.now() + DAY * 400;
    let lost = world.store.queues.changes.claim(far, DAY, 100).await.unwrap();
    for one in &lost {
        world.store.queues.changes.ack(one).await.unwrap();
    }
    lost.len()
}

#[tokio::test]
async fn an_undone_guest_is_caught_again_when_the_suspension_ends() {
    let (mut world, sam) = undone().await;
    world.live_on(DAY * 6).await;
    world.expect_untouched(sam);
    world.slack.expect_silence();
    world.live_on(DAY * 2).await;
    world.expect_disabled(sam);
    let incident = world.incident(sam).await;
    assert_eq!((incident.state.word(), incident.id.generation), ("done", 2));
    assert_eq!(incident.opened_at.duration_since("2026-11-27T09:00:00Z".parse().unwrap()).as_hours(), 0);
    assert_eq!(world.slack.read_all().len(), 1);
    let ended = world.store.ledger.suspensions(sam.id()).await.unwrap();
    assert!(ended.iter().all(|one| one.looked_at.is_some()), "it is kept, and looked at once");
}

#[tokio::test]
async fn an_end_that_the_queue_has_lost_is_found_by_the_steward() {
    let (mut world, sam) = undone().await;
    world.settle_for(DAY).await;
    assert_eq!(lose_the_looks(&world).await, 1);
    world.clock.advance(DAY * 7);
    let steward = world.parts.steward.as_ref().unwrap();
    let woken = steward.wake_all_but_suspensions().await.unwrap();
    assert_eq!(woken, 0, "who may not write suspensions leaves them to somebody who may");
    assert_eq!(world.wake_what_is_due().await, 1);
    assert_eq!(world.wake_what_is_due().await, 0, "an end is looked at once");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_guest_of_a_partner_that_ends_is_found_on_that_day() {
    let (mut world, olga) = partner_until_tomorrow().await;
    // There is one guest: his look does not wait for those of others.
    world.count_guests().await;
    world.tenant.stir(olga);
    world.settle_for(SignedDuration::from_hours(38)).await;
    world.expect_untouched(olga);
    world.settle_for(DAY * 2).await;
    world.expect_disabled(olga);
    let incident = world.incident(olga).await;
    assert_snapshot!(incident.opened_at, @"2026-11-22T00:00:00Z");
    assert!(world.slack.next_text().contains("partner `fabrikam`"));
}

#[tokio::test]
async fn a_process_that_started_anew_still_looks_on_that_day() {
    let (mut world, olga) = partner_until_tomorrow().await;
    world.restart().await;
    world.settle_for(DAY * 2).await;
    world.expect_disabled(olga);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_exception_that_ends_holds_nothing_back_any_more() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.count_guests().await;
    world.change_policy(&format!(
        "{PARTNERS_ONLY}exceptions:\n  - guest: {}\n    from: [otherwise.guest]\n    until: 2026-11-23\n",
        sam.id()
    ));
    world.settle_for(DAY * 3).await;
    world.expect_untouched(sam);
    world.settle_for(DAY * 5).await;
    world.expect_disabled(sam);
    assert_snapshot!(world.incident(sam).await.opened_at, @"2026-11-24T00:00:00Z");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_end_is_looked_at_once_and_not_over_and_over() {
    let (mut world, olga) = partner_until_tomorrow().await;
    world.clock.advance(DAY * 3);
    let path = format!("/users/{}", olga.id());
    let before = world.calls("GET", &path);
    world.settle_for(DAY * 30).await;
    world.expect_disabled(olga);
    let looks = world.calls("GET", &path) - before;
    assert!(looks < 10, "looked at {looks} times");
    assert_eq!(world.next_due().await, None);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_guest_whose_date_comes_after_he_was_deleted_is_left_in_peace() {
    let (mut world, olga) = partner_until_tomorrow().await;
    world.tenant.0.delete_user(olga.0).unwrap();
    world.settle_for(DAY * 3).await;
    world.expect_no_writes();
    world.slack.expect_silence();
    assert!(world.dead_letters().await.is_empty());
}
