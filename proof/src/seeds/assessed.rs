//! Holds up to when every change was assessed, as `status` says it, against the tenant's truth: no change up to then may be
//! one of which no look has read what came of it.
//!
//! Assessed is what a look of the reading app has read as it was after the change, or later: an account by itself, who is in a
//! group by what the guest belongs to, a group by itself or with every guest in it. Not asked here is what was made of the
//! read (that is in the demands at the end), nor who holds a role (nobody tells of that). What a dead letter is about is told
//! beside, and is no complaint.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use simulator::{Changed, Read, What};
use uuid::Uuid;

use super::witness::Witness;
use super::world::World;

/// How often somebody looks at what `status` says.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

/// What has changed, and what of it nobody has read yet.
#[derive(Debug, Default)]
pub(super) struct Assessed {
    /// The number of the last change that was taken from the tenant. `None`: it has not begun.
    last: Option<u64>,
    owed: Vec<Changed>,
    /// Since when each object is there.
    created: BTreeMap<Uuid, Timestamp>,
    /// Who was found by a look at any time: nobody needs to hear that somebody is gone who was never seen.
    found: BTreeSet<Uuid>,
    /// Up to when it has been read what each belongs to, as a member and as an owner.
    belongs: BTreeMap<(Uuid, bool), Timestamp>,
    /// Up to when the policy looked at no groups.
    blind_until: Option<Timestamp>,
}

/// What a read has shown, whatever it was like.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Account(Uuid),
    /// What the account belongs to.
    Memberships(Uuid),
    Ownerships(Uuid),
    Group(Uuid),
    Owners(Uuid),
}

impl Assessed {
    /// Takes what has happened since the last time.
    fn take(&mut self, world: &World) {
        if !world.policy.looks_at_groups() {
            self.blind_until = Some(world.clock.now());
        }
        let (changed, last) = world.simulator.tenant().changed_after(self.last.unwrap_or_default());
        // Those who were there at the beginning are nobody's concern.
        let begins = self.last.replace(last).is_none();
        for one in changed {
            if let What::User(id) | What::Group(id) = one.what {
                self.created.entry(id).or_insert(one.at);
            }
            if !begins {
                self.owed.push(one);
            }
        }
        for read in world.simulator.take_reads() {
            self.note(world, &read);
        }
        let Self { last: _, owed, created: _, found, belongs: _, blind_until } = self;
        owed.retain(|one| concerns(world, (found, *blind_until), one));
    }

    fn note(&mut self, world: &World, read: &Read) {
        let Some(shown) = shown(world, read) else { return };
        let (Shown::Account(id)
        | Shown::Memberships(id)
        | Shown::Ownerships(id)
        | Shown::Group(id)
        | Shown::Owners(id)) = shown;
        let is_there = read.status == 200;
        if matches!(shown, Shown::Account(_)) && is_there {
            self.found.insert(id);
        }
        // Whoever knows the object at all shows what it was at first.
        let created = self.created.get(&id).copied().filter(|_| is_there);
        let shows = created.map_or(read.shows, |created| created.max(read.shows));
        // To whoever was told of the end, a replica that does not know him yet says the same as one that does not any more.
        let is_gone_for_good = matches!(shown, Shown::Account(_))
            && read.status == 404
            && world.simulator.tenant().user(id).is_none();
        let shows = if is_gone_for_good { Timestamp::MAX } else { shows };
        let as_owner = match shown {
            Shown::Memberships(_) => Some(false),
            Shown::Ownerships(_) => Some(true),
            Shown::Account(_) | Shown::Group(_) | Shown::Owners(_) => None,
        };
        if let Some(as_owner) = as_owner {
            let belongs = self.belongs.entry((id, as_owner)).or_insert(shows);
            *belongs = shows.max(*belongs);
        }
        let people = world.simulator.tenant();
        let is_read = |what: What| match (shown, what) {
            (Shown::Account(id), What::User(user)) => user == id,
            (Shown::Group(id), What::Group(group)) => group == id,
            (Shown::Memberships(id), What::Member { group: _, object })
            | (Shown::Ownerships(id), What::Owner { group: _, object }) => object == id,
            // No notification names owners: whoever came and went in between was seen by nobody.
            (Shown::Owners(id), What::Owner { group, object }) => {
                group == id && !people.is_owner(group, object)
            }
            _ => false,
        };
        self.owed.retain(|one| one.at > shows || !is_read(one.what));
    }
}

