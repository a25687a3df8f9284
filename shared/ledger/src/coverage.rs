//! Where reconciliation stands: its delta queries, and the going over of all accounts.

use jiff::Timestamp;
use model::{Delta, Listing, ResourceKind};

use crate::{Ledger, LedgerError, Stored};

impl Ledger {
    pub async fn delta(&self, resource: ResourceKind) -> Result<Option<Stored<Delta>>, LedgerError> {
        self.get(&resource.to_string()).await
    }

    /// Until when every change has been told, by Graph's delta queries and the last listing. `None`: nobody can say.
    pub async fn told_until(&self) -> Result<Option<Timestamp>, LedgerError> {
        let mut deltas = Vec::new();
        for resource in [ResourceKind::User, ResourceKind::Group] {
            deltas.extend(self.delta(resource).await?.map(|stored| stored.value));
        }
        let listing = self.listing().await?.map(|stored| stored.value);
        Ok(model::told_until(&deltas, listing.as_ref()))
    }

    pub async fn listing(&self) -> Result<Option<Stored<Listing>>, LedgerError> {
        self.get("users").await
    }
}
