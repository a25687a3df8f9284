//! What we did stays ours to undo for as long as it is in force, whatever has become of its incident since.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId};

use crate::policies::closing;

const BLOCKED: &str = "{ domain: [evil.example] }";

fn policy() -> String {
    closing(BLOCKED, "disable, leave-groups")
}

/// A guest who was disabled after somebody approved of it, and who was put into a group since, so that people are asked
/// again.
async fn disabled_and_asked_again() -> (World, Guest, Group, IncidentId) {
    let mut world = World::with_policy(&policy().replace("mode: enforce", "mode: ask")).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let id = world.incident(mallory).await.id;
    world.approve(&id).await;
    world.expect_disabled(mallory);
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.join(mallory, sales);
    world.settle().await;
    assert_eq!(world.incident(mallory).await.state.word(), "waiting");
    world.slack.read_all();
    (world, mallory, sales, id)
}

async fn expect_undone(world: &mut World, mallory: Guest, id: &IncidentId) {
    let answer = world.undo(id).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    world.expect_enabled_again(mallory);
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn while_people_are_asked_about_more() {
    let (mut world, mallory, _, id) = disabled_and_asked_again().await;
    expect_undone(&mut world, mallory, &id).await;
}

#[tokio::test]
async fn after_somebody_rejected_the_rest() {
    let (mut world, mallory, sales, id) = disabled_and_asked_again().await;
    world.reject(&id).await;
    assert!(world.tenant.is_member(mallory, sales));
    expect_undone(&mut world, mallory, &id).await;
}

#[tokio::test]
async fn after_nobody_decided_about_the_rest() {
    let (mut world, mallory, _, id) = disabled_and_asked_again().await;
    world.live_on(SignedDuration::from_hours(24 * 7 + 1)).await;
    assert_eq!(world.incident(mallory).await.state.word(), "expired");
    expect_undone(&mut world, mallory, &id).await;
}

#[tokio::test]
async fn after_the_policy_fell_to_observe_with_more_to_do() {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let sales = world.tenant.group("Sales");
    world.settle().await;
    world.expect_disabled(mallory);
    let id = world.incident(mallory).await.id;
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.join(mallory, sales);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(20));
    world.run("assess").await;
    world.change_policy(&policy().replace("mode: enforce", "mode: observe"));
    world.settle().await;
    world.expect_member(mallory, sales);
    expect_undone(&mut world, mallory, &id).await;
}

#[tokio::test]
async fn after_the_finding_was_gone_and_came_back() {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.change_policy(&closing("{ domain: [other.example] }", "disable, leave-groups"));
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(mallory);
    world.settle().await;
    assert_eq!(world.incident(mallory).await.state.word(), "resolved");
    world.change_policy(&policy());
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(mallory);
    world.settle().await;
    let incident = world.incident(mallory).await;
    assert_eq!(incident.id.generation, 2);
    world.slack.read_all();
    expect_undone(&mut world, mallory, &incident.id).await;
}

#[tokio::test]
async fn what_a_person_did_after_ours_was_put_back_is_not_ours_in_the_next_incident_either() {
    let mut world = World::with_policy(&policy()).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.change_policy(&closing("{ domain: [other.example] }", "disable, leave-groups"));
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.0.enable(mallory.0).unwrap();
    world.settle().await;
    assert_eq!(world.incident(mallory).await.state.word(), "resolved");
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.0.disable(mallory.0).unwrap();
    world.settle().await;
    world.change_policy(&policy());
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(mallory);
    world.settle().await;
    let incident = world.incident(mallory).await;
    assert_eq!((incident.id.generation, incident.state.word()), (2, "done"));
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    assert!(!world.tenant.is_enabled(mallory), "an administrator disabled her");
    world.expect_no_writes();
    world.slack.read_all();
}
