//! How a job ends. Known but ignored is success; poison is buried and reported; only trouble with the surroundings is
//! tried again.

use jiff::{SignedDuration, Timestamp};
use model::Job;

/// A job's end, as its handler sees it.
#[derive(Debug)]
pub enum End {
    Done,
    /// The same job, or another in its place, at that moment.
    Again {
        at: Timestamp,
        job: Option<Job>,
    },
    /// It can never succeed: to the dead letters, and people are told.
    Bury {
        why: String,
    },
}

/// The surroundings failed: the job is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{why:#}")]
pub struct Trouble {
    pub why: anyhow::Error,
    /// What the other side asked us to wait.
    pub retry_after: Option<SignedDuration>,
}

impl Trouble {
    pub fn now(why: impl Into<anyhow::Error>) -> Self {
        Self { why: why.into(), retry_after: None }
    }

    /// Microsoft Graph is away, or overloaded: a person who replays the job mends nothing.
    #[must_use]
    pub fn passes_with_graph(&self) -> bool {
        let error = self.why.downcast_ref::<graph::GraphError>().map(graph::GraphError::advice);
        matches!(error, Some(graph::Advice::TryAgain { after: _ }))
    }

    /// Somebody else wrote the same document first: ordinary where workers meet.
    #[must_use]
    pub fn is_a_race(&self) -> bool {
        let error = self.why.downcast_ref::<ledger::LedgerError>();
        error.is_some_and(|error| {
            matches!(
                error,
                ledger::LedgerError::Conflict { place: _ } | ledger::LedgerError::NotNext { id: _, why: _ }
            )
        })
    }

    /// How long to wait after so many deliveries of its job. Some of them may have been processes that died: who was faster in
    /// a race is done all the same.
    pub(crate) fn wait(&self, deliveries: u32) -> SignedDuration {
        const AFTER_A_RACE: SignedDuration = SignedDuration::from_secs(10);
        let doubling = SignedDuration::from_secs(1_i64 << deliveries.min(10));
        let doubling = if self.is_a_race() { doubling.min(AFTER_A_RACE) } else { doubling };
        wait(self.retry_after, doubling, deliveries)
    }

    /// Microsoft does not take our credential (any more): a newer one may lie where it came from.
    #[must_use]
    pub fn is_of_the_credential(&self) -> bool {
        let error = self.why.downcast_ref::<graph::GraphError>();
        error.is_some_and(|error| matches!(error, graph::GraphError::Credential { message: _, trace: _ }))
    }
}

impl From<ledger::LedgerError> for Trouble {
    fn from(error: ledger::LedgerError) -> Self {
        // Somebody else wrote first: what he wrote is to be read, at once.
        let raced = matches!(
            error,
            ledger::LedgerError::Conflict { place: _ } | ledger::LedgerError::NotNext { id: _, why: _ }
        );
        let retry_after = raced.then_some(SignedDuration::from_millis(50));
        Self { why: anyhow::Error::new(error), retry_after }
    }
}

impl From<queue::QueueError> for Trouble {
    fn from(error: queue::QueueError) -> Self {
        Self::now(error)
    }
}

impl From<graph::GraphError> for Trouble {
    fn from(error: graph::GraphError) -> Self {
        let retry_after = match error.advice() {
            graph::Advice::TryAgain { after } => after,
            graph::Advice::MaybeNotReplicatedYet
            | graph::Advice::GiveUp { tell: _ }
            | graph::Advice::FixCredential { tell: _ } => None,
        };
        Self { why: anyhow::Error::new(error), retry_after }
    }
}

/// Whether Graph does not know the object (yet).
pub(crate) fn is_not_found(error: &graph::GraphError) -> bool {
    matches!(error, graph::GraphError::NotFound { code: _, trace: _ })
}

/// The error without its request ids. They are different each time, and would make the same failure look like news;
/// the log and the outcome have them.
pub(crate) fn in_words(error: &graph::GraphError) -> String {
    let (text, trace) = (error.to_string(), error.trace().to_string());
    if trace.is_empty() { text } else { text.replace(&trace, "") }
}

/// How long to wait after so many failures in a row. What the other side asks for is enough at first; a service that
/// keeps asking for a moment would else use up all tries within minutes.
pub(crate) fn wait(told: Option<SignedDuration>, doubling: SignedDuration, tries: u32) -> SignedDuration {
    const TRUSTED: u32 = 4;
    match told {
        Some(told) if tries < TRUSTED => told,
        Some(told) => told.max(doubling),
        None => doubling,
    }
}

/// As people read it.
pub(crate) fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The moment after `now` by so much.
pub(crate) fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_race_nobody_waits_for_long_however_many_processes_died_before() {
        let id: model::IncidentId = "7e48acf428c24a7f-1".parse().unwrap();
        let race = || Trouble::from(ledger::LedgerError::NotNext { id: id.clone(), why: "another did" });
        let seconds = |trouble: Trouble, deliveries| trouble.wait(deliveries).as_secs_f64();
        assert_eq!(
            [1, 3, 4, 9, 30].map(|deliveries| seconds(race(), deliveries)),
            [0.05, 0.05, 10.0, 10.0, 10.0]
        );
        let away =
            || Trouble { why: anyhow::anyhow!("away"), retry_after: Some(SignedDuration::from_secs(1)) };
        assert_eq!(
            [1, 3, 4, 9, 30].map(|deliveries| seconds(away(), deliveries)),
            [1.0, 1.0, 16.0, 512.0, 1024.0]
        );
        let unsaid = || Trouble::now(anyhow::anyhow!("gone"));
        assert_eq!([1, 9].map(|deliveries| seconds(unsaid(), deliveries)), [2.0, 512.0]);
    }
}
