//! What people of the tenant do: invite, let in, rename, delete, put back. Each act looks first whether it fits.

use simulator::{Invite, NewUser, Redeem, UserType};
use uuid::Uuid;

use super::acts::Act;
use super::inviting;
use super::reading::Taken;
use super::witness::{Change, Witness};
use super::world::World;

const ROLE: &str = "User Administrator";

/// The group has no such member or owner, and is to have it; or the other way round.
#[derive(Debug, Clone, Copy)]
struct Link {
    guest: usize,
    group: usize,
    owner: bool,
    there: bool,
}

pub(super) fn act(world: &mut World, witness: &mut Witness, act: Act) -> anyhow::Result<()> {
    let people = world.simulator.tenant();
    let now = world.clock.now();
    let guest = |n: usize| world.guests.get(n % world.guests.len().max(1)).copied();
    let group = |n: usize| {
        let group = world.groups[n % world.groups.len()];
        Some(group).filter(|group| is_group(world, *group))
    };
    match act {
        Act::Invite { domain, days_ago } => {
            let address = format!("g{}@{domain}", world.guests.len());
            let invite = Invite { days_ago, ..Invite::new(&address, simulator::contoso::ALICE) };
            let invited = people.invite(invite);
            enter(world, invited)?;
        }
        Act::InviteBy { domain, who } => {
            let address = format!("g{}@{domain}", world.guests.len());
            if let Some(invited) = inviting::invite(world, who, &address)? {
                enter(world, invited)?;
            }
        }
        Act::Outsider { domain, local } => {
            let address = format!("g{}@{domain}", world.guests.len());
            let new = if local {
                people.add_user(NewUser::local_guest(&format!("g{}@contoso.com", world.guests.len())))
            } else {
                let invite = Invite::new(&address, simulator::contoso::ALICE);
                people.invite(Invite { user_type: UserType::Member, ..invite })
            };
            enter(world, new)?;
        }
        Act::Convert(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_there(world, *guest)) {
                people.set(guest, |user| {
                    user.user_type = Some(match user.user_type {
                        Some(UserType::Guest) => UserType::Member,
                        Some(UserType::Member) | None => UserType::Guest,
                    });
                })?;
            }
        }
        Act::Redeem(n) => {
            let pending = |guest: &Uuid| {
                let user = people.user(*guest);
                user.is_some_and(|user| user.external_user_state.as_deref() == Some("PendingAcceptance"))
            };
            if let Some(guest) = guest(n).filter(pending) {
                people.redeem(guest, Redeem::Entra)?;
            }
        }
        Act::Mail { guest: n, domain } => {
            let mail = format!("g{n}@{domain}");
            let differs =
                |guest: &Uuid| people.user(*guest).is_some_and(|user| user.mail.as_ref() != Some(&mail));
            if let Some(guest) = guest(n).filter(differs) {
                people.set(guest, |user| user.mail = Some(mail))?;
            }
        }
        Act::Join { guest, group } => link(world, witness, Link { guest, group, owner: false, there: true })?,
        Act::Leave { guest, group } => {
            link(world, witness, Link { guest, group, owner: false, there: false })?
        }
        Act::Own { guest, group } => link(world, witness, Link { guest, group, owner: true, there: true })?,
        Act::Disown { guest, group } => {
            link(world, witness, Link { guest, group, owner: true, there: false })?
        }
        Act::Colleague { group: n } | Act::Abandon { group: n } => {
            let is_dave = matches!(act, Act::Colleague { .. });
            let owner = if is_dave { world.dave } else { simulator::contoso::BOB };
            if let Some(group) = group(n) {
                let there = people.is_owner(group, owner);
                if there { people.remove_owner(group, owner)? } else { people.add_owner(group, owner)? }
            }
        }
        Act::Rename { group: n, name } => {
            if let Some(group) = group(n) {
                people.rename_group(group, name)?;
            }
        }
        Act::Label { group: n, label } => {
            if let Some(group) = group(n) {
                people.set_label(group, label)?;
            }
        }
        Act::DeleteGroup(n) => {
            // The policies name Marketing.
            if let Some(group) = group(n).filter(|group| *group != simulator::contoso::MARKETING) {
                people.delete_group(group)?;
            }
        }
        Act::RestoreGroup(n) => {
            let group = world.groups[n % world.groups.len()];
            if people.group(group).is_some_and(|group| group.deleted_at.is_some()) {
                people.restore_group(group)?;
            }
        }
        Act::Delete(n) => {
            let stays = |guest: &Uuid| inviting::has_invited(world, *guest);
            if let Some(guest) = guest(n).filter(|guest| is_there(world, *guest) && !stays(guest)) {
                people.delete_user(guest)?;
            }
        }
        Act::Restore(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_deleted(world, *guest)) {
                people.restore_user(guest)?;
                witness.put_back.push(Change { guest, taken: Taken::Account, given: true, at: now });
            }
        }
        Act::Purge(n) => {
            let stays = |guest: &Uuid| inviting::has_invited(world, *guest);
            if let Some(guest) = guest(n).filter(|guest| people.user(*guest).is_some() && !stays(guest)) {
                people.purge_user(guest)?;
                world.roles.retain(|holder| *holder != guest);
            }
        }
        Act::Reclaim { deleted: n, purge } => {
            let deleted: Vec<Uuid> =
                world.guests.iter().copied().filter(|one| is_deleted(world, *one)).collect();
            let Some(guest) = deleted.get(n % deleted.len().max(1)).copied() else { return Ok(()) };
            if purge {
                people.purge_user(guest)?;
                world.roles.retain(|holder| *holder != guest);
            } else {
                people.restore_user(guest)?;
                witness.put_back.push(Change { guest, taken: Taken::Account, given: true, at: now });
            }
        }
        Act::Enable(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_enabled(world, *guest) == Some(false)) {
                people.enable(guest)?;
                witness.put_back.push(Change { guest, taken: Taken::SignIn, given: true, at: now });
            }
        }
        Act::Disable(n) => {
            if let Some(guest) = guest(n).filter(|guest| is_enabled(world, *guest) == Some(true)) {
                people.disable(guest)?;
            }
        }
        Act::Role { guest: n, has } => {
            if let Some(guest) = guest(n).filter(|guest| people.user(*guest).is_some()) {
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
        // Nobody of the tenant does these.
        Act::Policy { .. }
        | Act::Contradict(_)
        | Act::Approve(_)
        | Act::Reject(_)
        | Act::Undo { .. }
        | Act::ResetBreaker
        | Act::Stop(_)
        | Act::Weather(_)
        | Act::Calm
        | Act::Chat { .. }
        | Act::RevokeTokens
        | Act::Forge { .. }
        | Act::Ceiling(_)
        | Act::Die { .. }
        | Act::Jump { .. }
        | Act::Skew { .. }
        | Act::Days(_)
        | Act::Lose(_)
        | Act::LoseSubscription
        | Act::Lifecycle { .. }
        | Act::ForgetDeltas
        | Act::Outage { .. } => {}
    }
    Ok(())
}

