//! What was last seen of groups, and which memberships a notification named: both only save reads and tell what is new,
//! and neither is believed about what is so.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::ObjectId;
use serde::{Deserialize, Serialize};

use crate::{Document, Ledger, LedgerError, Stored};

/// A group as it was when its members were last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownGroup {
    pub id: ObjectId,
    /// All that the policy looks at.
    pub fingerprint: String,
    pub owners: BTreeSet<ObjectId>,
    pub seen_at: Timestamp,
}

impl Document for KnownGroup {
    const KIND: &'static str = "known-group";

    fn sort(&self) -> String {
        self.id.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// A notification named this membership, or an owner was met who had not been one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub guest: ObjectId,
    pub group: ObjectId,
    pub owner: bool,
    pub at: Timestamp,
}

impl Document for Joined {
    const KIND: &'static str = "joined";

    fn sort(&self) -> String {
        let relation = if self.owner { "owner" } else { "member" };
        format!("{}/{}/{relation}", self.guest, self.group)
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Ledger {
    pub async fn known_group(&self, id: ObjectId) -> Result<Option<Stored<KnownGroup>>, LedgerError> {
        self.get(&id.to_string()).await
    }

    /// False: it was not known.
    pub async fn forget_group(&self, id: ObjectId) -> Result<bool, LedgerError> {
        self.remove::<KnownGroup>(&id.to_string()).await
    }

    /// The memberships of this guest that are new.
    pub async fn joined(&self, guest: ObjectId) -> Result<Vec<Stored<Joined>>, LedgerError> {
        self.all(&format!("{guest}/")).await
    }
}
