//! A table of each test's own, and short words for what is written into it.

use std::time::Duration;

use guestlist_dynamo::{Due, Expect, Item, Key, Range, Table, TableError, Write};

/// Far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn table() -> Table {
    named(emulator::address(), &emulator::create_table())
}

pub(crate) fn named(address: &str, name: &str) -> Table {
    Table::new(&emulator::config(address), name, PATIENCE)
}

pub(crate) fn key(sort: &str) -> Key {
    Key { partition: "note".to_owned(), sort: sort.to_owned() }
}

pub(crate) fn put(sort: &str, expect: Expect, body: &str) -> Write {
    let body = body.to_owned();
    Write::Put { key: key(sort), expect, fresh: 10, due: None, expires: None, body }
}

pub(crate) fn put_due(sort: &str, expect: Expect, at: i64) -> Write {
    let due = Some(Due { class: "notes".to_owned(), at });
    Write::Put { key: key(sort), expect, fresh: 10, due, expires: None, body: at.to_string() }
}

pub(crate) fn delete(sort: &str, expect: Expect) -> Write {
    Write::Delete { key: key(sort), expect }
}

pub(crate) fn range(prefix: &str, after: Option<&str>, limit: usize) -> Range {
    let after = after.map(str::to_owned);
    Range { partition: "note".to_owned(), prefix: prefix.to_owned(), after, limit }
}

pub(crate) fn sorts(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.key.sort.as_str()).collect()
}

/// The version and the body there.
pub(crate) async fn found(table: &Table, sort: &str) -> Option<(u64, String)> {
    table.get(&key(sort)).await.unwrap().map(|item| (item.version, item.body))
}

#[track_caller]
pub(crate) fn expect_conflict(written: Result<Vec<Option<u64>>, TableError>, sort: &str) {
    assert_eq!(written, Err(TableError::Conflict { key: key(sort) }));
}
