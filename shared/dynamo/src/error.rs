//! What can go wrong with the table, told by what a caller or an operator has to do about it.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::Key;

/// An error says that nothing was written, with two exceptions: after [`TableError::Unsure`] and [`TableError::Unreachable`]
/// that is unknown, so the work must bear being done twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("write `{key}`: somebody else has written it in the meantime; read it again and decide anew")]
    Conflict { key: Key },
    #[error(
        "write `{key}`: an answer of DynamoDB was lost, and somebody else has written there since; read it again and decide anew"
    )]
    Unsure { key: Key },
    #[error("write `{key}`: it would have {bytes} bytes, and DynamoDB takes {most}; keep less in it", most = Self::ITEM_BYTES)]
    TooLarge { key: Key, bytes: usize },
    #[error("write `{key}`: {why}")]
    BadKey { key: Key, why: String },
    #[error("write {writes} items at once, `{first}` and others: {why}")]
    TooMuch { first: Key, writes: usize, why: String },
    #[error("read `{key}`: {why}; it was not written by Guestlist: restore it from a backup, or delete it")]
    Unreadable { key: String, why: String },
    #[error("use the table `{table}`: it is busy ({why}); try again, and raise its limits if that goes on")]
    Busy { table: String, why: String },
    #[error(
        "use the table `{table}`: there is none of this name, or its index `due` is missing; deploy it in this region"
    )]
    Missing { table: String },
    #[error(
        "use the table `{table}`: AWS refuses it to this role or key ({why}); mend the role's policy or the credentials"
    )]
    Denied { table: String, why: String },
    #[error(
        "reach the table `{table}`: {why}; check the network, the region and the credentials, and try again"
    )]
    Unreachable { table: String, why: String },
    #[error("use the table `{table}`: {why}")]
    Other { table: String, why: String },
}

impl TableError {
    /// How large an item may be, with its attributes' names:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
    pub const ITEM_BYTES: usize = 400 * 1024;

    /// Whether the same request may well succeed a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unsure { key: _ }
            | Self::Busy { table: _, why: _ }
            | Self::Unreachable { table: _, why: _ } => true,
            Self::Conflict { key: _ }
            | Self::TooLarge { key: _, bytes: _ }
            | Self::BadKey { key: _, why: _ }
            | Self::TooMuch { first: _, writes: _, why: _ }
            | Self::Unreadable { key: _, why: _ }
            | Self::Missing { table: _ }
            | Self::Denied { table: _, why: _ }
            | Self::Other { table: _, why: _ } => false,
        }
    }

    pub(crate) fn of<E>(table: &str, error: &SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let table = table.to_owned();
        let why = chain(error);
        match error {
            SdkError::ServiceError(answer) => match answer.err().code() {
                Some(code) if is_busy(code) => Self::Busy { table, why },
                Some("ResourceNotFoundException") => Self::Missing { table },
                Some(code) if is_denied(code) => Self::Denied { table, why },
                _ if answer.raw().status().is_server_error() => Self::Unreachable { table, why },
                _ => Self::Other { table, why },
            },
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                Self::Unreachable { table, why }
            }
            // A request that could not be made, and what a later SDK may add.
            _ => Self::Other { table, why },
        }
    }
}

/// The SDK has tried all of these again by then, but for a conflict of transactions.
fn is_busy(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ReplicatedWriteConflictException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}

/// The codes of all services of AWS for it.
#[must_use]
pub fn is_denied(code: &str) -> bool {
    matches!(
        code,
        "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException"
    )
}

/// An error with its causes, each once. Never its debug form: that holds what was sent.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        next = cause.source();
    }
    words
}
