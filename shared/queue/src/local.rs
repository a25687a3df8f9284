//! The queue in the embedded store. Each method is one transaction; the statements are in `moves.rs` and `letters.rs`.

use std::sync::Arc;

use embedded::rusqlite::{self, Connection};
use embedded::{Database, StoreError};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::{Acked, Claimed, Dead, DeadId, Delayed, Depth, Hold, Move, Queue, QueueError, letters, moves};

const STEPS: &[&str] = &[
    "
CREATE TABLE queue_moves (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The due time while it waits, the end of the lease while it is claimed.
    ready_at INTEGER NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    -- Counts the claims, so that a receipt fits one of them only. Ids are never given twice.
    claim INTEGER NOT NULL DEFAULT 0,
    enqueued_at INTEGER NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 0,
    -- The dirty mark: what arrived while it was claimed.
    next_body TEXT,
    next_due INTEGER,
    next_enqueued_at INTEGER,
    UNIQUE (queue, key)
) STRICT;
CREATE INDEX queue_moves_ready ON queue_moves (queue, ready_at, claimed);
CREATE TABLE queue_dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    why TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    buried_at INTEGER NOT NULL
) STRICT;
CREATE INDEX queue_dead_queue ON queue_dead (queue);
",
    // What arrived while it was claimed moves a later due time, and not an earlier one.
    "ALTER TABLE queue_moves ADD COLUMN next_latest INTEGER NOT NULL DEFAULT 0;",
    // Of what was buried before, nobody knows since when it is owed.
    "ALTER TABLE queue_dead ADD COLUMN owed_since INTEGER;",
    // Where a body comes from, as a traceparent, for whoever makes traces.
    "ALTER TABLE queue_moves ADD COLUMN trace TEXT;
     ALTER TABLE queue_moves ADD COLUMN next_trace TEXT;",
];

#[derive(Debug, Clone)]
pub struct Local {
    database: Database,
    name: &'static str,
    woken: Arc<Notify>,
}

impl Local {
    pub(crate) fn open(database: Database, name: &'static str) -> Result<Self, QueueError> {
        database.migrate("queue", STEPS)?;
        Ok(Self { database, name, woken: Arc::new(Notify::new()) })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) async fn send(&self, moves: Vec<Move>) -> Result<(), QueueError> {
        if moves.is_empty() {
            return Ok(());
        }
        let trace = trace::current().map(|here| here.to_string());
        let send = move |db: &Connection, queue: &str| {
            moves.iter().try_for_each(|one| moves::send(db, queue, one, trace.as_deref()))
        };
        self.write(send).await?;
        self.wake();
        Ok(())
    }

