//! Tells people: one message a delivery, at most ten an hour in a channel, the rest in a roll-up every five minutes.
//!
//! A delivery is marked only after the channel took the message, so a crash repeats one rather than losing it; the
//! message's id is the same then. Holds no Graph credential.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alert::{Background, Channel, Message, Receipt, SendError};
use jiff::{SignedDuration, Timestamp};
use model::{
    AlertJob, ChannelName, Clock, Delivery, DeliveryStatus, Incident, IncidentId, Notice, RolledUp, Severity,
};
use tokio::sync::Semaphore;
use wire::Wire;

use crate::meter::Delivered;
use crate::trouble::after;
use crate::{End, Links, Meter, Notices, Trouble};

mod handed_over;
mod rolled_up;

pub(crate) use rolled_up::{fresh, next_roll_up};

/// The flow `alert`.
#[derive(Debug, Clone)]
pub struct Teller {
    pub channels: Arc<HashMap<ChannelName, Open>>,
    pub wire: Wire,
    pub ledger: ledger::Ledger,
    pub notices: Notices,
    pub meter: Meter,
    /// Only where there are pages to lead to.
    pub links: Option<Links>,
    pub clock: Clock,
}

/// A channel, and how many messages may be on their way to it at once: one that hangs keeps nobody else waiting.
#[derive(Debug)]
pub struct Open {
    channel: Channel,
    places: Semaphore,
    refused: AtomicBool,
}

impl Open {
    /// Messages on their way to one channel.
    pub const AT_ONCE: usize = 8;

    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { channel, places: Semaphore::new(Self::AT_ONCE), refused: AtomicBool::new(false) }
    }

    async fn send(
        &self,
        wire: &Wire,
        message: &Message,
        posted: Option<&str>,
        now: Timestamp,
    ) -> Result<Receipt, SendError> {
        let sent = self.channel.send(wire, message, posted, now).await;
        if matches!(sent, Err(SendError::Broken { why: _ })) {
            self.refused.store(true, Ordering::Relaxed);
        }
        sent
    }
}

/// A message that a channel has not taken yet.
struct Owed {
    /// What it becomes in a roll-up.
    line: RolledUp,
    attempts: u32,
    /// When what it tells happened.
    since: Timestamp,
    /// Told by itself, however many messages there were this hour.
    loud: bool,
}

/// What is written beside a delivery.
pub(crate) struct Mark<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) sequence: u32,
    pub(crate) status: &'a DeliveryStatus,
    /// Where the message stands, if that is to be remembered.
    pub(crate) posted: Option<&'a str>,
}

/// What one attempt at a delivery came to.
enum Attempted {
    Told(DeliveryStatus),
    /// Sent, and where it stands.
    Posted(DeliveryStatus, String),
    Later(Timestamp),
}

impl Teller {
    /// What is kept for seven days is tried more often than that: every six hours at least.
    const TRIED: u32 = 24;
    /// Past this the others hear that the channel takes nothing, after some eight minutes of doubling waits.
    const REPORTED: u32 = 8;
    /// Others write an incident at most a few times in a row.
    const MARKS: u32 = 32;
    /// How long a message waits when its channel has no place.
    const FULL: SignedDuration = SignedDuration::from_secs(1);

    /// Whether a channel has refused something since this was last asked: what it is reached with may have been replaced.
    pub(crate) fn was_refused(&self) -> bool {
        let mut refused = false;
        for open in self.channels.values() {
            refused |= open.refused.swap(false, Ordering::Relaxed);
        }
        refused
    }

    /// # Errors
    /// The ledger or a queue is in trouble. A channel's trouble ends in another attempt instead.
    pub async fn tell(&self, about: &AlertJob, channel: &ChannelName) -> Result<End, Trouble> {
        let Some(open) = self.channels.get(channel) else {
            self.hand_over(about, channel).await?;
            return Ok(End::Done);
        };
        let Ok(_place) = open.places.try_acquire() else {
            return Ok(End::Again { at: after(self.clock.now(), Self::FULL), job: None });
        };
        match about {
            AlertJob::Incident(id) => self.tell_incident(id, (channel, open)).await,
            AlertJob::Notice(key) => self.tell_notice(key, (channel, open)).await,
            AlertJob::RollUp => self.roll_up((channel, open)).await,
        }
    }

