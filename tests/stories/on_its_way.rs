//! A write that nobody has read back yet is on its way: neither silence, nor the breaker, nor a second request forgets it.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::{Answer, Breaker, Budget, Opened};
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::given::{disabled_without_a_word, found};
use crate::policies::{AGENCY, closing};

const EVIL: &str = "{ domain: [evil.example] }";

fn busy_reads(world: &World) {
    let busy = Failure::Status(503, RetryAfter::Seconds(60));
    let all = |_| [Fault::new("GET", "/users", busy), Fault::new("POST", "/$batch", busy)];
    world.next_faults((0..400).flat_map(all));
}

/// It is ours, whatever has been read of it.
async fn expect_undone(world: &mut World, guest: Guest) {
    let id = world.incident(guest).await.id;
    let answer = world.undo(&id).await;
    world.forget_writes("/");
    world.slack.read_all();
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
}

/// Disabled, and whoever did it died before the read-back. Since then no read is answered.
async fn blind(policy: &str) -> (World, Guest) {
    let (mut world, sam) = found(policy, "sam@evil.example").await;
    world.hang_at("GET", "/users", 0);
    world.kill_during("remediate").await;
    world.expect_disabled(sam);
    busy_reads(&world);
    world.restart().await;
    busy_reads(&world);
    (world, sam)
}

/// Accepted; then no read is answered for long. It was ours.
#[tokio::test]
async fn what_was_sent_is_ours_although_no_read_was_answered() {
    let (mut world, sam) = blind(&closing(EVIL, "disable")).await;
    world.settle_for(SignedDuration::from_hours(8)).await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    expect_undone(&mut world, sam).await;
}

/// The write was accepted and every read after it fails (no crash).
#[tokio::test]
async fn what_was_sent_blindly_is_given_back_to_whom_is_admitted_since() {
    let (mut world, sam) = blind(&closing(EVIL, "disable")).await;
    world.settle_for(SignedDuration::from_hours(8)).await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.change_policy(&closing("{ domain: [other.example] }", "disable"));
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(sam);
    world.settle().await;
    expect_undone(&mut world, sam).await;
}

/// No crash: accepted, and the reads of the next twenty minutes are answered with 503.
#[tokio::test]
async fn reads_that_are_refused_for_twenty_minutes_disprove_nothing() {
    let (mut world, sam) = found(&closing(EVIL, "disable"), "sam@evil.example").await;
    let lag = SignedDuration::from_secs(50);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.run("remediate").await;
    busy_reads(&world);
    world.settle_for(SignedDuration::from_mins(20)).await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    expect_undone(&mut world, sam).await;
}

/// The answer was lost, reads lag, and the breaker opens before the next try.
#[tokio::test]
async fn the_breaker_forgets_no_write_that_is_on_its_way() {
    let (mut world, sam) = disabled_without_a_word().await;
    world.forget_writes("/users/");
    let now = world.clock.now();
    let opened = Some(Opened { at: now, budget: Budget::Newcomers, limit: 3 });
    world
        .store
        .ledger
        .update::<Breaker>("writes", |b| Some(Breaker { opened: opened.clone(), ..b.unwrap_or_default() }))
        .await
        .unwrap();
    world.settle().await;
    world.forget_writes("/users/");
    expect_undone(&mut world, sam).await;
}

/// An undo waits for a group that Graph does not know; what it gave back, somebody takes away; the undo is asked for again.
#[tokio::test]
async fn an_undo_that_is_asked_for_twice_gives_nothing_twice() {
    let mut world = World::with_policy(&closing(EVIL, "leave-groups")).await;
    let (a, b) = (world.tenant.group("Alpha"), world.tenant.group("Beta"));
    let sam = world.tenant.invite("sam@evil.example");
    world.tenant.join(sam, a);
    world.tenant.join(sam, b);
    world.settle().await;
    assert!(!world.tenant.is_member(sam, a) && !world.tenant.is_member(sam, b));
    world.forget_writes("/");
    world.clock.advance(SignedDuration::from_hours(1));
    let id = world.incident(sam).await.id;
    world.simulator.set_faults(|faults| faults.queued.clear());
    let missing = |_| Fault::new("GET", &format!("/groups/{}", b.id()), Failure::NotFound);
    world.next_faults((0..60).map(missing));
    world.ask_undo(&id, false).await;
    world.wake_what_is_due().await;
    world.run("remediate").await;
    world.settle_for(SignedDuration::from_mins(6)).await;
    world.tenant.leave(sam, a);
    world.settle_for(SignedDuration::from_mins(5)).await;
    world.forget_writes("/");
    world.ask_undo(&id, false).await;
    world.wake_what_is_due().await;
    world.run("remediate").await;
    world.settle_for(SignedDuration::from_mins(1)).await;
    world.forget_writes("/");
    world.slack.read_all();
    assert!(!world.tenant.is_member(sam, a), "given again what somebody took");
}

