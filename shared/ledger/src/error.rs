//! Why the ledger could not do as it was asked.

use embedded::StoreError;
use model::{IncidentId, Slot};

use crate::Place;

/// Nothing was written, except that after [`LedgerError::Store`] it may be unknown.
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
}
