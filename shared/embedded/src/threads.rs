//! The loops of the threads that own a connection each: one that writes, some that read.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::StoreError;
use crate::connection::patiently;
use crate::task::Task;

/// How many writes share a commit at most, so that the first of them does not wait long for the last.
const GROUP: usize = 512;

/// Writes until nobody can send any more, then folds the log into the file.
pub(crate) fn write_all(connection: Connection, path: &Path, tasks: &Receiver<Box<dyn Task>>) {
    while let Ok(first) = tasks.recv() {
        let group = std::iter::once(first).chain(tasks.try_iter().take(GROUP - 1)).collect();
        commit(&connection, path, group);
    }
    let folded = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = folded {
        // Nothing is lost: whoever opens the file next reads the log.
        tracing::debug!(store.path = %path.display(), error = %error, "the store's log was left beside it");
    }
    close(connection, path);
}

/// Reads, each piece of work on one snapshot, until nobody can send any more.
pub(crate) fn read_all(connection: Connection, path: &Path, tasks: &Mutex<Receiver<Box<dyn Task>>>) {
    loop {
        let next = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { break };
        snapshot(&connection, path, task);
    }
    close(connection, path);
}

fn close(connection: Connection, path: &Path) {
    if let Err((_, error)) = connection.close() {
        tracing::warn!(store.path = %path.display(), error = %error, "the store was not closed cleanly");
    }
}

/// Runs all tasks, in as few transactions as SQLite lets us: it may give a transaction up in the middle (a full disk).
pub(crate) fn commit(connection: &Connection, path: &Path, group: Vec<Box<dyn Task>>) {
    let mut waiting = group.into_iter().peekable();
    while waiting.peek().is_some() {
        if let Err(error) = patiently(|| execute(connection, "BEGIN IMMEDIATE")) {
            let error = StoreError::of(path, &error);
            waiting.for_each(|task| task.answer(Err(error.clone())));
            return;
        }
        let mut ran = Vec::new();
        let mut fate = Ok(());
        while fate.is_ok()
            && let Some(mut task) = waiting.next()
        {
            fate = run_alone(connection, path, task.as_mut());
            ran.push(task);
        }
        let fate =
            fate.and_then(|()| execute(connection, "COMMIT").map_err(|error| StoreError::of(path, &error)));
        roll_back(connection, path);
        ran.into_iter().for_each(|task| task.answer(fate.clone()));
    }
}

/// Runs one task so that its failure takes back only its own writes. An error means that the whole transaction is lost.
fn run_alone(connection: &Connection, path: &Path, task: &mut dyn Task) -> Result<(), StoreError> {
    let failed = |error| StoreError::of(path, &error);
    execute(connection, "SAVEPOINT task").map_err(failed)?;
    let ran = task.run(connection, path);
    if connection.is_autocommit() {
        return Err(ran.err().unwrap_or_else(|| {
            StoreError::other(path, "the transaction ended under a piece of work that went on")
        }));
    }
    if ran.is_err() {
        execute(connection, "ROLLBACK TO task").map_err(failed)?;
    }
    execute(connection, "RELEASE task").map_err(failed)
}

fn snapshot(connection: &Connection, path: &Path, mut task: Box<dyn Task>) {
    let begun = patiently(|| execute(connection, "BEGIN")).map_err(|error| StoreError::of(path, &error));
    if begun.is_ok() {
        // What went wrong stays with the task.
        let _ = task.run(connection, path);
        roll_back(connection, path);
    }
    task.answer(begun);
}

/// Ends the transaction if one is still open.
fn roll_back(connection: &Connection, path: &Path) {
    if !connection.is_autocommit()
        && let Err(error) = execute(connection, "ROLLBACK")
    {
        tracing::error!(store.path = %path.display(), error = %error, "a transaction of the store could not be ended");
    }
}

/// Reads in a store that has only one connection.
pub(crate) fn read_here(connection: &Connection, path: &Path, task: Box<dyn Task>) {
    // As strict as with a file, whose readers have connections that cannot write.
    let guarded = connection.pragma_update(None, "query_only", true);
    match guarded {
        Ok(()) => snapshot(connection, path, task),
        Err(error) => return task.answer(Err(StoreError::of(path, &error))),
    }
    if let Err(error) = connection.pragma_update(None, "query_only", false) {
        tracing::error!(error = %error, "the store in memory can no longer be written");
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}
