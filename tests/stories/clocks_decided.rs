//! A clock that was wrong for a while takes nothing from people that they decided, nor from guests what protects them.

use guestlist_tests::{Guest, World};
use model::Answer;
use simulator::{Failure, Fault, RetryAfter};

use crate::clocks::{EIGHT_DAYS, HOUR, MINUTE, goes_ahead, is_set_right};
use crate::given::{disabled, found, waiting_read};
use crate::policies::PARTNERS_ONLY;

fn of_old(world: &World, name: &str, many: usize) -> Vec<Guest> {
    (0..many).map(|n| world.guest_of_old(&format!("{name}{n}@northwind.example"))).collect()
}

/// It was approved of while writes were stopped.
#[tokio::test]
async fn an_approval_that_waits_for_the_end_of_a_stop_stays() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.stop_writes().await;
    let answer = world.approve(&id).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    assert!(world.incident_in(adele, finance).await.approval.is_some());
    world.tenant.stir(adele);
    world.deliver().await;
    goes_ahead(&world, EIGHT_DAYS);
    world.run("assess").await;
    is_set_right(&world).await;
    world.resume_writes().await;
    world.tenant.stir(adele);
    world.settle().await;
    assert!(!world.tenant.is_member(adele, finance), "what somebody approved of was not carried out");
    world.forget_writes("/");
    world.slack.texts();
}

#[tokio::test]
async fn an_approval_that_is_being_carried_out_stays() {
    let (mut world, adele, finance, id) = waiting_read().await;
    let bad = || Fault::new("DELETE", "/groups", Failure::Status(503, RetryAfter::None));
    world.next_faults((0..12).map(|_| bad()));
    world.ask_approval(&id, "carol").await;
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    goes_ahead(&world, EIGHT_DAYS);
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    world.tenant.stir(adele);
    world.live_on(HOUR * 24).await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(!world.tenant.is_member(adele, finance), "what somebody approved of was not carried out");
}

#[tokio::test]
async fn an_undo_that_was_asked_for_meanwhile_is_carried_out() {
    let (mut world, sam, id) = disabled().await;
    goes_ahead(&world, EIGHT_DAYS);
    world.ask_undo(&id, false).await;
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    world.tenant.stir(sam);
    world.live_on(HOUR * 24).await;
    world.reconcile_all().await;
    world.live_on(HOUR * 24).await;
    assert!(world.tenant.is_enabled(sam), "two days later the undo has not been carried out");
    world.forget_writes("/");
    world.slack.texts();
}

#[tokio::test]
async fn an_undo_that_waits_for_its_next_try_goes_on() {
    let (mut world, sam, id) = disabled().await;
    let failing = || Fault::new("PATCH", "/users", Failure::Status(503, RetryAfter::None));
    world.next_faults((0..8).map(|_| failing()));
    world.ask_undo(&id, false).await;
    world.run("remediate").await;
    assert_eq!(world.incident(sam).await.state.word(), "undoing");
    world.simulator.set_faults(|faults| faults.queued.clear());
    goes_ahead(&world, EIGHT_DAYS);
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    world.tenant.stir(sam);
    world.live_on(HOUR * 24).await;
    assert!(world.tenant.is_enabled(sam), "{:?}", world.incident(sam).await.state);
    world.forget_writes("/");
    world.slack.texts();
}

/// One asked for while the clock was ahead is not taken for the next.
#[tokio::test]
async fn a_breaker_reset_is_done_each_time_it_is_asked_for() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, EIGHT_DAYS);
    let mut breaker = model::Breaker::default();
    let at = world.clock.now();
    breaker.opened = Some(model::Opened { at, budget: model::Budget::Established, limit: 3 });
    world.store.ledger.put(&breaker).await.unwrap();
    is_set_right(&world).await;
    let guests = of_old(&world, "old", 5);
    world.clock.advance(MINUTE);
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.settle().await;
    let open = || async { world.store.ledger.breaker().await.unwrap().unwrap().value.opened };
    assert!(open().await.is_some());
    world.clock.advance(HOUR * 2);
    world.reset_breaker().await;
    let opened = world.store.ledger.breaker().await.unwrap().unwrap().value.opened;
    world.forget_writes("/");
    world.slack.texts();
    assert!(opened.is_none(), "{opened:?}");
}

/// Three established guests an hour, whatever a clock says for a moment.
#[tokio::test]
async fn no_place_of_the_breaker_is_freed() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, "old", 9);
    world.clock.advance(MINUTE);
    for guest in &guests[..3] {
        world.tenant.stir(*guest);
    }
    world.settle_for(MINUTE).await;
    goes_ahead(&world, HOUR * 2);
    world.tenant.stir(guests[3]);
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    for guest in &guests[3..] {
        world.tenant.stir(*guest);
    }
    world.settle_for(MINUTE * 6).await;
    let touched = guests.iter().filter(|guest| !world.tenant.is_enabled(**guest)).count();
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!(touched, 3, "within ten minutes");
}

#[tokio::test]
async fn what_changed_meanwhile_is_dealt_with_at_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    goes_ahead(&world, HOUR * 12);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    let right_at = world.clock.now();
    while world.tenant.is_enabled(sam) && world.clock.now() < right_at + HOUR * 30 {
        world.settle_for(MINUTE * 10).await;
        world.clock.advance(MINUTE * 10);
        world.subscribe().await;
        world.reconcile().await;
        world.wake_what_is_due().await;
    }
    let waited = world.clock.now().duration_since(right_at);
    world.slack.texts();
    world.forget_writes("/");
    assert!(waited < HOUR, "{} min", waited.as_mins());
}

/// Fifteen minutes are given to a write that no read shows.
#[tokio::test]
async fn what_was_sent_a_moment_ago_has_not_failed() {
    let (mut world, sam) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    world.simulator.set_faults(|faults| {
        faults.stale = Some(simulator::Stale { lag: MINUTE, chance: 1.0 });
    });
    world.run("remediate").await;
    goes_ahead(&world, HOUR);
    world.settle_for(MINUTE).await;
    is_set_right(&world).await;
    world.settle().await;
    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    world.settle().await;
    assert!(world.tenant.is_enabled(sam), "it was our write: {:?}", world.incident(sam).await.state);
    world.forget_writes("/");
    world.slack.texts();
}
