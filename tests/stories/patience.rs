//! Whoever asks for patience is left alone for as long as he asks, whatever else wakes up meanwhile.

use guestlist_tests::World;
use jiff::SignedDuration;
use simulator::{Failure, Fault, RetryAfter};

use crate::clocks::{HOUR, MINUTE};
use crate::given::{disabled, found};
use crate::policies::PARTNERS_ONLY;
use crate::telling::catch;

const TURN: SignedDuration = SignedDuration::from_secs(15);

/// What the timers of a real process do for so long.
async fn turns(world: &mut World, many: usize) {
    for _ in 0..many {
        world.clock.advance(TURN);
        world.wake_what_is_due().await;
        world.settle_now().await;
    }
}

/// How many of the failures have struck.
fn struck(world: &World, of: usize) -> usize {
    let mut left = 0;
    world.simulator.set_faults(|faults| left = faults.queued.len());
    of - left
}

fn leave(world: &World) {
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.forget_writes("/");
    world.slack.texts();
}

/// Graph asks for half an hour of patience. The steward sends the request again every 15 s, due at once.
#[tokio::test]
async fn an_undo_waits_for_as_long_as_graph_asks_for() {
    let (mut world, _, id) = disabled().await;
    let busy = || Fault::any("/$batch", Failure::Throttled(RetryAfter::Seconds(1_800)));
    world.next_faults((0..2_000).map(|_| busy()));
    let _ = world.ask_undo(&id, false).await;
    world.settle_now().await;
    let first = struck(&world, 2_000);
    turns(&mut world, 80).await;
    let asked = struck(&world, 2_000) - first;
    leave(&world);
    assert_eq!(asked, 0, "batches within the 20 minutes after `Retry-After: 1800`");
}

/// The same of an incident whose judgement needs our verified domains, which Graph does not give at the moment.
#[tokio::test]
async fn a_remediation_waits_for_as_long_as_graph_asks_for() {
    let (world, _) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    let busy = || Fault::any("/organization", Failure::Throttled(RetryAfter::Seconds(1_800)));
    world.next_faults((0..2_000).map(|_| busy()));
    world.run("remediate").await;
    let first = struck(&world, 2_000);
    for _ in 0..80 {
        world.clock.advance(TURN);
        world.wake_what_is_due().await;
        world.run("remediate").await;
    }
    let asked = struck(&world, 2_000) - first;
    leave(&world);
    assert_eq!(asked, 0, "batches within the 20 minutes after `Retry-After: 1800`");
}

/// The message is gone, as after a restore of a backup; the request stands in the ledger.
#[tokio::test]
async fn a_request_whose_message_was_lost_is_served_all_the_same() {
    let (mut world, guest, id) = disabled().await;
    let _ = world.ask_undo(&id, false).await;
    let (queue, now) = (world.store.queues.remediations.clone(), world.clock.now());
    for claimed in queue.claim(now, MINUTE, 100).await.unwrap() {
        queue.ack(&claimed).await.unwrap();
    }
    turns(&mut world, 12).await;
    world.expect_enabled_again(guest);
    world.slack.texts();
}

/// A chat asks for twenty hours of patience.
#[tokio::test]
async fn a_roll_up_waits_for_as_long_as_the_channel_asks_for() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    for _ in 0..6 {
        world.slack.answer_once(429, &[("retry-after", "72000")], "");
    }
    turns(&mut world, 60).await;
    let told = world.slack.count();
    leave(&world);
    assert_eq!(told, 0, "within 15 minutes it was asked seven times or more");
}

/// Six hours at most; and what else there is to tell brings it no nearer.
#[tokio::test]
async fn a_roll_up_that_was_put_off_is_told_with_what_came_in_since() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.slack.answer_once(429, &[("retry-after", "10000")], "");
    turns(&mut world, 30).await;
    assert_eq!(world.slack.count(), 0, "it has asked for hours");
    catch(&mut world, "g12").await;
    turns(&mut world, 40).await;
    assert_eq!(world.slack.count(), 0, "a new line pulls it no nearer");
    world.live_on(HOUR * 3).await;
    let told = world.slack.texts().join("\n");
    leave(&world);
    for n in 10..13 {
        assert!(told.contains(&format!("g{n}@northwind")), "{told}");
    }
}
