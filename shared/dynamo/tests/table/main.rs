//! The rules of the table, on the AWS emulator, and what a network does to them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod faults;
mod flaky;
mod given;
mod limits;
mod lost;
mod reading;
mod writing;
