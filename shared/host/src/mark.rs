//! Up to when every change was assessed, as the steward has noted it where the store is on AWS: he alone may read there what is owed.
//!
//! Each minute he reads up to when all has been told, and then since when the oldest change is owed that nobody has assessed. The earlier of
//! the two is the mark. Whoever replays a dead letter moves it back first, and it stays for some minutes, because the steward may have looked
//! before the letter lay in its queue.

use jiff::{SignedDuration, Timestamp};
use ledger::{Document, Ledger, LedgerError};
use serde::{Deserialize, Serialize};

const PLACE: &str = "changes";
/// Longer than a replay takes.
const REPLAYING: SignedDuration = SignedDuration::from_mins(5);

/// One document. The steward alone moves it on, and whoever replays a dead letter moves it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Every change up to then has been assessed.
    pub(crate) until: Option<Timestamp>,
    /// When somebody began to replay a dead letter, the last time.
    #[serde(default)]
    replayed_at: Option<Timestamp>,
}

impl Document for Mark {
    const KIND: &'static str = "assessed";

    fn sort(&self) -> String {
        PLACE.to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// None: nobody can say.
pub(crate) fn assessed_until(told: Option<Timestamp>, owed_since: Option<Timestamp>) -> Option<Timestamp> {
    let until = told.map(|told| owed_since.map_or(told, |owed_since| owed_since.min(told)));
    // What nobody knows the beginning of is owed since ever.
    until.filter(|until| *until > Timestamp::MIN)
}

impl Mark {
    pub(crate) async fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        Ok(ledger.get::<Self>(PLACE).await?.map(|stored| stored.value).unwrap_or_default())
    }

    /// Up to when all was told, and since when something is owed, both read after this mark, and in this order.
    pub(crate) async fn note(
        self,
        ledger: &Ledger,
        (told, owed_since): (Option<Timestamp>, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        // What was told in time to come was told before the clock was set back, and nobody knows when.
        let until = assessed_until(told.filter(|told| *told <= now), owed_since);
        let moved = |before: Option<Self>| {
            let before = before.unwrap_or_default();
            let after = Self { until: before.replaying(until, now), ..before };
            // A letter was replayed after we began to look: the next look knows of it.
            (before.replayed_at == self.replayed_at && after != before).then_some(after)
        };
        ledger.update(PLACE, moved).await.map(|_| ())
    }

    /// Something is about to be back in the queue that is owed since then, or (None) nobody knows since when.
    pub(crate) async fn go_back(
        ledger: &Ledger,
        owed_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let moved = |before: Option<Self>| {
            let Self { until, replayed_at: _ } = before.unwrap_or_default();
            let until = until.zip(owed_since).map(|(until, since)| until.min(since));
            Some(Self { until, replayed_at: Some(now) })
        };
        ledger.update(PLACE, moved).await.map(|_| ())
    }

    fn replaying(self, until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        // A clock that is minutes off says nothing of how long ago it was.
        let lately = self.replayed_at.is_some_and(|at| now.duration_since(at).abs() < REPLAYING);
        if lately { self.until.zip(until).map(|(before, until)| before.min(until)) } else { until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    struct Given {
        ledger: Ledger,
        _folder: tempfile::TempDir,
    }

    impl Given {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = embedded::Database::open(&folder.path().join("guestlist.db")).unwrap();
            let tenant = "c0270500-0000-4000-8000-000000000000".parse().unwrap();
            Self { ledger: Ledger::sqlite(database, tenant).unwrap(), _folder: folder }
        }

        async fn mark(&self) -> Mark {
            Mark::read(&self.ledger).await.unwrap()
        }

        async fn note(&self, told: Option<&str>, owed_since: Option<&str>, now: &str) -> Option<Timestamp> {
            let seen = (told.map(at), owed_since.map(at));
            self.mark().await.note(&self.ledger, seen, at(now)).await.unwrap();
            self.mark().await.until
        }
    }

    #[tokio::test]
    async fn the_mark_is_the_earlier_of_what_was_told_and_what_is_owed() {
        let given = Given::new();
        assert_eq!(given.note(Some("08:40:00"), None, "09:00:00").await, Some(at("08:40:00")));
        assert_eq!(given.note(Some("08:41:00"), Some("08:59:00"), "09:01:00").await, Some(at("08:41:00")));
        assert_eq!(given.note(Some("08:50:00"), Some("08:45:00"), "09:05:00").await, Some(at("08:45:00")));
        // A query that had to begin anew tells less than before, and that counts.
        assert_eq!(given.note(Some("08:30:00"), None, "09:06:00").await, Some(at("08:30:00")));
        assert_eq!(given.note(None, None, "09:07:00").await, None);
        assert_eq!(given.note(Some("09:09:00"), None, "09:08:00").await, None, "the clock was set back");
        assert_eq!(assessed_until(Some(at("08:40:00")), Some(Timestamp::MIN)), None, "owed since ever");
    }

    #[tokio::test]
    async fn whoever_replays_a_letter_moves_the_mark_back_and_it_stays_for_as_long_as_that_may_take() {
        let given = Given::new();
        given.note(Some("08:40:00"), None, "09:00:00").await;
        for (owed_since, until) in [("09:00:00", "08:40:00"), ("08:20:00", "08:20:00")] {
            Mark::go_back(&given.ledger, Some(at(owed_since)), at("09:00:10")).await.unwrap();
            assert_eq!(given.mark().await.until, Some(at(until)));
        }
        assert_eq!(given.note(Some("08:41:00"), None, "09:01:00").await, Some(at("08:20:00")));
        assert_eq!(given.note(Some("08:10:00"), None, "09:02:00").await, Some(at("08:10:00")));
        assert_eq!(given.note(Some("08:45:00"), None, "09:05:10").await, Some(at("08:45:00")));
        Mark::go_back(&given.ledger, None, at("09:06:00")).await.unwrap();
        assert_eq!(given.note(Some("08:46:00"), None, "09:07:00").await, None, "nobody knows since when");
        // Of a clock that was ahead.
        assert_eq!(given.note(Some("08:46:00"), None, "08:59:00").await, Some(at("08:46:00")));
    }

    #[tokio::test]
    async fn a_look_that_began_before_a_replay_says_nothing() {
        let given = Given::new();
        given.note(Some("08:40:00"), None, "09:00:00").await;
        let before = given.mark().await;
        Mark::go_back(&given.ledger, Some(at("08:20:00")), at("09:00:10")).await.unwrap();
        before.note(&given.ledger, (Some(at("08:50:00")), None), at("09:10:00")).await.unwrap();
        assert_eq!(given.mark().await.until, Some(at("08:20:00")));
    }
}
