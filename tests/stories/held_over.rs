//! A decision that comes too late leaves nothing behind, and what was held back by the circuit breaker asks until somebody
//! has decided, whatever happens meanwhile.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId, RequestId, State, Suspension};

use crate::given::{refused, waiting_read};
use crate::policies::CLOSED_GROUPS;

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What carol's rejection writes.
async fn suspension_of(world: &World, guest: Guest, group: Group, by: &str) -> Suspension {
    let incident = world.incident_in(guest, group).await;
    let now = world.clock.now();
    Suspension {
        guest: guest.id(),
        rule: incident.key.rule.clone(),
        object: incident.key.object,
        until: now.checked_add(WEEK).unwrap(),
        by: by.to_owned(),
        reason: "he belongs there".to_owned(),
        written_at: now,
        looked_at: None,
        identity: Some(incident.subject.identity()),
    }
}

/// The account was somebody else's when dave suspended the rule for it: that holds nothing back today.
async fn suspended_for_another(world: &World, guest: Guest, group: Group) -> Suspension {
    let mut suspension = suspension_of(world, guest, group, "dave").await;
    suspension.identity.as_mut().unwrap().addresses = vec!["bill@fabrikam.com".to_owned()];
    world.store.ledger.suspend(&suspension).await.unwrap();
    suspension
}

/// An approval and a rejection are served at the same moment. Whoever loses has changed nothing.
async fn race(approval_first: bool) {
    let (mut world, adele, finance, id) = waiting_read().await;
    let earlier = suspended_for_another(&world, adele, finance).await;
    let approval = world.ask_approval(&id, "dave").await;
    let rejection = world.ask_rejection(&id, "carol").await;
    let remediator = world.remediator().clone();
    let serve = async |request: &RequestId| drop(remediator.serve(request).await);
    if approval_first {
        tokio::join!(serve(&approval), serve(&rejection));
    } else {
        tokio::join!(serve(&rejection), serve(&approval));
    }
    world.settle().await;
    let answers = (world.answer(&approval).await, world.answer(&rejection).await);
    let left = world.store.ledger.suspensions(adele.id()).await.unwrap();
    match answers {
        (Answer::Done { .. }, Answer::Refused { why }) => {
            assert_eq!(left, [earlier], "rejected in vain: {why}");
            world.expect_no_member(adele, finance);
        }
        (Answer::Refused { .. }, Answer::Done { .. }) => {
            assert!(left.iter().any(|one| one.by == "carol"), "{left:?}");
            world.expect_member(adele, finance);
        }
        both => panic!("{both:?}"),
    }
    world.slack.read_all();
}

#[tokio::test]
async fn of_an_approval_and_a_rejection_at_the_same_moment_one_changes_nothing() {
    for _ in 0..4 {
        race(true).await;
        race(false).await;
    }
}

/// Carol has rejected it, and nobody has served that yet.
async fn rejection_asked() -> (World, Guest, Group, IncidentId, RequestId) {
    let (world, adele, finance, id) = waiting_read().await;
    let request = world.ask_rejection(&id, "carol").await;
    (world, adele, finance, id, request)
}

