//! Exit codes. They are documented in the README: scripts rely on them.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and all is well.
    Well = 0,
    /// It failed: the network, Graph, the store.
    Failed = 1,
    /// The command line, the settings or the policy file are wrong.
    Usage = 2,
    /// It worked, and the answer is that something is not well.
    NotWell = 3,
    /// What was asked for was refused, or is not there.
    Refused = 4,
    /// It was asked for, and nobody has answered yet.
    Unanswered = 5,
}

impl Exit {
    /// What several answers come to: one that failed is worse than one that was refused, and that is worse than one that
    /// nobody has given yet.
    pub(crate) fn worst(exits: impl IntoIterator<Item = Self>) -> Self {
        let gravity = |exit: &Self| match exit {
            Self::Well => 0,
            Self::NotWell => 1,
            Self::Unanswered => 2,
            Self::Refused => 3,
            Self::Usage => 4,
            Self::Failed => 5,
        };
        exits.into_iter().max_by_key(gravity).unwrap_or(Self::Well)
    }

    pub(crate) fn of(error: &anyhow::Error) -> Self {
        if error.is::<host::Missing>() || error.is::<host::InvalidPolicy>() {
            Self::Usage
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
