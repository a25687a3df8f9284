//! What can go wrong with Graph, and what a caller must do about it.
//!
//! Lives here: the error type, and in `failure.rs` how a failed call becomes one. Never here: waiting, repeating,
//! logging.

mod failure;

use std::fmt;

use jiff::SignedDuration;

pub(crate) use failure::{Failure, Happened};

/// The two names of one exchange: Graph's and ours. Support asks for both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    pub request_id: Option<String>,
    pub client_request_id: Option<String>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, client_request_id } = self;
        match (request_id, client_request_id) {
            (Some(theirs), Some(ours)) => write!(f, " (request-id {theirs}, client-request-id {ours})"),
            (Some(theirs), None) => write!(f, " (request-id {theirs})"),
            (None, Some(ours)) => write!(f, " (client-request-id {ours})"),
            (None, None) => Ok(()),
        }
    }
}

/// A call that did not give what was asked for. Texts in it are Graph's own, cut and made plain: names that a guest
/// chose may be among them, so escape them wherever they are shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("find the object: Graph does not know it (`{code}`){trace}")]
    NotFound { code: String, trace: Trace },
    #[error(
        "get Graph's leave: {message} (`{code}`){trace}; grant the app the permission that this call needs, or do it \
         by hand where the object is an administrator's"
    )]
    Forbidden { code: String, message: String, trace: Trace },
    #[error("get past Graph's throttling{}{trace}", later(*retry_after))]
    Throttled { retry_after: Option<SignedDuration>, trace: Trace },
    #[error("get an answer of use: the service says {status}{}{trace}", later(*retry_after))]
    Unavailable { status: u16, retry_after: Option<SignedDuration>, trace: Trace },
    #[error("prove to Microsoft who we are: {message}{trace}")]
    Credential { message: String, trace: Trace },
    #[error("have Graph take the request: it answers {status}, {message} (`{code}`){trace}")]
    Rejected { status: u16, code: String, message: String, trace: Trace },
    #[error("have Graph take the request in the object's present state: {message} (`{code}`){trace}")]
    Conflict { code: String, message: String, trace: Trace },
    #[error("reach Microsoft: {why}{trace}")]
    Unreachable { why: String, trace: Trace },
    #[error("read Graph's answer: {why}{trace}")]
    Unreadable { why: String, trace: Trace },
}

fn later(retry_after: Option<SignedDuration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(", which asks us to wait {wait:#}"))
}

/// What a caller must do about a [`GraphError`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// The same call may work later: after the time that Graph named, if it named one.
    TryAgain { after: Option<SignedDuration> },
    /// Replicas lag by minutes: only waits that double tell "not yet" from "not at all".
    MaybeNotReplicatedYet,
    /// It will not work however often it is tried.
    GiveUp { tell: String },
    /// No call will work until a person has mended the credential.
    FixCredential { tell: String },
}

impl GraphError {
    #[must_use]
    pub fn advice(&self) -> Advice {
        match self {
            Self::NotFound { code: _, trace: _ } => Advice::MaybeNotReplicatedYet,
            Self::Throttled { retry_after, trace: _ }
            | Self::Unavailable { status: _, retry_after, trace: _ } => {
                Advice::TryAgain { after: *retry_after }
            }
            Self::Conflict { code: _, message: _, trace: _ } | Self::Unreachable { why: _, trace: _ } => {
                Advice::TryAgain { after: None }
            }
            Self::Credential { message: _, trace: _ } => Advice::FixCredential { tell: self.to_string() },
            Self::Forbidden { code: _, message: _, trace: _ }
            | Self::Rejected { status: _, code: _, message: _, trace: _ }
            | Self::Unreadable { why: _, trace: _ } => Advice::GiveUp { tell: self.to_string() },
        }
    }

    #[must_use]
    pub fn trace(&self) -> &Trace {
        match self {
            Self::NotFound { code: _, trace }
            | Self::Forbidden { code: _, message: _, trace }
            | Self::Throttled { retry_after: _, trace }
            | Self::Unavailable { status: _, retry_after: _, trace }
            | Self::Credential { message: _, trace }
            | Self::Rejected { status: _, code: _, message: _, trace }
            | Self::Conflict { code: _, message: _, trace }
            | Self::Unreachable { why: _, trace }
            | Self::Unreadable { why: _, trace } => trace,
        }
    }

    pub(crate) fn unreadable(why: impl Into<String>, trace: &Trace) -> Self {
        Self::Unreadable { why: why.into(), trace: trace.clone() }
    }
}

/// One line of printable text, short enough for a log.
pub(crate) fn plain(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_with_a_mark() {
        let text = plain(&"ä".repeat(301));
        assert_eq!((text.chars().count(), text.chars().last()), (301, Some('…')));
        assert_eq!(plain("a\u{0}b\r\nc"), "a b  c");
    }
}
