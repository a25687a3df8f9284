//! Graph's errors: status, code and message of every refusal, and the body that carries them.
//! Codes and texts follow Microsoft's error reference and captured answers; clients must not branch on the texts.
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), headers: Vec::new() }
    }

    /// The gateway cannot read the request.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The directory cannot carry it out.
    pub(crate) fn directory(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    pub(crate) fn unsupported_query(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub(crate) fn no_segment(segment: &str) -> Self {
        Self::bad_request(format!("Resource not found for the segment '{segment}'."))
    }

    pub(crate) fn not_found(key: &str) -> Self {
        let message = format!(
            "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
        );
        Self::new(404, "Request_ResourceNotFound", message)
    }

    pub(crate) fn denied() -> Self {
        let message = "Insufficient privileges to complete the operation.";
        Self::new(403, "Authorization_RequestDenied", message)
    }

    pub(crate) fn method() -> Self {
        let message = "Specified HTTP method is not allowed for the request target.";
        Self::new(405, "Request_BadRequest", message)
    }

    pub(crate) fn invalid_property(name: &str) -> Self {
        Self::directory(format!("Invalid property '{name}'."))
    }

    pub(crate) fn invalid_value(name: &str, resource: &str) -> Self {
        Self::directory(format!("Invalid value specified for property '{name}' of resource '{resource}'."))
    }

    pub(crate) fn read_only(name: &str) -> Self {
        Self::directory(format!("Property '{name}' is read-only and cannot be set."))
    }

    pub(crate) fn body(&self, now: Timestamp, request_id: &str, client_request_id: &str) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }})
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_carries_both_request_ids() {
        let body = Refusal::denied().body(crate::dates::parse("2026-11-20T05:00:00Z").unwrap(), "r", "c");
        assert_eq!(body["error"]["code"], "Authorization_RequestDenied");
        assert_eq!(body["error"]["innerError"]["request-id"], "r");
        assert_eq!(body["error"]["innerError"]["client-request-id"], "c");
        assert_eq!(body["error"]["innerError"]["date"], "2026-11-20T05:00:00");
    }
}
