//! The dead-letter queue. SQS has no way to look at a message but to receive it, which hides it from everybody else: it is given
//! back at once, and by itself after a minute where somebody died.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
};
use jiff::Timestamp;

use super::Sqs;
use super::debt::Owed;
use super::envelope::{Envelope, legal_text};
use super::sending::BATCH;
use crate::dead::Name;
use crate::{Dead, DeadId, Queue, QueueError};

/// Seconds, from each receipt on.
const LOOK: i32 = 60;
/// SQS looks into all its servers only when it may wait for an answer:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const WAIT: i32 = 1;
/// Together with their names less than what [`QueueError::MESSAGE_BYTES`] leaves.
const WHY_BYTES: usize = 2_048;
const KEY_BYTES: usize = 1_024;

/// What is written on a dead letter.
pub(super) struct Label<'a> {
    pub(super) key: &'a str,
    pub(super) why: &'a str,
    pub(super) deliveries: u32,
    pub(super) buried_at: Timestamp,
}

/// A dead letter in our hands.
struct Held {
    handle: String,
    dead: Dead,
    /// What is in it, if that can be read.
    envelope: Option<Envelope>,
}

impl Sqs {
    pub(super) async fn put_to_dead(&self, body: &str, label: Label<'_>) -> Result<DeadId, QueueError> {
        let Label { key, why, deliveries, buried_at } = label;
        let mut request = self.client.send_message().queue_url(&self.place.dead_url).message_body(body);
        // Of what is larger SQS takes no label; whoever looks at it finds out for himself.
        let has_room = body.len() <= QueueError::MESSAGE_BYTES;
        for (name, kind, value) in [
            ("why", "String", legal_text(why, WHY_BYTES)),
            ("key", "String", legal_text(key, KEY_BYTES)),
            ("deliveries", "Number", Some(deliveries.to_string())),
            ("buried_at", "String", Some(buried_at.to_string())),
        ] {
            if let Some(value) = value.filter(|_| has_room) {
                let attribute = MessageAttributeValue::builder().data_type(kind).string_value(value).build();
                request = request.message_attributes(name, attribute.map_err(|error| self.other(error))?);
            }
        }
        let answer = request.send().await.map_err(|error| QueueError::of(self.name(), &error))?;
        let id = answer.message_id.ok_or_else(|| self.other("SQS gave a dead letter no id"))?;
        Ok(DeadId(Name::Message(id)))
    }

