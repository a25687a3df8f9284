//! The statements about messages that are alive. Each runs inside a transaction of its caller.

use embedded::rusqlite::types::Type;
use embedded::rusqlite::{self, Connection, OptionalExtension as _, params};
use jiff::Timestamp;

use crate::message::{Moments, Proof, RowClaim};
use crate::{Acked, Claimed, Collapse, Delayed, Depth, Hold, Move, Receipt};

/// A message as it lies in the table, as far as a change of it needs to know.
struct Row {
    id: i64,
    claimed: bool,
    /// It was handed out before, and has failed since or is claimed.
    tried: bool,
    waits: Moments,
    /// What has arrived for the key while it was claimed, and how that collapses.
    next: Option<(Moments, Collapse)>,
}

/// Where the body comes from goes wherever the body goes.
pub(crate) fn send(db: &Connection, queue: &str, one: &Move, trace: Option<&str>) -> rusqlite::Result<()> {
    let Move { key, body, due, owed_since, collapse } = one;
    let moments = Moments { due: *due, owed_since: *owed_since };
    let Some(row) = find(db, queue, key)? else {
        return insert(db, queue, (key, body, trace), moments);
    };
    let keeps_body = collapse.keeps_body();
    if row.tried && collapse.leaves_alone(*due, row.waits.due) {
        return Ok(());
    }
    if row.claimed {
        let body =
            (row.next.is_none() || !keeps_body).then_some((body.as_str(), *collapse == Collapse::Latest));
        mark_dirty(
            db,
            &row,
            (body, trace),
            row.next.map_or(moments, |(next, _)| collapse.both(moments, next)),
        )
    } else {
        let Moments { due, owed_since } = collapse.both(moments, row.waits);
        db.prepare_cached(
            "UPDATE queue_moves SET body = coalesce(?2, body), ready_at = ?3, enqueued_at = ?4,
                 deliveries = iif(?2 IS NULL, deliveries, 0), trace = iif(?2 IS NULL, trace, ?5)
             WHERE id = ?1",
        )?
        .execute(params![
            row.id,
            (!keeps_body).then_some(body),
            due.as_microsecond(),
            owed_since.as_microsecond(),
            trace
        ])
        .map(|_| ())
    }
}

const ROW: &str = "SELECT id, claimed, ready_at, enqueued_at, next_due, next_enqueued_at, next_latest, deliveries > 0 FROM queue_moves";

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let waits = Moments { due: moment(2, row.get(2)?)?, owed_since: moment(3, row.get(3)?)? };
        let next = match (row.get(4)?, row.get(5)?) {
            (Some(due), Some(owed_since)) => {
                let collapse = if row.get(6)? { Collapse::Latest } else { Collapse::Earliest };
                Some((Moments { due: moment(4, due)?, owed_since: moment(5, owed_since)? }, collapse))
            }
            (None, _) | (_, None) => None,
        };
        Ok(Self { id: row.get(0)?, claimed: row.get(1)?, tried: row.get(7)?, waits, next })
    }
}

fn find(db: &Connection, queue: &str, key: &str) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached(&format!("{ROW} WHERE queue = ?1 AND key = ?2"))?
        .query_row([queue, key], Row::read)
        .optional()
}

fn insert(
    db: &Connection,
    queue: &str,
    (key, body, trace): (&str, &str, Option<&str>),
    Moments { due, owed_since }: Moments,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO queue_moves (queue, key, body, ready_at, enqueued_at, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![queue, key, body, due.as_microsecond(), owed_since.as_microsecond(), trace])
    .map(|_| ())
}

