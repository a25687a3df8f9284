//! A machine whose clock is wrong, for a moment or for long, takes nothing from anybody.

use guestlist_tests::World;
use jiff::SignedDuration;

use crate::given::{disabled, waiting_read};
use crate::policies::PARTNERS_ONLY;

pub(crate) const MINUTE: SignedDuration = SignedDuration::from_mins(1);
pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(crate) const EIGHT_DAYS: SignedDuration = SignedDuration::from_hours(8 * 24);

/// As for a process that has not asked Graph yet, or that stood still.
pub(crate) fn goes_ahead(world: &World, by: SignedDuration) {
    world.clock.goes_astray(by);
}

/// The next look at the subscriptions hears it.
pub(crate) async fn is_set_right(world: &World) {
    world.clock.goes_astray(SignedDuration::ZERO);
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
    goes_ahead(&world, EIGHT_DAYS);
    world.wake_what_is_due().await;
    world.clock.goes_astray(SignedDuration::ZERO);
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
    is_set_right(&world).await;
    world.tenant.stir(sam);
    world.settle().await;
    world.wake_what_is_due().await;
    world.expect_untouched(sam);
    assert_eq!(world.store.ledger.clock_ahead().await.unwrap(), None);
    world.slack.texts();
}

#[tokio::test]
async fn while_the_clock_is_wrong_guests_are_dealt_with_by_microsofts() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, HOUR * 12);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    let (opened_at, now) = (world.incident(sam).await.opened_at, world.clock.now());
    assert!(opened_at <= now, "{opened_at} at {now}");
    world.wake_what_is_due().await;
    world.settle_for(MINUTE).await;
    assert_eq!(told_of_the_clock(&world), 1);
    is_set_right(&world).await;
}

/// A guest of a partner whose last day is in a week.
#[tokio::test]
async fn nobody_is_judged_by_a_day_that_has_not_come() {
    let policy = PARTNERS_ONLY.replace("2027-06-30", "2026-11-27");
    let mut world = World::with_policy(&policy).await;
    goes_ahead(&world, EIGHT_DAYS);
    let olga = world.tenant.invite("olga@fabrikam.com");
    world.settle().await;
    world.expect_untouched(olga);
    assert!(world.slack.next_text().contains("admits the guest `olga@fabrikam.com`"));
    is_set_right(&world).await;
}

/// Somebody sets it while the process runs. Nobody has asked Graph since.
#[tokio::test]
async fn a_clock_that_is_set_counts_for_nothing_until_graph_has_said_the_time() {
    let (mut world, sam, id) = disabled().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.texts();
    let now = world.assembly.clock.now();
    for ahead in [EIGHT_DAYS, -EIGHT_DAYS] {
        world.clock.set_wrong_by(ahead);
        assert_eq!(world.assembly.clock.now(), now);
        world.wake_what_is_due().await;
        world.tenant.stir(sam);
        world.settle_for(MINUTE).await;
        world.expect_untouched(sam);
        assert!(world.assembly.clock.wrong_by().is_some_and(|by| (by - ahead).abs() < MINUTE));
    }
    assert_eq!(told_of_the_clock(&world), 1);
    world.clock.set_wrong_by(SignedDuration::ZERO);
    world.subscribe().await;
    assert_eq!(world.assembly.clock.wrong_by(), None);
    world.slack.texts();
}

#[tokio::test]
async fn a_process_that_starts_with_a_wrong_clock_asks_graph_before_it_does_anything() {
    let (mut world, adele, finance, _) = waiting_read().await;
    let now = world.clock.now();
    world.clock.set_wrong_by(EIGHT_DAYS);
    // The tokens of the process before are gone, and no token is needed.
    world.simulator.reset_traffic();
    world.restart().await;
    assert_eq!(world.calls("GET", "/organization"), 1);
    let ours = world.assembly.clock.now();
    assert!(ours.duration_since(now).abs() < MINUTE, "{ours} at {now}");
    world.wake_what_is_due().await;
    world.settle_for(MINUTE).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    world.expect_member(adele, finance);
    assert_eq!(told_of_the_clock(&world), 1);
    world.slack.texts();
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
    is_set_right(&world).await;
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    world.expect_member(adele, finance);
    world.slack.texts();
}

#[tokio::test]
async fn while_the_clock_is_wrong_an_undo_is_carried_out() {
    let (mut world, sam, id) = disabled().await;
    goes_ahead(&world, -EIGHT_DAYS);
    // As a process does every minute: by its own clock nothing is due.
    world.assembly.ask_the_time().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(told_of_the_clock(&world), 1);
    is_set_right(&world).await;
    world.slack.texts();
}

#[tokio::test]
async fn monitoring_finds_a_process_ready_whose_clock_is_ahead() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, EIGHT_DAYS);
    world.subscribe().await;
    let answer = world.monitor("/readyz").await;
    assert!(answer.body.contains("\"ready\":true"), "{answer:?}");
}
