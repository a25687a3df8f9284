//! What is kept so that people and monitoring can see how Guestlist is. Losing any of it loses a statistic, and no change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use model::{Canary, Lag, ObjectId, RecentLag, StepResult, Watched};
use serde::{Deserialize, Serialize};

use crate::{Document, Ledger, LedgerError, Stored};

/// From the arrival of a notification to its first look, by what the subscription watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AssessedAfter {
    watched: Watched,
    lag: RecentLag,
}

/// Written to find out whether anything can be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Probe {
    at: Timestamp,
}

/// How our clock and Microsoft's differed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Compared {
    at: Timestamp,
    /// `None`: by less than minutes.
    ahead: Option<SignedDuration>,
}

impl Document for AssessedAfter {
    const KIND: &'static str = "assessed-after";

    fn sort(&self) -> String {
        self.watched.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Probe {
    const KIND: &'static str = "probe";

    /// There is one of them.
    fn sort(&self) -> String {
        "ready".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Compared {
    const KIND: &'static str = "clock";

    /// There is one of them.
    fn sort(&self) -> String {
        CLOCK.to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Document for Canary {
    const KIND: &'static str = "canary";

    /// There is one of them.
    fn sort(&self) -> String {
        CANARY.to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

const CANARY: &str = "groups";
const CLOCK: &str = "ours";

/// What the steps came to that this handle and its clones have written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Results(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Results {
    pub(crate) fn count(&self, result: &StepResult) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(result.word()).or_default();
        *count = count.saturating_add(1);
    }
}

impl Ledger {
    pub async fn canary(&self) -> Result<Option<Stored<Canary>>, LedgerError> {
        self.get(CANARY).await
    }

    /// Makes the canary of this account and group, if another or none is there.
    pub async fn begin_canary(
        &self,
        user: ObjectId,
        group: ObjectId,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.update(CANARY, |before: Option<Canary>| {
            let same = before.is_some_and(|canary| (canary.user, canary.group) == (user, group));
            (!same).then(|| Canary::new(user, group, now))
        })
        .await
        .map(|_| ())
    }

    /// Changes the canary, if it is there and still of this account and group. False: nothing was to be changed.
    pub async fn change_canary(
        &self,
        (user, group): (ObjectId, ObjectId),
        mut change: impl FnMut(&mut Canary) + Send,
    ) -> Result<bool, LedgerError> {
        let written = self.update(CANARY, |canary: Option<Canary>| {
            let before = canary.filter(|canary| (canary.user, canary.group) == (user, group))?;
            let mut after = before.clone();
            change(&mut after);
            // What stays as it is costs no write.
            (after != before).then_some(after)
        });
        Ok(written.await?.is_some())
    }

    /// False: there was none.
    pub async fn forget_canary(&self) -> Result<bool, LedgerError> {
        self.remove::<Canary>(CANARY).await
    }

    /// How long notifications of what is watched waited for their first look, lately.
    pub async fn assessed_after(&self, watched: Watched) -> Result<Option<RecentLag>, LedgerError> {
        let stored: Option<Stored<AssessedAfter>> = self.get(&watched.to_string()).await?;
        Ok(stored.map(|stored| stored.value.lag))
    }

    pub async fn add_assessed_after(
        &self,
        watched: Watched,
        more: &Lag,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.update(&watched.to_string(), |before: Option<AssessedAfter>| {
            let mut lag = before.map_or_else(|| RecentLag::new(now), |before| before.lag);
            lag.add(more, now);
            Some(AssessedAfter { watched, lag })
        })
        .await
        .map(|_| ())
    }

    /// By how much our clock is ahead of Microsoft's, if that is minutes. A minute more or less is not written.
    pub async fn note_clock(&self, ahead: Option<SignedDuration>, now: Timestamp) -> Result<(), LedgerError> {
        let news = |before: Option<Compared>| {
            let same = match (before.and_then(|before| before.ahead), ahead) {
                (None, None) => true,
                (Some(was), Some(is)) => was.saturating_sub(is).abs() < SignedDuration::from_mins(1),
                (Some(_), None) | (None, Some(_)) => false,
            };
            (!same).then_some(Compared { at: now, ahead })
        };
        self.update(CLOCK, news).await.map(|_| ())
    }

    /// By how much our clock was ahead of Microsoft's, if that was minutes, when the steward last looked.
    pub async fn clock_ahead(&self) -> Result<Option<SignedDuration>, LedgerError> {
        let stored: Option<Stored<Compared>> = self.get(CLOCK).await?;
        Ok(stored.and_then(|stored| stored.value.ahead))
    }

    /// # Errors
    /// Nothing can be written.
    pub async fn probe(&self, at: Timestamp) -> Result<(), LedgerError> {
        self.put(&Probe { at }).await
    }

    /// How often the steps of plans came to which result, as written down since this ledger was opened here.
    #[must_use]
    pub fn recorded(&self) -> BTreeMap<&'static str, u64> {
        self.recorded.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
