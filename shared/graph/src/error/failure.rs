//! One failed call: what went wrong, and whether it may have been carried out all the same.

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use wire::WireError;

use super::{Advice, GraphError, Trace, plain};
use crate::retry;

/// What is known of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    /// The token was refused, and nothing else was looked at.
    Unauthorized,
    /// Turned away before it was carried out.
    NotDone,
    /// It may have been carried out.
    Uncertain,
    /// The same, and a whole timeout was spent to learn it.
    TimedOut,
    /// Refused. Asking again gives the same answer.
    Refused,
}

#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: GraphError,
    pub(crate) happened: Happened,
}

impl Failure {
    /// The wait that was asked for, if one was.
    pub(crate) fn retry_after(&self) -> Option<SignedDuration> {
        match self.error.advice() {
            Advice::TryAgain { after } => after,
            Advice::MaybeNotReplicatedYet
            | Advice::GiveUp { tell: _ }
            | Advice::FixCredential { tell: _ } => None,
        }
    }

    pub(crate) fn of_wire(error: &WireError, trace: Trace) -> Self {
        let why = error.to_string();
        let happened = match error {
            WireError::Timeout { .. } => Happened::TimedOut,
            WireError::Connect { .. } => Happened::NotDone,
            WireError::Broken { .. } => Happened::Uncertain,
            WireError::Setup { .. } | WireError::TooLarge { .. } => Happened::Refused,
        };
        let error = match error {
            WireError::TooLarge { .. } => GraphError::Unreadable { why, trace },
            WireError::Timeout { .. }
            | WireError::Connect { .. }
            | WireError::Broken { .. }
            | WireError::Setup { .. } => GraphError::Unreachable { why, trace },
        };
        Self { error, happened }
    }

    /// Reads an answer of Graph that is not a success.
    pub(crate) fn of_answer(
        status: StatusCode,
        headers: &HeaderMap,
        body: Option<&Value>,
        mut trace: Trace,
        now: Timestamp,
    ) -> Self {
        let said = body.and_then(Envelope::read);
        trace.request_id = trace.request_id.or_else(|| said.as_ref()?.request_id.clone());
        let retry_after = retry::told(headers, now);
        let status = status.as_u16();
        let error = match status {
            // A proxy or a wrong address also says 404. Taken for Graph's word, every guest would seem to be gone.
            404 if said.is_none() => {
                GraphError::unreadable("a 404 without Graph's error body; check the Graph address", &trace)
            }
            429 | 509 => GraphError::Throttled { retry_after, trace },
            408 | 500 | 502..=504 => GraphError::Unavailable { status, retry_after, trace },
            _other => said.unwrap_or_default().refusal(status, trace),
        };
        Self { error, happened: Happened::with(status) }
    }
}

impl Happened {
    fn with(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            429 | 503 | 509 => Self::NotDone,
            408 | 500 | 502 | 504 => Self::Uncertain,
            _other => Self::Refused,
        }
    }
}

/// `{"error": {"code", "message", "innerError" or "innererror": {"request-id"}}}`; the code may be empty
/// (<https://learn.microsoft.com/graph/errors>).
#[derive(Default)]
struct Envelope {
    code: String,
    message: String,
    request_id: Option<String>,
}

impl Envelope {
    fn read(body: &Value) -> Option<Self> {
        let error = body.get("error")?.as_object()?;
        let text = |key: &str| error.get(key).and_then(Value::as_str).map_or_else(String::new, plain);
        let inner = error.get("innerError").or_else(|| error.get("innererror"));
        let request_id = inner.and_then(|inner| inner.get("request-id")).and_then(Value::as_str).map(plain);
        Some(Self { code: text("code"), message: text("message"), request_id })
    }

    fn refusal(self, status: u16, trace: Trace) -> GraphError {
        let Self { code, message, request_id: _ } = self;
        let code = if code.is_empty() { status.to_string() } else { code };
        let message = if message.is_empty() { "no reason given".to_owned() } else { message };
        match status {
            401 => {
                let hint = "check that the tenant, the cloud and the Graph address belong together";
                let message = format!("Graph refuses the token, {message} (`{code}`); {hint}");
                GraphError::Credential { message, trace }
            }
            403 => GraphError::Forbidden { code, message, trace },
            404 => GraphError::NotFound { code, trace },
            409 | 412 | 423 => GraphError::Conflict { code, message, trace },
            300..=399 => {
                let message = "a redirect, which is not followed; check the Graph address".to_owned();
                GraphError::Rejected { status, code, message, trace }
            }
            _other => GraphError::Rejected { status, code, message, trace },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failure(status: u16, body: Option<Value>) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        Failure::of_answer(status, &HeaderMap::new(), body.as_ref(), Trace::default(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_404_counts_only_when_graph_itself_says_it() {
        let graphs = json!({"error": {"code": "Request_ResourceNotFound", "message": "no"}});
        assert_eq!(failure(404, Some(graphs)).error.advice(), Advice::MaybeNotReplicatedYet);
        for body in [None, Some(json!("not here")), Some(json!({"error": "not found"}))] {
            assert!(matches!(failure(404, body).error, GraphError::Unreadable { .. }));
        }
    }

    #[test]
    fn an_error_names_both_request_ids_whatever_the_envelopes_case() {
        for key in ["innerError", "innererror"] {
            let body = json!({"error": {"code": "", "message": "no\nway", key: {"request-id": "theirs"}}});
            let GraphError::Rejected { status, code, message, trace } = failure(400, Some(body)).error else {
                panic!("a 400 is a rejection");
            };
            assert_eq!((status, code.as_str(), message.as_str()), (400, "400", "no way"));
            assert_eq!(trace.request_id.as_deref(), Some("theirs"));
        }
        let trace = Trace { request_id: Some("a".into()), client_request_id: Some("b".into()) };
        let error = GraphError::NotFound { code: "x".into(), trace };
        let text = "find the object: Graph does not know it (`x`) (request-id a, client-request-id b)";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn what_may_have_been_carried_out_is_told_from_what_was_turned_away() {
        for (status, happened) in [
            (401, Happened::Unauthorized),
            (429, Happened::NotDone),
            (503, Happened::NotDone),
            (500, Happened::Uncertain),
            (502, Happened::Uncertain),
            (504, Happened::Uncertain),
            (302, Happened::Refused),
            (400, Happened::Refused),
            (403, Happened::Refused),
            (409, Happened::Refused),
        ] {
            assert_eq!(failure(status, None).happened, happened, "{status}");
        }
    }
}
