//! Why the ledger could not do as it was asked.

use dynamo::TableError;
use embedded::StoreError;
use model::{IncidentId, Slot};

use crate::Place;

/// Nothing was written, except that after [`LedgerError::Store`] and [`LedgerError::Table`] it may be unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error("write `{place}`: somebody else has written it in the meantime; read it again and decide anew")]
    Conflict { place: Place },
    #[error(
        "tell two incidents apart: {wanted} and {found} fall into the same slot `{slot}`; rename one of the rules in the policy"
    )]
    Collision { slot: Slot, wanted: String, found: String },
    #[error("open the incident `{id}`: {why}; read what is there and decide anew")]
    NotNext { id: IncidentId, why: &'static str },
    #[error("read `{place}`: {why}")]
    Unreadable { place: Place, why: String },
    #[error(
        "write `{place}`: it cannot be put as JSON ({why}); this is a mistake in Guestlist, please report it"
    )]
    Unwritable { place: Place, why: String },
    #[error("write `{place}`: others kept writing it at the same moment; try again")]
    TooManyTries { place: Place },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Table(TableError),
}

impl From<TableError> for LedgerError {
    fn from(error: TableError) -> Self {
        match error {
            // What a race is called must not hang on where the ledger lies.
            TableError::Conflict { key } => Self::Conflict { place: key.into() },
            error @ (TableError::Unsure { key: _ }
            | TableError::TooLarge { key: _, bytes: _ }
            | TableError::BadKey { key: _, why: _ }
            | TableError::TooMuch { first: _, writes: _, why: _ }
            | TableError::Unreadable { key: _, why: _ }
            | TableError::Busy { table: _, why: _ }
            | TableError::Missing { table: _ }
            | TableError::Denied { table: _, why: _ }
            | TableError::Unreachable { table: _, why: _ }
            | TableError::Other { table: _, why: _ }) => Self::Table(error),
        }
    }
}
