//! Moves bytes by key and due time: leases, delivery counts, delays, dirty marks, dead letters.
//!
//! Lives here: what may happen to a message on its way, the same on every backend but for what `queue.rs` says.
//! Never here: what a body means. A message is a wake-up that carries ids; what is true lies in the ledger.

mod dead;
mod error;
mod letters;
mod local;
mod message;
mod moves;
mod queue;
mod sqs;

pub use dead::{Dead, DeadId, ParseDeadIdError};
pub use error::QueueError;
pub use message::{
    Accepted, Acked, Answer, Claimed, Collapse, Delayed, Delivery, Depth, Hold, Move, Receipt, Received,
};
pub use queue::Queue;
pub use sqs::SqsPlace;
