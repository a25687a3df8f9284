//! Which parts run on a store at this moment. Each process holds a shared lock on a file for each of its parts, and the
//! operating system takes the lock back however the process ends.
//!
//! Never here: who may do what. Two processes may run the same part.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::Part;

/// Held while the parts run.
#[derive(Debug)]
pub struct Running {
    _locks: Vec<File>,
}

impl Running {
    /// # Errors
    /// The files cannot be made, or the file system knows no locks.
    pub fn enter(data: &Path, parts: &[Part]) -> io::Result<Self> {
        let locks = parts.iter().map(|part| hold(&path(data, *part))).collect::<io::Result<_>>()?;
        Ok(Self { _locks: locks })
    }
}

/// Whether a process runs this part on the store in that folder.
///
/// # Errors
/// The lock can neither be tried nor is it free.
pub fn is_running(data: &Path, part: Part) -> io::Result<bool> {
    let file = match File::open(path(data, part)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn path(data: &Path, part: Part) -> PathBuf {
    data.join(format!("{}.running", part.word()))
}

fn hold(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    // Whoever asks holds it for a moment only.
    file.lock_shared()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_runs_as_long_as_somebody_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert!(!is_running(data, Part::Assess).unwrap());
        let one = Running::enter(data, &[Part::Assess, Part::Alert]).unwrap();
        let two = Running::enter(data, &[Part::Assess]).unwrap();
        drop(one);
        assert!(is_running(data, Part::Assess).unwrap());
        assert!(!is_running(data, Part::Alert).unwrap());
        drop(two);
        assert!(!is_running(data, Part::Assess).unwrap());
    }
}
