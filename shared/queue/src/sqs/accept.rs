//! A message from its arrival to its answer.

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::ChangeMessageVisibilityBatchRequestEntry;
use jiff::{SignedDuration, Timestamp};

use super::debt::Owed;
use super::envelope::Envelope;
use super::lease::{Ending, Taken};
use super::letters::Label;
use super::sending::{BATCH, Parcel};
use super::{Sqs, seconds, seconds_until};
use crate::message::{Proof, Pushed};
use crate::{Accepted, Acked, Claimed, Delayed, Delivery, Hold, QueueError, Receipt, Received};

/// How long SQS hides a message at most, from its receipt on:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_HIDDEN: i64 = 43_200;
/// Seconds for which what nobody has settled is hidden at most.
const LONGEST_BACK: i64 = 900;
/// So long a message may have lain with who pushed it, until its batch was full:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const LONGEST_BATCHING: i64 = 300;

impl Sqs {
    pub(crate) async fn accept(
        &self,
        received: &Received,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Accepted, QueueError> {
        let envelope = match serde_json::from_str::<Envelope>(&received.body) {
            Ok(envelope) => envelope,
            Err(error) => return self.bury_unreadable(received, &error.to_string(), now).await,
        };
        if envelope.due > now {
            return self.wait(envelope, received, None, now).await;
        }
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        match self.take(&envelope, now, until).await? {
            Taken::Done => {
                self.settle(Owed::by(&envelope)).await?;
                Ok(Accepted::Done)
            }
            Taken::Until(until) => self.wait(envelope, received, Some(until), now).await,
            Taken::Ours(token) => {
                let Envelope {
                    key,
                    body,
                    due: _,
                    owed_since,
                    collapse: _,
                    sent_at: _,
                    delivered,
                    debt,
                    trace,
                } = envelope;
                let handle = received.receipt_handle.clone();
                let receipt = Receipt(Proof::Lease(Pushed { handle, token, accepted_at: now, debt }));
                let deliveries = delivered.saturating_add(received.receive_count.max(1));
                Ok(Accepted::Run(Claimed { key, body, deliveries, owed_since, trace, receipt }))
            }
        }
    }

    /// Waiting is no failure: the message goes, and another that says the same comes later, with what was counted before.
    async fn wait(
        &self,
        mut envelope: Envelope,
        received: &Received,
        held_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Accepted, QueueError> {
        let before = received.receive_count.max(1).saturating_sub(1);
        envelope.delivered = envelope.delivered.saturating_add(before);
        let text = envelope.text(self.name())?;
        match held_until {
            None => self.dispatch(vec![(envelope, text)], now).await?,
            Some(until) => {
                let delay = seconds_until(until, now).max(1);
                let parcels = [Parcel { key: envelope.key, text, delay }];
                let sent = self.deliver(&parcels).await;
                self.all_taken(&parcels, sent)?;
            }
        }
        Ok(Accepted::Done)
    }

    async fn bury_unreadable(
        &self,
        received: &Received,
        error: &str,
        now: Timestamp,
    ) -> Result<Accepted, QueueError> {
        let Received { message_id, receipt_handle: _, body, receive_count } = received;
        let (key, why) = (format!("unreadable/{message_id}"), format!("it cannot be read: {error}"));
        let label = Label { key: &key, why: &why, deliveries: *receive_count, buried_at: now };
        self.put_to_dead(body, label).await?;
        Ok(Accepted::Done)
    }

    /// It is always gone, as far as anybody knows: what arrived in the meantime is a message of its own.
    pub(crate) async fn ack(&self, claimed: &Claimed) -> Result<Acked, QueueError> {
        let Some(pushed) = claimed.receipt.pushed() else { return Ok(Acked::LeaseLost) };
        if !self.release(&claimed.key, pushed, Ending::Done).await? {
            return Ok(Acked::LeaseLost);
        }
        self.settle(owed_by(claimed, pushed)).await?;
        Ok(Acked::Gone)
    }

    pub(crate) async fn delay(
        &self,
        claimed: &Claimed,
        due: Timestamp,
        body: Option<String>,
    ) -> Result<Delayed, QueueError> {
        let Some(pushed) = claimed.receipt.pushed() else { return Ok(Delayed::LeaseLost) };
        let Claimed { key, body: _, deliveries: _, owed_since, trace: _, receipt: _ } = claimed;
        if let Some(body) = body {
            if !self.holds(key, pushed).await? {
                return Ok(Delayed::LeaseLost);
            }
            let trace = claimed.trace_of(&body);
            let debt = self.new_debt(pushed.debt)?;
            let envelope = Envelope { trace, debt, ..self.anew(key, body, due, *owed_since) };
            let text = envelope.checked_text(self.name())?;
            self.dispatch_new(vec![(envelope, text)], self.now()).await?;
            // Lost by now or not, the body lies elsewhere.
            self.release(key, pushed, Ending::Elsewhere).await?;
            self.settle(owed_by(claimed, pushed)).await?;
            return Ok(Delayed::Anew);
        }
        if !self.release(key, pushed, Ending::NotDone { again: due }).await? {
            return Ok(Delayed::LeaseLost);
        }
        self.hide(pushed, due).await?;
        Ok(Delayed::Same)
    }

    pub(crate) async fn extend(&self, claimed: &Claimed, until: Timestamp) -> Result<Hold, QueueError> {
        let Some(pushed) = claimed.receipt.pushed() else { return Ok(Hold::Lost) };
        if !self.prolong(&claimed.key, pushed, until).await? {
            return Ok(Hold::Lost);
        }
        self.hide(pushed, until).await?;
        Ok(Hold::Kept)
    }

    pub(crate) async fn bury(
        &self,
        claimed: &Claimed,
        why: &str,
        now: Timestamp,
    ) -> Result<Hold, QueueError> {
        let Some(pushed) = claimed.receipt.pushed() else { return Ok(Hold::Lost) };
        let Claimed { key, body, deliveries, owed_since, trace, receipt: _ } = claimed;
        if !self.holds(key, pushed).await? {
            return Ok(Hold::Lost);
        }
        // As large as it came.
        let letter = Envelope { trace: *trace, ..self.anew(key, body.clone(), now, *owed_since) };
        let letter = letter.text(self.name())?;
        let label = Label { key, why, deliveries: *deliveries, buried_at: now };
        self.put_to_dead(&letter, label).await?;
        // Lost by now or not, the letter is dead.
        self.release(key, pushed, Ending::Elsewhere).await?;
        self.settle(owed_by(claimed, pushed)).await?;
        Ok(Hold::Kept)
    }

    pub(crate) async fn put_back(&self, deliveries: &[Delivery]) -> Result<(), QueueError> {
        let mut trouble = None;
        for batch in deliveries.chunks(BATCH) {
            let entries = batch.iter().enumerate().map(|(at, one)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
                let wait = seconds(LONGEST_BACK.min(1_i64 << one.receive_count.clamp(1, 30)));
                entry.receipt_handle(&one.receipt_handle).visibility_timeout(wait).build()
            });
            let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| self.other(error))?;
            let request = self.client.change_message_visibility_batch().queue_url(&self.place.url);
            match request.set_entries(Some(entries)).send().await {
                Ok(answer) => {
                    let failed = answer.failed.iter().find(|failed| !is_gone(&failed.code));
                    trouble = trouble.or(failed.map(|failed| self.other(&failed.code)));
                }
                Err(error) => trouble = trouble.or(Some(QueueError::of(self.name(), &error))),
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    /// SQS shows the message to nobody until then, or for as long as it can. Where it came again while we were at work, and had to wait
    /// for us, there is nothing to hide any more: another that says the same is on its way.
    async fn hide(&self, pushed: &Pushed, until: Timestamp) -> Result<(), QueueError> {
        let now = self.now();
        let passed = seconds_until(now, pushed.accepted_at).saturating_add(LONGEST_BATCHING);
        let most = LONGEST_HIDDEN.saturating_sub(passed).max(0);
        let hidden = seconds_until(until, now).min(most);
        let request = self.client.change_message_visibility().queue_url(&self.place.url);
        let request = request.receipt_handle(&pushed.handle).visibility_timeout(seconds(hidden));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code().is_some_and(is_gone) => Ok(()),
            Err(error) => Err(QueueError::of(self.name(), &error)),
        }
    }
}

fn owed_by<'a>(claimed: &'a Claimed, pushed: &Pushed) -> Owed<'a> {
    Owed { key: &claimed.key, since: claimed.owed_since, debt: pushed.debt }
}

/// The codes for a delivery that is over, in both of the protocols of SQS.
fn is_gone(code: &str) -> bool {
    matches!(
        code,
        "ReceiptHandleIsInvalid"
            | "MessageNotInflight"
            | "AWS.SimpleQueueService.MessageNotInflight"
            | "InvalidParameterValue"
    )
}
