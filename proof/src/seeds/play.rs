//! Carries out one act of a history. An act that does not fit (a guest who is not there) is none, so that acts can be left
//! out of a history without the others meaning something else.

use std::time::Duration;

use jiff::SignedDuration;
use model::{Resumed, Stop};
use simulator::{Faults, Lifecycle, Stale};

use super::acts::{Act, Event};
use super::seam::Slowness;
use super::witness::Witness;
use super::world::World;
use super::{assessed, forge, operate, people, weather};

pub(super) async fn play(world: &mut World, witness: &mut Witness, act: Act) -> anyhow::Result<()> {
    witness.look_at_writes(world);
    let now = world.clock.now();
    match act {
        Act::Invite { .. }
        | Act::InviteBy { .. }
        | Act::Outsider { .. }
        | Act::Convert(_)
        | Act::Redeem(_)
        | Act::Mail { .. }
        | Act::Join { .. }
        | Act::Leave { .. }
        | Act::Own { .. }
        | Act::Disown { .. }
        | Act::Colleague { .. }
        | Act::Abandon { .. }
        | Act::Rename { .. }
        | Act::Label { .. }
        | Act::DeleteGroup(_)
        | Act::RestoreGroup(_)
        | Act::Delete(_)
        | Act::Restore(_)
        | Act::Purge(_)
        | Act::Reclaim { .. }
        | Act::Enable(_)
        | Act::Disable(_)
        | Act::Role { .. } => people::act(world, witness, act)?,
        Act::Policy { book, reach, protects } => {
            world.protects = protects;
            world.take_policy(book, reach, protects)?;
        }
        Act::Contradict(n) => people::contradict(world, witness, n)?,
        Act::Approve(_) | Act::Reject(_) | Act::Undo { .. } | Act::ResetBreaker => {
            operate::operate(world, witness, act).await?;
        }
        Act::Weather(number) => {
            let lost = world.simulator.faults().notifications.lost;
            let (faults, slowness) = weather::draw(number, lost);
            witness.lags.change(now, &faults);
            world.simulator.set_faults(|all| *all = faults);
            world.seam.slow(slowness);
        }
        Act::Stop(true) => {
            let (since, by) = (now, "carol".to_owned());
            let stop = Stop { since, by, reason: "looking into it".to_owned(), ended: None };
            world.store.ledger.set_stop(&stop).await?;
        }
        Act::Stop(false) => resume(world).await?,
        Act::Calm => {
            calm(world);
            witness.lags.change(now, &world.simulator.faults());
        }
        Act::Chat { down } => world.chat.set_down(down),
        Act::RevokeTokens => world.simulator.revoke_tokens(),
        Act::Forge { how, guest: n } => {
            if let Some(guest) = world.guests.get(n % world.guests.len().max(1)).copied() {
                forge::post(world, how, guest).await;
            }
        }
        Act::Die { after_steps, back_after_s, takes_over } => {
            die(world, witness, (after_steps, back_after_s, takes_over)).await?;
        }
        Act::Jump { minutes } => jump(world, witness, SignedDuration::from_mins(minutes)),
        Act::Days(days) => {
            for _ in 0..days {
                jump(world, witness, SignedDuration::from_hours(20));
                // Long enough for whoever renews the subscriptions.
                assessed::sleep(world, witness, Duration::from_secs(90)).await?;
                witness.look_at_writes(world);
            }
        }
        Act::Ceiling(ceiling) => {
            world.kill().await;
            world.policy.ceiling = ceiling;
            world.start(true).await?;
        }
        Act::Skew { minutes } => skew(world, witness, SignedDuration::from_mins(minutes)),
        Act::Lose(loses) => {
            world.simulator.set_faults(|faults| faults.notifications.lost = if loses { 0.5 } else { 0.0 });
        }
        Act::LoseSubscription => {
            if let Some(first) = world.simulator.subscriptions().first() {
                world.simulator.lose_subscription(first.id);
            }
        }
        Act::Lifecycle { subscription: n, event } => {
            let all = world.simulator.subscriptions();
            if let Some(one) = all.get(n % all.len().max(1)) {
                match event {
                    Event::Missed => world.simulator.send_lifecycle(one.id, Lifecycle::Missed),
                    Event::Removed => world.simulator.send_lifecycle(one.id, Lifecycle::SubscriptionRemoved),
                    Event::Reauthorize => world.simulator.require_reauthorization(one.id),
                    Event::Unknown => {
                        let unknown = Lifecycle::Unknown("subscriptionPaused".to_owned());
                        world.simulator.send_lifecycle(one.id, unknown)
                    }
                };
            }
        }
        Act::ForgetDeltas => world.simulator.expire_delta_tokens(),
        Act::Outage { hours } => {
            world.kill().await;
            world.clock.jump(SignedDuration::from_hours(hours));
            witness.clock_jumped(world.clock.now(), SignedDuration::from_hours(hours));
            world.start(true).await?;
        }
    }
    witness.note(world);
    world.seam.ring();
    assessed::look(world, witness).await
}

/// As on a good day: replicas lag a little.
pub(super) fn calm(world: &World) {
    let lost = world.simulator.faults().notifications.lost;
    let stale = Stale { lag: SignedDuration::from_secs(3), chance: 1.0 };
    world.simulator.set_faults(|faults| {
        *faults = Faults { stale: Some(stale), ..Faults::default() };
        faults.notifications.lost = lost;
    });
    world.seam.slow(Slowness::default());
}

/// Writes are allowed again, if they were stopped.
pub(super) async fn resume(world: &World) -> anyhow::Result<()> {
    let (at, by) = (world.clock.now(), "carol".to_owned());
    world.store.ledger.end_stop(&Resumed { at, by, reason: "it is over".to_owned() }).await?;
    Ok(())
}

/// Within so many steps of its own, or after a minute in which it has nothing to do.
async fn die(
    world: &mut World,
    witness: &mut Witness,
    (after_steps, back_after_s, takes_over): (u64, u64, bool),
) -> anyhow::Result<()> {
    world.seam.dies_in(Some(after_steps));
    let _idle = tokio::time::timeout(Duration::from_secs(60), world.seam.death()).await;
    world.kill().await;
    assessed::sleep(world, witness, Duration::from_secs(back_after_s)).await?;
    world.start(takes_over).await
}

/// Never past the end of a subscription: what is told then nobody hears, and that is for reconciliation.
fn jump(world: &World, witness: &mut Witness, by: SignedDuration) {
    let end = world.clock.now().saturating_add(by).unwrap_or(jiff::Timestamp::MAX);
    let margin = SignedDuration::from_hours(6);
    let outlasts = |one: &simulator::Subscription| one.expires_at.duration_since(end) > margin;
    let subscriptions = world.simulator.subscriptions();
    if subscriptions.len() == 2 && subscriptions.iter().all(outlasts) {
        world.clock.jump(by);
        witness.clock_jumped(world.clock.now(), by);
        world.look();
    }
}

/// Our clock is wrong from now on. What waited for a moment of ours is looked at again.
fn skew(world: &World, witness: &mut Witness, by: SignedDuration) {
    world.clock.skew(by);
    witness.skewed = witness.skewed.max(by.abs());
    world.look();
}