/// Somebody from outside is there from now on. The policy may speak of him by his id.
fn enter(world: &mut World, who: Uuid) -> anyhow::Result<()> {
    world.guests.push(who);
    let reading = world.policy;
    world.take_policy(reading.book, reading.reach, world.protects)
}

fn link(world: &World, witness: &mut Witness, link: Link) -> anyhow::Result<()> {
    let Link { guest, group, owner, there } = link;
    let people = world.simulator.tenant();
    let Some(guest) = world.guests.get(guest % world.guests.len().max(1)).copied() else { return Ok(()) };
    let group = world.groups[group % world.groups.len()];
    let is = if owner { people.is_owner(group, guest) } else { people.is_member(group, guest) };
    if is == there || !is_there(world, guest) || !is_group(world, group) {
        return Ok(());
    }
    match (owner, there) {
        (false, true) => people.add_member(group, guest)?,
        (false, false) => people.remove_member(group, guest)?,
        (true, true) => people.add_owner(group, guest)?,
        (true, false) => people.remove_owner(group, guest)?,
    }
    if there {
        let taken = if owner { Taken::Ownership(group) } else { Taken::Membership(group) };
        witness.put_back.push(Change { guest, taken, given: true, at: world.clock.now() });
    }
    witness.link_changed(world, group);
    Ok(())
}

fn is_enabled(world: &World, guest: Uuid) -> Option<bool> {
    world.simulator.tenant().user(guest).map(|user| user.enabled)
}

fn is_there(world: &World, guest: Uuid) -> bool {
    world.simulator.tenant().user(guest).is_some_and(|user| user.deleted_at.is_none())
}

fn is_deleted(world: &World, guest: Uuid) -> bool {
    world.simulator.tenant().user(guest).is_some_and(|user| user.deleted_at.is_some())
}

fn is_group(world: &World, group: Uuid) -> bool {
    world.simulator.tenant().group(group).is_some_and(|group| group.deleted_at.is_none())
}

/// The contrary of one of the last things that we did, by an administrator.
pub(super) fn contradict(world: &World, witness: &mut Witness, n: usize) -> anyhow::Result<()> {
    let people = world.simulator.tenant();
    let count = witness.changes.len();
    let Some(change) =
        count.checked_sub(1 + n % count.max(1)).and_then(|at| witness.changes.get(at).copied())
    else {
        return Ok(());
    };
    let group = match change.taken {
        Taken::SignIn | Taken::Account => None,
        Taken::Membership(group) | Taken::Ownership(group) => Some(group),
    };
    let deleted = change.taken == Taken::Account && !change.given;
    let stands = if deleted { is_deleted(world, change.guest) } else { is_there(world, change.guest) };
    if !stands || !group.is_none_or(|group| is_group(world, group)) {
        return Ok(());
    }
    match (change.taken, change.given) {
        (Taken::SignIn, false) => people.enable(change.guest)?,
        (Taken::SignIn, true) => people.disable(change.guest)?,
        (Taken::Account, false) => people.restore_user(change.guest)?,
        (Taken::Account, true) => people.delete_user(change.guest)?,
        (Taken::Membership(group), false) => people.add_member(group, change.guest)?,
        (Taken::Membership(group), true) => people.remove_member(group, change.guest)?,
        (Taken::Ownership(group), false) => people.add_owner(group, change.guest)?,
        (Taken::Ownership(group), true) => people.remove_owner(group, change.guest)?,
    }
    if !change.given {
        witness.put_back.push(Change { given: true, at: world.clock.now(), ..change });
    }
    Ok(())
}
