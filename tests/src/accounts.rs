//! Accounts that are deleted and restored, as a story speaks of them.

use model::Outcome;

use crate::{Guest, People, World};

impl People {
    /// In the directory, and not deleted.
    #[must_use]
    pub fn is_there(&self, guest: Guest) -> bool {
        self.0.user(guest.0).is_some_and(|user| user.deleted_at.is_none())
    }
}

impl World {
    /// The guest was deleted, softly, by one write of ours.
    #[track_caller]
    pub fn expect_deleted(&self, guest: Guest) {
        assert!(!self.tenant.is_there(guest), "the guest is still there");
        assert!(self.tenant.0.user(guest.0).is_some(), "the guest was deleted for good");
        self.expect_write("DELETE", &format!("/users/{}", guest.id()));
    }

    /// The guest is there again, by one write of ours.
    #[track_caller]
    pub fn expect_restored(&self, guest: Guest) {
        assert!(self.tenant.is_there(guest), "the guest is still deleted");
        self.expect_write("POST", &format!("/directory/deletedItems/{}/restore", guest.id()));
    }

    /// What the ledger knows of the writes of his only incident.
    #[track_caller]
    pub fn outcomes(&self, guest: Guest) -> impl Future<Output = Vec<Outcome>> {
        let (ledger, incident) = (self.store.ledger.clone(), self.incident(guest));
        async move { ledger.outcomes(&incident.await.id).await.unwrap() }
    }
}
