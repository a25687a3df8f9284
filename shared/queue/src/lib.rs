//! Moves bytes by key and due time: leases, delivery counts, delays, dirty marks, dead letters.
//!
//! Lives here: what may happen to a message on its way, the same on every backend.
//! Never here: what a body means. A message is a wake-up that carries ids; what is true lies in the ledger.

mod error;
mod letters;
mod local;
mod message;
mod moves;
mod queue;

pub use error::QueueError;
pub use message::{Acked, Claimed, Collapse, Dead, DeadId, Depth, Hold, Move, ParseDeadIdError, Receipt};
pub use queue::Queue;
