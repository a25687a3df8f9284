//! Sees every write to the tenant at the moment at which it was carried out, and asks whether there was a reason: a demand
//! of the policy, or somebody who asked for an undo. It knows nothing of what our code has read or written.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use simulator::{Group, User, Write};
use uuid::Uuid;

use super::assessed::Assessed;
use super::lags::Lags;
use super::reading::{Policy, Reach, Taken};
use super::world::World;

/// Whoever acts on a reason that has ended a moment ago acts on a read that was true when it was made: replicas lag, and
/// requests wait. Where replicas lag by more, that is added.
const JUST_ENDED: SignedDuration = SignedDuration::from_secs(90);

/// For so long a write is sent again whose answer got lost, or that nobody saw: a quarter of an hour, and a moment.
const SENT_AGAIN: SignedDuration = SignedDuration::from_mins(16);

/// Since when a reason holds, or when it did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) reach: Reach,
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
}

pub(super) type Reason = (Uuid, Taken, &'static str);
type Broken = (Uuid, &'static str, Option<Uuid>);

/// The tenant at one moment.
#[derive(Debug)]
struct Seen {
    users: Vec<User>,
    groups: Vec<Group>,
    roles: Vec<Uuid>,
}

impl Seen {
    /// What would be demanded of each if he were in every group.
    fn demands(&self, policy: &Policy, now: Timestamp) -> BTreeMap<Reason, Reach> {
        let every: Vec<Uuid> = self.groups.iter().map(|group| group.id).collect();
        let mut all = BTreeMap::new();
        for user in &self.users {
            let demands = policy.demands(user, (&self.groups, &every), &self.roles, now);
            all.extend(demands.into_iter().map(|one| ((user.id, one.taken, one.rule), one.reach)));
        }
        all
    }

    /// What is broken: by whom, which rule, and in which group.
    fn broken(&self, policy: &Policy, now: Timestamp) -> Vec<Broken> {
        self.broken_in(&self.groups, policy, now)
    }

    /// The same for whoever reads the groups a moment later, or before.
    fn broken_in(&self, groups: &[Group], policy: &Policy, now: Timestamp) -> Vec<Broken> {
        let of = |user: &User| {
            let demands = policy.demands(user, (groups, &[]), &self.roles, now);
            demands.into_iter().map(|one| (user.id, one.rule, one.object)).collect::<Vec<_>>()
        };
        self.users.iter().flat_map(of).collect()
    }
}

/// What Graph was asked to change, and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub guest: Uuid,
    pub taken: Taken,
    /// It was given back.
    pub given: bool,
    pub at: Timestamp,
}

#[derive(Debug, Default)]
pub struct Witness {
    pub(super) reasons: BTreeMap<Reason, Vec<Held>>,
    /// Whose incidents somebody approved of, rejected or undid, and when, or since when.
    pub approved: BTreeMap<Uuid, Vec<Timestamp>>,
    pub undone: BTreeMap<Uuid, Timestamp>,
    pub rejected: BTreeMap<Uuid, Timestamp>,
    /// When somebody asked for the breaker to be reset.
    pub resets: Vec<Timestamp>,
    pub(super) assessed: Assessed,
    pub(super) lags: Lags,
    /// What the tenant was like, each with until when.
    recent: Vec<(Timestamp, Seen)>,
    /// Who is there now, and the policy.
    last: Option<(Policy, Seen)>,
    /// Everything that was ever broken.
    broken: BTreeSet<Broken>,
    /// How wrong our clock was at most.
    pub skewed: SignedDuration,
    /// When the clock was put forward, and by how much.
    jumps: Vec<(Timestamp, SignedDuration)>,
    /// Something changed that the tenant tells nobody of: who holds a role.
    pub unheard: bool,
    pub changes: Vec<Change>,
    /// What somebody else gave back.
    pub put_back: Vec<Change>,
    /// What was taken more often than somebody had approved of it, and by how much: what no read has shown in its time is
    /// sent once more.
    pub unapproved: Vec<(Change, usize)>,
    pub complaints: Vec<String>,
}

impl Witness {
    /// What is a reason now, from here on.
    pub(super) fn note(&mut self, world: &World) {
        let now = world.clock.now();
        let people = world.simulator.tenant();
        let seen = Seen { users: people.users(), groups: people.groups(), roles: world.roles.clone() };
        let today = seen.demands(&world.policy, now);
        self.broken.extend(seen.broken(&world.policy, now));
        if let Some((policy, before)) = self.last.replace((world.policy, seen)) {
            self.recent.push((now, before));
            let just_ended = JUST_ENDED + self.lags.longest();
            self.recent.retain(|(until, _)| now.duration_since(*until) <= just_ended);
            // Nobody reads a guest and his groups at one moment.
            if let Some((_, seen)) = &self.last {
                for (_, before) in &self.recent {
                    self.broken.extend(before.broken_in(&seen.groups, &world.policy, now));
                    self.broken.extend(seen.broken_in(&before.groups, &world.policy, now));
                }
            }
            if policy != world.policy {
                // Under the new policy somebody may act on what was true a moment ago.
                for (_, seen) in &self.recent {
                    self.broken.extend(seen.broken(&world.policy, now));
                }
                let stale = self.recent.iter().flat_map(|(_, seen)| seen.demands(&world.policy, now));
                for (key, reach) in stale.filter(|(key, _)| !today.contains_key(key)).collect::<Vec<_>>() {
                    let held = Held { reach, from: now, to: Some(now) };
                    self.reasons.entry(key).or_default().insert(0, held);
                }
            }
        }
        for (key, all) in &mut self.reasons {
            if let Some(last) = all.last_mut().filter(|last| last.to.is_none())
                && today.get(key) != Some(&last.reach)
            {
                last.to = Some(now);
            }
        }
        for (key, reach) in today {
            let all = self.reasons.entry(key).or_default();
            if all.last().is_none_or(|last| last.to.is_some()) {
                all.push(Held { reach, from: now, to: None });
            }
        }
    }

    /// To be called before anything changes that may be a reason.
    pub(super) fn look_at_writes(&mut self, world: &World) {
        for write in world.simulator.take_writes() {
            if write.is_about_subscriptions() || write.path == "/$batch" {
                continue;
            }
            if !(200..300).contains(&write.status) {
                continue;
            }
            match understood(&write) {
                Some(change) if write.app == simulator::contoso::WRITER => self.judge(change),
                Some(_) | None => {
                    self.complain(format!(
                        "{} {} by {} is no write that anybody plans",
                        write.method, write.path, write.app
                    ));
                }
            }
        }
    }

    fn judge(&mut self, change: Change) {
        let Change { guest, taken, given, at } = change;
        self.changes.push(change);
        self.note_time(at);
        if given {
            if self.undone.get(&guest).is_none_or(|since| *since > at) {
                self.complain(format!(
                    "{at}: {taken:?} was given back to {guest}, and nobody has asked for it"
                ));
            }
            self.carry_over(change);
            return;
        }
        let reach = self.reach(change, None);
        let fine = match reach {
            Some(Reach::Enforce) => true,
            Some(Reach::Ask) => {
                let beyond = self.uses_beyond_approvals(change);
                if beyond > 0 {
                    self.unapproved.push((change, beyond));
                }
                true
            }
            Some(Reach::Observe) | None => false,
        };
        self.carry_over(change);
        if !fine {
            self.complain(format!(
                "{at}: {taken:?} was taken from {guest}; the policy's demand is {reach:?}"
            ));
        }
    }

    /// What we do may be a reason, too: whoever comes back is judged by what he comes back to.
    fn carry_over(&mut self, change: Change) {
        let Change { guest, taken, given, at } = change;
        let Some((_, seen)) = &mut self.last else { return };
        match taken {
            Taken::SignIn => {}
            Taken::Account => {
                let him = seen.users.iter_mut().filter(|user| user.id == guest);
                him.for_each(|user| user.deleted_at = (!given).then_some(at));
            }
            Taken::Membership(id) | Taken::Ownership(id) => {
                for group in seen.groups.iter_mut().filter(|group| group.id == id) {
                    let owns = matches!(taken, Taken::Ownership(_));
                    let all = if owns { &mut group.owners } else { &mut group.members };
                    if given {
                        all.insert(guest);
                    } else {
                        all.remove(&guest);
                    }
                }
            }
        }
        if given {
            self.note_time(at);
        }
    }

    /// Time alone makes reasons: what was seen last demands more by now, or by what our clock took to be now.
    fn note_time(&mut self, now: Timestamp) {
        let Some((policy, seen)) = &self.last else { return };
        let ours = now.saturating_add(self.skewed).unwrap_or(now);
        self.broken.extend([now, ours].iter().flat_map(|at| seen.broken(policy, *at)));
        for (key, reach) in [now, ours].iter().flat_map(|at| seen.demands(policy, *at)).collect::<Vec<_>>() {
            let all = self.reasons.entry(key).or_default();
            if !all.last().is_some_and(|held| held.to.is_none() && held.reach == reach) {
                all.insert(0, Held { reach, from: now, to: Some(now) });
            }
        }
    }

    /// Whether this rule was ever broken so.
    pub(super) fn was_broken(&self, guest: Uuid, rule: &str, object: Option<Uuid>) -> bool {
        self.broken.iter().any(|one| (one.0, one.1, one.2) == (guest, rule, object))
    }

    /// How far the policy went at that moment, or a moment before; as one rule has it, where one is named.
    fn reach(&self, change: Change, rule: Option<&str>) -> Option<Reach> {
        let Change { guest, taken, given: _, at } = change;
        let lag = JUST_ENDED + self.jumped(at);
        let lag = lag + self.lags.before(at, lag);
        let holds = |held: &&Held| held.from <= at && held.to.is_none_or(|to| at.duration_since(to) <= lag);
        let named = |key: &&Reason| (key.0, key.1) == (guest, taken) && rule.is_none_or(|rule| rule == key.2);
        let reasons = self.reasons.iter().filter(|(key, _)| named(key)).flat_map(|(_, all)| all);
        reasons.filter(holds).map(|held| held.reach).max()
    }

    pub(super) fn clock_jumped(&mut self, now: Timestamp, by: SignedDuration) {
        self.jumps.push((now, by));
    }

    /// What was under way when the clock was put forward arrives that much later.
    pub(super) fn jumped(&self, at: Timestamp) -> SignedDuration {
        let near =
            |(then, _): &&(Timestamp, SignedDuration)| *then <= at && at.duration_since(*then) <= JUST_ENDED;
        self.jumps.iter().filter(near).map(|(_, by)| *by).sum()
    }

    /// Whether this rule was broken then, and may take this.
    pub(super) fn was_a_reason(&self, change: Change, rule: &str) -> bool {
        self.reach(change, Some(rule)).is_some_and(|reach| reach > Reach::Observe)
    }

    /// An approval serves once: what a link is taken a second time for was approved of twice. (An account that is disabled
    /// already is disabled again without a word.) Whose answer got lost is sent again for a quarter of an hour. How often
    /// nobody had approved, up to this change.
    fn uses_beyond_approvals(&self, change: Change) -> usize {
        let before = |at: &&Timestamp| **at <= change.at;
        let approvals = self.approved.get(&change.guest).map_or(0, |all| all.iter().filter(before).count());
        let same =
            |other: &&Change| (other.guest, other.taken, other.given) == (change.guest, change.taken, false);
        let (mut uses, mut last) = (0, None);
        for use_of_it in self.changes.iter().filter(same) {
            let again =
                |last: Timestamp| use_of_it.at.duration_since(last) < SENT_AGAIN + self.jumped(use_of_it.at);
            uses += usize::from(!last.is_some_and(again));
            last = Some(use_of_it.at);
        }
        if change.taken == Taken::SignIn {
            uses = uses.min(1);
        }
        match approvals {
            0 => usize::MAX,
            _ if self.ever_enforced(change) => 0,
            _ => uses.saturating_sub(approvals),
        }
    }

    /// Some of its uses needed no approval.
    fn ever_enforced(&self, change: Change) -> bool {
        let same = |key: &Reason| (key.0, key.1) == (change.guest, change.taken);
        let all = self.reasons.iter().filter(|(key, _)| same(key)).flat_map(|(_, all)| all);
        all.into_iter().any(|held| held.reach == Reach::Enforce)
    }

    pub(super) fn complain(&mut self, what: String) {
        self.complaints.push(what);
    }

    /// Somebody joined or left the group, or its owners. Where no rule is about groups nobody looks at one that changes, and
    /// whoever comes into one that protects him is found as whoever gets a role is: a day later at most.
    pub(super) fn link_changed(&mut self, world: &World, group: Uuid) {
        let protects = world.simulator.tenant().group(group).is_some_and(|group| group.role_assignable);
        self.unheard |= protects && !world.policy.looks_at_groups();
    }

    #[must_use]
    pub fn everybody_written_to(&self) -> BTreeSet<Uuid> {
        self.changes.iter().map(|change| change.guest).collect()
    }
}

/// None: a write that the product never makes.
fn understood(write: &Write) -> Option<Change> {
    let path: Vec<&str> = write.path.split('/').skip(1).collect();
    let at = write.at;
    let body = write.body.as_ref();
    match (write.method.as_str(), path.as_slice()) {
        ("PATCH", ["users", guest]) => {
            let fields = body?.as_object()?;
            let enabled = fields.get("accountEnabled")?.as_bool()?;
            (fields.len() == 1).then_some(())?;
            Some(Change { guest: guest.parse().ok()?, taken: Taken::SignIn, given: enabled, at })
        }
        ("DELETE", ["users", guest]) => {
            Some(Change { guest: guest.parse().ok()?, taken: Taken::Account, given: false, at })
        }
        ("POST", ["directory", "deletedItems", guest, "restore"]) => {
            Some(Change { guest: guest.parse().ok()?, taken: Taken::Account, given: true, at })
        }
        ("DELETE", ["groups", group, relation, guest, "$ref"]) => {
            let taken = taken(relation, group.parse().ok()?)?;
            Some(Change { guest: guest.parse().ok()?, taken, given: false, at })
        }
        ("POST", ["groups", group, relation, "$ref"]) => {
            let taken = taken(relation, group.parse().ok()?)?;
            let whom = body?.get("@odata.id")?.as_str()?.rsplit('/').next()?.to_owned();
            Some(Change { guest: whom.parse().ok()?, taken, given: true, at })
        }
        _ => None,
    }
}

fn taken(relation: &str, group: Uuid) -> Option<Taken> {
    match relation {
        "members" => Some(Taken::Membership(group)),
        "owners" => Some(Taken::Ownership(group)),
        _ => None,
    }
}
