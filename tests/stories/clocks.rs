//! A machine whose clock is wrong, for a moment or for long, takes nothing from anybody.

use guestlist_tests::World;
use jiff::SignedDuration;

use crate::given::{disabled, waiting_read};
use crate::policies::PARTNERS_ONLY;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const EIGHT_DAYS: SignedDuration = SignedDuration::from_hours(8 * 24);

/// This machine's clock goes ahead, and Graph's answers tell the time as it is.
fn goes_ahead(world: &World, by: SignedDuration) {
    world.clock.advance(by);
    world.simulator.set_faults(|faults| faults.clock_ahead = -by);
}

/// The next look at the subscriptions hears it.
async fn is_set_right(world: &World, by: SignedDuration) {
    world.clock.advance(-by);
    world.simulator.set_faults(|faults| faults.clock_ahead = SignedDuration::ZERO);
    world.subscribe().await;
}

/// How often people were told that the clock is wrong, among whatever else they were told.
fn told_of_the_clock(world: &World) -> usize {
    let texts = world.slack.texts();
    texts.iter().filter(|text| text.contains("This machine's clock is wrong")).count()
}

/// An undo holds for seven days. Nobody has said that the clock is wrong.
#[tokio::test]
async fn a_moment_of_a_wrong_clock_ends_no_suspension() {
    let (mut world, sam, id) = disabled().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.texts();
    world.clock.advance(EIGHT_DAYS);
    world.wake_what_is_due().await;
    world.clock.advance(-EIGHT_DAYS);
    world.clock.advance(HOUR);
    world.tenant.stir(sam);
    world.settle().await;
    world.expect_untouched(sam);
    // Its own end comes all the same.
    world.slack.texts();
    world.clock.advance(EIGHT_DAYS);
    world.wake_what_is_due().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.texts();
    assert_eq!(world.store.ledger.suspensions(sam.id()).await.unwrap().len(), 1);
    world.clock.advance(EIGHT_DAYS * 4);
    world.wake_what_is_due().await;
    assert_eq!(world.store.ledger.suspensions(sam.id()).await.unwrap(), []);
    world.settle().await;
    world.slack.texts();
}

#[tokio::test]
async fn while_the_clock_is_wrong_no_suspension_ends_and_people_are_told() {
    let (mut world, sam, id) = disabled().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.texts();
    goes_ahead(&world, EIGHT_DAYS);
    for _ in 0..4 {
        world.wake_what_is_due().await;
        world.settle_for(SignedDuration::from_mins(1)).await;
    }
    assert_eq!(told_of_the_clock(&world), 1);
    world.expect_untouched(sam);
    let looked_at = world.store.ledger.suspensions(sam.id()).await.unwrap()[0].looked_at;
    assert_eq!(looked_at, None, "its end was noted");
    assert!(world.store.ledger.clock_ahead().await.unwrap().is_some());
    is_set_right(&world, EIGHT_DAYS).await;
    world.tenant.stir(sam);
    world.settle().await;
    world.wake_what_is_due().await;
    world.expect_untouched(sam);
    assert_eq!(world.store.ledger.clock_ahead().await.unwrap(), None);
    world.slack.texts();
}

#[tokio::test]
async fn while_the_clock_is_wrong_nothing_is_written_and_all_of_it_when_it_is_right() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, HOUR * 12);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(told_of_the_clock(&world), 1);
    is_set_right(&world, HOUR * 12).await;
    world.tenant.stir(sam);
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.texts().len(), 1);
}

/// What is minutes, and less than an answer may take, is no trouble.
#[tokio::test]
async fn a_clock_that_is_off_by_three_minutes_holds_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.set_faults(|faults| faults.clock_ahead = SignedDuration::from_mins(3));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn while_the_clock_is_wrong_no_question_to_people_ends() {
    let (mut world, adele, finance, _) = waiting_read().await;
    goes_ahead(&world, EIGHT_DAYS);
    world.wake_what_is_due().await;
    world.settle_for(SignedDuration::from_mins(1)).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    assert_eq!(told_of_the_clock(&world), 1);
    is_set_right(&world, EIGHT_DAYS).await;
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    world.expect_member(adele, finance);
    world.slack.texts();
}

#[tokio::test]
async fn while_the_clock_is_wrong_an_undo_waits_and_is_carried_out_when_it_is_right() {
    let (mut world, sam, id) = disabled().await;
    world.simulator.set_faults(|faults| faults.clock_ahead = EIGHT_DAYS);
    world.undo(&id).await;
    assert!(!world.tenant.is_enabled(sam));
    world.expect_no_writes();
    assert_eq!(told_of_the_clock(&world), 1);
    world.simulator.set_faults(|faults| faults.clock_ahead = SignedDuration::ZERO);
    world.settle().await;
    world.expect_enabled_again(sam);
    world.slack.texts();
}
