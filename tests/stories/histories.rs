//! Random histories of guests, groups and roles, held against a reading of the policy that shares no code with ours: whoever
//! has to be out is out, and nothing was ever taken from anybody for whom there was no reason.

use std::collections::{BTreeMap, BTreeSet};

use guestlist_tests::{Group, Guest, Setup, World, seeds};
use jiff::SignedDuration;
use simulator::{Delay, NewGroup, NewUser, NotificationFaults};

use crate::policies::{AGENCY, CLOSED_GROUPS};

const NAMES: [&str; 5] = ["Sales", "Finance EU", "finance board", "Finances", "Plans"];
const LABELS: [Option<&str>; 3] = [None, Some("Confidential"), Some("Public")];
const ADDRESSES: [&str; 3] = ["fabrikam.com", "eu.fabrikam.com", "northwind.example"];

/// Small, and the same everywhere.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What a policy says of a guest, read by somebody who never saw our code.
#[derive(Clone, Copy)]
struct Reading {
    policy: &'static str,
    must_leave: fn(&World, Guest, Group) -> bool,
    must_drop: bool,
    must_be_disabled: fn(&World, Guest) -> bool,
}

const CLOSED: Reading = Reading {
    policy: CLOSED_GROUPS,
    must_leave: |world, _, group| is_closed(world, group),
    must_drop: true,
    must_be_disabled: |world, guest| !is_admitted(world, guest),
};

const WORK: Reading = Reading {
    policy: AGENCY,
    must_leave: |world, guest, group| group != Group::MARKETING || !is_admitted(world, guest),
    must_drop: false,
    must_be_disabled: |_, _| false,
};

fn is_closed(world: &World, group: Group) -> bool {
    let group = world.tenant.0.group(group.0).unwrap();
    let name = group.display_name.to_lowercase();
    name.starts_with("finance ") || group.label.is_some_and(|label| label.name == "Confidential")
}

fn is_admitted(world: &World, guest: Guest) -> bool {
    let mail = world.tenant.0.user(guest.0).unwrap().mail.unwrap();
    let domain = mail.split_once('@').unwrap().1;
    domain == "fabrikam.com" || domain.ends_with(".fabrikam.com")
}

/// What people did, and what the policy says of it.
struct Oracle {
    reading: Reading,
    guests: Vec<Guest>,
    groups: Vec<Group>,
    /// One of ours, a member of every group.
    dave: Guest,
    /// Memberships and ownerships that people made and did not end, each with whether there ever was a reason to take it.
    held: BTreeMap<(uuid::Uuid, uuid::Uuid, bool), bool>,
    /// Whom there ever was a reason to disable.
    to_disable: BTreeSet<uuid::Uuid>,
}

impl Oracle {
    /// To be called after every act: what is a reason now is one for ever.
    fn note(&mut self, world: &World) {
        let Reading { policy: _, must_leave, must_drop, must_be_disabled } = self.reading;
        for ((guest, group, owner), reason) in &mut self.held {
            let must = if *owner { must_drop } else { must_leave(world, Guest(*guest), Group(*group)) };
            *reason |= must;
        }
        for guest in &self.guests {
            if must_be_disabled(world, *guest) {
                self.to_disable.insert(guest.0);
            }
        }
    }

    fn holds(&mut self, guest: Guest, group: Group, owner: bool) {
        self.held.insert((guest.0, group.0, owner), false);
    }

    fn lets_go(&mut self, guest: Guest, group: Group, owner: bool) {
        self.held.remove(&(guest.0, group.0, owner));
    }

    /// Nothing was taken for no reason.
    fn expect_innocents_untouched(&self, world: &World, seed: u64) {
        for ((guest, group, owner), reason) in &self.held {
            let there = if *owner {
                world.tenant.0.is_owner(*group, *guest)
            } else {
                world.tenant.0.is_member(*group, *guest)
            };
            let name = world.tenant.0.group(*group).unwrap().display_name;
            assert!(
                there || *reason,
                "seed {seed}: {guest} was taken out of {name} ({group}) without a reason"
            );
        }
        for guest in &self.guests {
            let enabled = world.tenant.is_enabled(*guest);
            assert!(
                enabled || self.to_disable.contains(&guest.0),
                "seed {seed}: {guest:?} was disabled without a reason"
            );
        }
        let dave = self.dave;
        assert!(world.tenant.is_enabled(dave));
        for group in &self.groups {
            assert!(world.tenant.is_member(dave, *group), "seed {seed}: he is one of ours");
        }
    }