/// A body, and whether it collapses to the latest. Without one, what is there stays.
fn mark_dirty(
    db: &Connection,
    row: &Row,
    (next, trace): (Option<(&str, bool)>, Option<&str>),
    Moments { due, owed_since }: Moments,
) -> rusqlite::Result<()> {
    let (body, latest) = next.unzip();
    db.prepare_cached(
        "UPDATE queue_moves SET next_body = coalesce(?2, next_body), next_due = ?3,
             next_enqueued_at = ?4, next_latest = coalesce(?5, next_latest),
             next_trace = iif(?2 IS NULL, next_trace, ?6)
         WHERE id = ?1",
    )?
    .execute(params![row.id, body, due.as_microsecond(), owed_since.as_microsecond(), latest, trace])
    .map(|_| ())
}

pub(crate) fn claim(
    db: &Connection,
    queue: &str,
    now: Timestamp,
    until: Timestamp,
    max: usize,
) -> rusqlite::Result<Vec<Claimed>> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let claimed = db
        .prepare_cached(
            "SELECT id, key, body, deliveries + 1, enqueued_at, claim + 1, trace FROM queue_moves
             WHERE queue = ?1 AND ready_at <= ?2 ORDER BY ready_at, claimed, id LIMIT ?3",
        )?
        .query_map(params![queue, now.as_microsecond(), max], |row| {
            Ok(Claimed {
                key: row.get(1)?,
                body: row.get(2)?,
                deliveries: row.get(3)?,
                owed_since: moment(4, row.get(4)?)?,
                trace: row.get::<_, Option<String>>(6)?.and_then(|trace| trace.parse().ok()),
                receipt: Receipt(Proof::Row(RowClaim { id: row.get(0)?, claim: row.get(5)? })),
            })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut take = db.prepare_cached(
        "UPDATE queue_moves SET claimed = 1, claim = ?2, deliveries = ?3, ready_at = ?4 WHERE id = ?1",
    )?;
    for one in &claimed {
        if let Some(RowClaim { id, claim }) = one.receipt.row() {
            take.execute(params![id, claim, one.deliveries, until.as_microsecond()])?;
        }
    }
    Ok(claimed)
}

pub(crate) fn ack(db: &Connection, row: RowClaim) -> rusqlite::Result<Acked> {
    let RowClaim { id, claim } = row;
    let gone = db
        .prepare_cached(
            "DELETE FROM queue_moves WHERE id = ?1 AND claim = ?2 AND claimed = 1 AND next_body IS NULL",
        )?
        .execute([id, claim])?;
    if gone == 1 {
        return Ok(Acked::Gone);
    }
    let again = db
        .prepare_cached(
            "UPDATE queue_moves SET body = next_body, ready_at = next_due, enqueued_at = next_enqueued_at,
                 claimed = 0, deliveries = 0,
                 trace = next_trace, next_trace = NULL,
                 next_body = NULL, next_due = NULL, next_enqueued_at = NULL, next_latest = 0
             WHERE id = ?1 AND claim = ?2 AND claimed = 1",
        )?
        .execute([id, claim])?;
    Ok(if again == 1 { Acked::RunsAgain } else { Acked::LeaseLost })
}

pub(crate) fn delay(
    db: &Connection,
    row: RowClaim,
    due: Timestamp,
    (body, trace): (Option<&str>, Option<&str>),
) -> rusqlite::Result<Delayed> {
    let RowClaim { id, claim } = row;
    let held = db
        .prepare_cached(&format!("{ROW} WHERE id = ?1 AND claim = ?2 AND claimed = 1"))?
        .query_row([id, claim], Row::read)
        .optional()?;
    let Some(Row { waits, next, .. }) = held else { return Ok(Delayed::LeaseLost) };
    let given_back = Moments { due, ..waits };
    let Moments { due, owed_since } =
        next.map_or(given_back, |(next, collapse)| collapse.both(given_back, next));
    db.prepare_cached(
        "UPDATE queue_moves SET body = coalesce(next_body, ?2, body), ready_at = ?3, enqueued_at = ?4,
             claimed = 0, deliveries = iif(next_body IS NULL AND ?2 IS NULL, deliveries, 0),
             trace = CASE WHEN next_body IS NOT NULL THEN next_trace WHEN ?2 IS NOT NULL THEN ?5 ELSE trace END,
             next_trace = NULL,
             next_body = NULL, next_due = NULL, next_enqueued_at = NULL, next_latest = 0
         WHERE id = ?1",
    )?
    .execute(params![id, body, due.as_microsecond(), owed_since.as_microsecond(), trace])?;
    Ok(if body.is_some() { Delayed::Anew } else { Delayed::Same })
}

pub(crate) fn extend(db: &Connection, row: RowClaim, until: Timestamp) -> rusqlite::Result<Hold> {
    let RowClaim { id, claim } = row;
    let changed = db
        .prepare_cached("UPDATE queue_moves SET ready_at = ?3 WHERE id = ?1 AND claim = ?2 AND claimed = 1")?
        .execute([id, claim, until.as_microsecond()])?;
    Ok(hold(changed))
}

/// Those that end later than `after` end now.
pub(crate) fn release_claims(
    db: &Connection,
    queue: &str,
    now: Timestamp,
    after: Timestamp,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE queue_moves SET ready_at = ?2 WHERE queue = ?1 AND claimed = 1 AND ready_at > ?3",
    )?
    .execute(params![queue, now.as_microsecond(), after.as_microsecond()])
}

