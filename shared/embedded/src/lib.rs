//! SQLite as the embedded store: one writer that lets waiting writes share a commit, and readers that it does not block.
//!
//! Lives here: opening the file, durability, sharing it between processes, versioned tables.
//! Never here: what the tables mean. `queue` and `ledger` bring their own.
//!
//! Without the feature `sqlite` there is no store (`absent.rs`), and the linker leaves SQLite out.

#[cfg(not(feature = "sqlite"))]
mod absent;
#[cfg(feature = "sqlite")]
mod connection;
#[cfg(feature = "sqlite")]
mod database;
mod error;
#[cfg(feature = "sqlite")]
mod migration;
#[cfg(feature = "sqlite")]
mod task;
#[cfg(feature = "sqlite")]
mod threads;

use std::pin::Pin;
use std::sync::Arc;

#[cfg(not(feature = "sqlite"))]
pub use absent::Database;
#[cfg(feature = "sqlite")]
pub use database::Database;
pub use error::StoreError;
pub use rusqlite;

/// Waited for before each piece of work and after it. One that never ends is a process that died there.
pub type Pause = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;
