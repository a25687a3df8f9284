//! An undo gives back all that is in force, however many incidents took it; and what nobody decided stays undecided.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::Answer;
use simulator::{Failure, Fault, NewGroup, RetryAfter};

use crate::given::refused;
use crate::policies::{PARTNERS_ONLY, closing};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn policy() -> String {
    closing("{ domain: [evil.example] }", "disable, leave-groups")
}

fn admitting() -> String {
    closing("{ domain: [other.example] }", "disable, leave-groups")
}

async fn look(world: &mut World, policy: &str, guest: Guest) {
    world.change_policy(policy);
    world.clock.advance(HOUR);
    world.tenant.stir(guest);
    world.settle().await;
}

/// Two incidents in a row, each took something, nobody put anything back.
#[tokio::test]
async fn what_two_incidents_took_one_undo_gives_back() {
    let mut world = World::with_policy(&policy()).await;
    let (first, second) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, first).await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, first);
    look(&mut world, &admitting(), mallory).await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    world.tenant.join(mallory, second);
    world.settle().await;
    look(&mut world, &policy(), mallory).await;
    world.expect_no_member(mallory, second);
    let incident = world.incident(mallory).await;
    assert_eq!(incident.id.generation, 2);
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    world.forget_writes("/");
    world.slack.texts();
    assert!(world.tenant.is_member(mallory, second));
    assert!(world.tenant.is_enabled(mallory), "the first incident disabled him");
    assert!(world.tenant.is_member(mallory, first));
}

/// The undo of a second incident gives back a part of what the first did, and the rest fails.
#[tokio::test]
async fn the_rest_of_a_half_failed_undo_can_be_asked_for_again() {
    let mut world = World::with_policy(&policy()).await;
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, sales).await;
    look(&mut world, &admitting(), mallory).await;
    look(&mut world, &policy().replace("mode: enforce", "mode: observe"), mallory).await;
    let second = world.incident(mallory).await;
    world.next_faults((0..40).map(|_| Fault::new("POST", "/groups", Failure::NotFound)));
    world.undo(&second.id).await;
    world.settle_for(HOUR * 12).await;
    assert!(world.tenant.is_enabled(mallory));
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(!world.tenant.is_member(mallory, sales));
    world.undo(&second.id).await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(world.tenant.is_enabled(mallory) && world.tenant.is_member(mallory, sales));
}

/// Somebody writes the incident while the undo is judged, and writes are stopped before its second try.
#[tokio::test]
async fn an_undo_that_was_refused_suspends_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.assembly.patience = std::time::Duration::from_secs(2);
    world.restart().await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.clock.advance(HOUR);
    let id = world.incident(sam).await.id;
    let request = world.ask_undo(&id, false).await;
    world.simulator.reset_traffic();
    world.next_faults([Fault::any("/$batch", Failure::Delay(std::time::Duration::from_millis(500)))]);
    let worker = world.worker("remediate").clone();
    let slow = tokio::spawn(async move { worker.run_due(1).await.unwrap() });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    let stored = world.store.ledger.incident(&id).await.unwrap().unwrap();
    world.store.ledger.replace(stored).await.unwrap();
    slow.await.unwrap();
    world.stop_writes().await;
    world.settle().await;
    let said = refused(world.answer(&request).await);
    assert!(said.contains("writes are stopped"), "{said}");
    let left = world.store.ledger.suspensions(sam.id()).await.unwrap();
    world.forget_writes("/");
    world.slack.texts();
    assert!(left.is_empty(), "the undo was refused: {left:?}");
}

/// The suspension that an undo brings ends, and nobody has approved of anything.
#[tokio::test]
async fn what_the_breaker_held_still_asks_after_an_undo() {
    let mut world = World::with_policy(&policy()).await;
    let (sales, trips) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, sales).await;
    assert!(!world.tenant.is_member(mallory, sales));
    let mut breaker = world.store.ledger.breaker().await.unwrap().unwrap();
    breaker.value.opened =
        Some(model::Opened { at: world.clock.now(), budget: model::Budget::Established, limit: 3 });
    world.store.ledger.replace(breaker).await.unwrap();
    world.clock.advance(HOUR * 2);
    world.tenant.join(mallory, trips);
    world.settle().await;
    world.reset_breaker().await;
    let id = world.incident(mallory).await.id;
    world.undo(&id).await;
    world.live_on(HOUR * 24 * 8).await;
    world.tenant.stir(mallory);
    world.settle().await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(world.tenant.is_member(mallory, trips), "nobody has approved of it");
}

/// Approved, half done, then protected, then protected no more.
#[tokio::test]
async fn the_rest_of_an_approved_plan_is_asked_for_again_once_it_is_possible() {
    let mut world = World::with_policy(&policy().replace("mode: enforce", "mode: ask")).await;
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, sales).await;
    let id = world.incident(mallory).await.id;
    world.ask_approval(&id, "carol").await;
    world.next_faults([Fault::new("DELETE", "/groups", Failure::Throttled(RetryAfter::Seconds(300)))]);
    world.settle_for(SignedDuration::from_secs(60)).await;
    world.tenant.0.assign_role(mallory.0, "User Administrator").unwrap();
    world.settle().await;
    world.tenant.0.remove_role(mallory.0, "User Administrator");
    world.clock.advance(HOUR);
    world.tenant.stir(mallory);
    world.settle().await;
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!(world.states(mallory).await, ["waiting"]);
}

/// The breaker is at its limit, and a guest who is the last owner of a group is looked at.
async fn expect_no_place_for_the_last_owner(then: &str) {
    let owns = "{ joins: { any_group: true }, as: owner }";
    let mut world = World::with_policy(&closing(owns, then)).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let others: Vec<Guest> = (0..3).map(|n| world.guest_of_old(&format!("g{n}@fabrikam.com"))).collect();
    let _sales = world.tenant.group_with(NewGroup { owners: vec![adele.0], ..NewGroup::named("Sales") });
    let shared = world.tenant.group("Shared");
    world.settle().await;
    world.tenant.stir(adele);
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(3));
    for other in &others {
        world.tenant.own(*other, shared);
        world.settle_for(SignedDuration::from_mins(6)).await;
    }
    world.tenant.stir(adele);
    world.settle_for(SignedDuration::from_mins(6)).await;
    let breaker = world.store.ledger.breaker().await.unwrap().unwrap().value;
    world.forget_writes("/");
    world.slack.read_all();
    assert!(breaker.opened.is_none(), "nobody would have been touched: {breaker:?}");
}

/// The rest is tried again at each look.
#[tokio::test]
async fn the_last_owner_who_is_tried_again_takes_no_place() {
    expect_no_place_for_the_last_owner("disable, drop-ownership").await;
}

#[tokio::test]
async fn the_last_owner_of_whom_nothing_else_is_asked_takes_no_place() {
    expect_no_place_for_the_last_owner("drop-ownership").await;
}
