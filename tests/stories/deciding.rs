//! What was decided holds for what was looked at, for as long as it was meant; whoever is not touched is not counted; and
//! a small thing that Graph refuses keeps no grave one waiting.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId, RequestKind, RequestState};
use simulator::{Failure, Fault, RetryAfter};

use crate::given::{come_back, refused, taken_out, waiting_read};
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, asking, closing};

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

fn text(world: &mut World) -> String {
    world.slack.texts().join("\n")
}

/// Four guests whom nobody admits and who have been there for more than a year.
async fn four_of_old() -> (World, Vec<Guest>) {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let guests = (0..4).map(|n| world.guest_of_old(&format!("old{n}@northwind.example"))).collect();
    world.clock.advance(SignedDuration::from_mins(1));
    (world, guests)
}

/// Three were disabled, the fourth waits, and somebody has closed the circuit breaker.
async fn held() -> (World, Guest, IncidentId) {
    let (mut world, guests) = four_of_old().await;
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.settle().await;
    let held = guests.iter().copied().find(|guest| world.tenant.is_enabled(*guest)).unwrap();
    assert_eq!(world.states(held).await, ["waiting"]);
    world.forget_writes("/users/");
    world.reset_breaker().await;
    world.slack.read_all();
    let id = world.incident(held).await.id;
    (world, held, id)
}

#[tokio::test]
async fn what_the_breaker_held_is_not_released_by_time() {
    let (mut world, held, _) = held().await;
    world.live_on(WEEK + SignedDuration::from_hours(24)).await;
    assert_eq!(world.states(held).await, ["expired"]);
    assert!(text(&mut world).contains("it waits for approval again"));
    world.tenant.stir(held);
    world.settle().await;
    assert_eq!(world.states(held).await, ["waiting"]);
    world.expect_untouched(held);
    world.slack.read_all();
    let id = world.incident(held).await.id;
    world.approve(&id).await;
    world.expect_disabled(held);
    world.slack.read_all();
}

#[tokio::test]
async fn what_the_breaker_held_and_somebody_rejected_asks_again_after_the_suspension() {
    let (mut world, held, id) = held().await;
    world.reject(&id).await;
    world.slack.read_all();
    world.live_on(WEEK + SignedDuration::from_hours(24)).await;
    assert_eq!(world.states(held).await, ["waiting"]);
    world.expect_untouched(held);
    world.slack.read_all();
}

#[tokio::test]
async fn a_rejection_that_dies_before_its_answer_is_a_rejection() {
    let (mut world, held, id) = held().await;
    let request = world.ask_rejection(&id, "carol").await;
    world.settle().await;
    let told = world.slack.read_all().len();
    // The crash: what was decided is written, and the answer is not.
    let mut asked = world.store.ledger.request(&request).await.unwrap().unwrap();
    asked.value.state = RequestState::Waiting;
    world.store.ledger.replace(asked).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    world.remediator().serve(&request).await.unwrap();
    let answer = world.answer(&request).await;
    assert!(matches!(&answer, Answer::Done { text } if text.starts_with("rejected")), "{answer:?}");
    world.settle().await;
    assert_eq!((world.states(held).await, told), (vec!["rejected"], 1));
    world.slack.expect_silence();
    world.expect_untouched(held);
}

#[tokio::test]
async fn a_rejection_of_what_waits_for_nobody_suspends_nothing() {
    let (mut world, held, id) = held().await;
    world.approve(&id).await;
    world.expect_disabled(held);
    assert!(refused(world.reject(&id).await).contains("waits for nobody's decision"));
    assert!(world.store.ledger.suspensions(held.id()).await.unwrap().is_empty());
    world.slack.read_all();
}

#[tokio::test]
async fn an_approval_is_for_the_identity_that_was_seen() {
    let (mut world, adele, finance, id) = waiting_read().await;
    let plan = world.incident_in(adele, finance).await.question();
    world.tenant.change(adele, |user| user.mail = Some("ceo@fabrikam.com".to_owned()));
    world.settle().await;
    let told = text(&mut world);
    assert!(told.contains("Waits for approval") && told.contains("ceo@fabrikam"), "{told}");
    let kind = RequestKind::Approve { incident: id.clone(), plan };
    let request = world.ask(kind, "carol", "adele has no business there").await;
    world.settle().await;
    let why = refused(world.answer(&request).await);
    assert!(why.contains("the account has changed") && why.contains("ceo@fabrikam.com"), "{why}");
    world.expect_member(adele, finance);
    world.slack.read_all();
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_identity_that_changes_after_the_approval_is_asked_about_anew() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.ask_approval(&id, "carol").await;
    world.unnoticed(|tenant| tenant.change(adele, |user| user.mail = Some("ceo@fabrikam.com".to_owned())));
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    let told = text(&mut world);
    assert!(told.contains("Waits for approval") && told.contains("ceo@fabrikam"), "{told}");
}

#[tokio::test]
async fn an_approval_ends_after_seven_days_like_the_question() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.stop_writes().await;
    world.approve(&id).await;
    world.clock.advance(WEEK);
    world.slack.read_all();
    world.resume_writes().await;
    world.live_on(SignedDuration::from_hours(1)).await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    let told = text(&mut world);
    assert!(told.contains("Waits for approval"), "{told}");
}

#[tokio::test]
async fn the_command_in_the_message_names_the_plan_that_it_shows() {
    let (world, adele, finance, id) = crate::given::waiting().await;
    let plan = world.incident_in(adele, finance).await.question();
    let raw = world.slack.read_all().iter().map(|told| told.json().to_string()).collect::<String>();
    assert!(raw.contains(&format!("guestlist approve {id} --plan {plan} --reason")), "{raw}");
}

