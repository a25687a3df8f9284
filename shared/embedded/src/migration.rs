//! Tables of a part, brought up to date step by step. A step that was released is never changed: another one follows it.

use rusqlite::{Connection, OptionalExtension as _};

/// Runs the steps that this file has not seen.
///
/// Returns the version found where it is newer than the steps we know; then nothing was changed.
pub(crate) fn advance(
    connection: &Connection,
    part: &str,
    steps: &[&str],
) -> rusqlite::Result<Result<(), usize>> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS embedded_parts (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    )?;
    let found: Option<i64> = connection
        .query_row("SELECT version FROM embedded_parts WHERE part = ?1", [part], |row| row.get(0))
        .optional()?;
    let found = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    let Some(new) = steps.get(found..) else {
        return Ok(Err(found));
    };
    for step in new {
        connection.execute_batch(step)?;
    }
    let version = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    connection.execute(
        "INSERT INTO embedded_parts (part, version) VALUES (?1, ?2)
         ON CONFLICT (part) DO UPDATE SET version = excluded.version",
        (part, version),
    )?;
    Ok(Ok(()))
}
