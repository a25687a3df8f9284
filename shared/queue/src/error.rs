//! Why a queue could not do as it was asked.

use std::error::Error;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use dynamo::TableError;
use embedded::StoreError;

/// Nothing was moved, with these exceptions: [`QueueError::NotTaken`] names all that may not have been, and on SQS whatever takes
/// several requests may end between two of them. All of it bears being done again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(
        "send `{key}` to the queue `{queue}`: as a message it has {bytes} bytes, and {most} fit; keep less in it"
    )]
    TooLarge { queue: &'static str, key: String, bytes: usize, most: usize },
    #[error("send to the queue `{queue}`: {why}; {} may not have been taken, and have to be sent again: {}", keys.len(), some(keys))]
    NotTaken { queue: &'static str, keys: Vec<String>, why: String },
    #[error("use the queue `{queue}`: {why}; check its two addresses, and deploy it in this region")]
    Missing { queue: &'static str, why: String },
    #[error(
        "use the queue `{queue}`: AWS refuses it to this role or key ({why}); mend the role's policy or the credentials"
    )]
    Denied { queue: &'static str, why: String },
    #[error(
        "reach the queue `{queue}`: {why}; check the network, the region and the credentials, and try again"
    )]
    Unreachable { queue: &'static str, why: String },
    #[error("use the queue `{queue}`: {why}")]
    Other { queue: &'static str, why: String },
    #[error("claim from the queue `{queue}`: SQS pushes its messages; accept them where they arrive")]
    IsPushed { queue: &'static str },
    #[error("accept a message of the queue `{queue}`: it lies in the embedded store; claim from it")]
    IsPulled { queue: &'static str },
}

impl QueueError {
    /// How large a message may be with its key and its moments: SQS takes 1 MiB
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>), of which some is
    /// left for why it is dead, if it ever is.
    pub const MESSAGE_BYTES: usize = 1024 * 1024 - 4 * 1024;

    /// The same where the table keeps that it is owed: an item there has at most 400 KB
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
    pub const OWED_BYTES: usize = 380 * 1024;

    pub(crate) fn of<E>(queue: &'static str, error: &SdkError<E>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let why = dynamo::chain(error);
        match error {
            SdkError::ServiceError(answer) => match answer.err().code() {
                Some("QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue") => {
                    Self::Missing { queue, why }
                }
                Some("AccessDenied" | "InvalidClientTokenId") => Self::Denied { queue, why },
                Some(code) if dynamo::is_denied(code) => Self::Denied { queue, why },
                _ if answer.raw().status().is_server_error() => Self::Unreachable { queue, why },
                _ => Self::Other { queue, why },
            },
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                Self::Unreachable { queue, why }
            }
            // A request that could not be made, and what a later SDK may add.
            _ => Self::Other { queue, why },
        }
    }
}

/// The first of them, so that an error stays a sentence.
fn some(keys: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut words = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        words.push_str(" and others");
    }
    words
}
