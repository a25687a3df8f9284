//! Who invites, where it matters: sponsors of long standing, those who became one a moment ago or are none any more, and
//! guests. Nobody's standing changes after he has invited, so that there is one right answer for each guest.

use simulator::{Invite, NewGroup, NewUser, Simulator};
use uuid::Uuid;

use super::acts::Inviting;
use super::reading::{SPONSORS, STAFF};
use super::world::World;

/// As many of each sort.
const EACH: usize = 4;

/// Those of the tenant's own who invite.
#[derive(Debug)]
pub struct Inviters {
    pub sponsors: Uuid,
    of_old: Uuid,
    joining: Vec<Uuid>,
    leaving: Vec<Uuid>,
}

impl Inviters {
    pub(super) fn settle_in(simulator: &Simulator) -> Self {
        let people = simulator.tenant();
        let person =
            |name: &str, n: usize| people.add_user(NewUser::member(&format!("{name}{n}@contoso.com")));
        let of_old = person("oldsponsor", 0);
        let joining: Vec<Uuid> = (0..EACH).map(|n| person("newsponsor", n)).collect();
        let leaving: Vec<Uuid> = (0..EACH).map(|n| person("exsponsor", n)).collect();
        let members: Vec<Uuid> = leaving.iter().copied().chain([of_old]).collect();
        let alice = simulator::contoso::ALICE;
        let staff = members.iter().chain(&joining).copied().chain([alice]).collect();
        people.create_group(NewGroup { members: staff, ..NewGroup::named(STAFF) });
        let sponsors = people.create_group(NewGroup { members, ..NewGroup::named(SPONSORS) });
        Self { sponsors, of_old, joining, leaving }
    }
}

/// Somebody invites a guest. None: there is nobody who could.
pub(super) fn invite(world: &World, by: Inviting, address: &str) -> anyhow::Result<Option<Uuid>> {
    let people = world.simulator.tenant();
    let Inviters { sponsors, of_old, joining, leaving } = &world.inviters;
    let by = match by {
        Inviting::Sponsor => *of_old,
        Inviting::NewSponsor(n) => {
            let by = joining[n % EACH];
            if !people.is_member(*sponsors, by) {
                people.add_member(*sponsors, by)?;
            }
            by
        }
        Inviting::FormerSponsor(n) => {
            let by = leaving[n % EACH];
            if people.is_member(*sponsors, by) {
                people.remove_member(*sponsors, by)?;
            }
            by
        }
        Inviting::Guest(n) => {
            let invites = |id: &Uuid| {
                let user = people.user(*id);
                user.is_some_and(|user| user.deleted_at.is_none() && user.creation_type.is_some())
            };
            let able: Vec<Uuid> = world.guests.iter().copied().filter(invites).collect();
            let Some(by) = able.get(n % able.len().max(1)) else { return Ok(None) };
            *by
        }
    };
    Ok(Some(people.invite(Invite::new(address, by))))
}

/// Whether somebody invited this guest who had been a sponsor before.
pub(super) fn by_who_left(world: &World, guest: Uuid) -> bool {
    let by = world.simulator.tenant().user(guest).and_then(|user| user.invited_by);
    by.is_some_and(|by| world.inviters.leaving.contains(&by))
}

/// Whoever invited somebody stays, so that it can be found out what he is.
pub(super) fn has_invited(world: &World, who: Uuid) -> bool {
    world.simulator.tenant().users().iter().any(|user| user.invited_by == Some(who))
}
