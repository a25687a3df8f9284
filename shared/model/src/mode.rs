//! How far a rule may go, and how bad its breach is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not one of those expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of {expected}")]
pub struct ParseWordError {
    text: String,
    expected: &'static str,
}

impl ParseWordError {
    pub(crate) fn new(text: String, expected: &'static str) -> Self {
        Self { text, expected }
    }
}

/// How far a rule may go. The effective mode is the lowest of the rule's, the file's and the operator's ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Record and tell.
    Observe,
    /// Wait for an approver.
    Ask,
    /// Act.
    Enforce,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Observe => "observe",
            Self::Ask => "ask",
            Self::Enforce => "enforce",
        })
    }
}

impl FromStr for Mode {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "observe" => Ok(Self::Observe),
            "ask" => Ok(Self::Ask),
            "enforce" => Ok(Self::Enforce),
            other => Err(ParseWordError { text: other.to_owned(), expected: "`observe`, `ask`, `enforce`" }),
        }
    }
}

/// How bad a breach of the rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

impl FromStr for Severity {
    type Err = ParseWordError;

    fn from_str(text: &str) -> Result<Self, ParseWordError> {
        match text {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            "critical" => Ok(Self::Critical),
            other => Err(ParseWordError {
                text: other.to_owned(),
                expected: "`low`, `medium`, `high`, `critical`",
            }),
        }
    }
}
