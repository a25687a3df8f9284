//! The queue as everybody sees it: one method for each thing that may happen to a message. Backends are in files of
//! their own, and keep the same rules.

use aws_types::SdkConfig;
use embedded::Database;
use jiff::{SignedDuration, Timestamp};
use tracing::{Instrument as _, Span};

use crate::local::Local;
use crate::sqs::Sqs;
use crate::{
    Accepted, Acked, Claimed, Dead, DeadId, Delayed, Delivery, Depth, Hold, Move, QueueError, Received,
    SqsPlace,
};

/// A named queue with its dead letters. Clones share it; take clones of one handle, so that [`Queue::woken`] hears of
/// what the others send.
#[derive(Debug, Clone)]
pub enum Queue {
    Local(Local),
    Sqs(Sqs),
}

impl Queue {
    /// So many dead letters are shown at a time. On SQS, where ten come with a request, they are looked through well before the first of
    /// them shows again.
    pub const MOST_DEAD: usize = 2_000;
    /// No lease is longer.
    pub const LONGEST_LEASE: SignedDuration = SignedDuration::from_hours(1);
    /// What has failed waits for its next try no longer than that: Graph may ask for an hour.
    pub const LONGEST_TRY: SignedDuration = SignedDuration::from_hours(2);
    /// Nothing waits for longer that is not to wait for its day.
    pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(26);
    /// Where messages of a key collapse to the latest, and one comes so long after another, the work of the later one is the
    /// earlier one's, too.
    pub const COVERS: SignedDuration = SignedDuration::from_mins(15);

    /// A queue in the embedded store.
    pub fn local(database: Database, name: &'static str) -> Result<Self, QueueError> {
        Local::open(database, name).map(Self::Local)
    }

