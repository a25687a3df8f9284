//! The tenant's groups, as a story speaks of them.

use jiff::{SignedDuration, Timestamp};
use model::{Incident, ObjectId};
use simulator::{GroupKind, NewGroup};
use uuid::Uuid;

use crate::{Guest, People, World};

/// A group of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group(pub Uuid);

impl Group {
    pub const MARKETING: Self = Self(simulator::contoso::MARKETING);
    pub const FINANCE_BOARD: Self = Self(simulator::contoso::FINANCE);
    pub const HELPDESK: Self = Self(simulator::contoso::HELPDESK);
    pub const ALL_GUESTS: Self = Self(simulator::contoso::ALL_GUESTS);

    #[must_use]
    pub fn id(self) -> ObjectId {
        ObjectId::from_u128(self.0.as_u128())
    }
}

impl People {
    /// A security group that Bob owns.
    #[must_use]
    pub fn group(&self, name: &str) -> Group {
        self.group_with(NewGroup::named(name))
    }

    /// As the story wants it; Bob owns it where nobody else does.
    #[must_use]
    pub fn group_with(&self, new: NewGroup) -> Group {
        let owners = if new.owners.is_empty() { vec![simulator::contoso::BOB] } else { new.owners.clone() };
        Group(self.0.create_group(NewGroup { owners, ..new }))
    }

    #[must_use]
    pub fn team(&self, name: &str) -> Group {
        self.group_with(NewGroup { kind: GroupKind::Team, ..NewGroup::named(name) })
    }

    #[must_use]
    pub fn group_of_kind(&self, name: &str, kind: GroupKind) -> Group {
        self.group_with(NewGroup { kind, ..NewGroup::named(name) })
    }

    pub fn join(&self, guest: Guest, group: Group) {
        self.0.add_member(group.0, guest.0).unwrap();
    }

    pub fn leave(&self, guest: Guest, group: Group) {
        self.0.remove_member(group.0, guest.0).unwrap();
    }

    pub fn own(&self, guest: Guest, group: Group) {
        self.0.add_owner(group.0, guest.0).unwrap();
    }

    pub fn disown(&self, guest: Guest, group: Group) {
        self.0.remove_owner(group.0, guest.0).unwrap();
    }

    pub fn rename(&self, group: Group, name: &str) {
        self.0.rename_group(group.0, name).unwrap();
    }

    pub fn label(&self, group: Group, label: Option<&str>) {
        self.0.set_label(group.0, label).unwrap();
    }

    pub fn change_group(&self, group: Group, change: impl FnOnce(&mut simulator::Group)) {
        self.0.set_group(group.0, change).unwrap();
    }

    #[must_use]
    pub fn is_member(&self, guest: Guest, group: Group) -> bool {
        self.0.is_member(group.0, guest.0)
    }

    #[must_use]
    pub fn is_owner(&self, guest: Guest, group: Group) -> bool {
        self.0.is_owner(group.0, guest.0)
    }
}

impl World {
    /// Something that nobody hears of.
    pub fn unnoticed<T>(&self, act: impl FnOnce(&People) -> T) -> T {
        let before = self.simulator.faults().notifications.lost;
        self.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
        let done = act(&self.tenant);
        self.simulator.set_faults(|faults| faults.notifications.lost = before);
        done
    }

    /// He is put into the group unheard, and looked at a minute later.
    pub async fn meet_in(&mut self, guest: Guest, group: Group) {
        self.unnoticed(|tenant| tenant.join(guest, group));
        self.clock.advance(SignedDuration::from_mins(1));
        self.tenant.stir(guest);
        self.settle().await;
    }

    /// A guest who was there before anybody looked, and of whom the tenant says nothing.
    #[must_use]
    pub fn guest_of_old(&self, address: &str) -> Guest {
        self.unnoticed(|tenant| {
            let guest = tenant.invite(address);
            let then: Timestamp = "2025-03-01T08:00:00Z".parse().unwrap();
            tenant.change(guest, |user| user.created_at = Some(then));
            guest
        })
    }

    /// A guest who was invited a moment ago, and of whom the tenant says nothing.
    #[must_use]
    pub fn guest_today(&self, address: &str) -> Guest {
        self.unnoticed(|tenant| tenant.invite(address))
    }

    /// The guest is still there, and nothing was written.
    #[track_caller]
    pub fn expect_member(&self, guest: Guest, group: Group) {
        assert!(self.tenant.is_member(guest, group), "the guest is not in the group");
        self.expect_no_writes();
    }

    /// The guest is out, by one write of ours.
    #[track_caller]
    pub fn expect_no_member(&self, guest: Guest, group: Group) {
        assert!(!self.tenant.is_member(guest, group), "the guest is in the group");
        self.expect_write("DELETE", &path(group, "members", guest));
    }

    /// The guest is in again, by one write of ours.
    #[track_caller]
    pub fn expect_member_again(&self, guest: Guest, group: Group) {
        assert!(self.tenant.is_member(guest, group), "the guest is not in the group");
        self.expect_write("POST", &format!("/groups/{}/members/$ref", group.id()));
    }

    /// The guest still owns it, and nothing was written.
    #[track_caller]
    pub fn expect_owner(&self, guest: Guest, group: Group) {
        assert!(self.tenant.is_owner(guest, group), "the guest does not own the group");
        self.expect_no_writes();
    }

    /// The guest owns it no more, by one write of ours.
    #[track_caller]
    pub fn expect_no_owner(&self, guest: Guest, group: Group) {
        assert!(!self.tenant.is_owner(guest, group), "the guest owns the group");
        self.expect_write("DELETE", &path(group, "owners", guest));
    }

    #[track_caller]
    pub fn expect_owner_again(&self, guest: Guest, group: Group) {
        assert!(self.tenant.is_owner(guest, group), "the guest does not own the group");
        self.expect_write("POST", &format!("/groups/{}/owners/$ref", group.id()));
    }

    /// The incident of the guest that is about this group.
    #[track_caller]
    pub fn incident_in(&self, guest: Guest, group: Group) -> impl Future<Output = Incident> {
        let all = self.incidents(guest);
        async move {
            let mut found: Vec<_> =
                all.await.into_iter().filter(|one| one.key.object == Some(group.id())).collect();
            assert_eq!(found.len(), 1, "the guest has {} incidents about the group", found.len());
            found.pop().unwrap()
        }
    }

    /// The states of the guest's incidents, in no order that means anything.
    pub async fn states(&self, guest: Guest) -> Vec<&'static str> {
        let mut states: Vec<_> = self.incidents(guest).await.iter().map(|one| one.state.word()).collect();
        states.sort_unstable();
        states
    }

    /// How often Graph was asked for something below this path, since the last count.
    #[must_use]
    pub fn calls_below(&self, method: &str, path: &str) -> usize {
        let log = self.simulator.traffic().log;
        log.iter().filter(|call| call.method == method && call.path.starts_with(path)).count()
    }

    /// How often the members of a group were paged, since the last count.
    #[must_use]
    pub fn pages_of(&self, group: Group) -> usize {
        self.calls_below("GET", &format!("/groups/{}/members", group.id()))
    }
}

fn path(group: Group, relation: &str, guest: Guest) -> String {
    format!("/groups/{}/{relation}/{}/$ref", group.id(), guest.id())
}
