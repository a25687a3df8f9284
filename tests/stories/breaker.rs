//! The circuit breaker: so many guests an hour are touched without asking, and no more, whatever the rules say and however
//! many workers there are. Then everything asks.

use guestlist_tests::{Guest, World};
use host::Part;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, RequestKind};
use simulator::{Failure, Fault};

use crate::given::{come_back, without_last_line};
use crate::policies::{PARTNERS_ONLY, closing};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Guests whom nobody admits and who have been there for more than a year.
fn of_old(world: &World, many: usize) -> Vec<Guest> {
    (0..many).map(|n| world.guest_of_old(&format!("old{n}@northwind.example"))).collect()
}

fn stir(world: &World, guests: &[Guest]) {
    for guest in guests {
        world.tenant.stir(*guest);
    }
}

fn disabled_among(world: &World, guests: &[Guest]) -> Vec<Guest> {
    guests.iter().copied().filter(|guest| !world.tenant.is_enabled(*guest)).collect()
}

/// Of each guest one write at most.
fn expect_each_written_once(world: &World, guests: &[Guest]) {
    for guest in guests {
        world.expect_disabled(*guest);
    }
    world.expect_no_writes();
}

async fn waiting_among(world: &World, guests: &[Guest]) -> Vec<Guest> {
    let mut waiting = Vec::new();
    for guest in guests {
        if world.states(*guest).await.contains(&"waiting") {
            waiting.push(*guest);
        }
    }
    waiting
}

/// Three were touched, and the others wait.
async fn opened() -> (World, Vec<Guest>, Vec<Guest>) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, 6);
    world.clock.advance(SignedDuration::from_mins(1));
    stir(&world, &guests);
    world.settle().await;
    let touched = disabled_among(&world, &guests);
    assert_eq!(touched.len(), 3);
    expect_each_written_once(&world, &touched);
    let waiting = waiting_among(&world, &guests).await;
    assert_eq!(waiting.len(), 3);
    (world, touched, waiting)
}

#[tokio::test]
async fn the_fourth_established_guest_of_an_hour_opens_it_with_one_loud_alert() {
    let (mut world, ..) = opened().await;
    let told = world.slack.texts();
    let loud: Vec<&String> = told.iter().filter(|text| text.contains("circuit breaker has opened")).collect();
    assert_eq!(loud.len(), 1, "{told:?}");
    assert_snapshot!(without_last_line(loud[0]), @"
    The circuit breaker is open: every remediation waits for approval
    *What happened*
    the circuit breaker has opened: more than 3 established guests would have been touched within an hour; from now on everything asks first, and nothing that waits is released by a reset
    *What to do*
    Find out why so many guests were to be touched in an hour. Approve or reject what waits, one by one or by rule; reset the breaker once you know. A reset releases nothing that waits
    Look: `guestlist breaker show`
    ");
    let asked: Vec<&String> = told.iter().filter(|text| text.starts_with("Waits for approval")).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].contains("the circuit breaker opened at"), "{}", asked[0]);
    world.live_on(SignedDuration::from_hours(3)).await;
    world.slack.expect_silence();
}

#[tokio::test]
async fn while_it_is_open_newcomers_wait_too_and_time_does_not_close_it() {
    let (mut world, ..) = opened().await;
    world.slack.read_all();
    world.live_on(SignedDuration::from_hours(5)).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    assert_eq!(world.states(sam).await, ["waiting"]);
    world.expect_untouched(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn three_an_hour_never_open_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, 9);
    for three in guests.chunks(3) {
        world.clock.advance(HOUR);
        stir(&world, three);
        world.settle().await;
        expect_each_written_once(&world, three);
    }
    world.slack.read_all();
}

#[tokio::test]
async fn guests_who_came_today_have_two_hundred_places_of_their_own() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests: Vec<Guest> =
        (0..203).map(|n| world.guest_today(&format!("new{n}@northwind.example"))).collect();
    world.clock.advance(SignedDuration::from_mins(1));
    stir(&world, &guests);
    world.settle().await;
    let touched = disabled_among(&world, &guests);
    assert_eq!(touched.len(), 200);
    assert_eq!(waiting_among(&world, &guests).await.len(), 3);
    expect_each_written_once(&world, &touched);
    world.slack.read_all();
}

#[tokio::test]
async fn the_count_of_guests_raises_the_limit() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, 120);
    world.clock.advance(SignedDuration::from_mins(1));
    world.parts.census.as_ref().unwrap().look().await.unwrap();
    stir(&world, &guests[..10]);
    world.settle().await;
    let touched = disabled_among(&world, &guests);
    assert_eq!(touched.len(), 6, "5 % of 120");
    expect_each_written_once(&world, &touched);
    world.slack.read_all();
}

#[tokio::test]
async fn a_guest_who_is_touched_twice_takes_one_place() {
    let mut world = World::with_policy(&closing("{ joins: { name: \"Finance *\" } }", "leave-group")).await;
    let guests = of_old(&world, 3);
    let groups: Vec<_> = (0..4).map(|n| world.tenant.group(&format!("Finance {n}"))).collect();
    world.settle().await;
    for guest in &guests {
        for group in &groups {
            world.tenant.join(*guest, *group);
        }
    }
    world.settle().await;
    for guest in &guests {
        for group in &groups {
            world.expect_no_member(*guest, *group);
        }
    }
    let breaker = world.store.ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!((breaker.established.len(), breaker.opened), (3, None));
    world.slack.read_all();
}

