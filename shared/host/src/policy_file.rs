//! The policy file on disk: loading it is validating it, and a changed one is taken only when it is valid.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::NoticeKind;
use policy::Policy;
use responder::{Notices, Trouble};
use tokio::sync::watch;

/// Reads, parses and tests the policy. `guestlist validate`, start-up and the watch all call this.
///
/// # Errors
/// Every problem that was found, one a line, with file, line and column.
pub fn load_policy(path: &Path) -> Result<Policy, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut list = |relative: &str| {
        let path = folder.join(relative);
        std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
    };
    let policy = policy::parse(&text, &name, &mut list).map_err(|problems| problems.to_string())?;
    let failures: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    if failures.is_empty() { Ok(policy) } else { Err(failures.join("\n")) }
}

/// Watches the policy file and its lists.
#[derive(Debug)]
pub struct PolicyFile {
    pub path: PathBuf,
    pub current: watch::Sender<Arc<Policy>>,
    pub notices: Notices,
    /// The problems that people were last told.
    pub told: Option<String>,
}

impl PolicyFile {
    /// Takes a changed file when it is valid; else the one before stays in force and people are told why.
    ///
    /// # Errors
    /// People could not be told.
    pub async fn look(&mut self) -> Result<(), Trouble> {
        match load_policy(&self.path) {
            Ok(policy) => {
                self.told = None;
                let before = self.current.borrow().hash().to_owned();
                if policy.hash() == before {
                    return Ok(());
                }
                let text = format!("the policy `{}` is in force; before it was `{before}`", policy.hash());
                let key = format!("policy-taken/{}", policy.hash());
                self.current.send_replace(Arc::new(policy));
                self.notices.raise(NoticeKind::PolicyTaken, &key, text, 1).await
            }
            Err(problems) => {
                if self.told.as_ref() == Some(&problems) {
                    return Ok(());
                }
                let text = format!(
                    "the changed policy file is not valid, and the policy `{}` stays in force:\n{problems}",
                    self.current.borrow().hash()
                );
                self.told = Some(problems);
                self.notices.raise(NoticeKind::PolicyRefused, "policy-refused", text, 1).await
            }
        }
    }
}
