//! The rules of the store: what a write may count on, beside other writes, other handles and a full disk.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use guestlist_embedded::rusqlite::{self, Connection};
use guestlist_embedded::{Database, StoreError};
use tempfile::TempDir;

const NOTES: &[&str] = &["CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"];

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guestlist.db");
    (folder, path)
}

fn open(path: &Path) -> Database {
    let database = Database::open(path).unwrap();
    database.migrate("notes", NOTES).unwrap();
    database
}

fn add(id: i64, text: &str) -> impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send + 'static {
    let text = text.to_owned();
    move |connection| connection.execute("INSERT INTO notes (id, text) VALUES (?1, ?2)", (id, text))
}

async fn count(database: &Database) -> i64 {
    database.read(|db| db.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))).await.unwrap()
}

/// Both kinds of store keep the same rules.
fn both() -> (TempDir, Vec<Database>) {
    let (folder, path) = place();
    let memory = Database::in_memory().unwrap();
    memory.migrate("notes", NOTES).unwrap();
    (folder, vec![open(&path), memory])
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let (_folder, path) = place();
    let database = open(&path);
    database.write(add(1, "kept")).await.unwrap();
    database.close();
    assert!(!path.with_extension("db-wal").exists(), "the log is folded in");
    assert_eq!(count(&open(&path)).await, 1);
}

#[tokio::test]
async fn a_read_sees_every_write_that_was_answered() {
    let (_folder, stores) = both();
    for database in stores {
        for id in 0..50 {
            database.write(add(id, "seen")).await.unwrap();
            assert_eq!(count(&database).await, id + 1);
        }
    }
}

