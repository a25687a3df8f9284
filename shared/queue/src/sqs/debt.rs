//! Since when what lies in a queue is owed. SQS does not say it of its messages, and its counts are of no moment. So each message has a
//! *debt*, an item of the table, which is put before the message is sent. It is removed when what the message asks for was done, is
//! dead, or is asked for by another message, whose debt was put before. Whoever dies between two requests leaves a debt too many, never
//! one too few; and the oldest debt is the first item of its partition, which a consistent read finds.
//!
//! A debt too many is one whose message was never sent, or was sent and given up by SQS. Nobody can tell them from those whose message
//! takes long, so a debt holds all that its message says, and is sent again. Whoever receives a message that was done already knows it
//! by the lease, and removes the debt.

use dynamo::{Expect, Item, Key, Range, TableError, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::task::{JoinError, JoinSet};

use super::envelope::Envelope;
use super::lease::fresh;
use super::sending::Parcel;
use super::{Sqs, read};
use crate::QueueError;

/// DynamoDB writes 1,000 small items a second to one partition
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>). A change is two messages, and each
/// of them a write and a deletion: that is room for 2,000 changes a second.
const PARTITIONS: u8 = 8;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// After its moment a message has so long to be settled, before anybody doubts that it was sent.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// Doublings of that: no longer than a day.
const MOST_DOUBLINGS: u32 = 6;

/// Which debt is a message's, among all that are owed since the same moment. What takes the place of a message comes after it, so that
/// whoever reads on finds the one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Debt {
    turn: u32,
    id: u64,
}

/// The body of the item.
#[derive(Debug, Serialize, Deserialize)]
struct Owing {
    envelope: Envelope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent_again: Option<Again>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Again {
    times: u32,
    at: Timestamp,
}

impl Owing {
    /// From when on it is sent again.
    fn again_at(&self) -> Timestamp {
        let (from, doublings) = match self.sent_again {
            None => (self.envelope.due, 0),
            Some(Again { times, at }) => (at, times.min(MOST_DOUBLINGS)),
        };
        from.saturating_add(PATIENCE.saturating_mul(1_i32 << doublings)).unwrap_or(Timestamp::MAX)
    }

    /// A moment that lies further ahead than anybody waits is of a clock that was ahead.
    fn is_overdue(&self, now: Timestamp) -> bool {
        let waits_since = self.sent_again.map_or(self.envelope.due, |again| again.at);
        self.again_at() <= now || (self.sent_again.is_some() && waits_since > now)
    }
}

impl Sqs {
    /// The debt of a message that takes the place of this one's, or of none.
    pub(super) fn new_debt(&self, after: Option<Debt>) -> Result<Option<Debt>, QueueError> {
        if !self.place.debts {
            return Ok(None);
        }
        let turn = after.map_or(0, |before| before.turn.saturating_add(1));
        Ok(Some(Debt { turn, id: fresh()? }))
    }

    fn debts(&self, partition: u8) -> String {
        format!("debt#{}#{partition}", self.name())
    }

    /// None: the message has no debt.
    fn debt_key(&self, Owed { key, since, debt }: Owed<'_>) -> Option<Key> {
        let Debt { turn, id } = debt?;
        // One key's debts lie together.
        let partition = Sha256::digest(key.as_bytes()).first().map_or(0, |byte| byte % PARTITIONS);
        let sort = format!("{:020}/{turn:010}/{id:016x}", in_order(since));
        Some(Key { partition: self.debts(partition), sort })
    }