    /// And whatever is left is what the policy lets be.
    fn expect_policy_carried_out(&self, world: &World, admins: &BTreeSet<uuid::Uuid>, seed: u64) {
        let Reading { policy: _, must_leave, must_drop, must_be_disabled } = self.reading;
        // Whoever holds a directory role is nobody's target.
        for guest in self.guests.iter().filter(|guest| !admins.contains(&guest.0)) {
            let enabled = world.tenant.is_enabled(*guest);
            assert!(!enabled || !must_be_disabled(world, *guest), "seed {seed}: {guest:?} is enabled");
            for group in &self.groups {
                let must = must_leave(world, *guest, *group);
                let here = format!("seed {seed}: {guest:?} in {group:?}");
                assert!(!must || !world.tenant.is_member(*guest, *group), "{here}");
                assert!(!must_drop || !world.tenant.is_owner(*guest, *group), "{here}, as owner");
            }
        }
    }
}

async fn act(world: &World, oracle: &mut Oracle, admins: &mut BTreeSet<uuid::Uuid>, draws: &mut Draws) {
    let (guest, group) = (draws.of(&oracle.guests), draws.of(&oracle.groups));
    let people = &world.tenant;
    match draws.below(12) {
        0..=3 if !people.is_member(guest, group) => {
            people.join(guest, group);
            oracle.holds(guest, group, false);
        }
        4 if people.is_member(guest, group) => {
            people.leave(guest, group);
            oracle.lets_go(guest, group, false);
        }
        5 if !people.is_owner(guest, group) => {
            people.own(guest, group);
            oracle.holds(guest, group, true);
        }
        6 => people.rename(group, draws.of(&NAMES)),
        7 => people.label(group, draws.of(&LABELS)),
        8 => {
            let mail = format!("g{}@{}", draws.below(1_000), draws.of(&ADDRESSES));
            people.change(guest, |user| user.mail = Some(mail));
        }
        9 if admins.insert(guest.0) => people.0.assign_role(guest.0, "User Administrator").unwrap(),
        10 if admins.remove(&guest.0) => people.0.remove_role(guest.0, "User Administrator"),
        11 if !people.is_enabled(guest) && is_admitted(world, guest) => {
            people.0.enable(guest.0).unwrap();
            oracle.to_disable.remove(&guest.0);
        }
        _ => {}
    }
    oracle.note(world);
}

async fn history(reading: Reading, seed: u64) {
    let mut world = World::new(Setup { seed, ..Setup::with_policy(reading.policy) }).await;
    let mut draws = Draws(seed);
    let dave = Guest(world.tenant.0.add_user(NewUser::member("dave@contoso.com")));
    world.tenant.join(dave, Group::MARKETING);
    let mut admins = BTreeSet::new();
    let mut oracle = Oracle {
        reading,
        guests: Vec::new(),
        groups: vec![Group::MARKETING],
        dave,
        held: BTreeMap::new(),
        to_disable: BTreeSet::new(),
    };
    for n in 0..4 {
        let members = vec![dave.0];
        let group = NewGroup { members, ..NewGroup::named(NAMES[n % NAMES.len()]) };
        oracle.groups.push(world.tenant.group_with(group));
    }
    for n in 0..4 {
        let address = format!("guest{n}@{}", ADDRESSES[n % ADDRESSES.len()]);
        oracle.guests.push(world.tenant.invite(&address));
    }
    oracle.note(&world);
    world.simulator.set_faults(|faults| {
        faults.notifications = NotificationFaults {
            doubled: 0.3,
            reordered: 1.0,
            delayed: Some(Delay { by: SignedDuration::from_secs(40), chance: 0.3 }),
            coalesced: Some(Delay { by: SignedDuration::from_secs(3), chance: 0.5 }),
            ..NotificationFaults::default()
        };
    });
    for _ in 0..60 {
        act(&world, &mut oracle, &mut admins, &mut draws).await;
        match draws.below(4) {
            0 => world.settle_for(SignedDuration::from_secs(8)).await,
            1 => world.clock.advance(SignedDuration::from_secs(2)),
            2 => drop(world.step().await),
            _ => world.clock.advance(SignedDuration::from_mins(7)),
        }
        oracle.expect_innocents_untouched(&world, seed);
    }
    world.simulator.set_faults(|faults| faults.notifications = NotificationFaults::default());
    world.settle_for(SignedDuration::from_hours(1)).await;
    // A role that is taken away raises no notification: whoever has one less is met at his next change.
    for guest in &oracle.guests {
        world.clock.advance(SignedDuration::from_mins(6));
        world.tenant.stir(*guest);
        world.settle_for(SignedDuration::from_mins(30)).await;
    }
    oracle.expect_innocents_untouched(&world, seed);
    oracle.expect_policy_carried_out(&world, &admins, seed);
    assert!(world.dead_letters().await.is_empty(), "seed {seed}");
    for path in ["/users/", "/members/", "/owners/"] {
        world.forget_writes(path);
    }
    world.slack.read_all();
}

#[tokio::test]
async fn whatever_happens_the_policy_is_carried_out_and_nobody_else_is_touched() {
    for seed in seeds(3) {
        history(CLOSED, seed).await;
        history(WORK, seed).await;
    }
}
