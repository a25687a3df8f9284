//! Several clocks: `serve` goes by Graph's, a command and a process that has no app by the machine's, and one that has just started
//! by whatever it finds.

use guestlist_tests::{World, body_of};
use host::{Assembly, Limits, Part};
use jiff::{SignedDuration, Timestamp};
use model::{Clock, IncidentId, RequestId, RequestKind, RequestState, Watched};
use queue::Collapse;
use simulator::{Failure, Fault, Stale};

use crate::clocks::{EIGHT_DAYS, HOUR, MINUTE};
use crate::given::{disabled, waiting_read};
use crate::policies::PARTNERS_ONLY;

pub(crate) const ROUND: SignedDuration = SignedDuration::from_mins(11);

pub(crate) async fn rounds(world: &mut World, count: usize) {
    for _ in 0..count {
        world.clock.advance(ROUND);
        world.subscribe().await;
        world.reconcile().await;
        world.wake_what_is_due().await;
        world.settle_for(MINUTE * 6).await;
    }
}

pub(crate) async fn reconciled() -> World {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    world.settle().await;
    rounds(&mut world, 2).await;
    world
}

/// A process starts on a machine whose clock is ahead, and nobody answers it at first.
async fn starts_alone(world: &mut World, ahead: SignedDuration) {
    world.clock.set_wrong_by(ahead);
    world.next_faults(
        (0..400).flat_map(|_| [Fault::any("/", Failure::Reset), Fault::any("/token", Failure::Reset)]),
    );
    world.restart().await;
    let now = world.clock.now();
    assert!(world.assembly.clock.now().duration_since(now) > HOUR, "it was heard");
}

fn answers_again(world: &World) {
    world.simulator.set_faults(|faults| faults.queued.clear());
}

/// A process of its own, whose clock is off by so much.
fn beside(world: &World, ahead: SignedDuration) -> Assembly {
    let right = world.clock.clone();
    let clock = Clock::new(move || -> Timestamp { right.now().checked_add(ahead).unwrap() });
    Assembly { policy: None, clock, ..world.assembly.clone() }
}

async fn command_asks(world: &World, kind: RequestKind, by_how_much: SignedDuration) -> RequestId {
    let machines = world.clock.now().checked_add(by_how_much).unwrap();
    world.ask_where_it_is(machines, kind, ("carol", "she is expected")).await
}

async fn is_answered(world: &World, id: &RequestId) -> bool {
    let request = world.store.ledger.request(id).await.unwrap().unwrap().value;
    request.state != RequestState::Waiting
}

fn undo_of(incident: &IncidentId) -> RequestKind {
    RequestKind::Undo { incident: incident.clone(), suspend_for: HOUR * 24, force: false }
}

/// `serve` goes by Graph's clock; the command that asks goes by the machine's.
#[tokio::test]
async fn an_undo_is_carried_out_where_the_machines_clock_is_ahead() {
    let (mut world, sam, id) = disabled().await;
    world.clock.set_wrong_by(HOUR * 30);
    world.subscribe().await;
    let request = command_asks(&world, undo_of(&id), HOUR * 30).await;
    for _ in 0..24 {
        world.wake_what_is_due().await;
        world.settle_for(MINUTE * 5).await;
        world.clock.advance(HOUR);
        world.subscribe().await;
    }
    let (answered, enabled) = (is_answered(&world, &request).await, world.tenant.is_enabled(sam));
    world.forget_writes("/");
    world.slack.texts();
    assert!(answered && enabled, "a day later: answered {answered}, enabled {enabled}");
}

#[tokio::test]
async fn an_approval_is_taken_where_the_machines_clock_is_ahead_by_eight_days() {
    let (mut world, adele, finance, id) = waiting_read().await;
    world.clock.set_wrong_by(EIGHT_DAYS);
    world.subscribe().await;
    let plan = world.incident_in(adele, finance).await.question();
    let kind = RequestKind::Approve { incident: id, plan };
    let request = command_asks(&world, kind, EIGHT_DAYS).await;
    for _ in 0..16 {
        world.live_on(HOUR * 12).await;
    }
    let (answered, member) = (is_answered(&world, &request).await, world.tenant.is_member(adele, finance));
    let state = world.incident_in(adele, finance).await.state;
    world.forget_writes("/");
    world.slack.texts();
    assert!(answered && !member, "eight days later: answered {answered}, member {member}, {state:?}");
}

