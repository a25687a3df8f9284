//! How many writes of 700 bytes the embedded store makes durable in a second, each awaited until it is.

use std::time::{Duration, Instant};

use embedded::Database;

const TASKS: usize = 64;
const EACH: usize = 1_000;

pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let database = Database::open(&folder.path().join("guestlist.db"))?;
    let table = "CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT";
    database.migrate("rows", Box::leak(Box::new([table])))?;
    let began = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(write_some(database.clone()))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let took = began.elapsed();
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100];
    println!(
        "{:.0} writes/s, p50 {:?}, p99 {:?}",
        (TASKS * EACH) as f64 / took.as_secs_f64(),
        at(50),
        at(99)
    );
    Ok(())
}

async fn write_some(database: Database) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(EACH);
    for _ in 0..EACH {
        let (began, body) = (Instant::now(), "x".repeat(700));
        database
            .write(move |db| db.prepare_cached("INSERT INTO rows (body) VALUES (?1)")?.execute([body]))
            .await?;
        times.push(began.elapsed());
    }
    Ok(times)
}