    pub(crate) async fn claim(
        &self,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, QueueError> {
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        self.write(move |db, queue| moves::claim(db, queue, now, until, max)).await
    }

    pub(crate) async fn ack(&self, claimed: &Claimed) -> Result<Acked, QueueError> {
        let Some(row) = claimed.receipt.row() else { return Ok(Acked::LeaseLost) };
        let acked = self.write(move |db, _| moves::ack(db, row)).await?;
        if acked == Acked::RunsAgain {
            self.wake();
        }
        Ok(acked)
    }

    pub(crate) async fn delay(
        &self,
        claimed: &Claimed,
        due: Timestamp,
        body: Option<String>,
    ) -> Result<Delayed, QueueError> {
        let Some(row) = claimed.receipt.row() else { return Ok(Delayed::LeaseLost) };
        let trace = body.as_deref().and_then(|body| claimed.trace_of(body)).map(|there| there.to_string());
        let delay =
            move |db: &Connection, _: &str| moves::delay(db, row, due, (body.as_deref(), trace.as_deref()));
        let delayed = self.write(delay).await?;
        self.wake();
        Ok(delayed)
    }

    pub(crate) async fn extend(&self, claimed: &Claimed, until: Timestamp) -> Result<Hold, QueueError> {
        let Some(row) = claimed.receipt.row() else { return Ok(Hold::Lost) };
        self.write(move |db, _| moves::extend(db, row, until)).await
    }

    pub(crate) async fn release_claims(&self, now: Timestamp) -> Result<usize, QueueError> {
        let released = self.write(move |db, queue| moves::release_claims(db, queue, now, now)).await?;
        self.wake();
        Ok(released)
    }

    pub(crate) async fn bring_near(&self, now: Timestamp, but: &'static str) -> Result<usize, QueueError> {
        let far = |span| now.checked_add(span).unwrap_or(Timestamp::MAX);
        let (lease, wait) = (far(Queue::LONGEST_LEASE), far(Queue::LONGEST_WAIT));
        let brought = self
            .write(move |db, queue| {
                let ended = moves::release_claims(db, queue, now, lease)?;
                Ok(ended.saturating_add(moves::bring_near(db, queue, (now, wait), but)?))
            })
            .await?;
        if brought > 0 {
            self.wake();
        }
        Ok(brought)
    }

    pub(crate) async fn bury(
        &self,
        claimed: &Claimed,
        why: &str,
        now: Timestamp,
    ) -> Result<Hold, QueueError> {
        let Some(row) = claimed.receipt.row() else { return Ok(Hold::Lost) };
        let why = why.to_owned();
        let hold = self.write(move |db, queue| letters::bury(db, queue, row, &why, now)).await?;
        self.wake();
        Ok(hold)
    }

    pub(crate) async fn bury_new(
        &self,
        key: &str,
        body: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<DeadId, QueueError> {
        let (key, body, why) = (key.to_owned(), body.to_owned(), why.to_owned());
        self.write(move |db, queue| letters::add(db, queue, (&key, &body, 0, now), &why, now)).await
    }

    pub(crate) async fn depth(&self, now: Timestamp) -> Result<Depth, QueueError> {
        self.read(move |db, queue| moves::depth(db, queue, now)).await
    }

    pub(crate) async fn owed_since(&self) -> Result<Option<Timestamp>, QueueError> {
        self.read(moves::owed_since).await
    }

    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, QueueError> {
        self.read(moves::next_due).await
    }

    pub(crate) async fn dead(&self, after: Option<DeadId>, limit: usize) -> Result<Vec<Dead>, QueueError> {
        let after = after.and_then(|id| id.number());
        self.read(move |db, queue| letters::list(db, queue, after, limit)).await
    }

    pub(crate) async fn dead_one(&self, id: &DeadId) -> Result<Option<Dead>, QueueError> {
        let Some(number) = id.number() else { return Ok(None) };
        self.read(move |db, queue| letters::find(db, queue, number)).await
    }

    pub(crate) async fn replay(&self, id: &DeadId, now: Timestamp) -> Result<bool, QueueError> {
        let Some(number) = id.number() else { return Ok(false) };
        let replayed = self.write(move |db, queue| letters::replay(db, queue, number, now)).await?;
        self.wake();
        Ok(replayed)
    }

    pub(crate) async fn drop_dead(&self, id: &DeadId) -> Result<bool, QueueError> {
        let Some(number) = id.number() else { return Ok(false) };
        self.write(move |db, queue| letters::remove(db, queue, number)).await
    }

    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Wakes everybody who waits, and leaves a permit for one who was about to: he looks, and there is nothing for a
    /// second.
    fn wake(&self) {
        self.woken.notify_waiters();
        self.woken.notify_one();
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queue = self.name;
        self.database.write(move |db| work(db, queue)).await.map_err(|error: StoreError| error.into())
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let queue = self.name;
        self.database.read(move |db| work(db, queue)).await.map_err(|error: StoreError| error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of an earlier version, with a dead letter of which it did not keep since when it was owed.
    #[tokio::test]
    async fn what_an_earlier_version_has_buried_is_owed_since_ever_when_it_is_replayed() {
        let database = Database::in_memory().unwrap();
        database.migrate("queue", STEPS.get(..2).unwrap()).unwrap();
        let earlier = "INSERT INTO queue_dead (queue, key, body, why, deliveries, buried_at)
                       VALUES ('changes', 'a', 'work', 'no use', 31, 1800000000000000)";
        database.write(move |db| db.execute(earlier, [])).await.unwrap();
        let queue = Queue::local(database, "changes").unwrap();
        let dead = queue.dead(None, 10).await.unwrap().remove(0);
        assert_eq!((dead.body.as_str(), dead.deliveries, dead.owed_since), ("work", 31, None));
        let now = Timestamp::from_second(1_800_000_060).unwrap();
        assert!(queue.replay(&dead.id, now).await.unwrap());
        assert_eq!(queue.owed_since().await.unwrap(), Some(Timestamp::MIN));
        let claimed = queue.claim(now, SignedDuration::from_mins(1), 1).await.unwrap();
        assert_eq!(claimed.first().map(|one| one.body.as_str()), Some("work"));
    }

    thread_local! {
        static HERE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    fn bridge() -> trace::Bridge {
        trace::Bridge {
            current: || trace::TraceContext::new(1, HERE.get(), 1),
            child_of: |_, _| {},
            linked_to: |_, _| {},
            link: |_| {},
            failed: |_| {},
        }
    }

    #[tokio::test]
    async fn where_a_body_comes_from_goes_wherever_the_body_goes() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let subscriber = tracing_subscriber::registry().with(bridge().layer());
        let _guard = tracing::subscriber::set_default(subscriber);
        let queue = Queue::local(Database::in_memory().unwrap(), "changes").unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let send = async |key: &str, body: &str, collapse, from| {
            HERE.set(from);
            let (key, body) = (key.to_owned(), body.to_owned());
            queue.send(vec![Move { key, body, due: now, owed_since: now, collapse }]).await.unwrap();
        };
        let claim = async || {
            let mut claimed = queue.claim(now, SignedDuration::from_mins(1), 1).await.unwrap();
            let one = claimed.remove(0);
            let from = one.trace.map(trace::TraceContext::span);
            (one, from)
        };
        use crate::Collapse::{Earliest, Wakes, Yields};
        // The newer body with where it was sent, or the one that waits with where that was.
        send("a", "first", Earliest, 1).await;
        send("a", "second", Earliest, 2).await;
        send("a", "third", Yields, 3).await;
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), from), ("second", Some(2)));
        // What arrives while somebody works on it.
        send("a", "fourth", Earliest, 4).await;
        send("a", "fifth", Wakes, 5).await;
        queue.ack(&one).await.unwrap();
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), from), ("fourth", Some(4)));
        // Given back as it was, and with a body that whoever works on it has made.
        HERE.set(6);
        queue.delay(&one, now, None).await.unwrap();
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), from), ("fourth", Some(4)));
        queue.delay(&one, now, Some("fourth".to_owned())).await.unwrap();
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), one.deliveries, from), ("fourth", 1, Some(4)));
        queue.delay(&one, now, Some("seventh".to_owned())).await.unwrap();
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), from), ("seventh", Some(6)));
        // Something has arrived that is newer.
        send("a", "eighth", Earliest, 8).await;
        HERE.set(9);
        queue.delay(&one, now, Some("ninth".to_owned())).await.unwrap();
        let (one, from) = claim().await;
        assert_eq!((one.body.as_str(), from), ("eighth", Some(8)));
        // Nobody makes traces any more: what comes then is of none.
        send("a", "tenth", Earliest, 0).await;
        queue.ack(&one).await.unwrap();
        assert_eq!(claim().await.1, None);
    }
}
