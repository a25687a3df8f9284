//! One piece of work on its way to the thread that owns a connection, and its result on the way back.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use rusqlite::Connection;

use crate::StoreError;

pub(crate) trait Task: Send {
    /// Does the work and keeps its result. After an error, what it wrote must be taken back.
    fn run(&mut self, connection: &Connection, path: &Path) -> Result<(), StoreError>;

    /// Hands over the result, unless something befell the whole transaction.
    fn answer(self: Box<Self>, fate: Result<(), StoreError>);
}

pub(crate) struct Job<T, W, A> {
    work: Option<W>,
    /// Of work that was run.
    result: Option<Result<T, StoreError>>,
    tell: A,
}

impl<T, W, A> Job<T, W, A>
where
    T: Send + 'static,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    A: FnOnce(Result<T, StoreError>) + Send + 'static,
{
    pub(crate) fn boxed(work: W, tell: A) -> Box<dyn Task> {
        Box::new(Self { work: Some(work), result: None, tell })
    }
}

impl<T, W, A> Task for Job<T, W, A>
where
    T: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    A: FnOnce(Result<T, StoreError>) + Send,
{
    fn run(&mut self, connection: &Connection, path: &Path) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else {
            return Err(StoreError::Closed);
        };
        // One caller's mistake must not take down the thread that everybody needs.
        let result = match panic::catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(result) => result.map_err(|error| StoreError::of(path, &error)),
            Err(panic) => Err(StoreError::other(path, format!("the work panicked: {}", words(&*panic)))),
        };
        let kept = result.as_ref().map(|_| ()).map_err(Clone::clone);
        self.result = Some(result);
        kept
    }

    fn answer(self: Box<Self>, fate: Result<(), StoreError>) {
        let Self { work: _, result, tell } = *self;
        tell(match (result, fate) {
            // Its own error says more than what became of the others.
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(_)) | None, Err(fate)) => Err(fate),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed),
        });
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
