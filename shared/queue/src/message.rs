//! What goes into a queue and what comes out of it. Moments are kept to the microsecond.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trace::TraceContext;

use crate::Queue;
use crate::sqs::Debt;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collapse {
    /// The earlier moments, the newer body.
    Earliest,
    /// The later moment, the newer body; owed since the earlier of the two, unless that is [`crate::Queue::COVERS`] before the other.
    Latest,
    /// The earlier moments, the body that waits.
    Yields,
    /// As [`Self::Yields`], but nothing is changed of what somebody works on, or what has failed and waits for its next try: for how
    /// long, only whoever failed knows. For a wake-up that is sent again and again, in case that nothing lies there any more.
    Wakes,
}

/// When something is due, and since when it is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) due: Timestamp,
    pub(crate) owed_since: Timestamp,
}

impl Collapse {
    /// Whether the body that waits stays.
    pub(crate) fn keeps_body(self) -> bool {
        match self {
            Self::Earliest | Self::Latest => false,
            Self::Yields | Self::Wakes => true,
        }
    }

    /// Whether this, due then, leaves alone what waits for its next try until that moment. Whoever put that off for longer than any
    /// try had a clock that was ahead.
    pub(crate) fn leaves_alone(self, due: Timestamp, next_try: Timestamp) -> bool {
        self == Self::Wakes && next_try.duration_since(due) <= Queue::LONGEST_TRY
    }

    /// The moments of two moves of one key.
    pub(crate) fn both(self, one: Moments, other: Moments) -> Moments {
        let owed = (one.owed_since.min(other.owed_since), one.owed_since.max(other.owed_since));
        match self {
            Self::Earliest | Self::Yields | Self::Wakes => {
                Moments { due: one.due.min(other.due), owed_since: owed.0 }
            }
            Self::Latest => {
                let covered = owed.1.checked_sub(Queue::COVERS).unwrap_or(Timestamp::MIN);
                Moments { due: one.due.max(other.due), owed_since: owed.0.max(covered) }
            }
        }
    }
}

/// A message that one worker holds until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub key: String,
    pub body: String,
    /// How often this body was handed out, this time included.
    pub deliveries: u32,
    pub owed_since: Timestamp,
    /// Where its body was sent, if traces were made there and it can be read.
    pub trace: Option<TraceContext>,
    pub receipt: Receipt,
}

impl Claimed {
    /// Whose trace goes on with what it is put off with: of the same body that of its own, so that a wait of many rounds is not a trace
    /// that grows deeper with each.
    pub(crate) fn trace_of(&self, body: &str) -> Option<TraceContext> {
        if body == self.body { self.trace } else { trace::current() }
    }
}

/// Proves who holds a message. It is good until somebody else claims the message, or it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub(crate) Proof);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    Row(RowClaim),
    Lease(Pushed),
}

/// A row of the embedded store, and which of its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowClaim {
    pub(crate) id: i64,
    pub(crate) claim: i64,
}

/// A message of SQS, and the lease of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// What SQS knows this delivery by.
    pub(crate) handle: String,
    pub(crate) token: String,
    pub(crate) accepted_at: Timestamp,
    pub(crate) debt: Option<Debt>,
}

impl Receipt {
    pub(crate) fn row(&self) -> Option<RowClaim> {
        match &self.0 {
            Proof::Row(row) => Some(*row),
            Proof::Lease(_) => None,
        }
    }

    pub(crate) fn pushed(&self) -> Option<&Pushed> {
        match &self.0 {
            Proof::Row(_) => None,
            Proof::Lease(pushed) => Some(pushed),
        }
    }
}

/// A message as SQS pushes it: the record of an event source mapping
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub message_id: String,
    pub receipt_handle: String,
    pub body: String,
    /// `ApproximateReceiveCount`.
    pub receive_count: u32,
}

impl Received {
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        Delivery { receipt_handle: self.receipt_handle.clone(), receive_count: self.receive_count }
    }
}

/// One time that a message was pushed, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub receipt_handle: String,
    /// With this time.
    pub receive_count: u32,
}

/// What to do about a message that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// To be worked on, and then settled; what that says is the answer.
    Run(Claimed),
    /// There is nothing to run: answer [`Answer::Success`].
    Done,
}

/// What to answer for a message to who pushed it. Where messages are claimed, nobody asks. After an error it is `Failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The message may go: what it asked for is done, or lies elsewhere.
    Success,
    /// The message has to stay, and is hidden until its next try.
    Later,
    /// The message has to stay, and nobody has said for how long it is hidden: see [`Queue::put_back`].
    Failure,
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

impl Acked {
    /// A message whose lease was lost comes again: whoever holds its key now may be at work on another.
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Gone | Self::RunsAgain => Answer::Success,
            Self::LeaseLost => Answer::Failure,
        }
    }
}

/// What became of a message that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delayed {
    /// The same message comes again.
    Same,
    /// It waits as a new one.
    Anew,
    /// The lease had ended and somebody else has taken over. Nothing was changed.
    LeaseLost,
}

impl Delayed {
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Anew => Answer::Success,
            Self::Same => Answer::Later,
            Self::LeaseLost => Answer::Failure,
        }
    }
}

/// Whether a message was still ours when we changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Kept,
    /// The lease had ended and somebody else has taken over. Nothing was changed.
    Lost,
}

impl Hold {
    /// For a message that was buried.
    #[must_use]
    pub fn answer(self) -> Answer {
        match self {
            Self::Kept => Answer::Success,
            Self::Lost => Answer::Failure,
        }
    }
}

/// How much lies in a queue. On SQS the numbers are approximate and up to a minute old, what waits for another try counts as
/// claimed, and nothing is known of moments.
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
}

impl Depth {
    /// Nothing is left to be done, dead letters apart.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let Self { ready, waiting, claimed, dead: _, oldest_ready: _ } = self;
        *ready == 0 && *waiting == 0 && *claimed == 0
    }
}
