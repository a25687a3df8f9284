//! The rules of the ledger, one by one, on a store in memory.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod breaker;
mod documents;
mod given;
mod health;
mod incidents;
mod records;
