//! The policy file on disk: loading it is validating it, and a changed one is taken only when it is valid.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use model::NoticeKind;
use policy::Policy;
use responder::{Notices, PolicyInForce, Trouble};
use tokio::sync::watch;

/// Every problem that was found, one a line, with file, line and column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("failed to load the policy:\n{}", problems.join("\n"))]
pub struct InvalidPolicy {
    pub problems: Vec<String>,
}

/// Reads, parses and tests the policy. `guestlist validate`, start-up and the watch all call this.
///
/// # Errors
/// The file or a list cannot be read, is not valid, or one of its own tests fails.
pub fn load_policy(path: &Path) -> Result<Policy, InvalidPolicy> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| InvalidPolicy { problems: vec![format!("cannot read `{name}`: {error}")] })?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut list = |relative: &str| {
        let path = folder.join(relative);
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    };
    load_text(&text, &name, &mut list)
}

/// A list of the policy, or why it cannot be read.
pub(crate) type ReadList<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// As [`load_policy`], wherever the text comes from.
pub(crate) fn load_text(text: &str, name: &str, list: &mut ReadList<'_>) -> Result<Policy, InvalidPolicy> {
    let mut list = |relative: &str| list(relative);
    let policy = policy::parse(text, name, &mut list).map_err(|problems| InvalidPolicy {
        problems: problems.0.iter().map(ToString::to_string).collect(),
    })?;
    let problems: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(policy) } else { Err(InvalidPolicy { problems }) }
}

/// Watches the policy file and its lists.
#[derive(Debug)]
pub struct PolicyFile {
    pub path: PathBuf,
    pub current: watch::Sender<Arc<Policy>>,
    pub notices: Notices,
    /// The problems that people were last told.
    pub told: Option<InvalidPolicy>,
    /// Whether what lies there is not what is in force, for whoever monitors this process.
    pub refused: watch::Sender<bool>,
    /// Where this process judges: it says by what.
    pub in_force: Option<PolicyInForce>,
}

impl PolicyFile {
    /// Takes a changed file when it is valid; else the one before stays in force and people are told why. What is in force
    /// is applied to everybody.
    ///
    /// # Errors
    /// People could not be told, or the ledger is in trouble. The next look tries again.
    pub async fn look(&mut self) -> Result<(), Trouble> {
        let told = self.take().await;
        if let Some(in_force) = &self.in_force {
            in_force.look().await?;
        }
        told
    }

    async fn take(&mut self) -> Result<(), Trouble> {
        let changed_at = changed_at(&self.path).to_string();
        let before = self.current.borrow().hash().to_owned();
        match load_policy(&self.path) {
            Ok(policy) => {
                self.refused.send_replace(false);
                let mended = self.told.take().is_some();
                let hash = policy.hash().to_owned();
                if hash == before && !mended {
                    return Ok(());
                }
                self.current.send_replace(Arc::new(policy));
                let source = self.source(&changed_at);
                source.tell_taken(&self.notices, &before, &hash, "is valid again").await
            }
            Err(invalid) => {
                self.refused.send_replace(true);
                if self.told.as_ref() == Some(&invalid) {
                    return Ok(());
                }
                self.told = Some(invalid.clone());
                self.source(&changed_at).tell_refused(&self.notices, &before, &invalid).await
            }
        }
    }

    fn source<'a>(&self, changed_at: &'a str) -> PolicySource<'a> {
        PolicySource { what: "policy file", version: changed_at }
    }
}

/// Where a policy comes from, as people read it, and which state of that it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PolicySource<'a> {
    pub(crate) what: &'static str,
    /// Several processes watch one source, and people are told each change of it once.
    pub(crate) version: &'a str,
}

impl PolicySource<'_> {
    /// The same policy as before could not be taken in between, and `again` is what it is.
    pub(crate) async fn tell_taken(
        self,
        notices: &Notices,
        before: &str,
        hash: &str,
        again: &str,
    ) -> Result<(), Trouble> {
        let Self { what, version } = self;
        let text = if hash == before {
            format!("the {what} {again}; it is the policy `{hash}`, which stayed in force")
        } else {
            format!("the policy `{hash}` is in force; before it was `{before}`")
        };
        let key = format!("policy-taken/{before}/{hash}/{version}");
        notices.raise(NoticeKind::PolicyTaken, &key, text, 1).await
    }

    pub(crate) async fn tell_refused(
        self,
        notices: &Notices,
        in_force: &str,
        invalid: &InvalidPolicy,
    ) -> Result<(), Trouble> {
        let Self { what, version } = self;
        let problems = invalid.problems.join("\n");
        let text = format!(
            "the changed {what} is not valid, and the policy `{in_force}` stays in force:\n{problems}"
        );
        let key = format!("policy-refused/{:016x}/{version}", digest(invalid));
        notices.raise(NoticeKind::PolicyRefused, &key, text, 1).await
    }

    /// `reason` is the same as long as it is told once, and `why` says it, with what mends it.
    pub(crate) async fn tell_unread(
        self,
        notices: &Notices,
        in_force: &str,
        reason: &str,
        why: &str,
    ) -> Result<(), Trouble> {
        let Self { what, version: _ } = self;
        let text = format!("the {what} cannot be read, and the policy `{in_force}` stays in force:\n{why}");
        // Of what cannot be read nobody knows the version.
        let key = format!("policy-refused/{:016x}/{in_force}", digest(reason));
        notices.raise(NoticeKind::PolicyRefused, &key, text, 1).await
    }
}

fn digest<T: Hash + ?Sized>(reason: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    reason.hash(&mut hasher);
    hasher.finish()
}

/// Milliseconds since 1970. A file that is not there has changed at no moment.
fn changed_at(path: &Path) -> u128 {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_millis())
}
