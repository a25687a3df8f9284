//! A measurement, not a test of time: `cargo test --release -p guestlist-embedded --test throughput -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use guestlist_embedded::Database;

const TASKS: usize = 64;
const EACH: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn writes_of_700_bytes_by_64_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("guestlist.db")).unwrap();
    database
        .migrate("rows", &["CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT"])
        .unwrap();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(write_some(database.clone()))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = begun.elapsed();
    let rows: i64 =
        database.read(|db| db.query_row("SELECT count(*) FROM rows", [], |row| row.get(0))).await.unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), TASKS * EACH);
    times.sort_unstable();
    let per_second = f64::from(u32::try_from(TASKS * EACH).unwrap()) / took.as_secs_f64();
    let at = |share: usize| times[times.len() * share / 100];
    println!("{per_second:.0} writes/s, p50 {:?}, p99 {:?}", at(50), at(99));
}

async fn write_some(database: Database) -> Vec<Duration> {
    let mut times = Vec::with_capacity(EACH);
    for _ in 0..EACH {
        let begun = Instant::now();
        let body = "x".repeat(700);
        database
            .write(move |db| db.prepare_cached("INSERT INTO rows (body) VALUES (?1)")?.execute([body]))
            .await
            .unwrap();
        times.push(begun.elapsed());
    }
    times
}