    async fn tell_incident(
        &self,
        id: &IncidentId,
        (channel, open): (&ChannelName, &Open),
    ) -> Result<End, Trouble> {
        let Some(stored) = self.ledger.incident(id).await? else { return Ok(End::Done) };
        let now = self.clock.now();
        let Some(delivery) = first_due(&stored.value.deliveries, channel, now) else { return Ok(End::Done) };
        if let Some(at) = delivery.due_at().filter(|at| *at > now) {
            return Ok(End::Again { at, job: None });
        }
        let message = as_known(&self.ledger, &stored.value, delivery.sequence, now).await?;
        let message = match self.links.as_ref().and_then(|links| links.to(id)) {
            Some(page) => message.with_page(page),
            None => message,
        };
        let line = RolledUp {
            about: id.to_string(),
            headline: message.headline.clone(),
            severity: stored.value.finding.severity,
        };
        let (sequence, attempts) = (delivery.sequence, attempts(&delivery));
        let news = Owed { line, attempts, since: stored.value.updated_at, loud: false };
        let posted = stored.value.posted.get(channel).map(String::as_str);
        let attempted = self.deliver((channel, open), (&message, posted), news).await?;
        let status = status_after(&attempted, attempts);
        let mark = Mark { channel, sequence, status: &status, posted: place(&attempted) };
        self.mark_incident(id, mark).await?;
        Ok(end(&attempted))
    }

