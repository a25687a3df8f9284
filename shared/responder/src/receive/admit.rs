//! One notification at a time: is it ours, does it fit its subscription, and which job does it become?

use graph::{Event, Item, Lifecycle};
use jiff::{SignedDuration, Timestamp};
use model::{
    Binding, Change, ChangeKind, Job, MemberHint, NoticeKind, ObjectId, ResourceKind, Source, SubscriptionId,
    SubscriptionRecord, Watched,
};
use queue::{Collapse, Move};
use serde_json::Value;

use super::Receiver;
use crate::trouble::after;
use crate::{Trouble, move_of};

/// What becomes of one item.
enum Admitted {
    Jobs(Vec<Move>),
    Chore(Move),
    /// Not ours. Counted, and nothing else.
    Forged,
    /// Ours, and not readable or not fitting: to the dead letters.
    Unreadable {
        why: String,
    },
}

/// What one POST comes to.
#[derive(Default)]
struct Intake {
    changes: Vec<Move>,
    chores: Vec<Move>,
    forged: u64,
    unreadable: Vec<(String, String)>,
}

impl Receiver {
    /// Replicas lag, so every change is looked at twice.
    const SECOND_LOOK: SignedDuration = SignedDuration::from_mins(5);
    /// The note of the last notification is this exact.
    const NOTED: SignedDuration = SignedDuration::from_mins(1);

    pub(super) async fn admit(&self, items: Vec<Item>) -> Result<(), Trouble> {
        let now = self.clock.now();
        let mut intake = Intake::default();
        for item in items {
            match self.admit_one(&item, now).await? {
                Admitted::Jobs(moves) => intake.changes.extend(moves),
                Admitted::Chore(chore) => intake.chores.push(chore),
                Admitted::Forged => intake.forged = intake.forged.saturating_add(1),
                Admitted::Unreadable { why } => intake.unreadable.push((redacted(&item), why)),
            }
        }
        self.persist(intake, now).await
    }

    async fn persist(&self, intake: Intake, now: Timestamp) -> Result<(), Trouble> {
        let Intake { changes, chores, forged, unreadable } = intake;
        if !changes.is_empty() {
            self.queues.changes.send(changes, now).await?;
        }
        if !chores.is_empty() {
            self.queues.chores.send(chores, now).await?;
        }
        let buried = u64::try_from(unreadable.len()).unwrap_or(u64::MAX);
        for (body, why) in unreadable {
            self.queues.changes.bury_new("notification", &body, &why, now).await?;
        }
        // From here on everything is durable: trouble with telling must not make Graph send it again.
        if let Err(trouble) = self.tell(forged, buried, now).await {
            tracing::error!("failed to tell of refused notifications: {trouble}");
        }
        Ok(())
    }

    async fn tell(&self, forged: u64, buried: u64, now: Timestamp) -> Result<(), Trouble> {
        if forged > 0
            && let Some(times) = self.tally.forged(forged, now)
        {
            let text = "notifications whose clientState is not ours were dropped: somebody knows the address of the \
                        receiver and tries it, or a subscription of an earlier installation still lives"
                .to_owned();
            self.notices.raise(NoticeKind::ForgedNotifications, "forged", text, times).await?;
        }
        if buried > 0 {
            let text =
                "a notification from Microsoft Graph could not be read and went to the dead letters; see \
                        `guestlist dead list`"
                    .to_owned();
            self.notices.raise(NoticeKind::UnreadableNotification, "unreadable", text, buried).await?;
        }
        Ok(())
    }

    async fn admit_one(&self, item: &Item, now: Timestamp) -> Result<Admitted, Trouble> {
        let opened = item.client_state.as_deref().map(|state| self.keys.open(state, self.tenant));
        let Some(Ok((watched, nonce, _))) = opened else { return Ok(Admitted::Forged) };
        let Some(record) = self.ledger.subscription(&nonce).await? else {
            return Ok(Admitted::Forged);
        };
        let mut record = record.value;
        let Some(subscription) = item.subscription else {
            return Ok(Admitted::Unreadable { why: "it names no subscription".to_owned() });
        };
        if item.tenant != Some(self.tenant) || record.watched != watched {
            return Ok(Admitted::Forged);
        }
        match record.binding.clone() {
            Binding::Retired { at: _ } => return Ok(Admitted::Forged),
            Binding::Bound { id, expires_at: _, renewed_at: _ } if id != subscription => {
                return Ok(Admitted::Forged);
            }
            Binding::Bound { id: _, expires_at: _, renewed_at: _ } => {}
            Binding::Pending => record = self.bind(record, subscription, item.expires_at, now).await?,
        }
        if record.id() != Some(subscription) {
            return Ok(Admitted::Forged);
        }
        self.note(&record, now).await;
        self.job_of(item, watched, subscription, now)
    }

