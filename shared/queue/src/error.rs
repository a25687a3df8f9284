//! Why a queue could not do as it was asked.

use embedded::StoreError;

/// Nothing was moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error(transparent)]
    Store(#[from] StoreError),
}