#[tokio::test]
async fn a_reset_releases_nothing_that_waits_and_lets_the_rules_act_again() {
    let (mut world, _, waiting) = opened().await;
    world.slack.read_all();
    let answer = world.reset_breaker().await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    let told = world.slack.next_text();
    assert!(told.contains("carol") && told.contains("what waits goes on waiting"), "{told}");
    stir(&world, &waiting);
    world.live_on(SignedDuration::from_hours(2)).await;
    assert_eq!(waiting_among(&world, &waiting).await.len(), 3);
    world.expect_no_writes();
    let next = of_old(&world, 1)[0];
    world.clock.advance(SignedDuration::from_mins(1));
    stir(&world, &[next]);
    world.settle().await;
    world.expect_disabled(next);
    world.slack.read_all();
}

#[tokio::test]
async fn a_reset_of_what_is_closed_says_so() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    assert_eq!(
        world.reset_breaker().await,
        Answer::Done { text: "the circuit breaker is not open".to_owned() }
    );
    world.slack.expect_silence();
}

#[tokio::test]
async fn it_opens_again_after_a_reset_and_is_loud_again() {
    let (mut world, ..) = opened().await;
    world.slack.read_all();
    world.reset_breaker().await;
    world.slack.read_all();
    let more = of_old(&world, 5);
    world.clock.advance(SignedDuration::from_mins(1));
    stir(&world, &more);
    world.settle().await;
    let touched = disabled_among(&world, &more);
    assert_eq!(touched.len(), 3);
    expect_each_written_once(&world, &touched);
    let told = world.headlines();
    assert_eq!(
        told.iter().filter(|line| line.to_lowercase().contains("circuit breaker")).count(),
        1,
        "{told:?}"
    );
}

#[tokio::test]
async fn what_somebody_approves_is_done_while_it_is_open_and_takes_no_place() {
    let (mut world, _, waiting) = opened().await;
    world.slack.read_all();
    for guest in &waiting {
        let id = world.incident(*guest).await.id;
        world.approve(&id).await;
        world.expect_disabled(*guest);
    }
    let breaker = world.store.ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!(breaker.established.len(), 3);
    assert!(breaker.opened.is_some());
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_is_exempt() {
    let (mut world, touched, _) = opened().await;
    for guest in &touched {
        let id = world.incident(*guest).await.id;
        world.undo(&id).await;
        world.expect_enabled_again(*guest);
    }
    world.slack.read_all();
}

#[tokio::test]
async fn whoever_is_only_told_about_takes_no_place() {
    let mut world = World::with_policy(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe")).await;
    let guests = of_old(&world, 8);
    stir(&world, &guests);
    world.settle().await;
    assert!(world.store.ledger.breaker().await.unwrap().is_none());
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_of_the_same_moment_never_touch_more_than_the_budget_together() {
    for _ in 0..3 {
        let world = World::with_policy(PARTNERS_ONLY).await;
        let guests = of_old(&world, 24);
        world.clock.advance(SignedDuration::from_mins(1));
        stir(&world, &guests);
        world.deliver().await;
        world.run("assess").await;
        let others: Vec<_> = (0..3).map(|_| world.assembly.build(&[Part::Remediate]).unwrap()).collect();
        let mut working = tokio::task::JoinSet::new();
        for parts in others {
            working.spawn(async move { while parts.workers[0].run_due(8).await.unwrap() > 0 {} });
        }
        working.join_all().await;
        let touched = disabled_among(&world, &guests);
        assert_eq!(touched.len(), 3, "never more, and no place lost");
        expect_each_written_once(&world, &touched);
        assert_eq!(waiting_among(&world, &guests).await.len(), 21);
        world.run("alert").await;
        let told = world.headlines();
        let loud = told.iter().filter(|line| line.to_lowercase().contains("circuit breaker"));
        assert_eq!(loud.count(), 1, "one loud alert: {told:?}");
    }
}

#[tokio::test]
async fn a_death_in_the_middle_frees_no_place_and_takes_none_twice() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests = of_old(&world, 6);
    world.clock.advance(SignedDuration::from_mins(1));
    stir(&world, &guests);
    world.deliver().await;
    world.run("assess").await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Hang)]);
    world.kill_during("remediate").await;
    come_back(&mut world).await;
    let touched = disabled_among(&world, &guests);
    assert_eq!(touched.len(), 3);
    assert_eq!(waiting_among(&world, &guests).await.len(), 3);
    for guest in &touched {
        world.forget_writes(&format!("/users/{}", guest.id()));
    }
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn a_reset_is_told_although_the_process_dies_before_it_could() {
    let (mut world, _, _) = opened().await;
    world.slack.read_all();
    let request = world.ask(RequestKind::ResetBreaker, "carol", "it was the spring cleaning").await;
    // What is written first. Then it dies.
    let mut stored = world.store.ledger.breaker().await.unwrap().unwrap();
    let (by, why) = ("carol".to_owned(), "it was the spring cleaning".to_owned());
    assert!(stored.value.reset(by, why, request.clone(), world.clock.now()));
    world.store.ledger.replace(stored).await.unwrap();
    world.restart().await;
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Done { .. }));
    let told = world.slack.texts();
    assert!(told.len() == 1 && told[0].contains("carol has reset"), "{told:?}");
    world.forget_writes("/users");
}
