//! What can be done about a finding. A new remediation starts here: a variant of [`Action`] and of [`Step`], and the
//! compiler then asks for its summary, its permissions and its undo.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{ObjectId, ParseWordError};

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
    LeaveGroup,
    LeaveGroups,
    DropOwnership,
    Delete,
    Notify,
}

/// To read the guest back, and to see whether he is protected
/// (<https://learn.microsoft.com/graph/api/user-list-transitivememberof>).
const READ_USERS: Permission = Permission("User.Read.All");
/// To see of which groups he is, and whether they are role-assignable or can be written
/// (<https://learn.microsoft.com/graph/api/group-get>).
const READ_GROUPS: Permission = Permission("GroupMember.Read.All");

impl Action {
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::LeaveGroup, Self::LeaveGroups, Self::DropOwnership, Self::Delete, Self::Notify];
    /// What Entra keeps a deleted account for, in days. Nobody restores it after that
    /// (<https://learn.microsoft.com/graph/api/directory-deleteditems-restore>).
    pub const RESTORABLE_DAYS: i64 = 30;

    /// The word in the policy file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::LeaveGroup => "leave-group",
            Self::LeaveGroups => "leave-groups",
            Self::DropOwnership => "drop-ownership",
            Self::Delete => "delete",
            Self::Notify => "notify",
        }
    }

    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Disable => "block the guest's sign-in (`accountEnabled: false`)",
            Self::LeaveGroup => "take the guest out of the group that the finding is about",
            Self::LeaveGroups => "take the guest out of every group of which he is a member",
            Self::DropOwnership => "take the ownership of the group that the finding is about from the guest",
            Self::Delete => {
                "delete the account (soft), which takes the sign-in and every membership with it; stands alone in `then`"
            }
            Self::Notify => "tell people, and nothing else",
        }
    }

    /// What the app that writes needs: to write, to read back, and to see whether the guest is protected
    /// (<https://learn.microsoft.com/graph/api/user-update>,
    /// <https://learn.microsoft.com/graph/api/group-delete-members>,
    /// <https://learn.microsoft.com/graph/api/group-delete-owners>, <https://learn.microsoft.com/graph/api/user-delete>,
    /// <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>).
    #[must_use]
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Disable => &[Permission("User.EnableDisableAccount.All"), READ_USERS, READ_GROUPS],

            Self::LeaveGroup | Self::LeaveGroups => {
                &[Permission("GroupMember.ReadWrite.All"), READ_USERS, READ_GROUPS]
            }
            Self::DropOwnership => &[Permission("Group.ReadWrite.All"), READ_USERS, READ_GROUPS],
            // Deleted users are read with the permission to read users.
            Self::Delete => &[Permission("User.DeleteRestore.All"), READ_USERS, READ_GROUPS],
            Self::Notify => &[],
        }
    }

    /// How an undo reverses it.
    #[must_use]
    pub fn undo(self) -> &'static str {
        match self {
            Self::Disable => "allow the sign-in again (`accountEnabled: true`)",
            Self::LeaveGroup | Self::LeaveGroups => {
                "add the guest back to the groups that we took him out of"
            }
            Self::DropOwnership => "make the guest an owner again",
            Self::Delete => "restore the account, within 30 days of the deletion",
            Self::Notify => "nothing to undo",
        }
    }

    /// What it cannot do, known before it is tried.
    #[must_use]
    pub fn cannot(self) -> &'static str {
        match self {
            Self::Disable | Self::Delete => {
                "holders of directory roles, members and owners of role-assignable groups"
            }
            Self::LeaveGroup | Self::LeaveGroups => {
                "dynamic, synchronised, mail-enabled, restricted and role-assignable groups"
            }
            Self::DropOwnership => {
                "the last owner; synchronised, mail-enabled, restricted and role-assignable groups"
            }
            Self::Notify => "-",
        }
    }

    /// Whether it writes to the tenant.
    #[must_use]
    pub fn writes(self) -> bool {
        match self {
            Self::Disable | Self::LeaveGroup | Self::LeaveGroups | Self::DropOwnership | Self::Delete => true,
            Self::Notify => false,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One write to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step", deny_unknown_fields)]
pub enum Step {
    Disable {
        user: ObjectId,
    },
    Enable {
        user: ObjectId,
    },
    RemoveMember {
        user: ObjectId,
        group: ObjectId,
    },
    AddMember {
        user: ObjectId,
        group: ObjectId,
    },
    RemoveOwner {
        user: ObjectId,
        group: ObjectId,
    },
    AddOwner {
        user: ObjectId,
        group: ObjectId,
    },
    /// Softly: the account waits among the deleted users. There is no step that ends that.
    Delete {
        user: ObjectId,
    },
    Restore {
        user: ObjectId,
    },
}

impl Step {
    /// The step that puts back what this one changed.
    #[must_use]
    pub fn undo(self) -> Self {
        match self {
            Self::Disable { user } => Self::Enable { user },
            Self::Enable { user } => Self::Disable { user },
            Self::RemoveMember { user, group } => Self::AddMember { user, group },
            Self::AddMember { user, group } => Self::RemoveMember { user, group },
            Self::RemoveOwner { user, group } => Self::AddOwner { user, group },
            Self::AddOwner { user, group } => Self::RemoveOwner { user, group },
            Self::Delete { user } => Self::Restore { user },
            Self::Restore { user } => Self::Delete { user },
        }
    }

    #[must_use]
    pub fn user(self) -> ObjectId {
        match self {
            Self::Disable { user }
            | Self::Enable { user }
            | Self::RemoveMember { user, group: _ }
            | Self::AddMember { user, group: _ }
            | Self::RemoveOwner { user, group: _ }
            | Self::AddOwner { user, group: _ }
            | Self::Delete { user }
            | Self::Restore { user } => user,
        }
    }

    #[must_use]
    pub fn group(self) -> Option<ObjectId> {
        match self {
            Self::Disable { user: _ }
            | Self::Enable { user: _ }
            | Self::Delete { user: _ }
            | Self::Restore { user: _ } => None,
            Self::RemoveMember { user: _, group }
            | Self::AddMember { user: _, group }
            | Self::RemoveOwner { user: _, group }
            | Self::AddOwner { user: _, group } => Some(group),
        }
    }

    /// Whether it takes the account out of the directory, or puts it back.
    #[must_use]
    pub fn moves_account(self) -> bool {
        match self {
            Self::Delete { user: _ } | Self::Restore { user: _ } => true,
            Self::Disable { user: _ }
            | Self::Enable { user: _ }
            | Self::RemoveMember { user: _, group: _ }
            | Self::AddMember { user: _, group: _ }
            | Self::RemoveOwner { user: _, group: _ }
            | Self::AddOwner { user: _, group: _ } => false,
        }
    }

    /// Whether it takes something from the guest. The others give, and belong to an undo.
    #[must_use]
    pub fn takes_away(self) -> bool {
        match self {
            Self::Disable { user: _ }
            | Self::RemoveMember { user: _, group: _ }
            | Self::RemoveOwner { user: _, group: _ }
            | Self::Delete { user: _ } => true,
            Self::Enable { user: _ }
            | Self::Restore { user: _ }
            | Self::AddMember { user: _, group: _ }
            | Self::AddOwner { user: _, group: _ } => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disable { user } => write!(f, "disable the account {user}"),
            Self::Enable { user } => write!(f, "enable the account {user}"),
            Self::RemoveMember { user, group } => write!(f, "take {user} out of the group {group}"),
            Self::AddMember { user, group } => write!(f, "add {user} to the group {group}"),
            Self::RemoveOwner { user, group } => {
                write!(f, "take the ownership of the group {group} from {user}")
            }
            Self::AddOwner { user, group } => write!(f, "make {user} an owner of the group {group}"),
            Self::Delete { user } => write!(f, "delete the account {user}"),
            Self::Restore { user } => write!(f, "restore the account {user}"),
        }
    }
}

/// What would be done, in order. Applying it is the work of `remediate`, never of the plan itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<Step>,
}

impl Plan {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    #[must_use]
    pub fn hash(&self) -> PlanHash {
        PlanHash::of(&self.to_string())
    }

    /// Whether it asks for nothing that the other does not ask for.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.steps.iter().all(|step| other.steps.contains(step))
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

/// Names a plan (sixteen hexadecimal digits), so that an approval cannot be taken for that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanHash(u64);

impl PlanHash {
    pub(crate) fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for PlanHash {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        let wrong = || ParseWordError::new(text.to_owned(), "a plan's hash (sixteen hexadecimal digits)");
        let hash = u64::from_str_radix(text, 16).map_err(|_| wrong()).map(Self)?;
        if hash.to_string() == text { Ok(hash) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for PlanHash {
    type Error = ParseWordError;

    fn try_from(text: String) -> Result<Self, ParseWordError> {
        text.parse()
    }
}

impl From<PlanHash> for String {
    fn from(hash: PlanHash) -> Self {
        hash.to_string()
    }
}

/// What a read showed of all that a step can change. `None`: it was not read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whether the account is in the directory. `Some(false)` only where it was found among the deleted users: that Graph
    /// does not know it (yet) shows nothing.
    #[serde(default)]
    pub there: Option<bool>,
    pub enabled: Option<bool>,
    pub member_of: Option<BTreeSet<ObjectId>>,
    pub owner_of: Option<BTreeSet<ObjectId>>,
    /// A notification said more of these groups than this read showed: nobody knows yet who their members are.
    #[serde(default)]
    pub unsettled: BTreeSet<ObjectId>,
}

impl Snapshot {
    /// What the step would change: whether the account is there or enabled, or whether he is a member or an owner.
    #[must_use]
    pub fn before(&self, step: Step) -> Option<bool> {
        match step {
            Step::Delete { user: _ } | Step::Restore { user: _ } => self.there,
            Step::Disable { user: _ } | Step::Enable { user: _ } => self.enabled,
            Step::RemoveMember { user: _, group } | Step::AddMember { user: _, group } => {
                let settled = self.member_of.as_ref().filter(|_| !self.unsettled.contains(&group));
                settled.map(|groups| groups.contains(&group))
            }
            Step::RemoveOwner { user: _, group } | Step::AddOwner { user: _, group } => {
                self.owner_of.as_ref().map(|groups| groups.contains(&group))
            }
        }
    }

    /// Whether it is as the step wants it.
    #[must_use]
    pub fn shows(&self, step: Step) -> Option<bool> {
        self.before(step).map(|there| there != step.takes_away())
    }
}