#[tokio::test]
async fn guests_who_are_disabled_already_open_no_breaker() {
    let (mut world, guests) = four_of_old().await;
    world.unnoticed(|tenant| {
        for guest in &guests {
            tenant.0.disable(guest.0).unwrap();
        }
    });
    world.clock.advance(SignedDuration::from_mins(1));
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.settle().await;
    world.expect_no_writes();
    let told = text(&mut world);
    assert!(!told.contains("circuit breaker has opened"), "{told}");
    assert_eq!(told.matches("was already disabled").count(), 4, "each is told once: {told}");
}

#[tokio::test]
async fn a_claim_that_touches_nobody_takes_no_place() {
    let (mut world, guests) = four_of_old().await;
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.deliver().await;
    world.run("assess").await;
    // Somebody admits them before the worker comes.
    world.change_policy(&PARTNERS_ONLY.replace("fabrikam.com,", "fabrikam.com, northwind.example,"));
    world.settle().await;
    world.expect_no_writes();
    let told = text(&mut world);
    assert!(!told.contains("circuit breaker has opened"), "{told}");
    assert!(world.store.ledger.breaker().await.unwrap().is_none_or(|one| one.value.established.is_empty()));
}

#[tokio::test]
async fn a_place_comes_back_when_nothing_was_sent_after_all() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.next_faults([Fault::new("DELETE", "/groups", Failure::Throttled(RetryAfter::Seconds(600)))]);
    world.tenant.join(adele, finance);
    world.settle_for(SignedDuration::from_mins(1)).await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open", "Graph has turned it away");
    let places = |breaker: Option<ledger::Stored<model::Breaker>>| breaker.unwrap().value.established.len();
    assert_eq!(places(world.store.ledger.breaker().await.unwrap()), 0);
    world.settle().await;
    world.forget_writes("/members/");
    assert!(!world.tenant.is_member(adele, finance));
    assert_eq!(places(world.store.ledger.breaker().await.unwrap()), 1);
    world.slack.read_all();
}

#[tokio::test]
async fn a_plan_that_outgrows_its_approval_takes_a_place_once_the_rule_may_act() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups");
    let mut world = World::with_policy(&asking(&policy)).await;
    let mallory = world.guest_of_old("mallory@evil.example");
    let sales = world.tenant.group("Sales");
    world.tenant.stir(mallory);
    world.settle().await;
    let id = world.incident(mallory).await.id;
    world.ask_approval(&id, "carol").await;
    world.unnoticed(|tenant| tenant.join(mallory, sales));
    world.change_policy(&policy);
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, sales);
    let breaker = world.store.ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!(breaker.established.len(), 1);
    world.slack.read_all();
}

#[tokio::test]
async fn a_claim_that_died_before_it_wrote_anything_waits_where_the_breaker_has_opened_since() {
    let (mut world, guests) = four_of_old().await;
    world.tenant.stir(guests[0]);
    world.deliver().await;
    world.run("assess").await;
    world.next_faults([Fault::new("POST", "/$batch", Failure::Hang)]);
    world.kill_during("remediate").await;
    assert_eq!(world.states(guests[0]).await, ["claimed"]);
    let mut breaker = model::Breaker::default();
    for n in 0..4 {
        breaker.take(model::ObjectId::from_u128(n), None, world.clock.now());
    }
    assert!(breaker.opened.is_some());
    let stored = world.store.ledger.breaker().await.unwrap();
    assert!(stored.is_none(), "nobody has been counted");
    world.store.ledger.insert(breaker).await.unwrap();
    come_back(&mut world).await;
    assert_eq!(world.states(guests[0]).await, ["waiting"]);
    world.expect_untouched(guests[0]);
    world.slack.read_all();
}

#[tokio::test]
async fn a_throttled_small_step_does_not_delay_the_grave_one() {
    let low = "  - id: closed\n    severity: low\n    if: { joins: { name: \"Finance *\" } }\n    then: [leave-group]\nscenarios:";
    let mut world = World::with_policy(&PARTNERS_ONLY.replace("scenarios:", low)).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.next_faults([Fault::new("DELETE", "/groups", Failure::Throttled(RetryAfter::Seconds(900)))]);
    world.settle_for(SignedDuration::from_secs(30)).await;
    world.tenant.change(adele, |user| user.mail = Some("mallory@evil.example".to_owned()));
    // The second look at the change, and not the quarter of an hour for which Graph asked.
    world.settle_for(SignedDuration::from_mins(6)).await;
    world.expect_disabled(adele);
    world.settle().await;
    assert!(!world.tenant.is_member(adele, finance));
    // The one that Graph would not take, and the one that it took.
    world.forget_writes("/members/");
    world.slack.read_all();
}

#[tokio::test]
async fn a_throttled_undo_does_not_delay_the_grave_one() {
    let (mut world, adele, _, id) = taken_out().await;
    let grave = "  - id: blocked\n    severity: critical\n    if: { domain: [evil.example] }\n    then: [disable]\nscenarios:";
    world.change_policy(&CLOSED_GROUPS.replace("scenarios:", grave));
    world.clock.advance(SignedDuration::from_mins(30));
    world.ask_undo(&id, false).await;
    let throttled = || Fault::new("POST", "/groups", Failure::Throttled(RetryAfter::Seconds(900)));
    world.next_faults((0..20).map(|_| throttled()));
    world.settle_for(SignedDuration::from_secs(30)).await;
    world.tenant.change(adele, |user| user.mail = Some("mallory@evil.example".to_owned()));
    world.settle_for(SignedDuration::from_mins(6)).await;
    assert!(!world.tenant.is_enabled(adele), "the account of a sanctioned organisation works on");
    world.settle().await;
    world.forget_writes("/members/");
    world.forget_writes("/users/");
    world.slack.read_all();
}
