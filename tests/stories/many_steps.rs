//! Plans of several steps: one that grows while it is carried out, one of which a part is for a person, and an undo of
//! which somebody takes a part away again.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, Step};
use simulator::{Failure, Fault, NewGroup, RetryAfter};

use crate::policies::{asking, closing};

const BLOCKED: &str = "{ domain: [evil.example] }";
const OWNS: &str = "{ joins: { any_group: true }, as: owner }";

fn remove(guest: Guest, group: Group) -> Step {
    Step::RemoveMember { user: guest.id(), group: group.id() }
}

/// A worker is taking the guest out of his first group, and Graph lets it wait for 0.8 seconds. He joins the second one
/// meanwhile, and that is seen.
async fn grown_meanwhile() -> (World, Guest, [Group; 2], tokio::task::JoinHandle<()>) {
    let mut world = World::with_policy(&closing(BLOCKED, "leave-groups")).await;
    world.assembly.patience = std::time::Duration::from_secs(2);
    world.restart().await;
    let (first, second) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.unnoticed(|tenant| tenant.join(mallory, first));
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(mallory);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(10));
    world.simulator.set_faults(|faults| faults.stale = None);
    world.run("assess").await;
    world.next_faults([Fault::new("DELETE", "/groups", Failure::Throttled(RetryAfter::Decimals(0.8)))]);
    let worker = world.worker("remediate").clone();
    let slow = tokio::spawn(async move {
        worker.run_due(1).await.unwrap();
    });
    while world.calls_below("DELETE", "/groups") == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    world.forget_writes("/members/");
    world.tenant.join(mallory, second);
    world.clock.advance(SignedDuration::from_secs(10));
    world.deliver().await;
    world.run("assess").await;
    let incident = world.incident(mallory).await;
    assert_eq!(incident.state.word(), "claimed");
    assert_eq!(incident.plan().steps, [remove(mallory, first), remove(mallory, second)]);
    (world, mallory, [first, second], slow)
}

#[tokio::test]
async fn a_plan_that_grew_meanwhile_is_not_done_before_all_of_it_is() {
    let (mut world, mallory, [first, second], slow) = grown_meanwhile().await;
    slow.await.unwrap();
    let incident = world.incident(mallory).await;
    world.expect_no_member(mallory, first);
    world.expect_member(mallory, second);
    assert!(incident.has_achieved(remove(mallory, first)));
    assert!(!incident.has_achieved(remove(mallory, second)), "{}: he is in it", incident.state.word());
    assert_ne!(incident.state.word(), "done");
    // It goes on at once, and not when somebody looks again.
    world.settle_for(SignedDuration::from_mins(2)).await;
    world.expect_no_member(mallory, second);
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    world.settle().await;
    world.expect_no_writes();
    let told = world.slack.texts();
    assert!(told.iter().all(|text| !text.contains("changed it back")), "{told:?}");
    let both = |text: &&String| text.starts_with("Removed guest mallory@evil[.]example from 2 groups");
    assert_eq!(told.iter().filter(both).count(), 1, "{told:?}");
    world.undo(&incident.id).await;
    for group in [first, second] {
        world.expect_member_again(mallory, group);
    }
    world.slack.read_all();
}

#[tokio::test]
async fn what_a_plan_that_grew_meanwhile_has_not_done_is_not_told_as_done() {
    let (mut world, mallory, [first, second], slow) = grown_meanwhile().await;
    slow.await.unwrap();
    world.expect_no_member(mallory, first);
    // Nobody goes on: Graph does not answer the next write, and people are told how it stands.
    world.next_faults(
        (0..40).map(|_| Fault::new("DELETE", "/groups", Failure::Status(503, RetryAfter::Seconds(300)))),
    );
    world.settle_for(SignedDuration::from_mins(4)).await;
    assert!(world.tenant.is_member(mallory, second));
    world.forget_writes("/members/");
    let told = world.slack.texts();
    for wrong in [
        "Removed guest mallory@evil[.]example from 2 groups",
        "removed the guest from the group `Trips`",
        "no member of the group `Trips`",
    ] {
        assert_eq!(told.iter().find(|text| text.contains(wrong)), None, "{wrong}");
    }
    world.simulator.calm();
    world.settle().await;
    world.slack.read_all();
    world.forget_writes("/members/");
}