    /// To be awaited before the messages are sent.
    pub(super) async fn owe(&self, envelopes: Vec<Envelope>) -> Result<(), QueueError> {
        let mut writes = Vec::with_capacity(envelopes.len());
        for envelope in envelopes {
            let Some(key) = self.debt_key(Owed::by(&envelope)) else { continue };
            writes.push(self.put(key, Expect::Absent, fresh()?, &Owing { envelope, sent_again: None })?);
        }
        let (mut putting, mut trouble) = (JoinSet::new(), None);
        for write in writes {
            if putting.len() >= AT_ONCE {
                trouble = trouble.or(putting.join_next().await.and_then(|put| self.was_put(put).err()));
            }
            // Each further one would be owed by nobody who sends it.
            if trouble.is_some() {
                break;
            }
            let table = self.table().clone();
            putting.spawn(async move { table.put_all(&[write]).await.map(|_| ()) });
        }
        while let Some(put) = putting.join_next().await {
            trouble = trouble.or(self.was_put(put).err());
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Nobody else puts a debt of that name: what was found is ours, whatever became of it.
    fn was_put(&self, put: Result<Result<(), TableError>, JoinError>) -> Result<(), QueueError> {
        match put.map_err(|error| self.other(error))? {
            Ok(()) | Err(TableError::Unsure { key: _ }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn put(&self, key: Key, expect: Expect, fresh: u64, owing: &Owing) -> Result<Write, QueueError> {
        let body = serde_json::to_string(owing).map_err(|error| self.other(error))?;
        Ok(Write::Put { key, expect, fresh, due: None, expires: None, body })
    }

    /// To be awaited before whoever has pushed the message is told that it may go.
    pub(super) async fn settle(&self, owed: Owed<'_>) -> Result<(), QueueError> {
        match self.debt_key(owed) {
            Some(key) => Ok(self.table().remove(&key).await?),
            None => Ok(()),
        }
    }

    /// Looks twice: while a debt gives way to an earlier one, which is put before, a look that has passed the place of the one may come
    /// to that of the other too late.
    pub(crate) async fn owed_since(&self) -> Result<Option<Timestamp>, QueueError> {
        if !self.place.debts {
            return Err(self.other("it is not kept since when its messages are owed"));
        }
        let mut since: Option<Timestamp> = None;
        for _ in 0..2 {
            for first in self.first_debts(1).await? {
                let found = since_of(&first)?;
                since = Some(since.map_or(found, |since| since.min(found)));
            }
        }
        Ok(since)
    }

    /// So many of each partition.
    async fn first_debts(&self, limit: usize) -> Result<Vec<Item>, QueueError> {
        let mut looks = JoinSet::new();
        for partition in 0..PARTITIONS {
            let (table, partition) = (self.table().clone(), self.debts(partition));
            let range = Range { partition, prefix: String::new(), after: None, limit };
            looks.spawn(async move { table.list(&range).await });
        }
        let mut found = Vec::new();
        while let Some(looked) = looks.join_next().await {
            found.extend(looked.map_err(|error| self.other(error))??);
        }
        found.sort_by(|one, other| one.key.sort.cmp(&other.key.sort));
        Ok(found)
    }

    pub(crate) async fn send_again(&self, now: Timestamp, limit: usize) -> Result<usize, QueueError> {
        if !self.place.debts {
            return Ok(0);
        }
        let (mut parcels, mut marks) = (Vec::new(), Vec::new());
        for item in self.first_debts(limit.div_ceil(usize::from(PARTITIONS))).await? {
            let owing = match read::<Owing>(&item) {
                Ok(owing) => owing,
                // It would be owed for ever.
                Err(error) => {
                    self.bury_new(&item.key.to_string(), &item.body, &error.to_string(), now).await?;
                    self.table().remove(&item.key).await?;
                    continue;
                }
            };
            if !owing.is_overdue(now) || self.is_under_way(&owing.envelope, now).await? {
                continue;
            }
            let Owing { envelope, sent_again } = owing;
            let times = sent_again.map_or(0, |again| again.times).saturating_add(1);
            let (key, text) = (envelope.key.clone(), envelope.text(self.name())?);
            parcels.push(Parcel { key, text, delay: 0 });
            let owing = Owing { envelope, sent_again: Some(Again { times, at: now }) };
            marks.push(self.put(item.key, Expect::Version(item.version), item.version, &owing)?);
        }
        let sent = self.deliver(&parcels).await;
        // Who dies here sends once more.
        for (mark, _) in marks.into_iter().zip(&sent.taken).filter(|(_, taken)| **taken) {
            match self.table().put_all(&[mark]).await {
                // It was settled meanwhile.
                Ok(_) | Err(TableError::Conflict { key: _ } | TableError::Unsure { key: _ }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let again = sent.taken.iter().filter(|taken| **taken).count();
        self.all_taken(&parcels, sent)?;
        Ok(again)
    }
}

/// What is owed, wherever that is known from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed<'a> {
    pub(super) key: &'a str,
    pub(super) since: Timestamp,
    pub(super) debt: Option<Debt>,
}

impl<'a> Owed<'a> {
    pub(super) fn by(envelope: &'a Envelope) -> Self {
        Self { key: &envelope.key, since: envelope.owed_since, debt: envelope.debt }
    }
}

/// Microseconds, from the first that there can be, so that digits are in the order of moments.
fn in_order(since: Timestamp) -> u64 {
    since.as_microsecond().cast_unsigned() ^ (1 << 63)
}

fn since_of(Item { key, version: _, body: _, expires: _ }: &Item) -> Result<Timestamp, TableError> {
    let digits = key.sort.split('/').next().and_then(|digits| digits.parse::<u64>().ok());
    let since = digits.and_then(|digits| match (digits ^ (1 << 63)).cast_signed() {
        // Of the last second no fraction can be told by its number.
        last if last == Timestamp::MAX.as_microsecond() => Some(Timestamp::MAX),
        number => Timestamp::from_microsecond(number).ok(),
    });
    since.ok_or_else(|| TableError::Unreadable {
        key: key.to_string(),
        why: "its name does not begin with a moment".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(since: Timestamp) -> Item {
        let sort = format!("{:020}/{:010}/a", in_order(since), 3);
        let key = Key { partition: "debt#changes#0".to_owned(), sort };
        Item { key, version: 1, body: String::new(), expires: None }
    }

    proptest! {
        #[test]
        fn the_oldest_debt_is_the_first(one in any::<i64>(), other in any::<i64>()) {
            let moments = Timestamp::MIN.as_microsecond()..=Timestamp::MAX.as_microsecond();
            let at = |number: i64| {
                let number = if moments.contains(&number) { number } else { number % moments.end() };
                Timestamp::from_microsecond(number).unwrap()
            };
            let (one, other) = (at(one), at(other));
            prop_assert_eq!(item(one).key.sort.cmp(&item(other).key.sort), one.cmp(&other));
            prop_assert_eq!(since_of(&item(one)).unwrap(), one);
        }
    }

    #[test]
    fn the_first_and_the_last_moment_can_be_told() {
        for since in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let micros = since.as_microsecond();
            assert_eq!(since_of(&item(since)).unwrap().as_microsecond(), micros);
        }
    }
}
