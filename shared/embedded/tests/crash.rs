//! A real process is killed at random moments while it writes. What it was told is durable is there afterwards.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guestlist_embedded::{Database, rusqlite};

const STORE: &str = "GUESTLIST_CRASH_STORE";
const FIRST: &str = "GUESTLIST_CRASH_FIRST";
const TABLE: &[&str] =
    &["CREATE TABLE pairs (id INTEGER NOT NULL, half INTEGER NOT NULL, PRIMARY KEY (id, half)) STRICT"];
const TASKS: i64 = 8;

/// Both halves of a pair, in two statements of one write.
async fn write_pair(database: &Database, id: i64) {
    let pair = move |db: &rusqlite::Connection| {
        for half in 0..2 {
            db.execute("INSERT INTO pairs (id, half) VALUES (?1, ?2)", (id, half))?;
        }
        Ok(())
    };
    database.write(pair).await.unwrap();
}

#[test]
#[ignore = "the child process that the other tests start"]
fn child() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let first: i64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let database = Database::open(Path::new(&path)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> =
            (0..TASKS).map(|task| tokio::spawn(write_for_ever(database.clone(), first + task))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(database: Database, first: i64) {
    let mut id = first;
    loop {
        write_pair(&database, id).await;
        // Past the test harness, which would hold it back; one call, so that a line is never cut by another task.
        std::io::stdout().lock().write_all(format!("\ndurable {id}\n").as_bytes()).unwrap();
        id += TASKS;
    }
}

fn start(path: &Path, first: i64) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(STORE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads until the child is gone; a last line that was cut off counts for nothing.
fn acknowledged(output: impl std::io::Read) -> BTreeSet<i64> {
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("durable ").and_then(|id| id.parse().ok())).collect()
}

fn stored(path: &Path) -> BTreeSet<i64> {
    let database = Database::open(path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (verdict, pairs) = runtime
        .block_on(database.read(|db| {
            let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            let mut rows = db.prepare("SELECT id, count(*) FROM pairs GROUP BY id")?;
            let pairs = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((verdict, pairs.collect::<Result<Vec<(i64, i64)>, _>>()?))
        }))
        .unwrap();
    assert_eq!(verdict, "ok");
    assert!(pairs.iter().all(|(_, halves)| *halves == 2), "no pair is torn");
    pairs.into_iter().map(|(id, _)| id).collect()
}

fn some_milliseconds() -> Duration {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    Duration::from_micros(u64::from(nanos / 1000 % 120_000))
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_it_was_told_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guestlist.db");
    Database::open(&path).unwrap().migrate("pairs", TABLE).unwrap();
    let mut promised = BTreeSet::new();
    for round in 0..12 {
        let mut child = start(&path, round * 1_000_000_000);
        let output = child.stdout.take().unwrap();
        let reading = thread::spawn(move || acknowledged(output));
        thread::sleep(Duration::from_millis(30) + some_milliseconds());
        child.kill().unwrap();
        child.wait().unwrap();
        promised.extend(reading.join().unwrap());
        let there = stored(&path);
        let lost: Vec<_> = promised.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
    }
    assert!(promised.len() > 100, "the child hardly wrote: {}", promised.len());
}

#[test]
fn a_second_process_gets_its_turn_beside_one_that_never_stops_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guestlist.db");
    let database = Database::open(&path).unwrap();
    database.migrate("pairs", TABLE).unwrap();
    let mut child = start(&path, 0);
    let output = child.stdout.take().unwrap();
    let reading = thread::spawn(move || acknowledged(output));
    thread::sleep(Duration::from_millis(100));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ours = -100..0;
    runtime.block_on(async {
        for id in ours.clone() {
            write_pair(&database, id).await;
        }
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let mut promised = reading.join().unwrap();
    assert!(!promised.is_empty());
    promised.extend(ours);
    assert!(promised.is_subset(&stored(&path)));
}
