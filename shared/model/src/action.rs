//! What can be done about a finding. A new remediation starts here: a variant of [`Action`] and of [`Step`], and the
//! compiler then asks for its summary, its permissions and its undo.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ObjectId;

/// A Microsoft Graph application permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(pub &'static str);

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a rule says under `then`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Disable,
    Notify,
}

impl Action {
    pub const ALL: [Self; 2] = [Self::Disable, Self::Notify];

    /// The word in the policy file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Notify => "notify",
        }
    }

    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Disable => "block the guest's sign-in (`accountEnabled: false`)",
            Self::Notify => "tell people, and nothing else",
        }
    }

    /// What the app that writes needs: to write, to read back, and to see whether the guest is protected
    /// (<https://learn.microsoft.com/graph/api/user-update>,
    /// <https://learn.microsoft.com/graph/api/user-list-transitivememberof>).
    #[must_use]
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Disable => &[
                Permission("User.EnableDisableAccount.All"),
                Permission("User.Read.All"),
                Permission("GroupMember.Read.All"),
            ],
            Self::Notify => &[],
        }
    }

    /// How an undo reverses it.
    #[must_use]
    pub fn undo(self) -> &'static str {
        match self {
            Self::Disable => "allow the sign-in again (`accountEnabled: true`)",
            Self::Notify => "nothing to undo",
        }
    }

    /// What it cannot do, known before it is tried.
    #[must_use]
    pub fn cannot(self) -> &'static str {
        match self {
            Self::Disable => "holders of directory roles, members and owners of role-assignable groups",
            Self::Notify => "-",
        }
    }

    /// The step that this action means for a guest, if it is one that writes.
    #[must_use]
    pub fn step_for(self, guest: ObjectId) -> Option<Step> {
        match self {
            Self::Disable => Some(Step::Disable { user: guest }),
            Self::Notify => None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One write to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step", deny_unknown_fields)]
pub enum Step {
    Disable { user: ObjectId },
    Enable { user: ObjectId },
}

impl Step {
    /// The step that puts back what this one changed.
    #[must_use]
    pub fn undo(self) -> Self {
        match self {
            Self::Disable { user } => Self::Enable { user },
            Self::Enable { user } => Self::Disable { user },
        }
    }

    #[must_use]
    pub fn user(self) -> ObjectId {
        match self {
            Self::Disable { user } | Self::Enable { user } => user,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disable { user } => write!(f, "disable the account {user}"),
            Self::Enable { user } => write!(f, "enable the account {user}"),
        }
    }
}

/// What would be done, in order. Applying it is the work of `remediate`, never of the plan itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// Names a plan, so that an approval or a re-judgement cannot be taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanHash(u64);

impl Plan {
    #[must_use]
    pub fn new(guest: ObjectId, actions: &[Action]) -> Self {
        Self { steps: actions.iter().filter_map(|action| action.step_for(guest)).collect() }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    #[must_use]
    pub fn hash(&self) -> PlanHash {
        let digest = Sha256::digest(self.to_string().as_bytes());
        PlanHash(digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, step) in self.steps.iter().enumerate() {
            if n > 0 {
                f.write_str(", then ")?;
            }
            step.fmt(f)?;
        }
        Ok(())
    }
}
