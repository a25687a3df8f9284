//! Sending messages, ten at a time, and knowing which were taken: SQS may take some of a batch and not others, and says so in an
//! answer that looks like success
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use dynamo::Pace;
use jiff::Timestamp;

use super::envelope::Envelope;
use super::later::Class;
use super::{LONGEST_DELAY, Sqs, seconds, seconds_until};
use crate::{Move, QueueError};

/// Messages in one request, of whatever kind.
pub(super) const BATCH: usize = 10;
/// Of one request, with all its messages.
const BATCH_BYTES: usize = 1024 * 1024;

/// A message before it is sent.
pub(super) struct Parcel {
    pub(super) key: String,
    pub(super) text: String,
    /// Seconds.
    pub(super) delay: i64,
}

/// Which of the parcels SQS has said to have, and the first thing that went wrong.
pub(super) struct Sent {
    pub(super) taken: Vec<bool>,
    why: Option<String>,
}

impl Sqs {
    pub(crate) async fn send(&self, moves: Vec<Move>) -> Result<(), QueueError> {
        // All of them, before any is sent.
        let mut written = Vec::with_capacity(moves.len());
        for one in moves {
            let envelope = Envelope { debt: self.new_debt(None)?, ..self.envelope(one) };
            let text = envelope.checked_text(self.name())?;
            written.push((envelope, text));
        }
        self.dispatch_new(written, self.now()).await
    }

    /// As [`Self::dispatch`], where nothing of it is owed yet: nothing is sent before all of it is.
    pub(super) async fn dispatch_new(
        &self,
        written: Vec<(Envelope, String)>,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        // What waits in the table gets its debt there.
        let soon = written.iter().filter(|(envelope, _)| is_soon(envelope, now));
        self.owe(soon.map(|(envelope, _)| envelope.clone()).collect()).await?;
        let as_owed = written.into_iter().map(|(envelope, text)| {
            let debt = envelope.debt.filter(|_| is_soon(&envelope, now));
            (Envelope { debt, ..envelope }, text)
        });
        self.dispatch(as_owed.collect(), now).await
    }

    /// What is near to SQS, the rest into the table, and that first: it can be done again without a trace.
    pub(super) async fn dispatch(
        &self,
        written: Vec<(Envelope, String)>,
        now: Timestamp,
    ) -> Result<(), QueueError> {
        let (mut soon, mut later) = (Vec::new(), Vec::new());
        for (envelope, text) in written {
            if is_soon(&envelope, now) {
                let delay = seconds_until(envelope.due, now);
                soon.push(Parcel { key: envelope.key, text, delay });
            } else {
                later.push(envelope);
            }
        }
        for envelope in later {
            self.keep_for_later(envelope).await?;
        }
        let sent = self.deliver(&soon).await;
        self.all_taken(&soon, sent)
    }

    pub(super) fn all_taken(&self, parcels: &[Parcel], Sent { taken, why }: Sent) -> Result<(), QueueError> {
        let untaken = parcels.iter().zip(taken).filter(|(_, taken)| !taken);
        let keys: Vec<_> = untaken.map(|(parcel, _)| parcel.key.clone()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let why = why.unwrap_or_else(|| "SQS did not say that it has them".to_owned());
        Err(QueueError::NotTaken { queue: self.name(), keys, why })
    }

    /// In their order, though SQS keeps none. Where SQS cannot be reached, what follows is not tried.
    pub(super) async fn deliver(&self, parcels: &[Parcel]) -> Sent {
        let mut sent = Sent { taken: vec![false; parcels.len()], why: None };
        for batch in batches(parcels) {
            if self.deliver_batch(parcels, batch, &mut sent).await.is_err() {
                break;
            }
        }
        sent
    }

    /// An error: it makes no sense to go on.
    async fn deliver_batch(
        &self,
        parcels: &[Parcel],
        mut left: Vec<usize>,
        sent: &mut Sent,
    ) -> Result<(), ()> {
        let mut pace = Pace::default();
        loop {
            let entries = left.iter().filter_map(|at| entry(*at, parcels.get(*at)?)).collect();
            let request = self.client.send_message_batch().queue_url(&self.place.url);
            let answer = match request.set_entries(Some(entries)).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    sent.why = Some(QueueError::of(self.name(), &error).to_string());
                    return Err(());
                }
            };
            for success in answer.successful() {
                if let Some(taken) = success.id().parse().ok().and_then(|at: usize| sent.taken.get_mut(at)) {
                    *taken = true;
                }
            }
            let mut hopeless = Vec::new();
            for failure in answer.failed() {
                let code = failure.code();
                let why =
                    failure.message().map_or_else(|| code.to_owned(), |words| format!("{code}: {words}"));
                sent.why.get_or_insert(why);
                if failure.sender_fault() {
                    hopeless.extend(failure.id().parse::<usize>());
                }
            }
            left.retain(|at| !hopeless.contains(at) && !sent.taken.get(*at).copied().unwrap_or(true));
            if left.is_empty() || !pace.again().await {
                return Ok(());
            }
        }
    }
}

/// SQS is to hold it until then.
fn is_soon(envelope: &Envelope, now: Timestamp) -> bool {
    seconds_until(envelope.due, now) <= Class::of(envelope).ahead()
}

/// The places of the parcels that go together.
fn batches(parcels: &[Parcel]) -> Vec<Vec<usize>> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
    for (at, parcel) in parcels.iter().enumerate() {
        let more = bytes.saturating_add(parcel.text.len());
        if batch.len() == BATCH || (more > BATCH_BYTES && !batch.is_empty()) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        batch.push(at);
        bytes = bytes.saturating_add(parcel.text.len());
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// Nothing is missing in it, so that it is always there.
fn entry(at: usize, Parcel { key: _, text, delay }: &Parcel) -> Option<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(text);
    entry.delay_seconds(seconds((*delay).clamp(0, LONGEST_DELAY))).build().ok()
}
