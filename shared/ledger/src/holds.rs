//! What holds Guestlist back: suspensions of a rule for a guest, and the stop of all writes.

use model::{ObjectId, RuleId, Stop, Suspension};

use crate::{Ledger, LedgerError};

const WRITES: &str = "writes";

impl Ledger {
    /// All suspensions of a guest, those that have ended too until they are lifted.
    pub async fn suspensions(&self, guest: ObjectId) -> Result<Vec<Suspension>, LedgerError> {
        let stored = self.all(&format!("{guest}/")).await?;
        Ok(stored.into_iter().map(|stored| stored.value).collect())
    }

    /// Replaces an earlier suspension of the same rule for the same guest: the last word counts.
    pub async fn suspend(&self, suspension: &Suspension) -> Result<(), LedgerError> {
        self.put(suspension).await
    }

    /// False: the rule was not suspended for this guest.
    pub async fn lift(&self, guest: ObjectId, rule: &RuleId) -> Result<bool, LedgerError> {
        self.remove::<Suspension>(&format!("{guest}/{rule}")).await
    }

    /// The stop of all writes, if they are stopped.
    pub async fn stop(&self) -> Result<Option<Stop>, LedgerError> {
        Ok(self.get(WRITES).await?.map(|stored| stored.value))
    }

    pub async fn set_stop(&self, stop: &Stop) -> Result<(), LedgerError> {
        self.put(stop).await
    }

    /// False: they were not stopped.
    pub async fn clear_stop(&self) -> Result<bool, LedgerError> {
        self.remove::<Stop>(WRITES).await
    }
}