    /// Others write the incident too: it is read again until the mark is on what is there.
    pub(crate) async fn mark_incident(&self, id: &IncidentId, with: Mark<'_>) -> Result<(), Trouble> {
        let Mark { channel, sequence, status, posted } = with;
        for _ in 0..Self::MARKS {
            let Some(mut stored) = self.ledger.incident(id).await? else { return Ok(()) };
            mark(&mut stored.value.deliveries, channel, sequence, status);
            if let Some(posted) = posted {
                stored.value.posted.insert(channel.clone(), posted.to_owned());
            }
            match self.ledger.replace(stored).await {
                Ok(_) => return Ok(()),
                Err(ledger::LedgerError::Conflict { place: _ }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::now(anyhow::anyhow!("others kept writing the incident `{id}`")))
    }

    async fn tell_notice(&self, key: &str, (channel, open): (&ChannelName, &Open)) -> Result<End, Trouble> {
        let Some(stored) = self.ledger.notice(key).await? else { return Ok(End::Done) };
        let now = self.clock.now();
        let Some(delivery) = first_due(&stored.value.deliveries, channel, now) else { return Ok(End::Done) };
        if let Some(at) = delivery.due_at().filter(|at| *at > now) {
            return Ok(End::Again { at, job: None });
        }
        let message = alert::about_notice(&stored.value, delivery.sequence);
        let line = RolledUp {
            about: key.to_owned(),
            headline: message.headline.clone(),
            severity: stored.value.kind.severity(),
        };
        let (sequence, attempts) = (delivery.sequence, attempts(&delivery));
        let loud = stored.value.kind.severity() == Severity::Critical;
        let news = Owed { line, attempts, since: stored.value.last_at, loud };
        let attempted = self.deliver((channel, open), (&message, None), news).await?;
        let status = status_after(&attempted, attempts);
        self.mark_notice(key, channel, sequence, &status).await?;
        Ok(end(&attempted))
    }

    pub(crate) async fn mark_notice(
        &self,
        key: &str,
        channel: &ChannelName,
        sequence: u32,
        status: &DeliveryStatus,
    ) -> Result<(), Trouble> {
        self.ledger
            .update::<Notice>(key, |notice| {
                notice.map(|mut notice| {
                    mark(&mut notice.deliveries, channel, sequence, status);
                    notice
                })
            })
            .await?;
        Ok(())
    }

    async fn deliver(
        &self,
        channel: (&ChannelName, &Open),
        message: (&Message, Option<&str>),
        owed: Owed,
    ) -> Result<Attempted, Trouble> {
        let attempted = self.attempt(channel, message, owed).await?;
        self.meter.delivered(channel.0, delivered(&attempted));
        Ok(attempted)
    }

    /// Sends one message, or puts its line into the channel's roll-up.
    /// What is edited in its place makes no noise, and takes none of the hour's places.
    async fn attempt(
        &self,
        (name, open): (&ChannelName, &Open),
        (message, posted): (&Message, Option<&str>),
        owed: Owed,
    ) -> Result<Attempted, Trouble> {
        let now = self.clock.now();
        let Owed { line, attempts, since, loud } = owed;
        let edits = open.channel.edits_in_place() && posted.is_some();
        let unlimited = edits || loud || !open.channel.rolls_up();
        if !unlimited && !self.take_place(name, line, now).await? {
            return Ok(Attempted::Told(DeliveryStatus::RolledUp { at: now }));
        }
        match open.send(&self.wire, message, posted, now).await {
            Ok(Receipt { posted }) => {
                self.channel_works(name).await?;
                let sent = DeliveryStatus::Sent { at: self.clock.now() };
                Ok(match posted {
                    Some(posted) => Attempted::Posted(sent, posted),
                    None => Attempted::Told(sent),
                })
            }
            // A clock that is ahead for a moment makes no tries, and gives nothing up.
            Err(SendError::Later { after: _, why } | SendError::Broken { why })
                if now.duration_since(since) >= Self::KEPT && attempts >= Self::TRIED =>
            {
                self.give_place_back(name, now).await?;
                self.give_up(name, message, &why, now).await?;
                Ok(Attempted::Told(DeliveryStatus::Failed { at: now, why }))
            }
            Err(SendError::Later { after: wait, why }) => {
                self.give_place_back(name, now).await?;
                if attempts >= Self::REPORTED {
                    self.channel_broken(name, &why, now).await?;
                }
                tracing::warn!(channel.name = %name, alert.id = message.id, alert.attempts = attempts, "not told yet: {why}");
                let doubling = SignedDuration::from_secs(2_i64 << attempts.min(9));
                Ok(Attempted::Later(after(now, wait.unwrap_or(doubling))))
            }
            Err(SendError::Broken { why }) => {
                self.give_place_back(name, now).await?;
                self.channel_broken(name, &why, now).await?;
                Ok(Attempted::Later(Self::try_again(since, now)))
            }
        }
    }
}

/// What people are told of an incident, with what the ledger knows beside it.
pub(crate) async fn as_known(
    ledger: &ledger::Ledger,
    incident: &Incident,
    sequence: u32,
    now: Timestamp,
) -> Result<Message, Trouble> {
    let outcomes = ledger.outcomes(&incident.id).await?;
    let key = &incident.key;
    let suspensions = ledger.suspensions(key.guest).await?;
    let holds = |one: &&model::Suspension| one.until > now && one.covers(key.guest, &key.rule, key.object);
    let stop = ledger.stop().await?;
    let suspension = suspensions.iter().find(holds);
    let background = Background { outcomes: &outcomes, suspension, stop: stop.as_ref() };
    Ok(alert::about_incident_with(incident, sequence, background))
}

fn first_due(deliveries: &[Delivery], channel: &ChannelName, now: Timestamp) -> Option<Delivery> {
    let mine = |delivery: &&Delivery| delivery.channel == *channel && delivery.due_at().is_some();
    let mut first = deliveries.iter().filter(mine).min_by_key(|delivery| delivery.sequence).cloned()?;
    first.bring_near(now);
    Some(first)
}

fn attempts(delivery: &Delivery) -> u32 {
    match &delivery.status {
        DeliveryStatus::Due { at: _, attempts } => *attempts,
        DeliveryStatus::Sent { at: _ }
        | DeliveryStatus::RolledUp { at: _ }
        | DeliveryStatus::Superseded
        | DeliveryStatus::Failed { at: _, why: _ } => 0,
    }
}

fn delivered(attempted: &Attempted) -> Delivered {
    match attempted {
        Attempted::Told(status) | Attempted::Posted(status, _) => match status {
            DeliveryStatus::Sent { at: _ } => Delivered::Sent,
            DeliveryStatus::RolledUp { at: _ } => Delivered::RolledUp,
            DeliveryStatus::Due { at: _, attempts: _ } => Delivered::Later,
            DeliveryStatus::Failed { at: _, why: _ } | DeliveryStatus::Superseded => Delivered::Failed,
        },
        Attempted::Later(_) => Delivered::Later,
    }
}

fn status_after(attempted: &Attempted, attempts: u32) -> DeliveryStatus {
    match attempted {
        Attempted::Told(status) | Attempted::Posted(status, _) => status.clone(),
        Attempted::Later(at) => DeliveryStatus::Due { at: *at, attempts: attempts.saturating_add(1) },
    }
}

/// A later state may have superseded the delivery while it was on its way; that it was sent is true all the same.
fn mark(deliveries: &mut [Delivery], channel: &ChannelName, sequence: u32, status: &DeliveryStatus) {
    for delivery in deliveries.iter_mut() {
        if delivery.channel == *channel && delivery.sequence == sequence {
            let retry = matches!(status, DeliveryStatus::Due { .. });
            if retry && delivery.due_at().is_none() {
                continue;
            }
            delivery.status = status.clone();
        }
    }
}

fn place(attempted: &Attempted) -> Option<&str> {
    match attempted {
        Attempted::Posted(_, posted) => Some(posted),
        Attempted::Told(_) | Attempted::Later(_) => None,
    }
}

fn end(attempted: &Attempted) -> End {
    match attempted {
        Attempted::Told(_) | Attempted::Posted(_, _) => End::Done,
        Attempted::Later(at) => End::Again { at: *at, job: None },
    }
}
