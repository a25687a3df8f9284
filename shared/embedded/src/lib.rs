//! SQLite as the embedded store: one writer that lets waiting writes share a commit, and readers that it does not block.
//!
//! Lives here: opening the file, durability, sharing it between processes, versioned tables.
//! Never here: what the tables mean. `queue` and `ledger` bring their own.

mod connection;
mod database;
mod error;
mod migration;
mod task;
mod threads;

pub use database::{Database, Pause};
pub use error::StoreError;
pub use rusqlite;
