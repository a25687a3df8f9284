//! The guests that were seen before, so that one who vanishes from the directory is missed.

use jiff::Timestamp;
use model::{GuestKind, ObjectId};
use serde::{Deserialize, Serialize};

use crate::{Document, Joined, Ledger, LedgerError};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGuest {
    pub id: ObjectId,
    pub kind: GuestKind,
    pub first_seen: Timestamp,
    pub last_assessed: Timestamp,
}

impl Document for KnownGuest {
    const KIND: &'static str = "known-guest";

    fn sort(&self) -> String {
        self.id.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Ledger {
    pub async fn known(&self, id: ObjectId) -> Result<Option<KnownGuest>, LedgerError> {
        Ok(self.get(&id.to_string()).await?.map(|stored| stored.value))
    }

    /// A guest was assessed. When he was first seen stays as it was.
    pub async fn remember(&self, id: ObjectId, kind: GuestKind, now: Timestamp) -> Result<(), LedgerError> {
        let seen = move |before: Option<KnownGuest>| {
            let first_seen = before.map_or(now, |known| known.first_seen);
            Some(KnownGuest { id, kind, first_seen, last_assessed: now })
        };
        self.update(&id.to_string(), seen).await.map(|_| ())
    }

    /// With the memberships of his that were new. False: he was not known.
    pub async fn forget(&self, id: ObjectId) -> Result<bool, LedgerError> {
        for stored in self.joined(id).await? {
            self.remove::<Joined>(stored.sort()).await?;
        }
        self.remove::<KnownGuest>(&id.to_string()).await
    }
}
