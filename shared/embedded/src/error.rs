//! What can go wrong with the store, told by what a caller or an operator has to do about it.

#[cfg(feature = "sqlite")]
use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "sqlite")]
use rusqlite::ErrorCode;

/// Each message names the file and the way out. An error says that nothing of the write was kept, with one exception:
/// after a failed flush ([`StoreError::Other`]) it is unknown, so the work must bear being done twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("write the store `{}`: the disk is full; make room there and try again", path.display())]
    Full { path: PathBuf },
    #[error(
        "lock the store `{}`: another process held it all the time; end that process if it hangs, and try again",
        path.display()
    )]
    Busy { path: PathBuf },
    #[error(
        "read the store `{}`: it is damaged or no store at all ({why}); restore a backup, or move it away to begin anew",
        path.display()
    )]
    Corrupt { path: PathBuf, why: String },
    #[error(
        "open the store `{}`: a newer Guestlist has written it (`{part}` is at version {found}, this one knows {known}); \
         run the newer Guestlist",
        path.display()
    )]
    Newer { path: PathBuf, part: &'static str, found: usize, known: usize },
    #[error(
        "open the store `{}`: {why}; check that its folder exists, lies on a local disk, and can be written by this user",
        path.display()
    )]
    Unopened { path: PathBuf, why: String },
    #[error("reach the store: it was closed; open it again")]
    Closed,
    #[error("use the store `{}`: {why}; the log of the system may say more", path.display())]
    Other { path: PathBuf, why: String },
}

#[cfg(not(feature = "sqlite"))]
impl StoreError {
    pub(crate) fn absent(path: &Path) -> Self {
        let why = "this program was built without the embedded store, with no feature `sqlite`".to_owned();
        Self::Other { path: path.to_owned(), why }
    }
}

#[cfg(feature = "sqlite")]
impl StoreError {
    pub(crate) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let why = error.to_string();
        if error
            .sqlite_error()
            .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
        {
            // How a full disk shows when the memory that the processes share would have to grow.
            return Self::Full { path };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, why },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Unopened { path, why }
            }
            // The codes are SQLite's, not ours: whatever else there is has no better fix to name.
            Some(_) | None => Self::Other { path, why },
        }
    }

    pub(crate) fn unopened(path: &Path, error: &io::Error) -> Self {
        Self::Unopened { path: path.to_owned(), why: error.to_string() }
    }

    pub(crate) fn other(path: &Path, why: impl Into<String>) -> Self {
        Self::Other { path: path.to_owned(), why: why.into() }
    }
}
