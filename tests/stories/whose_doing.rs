//! What somebody else did is not ours to undo, even where we had tried the same, or had done it once.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, StepResult};
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::given::{admitted, disabled_without_a_word, found, refused};
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, closing};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn policy() -> String {
    closing("{ domain: [evil.example] }", "disable, leave-groups")
}

fn admitting() -> String {
    closing("{ domain: [other.example] }", "disable, leave-groups")
}

/// Nothing is given back of what others took.
async fn expect_theirs(world: &mut World, guest: Guest) {
    let incident = world.incident(guest).await;
    let state = incident.state.word();
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{state}: {answer:?}");
    assert!(!world.tenant.is_enabled(guest), "{state}: an administrator disabled the account");
    world.expect_no_writes();
    world.slack.read_all();
}

/// Graph has answered that it did not do it, and asks for some minutes. An administrator is faster.
async fn not_done(failure: Failure) {
    let (mut world, sam) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    world.next_faults([Fault::new("PATCH", "/users", failure)]);
    world.run("remediate").await;
    world.forget_writes("/users/");
    assert_eq!(world.states(sam).await, ["open"]);
    world.expect_untouched(sam);
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    world.expect_no_writes();
    let incident = world.incident(sam).await;
    let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
    assert!(outcomes.iter().all(|outcome| !outcome.is_ours()), "{failure:?}: {outcomes:?}");
    expect_theirs(&mut world, sam).await;
}

#[tokio::test]
async fn what_graph_throttled_and_an_administrator_did_is_his() {
    not_done(Failure::Throttled(RetryAfter::Seconds(600))).await;
}

#[tokio::test]
async fn what_graph_was_too_busy_for_and_an_administrator_did_is_his() {
    not_done(Failure::Status(503, RetryAfter::Seconds(600))).await;
}

/// The same of a group that he was taken out of by somebody else.
#[tokio::test]
async fn a_throttled_removal_that_an_administrator_did_is_his() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(30));
    world.run("assess").await;
    let busy = Failure::Throttled(RetryAfter::Seconds(600));
    world.next_faults([Fault::new("DELETE", "/groups", busy)]);
    world.run("remediate").await;
    world.forget_writes("/members/");
    world.expect_member(adele, finance);
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.leave(adele, finance);
    world.settle().await;
    world.expect_no_writes();
    let incident = world.incident_in(adele, finance).await;
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{}: {answer:?}", incident.state.word());
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
    world.slack.read_all();
}

/// What may have been done stays ours whatever Graph says to the next try: the answer to the first was lost, and no read
/// has shown it yet.
#[tokio::test]
async fn what_may_have_been_done_before_graph_was_too_busy_is_ours() {
    let (mut world, sam) = disabled_without_a_word().await;
    let tried = world.calls("PATCH", &format!("/users/{}", sam.id()));
    world.next_faults([Fault::new("PATCH", "/users", Failure::Status(503, RetryAfter::Seconds(600)))]);
    world.settle_for(SignedDuration::from_secs(30)).await;
    assert_eq!(world.calls("PATCH", &format!("/users/{}", sam.id())), tried + 1, "it is tried again");
    world.settle().await;
    world.forget_writes("/users/");
    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

async fn look(world: &mut World, policy: &str, guest: Guest) {
    world.change_policy(policy);
    world.clock.advance(HOUR);
    world.tenant.stir(guest);
    world.settle().await;
}

/// We disabled her, somebody enabled her, and an administrator disabled her again. That was seen each time.
async fn disabled_by_an_administrator() -> (World, Guest) {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.change_policy(&admitting());
    world.clock.advance(HOUR);
    world.tenant.0.enable(mallory.0).unwrap();
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    world.clock.advance(HOUR);
    world.tenant.0.disable(mallory.0).unwrap();
    world.settle().await;
    (world, mallory)
}

#[tokio::test]
async fn what_an_incident_met_already_so_is_not_ours_in_the_one_after_it() {
    let (mut world, mallory) = disabled_by_an_administrator().await;
    look(&mut world, &policy(), mallory).await;
    let second = world.incident(mallory).await;
    assert_eq!((second.id.generation, second.state.word()), (2, "done"));
    let outcomes = world.store.ledger.outcomes(&second.id).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.result == StepResult::AlreadySo), "{outcomes:?}");
    look(&mut world, &admitting(), mallory).await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    look(&mut world, &policy(), mallory).await;
    assert_eq!(world.incident(mallory).await.id.generation, 3);
    expect_theirs(&mut world, mallory).await;
}

/// However many incidents come between.
#[tokio::test]
async fn what_an_administrator_did_stays_his_through_many_incidents() {
    let (mut world, mallory) = disabled_by_an_administrator().await;
    for generation in 2..6 {
        look(&mut world, &policy(), mallory).await;
        assert_eq!(world.incident(mallory).await.id.generation, generation);
        look(&mut world, &admitting(), mallory).await;
    }
    expect_theirs(&mut world, mallory).await;
}

/// But what we did in the first and nobody put back is ours in the third.
#[tokio::test]
async fn what_nobody_put_back_is_ours_through_many_incidents() {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    for generation in 2..4 {
        look(&mut world, &admitting(), mallory).await;
        look(&mut world, &policy(), mallory).await;
        assert_eq!(world.incident(mallory).await.id.generation, generation);
    }
    let id = world.incident(mallory).await.id;
    world.undo(&id).await;
    world.expect_enabled_again(mallory);
    world.slack.read_all();
}

/// He was taken out of the group by us, no read ever showed it, and somebody put him in again at once.
async fn never_shown() -> (World, Guest, Group) {
    let (mut world, adele) = admitted(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe")).await;
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(2));
    let lag = SignedDuration::from_mins(60);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.change_policy(CLOSED_GROUPS);
    world.tenant.stir(adele);
    world.settle().await;
    world.settle().await;
    world.forget_writes("/members/");
    assert!(!world.tenant.is_member(adele, finance));
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed");
    world.unnoticed(|tenant| tenant.join(adele, finance));
    world.clock.advance(SignedDuration::from_hours(2));
    let lag = SignedDuration::from_secs(3);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.slack.read_all();
    (world, adele, finance)
}

#[tokio::test]
async fn a_removal_of_long_ago_does_not_make_ours_what_somebody_did_a_moment_before_us() {
    let (mut world, adele, finance) = never_shown().await;
    world.tenant.stir(adele);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(30));
    world.run("assess").await;
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "open");
    // A moment before our write, so that the read before it still shows him.
    world.unnoticed(|tenant| tenant.leave(adele, finance));
    world.settle().await;
    // It was sent, and answered with 404.
    world.expect_no_member(adele, finance);
    let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
    assert_eq!(outcomes.last().map(|outcome| outcome.is_ours()), Some(false), "{outcomes:?}");
    refused(world.undo(&incident.id).await);
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
    world.slack.read_all();
}