#[tokio::test]
async fn an_error_takes_back_all_that_its_own_write_did() {
    let (_folder, stores) = both();
    for database in stores {
        let failed: Result<(), _> = database
            .write(|db| {
                add(1, "half")(db)?;
                db.execute("INSERT INTO nowhere VALUES (1)", []).map(|_| ())
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Other { .. })), "{failed:?}");
        assert_eq!(count(&database).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_that_share_a_commit_fail_one_by_one() {
    let (_folder, path) = place();
    let database = open(&path);
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let database = database.clone();
            // Every fourth id is taken twice: one of the two must fail, and no other.
            tokio::spawn(async move { database.write(add(n - n % 4 / 3, "shared")).await.is_ok() })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        kept += i64::from(task.await.unwrap());
    }
    assert_eq!(kept, 300);
    assert_eq!(count(&database).await, 300);
}

#[tokio::test]
async fn a_panic_in_one_write_is_an_error_of_that_write_alone() {
    let (_folder, stores) = both();
    for database in stores {
        let panicked = database
            .write(|db| {
                add(1, "half")(db)?;
                if count_now(db)? == 1 {
                    panic!("one row is one too many");
                }
                Ok(())
            })
            .await;
        let message = panicked.unwrap_err().to_string();
        assert!(message.contains("the work panicked: one row is one too many"), "{message}");
        let panicked: Result<(), _> = database.read(|_| panic!("while reading")).await;
        assert!(panicked.unwrap_err().to_string().contains("while reading"));
        database.write(add(1, "after")).await.unwrap();
        assert_eq!(count(&database).await, 1);
    }
}

fn count_now(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
}

#[tokio::test]
async fn a_read_cannot_write() {
    let (_folder, stores) = both();
    for database in stores {
        assert!(database.read(add(1, "smuggled")).await.is_err());
        database.write(add(1, "written")).await.unwrap();
        assert_eq!(count(&database).await, 1);
    }
}

#[tokio::test]
async fn a_reader_is_not_blocked_by_the_writer() {
    let (_folder, path) = place();
    let database = open(&path);
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let writing = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |db| {
                    add(1, "slow")(db)?;
                    wait.recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    tokio::task::yield_now().await;
    // Were the reader to wait for the writer, nobody would ever release the writer.
    assert_eq!(count(&database).await, 0);
    release.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_nothing_is_half_written() {
    let (_folder, path) = place();
    let database = open(&path);
    database.write(add(0, "before")).await.unwrap();
    let limit = |pages: i64| move |db: &Connection| db.pragma_update(None, "max_page_count", pages);
    database.write(limit(20)).await.unwrap();
    let full = database
        .write(|db| {
            for id in 1..1000 {
                add(id, &"x".repeat(700))(db)?;
            }
            Ok(())
        })
        .await
        .unwrap_err();
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    assert!(full.to_string().contains("make room there"), "{full}");
    assert_eq!(count(&database).await, 1);
    database.write(limit(100_000)).await.unwrap();
    database.write(add(1, "there is room again")).await.unwrap();
    assert_eq!(count(&database).await, 2);
    let verdict: String =
        database.read(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get(0))).await.unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_answered_survives_a_full_disk_of_its_neighbours() {
    let (_folder, path) = place();
    let database = open(&path);
    database.write(|db| db.pragma_update(None, "max_page_count", 60)).await.unwrap();
    let tasks: Vec<_> = (0..600)
        .map(|id| {
            let database = database.clone();
            tokio::spawn(async move { database.write(add(id, &"x".repeat(700))).await })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => kept += 1,
            Err(error) => assert!(matches!(error, StoreError::Full { .. }), "{error:?}"),
        }
    }
    assert!(kept < 600);
    assert_eq!(count(&database).await, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_on_one_file_both_get_their_turn() {
    let (_folder, path) = place();
    let (first, second) = (open(&path), open(&path));
    let busy = Arc::new(AtomicBool::new(true));
    let writing = tokio::spawn({
        let (first, busy) = (first.clone(), Arc::clone(&busy));
        async move {
            let mut id = 0;
            while busy.load(Ordering::Relaxed) {
                id += 2;
                first.write(add(id, "first")).await.unwrap();
            }
            id / 2
        }
    });
    for id in 0..100 {
        second.write(add(id * 2 + 1, "second")).await.unwrap();
    }
    busy.store(false, Ordering::Relaxed);
    let written = writing.await.unwrap();
    assert_eq!(count(&second).await, 100 + written);
    assert_eq!(count(&first).await, 100 + written);
}

#[tokio::test]
async fn a_file_that_is_held_for_too_long_is_told_as_busy() {
    let (_folder, path) = place();
    let database = open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = database.write(add(1, "waits")).await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy { .. }), "{busy:?}");
    other.execute_batch("COMMIT").unwrap();
    database.write(add(1, "goes on")).await.unwrap();
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_folder, stores) = both();
    for database in stores {
        let other = database.clone();
        other.write(add(1, "before")).await.unwrap();
        database.close();
        assert_eq!(other.write(add(2, "after")).await, Err(StoreError::Closed));
        assert_eq!(other.migrate("notes", NOTES), Err(StoreError::Closed));
    }
}

#[tokio::test]
async fn work_that_was_asked_for_is_finished_before_the_store_closes() {
    let (_folder, path) = place();
    let database = open(&path);
    let tasks: Vec<_> = (0..100)
        .map(|id| {
            let database = database.clone();
            tokio::spawn(async move { database.write(add(id, "asked for")).await.is_ok() })
        })
        .collect();
    tokio::task::yield_now().await;
    database.close();
    let mut kept = 0;
    for task in tasks {
        kept += i64::from(task.await.unwrap());
    }
    assert!(kept > 0);
    assert_eq!(count(&open(&path)).await, kept);
}

#[tokio::test]
async fn each_step_runs_once_and_a_failed_one_leaves_nothing() {
    let (_folder, path) = place();
    let database = open(&path);
    database.migrate("notes", NOTES).unwrap();
    const BROKEN: &[&str] = &["CREATE TABLE half (id INTEGER)", "CREATE TABLE ("];
    assert!(database.migrate("other", BROKEN).is_err());
    let halves: i64 = database
        .read(|db| {
            db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
        })
        .await
        .unwrap();
    assert_eq!(halves, 0);
    const MORE: &[&str] = &[NOTES[0], "ALTER TABLE notes ADD COLUMN more TEXT"];
    database.migrate("notes", MORE).unwrap();
    database.migrate("notes", MORE).unwrap();
}

#[test]
fn a_file_that_a_newer_program_wrote_is_refused() {
    let (_folder, path) = place();
    const NEWER: &[&str] = &[NOTES[0], "CREATE TABLE more (id INTEGER)"];
    Database::open(&path).unwrap().migrate("notes", NEWER).unwrap();
    let newer = Database::open(&path).unwrap().migrate("notes", NOTES).unwrap_err();
    assert!(matches!(newer, StoreError::Newer { part: "notes", found: 2, known: 1, .. }), "{newer:?}");
    assert!(newer.to_string().ends_with("run the newer Guestlist"), "{newer}");
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let (folder, path) = place();
    let text = "dear diary, ".repeat(500);
    std::fs::write(&path, &text).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let error = Database::open(&folder.path().join("missing/guestlist.db")).unwrap_err();
    assert!(matches!(error, StoreError::Unopened { .. }), "{error:?}");
    assert!(error.to_string().contains("check that its folder exists"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, path) = place();
    let database = open(&path);
    database.write(add(1, "private")).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 3, "the file, its log, and the memory that processes share");
}

#[test]
fn a_store_can_be_dropped_by_its_own_work() {
    let (_folder, path) = place();
    let database = open(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let held = database.clone();
    let asked = async move {
        let write = database.write(move |_| {
            drop(held);
            Ok(())
        });
        write.await
    };
    runtime.block_on(asked).unwrap();
}

#[tokio::test]
async fn a_pausing_handle_pauses_before_and_after_its_work_and_another_does_not() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let plain = Database::in_memory().unwrap();
    plain.migrate("notes", NOTES).unwrap();
    let pauses = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pauses);
    let pausing = plain.pausing(Arc::new(move || {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        // The second pause never ends: a process that died after its write, and before it knew.
        Box::pin(async move {
            if !first {
                std::future::pending::<()>().await;
            }
        })
    }));
    let dies = tokio::time::timeout(std::time::Duration::ZERO, pausing.write(add(1, "once"))).await;
    assert!(dies.is_err(), "nobody heard of it");
    assert_eq!(pauses.load(Ordering::SeqCst), 2);
    let count = plain.read(|db| db.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)));
    assert_eq!(count.await.unwrap(), 1, "it was written all the same");
    assert_eq!(pauses.load(Ordering::SeqCst), 2);
}
