//! Where reconciliation stands: its delta queries, the going over of all accounts, and the policy that it applies.

use jiff::Timestamp;
use model::{Delta, InForce, Listing, ObjectId, ResourceKind};

use crate::{KnownGuest, Ledger, LedgerError, Stored};

impl Ledger {
    pub async fn delta(&self, resource: ResourceKind) -> Result<Option<Stored<Delta>>, LedgerError> {
        self.get(&resource.to_string()).await
    }

    /// Those that have begun.
    pub async fn deltas(&self) -> Result<Vec<Delta>, LedgerError> {
        let mut deltas = Vec::new();
        for resource in [ResourceKind::User, ResourceKind::Group] {
            deltas.extend(self.delta(resource).await?.map(|stored| stored.value));
        }
        Ok(deltas)
    }

    /// Until when every change has been told, by Graph's delta queries and the last listing. `None`: nobody can say.
    pub async fn told_until(&self) -> Result<Option<Timestamp>, LedgerError> {
        let listing = self.listing().await?.map(|stored| stored.value);
        Ok(model::told_until(&self.deltas().await?, listing.as_ref()))
    }

    /// The policy by which everybody is judged. `None`: nobody has said yet.
    pub async fn in_force(&self) -> Result<Option<Stored<InForce>>, LedgerError> {
        self.get("policy").await
    }

    /// This policy, with this ceiling, is in force. One that was so already goes on being applied.
    pub async fn note_in_force(&self, policy: &str, now: Timestamp) -> Result<(), LedgerError> {
        let taken = |before: Option<InForce>| {
            let same = before.is_some_and(|before| before.policy == policy);
            (!same).then(|| InForce::begin(policy.to_owned(), now))
        };
        self.update("policy", taken).await.map(|_| ())
    }

    /// Everybody has been judged by the policy in force since then.
    pub async fn note_applied(&self, since: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
        let applied = |before: Option<InForce>| {
            let waits = |one: &InForce| one.since == since && one.applied_at.is_none();
            before.filter(waits).map(|before| InForce { applied_at: Some(now), ..before })
        };
        self.update("policy", applied).await.map(|_| ())
    }

    /// All that was found of this account was found by this policy. Nothing is noted of whoever is not known.
    pub async fn note_judged(&self, id: ObjectId, policy: &str) -> Result<(), LedgerError> {
        let judged = |before: Option<KnownGuest>| {
            let before = before.filter(|known| !known.was_judged_by(policy))?;
            Some(KnownGuest { judged_by: Some(policy.to_owned()), ..before })
        };
        self.update(&id.to_string(), judged).await.map(|_| ())
    }

    pub async fn listing(&self) -> Result<Option<Stored<Listing>>, LedgerError> {
        self.get("users").await
    }
}
