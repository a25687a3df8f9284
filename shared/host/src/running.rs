//! Which parts run on a store at this moment. Each process holds a shared lock on a file for each of its parts, and the
//! operating system takes the lock back however the process ends. Who finds himself alone holds it for himself at first.
//!
//! Never here: who may do what. Two processes may run the same part.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::Part;

/// Held while the parts run.
#[derive(Debug)]
pub struct Running {
    _locks: Vec<File>,
}

/// Held before the parts run. As long as it is held, no other process comes further with a part that nobody ran.
#[derive(Debug)]
pub struct Entering {
    locks: Vec<(Part, File, Company)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    /// The lock is held for this process only.
    Alone,
    /// Others run the part.
    Others,
}

impl Entering {
    /// The parts are entered in one order by everybody, so that nobody waits in a circle.
    ///
    /// # Errors
    /// The files cannot be made, or the file system knows no locks.
    pub fn begin(data: &Path, parts: &[Part]) -> io::Result<Self> {
        let mut locks = Vec::new();
        for part in Part::ALL.into_iter().filter(|part| parts.contains(part)) {
            let file = open(&path(data, part))?;
            let company = enter(&file)?;
            locks.push((part, file, company));
        }
        Ok(Self { locks })
    }

    /// Whether no other process runs this part, or begins to before [`Entering::finish`].
    #[must_use]
    pub fn is_alone(&self, part: Part) -> bool {
        self.locks.iter().any(|(one, _, company)| *one == part && *company == Company::Alone)
    }

    /// # Errors
    /// The file system knows no locks that are shared.
    pub fn finish(self) -> io::Result<Running> {
        let mut locks = Vec::new();
        for (_, file, company) in self.locks {
            if company == Company::Alone {
                // Another may come in between, and finds the part not running, which is true.
                file.unlock()?;
                file.lock_shared()?;
            }
            locks.push(file);
        }
        Ok(Running { _locks: locks })
    }
}

impl Running {
    /// # Errors
    /// The files cannot be made, or the file system knows no locks.
    pub fn enter(data: &Path, parts: &[Part]) -> io::Result<Self> {
        Entering::begin(data, parts)?.finish()
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

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Whoever only asks whether the part runs holds the lock for a moment: one refusal proves no company.
fn enter(file: &File) -> io::Result<Company> {
    const TRIES: u32 = 4;
    const PAUSE: Duration = Duration::from_millis(5);
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Company::Alone),
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    file.lock_shared()?;
    Ok(Company::Others)
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

    #[test]
    fn only_one_who_enters_is_alone_and_the_next_waits_until_he_has_entered() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_owned();
        let first = Entering::begin(&data, &[Part::Remediate]).unwrap();
        assert!(first.is_alone(Part::Remediate) && !first.is_alone(Part::Assess));
        let second = std::thread::spawn(move || {
            let second = Entering::begin(&data, &[Part::Assess, Part::Remediate]).unwrap();
            (second.is_alone(Part::Assess), second.is_alone(Part::Remediate))
        });
        sleep(Duration::from_millis(60));
        assert!(!second.is_finished(), "he would take over what the first has just claimed");
        let running = first.finish().unwrap();
        assert_eq!(second.join().unwrap(), (true, false));
        drop(running);
        let third = Entering::begin(folder.path(), &[Part::Remediate]).unwrap();
        assert!(third.is_alone(Part::Remediate));
    }
}
