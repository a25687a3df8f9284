//! Opening one connection: the file's mode, durability, and patience with other processes.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::StoreError;

/// How long another process may hold the file before we give up. Graph takes an answer after more than three seconds
/// for a slow one (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>), so that a receiver must
/// still have time to answer 503.
const PATIENCE: Duration = Duration::from_secs(2);

/// Shorter than SQLite's own steps of up to 100 ms, with which a process beside a busy one rarely finds the gap.
const STEP: Duration = Duration::from_millis(2);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

/// Makes the file if it is not there. SQLite gives the files beside it (`-wal`, `-shm`) the same mode.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::unopened(path, &error)),
    }
}

pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| StoreError::of(path, &error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    be_patient(&mut connection).map_err(failed)?;
    let mode: String =
        patiently(|| connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)))
            .map_err(failed)?;
    if mode != "wal" {
        let why = "its file system cannot share memory between processes".to_owned();
        return Err(StoreError::Unopened { path: path.to_owned(), why });
    }
    settle(&connection, purpose).map_err(failed)?;
    Ok(connection)
}

pub(crate) fn in_memory() -> Result<Connection, StoreError> {
    let path = Path::new(":memory:");
    let connection = Connection::open_in_memory().map_err(|error| StoreError::of(path, &error))?;
    settle(&connection, Purpose::Write).map_err(|error| StoreError::of(path, &error))?;
    Ok(connection)
}

fn settle(connection: &Connection, purpose: Purpose) -> rusqlite::Result<()> {
    // FULL flushes the log at every commit; the two that follow do the same where a flush needs to be asked twice (macOS).
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "query_only", purpose == Purpose::Read)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

fn be_patient(connection: &mut Connection) -> rusqlite::Result<()> {
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries: i32| {
        if tries == 0 {
            since = Instant::now();
        }
        thread::sleep(STEP);
        since.elapsed() < PATIENCE
    }))
}

/// Tries again while the file is busy: SQLite does not ask its busy handler in every such case.
pub(crate) fn patiently<T>(mut attempt: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let since = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && since.elapsed() < PATIENCE =>
            {
                thread::sleep(STEP);
            }
            result => return result,
        }
    }
}
