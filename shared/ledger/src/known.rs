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
    /// When the listing began that met him last.
    #[serde(default)]
    pub listed_in: Option<Timestamp>,
    /// The policy that judged him last, with the ceiling.
    #[serde(default)]
    pub judged_by: Option<String>,
}

impl KnownGuest {
    #[must_use]
    pub fn was_judged_by(&self, policy: &str) -> bool {
        self.judged_by.as_deref() == Some(policy)
    }
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
            Some(match before {
                Some(before) => KnownGuest { kind, last_assessed: now, ..before },
                None => KnownGuest {
                    id,
                    kind,
                    first_seen: now,
                    last_assessed: now,
                    listed_in: None,
                    judged_by: None,
                },
            })
        };
        self.update(&id.to_string(), seen).await.map(|_| ())
    }

    /// The listing that began then has met this account. Whoever is not known is about to be assessed for the first time.
    pub async fn note_listed(&self, id: ObjectId, began_at: Timestamp) -> Result<(), LedgerError> {
        let met = |before: Option<KnownGuest>| {
            before
                .filter(|known| known.listed_in != Some(began_at))
                .map(|known| KnownGuest { listed_in: Some(began_at), ..known })
        };
        self.update(&id.to_string(), met).await.map(|_| ())
    }

    /// The guests that are known, by id, after this one.
    pub async fn known_guests(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<KnownGuest>, LedgerError> {
        let stored = self.list("", after, limit).await?;
        Ok(stored.into_iter().map(|stored| stored.value).collect())
    }

    /// With the memberships of his that were new. False: he was not known.
    pub async fn forget(&self, id: ObjectId) -> Result<bool, LedgerError> {
        for stored in self.joined(id).await? {
            self.remove::<Joined>(stored.sort()).await?;
        }
        self.remove::<KnownGuest>(&id.to_string()).await
    }
}
