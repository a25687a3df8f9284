//! Carries out one act of a history. An act that does not fit (a guest who is not there) is none, so that acts can be left
//! out of a history without the others meaning something else.

use std::time::Duration;

use jiff::SignedDuration;
use model::{Incident, Job, Request, RequestId, RequestKind, RequestState, State, Stop};
use queue::Collapse;
use simulator::{Faults, Invite, Redeem, Stale};
use uuid::Uuid;

use super::forge;
use super::history::{Act, History};
use super::reading::Taken;
use super::seam::Slowness;
use super::weather;
use super::witness::Witness;
use super::world::World;

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);
const ROLE: &str = "User Administrator";

pub(super) async fn play(
    world: &mut World,
    witness: &mut Witness,
    history: &History,
    act: Act,
) -> anyhow::Result<()> {
    witness.look_at_writes(world);
    let people = world.simulator.tenant();
    let now = world.clock.now();
    let guest = |n: usize| world.guests.get(n % world.guests.len().max(1)).copied();
    let group = |n: usize| world.groups[n % world.groups.len()];
    match act {
        Act::Invite { domain, days_ago } => {
            let address = format!("g{}@{domain}", world.guests.len());
            let invite = Invite { days_ago, ..Invite::new(&address, simulator::contoso::ALICE) };
            let invited = people.invite(invite);
            world.guests.push(invited);
            witness.touched([invited], now);
            if history.protects && world.guests.len() == 1 {
                world.take_policy(history.book, history.reach, true)?;
            }
        }
        Act::Redeem(n) => {
            let pending = |guest: &Uuid| {
                let user = people.user(*guest);
                user.is_some_and(|user| user.external_user_state.as_deref() == Some("PendingAcceptance"))
            };
            if let Some(guest) = guest(n).filter(pending) {
                people.redeem(guest, Redeem::Entra)?;
                witness.touched([guest], now);
            }
        }
        Act::Mail { guest: n, domain } => {
            let mail = format!("g{n}@{domain}");
            let differs =
                |guest: &Uuid| people.user(*guest).is_some_and(|user| user.mail.as_ref() != Some(&mail));
            if let Some(guest) = guest(n).filter(differs) {
                people.set(guest, |user| user.mail = Some(mail))?;
                witness.touched([guest], now);
            }
        }
        Act::Join { guest: n, group: at } => {
            if let Some(guest) =
                guest(n).filter(|guest| is_there(world, *guest) && !people.is_member(group(at), *guest))
            {
                people.add_member(group(at), guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Leave { guest: n, group: at } => {
            if let Some(guest) = guest(n).filter(|guest| people.is_member(group(at), *guest)) {
                people.remove_member(group(at), guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Own { guest: n, group: at } => {
            if let Some(guest) =
                guest(n).filter(|guest| is_there(world, *guest) && !people.is_owner(group(at), *guest))
            {
                people.add_owner(group(at), guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Disown { guest: n, group: at } => {
            if let Some(guest) = guest(n).filter(|guest| people.is_owner(group(at), *guest)) {
                people.remove_owner(group(at), guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Colleague { group: at } => {
            let (group, dave) = (group(at), world.dave);
            let there = people.is_owner(group, dave);
            if there { people.remove_owner(group, dave)? } else { people.add_owner(group, dave)? }
        }
        Act::Rename { group: at, name } => {
            people.rename_group(group(at), name)?;
        }
        Act::Label { group: at, label } => {
            people.set_label(group(at), label)?;
        }
        Act::Delete(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_there(world, *guest)) {
                people.delete_user(guest)?;
            }
        }
        Act::Restore(n) => {
            if let Some(guest) = guest(n).filter(|guest| !is_there(world, *guest)) {
                people.restore_user(guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Enable(n) => {
            if let Some(guest) = guest(n).filter(|guest| !is_enabled(world, *guest)) {
                people.enable(guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Disable(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_enabled(world, *guest)) {
                people.disable(guest)?;
                witness.touched([guest], now);
            }
        }
        Act::Role { guest: n, has } => {
            if let Some(guest) = guest(n) {
                world.roles.retain(|holder| *holder != guest);
                if has {
                    world.roles.push(guest);
                    people.assign_role(guest, ROLE)?;
                } else {
                    people.remove_role(guest, ROLE);
                }
                witness.unheard = true;
            }
        }
        Act::Policy { book, reach, protects } => {
            world.take_policy(book, reach, protects)?;
            witness.unheard = true;
        }
        Act::Contradict(n) => contradict(world, witness, n)?,
        Act::Approve(_) | Act::Reject(_) | Act::Undo { .. } | Act::ResetBreaker => {
            operate(world, witness, act).await?;
        }
        Act::Weather(number) => {
            let lost = world.simulator.faults().notifications.lost;
            let (faults, slowness) = weather::draw(number, lost);
            world.simulator.set_faults(|all| *all = faults);
            world.seam.slow(slowness);
        }
        Act::Stop(true) => {
            let stop = Stop { since: now, by: "carol".to_owned(), reason: "looking into it".to_owned() };
            world.store.ledger.set_stop(&stop).await?;
        }
        Act::Stop(false) => {
            world.store.ledger.clear_stop().await?;
        }
        Act::Calm => calm(world),
        Act::Chat { down } => world.chat.set_down(down),
        Act::RevokeTokens => world.simulator.revoke_tokens(),
        Act::Forge { how, guest: n } => {
            if let Some(guest) = guest(n) {
                forge::post(world, how, guest).await;
            }
        }
        Act::Die { after_steps, back_after_s, takes_over } => {
            die(world, after_steps, back_after_s, takes_over).await?;
        }
        Act::Jump { minutes } => jump(world, witness, SignedDuration::from_mins(minutes)),
        Act::Days(days) => {
            for _ in 0..days {
                jump(world, witness, SignedDuration::from_hours(20));
                // Long enough for whoever renews the subscriptions.
                tokio::time::sleep(Duration::from_secs(90)).await;
                witness.look_at_writes(world);
            }
        }
        Act::Abandon { group: at } => {
            let (group, bob) = (group(at), simulator::contoso::BOB);
            let there = people.is_owner(group, bob);
            if there { people.remove_owner(group, bob)? } else { people.add_owner(group, bob)? }
        }
        Act::Lose(loses) => {
            world.simulator.set_faults(|faults| faults.notifications.lost = if loses { 0.5 } else { 0.0 });
        }
        Act::LoseSubscription => {
            if let Some(first) = world.simulator.subscriptions().first() {
                world.simulator.lose_subscription(first.id);
            }
        }
        Act::Outage { hours } => {
            world.kill().await;
            world.clock.jump(SignedDuration::from_hours(hours));
            witness.clock_jumped(world.clock.now(), SignedDuration::from_hours(hours));
            world.start(true).await?;
        }
    }
    witness.note(world);
    world.seam.ring();
    Ok(())
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

fn is_enabled(world: &World, guest: Uuid) -> bool {
    world.simulator.tenant().user(guest).is_some_and(|user| user.enabled)
}

fn is_there(world: &World, guest: Uuid) -> bool {
    world.simulator.tenant().user(guest).is_some_and(|user| user.deleted_at.is_none())
}

/// Within so many steps of its own, or after a minute in which it has nothing to do.
async fn die(world: &mut World, after_steps: u64, back_after_s: u64, takes_over: bool) -> anyhow::Result<()> {
    world.seam.dies_in(Some(after_steps));
    let _idle = tokio::time::timeout(Duration::from_secs(60), world.seam.death()).await;
    world.kill().await;
    tokio::time::sleep(Duration::from_secs(back_after_s)).await;
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

/// The contrary of one of the last things that we did, by an administrator.
fn contradict(world: &World, witness: &mut Witness, n: usize) -> anyhow::Result<()> {
    let people = world.simulator.tenant();
    let count = witness.changes.len();
    let Some(change) =
        count.checked_sub(1 + n % count.max(1)).and_then(|at| witness.changes.get(at).copied())
    else {
        return Ok(());
    };
    if !is_there(world, change.guest) {
        return Ok(());
    }
    match (change.taken, change.given) {
        (Taken::SignIn, false) => people.enable(change.guest)?,
        (Taken::SignIn, true) => people.disable(change.guest)?,
        (Taken::Membership(group), false) => people.add_member(group, change.guest)?,
        (Taken::Membership(group), true) => people.remove_member(group, change.guest)?,
        (Taken::Ownership(group), false) => people.add_owner(group, change.guest)?,
        (Taken::Ownership(group), true) => people.remove_owner(group, change.guest)?,
    }
    Ok(())
}

async fn operate(world: &mut World, witness: &mut Witness, act: Act) -> anyhow::Result<()> {
    let now = world.clock.now();
    let incidents = current(world).await?;
    let waiting: Vec<&Incident> = incidents.iter().filter(|one| one.state.waits().is_some()).collect();
    let whose = |incident: &Incident| incident.key.guest.to_string().parse::<Uuid>().unwrap_or_default();
    let kind = match act {
        Act::Approve(n) => {
            let Some(one) = waiting.get(n % waiting.len().max(1)) else { return Ok(()) };
            witness.approved.entry(whose(one)).or_default().push(now);
            RequestKind::Approve { incident: one.id.clone(), plan: one.question() }
        }
        Act::Reject(n) => {
            let Some(one) = waiting.get(n % waiting.len().max(1)) else { return Ok(()) };
            witness.rejected.entry(whose(one)).or_insert(now);
            RequestKind::Reject { incident: one.id.clone(), suspend_for: WEEK }
        }
        Act::Undo { incident: n, force } => {
            // Mostly of what was done, sometimes of whatever it is.
            let acted = |one: &&Incident| !matches!(one.state, State::Open | State::Waiting { .. });
            let acted: Vec<&Incident> = incidents.iter().filter(acted).collect();
            let chosen = if acted.is_empty() || n == 0 { incidents.iter().collect() } else { acted };
            let Some(one) = chosen.get(n % chosen.len().max(1)) else { return Ok(()) };
            witness.undone.entry(whose(one)).or_insert(now);
            RequestKind::Undo { incident: one.id.clone(), suspend_for: WEEK, force }
        }
        _ => RequestKind::ResetBreaker,
    };
    let request = RequestId(format!("request-{}", world.seam.trace().exchanges));
    let asked = Request {
        id: request.clone(),
        kind,
        by: "carol".to_owned(),
        reason: "she has looked at it".to_owned(),
        asked_at: now,
        state: RequestState::Waiting,
    };
    // Asked twice at one moment: once is enough.
    if world.store.ledger.request(&request).await?.is_some() {
        return Ok(());
    }
    world.store.ledger.insert(asked).await?;
    let job = Job::Serve { request: request.clone() };
    let wake = responder::move_of(format!("request/{request}"), &job, now, Collapse::Earliest)?;
    world.store.queues.remediations.send(vec![wake], now).await?;
    world.look();
    Ok(())
}

/// The incidents that stand in their slots.
pub(super) async fn current(world: &World) -> anyhow::Result<Vec<Incident>> {
    let filter = ledger::IncidentFilter::default();
    let page = world.store.ledger.incidents(&filter, None, 10_000).await?;
    Ok(page.incidents.into_iter().map(|stored| stored.value).collect())
}

/// Something of the guest changes that no rule looks at.
pub(super) fn stir(world: &World, witness: &mut Witness, guest: Uuid) -> anyhow::Result<()> {
    let now = world.clock.now();
    world.simulator.tenant().set(guest, |user| user.display_name.push_str(" again"))?;
    witness.touched([guest], now);
    world.seam.ring();
    Ok(())
}
