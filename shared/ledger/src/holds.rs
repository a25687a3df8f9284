//! What holds Guestlist back: suspensions of a rule for a guest, the stop of all writes, and the circuit breaker.

use model::{Breaker, Counted, Incident, ObjectId, Resumed, RuleId, Stop, Suspension};

use crate::document::write;
use crate::items::Expect;
use crate::{Document as _, Ledger, LedgerError, Stored};

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

    /// False: the rule was not suspended for this guest (in this group, where one is named).
    pub async fn lift(
        &self,
        guest: ObjectId,
        rule: &RuleId,
        object: Option<ObjectId>,
    ) -> Result<bool, LedgerError> {
        let place = object.map_or_else(String::new, |object| format!("/{object}"));
        self.remove::<Suspension>(&format!("{guest}/{rule}{place}")).await
    }

    pub async fn breaker(&self) -> Result<Option<Stored<Breaker>>, LedgerError> {
        self.get(WRITES).await
    }

    /// Notes how many guests there are, beside what the breaker has counted.
    pub async fn count_guests(&self, counted: Counted) -> Result<(), LedgerError> {
        let note =
            |breaker: Option<Breaker>| Some(Breaker { guests: Some(counted), ..breaker.unwrap_or_default() });
        self.update(WRITES, note).await.map(|_| ())
    }

    /// Writes an incident together with the breaker that counted it, or neither: no two workers take one place.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where either is no longer what was read.
    pub async fn replace_counted(
        &self,
        stored: Stored<Incident>,
        before: Option<Stored<Breaker>>,
        breaker: &Breaker,
    ) -> Result<Stored<Incident>, LedgerError> {
        let Stored { value, version, place } = stored;
        let expect = before.map_or(Expect::Absent, |before| Expect::Version(before.version));
        let counted =
            write(breaker, self.place::<Breaker>(&breaker.sort()), self.partition(Breaker::KIND), expect)?;
        let incident =
            write(&value, place.clone(), self.partition(Incident::KIND), Expect::Version(version))?;
        let versions = self.items.put_all(vec![counted, incident]).await?;
        let version = versions.last().copied().flatten().unwrap_or_default();
        Ok(Stored { value, version, place })
    }

    /// Writes incidents together with the suspensions that go with them, or nothing: nobody meets the one without the other.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where an incident is no longer what was read.
    pub async fn replace_all_suspended(
        &self,
        incidents: Vec<Stored<Incident>>,
        suspensions: &[Suspension],
    ) -> Result<Vec<Stored<Incident>>, LedgerError> {
        let mut writes = Vec::with_capacity(incidents.len().saturating_add(suspensions.len()));
        for Stored { value, version, place } in &incidents {
            let expect = Expect::Version(*version);
            writes.push(write(value, place.clone(), self.partition(Incident::KIND), expect)?);
        }
        for suspension in suspensions {
            let held = self.place::<Suspension>(&suspension.sort());
            writes.push(write(suspension, held, self.partition(Suspension::KIND), Expect::Any)?);
        }
        let versions = self.items.put_all(writes).await?;
        let written =
            incidents.into_iter().zip(versions).map(|(Stored { value, version: _, place }, version)| {
                Stored { value, version: version.unwrap_or_default(), place }
            });
        Ok(written.collect())
    }

    /// The stop of all writes, if they are stopped.
    pub async fn stop(&self) -> Result<Option<Stop>, LedgerError> {
        Ok(self.last_stop().await?.filter(|stop| stop.ended.is_none()))
    }

    /// Whether it holds or has ended.
    pub async fn last_stop(&self) -> Result<Option<Stop>, LedgerError> {
        Ok(self.get(WRITES).await?.map(|stored| stored.value))
    }

    pub async fn set_stop(&self, stop: &Stop) -> Result<(), LedgerError> {
        self.put(stop).await
    }

    /// False: they were not stopped.
    pub async fn end_stop(&self, resumed: &Resumed) -> Result<bool, LedgerError> {
        let end = |stop: Option<Stop>| {
            let held = stop.filter(|stop| stop.ended.is_none());
            held.map(|stop| Stop { ended: Some(resumed.clone()), ..stop })
        };
        Ok(self.update(WRITES, end).await?.is_some())
    }
}
