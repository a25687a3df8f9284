//! What lies among the dead letters, and how one is named.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;

/// A message that nobody will work on until a person has looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dead {
    pub id: DeadId,
    pub key: String,
    pub body: String,
    pub why: String,
    /// Where SQS itself gave a message up, the times that somebody looked at it here are among them.
    pub deliveries: u32,
    /// None: nobody knows, and it may be since ever.
    pub owed_since: Option<Timestamp>,
    /// Where SQS itself gave a message up, which it does not date: when it was sent.
    pub buried_at: Timestamp,
}

/// The name of a dead letter: a number in the embedded store, an id of SQS there. It is never given twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DeadId(pub(crate) Name);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub(crate) enum Name {
    Number(i64),
    Message(String),
}

impl DeadId {
    pub(crate) fn number(&self) -> Option<i64> {
        match &self.0 {
            Name::Number(number) => Some(*number),
            Name::Message(_) => None,
        }
    }
}

impl fmt::Display for DeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Number(number) => number.fmt(f),
            Name::Message(id) => id.fmt(f),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number or id of a dead letter (`guestlist dead list` shows them)")]
pub struct ParseDeadIdError(String);

impl FromStr for DeadId {
    type Err = ParseDeadIdError;

    fn from_str(text: &str) -> Result<Self, ParseDeadIdError> {
        if let Some(number) = text.parse().ok().filter(|number| *number > 0) {
            return Ok(Self(Name::Number(number)));
        }
        if can_be_message(text) {
            return Ok(Self(Name::Message(text.to_owned())));
        }
        Err(ParseDeadIdError(text.chars().take(40).collect()))
    }
}

/// SQS says that its ids have up to 100 characters, and no more:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>.
/// They have been 32 hexadecimal digits in groups ever since.
fn can_be_message(text: &str) -> bool {
    let mut letters = text.chars();
    (8..=100).contains(&text.len())
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !text.starts_with('-')
        && text.chars().any(|c| !c.is_ascii_digit())
}
