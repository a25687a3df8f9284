//! Items in a table of DynamoDB. What that takes and gives is `dynamo`'s; this file says the same in the ledger's words.

use std::future::Future;
use std::pin::Pin;

use dynamo::{Key, Table};
use jiff::Timestamp;

use crate::items::{Due, Expect, Item, Range, Write, next_version};
use crate::{LedgerError, Place};

impl From<Key> for Place {
    fn from(Key { partition, sort }: Key) -> Self {
        Self { partition, sort }
    }
}

impl From<Place> for Key {
    fn from(Place { partition, sort }: Place) -> Self {
        Self { partition, sort }
    }
}

impl From<dynamo::Item> for Item {
    /// The ledger lets nothing expire by itself.
    fn from(dynamo::Item { key, version, body, expires: _ }: dynamo::Item) -> Self {
        Self { place: key.into(), version, body }
    }
}

impl From<Expect> for dynamo::Expect {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Absent => Self::Absent,
            Expect::Version(version) => Self::Version(version),
            Expect::Any => Self::Any,
        }
    }
}

impl From<Write> for dynamo::Write {
    fn from(write: Write) -> Self {
        match write {
            Write::Put { place, expect, due, body } => Self::Put {
                key: place.into(),
                expect: expect.into(),
                fresh: next_version(None, &body),
                due: due.map(|Due { class, at }| dynamo::Due { class, at: at.as_microsecond() }),
                expires: None,
                body,
            },
            Write::Delete { place, expect } => Self::Delete { key: place.into(), expect: expect.into() },
        }
    }
}

/// Behind a pointer: the SDK's futures are large and deep, and would be in every future that asks the ledger, wherever it
/// lies.
type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

pub(crate) fn get<'a>(table: &'a Table, place: &Place) -> Asked<'a, Option<Item>> {
    let key = place.clone().into();
    Box::pin(async move { Ok(table.get(&key).await?.map(Item::from)) })
}

pub(crate) fn put_all(table: &Table, writes: Vec<Write>) -> Asked<'_, Vec<Option<u64>>> {
    let writes: Vec<dynamo::Write> = writes.into_iter().map(dynamo::Write::from).collect();
    Box::pin(async move { Ok(table.put_all(&writes).await?) })
}

pub(crate) fn list(table: &Table, range: Range) -> Asked<'_, Vec<Item>> {
    let Range { partition, prefix, after, limit } = range;
    let range = dynamo::Range { partition, prefix, after, limit };
    Box::pin(async move { Ok(items(table.list(&range).await?)) })
}

pub(crate) fn due(table: &Table, class: String, until: Timestamp, limit: usize) -> Asked<'_, Vec<Item>> {
    Box::pin(async move { Ok(items(table.due(&class, until.as_microsecond(), limit).await?)) })
}

fn items(found: Vec<dynamo::Item>) -> Vec<Item> {
    found.into_iter().map(Item::from).collect()
}