impl Assessed {
    /// A group is read with whoever is in it, too: after what no delta query has told, that is how it is found.
    fn is_read_with_all_in_it(&self, world: &World, one: &Changed) -> bool {
        let What::Group(id) = one.what else { return false };
        let Some(group) = world.simulator.tenant().group(id) else { return true };
        let guest = |who: &&Uuid| world.guests.contains(who);
        let since = |who: &Uuid, as_owner: bool| {
            self.belongs.get(&(*who, as_owner)).is_some_and(|shows| *shows >= one.at)
        };
        group.members.iter().filter(guest).all(|who| since(who, false))
            && group.owners.iter().filter(guest).all(|who| since(who, true))
    }
}

/// Where it is a part of a look.
fn shown(world: &World, read: &Read) -> Option<Shown> {
    // Whoever is asked for by his id alone is not judged.
    if read.app != simulator::contoso::READER || read.query == "$select=id" {
        return None;
    }
    let path: Vec<&str> = read.path.split('/').skip(1).collect();
    let id = path.get(1)?.parse::<Uuid>().ok()?;
    let is_there = read.status == 200;
    let is_gone = || world.simulator.tenant().user(id).is_none_or(|user| user.deleted_at.is_some());
    match (*path.first()?, path.get(2).copied()) {
        ("users", None) if is_there || is_gone() => Some(Shown::Account(id)),
        ("users", Some("memberOf")) if is_there => Some(Shown::Memberships(id)),
        ("users", Some("ownedObjects")) if is_there => Some(Shown::Ownerships(id)),
        ("groups", None) if is_there => Some(Shown::Group(id)),
        ("groups", Some("owners")) if is_there => Some(Shown::Owners(id)),
        _ => None,
    }
}

/// Whether somebody has to look because of it still: whoever is gone is nothing but that.
fn concerns(
    world: &World,
    (found, blind_until): (&BTreeSet<Uuid>, Option<Timestamp>),
    one: &Changed,
) -> bool {
    let people = world.simulator.tenant();
    let is_guest = |id: Uuid| world.guests.contains(&id);
    let is_there = |id: Uuid| people.user(id).is_some_and(|user| user.deleted_at.is_none());
    let is_group = |id: Uuid| people.group(id).is_some_and(|group| group.deleted_at.is_none());
    let looked_at = || blind_until.is_none_or(|until| one.at > until);
    match one.what {
        What::User(id) => is_guest(id) && (is_there(id) || found.contains(&id)),
        What::Group(id) => looked_at() && is_group(id),
        What::Member { group, object } | What::Owner { group, object } => {
            looked_at() && is_guest(object) && is_there(object) && is_group(group)
        }
    }
}

/// To be called often: what is said in between is not heard.
pub(super) async fn look(world: &World, witness: &mut Witness) -> anyhow::Result<()> {
    witness.assessed.take(world);
    let Some(until) = said(world).await? else { return Ok(()) };
    let mut unread: Vec<Changed> = witness.assessed.owed.extract_if(.., |one| one.at <= until).collect();
    unread.retain(|one| !witness.assessed.is_read_with_all_in_it(world, one));
    if unread.is_empty() {
        return Ok(());
    }
    let dead = world.store.queues.changes.dead(None, 1_000).await?;
    let now = world.clock.now();
    for Changed { at, what } in unread {
        let (What::User(id)
        | What::Group(id)
        | What::Member { group: _, object: id }
        | What::Owner { group: _, object: id }) = what;
        if !dead.iter().any(|letter| letter.body.contains(&id.to_string())) {
            witness.complain(format!(
                "{now}: every change up to {until} was assessed, it was said, and nobody has read {what:?} of {at} as it is"
            ));
        }
    }
    Ok(())
}

/// Up to when every change was assessed, as `status` says it on this machine.
pub(super) async fn said(world: &World) -> anyhow::Result<Option<Timestamp>> {
    let now = world.store.right(world.clock.ours()).await?;
    world.store.assessed_until(now).await
}

/// Time goes by, and somebody looks each minute.
pub(super) async fn sleep(
    world: &World,
    witness: &mut Witness,
    span: std::time::Duration,
) -> anyhow::Result<()> {
    let mut left = span;
    while !left.is_zero() {
        let step = left.min(EVERY.unsigned_abs());
        tokio::time::sleep(step).await;
        left = left.saturating_sub(step);
        look(world, witness).await?;
    }
    Ok(())
}
