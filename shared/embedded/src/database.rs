//! The handle on the store. It hands work to the threads that own the connections, so that no async thread ever waits
//! for a disk. A store in memory has no threads: its work is done at once, in the order in which it is asked for, so
//! that a seeded run replays exactly.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::connection::{self, Purpose};
use crate::task::{Job, Task};
use crate::{Pause, StoreError, migration, threads};

const READERS: usize = 2;

/// One SQLite file, or one private database in memory. Clones share it; the last one to go closes it.
///
/// Several processes may have the same file open.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
    pause: Option<Pause>,
}

struct Shared {
    path: PathBuf,
    backing: Mutex<Option<Backing>>,
}

enum Backing {
    File { writer: Sender<Box<dyn Task>>, readers: Sender<Box<dyn Task>>, threads: Vec<JoinHandle<()>> },
    Memory(Connection),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Write,
    Read,
}

impl Database {
    /// Opens the file, and makes it (mode 0600) where there is none. Its folder must exist, on a local disk.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Absolute, so that a change of directory does not matter, and no name has a special meaning for SQLite.
        let path = std::path::absolute(path).map_err(|error| StoreError::unopened(path, &error))?;
        connection::create(&path)?;
        let (writer, writes) = mpsc::channel();
        let (readers, reads) = mpsc::channel();
        let reads = Arc::new(Mutex::new(reads));
        let writing = connection::open(&path, Purpose::Write)?;
        let mut reading = Vec::new();
        for _ in 0..READERS {
            reading.push(connection::open(&path, Purpose::Read)?);
        }
        let here = path.clone();
        let mut threads =
            vec![spawn("store-writer", &path, move || threads::write_all(writing, &here, &writes))?];
        for connection in reading {
            let (here, reads) = (path.clone(), Arc::clone(&reads));
            threads.push(spawn("store-reader", &path, move || threads::read_all(connection, &here, &reads))?);
        }
        Ok(Self::from_backing(path, Backing::File { writer, readers, threads }))
    }

    /// A database of its own that ends with its last handle.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = connection::in_memory()?;
        Ok(Self::from_backing(PathBuf::from(":memory:"), Backing::Memory(connection)))
    }

    fn from_backing(path: PathBuf, backing: Backing) -> Self {
        Self { shared: Arc::new(Shared { path, backing: Mutex::new(Some(backing)) }), pause: None }
    }

    /// A handle on the same store that pauses around each piece of work: a seeded run lets others come in between there, or
    /// lets its process die.
    #[must_use]
    pub fn pausing(&self, pause: Pause) -> Self {
        Self { shared: Arc::clone(&self.shared), pause: Some(pause) }
    }

    /// The file, or `:memory:`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Brings the tables of a part up to date: each step is run once in the life of a file, all of them or none.
    /// Blocks its thread, for use at start.
    ///
    /// # Errors
    /// [`StoreError::Newer`] where the file has seen more steps than these.
    pub fn migrate(&self, part: &'static str, steps: &'static [&'static str]) -> Result<(), StoreError> {
        let (tell, answer) = mpsc::sync_channel(1);
        let job = Job::boxed(
            move |connection: &Connection| migration::advance(connection, part, steps),
            move |result| drop(tell.send(result)),
        );
        self.shared.submit(Kind::Write, job)?;
        let advanced = answer.recv().map_err(|_| StoreError::Closed)??;
        advanced.map_err(|found| {
            let path = self.shared.path.clone();
            StoreError::Newer { path, part, found, known: steps.len() }
        })
    }

    /// Runs the work in a transaction and answers when it is durable. An error of the work takes back all that it
    /// wrote, and nothing else: writes that wait at the same time share a commit, each in a savepoint of its own.
    ///
    /// A future that is dropped once it was polled does not take the write back.
    pub async fn write<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.ask(Kind::Write, work).await
    }

    /// Runs the work on a snapshot that holds everything that was answered before. The work cannot write.
    pub async fn read<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.ask(Kind::Read, work).await
    }

    /// Finishes what was asked for, folds the log into the file and closes it. Other handles then get
    /// [`StoreError::Closed`].
    pub fn close(self) {
        self.shared.close();
    }

    async fn ask<T, W>(&self, kind: Kind, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (tell, answer) = oneshot::channel();
        self.take_a_pause().await;
        // Nobody may be waiting any more.
        self.shared.submit(kind, Job::boxed(work, move |result| drop(tell.send(result))))?;
        let answered = answer.await.map_err(|_| StoreError::Closed)?;
        self.take_a_pause().await;
        answered
    }

    async fn take_a_pause(&self) {
        if let Some(pause) = &self.pause {
            pause().await;
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn submit(&self, kind: Kind, task: Box<dyn Task>) -> Result<(), StoreError> {
        let backing = self.backing.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*backing, kind) {
            (None, Kind::Write | Kind::Read) => Err(StoreError::Closed),
            (Some(Backing::File { writer, .. }), Kind::Write) => {
                writer.send(task).map_err(|_| StoreError::Closed)
            }
            (Some(Backing::File { readers, .. }), Kind::Read) => {
                readers.send(task).map_err(|_| StoreError::Closed)
            }
            (Some(Backing::Memory(connection)), Kind::Write) => {
                threads::commit(connection, &self.path, vec![task]);
                Ok(())
            }
            (Some(Backing::Memory(connection)), Kind::Read) => {
                threads::read_here(connection, &self.path, task);
                Ok(())
            }
        }
    }

    fn close(&self) {
        let backing = self.backing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Backing::File { writer, readers, threads }) = backing else {
            return;
        };
        drop((writer, readers));
        for thread in threads {
            // The last handle may have been dropped by a piece of work, on the very thread that would be waited for.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!(store.path = %self.path.display(), "a thread of the store panicked");
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

fn spawn(
    name: &str,
    path: &Path,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| StoreError::other(path, format!("no thread could be started for it: {error}")))
}
