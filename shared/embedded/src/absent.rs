//! What stands for the store in a program that was built without one. Nobody can have a [`Database`], so that whatever would be done
//! with one needs no code.

use std::path::Path;

use rusqlite::Connection;

use crate::{Pause, StoreError};

/// There is none.
#[derive(Debug, Clone)]
pub struct Database(Never);

#[derive(Debug, Clone)]
enum Never {}

impl Database {
    /// # Errors
    /// Always.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Err(StoreError::absent(path))
    }

    /// # Errors
    /// Always.
    pub fn in_memory() -> Result<Self, StoreError> {
        Err(StoreError::absent(Path::new(":memory:")))
    }

    #[must_use]
    pub fn pausing(&self, _pause: Pause) -> Self {
        match self.0 {}
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        match self.0 {}
    }

    /// # Errors
    /// None: nobody can ask.
    pub fn migrate(&self, _part: &'static str, _steps: &'static [&'static str]) -> Result<(), StoreError> {
        match self.0 {}
    }

    /// # Errors
    /// None: nobody can ask.
    pub async fn write<T, W>(&self, _work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match self.0 {}
    }

    /// # Errors
    /// None: nobody can ask.
    pub async fn read<T, W>(&self, _work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match self.0 {}
    }

    pub fn close(self) {
        match self.0 {}
    }
}
