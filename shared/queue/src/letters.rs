//! The statements about dead letters. Each runs inside a transaction of its caller.

use embedded::rusqlite::{self, Connection, OptionalExtension as _, Row, params};
use jiff::Timestamp;

use crate::dead::Name;
use crate::message::RowClaim;
use crate::{Acked, Collapse, Dead, DeadId, Hold, Move, moves};

const COLUMNS: &str = "id, key, body, why, deliveries, owed_since, buried_at";

pub(crate) fn add(
    db: &Connection,
    queue: &str,
    (key, body, deliveries, owed_since): (&str, &str, u32, Timestamp),
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<DeadId> {
    db.prepare_cached(
        "INSERT INTO queue_dead (queue, key, body, why, deliveries, owed_since, buried_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .insert(params![queue, key, body, why, deliveries, owed_since.as_microsecond(), now.as_microsecond()])
    .map(|number| DeadId(Name::Number(number)))
}

pub(crate) fn bury(
    db: &Connection,
    queue: &str,
    row: RowClaim,
    why: &str,
    now: Timestamp,
) -> rusqlite::Result<Hold> {
    let held: Option<(String, String, u32, Timestamp)> = db
        .prepare_cached(
            "SELECT key, body, deliveries, enqueued_at FROM queue_moves
             WHERE id = ?1 AND claim = ?2 AND claimed = 1",
        )?
        .query_row([row.id, row.claim], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, moves::moment(3, row.get(3)?)?))
        })
        .optional()?;
    let Some((key, body, deliveries, owed_since)) = held else {
        return Ok(Hold::Lost);
    };
    add(db, queue, (&key, &body, deliveries, owed_since), why, now)?;
    Ok(match moves::ack(db, row)? {
        Acked::Gone | Acked::RunsAgain => Hold::Kept,
        Acked::LeaseLost => Hold::Lost,
    })
}

pub(crate) fn list(
    db: &Connection,
    queue: &str,
    after: Option<i64>,
    limit: usize,
) -> rusqlite::Result<Vec<Dead>> {
    let after = after.unwrap_or(0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM queue_dead WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?
    .query_map(params![queue, after, limit], read)?
    .collect()
}

pub(crate) fn find(db: &Connection, queue: &str, number: i64) -> rusqlite::Result<Option<Dead>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM queue_dead WHERE queue = ?1 AND id = ?2"))?
        .query_row(params![queue, number], read)
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Dead> {
    Ok(Dead {
        id: DeadId(Name::Number(row.get(0)?)),
        key: row.get(1)?,
        body: row.get(2)?,
        why: row.get(3)?,
        deliveries: row.get(4)?,
        owed_since: row.get::<_, Option<i64>>(5)?.map(|at| moves::moment(5, at)).transpose()?,
        buried_at: moves::moment(6, row.get(6)?)?,
    })
}

pub(crate) fn replay(db: &Connection, queue: &str, number: i64, now: Timestamp) -> rusqlite::Result<bool> {
    let Some(letter) = find(db, queue, number)? else {
        return Ok(false);
    };
    let Dead { key, body, owed_since, .. } = letter;
    let owed_since = owed_since.unwrap_or(Timestamp::MIN);
    moves::send(db, queue, &Move { key, body, due: now, owed_since, collapse: Collapse::Yields }, None)?;
    remove(db, queue, number)
}

pub(crate) fn remove(db: &Connection, queue: &str, number: i64) -> rusqlite::Result<bool> {
    let removed = db
        .prepare_cached("DELETE FROM queue_dead WHERE queue = ?1 AND id = ?2")?
        .execute(params![queue, number])?;
    Ok(removed == 1)
}
