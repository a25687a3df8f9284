//! The record of every exchange, one JSON line each, appended with a single write. Secrets never reach the file:
//! tokens, client secrets, assertions and `clientState` are replaced before a line is built.
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use http::HeaderMap;
use serde_json::{Map, Value, json};

const SECRET_KEYS: &[&str] =
    &["clientState", "client_secret", "client_assertion", "access_token", "password"];
const REDACTED: &str = "REDACTED";

#[derive(Debug)]
pub(crate) struct Recorder {
    file: Mutex<File>,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Graph,
    Notification,
    /// A deliberate fault spoiled it: not to be judged.
    Ignore,
}

/// One exchange as it went over the wire.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) kind: Kind,
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) request_headers: &'a HeaderMap,
    pub(crate) request_body: &'a [u8],
    /// None = the other side gave no answer.
    pub(crate) status: Option<u16>,
    pub(crate) response_headers: &'a HeaderMap,
    pub(crate) response_body: &'a [u8],
}

impl Recorder {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file) })
    }

    pub(crate) fn note(&self, exchange: &Exchange<'_>) {
        let line = line(exchange);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            tracing::warn!(error = %error, "failed to append to the record");
        }
    }
}

fn line(exchange: &Exchange<'_>) -> String {
    let Exchange {
        kind,
        method,
        url,
        request_headers,
        request_body,
        status,
        response_headers,
        response_body,
    } = exchange;
    let kind = match kind {
        Kind::Graph => "graph",
        Kind::Notification => "notification",
        Kind::Ignore => "ignore",
    };
    let line = json!({
        "kind": kind,
        "method": method,
        "url": url,
        "request_headers": headers(request_headers),
        "request_body": body(request_body),
        "status": status,
        "response_headers": headers(response_headers),
        "response_body": body(response_body),
    });
    format!("{line}\n")
}

fn headers(headers: &HeaderMap) -> Value {
    let shown = headers.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "authorization" => format!("Bearer {REDACTED}"),
            _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        (name.as_str().to_owned(), Value::String(value))
    });
    Value::Object(shown.collect())
}

/// JSON as JSON, forms and plain text as text, nothing as null.
fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => redact(value),
        Ok(_) => Value::String(text.into_owned()),
        Err(_) if text.contains("grant_type=") || text.contains("client_") => {
            Value::String(redact_form(&text))
        }
        Err(_) => Value::String(text.into_owned()),
    }
}

fn redact(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let redacted = map.into_iter().map(|(key, value)| {
                let secret = SECRET_KEYS.contains(&key.as_str()) && !value.is_null();
                let value = if secret { Value::String(REDACTED.to_owned()) } else { redact(value) };
                (key, value)
            });
            Value::Object(redacted.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(redact).collect()),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

fn redact_form(text: &str) -> String {
    let pairs = text.split('&').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        if SECRET_KEYS.contains(&name) { format!("{name}={REDACTED}") } else { pair.to_owned() }
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_reaches_a_line() {
        let mut request_headers = HeaderMap::new();
        request_headers.insert("authorization", "Bearer tell-nobody".parse().unwrap());
        let inner = json!({"requests": [{"body": {"clientState": "tell-nobody"}}]}).to_string();
        for request_body in [
            "client_id=1&client_secret=tell-nobody&grant_type=client_credentials",
            "client_assertion=tell-nobody&client_id=1",
            inner.as_str(),
        ] {
            let response_body =
                json!({"access_token": "tell-nobody", "value": [{"clientState": "tell-nobody"}]});
            let text = line(&Exchange {
                kind: Kind::Graph,
                method: "POST",
                url: "http://127.0.0.1/v1.0/$batch",
                request_headers: &request_headers,
                request_body: request_body.as_bytes(),
                status: Some(200),
                response_headers: &HeaderMap::new(),
                response_body: response_body.to_string().as_bytes(),
            });
            assert!(!text.contains("tell-nobody"), "{text}");
            assert!(text.contains(REDACTED));
            assert_eq!(text.matches('\n').count(), 1);
        }
    }
}