/// The second looks of a change, while nobody answers a process whose clock is far ahead.
#[tokio::test]
async fn what_was_assessed_goes_on_after_a_process_whose_clock_was_ahead_heard_nothing() {
    let mut world = reconciled().await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle_for(MINUTE).await;
    let _ = adele;
    starts_alone(&mut world, HOUR * 24 * 400).await;
    world.run("assess").await;
    answers_again(&world);
    world.clock.set_wrong_by(SignedDuration::ZERO);
    world.subscribe().await;
    for _ in 0..30 {
        rounds(&mut world, 2).await;
        world.clock.advance(HOUR * 2);
    }
    rounds(&mut world, 3).await;
    let (now, until) = (world.clock.now(), world.assessed_until().await);
    world.forget_writes("/");
    world.slack.texts();
    assert!(until.is_some_and(|until| now.duration_since(until) < HOUR), "{until:?} at {now}");
}

/// Why the queries begin anew.
enum Anew {
    GraphLostThem,
    /// The cursor is ten minutes old, and the clock of a process that has just started says that it is eight days.
    WrongClock,
}

/// The replica that answers the first listings knows nobody who came within five minutes.
async fn begins_anew(why: Anew) {
    let mut world = reconciled().await;
    world.clock.advance(ROUND);
    let sam = world.guest_today("sam@northwind.example");
    let invited = world.clock.now();
    world.clock.advance(MINUTE * 2);
    match why {
        Anew::GraphLostThem => world.simulator.expire_delta_tokens(),
        Anew::WrongClock => {
            starts_alone(&mut world, EIGHT_DAYS).await;
            answers_again(&world);
        }
    }
    let fresh = Some(Stale { lag: MINUTE * 5, chance: 1.0 });
    world.simulator.set_faults(|faults| faults.fresh = fresh);
    for _ in 0..4 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(15)).await;
    }
    world.simulator.set_faults(|faults| faults.fresh = None);
    let mut untrue = None;
    for round in 0..12 {
        rounds(&mut world, 1).await;
        let said = world.assessed_until().await;
        if said.is_some_and(|said| said > invited) && world.tenant.is_enabled(sam) {
            untrue.get_or_insert((round, said));
        }
    }
    let enabled = world.tenant.is_enabled(sam);
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!((untrue, enabled), (None, false), "invited at {invited}");
}

#[tokio::test]
async fn a_lost_cursor_loses_nobody() {
    begins_anew(Anew::GraphLostThem).await;
}

#[tokio::test]
async fn a_cursor_that_a_wrong_clock_calls_lapsed_loses_nobody() {
    begins_anew(Anew::WrongClock).await;
}

/// Whoever was away for longer than a cursor lasts does not go on from it because nobody says what time it is.
#[tokio::test]
async fn a_cursor_that_may_be_too_old_tells_nothing() {
    let mut world = reconciled().await;
    world.clock.advance(EIGHT_DAYS);
    world.simulator.reset_traffic();
    world.next_faults((0..40).map(|_| Fault::new("GET", "/organization", Failure::Reset)));
    let looked = world.parts.reconciler.as_ref().unwrap().look().await;
    assert!(looked.is_err(), "what else it needs could not be had, either");
    let asked = |world: &World| {
        world.simulator.traffic().kinds.get(&("GET", "users/delta")).map_or(0, |kind| kind.requests)
    };
    assert_eq!(asked(&world), 0);
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.reconcile().await;
    assert!(asked(&world) > 0);
    world.settle().await;
}

/// A receiver of its own has no app, and goes by the machine's clock.
#[tokio::test]
async fn a_receiver_whose_clock_is_ahead_takes_no_second_look_away() {
    let mut world = reconciled().await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    rounds(&mut world, 2).await;
    world.clock.advance(ROUND);
    let alone = beside(&world, EIGHT_DAYS);
    let receiver = alone.build(&[Part::Notifications]).unwrap().receiver.unwrap();
    let (base, _stop) = world.serve_beside(receiver.router(), Limits::default()).await;
    let body = body_of(&[world.genuine(Watched::Users, adele.id())]);
    assert_eq!(world.post_at(&base, "/graph/notifications", body).await.status, 202);
    // The receiver's clock is right from here on. She becomes somebody else, unheard, and a replica lags by two minutes.
    world.unnoticed(|tenant| {
        tenant.change(adele, |user| user.mail = Some("adele@evil.example".to_owned()));
    });
    let changed = world.clock.now();
    world.clock.advance(SignedDuration::from_secs(10));
    world.reconcile().await;
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag: MINUTE * 2, chance: 1.0 }));
    world.settle_for(SignedDuration::from_secs(5)).await;
    assert!(world.tenant.is_enabled(adele));
    world.clock.advance(MINUTE * 2);
    world.simulator.set_faults(|faults| faults.stale = None);
    rounds(&mut world, 5).await;
    let (said, enabled) = (world.assessed_until().await, world.tenant.is_enabled(adele));
    world.forget_writes("/");
    world.slack.texts();
    assert!(!enabled || said.is_none_or(|said| said < changed), "changed {changed}, said {said:?}");
}

