//! How many guests there are: the circuit breaker allows a share of them an hour, and few while nobody has counted.

use jiff::SignedDuration;
use model::{Breaker, Clock, Counted};

use crate::Trouble;

/// Counts guests, so that a large tenant is not held to the budget of a small one.
#[derive(Debug, Clone)]
pub struct Census {
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub clock: Clock,
}

impl Census {
    /// A count that is younger serves.
    const EVERY: SignedDuration = SignedDuration::from_hours(6);

    /// # Errors
    /// Graph or the ledger is in trouble: the count before serves for two days.
    pub async fn look(&self) -> Result<(), Trouble> {
        let now = self.clock.now();
        let before = self.ledger.breaker().await?.and_then(|stored| stored.value.guests);
        if before.is_some_and(|counted| now.duration_since(counted.at).abs() < Self::EVERY) {
            return Ok(());
        }
        let counted = Counted { guests: self.reader.count_guests().await?, at: now };
        self.ledger.count_guests(counted).await?;
        tracing::info!(
            guests.count = counted.guests,
            breaker.established_an_hour = allowed(counted),
            "counted"
        );
        Ok(())
    }
}

fn allowed(counted: Counted) -> usize {
    Breaker { guests: Some(counted), ..Breaker::default() }.established_an_hour(counted.at)
}