    pub(crate) async fn bury_new(
        &self,
        key: &str,
        body: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<DeadId, QueueError> {
        let letter = self.anew(key, body.to_owned(), now, now).checked_text(self.name())?;
        self.put_to_dead(&letter, Label { key, why, deliveries: 0, buried_at: now }).await
    }

    pub(crate) async fn dead(&self, after: Option<DeadId>, limit: usize) -> Result<Vec<Dead>, QueueError> {
        let held = self.look(None).await?;
        self.give_back(&held).await;
        let mut dead: Vec<Dead> = held.into_iter().map(|held| held.dead).collect();
        dead.sort_by(|one, other| one.buried_at.cmp(&other.buried_at).then_with(|| one.id.cmp(&other.id)));
        // After one that is gone it begins anew, so that none stays unseen.
        let start = after.and_then(|after| dead.iter().position(|one| one.id == after));
        let start = start.map_or(0, |at| at.saturating_add(1));
        Ok(dead.into_iter().skip(start).take(limit).collect())
    }

    pub(crate) async fn dead_one(&self, id: &DeadId) -> Result<Option<Dead>, QueueError> {
        let Some(held) = self.find(id).await? else { return Ok(None) };
        self.give_back(std::slice::from_ref(&held)).await;
        Ok(Some(held.dead))
    }

    pub(crate) async fn replay(&self, id: &DeadId, now: Timestamp) -> Result<bool, QueueError> {
        let Some(held) = self.find(id).await? else { return Ok(false) };
        if let Err(error) = self.send_anew(&held.dead, now).await {
            self.give_back(std::slice::from_ref(&held)).await;
            return Err(error);
        }
        self.remove(&held).await?;
        Ok(true)
    }

    async fn send_anew(&self, dead: &Dead, now: Timestamp) -> Result<(), QueueError> {
        let owed_since = dead.owed_since.unwrap_or(Timestamp::MIN);
        let letter = self.anew(&dead.key, dead.body.clone(), now, owed_since);
        let letter = Envelope { debt: self.new_debt(None)?, ..letter };
        let text = letter.checked_text(self.name())?;
        self.dispatch_new(vec![(letter, text)], now).await
    }

    pub(crate) async fn drop_dead(&self, id: &DeadId) -> Result<bool, QueueError> {
        let Some(held) = self.find(id).await? else { return Ok(false) };
        self.remove(&held).await?;
        Ok(true)
    }

    /// What may not be removed, others see again at once.
    async fn remove(&self, held: &Held) -> Result<(), QueueError> {
        let removed = self.delete(held).await;
        if removed.is_err() {
            self.give_back(std::slice::from_ref(held)).await;
        }
        removed
    }

    /// What SQS gave up by itself is owed until then, and would be sent again.
    async fn delete(&self, held: &Held) -> Result<(), QueueError> {
        if let Some(envelope) = &held.envelope {
            self.settle(Owed::by(envelope)).await?;
        }
        let request = self.client.delete_message().queue_url(&self.place.dead_url);
        let deleted = request.receipt_handle(&held.handle).send().await;
        deleted.map(|_| ()).map_err(|error| QueueError::of(self.name(), &error))
    }

    /// The one letter, in our hands alone. The others are given back.
    async fn find(&self, id: &DeadId) -> Result<Option<Held>, QueueError> {
        let mut held = self.look(Some(id)).await?;
        let found = held.iter().position(|held| held.dead.id == *id).map(|at| held.swap_remove(at));
        let elsewhere = if found.is_none() { self.elsewhere(held.len()).await } else { Ok(0) };
        self.give_back(&held).await;
        match elsewhere? {
            0 => Ok(found),
            hidden => Err(self.other(format!(
                "the dead letter `{id}` is not among those that SQS shows, and {hidden} are in somebody else's hands; try \
                 again in a minute"
            ))),
        }
    }

    /// How many are hidden from us.
    async fn elsewhere(&self, ours: usize) -> Result<u64, QueueError> {
        let [_, _, hidden] = self.counts(&self.place.dead_url).await?;
        Ok(hidden.saturating_sub(u64::try_from(ours).unwrap_or(u64::MAX)))
    }

    /// Receives until there are no more, or there is this one.
    async fn look(&self, until: Option<&DeadId>) -> Result<Vec<Held>, QueueError> {
        let mut held = BTreeMap::new();
        while held.len() < Queue::MOST_DEAD {
            let request = self
                .client
                .receive_message()
                .queue_url(&self.place.dead_url)
                .max_number_of_messages(i32::try_from(BATCH).unwrap_or(1))
                .visibility_timeout(LOOK)
                .wait_time_seconds(WAIT)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::All);
            let messages = match request.send().await {
                Ok(answer) => answer.messages.unwrap_or_default(),
                Err(error) => {
                    self.give_back(&held.into_values().collect::<Vec<_>>()).await;
                    return Err(QueueError::of(self.name(), &error));
                }
            };
            let before = held.len();
            for message in messages {
                let letter = self.letter(message)?;
                held.insert(letter.dead.id.clone(), letter);
            }
            // What comes a second time has been hidden for long enough: we are too slow for so many.
            if held.len() == before || until.is_some_and(|until| held.contains_key(until)) {
                break;
            }
        }
        Ok(held.into_values().collect())
    }

    /// Where that fails, they show again by themselves.
    async fn give_back(&self, held: &[Held]) {
        for batch in held.chunks(BATCH) {
            let entries = batch.iter().enumerate().filter_map(|(at, held)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string());
                entry.receipt_handle(&held.handle).visibility_timeout(0).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.place.dead_url);
            request.set_entries(Some(entries.collect())).send().await.ok();
        }
    }

    /// SQS labels nothing that it gave up by itself.
    fn letter(&self, message: Message) -> Result<Held, QueueError> {
        let Message { message_id, receipt_handle, body, attributes, message_attributes, .. } = message;
        let (Some(id), Some(handle), Some(body)) = (message_id, receipt_handle, body) else {
            return Err(self.other("SQS showed a dead letter without its id, receipt or body"));
        };
        let label = |name| message_attributes.as_ref()?.get(name)?.string_value();
        let of_sqs = |name| attributes.as_ref()?.get(&name).map(String::as_str);
        let received = of_sqs(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or("some");
        let sent = of_sqs(MessageSystemAttributeName::SentTimestamp).and_then(|sent| sent.parse().ok());
        let deliveries = label("deliveries").unwrap_or(received).parse().unwrap_or(0);
        let buried_at = label("buried_at").and_then(|at| at.parse().ok());
        let buried_at = buried_at.or_else(|| Timestamp::from_millisecond(sent?).ok()).unwrap_or_default();
        let never_ended = || format!("received {received} times, and never came to an end");
        let envelope = serde_json::from_str::<Envelope>(&body);
        let (key, body, owed_since, unlabelled) = match &envelope {
            Ok(Envelope { key, body, owed_since, .. }) => {
                (key.clone(), body.clone(), Some(*owed_since), never_ended())
            }
            Err(error) => {
                let key = label("key").map_or_else(|| format!("unreadable/{id}"), str::to_owned);
                (key, body, None, format!("it cannot be read: {error}"))
            }
        };
        let why = label("why").map_or(unlabelled, str::to_owned);
        let id = DeadId(Name::Message(id));
        let dead = Dead { id, key, body, why, deliveries, owed_since, buried_at };
        Ok(Held { handle, dead, envelope: envelope.ok() })
    }
}