/// Disabled, taken out of one group and later out of another. An undo has given the second back, and Graph has put off
/// the rest for ten minutes.
async fn half_undone() -> (World, Guest, [Group; 2]) {
    let mut world = World::with_policy(&closing(BLOCKED, "disable, leave-groups")).await;
    let (first, second) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, first).await;
    world.tenant.join(mallory, second);
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, first);
    world.expect_no_member(mallory, second);
    world.slack.read_all();
    world.clock.advance(SignedDuration::from_mins(30));
    world.simulator.set_faults(|faults| faults.stale = None);
    let id = world.incident(mallory).await.id;
    let request = world.ask_undo(&id, false).await;
    let put_off = |method, path: &str| Fault::new(method, path, Failure::Throttled(RetryAfter::Seconds(600)));
    world.next_faults([put_off("PATCH", "/users"), put_off("POST", &format!("/groups/{}", first.id()))]);
    world.run("remediate").await;
    // Only one of them was tried.
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    assert_eq!(world.incident(mallory).await.state.word(), "undoing");
    assert!(
        world.tenant.is_member(mallory, second),
        "the last that was taken is the first that is given back"
    );
    assert!(!world.tenant.is_member(mallory, first) && !world.tenant.is_enabled(mallory));
    world.forget_writes("/members/");
    world.forget_writes("/users/");
    (world, mallory, [second, first])
}

#[tokio::test]
async fn what_somebody_takes_away_during_an_undo_does_not_keep_the_rest_from_being_given_back() {
    let (mut world, mallory, [given, put_off]) = half_undone().await;
    // Long enough after it was given back that no lag explains it.
    world.clock.advance(SignedDuration::from_mins(6));
    world.tenant.leave(mallory, given);
    world.settle().await;
    world.expect_member_again(mallory, put_off);
    world.expect_enabled_again(mallory);
    world.expect_no_writes();
    assert!(!world.tenant.is_member(mallory, given), "somebody took it away again");
    assert_eq!(world.states(mallory).await, ["undone"]);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("Undone for guest mallory@evil[.]example"), "{told}");
}

#[tokio::test]
async fn an_undo_is_not_over_while_something_was_not_sent() {
    let (mut world, mallory, [given, put_off]) = half_undone().await;
    world.clock.advance(SignedDuration::from_mins(6));
    world.tenant.leave(mallory, given);
    world.clock.advance(SignedDuration::from_mins(5));
    let busy = |method, path| Fault::new(method, path, Failure::Throttled(RetryAfter::Seconds(300)));
    world.next_faults([busy("PATCH", "/users"), busy("POST", "/groups")]);
    world.deliver().await;
    world.run("remediate").await;
    assert_eq!(world.states(mallory).await, ["undoing"], "two things are still to be given back");
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.settle().await;
    assert!(world.tenant.is_member(mallory, put_off) && world.tenant.is_enabled(mallory));
    assert!(!world.tenant.is_member(mallory, given));
    assert_eq!(world.states(mallory).await, ["undone"]);
    world.forget_writes("/members/");
    world.forget_writes("/users/");
    world.slack.read_all();
}

/// The last owner of a group, who was disabled: that he owns it is left to a person.
async fn last_owner(policy: &str) -> (World, Guest, Group) {
    let mut world = World::with_policy(policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    let sales = world.tenant.group_with(NewGroup { owners: vec![adele.0], ..NewGroup::named("Sales") });
    world.settle().await;
    (world, adele, sales)
}

/// However often somebody looks at him, people have been asked once and told once.
async fn expect_nothing_new(world: &mut World, adele: Guest, sales: Group, asks: usize) {
    let mut told = world.slack.texts();
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_hours(1));
        world.tenant.stir(adele);
        world.settle().await;
        told.extend(world.slack.texts());
    }
    world.expect_owner(adele, sales);
    let headlines: Vec<&str> = told.iter().filter_map(|text| text.lines().next()).collect();
    let count = |words: &str| headlines.iter().filter(|line| line.contains(words)).count();
    assert_eq!(count("the rest is for a person"), 1, "{headlines:#?}");
    assert_eq!(count("Waits for approval"), asks, "{headlines:#?}");
    assert_eq!(headlines.len(), asks + 1, "{headlines:#?}");
    assert_eq!(world.incident_in(adele, sales).await.state.word(), "partly");
}