    /// The notification has overtaken the answer to our request for the subscription.
    async fn bind(
        &self,
        record: SubscriptionRecord,
        id: SubscriptionId,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<SubscriptionRecord, Trouble> {
        let expires_at = expires_at.unwrap_or_else(|| after(now, SignedDuration::from_mins(45)));
        let nonce = record.nonce.as_str().to_owned();
        let bound = self
            .ledger
            .update::<SubscriptionRecord>(&nonce, |current| {
                current.map(|current| match current.binding {
                    Binding::Pending => {
                        let binding = Binding::Bound { id, expires_at, renewed_at: now };
                        SubscriptionRecord { binding, ..current }
                    }
                    Binding::Bound { .. } | Binding::Retired { .. } => current,
                })
            })
            .await?;
        Ok(bound.map_or(record, |bound| bound.value))
    }

    /// Notes that the subscription speaks. Losing this note costs nothing.
    async fn note(&self, record: &SubscriptionRecord, now: Timestamp) {
        if record.last_notification_at.is_some_and(|at| now.duration_since(at) < Self::NOTED) {
            return;
        }
        let noted = self
            .ledger
            .update::<SubscriptionRecord>(record.nonce.as_str(), |current| {
                current.map(|current| SubscriptionRecord { last_notification_at: Some(now), ..current })
            })
            .await;
        if let Err(error) = noted {
            tracing::warn!("failed to note a notification: {error}");
        }
    }

    fn job_of(
        &self,
        item: &Item,
        watched: Watched,
        subscription: SubscriptionId,
        now: Timestamp,
    ) -> Result<Admitted, Trouble> {
        match &item.event {
            Err(unreadable) => Ok(Admitted::Unreadable { why: unreadable.to_string() }),
            Ok(Event::Lifecycle(event)) => {
                let job = Job::Lifecycle {
                    subscription,
                    event: word(event).to_owned(),
                    correlation: (self.correlate)(),
                };
                let key = format!("lifecycle/{subscription}/{}", word(event));
                Ok(Admitted::Chore(move_of(key, &job, now, Collapse::Earliest)?))
            }
            Ok(Event::Changed { resource, id, kind, members, sequence: _ }) => {
                if *resource != watched.kind() {
                    let why = format!("it is about a {resource}, and its subscription is to `{watched}`");
                    return Ok(Admitted::Unreadable { why });
                }
                Ok(Admitted::Jobs(self.two_looks(*resource, *id, *kind, members, now)?))
            }
        }
    }

    fn two_looks(
        &self,
        resource: ResourceKind,
        id: ObjectId,
        kind: ChangeKind,
        members: &[MemberHint],
        now: Timestamp,
    ) -> Result<Vec<Move>, Trouble> {
        let correlation = (self.correlate)();
        let look = |source, key: String, due, collapse| {
            let change = Change {
                tenant: self.tenant,
                resource,
                id,
                kind,
                source,
                members: members.to_vec(),
                received_at: now,
                correlation,
            };
            move_of(key, &Job::Assess { change, missing: None }, due, collapse)
        };
        Ok(vec![
            look(Source::Notification, format!("{resource}/{id}"), now, Collapse::Earliest)?,
            look(
                Source::SecondLook,
                format!("{resource}/{id}/again"),
                after(now, Self::SECOND_LOOK),
                Collapse::Latest,
            )?,
        ])
    }
}

fn word(event: &Lifecycle) -> &str {
    match event {
        Lifecycle::Missed => "missed",
        Lifecycle::SubscriptionRemoved => "subscriptionRemoved",
        Lifecycle::ReauthorizationRequired => "reauthorizationRequired",
        Lifecycle::Other(other) => other,
    }
}

/// The item as it came, without the secret in it.
fn redacted(item: &Item) -> String {
    const INSTEAD: &str = "(redacted)";
    if let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(&item.raw) {
        fields.insert("clientState".to_owned(), INSTEAD.into());
        return Value::Object(fields).to_string();
    }
    // Nested too deeply to be read: what Graph sends has no escapes in it.
    match &item.client_state {
        Some(state) => item.raw.replace(state.as_str(), INSTEAD),
        None => item.raw.clone(),
    }
}