/// What waits for a moment after `far` is due now, but for keys that end so.
pub(crate) fn bring_near(
    db: &Connection,
    queue: &str,
    (now, far): (Timestamp, Timestamp),
    but: &str,
) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "UPDATE queue_moves SET ready_at = ?2 WHERE queue = ?1 AND claimed = 0 AND ready_at > ?3
             AND substr(key, -length(?4)) <> ?4",
    )?
    .execute(params![queue, now.as_microsecond(), far.as_microsecond(), but])
}

fn hold(changed: usize) -> Hold {
    if changed == 1 { Hold::Kept } else { Hold::Lost }
}

pub(crate) fn depth(db: &Connection, queue: &str, now: Timestamp) -> rusqlite::Result<Depth> {
    db.prepare_cached(
        "SELECT count(*) FILTER (WHERE ready_at <= ?2),
                count(*) FILTER (WHERE ready_at > ?2 AND claimed = 0),
                count(*) FILTER (WHERE ready_at > ?2 AND claimed = 1),
                (SELECT count(*) FROM queue_dead WHERE queue = ?1),
                min(ready_at) FILTER (WHERE ready_at <= ?2)
         FROM queue_moves WHERE queue = ?1",
    )?
    .query_row(params![queue, now.as_microsecond()], |row| {
        let count = |column| row.get(column).map(|count: i64| u64::try_from(count).unwrap_or(0));
        let at = |column| row.get::<_, Option<i64>>(column)?.map(|at| moment(column, at)).transpose();
        Ok(Depth {
            ready: count(0)?,
            waiting: count(1)?,
            claimed: count(2)?,
            dead: count(3)?,
            oldest_ready: at(4)?,
        })
    })
}

pub(crate) fn owed_since(db: &Connection, queue: &str) -> rusqlite::Result<Option<Timestamp>> {
    let since: Option<i64> = db
        .prepare_cached(
            "SELECT min(min(enqueued_at, coalesce(next_enqueued_at, enqueued_at))) FROM queue_moves WHERE queue = ?1",
        )?
        .query_row([queue], |row| row.get(0))?;
    since.map(|at| moment(0, at)).transpose()
}

pub(crate) fn next_due(db: &Connection, queue: &str) -> rusqlite::Result<Option<Timestamp>> {
    let next: Option<i64> = db
        .prepare_cached("SELECT min(ready_at) FROM queue_moves WHERE queue = ?1")?
        .query_row([queue], |row| row.get(0))?;
    next.map(|at| moment(0, at)).transpose()
}

pub(crate) fn moment(column: usize, microseconds: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}
