//! Up to when every change was assessed, where the queue does not say since when what lies in it is owed.
//!
//! The steward reads up to when all has been told, and looks at the queue of changes after that: if nothing in it is owed, whatever was told by
//! then has been assessed. What SQS says of how much lies in a queue may be a minute old
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>), so that it is believed only
//! when a second look, more than a minute later, finds nothing, either. Else the mark stays where it is.

use jiff::{SignedDuration, Timestamp};
use ledger::{Document, Ledger, LedgerError};
use queue::Depth;
use serde::{Deserialize, Serialize};

const PLACE: &str = "changes";
/// More than SQS needs to know of what was sent.
const SURE_AFTER: SignedDuration = SignedDuration::from_secs(61);

/// One document. The steward alone moves it on, and whoever replays a dead letter moves it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Every change up to then has been assessed.
    pub(crate) until: Option<Timestamp>,
    /// What will be, if nothing is owed at a later look, either.
    next: Option<Next>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    until: Timestamp,
    seen_at: Timestamp,
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

impl Mark {
    pub(crate) async fn read(ledger: &Ledger) -> Result<Self, LedgerError> {
        Ok(ledger.get::<Self>(PLACE).await?.map(|stored| stored.value).unwrap_or_default())
    }

    /// After a look at the queue that was made after `told` was read.
    pub(crate) async fn note(
        ledger: &Ledger,
        told: Option<Timestamp>,
        depth: &Depth,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let moved = |before: Option<Self>| {
            let before = before.unwrap_or_default();
            let after = before.after(told, depth.owed == 0, now);
            (after != before).then_some(after)
        };
        ledger.update(PLACE, moved).await.map(|_| ())
    }

    /// Something is back in the queue that is owed since then, or (None) nobody knows since when.
    pub(crate) async fn go_back(ledger: &Ledger, owed_since: Option<Timestamp>) -> Result<(), LedgerError> {
        let moved = |before: Option<Self>| {
            let before = before?;
            let until = before.until.zip(owed_since).map(|(until, since)| until.min(since));
            Some(Self { until, next: None })
        };
        ledger.update(PLACE, moved).await.map(|_| ())
    }

    fn after(self, told: Option<Timestamp>, owes_nothing: bool, now: Timestamp) -> Self {
        let Self { until, next } = self;
        // What was told in time to come was told before the clock was set back, and nobody knows when.
        let told = told.filter(|told| owes_nothing && *told <= now);
        let Some(told) = told else {
            return Self { until, next: None };
        };
        let fresh = Next { until: told, seen_at: now };
        match next {
            // Of a clock that was set back nobody knows how long ago it was.
            Some(next) if next.seen_at > now => Self { until, next: Some(fresh) },
            Some(next) if now.duration_since(next.seen_at) < SURE_AFTER => Self { until, next: Some(next) },
            // A query that had to begin anew tells less than before, and that counts.
            Some(next) => Self { until: Some(next.until.min(told)), next: Some(fresh) },
            None => Self { until, next: Some(fresh) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    #[test]
    fn the_mark_moves_only_when_two_looks_a_minute_apart_find_nothing_owed() {
        let mark = Mark::default();
        let first = mark.after(Some(at("08:40:00")), true, at("09:00:00"));
        assert_eq!(first.until, None, "what SQS says may be a minute old");
        let too_soon = first.after(Some(at("08:41:00")), true, at("09:00:50"));
        assert_eq!((too_soon.until, too_soon.next), (None, first.next));
        let second = too_soon.after(Some(at("08:50:00")), true, at("09:01:50"));
        assert_eq!(
            second.until,
            Some(at("08:40:00")),
            "what was told between the looks may lie in the queue"
        );
        let third = second.after(Some(at("08:50:00")), true, at("09:02:55"));
        assert_eq!(third.until, Some(at("08:50:00")));
    }

    #[test]
    fn the_mark_stays_while_something_lies_in_the_queue_and_the_looks_begin_anew() {
        let mark = Mark { until: Some(at("08:00:00")), next: None };
        let first = mark.after(Some(at("08:40:00")), true, at("09:00:00"));
        let busy = first.after(Some(at("08:45:00")), false, at("09:01:00"));
        assert_eq!(busy, Mark { until: Some(at("08:00:00")), next: None });
        let again = busy.after(Some(at("08:50:00")), true, at("09:02:00"));
        assert_eq!(again.until, Some(at("08:00:00")));
        let unknown = again.after(None, true, at("09:04:00"));
        assert_eq!(unknown, Mark { until: Some(at("08:00:00")), next: None });
    }

    #[test]
    fn a_clock_that_is_set_back_moves_no_mark() {
        let mark = Mark::default().after(Some(at("08:40:00")), true, at("09:00:00"));
        let back = mark.after(Some(at("08:30:00")), true, at("08:50:00"));
        assert_eq!(back.until, None);
        assert_eq!(back.next, Some(Next { until: at("08:30:00"), seen_at: at("08:50:00") }));
    }

    #[tokio::test]
    async fn the_mark_is_kept_in_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let database = embedded::Database::open(&folder.path().join("guestlist.db")).unwrap();
        let tenant = "c0270500-0000-4000-8000-000000000000".parse().unwrap();
        let ledger = Ledger::sqlite(database, tenant).unwrap();
        assert_eq!(Mark::read(&ledger).await.unwrap(), Mark::default());
        // What waits for its day is not owed.
        let idle = Depth {
            ready: 0,
            waiting: 7,
            claimed: 0,
            dead: 3,
            owed: 0,
            oldest_ready: None,
            owed_since: None,
        };
        for (told, now) in [("08:40:00", "09:00:00"), ("08:41:00", "09:01:01")] {
            Mark::note(&ledger, Some(at(told)), &idle, at(now)).await.unwrap();
        }
        assert_eq!(Mark::read(&ledger).await.unwrap().until, Some(at("08:40:00")), "the dead are told apart");
        let busy = Depth { owed: 1, ..idle };
        Mark::note(&ledger, Some(at("08:50:00")), &busy, at("09:03:00")).await.unwrap();
        Mark::note(&ledger, Some(at("08:50:00")), &idle, at("09:04:01")).await.unwrap();
        assert_eq!(Mark::read(&ledger).await.unwrap().until, Some(at("08:40:00")));
        // A dead letter is replayed that the mark has passed, then one of which nobody knows since when it is owed.
        for (owed_since, until) in [("09:00:00", "08:40:00"), ("08:20:00", "08:20:00")] {
            Mark::go_back(&ledger, Some(at(owed_since))).await.unwrap();
            assert_eq!(
                Mark::read(&ledger).await.unwrap(),
                Mark { until: Some(at(until)), next: None },
                "an earlier look saw nothing of it"
            );
        }
        Mark::go_back(&ledger, None).await.unwrap();
        assert_eq!(Mark::read(&ledger).await.unwrap(), Mark::default());
    }
}
