//! The tenant's people, as a story speaks of them.

use model::ObjectId;
use simulator::{Directory, Invite, Redeem, UserType};
use uuid::Uuid;

/// What people do in the tenant, outside Guestlist.
#[derive(Debug, Clone)]
pub struct People(pub Directory);

/// A guest of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest(pub Uuid);

impl Guest {
    #[must_use]
    pub fn id(self) -> ObjectId {
        ObjectId::from_u128(self.0.as_u128())
    }
}

impl People {
    #[must_use]
    pub fn invite(&self, address: &str) -> Guest {
        self.invite_as(address, None)
    }

    #[must_use]
    pub fn invite_as(&self, address: &str, name: Option<&str>) -> Guest {
        let name = name.map(str::to_owned);
        Guest(self.0.invite(Invite { name, ..Invite::new(address, simulator::contoso::ALICE) }))
    }

    #[must_use]
    pub fn invite_as_member(&self, address: &str) -> Guest {
        let invite =
            Invite { user_type: UserType::Member, ..Invite::new(address, simulator::contoso::ALICE) };
        Guest(self.0.invite(invite))
    }

    pub fn redeem(&self, guest: Guest) {
        self.0.redeem(guest.0, Redeem::Entra).unwrap();
    }

    pub fn change(&self, guest: Guest, change: impl FnOnce(&mut simulator::User)) {
        self.0.set(guest.0, change).unwrap();
    }

    /// Changes something of the guest that no rule looks at.
    pub fn stir(&self, guest: Guest) {
        self.change(guest, |user| user.display_name.push_str(" again"));
    }

    #[track_caller]
    #[must_use]
    pub fn is_enabled(&self, guest: Guest) -> bool {
        self.0.user(guest.0).expect("the guest is in the directory").enabled
    }
}