async fn expect_no_suspension(world: &World, guest: Guest) {
    let left = world.store.ledger.suspensions(guest.id()).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_rejection_that_is_served_after_an_approval_leaves_no_suspension() {
    let (mut world, adele, finance, id, rejection) = rejection_asked().await;
    let approval = world.ask_approval(&id, "dave").await;
    world.remediator().serve(&approval).await.unwrap();
    world.remediator().serve(&rejection).await.unwrap();
    assert!(refused(world.answer(&rejection).await).contains("waits for nobody's decision"));
    expect_no_suspension(&world, adele).await;
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
    world.slack.read_all();
}

#[tokio::test]
async fn a_rejection_of_what_a_worker_has_claimed_leaves_no_suspension() {
    let (mut world, adele, finance, id, rejection) = rejection_asked().await;
    let approval = world.ask_approval(&id, "dave").await;
    world.remediator().serve(&approval).await.unwrap();
    let mut stored = world.store.ledger.incident(&id).await.unwrap().unwrap();
    let now = world.clock.now();
    stored.value.claim(now, SignedDuration::from_mins(5)).unwrap();
    let stored = world.store.ledger.replace(stored).await.unwrap();
    world.remediator().serve(&rejection).await.unwrap();
    assert!(refused(world.answer(&rejection).await).contains("it is claimed"));
    expect_no_suspension(&world, adele).await;
    let mut stored = stored;
    stored.value.release(now, now);
    world.store.ledger.replace(stored).await.unwrap();
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

/// Whoever ends it says why.
#[track_caller]
fn expect_suspended(state: &State) {
    let State::Resolved { at: _, why } = state else { panic!("{state:?}") };
    assert_eq!(why, "suspended until 2026-11-27T09:01:14Z by carol");
}

#[tokio::test]
async fn what_ends_because_its_rule_was_suspended_says_so_whoever_notices() {
    for worker in ["assess", "remediate"] {
        let mut world = World::with_policy(CLOSED_GROUPS).await;
        let adele = world.tenant.invite("adele@fabrikam.com");
        let finance = world.tenant.group("Finance EU");
        world.settle().await;
        world.tenant.join(adele, finance);
        world.deliver().await;
        world.clock.advance(SignedDuration::from_secs(30));
        world.run("assess").await;
        let incident = world.incident_in(adele, finance).await;
        assert_eq!(incident.state.word(), "open");
        let mut suspension = suspension_of(&world, adele, finance, "carol").await;
        suspension.until = "2026-11-27T09:01:14Z".parse().unwrap();
        world.store.ledger.suspend(&suspension).await.unwrap();
        if worker == "assess" {
            world.tenant.stir(adele);
            world.deliver().await;
        }
        world.run(worker).await;
        expect_suspended(&world.incident_in(adele, finance).await.state);
        world.settle().await;
        world.expect_member(adele, finance);
        world.slack.read_all();
    }
}

#[tokio::test]
async fn what_was_approved_and_is_suspended_before_a_worker_comes_says_so() {
    let (mut world, adele, finance, id) = waiting_read().await;
    let approval = world.ask_approval(&id, "dave").await;
    world.remediator().serve(&approval).await.unwrap();
    let mut suspension = suspension_of(&world, adele, finance, "carol").await;
    suspension.until = "2026-11-27T09:01:14Z".parse().unwrap();
    world.store.ledger.suspend(&suspension).await.unwrap();
    world.run("remediate").await;
    expect_suspended(&world.incident_in(adele, finance).await.state);
    world.settle().await;
    world.expect_member(adele, finance);
    let told = world.slack.texts();
    assert!(told.iter().all(|text| !text.contains("does not break this rule any more")), "{told:?}");
}

/// Three established guests were taken out of a closed group. The fourth waits, because that has opened the circuit
/// breaker, which somebody has closed since.
async fn held_back() -> (World, Guest, Group) {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    let guests: Vec<Guest> = (0..4).map(|n| world.guest_of_old(&format!("old{n}@fabrikam.com"))).collect();
    world.unnoticed(|tenant| guests.iter().for_each(|guest| tenant.join(*guest, finance)));
    world.clock.advance(SignedDuration::from_mins(1));
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.settle().await;
    let held = guests.iter().copied().find(|guest| world.tenant.is_member(*guest, finance)).unwrap();
    assert_eq!(world.states(held).await, ["waiting"]);
    world.forget_writes("/members/");
    world.reset_breaker().await;
    world.slack.read_all();
    // Nobody's place is counted any more.
    world.clock.advance(SignedDuration::from_hours(2));
    (world, held, finance)
}

async fn expect_still_asking(world: &mut World, held: Guest, finance: Group) {
    assert_eq!(world.states(held).await, ["waiting"]);
    world.expect_member(held, finance);
    world.slack.read_all();
    let id = world.incident_in(held, finance).await.id;
    world.approve(&id).await;
    world.expect_no_member(held, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_guest_who_leaves_and_joins_again_does_not_slip_past_the_question() {
    let (mut world, held, finance) = held_back().await;
    world.tenant.leave(held, finance);
    world.settle().await;
    assert_eq!(world.states(held).await, ["resolved"]);
    world.slack.read_all();
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.join(held, finance);
    world.settle().await;
    expect_still_asking(&mut world, held, finance).await;
}

fn observing() -> String {
    CLOSED_GROUPS.replace("mode: enforce", "mode: observe")
}

#[tokio::test]
async fn a_while_of_observing_does_not_release_what_waits() {
    let (mut world, held, finance) = held_back().await;
    world.change_policy(&observing());
    world.tenant.stir(held);
    world.settle().await;
    assert_eq!(world.states(held).await, ["open"]);
    world.change_policy(CLOSED_GROUPS);
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(held);
    world.settle().await;
    expect_still_asking(&mut world, held, finance).await;
}

/// What somebody approved of could not be carried out for a while. He need not be asked a second time within seven days,
/// and nobody goes by what he said after that.
#[tokio::test]
async fn an_approval_that_was_held_back_serves_for_as_long_as_any_other() {
    for (days, expected) in [(1, "done"), (8, "waiting")] {
        let (mut world, held, finance) = held_back().await;
        let id = world.incident_in(held, finance).await.id;
        world.ask_approval(&id, "carol").await;
        world.change_policy(&observing());
        world.settle().await;
        assert_eq!(world.states(held).await, ["open"]);
        world.expect_member(held, finance);
        world.change_policy(CLOSED_GROUPS);
        world.live_on(SignedDuration::from_hours(24 * days)).await;
        world.tenant.stir(held);
        world.settle().await;
        assert_eq!(world.states(held).await, [expected]);
        world.forget_writes("/members/");
        world.slack.read_all();
    }
}

/// Nothing was decided about him while he was protected.
#[tokio::test]
async fn a_while_of_protection_does_not_release_what_waits() {
    let (mut world, held, finance) = held_back().await;
    world.change_policy(
        &CLOSED_GROUPS.replace("guardrails:", &format!("protect: {{ users: [{}] }}\nguardrails:", held.id())),
    );
    world.tenant.stir(held);
    world.settle().await;
    assert_eq!(world.states(held).await, ["refused"]);
    world.change_policy(CLOSED_GROUPS);
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(held);
    world.settle().await;
    expect_still_asking(&mut world, held, finance).await;
}