#[tokio::test]
async fn the_rest_that_is_for_a_person_is_told_once() {
    let (mut world, adele, sales) = last_owner(&closing(OWNS, "disable, drop-ownership")).await;
    world.expect_disabled(adele);
    expect_nothing_new(&mut world, adele, sales, 0).await;
}

#[tokio::test]
async fn nobody_is_asked_again_for_the_rest_that_is_for_a_person() {
    let policy = asking(&closing(OWNS, "disable, drop-ownership"));
    let (mut world, adele, sales) = last_owner(&policy).await;
    let id = world.incident_in(adele, sales).await.id;
    world.approve(&id).await;
    world.expect_disabled(adele);
    expect_nothing_new(&mut world, adele, sales, 1).await;
}

/// Once there is another owner, it can be done, and somebody looks at it when that is seen.
#[tokio::test]
async fn the_rest_that_was_for_a_person_is_done_once_it_can_be() {
    let (mut world, adele, sales) = last_owner(&closing(OWNS, "disable, drop-ownership")).await;
    world.expect_disabled(adele);
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.0.add_owner(sales.0, simulator::contoso::BOB).unwrap();
    world.settle().await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_no_owner(adele, sales);
    assert_eq!(world.incident_in(adele, sales).await.state.word(), "done");
    world.slack.read_all();
}

/// Disabled, and in a group that only somebody on premises can take him out of.
async fn left_in_one(policy: &str) -> (World, Guest, Group) {
    let mut world = World::with_policy(policy).await;
    let cellar = world.tenant.group_with(NewGroup { synced: true, ..NewGroup::named("From the cellar") });
    world.settle().await;
    let mallory = world.guest_today("mallory@evil.example");
    world.meet_in(mallory, cellar).await;
    world.expect_disabled(mallory);
    world.expect_no_writes();
    assert_eq!(world.states(mallory).await, ["partly"]);
    world.slack.read_all();
    (world, mallory, cellar)
}

/// A person takes him out, and somebody puts him in again. The notification of that comes before any read shows it.
async fn expect_not_done(policy: &str) {
    let (mut world, mallory, cellar) = left_in_one(policy).await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.unnoticed(|tenant| tenant.leave(mallory, cellar));
    world.clock.advance(SignedDuration::from_mins(10));
    let lag = SignedDuration::from_mins(1);
    world.simulator.set_faults(|faults| faults.stale = Some(simulator::Stale { lag, chance: 1.0 }));
    world.tenant.join(mallory, cellar);
    world.settle_for(SignedDuration::from_secs(30)).await;
    assert_eq!(world.states(mallory).await, ["partly"], "Graph has just told that he is in it");
    world.settle().await;
    assert_eq!(world.states(mallory).await, ["partly"]);
    let told = world.slack.texts();
    assert!(told.is_empty(), "{told:?}");
    world.expect_member(mallory, cellar);
}

#[tokio::test]
async fn a_membership_that_is_announced_and_not_visible_yet_is_not_over_for_the_rule_about_that_group() {
    expect_not_done(&closing("{ joins: { name: \"From *\" } }", "disable, leave-group")).await;
}

#[tokio::test]
async fn a_membership_that_is_announced_and_not_visible_yet_is_not_over_for_the_rule_about_the_guest() {
    expect_not_done(&closing(BLOCKED, "disable, leave-groups")).await;
}

/// All was done, and then he joins a group that only a person can take him out of.
#[tokio::test]
async fn what_is_for_a_person_is_told_although_the_rest_was_done_before() {
    let mut world = World::with_policy(&closing(BLOCKED, "disable, leave-groups")).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.slack.read_all();
    let cellar = world.tenant.group_with(NewGroup { synced: true, ..NewGroup::named("From the cellar") });
    world.settle().await;
    world.tenant.join(mallory, cellar);
    world.settle().await;
    world.expect_member(mallory, cellar);
    let told = world.slack.texts();
    assert!(told.iter().any(|text| text.contains("From the cellar")), "{told:?}");
}
