//! What lies in the table, and what is asked of it.

use std::fmt;

/// Where an item lies. Sort keys are in the order of their UTF-8 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub partition: String,
    pub sort: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.sort)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub key: Key,
    pub version: u64,
    pub body: String,
    /// From when on DynamoDB may delete it, in seconds since 1970. It does so within days, and shows the item until then:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html>
    pub expires: Option<i64>,
}

/// When somebody has to look at an item, and under which name it is found then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub class: String,
    /// Microseconds since 1970.
    pub at: i64,
}

/// What must be there for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Version(u64),
    /// Whatever is there. It is looked at first, so that the version goes on from what was found.
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put {
        key: Key,
        expect: Expect,
        /// The version where there is no item yet. Else it is the one found and 1.
        fresh: u64,
        due: Option<Due>,
        expires: Option<i64>,
        body: String,
    },
    Delete {
        key: Key,
        expect: Expect,
    },
}

impl Write {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Put { key, expect: _, fresh: _, due: _, expires: _, body: _ }
            | Self::Delete { key, expect: _ } => key,
        }
    }

    pub(crate) fn expect(&self) -> Expect {
        match self {
            Self::Put { key: _, expect, fresh: _, due: _, expires: _, body: _ }
            | Self::Delete { key: _, expect } => *expect,
        }
    }

    pub(crate) fn due(&self) -> Option<&Due> {
        match self {
            Self::Put { key: _, expect: _, fresh: _, due, expires: _, body: _ } => due.as_ref(),
            Self::Delete { key: _, expect: _ } => None,
        }
    }

    /// The version that it leaves, or that it deletes.
    pub(crate) fn version(&self, found: Option<u64>) -> Option<u64> {
        match self {
            Self::Put { key: _, expect: _, fresh, due: _, expires: _, body: _ } => {
                Some(found.map_or(*fresh, |version| version.saturating_add(1)))
            }
            Self::Delete { key: _, expect: _ } => found,
        }
    }
}

/// Which part of a partition is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub partition: String,
    /// What the sort keys start with.
    pub prefix: String,
    /// The sort key before the first one. There need not be an item.
    pub after: Option<String>,
    pub limit: usize,
}
