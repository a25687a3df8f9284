//! The queue on Amazon SQS: a standard queue, its dead-letter queue, and the ledger's table for leases, for what is due later
//! than SQS can delay, and, where that is asked, for since when what lies in it is owed. Messages are pushed, as an event source mapping of Lambda does it, and are deleted by who pushed them when
//! the answer for them is success; nothing is deleted here but dead letters.
//!
//! What keeps a message from being lost is that it stays in SQS until then. So whatever is sent elsewhere is sent first, or the
//! answer is failure; dying between two requests costs a message that comes twice.
//!
//! Who sends needs `sqs:SendMessage`; who works on messages `sqs:ChangeMessageVisibility`, too, and `sqs:SendMessage` on the
//! dead-letter queue; who looks at dead letters `sqs:ReceiveMessage`, `sqs:ChangeMessageVisibility` and `sqs:DeleteMessage` on that
//! one; depths need `sqs:GetQueueAttributes` on both. In the table a queue reads and writes its own
//! partitions, and finds what is due in the index by the classes `owed#<name>` and `later#<name>`.

mod accept;
mod debt;
mod envelope;
mod later;
mod lease;
mod letters;
mod sending;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Builder};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;
use dynamo::{Item, Table, TableError};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

pub(crate) use self::debt::Debt;
use self::envelope::Envelope;
use self::later::Class;
use crate::{Collapse, Depth, Move, QueueError};

/// How long SQS delays a message at most:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>
const LONGEST_DELAY: i64 = 900;

type Now = dyn Fn() -> Timestamp + Send + Sync;

/// Where a queue lies on SQS, and what it needs.
#[derive(Clone)]
pub struct SqsPlace {
    pub name: &'static str,
    /// The address of a standard queue. What SQS itself gives up (`maxReceiveCount`) must be far more often received than whoever works
    /// on it tries, and no filter may stand before it: what a filter does not let through is deleted.
    pub url: String,
    /// The address of its dead-letter queue, a standard one, too.
    pub dead_url: String,
    /// Of the schema in `infra/aws/table.json`. A queue uses the partitions `lease#<name>` and `later#<name>` in it.
    pub table: Table,
    /// How long one request may take with all its tries; a single one gets a third of it. Looking at dead letters waits a second
    /// for each answer, so that less than five are too few.
    pub patience: Duration,
    /// Whether it is known since when what lies in it is owed ([`crate::Queue::owed_since`]). Each message costs a write and a deletion
    /// more, in one of the partitions `debt#<name>#0` to `7`. All who use the queue have to say the same.
    pub debts: bool,
    pub clock: Arc<Now>,
}

impl fmt::Debug for SqsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsPlace")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("dead_url", &self.dead_url)
            .field("table", &self.table.name())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub struct Sqs {
    client: Client,
    place: Arc<SqsPlace>,
    last_sent: Arc<AtomicI64>,
}

impl Sqs {
    pub(crate) fn open(config: &SdkConfig, place: SqsPlace) -> Self {
        let (retry, timeout) = dynamo::patient(place.patience);
        let config = Builder::from(config)
            .behavior_version(BehaviorVersion::latest())
            .retry_config(retry)
            .timeout_config(timeout)
            .build();
        let last_sent = Arc::new(AtomicI64::new(i64::MIN));
        Self { client: Client::from_conf(config), place: Arc::new(place), last_sent }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.place.name
    }

    fn now(&self) -> Timestamp {
        (self.place.clock)()
    }

    fn table(&self) -> &Table {
        &self.place.table
    }

    /// A body of a moment of its own, so that of two bodies from here the newer can be told.
    fn envelope(&self, Move { key, body, due, owed_since, collapse }: Move) -> Envelope {
        let now = self.now().as_microsecond();
        let after = |last: i64| now.max(last.saturating_add(1));
        let before =
            self.last_sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        let sent_at = Timestamp::from_microsecond(before.map_or(now, after)).unwrap_or(Timestamp::MAX);
        let trace = trace::current();
        Envelope { key, body, due, owed_since, collapse, sent_at, delivered: 0, debt: None, trace }
    }

    /// As new, and yielding to what has arrived in the meantime.
    fn anew(&self, key: &str, body: String, due: Timestamp, owed_since: Timestamp) -> Envelope {
        self.envelope(Move { key: key.to_owned(), body, due, owed_since, collapse: Collapse::Yields })
    }

    pub(crate) async fn depth(&self) -> Result<Depth, QueueError> {
        let [ready, delayed, claimed] = self.counts(&self.place.url).await?;
        let [dead, delayed_dead, looked_at] = self.counts(&self.place.dead_url).await?;
        let mut later = 0_u64;
        for class in Class::ALL {
            let count = self.table().count_due(&self.class(class), Timestamp::MAX.as_microsecond()).await?;
            later = later.saturating_add(count);
        }
        let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        Ok(Depth {
            ready,
            waiting: sum(&[delayed, later]),
            claimed,
            dead: sum(&[dead, delayed_dead, looked_at]),
            oldest_ready: None,
        })
    }

    /// What can be received, what is delayed, and what somebody has received.
    async fn counts(&self, url: &str) -> Result<[u64; 3], QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.client.get_queue_attributes().queue_url(url);
        let request = request.set_attribute_names(Some(names.to_vec()));
        let answer = request.send().await.map_err(|error| QueueError::of(self.name(), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| attributes.get(name).and_then(|count| count.parse().ok());
        match names.each_ref().map(count) {
            [Some(ready), Some(delayed), Some(taken)] => Ok([ready, delayed, taken]),
            _ => Err(self.other("SQS did not say how many messages there are")),
        }
    }

    fn other(&self, why: impl ToString) -> QueueError {
        QueueError::Other { queue: self.name(), why: why.to_string() }
    }
}

/// What one of our items says.
fn read<T: DeserializeOwned>(item: &Item) -> Result<T, TableError> {
    let unreadable = |error: serde_json::Error| TableError::Unreadable {
        key: item.key.to_string(),
        why: error.to_string(),
    };
    serde_json::from_str(&item.body).map_err(unreadable)
}

/// Whole seconds, never too few. None is left of a moment that has passed.
fn seconds_until(then: Timestamp, now: Timestamp) -> i64 {
    let left = then.duration_since(now);
    let whole = if left.subsec_nanos() > 0 { left.as_secs().saturating_add(1) } else { left.as_secs() };
    whole.max(0)
}

/// For a request, which takes no more than SQS allows anyway.
fn seconds(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
