//! What goes into a queue and what comes out of it. Moments are kept to the microsecond.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;

/// Something to be done about `key`, not before `due`. At most one message a key waits, and one is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub key: String,
    pub body: String,
    pub due: Timestamp,
    /// Since when this is owed: since long before it lies here, if nobody told of it in time, and not before it is due, if
    /// nothing waits for it until then.
    pub owed_since: Timestamp,
    pub collapse: Collapse,
}

/// What wins when a move meets one that waits for the same key: of the moments at which they are due, and since when they
/// are owed, and of the bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collapse {
    /// The earlier moments, the newer body.
    Earliest,
    /// The later moments, the newer body.
    Latest,
    /// The earlier moments, the body that waits.
    Yields,
}

/// A message that one worker holds until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub key: String,
    pub body: String,
    /// How often this body was handed out, this time included.
    pub deliveries: u32,
    pub owed_since: Timestamp,
    pub receipt: Receipt,
}

/// Proves who holds a message. It is good until somebody else claims the message, or it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) id: i64,
    pub(crate) claim: i64,
}

/// What became of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The message is gone.
    Gone,
    /// A move for the same key had arrived in the meantime, and waits now.
    RunsAgain,
    /// The lease had ended and somebody else has taken over. Nothing was changed.
    LeaseLost,
}

/// Whether a message was still ours when we changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Kept,
    /// The lease had ended and somebody else has taken over. Nothing was changed.
    Lost,
}

/// How much lies in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// Could be claimed now; those whose lease has ended are among them.
    pub ready: u64,
    /// Due later.
    pub waiting: u64,
    pub claimed: u64,
    pub dead: u64,
    /// Since when the first of the ready ones could have been claimed.
    pub oldest_ready: Option<Timestamp>,
    /// Since when the first of all that is not dead is owed: what waits for another try, and what somebody works on, too.
    pub owed_since: Option<Timestamp>,
}

impl Depth {
    /// Nothing is left to be done, dead letters apart.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let Self { ready, waiting, claimed, dead: _, oldest_ready: _, owed_since: _ } = self;
        *ready == 0 && *waiting == 0 && *claimed == 0
    }
}

/// A message that nobody will work on until a person has looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dead {
    pub id: DeadId,
    pub key: String,
    pub body: String,
    pub why: String,
    pub deliveries: u32,
    pub buried_at: Timestamp,
}

/// The number of a dead letter. It is never given twice in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct DeadId(pub(crate) i64);

impl fmt::Display for DeadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number of a dead letter (`guestlist dead list` shows them)")]
pub struct ParseDeadIdError(String);

impl FromStr for DeadId {
    type Err = ParseDeadIdError;

    fn from_str(text: &str) -> Result<Self, ParseDeadIdError> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| ParseDeadIdError(text.chars().take(40).collect()))
    }
}
