//! The primitive store under the documents: items with a place, a version, a due moment and a body, and writes that
//! are conditional. Small enough for a key-value database in the cloud: no query but by place, by prefix and by due.
//!
//! Two differences between the stores are left. `due` of the embedded one knows all that was written before; that of DynamoDB
//! may hear of it a moment later, and finds it the next time. And DynamoDB has limits, of which [`dynamo::TableError`] tells:
//! 400 KB for a body, 1,024 bytes for a sort key and not none, 100 writes at once and no place twice among them.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use dynamo::Table;
use embedded::Database;
use jiff::Timestamp;

use crate::{LedgerError, sqlite, table};

/// Where an item lies. Who may write where is granted by partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) partition: String,
    pub(crate) sort: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.sort)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) version: u64,
    pub(crate) body: String,
}

/// When somebody has to look at an item, and under which name it is found then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) class: String,
    pub(crate) at: Timestamp,
}

/// What must be there for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Absent,
    Version(u64),
    Any,
}

impl Expect {
    pub(crate) fn holds(self, found: Option<u64>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
            Self::Any => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    Put { place: Place, expect: Expect, due: Option<Due>, body: String },
    Delete { place: Place, expect: Expect },
}

impl Write {
    pub(crate) fn place(&self) -> &Place {
        match self {
            Self::Put { place, expect: _, due: _, body: _ } | Self::Delete { place, expect: _ } => place,
        }
    }

    pub(crate) fn expect(&self) -> Expect {
        match self {
            Self::Put { place: _, expect, due: _, body: _ } | Self::Delete { place: _, expect } => *expect,
        }
    }
}

/// The version that follows the one found. A new item does not begin at 1: who has read an item that was deleted and
/// written anew since must not find his version again.
pub(crate) fn next_version(found: Option<u64>, body: &str) -> u64 {
    found.map_or_else(
        || {
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            // Room for as many writes as anybody can make, within the signed 64 bits of a database.
            hasher.finish() >> 2
        },
        |version| version.saturating_add(1),
    )
}

/// Which part of a partition is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) partition: String,
    /// What the sort keys start with.
    pub(crate) prefix: String,
    /// The sort key before the first one.
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Items {
    Sqlite(Database),
    Dynamo(Table),
}

impl Items {
    pub(crate) async fn get(&self, place: &Place) -> Result<Option<Item>, LedgerError> {
        match self {
            Self::Sqlite(database) => {
                let place = place.clone();
                Ok(database.read(move |db| sqlite::get(db, &place)).await?)
            }
            Self::Dynamo(table) => table::get(table, place).await,
        }
    }

    /// All writes or none. Answers, for each write, the version that was written or deleted.
    pub(crate) async fn put_all(&self, writes: Vec<Write>) -> Result<Vec<Option<u64>>, LedgerError> {
        match self {
            Self::Sqlite(database) => {
                let written = database.write(move |db| sqlite::put_all(db, &writes)).await?;
                written.map_err(|place| LedgerError::Conflict { place })
            }
            Self::Dynamo(table) => table::put_all(table, writes).await,
        }
    }

    /// By sort key, the lowest first.
    pub(crate) async fn list(&self, range: Range) -> Result<Vec<Item>, LedgerError> {
        match self {
            Self::Sqlite(database) => Ok(database.read(move |db| sqlite::list(db, &range)).await?),
            Self::Dynamo(table) => table::list(table, range).await,
        }
    }

    /// The longest due first; of those due at one moment, which come first is the store's choice.
    pub(crate) async fn due(
        &self,
        class: String,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Item>, LedgerError> {
        match self {
            Self::Sqlite(database) => {
                Ok(database.read(move |db| sqlite::due(db, &class, until, limit)).await?)
            }
            Self::Dynamo(table) => table::due(table, class, until, limit).await,
        }
    }
}