/// A rule did it, a graver one speaks for it since. What was undone under the one's name is not ours under the other's.
#[tokio::test]
async fn what_was_undone_for_the_speaker_is_undone_for_whom_it_speaks() {
    let one = closing(EVIL, "disable").replace("severity: high", "severity: low");
    let two = format!("{one}  - id: worse\n    severity: high\n    if: {EVIL}\n    then: [disable]\n");
    let (mut world, sam) = found(&one, "sam@evil.example").await;
    world.run("remediate").await;
    world.clock.advance(SignedDuration::from_secs(30));
    world.change_policy(&two);
    world.tenant.stir(sam);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(20));
    world.run("assess").await;
    world.run("remediate").await;
    world.clock.advance(SignedDuration::from_secs(1));
    let all = world.incidents(sam).await;
    let worse = all.iter().find(|i| i.key.rule.to_string() == "worse").unwrap().id.clone();
    let closed = all.iter().find(|i| i.key.rule.to_string() != "worse").unwrap().id.clone();
    world.ask_undo(&worse, false).await;
    world.wake_what_is_due().await;
    world.run("remediate").await;
    assert!(world.tenant.is_enabled(sam));
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(20));
    world.run("assess").await;
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(24));
    world.tenant.stir(sam);
    world.settle().await;
    let answer = world.undo(&closed).await;
    world.forget_writes("/");
    world.slack.read_all();
    assert!(!world.tenant.is_enabled(sam), "what an admin took was given back: {answer:?}");
}

/// An owner, of whom people were told, is a member for a moment, too. Nobody hears Graph's answer to the write that ends that, and
/// the next look finds him an owner only, of whom the action takes nothing.
#[tokio::test]
async fn what_was_done_to_an_owner_is_told_although_nothing_is_left_of_what_asked_for_it() {
    let mut world = World::with_policy(AGENCY).await;
    let (sam, sales) = (world.tenant.invite("sam@northwind.example"), world.tenant.group("Sales"));
    world.settle().await;
    world.tenant.own(sam, sales);
    world.settle().await;
    assert!(world.slack.next_text().contains("nothing was done"));
    world.simulator.set_faults(|faults| faults.stale = None);
    world.tenant.join(sam, sales);
    world.deliver().await;
    world.run("assess").await;
    world.next_faults((0..6).map(|_| Fault::new("DELETE", "/groups", Failure::LostAnswer)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.expect_no_member(sam, sales);
    assert_eq!(world.states(sam).await, ["open"]);
    world.deliver().await;
    world.run("assess").await;
    world.settle().await;
    assert_eq!(world.states(sam).await, ["done"]);
    let told = world.slack.next_text();
    assert!(
        told.contains("Removed the guest from the group `Sales`") && told.contains("guestlist undo"),
        "{told}"
    );
    world.live_on(SignedDuration::from_hours(24)).await;
    world.slack.expect_silence();
    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    world.expect_member_again(sam, sales);
    world.slack.read_all();
}

#[tokio::test]
async fn a_write_that_shows_after_sixteen_minutes_stays_ours() {
    let (mut world, sam) = found(&closing(EVIL, "disable"), "sam@evil.example").await;
    world.simulator.set_faults(|faults| {
        faults.stale = Some(Stale { lag: SignedDuration::from_mins(16), chance: 1.0 });
    });
    world.live_on(SignedDuration::from_hours(2)).await;
    world.simulator.set_faults(|faults| faults.stale = None);
    world.live_on(SignedDuration::from_hours(30)).await;
    expect_undone(&mut world, sam).await;
}
