//! A channel that an operator has taken out of the settings, and what it was owed.

use guestlist_tests::{Setup, World};
use jiff::SignedDuration;
use model::{ChannelName, ChannelState};

use crate::clocks::{HOUR, MINUTE};
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

fn leave(world: &World) {
    world.forget_writes("/");
    for inbox in [&world.slack, &world.webhook, &world.teams, &world.pager] {
        inbox.texts();
    }
}

async fn channel(world: &World, name: &str) -> ChannelState {
    world.store.ledger.channel(&ChannelName(name.to_owned())).await.unwrap().unwrap().value
}

/// A channel is dead, and the operator takes another in its place.
async fn replaced() -> (World, World) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n:02}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.slack.answer_always(Some(404));
    turns(&mut world, 40).await;
    let other = World::new(Setup { teams: true, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    let mut channels = other.assembly.settings.channels.clone();
    channels.channels.retain(|one| one.name().0 == "teams");
    world.assembly.settings.channels = channels;
    world.restart().await;
    (world, other)
}

/// `guestlist status` reads the same documents: it is not well as long as one of them is broken.
#[tokio::test]
async fn a_channel_that_is_not_among_the_settings_any_more_is_no_trouble_for_ever() {
    let (mut world, other) = replaced().await;
    assert!(channel(&world, "slack").await.broken.is_some());
    world.live_on(HOUR * 24 * 10).await;
    let state = channel(&world, "slack").await;
    let woken = world.wake_what_is_due().await;
    world.settle_now().await;
    let again = world.wake_what_is_due().await;
    world.settle_now().await;
    leave(&world);
    leave(&other);
    assert!(state.broken.is_none(), "ten days later: {state:?}, woken {woken} and {again}");
}

#[tokio::test]
async fn what_a_channel_was_owed_that_was_replaced_is_told_by_the_other() {
    let (mut world, other) = replaced().await;
    world.live_on(HOUR * 24 * 10).await;
    let told = other.teams.texts().join("\n");
    let untold: Vec<String> =
        (10..12).map(|n| format!("g{n:02}@northwind")).filter(|name| !told.contains(name.as_str())).collect();
    leave(&world);
    leave(&other);
    assert!(untold.is_empty(), "disabled, and nobody was told: {untold:?}; teams heard: {told}");
}

/// A message that a dead channel is owed, when another has taken its place.
#[tokio::test]
async fn a_message_that_nobody_can_send_any_more_is_told_elsewhere_or_people_hear_of_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.slack.answer_always(Some(404));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(MINUTE * 5).await;
    let other = World::new(Setup { teams: true, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    let mut channels = other.assembly.settings.channels.clone();
    channels.channels.retain(|one| one.name().0 == "teams");
    world.assembly.settings.channels = channels;
    world.restart().await;
    world.live_on(HOUR * 24 * 2).await;
    let told = other.teams.texts().join("\n");
    let deliveries = world.incident(sam).await.deliveries;
    let notice = world.store.ledger.notice("given-up/slack").await.unwrap().is_some();
    leave(&world);
    leave(&other);
    assert!(told.contains("sam@northwind") || notice, "disabled; {deliveries:?}; teams heard: {told:?}");
}