/// `guestlist status` reads by the machine's clock, which is an hour behind, while `serve` goes by Graph's.
#[tokio::test]
async fn status_knows_what_was_assessed_where_the_machines_clock_is_behind() {
    let mut world = reconciled().await;
    world.clock.set_wrong_by(-HOUR);
    rounds(&mut world, 3).await;
    let machines = world.clock.now().checked_sub(HOUR).unwrap();
    let (said, known) = (
        world.store.assessed_until(world.store.right(machines).await.unwrap()).await.unwrap(),
        world.assessed_until().await,
    );
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!(said, known, "what `status` says, and what is so");
}

/// The second undo is another request of the same person, in the same words.
async fn undone_twice(by_how_much: SignedDuration) {
    let (mut world, guest, [secret, trips], id) = crate::given::taken_as_two().await;
    world.clock.set_wrong_by(by_how_much);
    world.subscribe().await;
    for force in [false, true] {
        let kind = RequestKind::Undo { incident: id.clone(), suspend_for: HOUR * 24, force };
        let request = command_asks(&world, kind, by_how_much).await;
        world.settle().await;
        assert!(is_answered(&world, &request).await);
        world.clock.advance(MINUTE * 5);
    }
    let back = [secret, trips].map(|group| world.tenant.is_member(guest, group));
    world.forget_writes("/");
    world.slack.texts();
    assert_eq!(back, [true, true]);
}

#[tokio::test]
async fn a_second_undo_gives_back_what_the_first_left_out() {
    undone_twice(SignedDuration::ZERO).await;
}

#[tokio::test]
async fn a_second_undo_is_carried_out_where_the_machines_clock_is_behind() {
    undone_twice(-HOUR).await;
}

/// A steward of a process of its own has just started on a machine whose clock is days behind, and Graph did not answer it
/// yet. Another process has heard of the time, and holds a job.
#[tokio::test]
async fn a_steward_whose_clock_is_behind_takes_no_job_from_who_holds_it() {
    let world = reconciled().await;
    let queue = &world.store.queues.alerts;
    let now = world.clock.now();
    let one = queue::Move {
        key: "slack/notice/x".to_owned(),
        body: "{}".to_owned(),
        due: now,
        owed_since: now,
        collapse: Collapse::Earliest,
    };
    queue.send(vec![one]).await.unwrap();
    let held = queue.claim(now, MINUTE * 3, 1).await.unwrap();
    let alone = beside(&world, -EIGHT_DAYS);
    let steward = alone.build(&[Part::Steward]).unwrap().steward.unwrap();
    let _ = steward.wake_what_is_due().await;
    let again = queue.claim(now, MINUTE * 3, 1).await.unwrap();
    let settled = queue.ack(&held[0]).await.unwrap();
    for one in &again {
        queue.ack(one).await.unwrap();
    }
    assert!(again.is_empty(), "a second worker has it at the same moment; the first one's end: {settled:?}");
}

/// A process that tells alone has no app, and goes by the machine's clock, which is days ahead for a moment.
#[tokio::test]
async fn what_was_rolled_up_while_the_tellers_clock_was_ahead_is_told() {
    let mut world = reconciled().await;
    let names: Vec<String> = (0..13).map(|n| format!("g{n}x@northwind.example")).collect();
    for name in &names {
        let _ = world.tenant.invite(name);
    }
    world.deliver().await;
    world.run("assess").await;
    for _ in 0..5 {
        world.run("remediate").await;
        world.clock.advance(SignedDuration::from_secs(5));
    }
    let alone = beside(&world, EIGHT_DAYS);
    let teller = alone.build(&[Part::Alert]).unwrap().workers.pop().unwrap();
    while teller.run_due(1).await.unwrap() > 0 {}
    // From here on it is right.
    for _ in 0..24 {
        rounds(&mut world, 1).await;
        world.clock.advance(HOUR * 2);
    }
    let told = world.slack.texts().join("\n");
    let untold: Vec<&String> = names.iter().filter(|name| !told.contains(name.as_str())).collect();
    world.forget_writes("/");
    assert!(untold.is_empty(), "two days later nobody has been told of {untold:?}");
}