    /// A queue on Amazon SQS. Nothing is asked of AWS yet. Retries and timeouts of the settings given do not count.
    #[must_use]
    pub fn sqs(config: &SdkConfig, place: SqsPlace) -> Self {
        Self::Sqs(Sqs::open(config, place))
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local(local) => local.name(),
            Self::Sqs(sqs) => sqs.name(),
        }
    }

    /// Takes all moves or none, and answers when they are durable. A move collapses into one that waits for its key;
    /// where the key is claimed, it waits until that one is settled, and then runs at its own due time.
    pub async fn send(&self, moves: Vec<Move>) -> Result<(), QueueError> {
        if moves.is_empty() {
            return Ok(());
        }
        let span = self.sending(moves.len());
        async {
            let sent = match self {
                Self::Local(local) => local.send(moves).await,
                Self::Sqs(sqs) => Box::pin(sqs.send(moves)).await,
            };
            if sent.is_err() {
                trace::failed("queue");
            }
            sent
        }
        .instrument(span)
        .await
    }

    /// <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>
    fn sending(&self, count: usize) -> Span {
        tracing::debug_span!(
            target: trace::TARGET,
            "send",
            otel.name = %format_args!("{} send", self.name()),
            otel.kind = "producer",
            messaging.system = self.system(),
            messaging.operation.name = "send",
            messaging.operation.type = "send",
            messaging.destination.name = self.name(),
            messaging.batch.message_count = i64::try_from(count).unwrap_or(i64::MAX),
        )
    }

    /// The `messaging.system` of OpenTelemetry's semantic conventions.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match self {
            Self::Local(_) => "guestlist",
            Self::Sqs(_) => "aws_sqs",
        }
    }

    /// Takes up to `max` messages, the oldest due first. A message whose lease has ended counts as due at that moment,
    /// and is handed out as it was, with one delivery more.
    pub async fn claim(
        &self,
        now: Timestamp,
        lease: SignedDuration,
        max: usize,
    ) -> Result<Vec<Claimed>, QueueError> {
        match self {
            Self::Local(local) => local.claim(now, lease, max).await,
            Self::Sqs(sqs) => Err(QueueError::IsPushed { queue: sqs.name() }),
        }
    }

    /// A message that SQS has pushed: whether it is to be run, and else what to answer for it. At most one message of a key runs; who
    /// comes while it does goes back into the queue until its lease ends.
    ///
    /// # Errors
    /// The answer is [`crate::Answer::Failure`]. Where messages are claimed, it is [`QueueError::IsPulled`].
    pub async fn accept(
        &self,
        received: &Received,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Accepted, QueueError> {
        match self {
            Self::Local(local) => Err(QueueError::IsPulled { queue: local.name() }),
            Self::Sqs(sqs) => Box::pin(sqs.accept(received, now, lease)).await,
        }
    }

    /// Shows messages again soon that SQS has pushed, and whose answer is [`crate::Answer::Failure`]: each after twice as long as the
    /// time before, from 2 s up to a quarter of an hour. They would else stay hidden for the visibility timeout of the queue, which is
    /// six times as long as a function may take.
    ///
    /// # Errors
    /// Some of them stay hidden for that long. Where messages are claimed, it is [`QueueError::IsPulled`].
    pub async fn put_back(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        match self {
            Self::Local(local) => Err(QueueError::IsPulled { queue: local.name() }),
            Self::Sqs(sqs) => Box::pin(sqs.put_back(deliveries)).await,
        }
    }

    /// Moves up to `limit` of what waits elsewhere into the queue, because the queue can hold it by now. To be called every minute, or
    /// it is late. Returns how many there were; where all waits in one place, none.
    pub async fn move_later(&self, now: Timestamp, limit: usize) -> Result<usize, QueueError> {
        match self {
            Self::Local(_) => Ok(0),
            Self::Sqs(sqs) => Box::pin(sqs.move_later(now, limit)).await,
        }
    }

    /// The work is done.
    pub async fn ack(&self, claimed: &Claimed) -> Result<Acked, QueueError> {
        match self {
            Self::Local(local) => local.ack(claimed).await,
            Self::Sqs(sqs) => Box::pin(sqs.ack(claimed)).await,
        }
    }

    /// Gives a message back, to be handed out again at `due`. With a body it is as new, and its deliveries begin at
    /// nothing. Where a move for the key has arrived in the meantime, that one's body stays, and the earlier due
    /// time, or the later one where it collapses to the latest.
    pub async fn delay(
        &self,
        claimed: &Claimed,
        due: Timestamp,
        body: Option<String>,
    ) -> Result<Delayed, QueueError> {
        match self {
            Self::Local(local) => local.delay(claimed, due, body).await,
            Self::Sqs(sqs) => Box::pin(sqs.delay(claimed, due, body)).await,
        }
    }

    /// Moves the end of the lease.
    pub async fn extend(&self, claimed: &Claimed, until: Timestamp) -> Result<Hold, QueueError> {
        match self {
            Self::Local(local) => local.extend(claimed, until).await,
            Self::Sqs(sqs) => Box::pin(sqs.extend(claimed, until)).await,
        }
    }

    /// Ends every lease, as if its time were over: what was claimed can be claimed again at once, with one delivery more.
    /// Only where nobody works on this queue any more. Returns how many there were.
    pub async fn release_claims(&self, now: Timestamp) -> Result<usize, QueueError> {
        match self {
            Self::Local(local) => local.release_claims(now).await,
            Self::Sqs(_) => Ok(0),
        }
    }

    /// Ends the leases that are longer than any, and the waits, but for keys that end so: whoever took them or put them off had a
    /// clock that was ahead. Returns how many there were; where messages are pushed, whoever receives them looks at the lease, SQS
    /// waits for a quarter of an hour at most, and there are none.
    pub async fn bring_near(&self, now: Timestamp, but: &'static str) -> Result<usize, QueueError> {
        match self {
            Self::Local(local) => local.bring_near(now, but).await,
            Self::Sqs(_) => Ok(0),
        }
    }

    /// Puts a message to the dead letters. A move for its key that has arrived in the meantime lives on.
    pub async fn bury(&self, claimed: &Claimed, why: &str, now: Timestamp) -> Result<Hold, QueueError> {
        match self {
            Self::Local(local) => local.bury(claimed, why, now).await,
            Self::Sqs(sqs) => Box::pin(sqs.bury(claimed, why, now)).await,
        }
    }

    /// Puts something to the dead letters that never was in the queue, because nobody could read it.
    pub async fn bury_new(
        &self,
        key: &str,
        body: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<DeadId, QueueError> {
        match self {
            Self::Local(local) => local.bury_new(key, body, why, now).await,
            Self::Sqs(sqs) => Box::pin(sqs.bury_new(key, body, why, now)).await,
        }
    }

    pub async fn depth(&self, now: Timestamp) -> Result<Depth, QueueError> {
        match self {
            Self::Local(local) => local.depth(now).await,
            Self::Sqs(sqs) => Box::pin(sqs.depth()).await,
        }
    }

    /// Since when the first of all that is not dead is owed: what waits for another try or lies with somebody who works on it, too, and
    /// what is to be owed in time to come. None: nothing is there. On SQS it may be earlier than it is, never later.
    ///
    /// # Errors
    /// The queue or the table cannot be read, or [`SqsPlace::debts`] are not kept.
    pub async fn owed_since(&self) -> Result<Option<Timestamp>, QueueError> {
        match self {
            Self::Local(local) => local.owed_since().await,
            Self::Sqs(sqs) => Box::pin(sqs.owed_since()).await,
        }
    }

    /// Sends again what has been due for a quarter of an hour and nobody has settled, on whom nobody works and who waits for no try: its
    /// sender may have died before he sent it. Each time it waits for twice as long as before, a day at most. To be called every minute,
    /// where messages lie apart from what says that they are owed; returns how many there were, about `limit` at most.
    ///
    /// # Errors
    /// Some of them are left to the next time.
    pub async fn send_again(&self, now: Timestamp, limit: usize) -> Result<usize, QueueError> {
        match self {
            Self::Local(_) => Ok(0),
            Self::Sqs(sqs) => Box::pin(sqs.send_again(now, limit)).await,
        }
    }

    /// When something can be claimed next: a due time, or the end of a lease. It may have passed.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, QueueError> {
        match self {
            Self::Local(local) => local.next_due().await,
            Self::Sqs(_) => Ok(None),
        }
    }

    /// Up to `limit` dead letters after the one named, the oldest first.
    pub async fn dead(&self, after: Option<DeadId>, limit: usize) -> Result<Vec<Dead>, QueueError> {
        match self {
            Self::Local(local) => local.dead(after, limit).await,
            Self::Sqs(sqs) => Box::pin(sqs.dead(after, limit)).await,
        }
    }

    pub async fn dead_one(&self, id: &DeadId) -> Result<Option<Dead>, QueueError> {
        match self {
            Self::Local(local) => local.dead_one(id).await,
            Self::Sqs(sqs) => Box::pin(sqs.dead_one(id)).await,
        }
    }

    /// Puts a dead letter back into the queue, due now and owed since it was, its deliveries forgotten. Where its key waits already, the
    /// waiting body is the newer one and stays. False: there is no such letter.
    pub async fn replay(&self, id: &DeadId, now: Timestamp) -> Result<bool, QueueError> {
        match self {
            Self::Local(local) => local.replay(id, now).await,
            Self::Sqs(sqs) => Box::pin(sqs.replay(id, now)).await,
        }
    }

    /// Forgets a dead letter. False: there is no such letter.
    pub async fn drop_dead(&self, id: &DeadId) -> Result<bool, QueueError> {
        match self {
            Self::Local(local) => local.drop_dead(id).await,
            Self::Sqs(sqs) => Box::pin(sqs.drop_dead(id)).await,
        }
    }

    /// Waits until something was put into the queue by a clone of this handle, or had been since the last time. What
    /// other processes send has to be found by looking. May be dropped at any time without losing a wake-up.
    pub async fn woken(&self) {
        match self {
            Self::Local(local) => local.woken().await,
            Self::Sqs(_) => std::future::pending().await,
        }
    }
}
