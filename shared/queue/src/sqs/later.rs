//! What is due later than SQS can delay waits in the table, at most one move a key, until the steward moves it into the queue.

use dynamo::{Due, Expect, Item, Key, Pace, TableError, Write};
use jiff::{SignedDuration, Timestamp};

use super::debt::Owed;
use super::envelope::Envelope;
use super::lease::{fresh, sort_of};
use super::sending::Parcel;
use super::{LONGEST_DELAY, Sqs, read, seconds_until};
use crate::QueueError;
use crate::message::Moments;

/// What waits in the table, told apart in its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Another try or a second look: it is owed, and waits.
    Owed,
    /// Nothing is owed before it is due.
    ForItsDay,
}

impl Class {
    pub(super) const ALL: [Self; 2] = [Self::Owed, Self::ForItsDay];

    pub(super) fn of(envelope: &Envelope) -> Self {
        if envelope.owed_since < envelope.due { Self::Owed } else { Self::ForItsDay }
    }

    /// How long before its moment something goes to SQS. What waits for its day collapses in the table for as long as it can, which
    /// messages of SQS do not.
    pub(super) fn ahead(self) -> i64 {
        match self {
            Self::Owed => LONGEST_DELAY,
            Self::ForItsDay => 90,
        }
    }
}

impl Sqs {
    fn later_partition(&self) -> String {
        format!("later#{}", self.name())
    }

    pub(super) fn class(&self, class: Class) -> String {
        match class {
            Class::Owed => format!("owed#{}", self.name()),
            Class::ForItsDay => self.later_partition(),
        }
    }

    /// It may owe a debt already, which is then its own or removed.
    pub(super) async fn keep_for_later(&self, envelope: Envelope) -> Result<(), QueueError> {
        let at = Key { partition: self.later_partition(), sort: sort_of(&envelope.key) };
        let mut pace = Pace::default();
        loop {
            let found = self.table().get(&at).await?;
            let (expect, mut before) = match &found {
                None => (Expect::Absent, None),
                Some(item) => (Expect::Version(item.version), Some(read::<Envelope>(item)?)),
            };
            // What is due may have been sent already, and done: it takes in nothing more.
            if let Some(overdue) = before.take_if(|before| before.due <= self.now()) {
                let (key, text) = (overdue.key.clone(), overdue.text(self.name())?);
                let parcels = [Parcel { key, text, delay: 0 }];
                let sent = self.deliver(&parcels).await;
                self.all_taken(&parcels, sent)?;
            }
            let mut kept = match &before {
                None => envelope.clone(),
                Some(before) => collapsed(before.clone(), envelope.clone()),
            };
            if let Some(before) = before.as_ref().filter(|before| says_the_same(before, &kept)) {
                // It may be ours, though we were not told.
                let is_ours = before.debt == envelope.debt;
                return if is_ours { Ok(()) } else { self.settle(Owed::by(&envelope)).await };
            }
            let is_owed = before.is_none() && envelope.debt.is_some();
            if !is_owed {
                kept.debt = self.new_debt(None)?;
                self.owe(vec![kept.clone()]).await?;
            }
            let write = Write::Put {
                key: at.clone(),
                expect,
                fresh: fresh()?,
                due: Some(Due { class: self.class(Class::of(&kept)), at: kept.due.as_microsecond() }),
                expires: None,
                body: kept.text(self.name())?,
            };
            match self.table().put_all(&[write]).await {
                Ok(_) => {
                    // What was asked for by them is asked for by what is kept.
                    if let Some(before) = before {
                        self.settle(Owed::by(&before)).await?;
                        self.settle(Owed::by(&envelope)).await?;
                    }
                    return Ok(());
                }
                // To collapse twice is to collapse once.
                Err(error @ (TableError::Conflict { key: _ } | TableError::Unsure { key: _ })) => {
                    let is_not_there = matches!(error, TableError::Conflict { key: _ });
                    if is_not_there && !is_owed {
                        self.settle(Owed::by(&kept)).await?;
                    }
                    if !pace.again().await {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves up to `limit` of each class that has come near. A death between sending and deleting sends twice.
    pub(crate) async fn move_later(&self, now: Timestamp, limit: usize) -> Result<usize, QueueError> {
        let mut due = Vec::new();
        for class in Class::ALL {
            let until =
                now.saturating_add(SignedDuration::from_secs(class.ahead())).unwrap_or(Timestamp::MAX);
            due.extend(self.table().due(&self.class(class), until.as_microsecond(), limit).await?);
        }
        let (mut parcels, mut items) = (Vec::new(), Vec::new());
        for item in due {
            match read::<Envelope>(&item) {
                Ok(envelope) => {
                    let (text, delay) = (envelope.text(self.name())?, seconds_until(envelope.due, now));
                    parcels.push(Parcel { key: envelope.key, text, delay });
                    items.push(item);
                }
                // It would stand before the others for ever.
                Err(error) => {
                    self.bury_new(&item.key.to_string(), &item.body, &error.to_string(), now).await?;
                    self.forget(&item).await?;
                }
            }
        }
        let sent = self.deliver(&parcels).await;
        for (item, _) in items.iter().zip(&sent.taken).filter(|(_, taken)| **taken) {
            self.forget(item).await?;
        }
        let moved = sent.taken.iter().filter(|taken| **taken).count();
        self.all_taken(&parcels, sent)?;
        Ok(moved)
    }

    /// As it was read: what somebody has collapsed into it since is due once more.
    async fn forget(&self, Item { key, version, body: _, expires: _ }: &Item) -> Result<(), QueueError> {
        let delete = Write::Delete { key: key.clone(), expect: Expect::Version(*version) };
        match self.table().put_all(&[delete]).await {
            Ok(_) | Err(TableError::Conflict { key: _ } | TableError::Unsure { key: _ }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whoever has the one has the other. Which debt each owes is no part of that.
fn says_the_same(one: &Envelope, other: &Envelope) -> bool {
    *one == Envelope { debt: one.debt, ..other.clone() }
}

/// What two moves of one key become. They may meet in either order: the newer is the one that was sent later.
fn collapsed(one: Envelope, other: Envelope) -> Envelope {
    let (older, newer) = if one.sent_at <= other.sent_at { (one, other) } else { (other, one) };
    let moments = |one: &Envelope| Moments { due: one.due, owed_since: one.owed_since };
    let Moments { due, owed_since } = newer.collapse.both(moments(&older), moments(&newer));
    let stays = if newer.collapse.keeps_body() { older } else { newer };
    Envelope { due, owed_since, ..stays }
}
