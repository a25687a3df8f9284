//! Items in the embedded store. Each function runs inside a transaction of its caller.

use embedded::rusqlite::types::Type;
use embedded::rusqlite::{self, Connection, OptionalExtension as _, Row, params};
use jiff::Timestamp;

use crate::Place;
use crate::items::{Item, Range, Write, next_version};

pub(crate) const STEPS: &[&str] = &["
CREATE TABLE ledger_items (
    partition TEXT NOT NULL,
    sort TEXT NOT NULL,
    version INTEGER NOT NULL,
    class TEXT,
    due INTEGER,
    body TEXT NOT NULL,
    UNIQUE (partition, sort)
) STRICT;
CREATE INDEX ledger_items_due ON ledger_items (class, due) WHERE class IS NOT NULL;
"];

pub(crate) fn get(db: &Connection, place: &Place) -> rusqlite::Result<Option<Item>> {
    db.prepare_cached(
        "SELECT partition, sort, version, body FROM ledger_items WHERE partition = ?1 AND sort = ?2",
    )?
    .query_row([&place.partition, &place.sort], read)
    .optional()
}

/// Looks at every condition before it writes anything. Returns the first place whose condition does not hold.
pub(crate) fn put_all(
    db: &Connection,
    writes: &[Write],
) -> rusqlite::Result<Result<Vec<Option<u64>>, Place>> {
    let mut found = Vec::with_capacity(writes.len());
    for write in writes {
        let version = version_of(db, write.place())?;
        if !write.expect().holds(version) {
            return Ok(Err(write.place().clone()));
        }
        found.push(version);
    }
    let written = writes.iter().zip(found).map(|(write, found)| apply(db, write, found));
    written.collect::<rusqlite::Result<Vec<_>>>().map(Ok)
}

fn version_of(db: &Connection, place: &Place) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT version FROM ledger_items WHERE partition = ?1 AND sort = ?2")?
        .query_row([&place.partition, &place.sort], |row| unsigned(0, row.get(0)?))
        .optional()
}

fn apply(db: &Connection, write: &Write, found: Option<u64>) -> rusqlite::Result<Option<u64>> {
    match write {
        Write::Put { place, expect: _, due, body } => {
            let version = next_version(found, body);
            let (class, at) = due.as_ref().map(|due| (due.class.as_str(), due.at.as_microsecond())).unzip();
            db.prepare_cached(
                "INSERT INTO ledger_items (partition, sort, version, class, due, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (partition, sort) DO UPDATE
                 SET version = excluded.version, class = excluded.class, due = excluded.due, body = excluded.body",
            )?
            .execute(params![place.partition, place.sort, signed(version)?, class, at, body])?;
            Ok(Some(version))
        }
        Write::Delete { place, expect: _ } => {
            db.prepare_cached("DELETE FROM ledger_items WHERE partition = ?1 AND sort = ?2")?
                .execute([&place.partition, &place.sort])?;
            Ok(found)
        }
    }
}

pub(crate) fn list(db: &Connection, range: &Range) -> rusqlite::Result<Vec<Item>> {
    let Range { partition, prefix, after, limit } = range;
    // Above every sort key that starts with the prefix: keys are compared byte by byte.
    let end = format!("{prefix}{}", char::MAX);
    let after = after.as_deref().unwrap_or("");
    db.prepare_cached(
        "SELECT partition, sort, version, body FROM ledger_items
         WHERE partition = ?1 AND sort >= ?2 AND sort < ?3 AND sort > ?4 ORDER BY sort LIMIT ?5",
    )?
    .query_map(params![partition, prefix, end, after, rows(*limit)], read)?
    .collect()
}

pub(crate) fn due(
    db: &Connection,
    class: &str,
    until: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Item>> {
    db.prepare_cached(
        "SELECT partition, sort, version, body FROM ledger_items
         WHERE class = ?1 AND due <= ?2 ORDER BY due, partition, sort LIMIT ?3",
    )?
    .query_map(params![class, until.as_microsecond(), rows(limit)], read)?
    .collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Item> {
    let place = Place { partition: row.get(0)?, sort: row.get(1)? };
    Ok(Item { place, version: unsigned(2, row.get(2)?)?, body: row.get(3)? })
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn unsigned(column: usize, number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}

fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
