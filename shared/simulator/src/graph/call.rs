//! One Graph call, parsed and attributed to an app, and its answer. A `$batch` is many of these; HTTP is in `gate`.
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::refusal::Refusal;
use super::routes::Operation;
use crate::odata::{Query, page};
use crate::world::Sight;

/// The app that a token was issued to.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) app: Uuid,
    /// Application permissions as of the token.
    pub(crate) roles: Vec<String>,
    /// Entra roles of the service principal.
    pub(crate) directory_roles: Vec<String>,
}

impl Caller {
    pub(crate) fn has(&self, permission: &str) -> bool {
        self.roles.iter().any(|role| role == permission)
    }

    pub(crate) fn has_any(&self, permissions: &[&str]) -> bool {
        permissions.iter().any(|permission| self.has(permission))
    }

    pub(crate) fn must_have_any(&self, permissions: &[&str]) -> Result<(), Refusal> {
        match self.has_any(permissions) {
            true => Ok(()),
            false => Err(Refusal::denied()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// What stands for the `{}` of the route, in order.
    pub(crate) keys: Vec<String>,
    pub(crate) query: Query,
    pub(crate) raw_query: String,
    /// The path below the version, as it was written.
    pub(crate) path: String,
    /// `ConsistencyLevel: eventual`.
    pub(crate) eventual: bool,
    /// `Prefer: return=minimal`.
    pub(crate) minimal: bool,
    pub(crate) body: Option<Value>,
    pub(crate) caller: Caller,
    /// `http://host:port`, as the client wrote it.
    pub(crate) base: String,
    pub(crate) now: Timestamp,
    pub(crate) sight: Sight,
}

impl Call {
    pub(crate) fn key(&self, index: usize) -> &str {
        self.keys.get(index).map_or("", String::as_str)
    }

    /// The key as an object id; `malformed` refuses what is no GUID.
    pub(crate) fn id(&self, index: usize) -> Result<Uuid, Refusal> {
        let key = self.key(index);
        Uuid::parse_str(key).map_err(|_| Refusal::directory(format!("Invalid object identifier '{key}'.")))
    }

    pub(crate) fn object_body(&self) -> Result<&Map<String, Value>, Refusal> {
        match &self.body {
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(Refusal::bad_request("Unable to read JSON request payload.")),
            None => Err(Refusal::bad_request("Empty Payload. JSON content expected.")),
        }
    }

    pub(crate) fn context(&self, of: &str) -> String {
        format!("{}/v1.0/$metadata#{of}", self.base)
    }

    /// The link to the next page, with the options of this request.
    pub(crate) fn next_link(&self, token: &str) -> String {
        let kept = page::without_token(&self.raw_query);
        let separator = if kept.is_empty() { "" } else { "&" };
        format!("{}/v1.0{}?{kept}{separator}$skiptoken={token}", self.base, self.path)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Payload,
    pub(crate) headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Nothing,
    Json(Value),
    /// `$count` answers a bare number.
    Plain(String),
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Payload::Json(body), headers: Vec::new() }
    }

    pub(crate) fn nothing() -> Self {
        Self { status: 204, body: Payload::Nothing, headers: Vec::new() }
    }

    pub(crate) fn plain(text: String) -> Self {
        Self { status: 200, body: Payload::Plain(text), headers: Vec::new() }
    }

    /// One object with its context first.
    pub(crate) fn entity(status: u16, context: String, shown: Value) -> Self {
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(context));
        if let Value::Object(shown) = shown {
            body.extend(shown);
        }
        Self::json(status, Value::Object(body))
    }

    pub(crate) fn collection(
        context: String,
        count: Option<usize>,
        next_link: Option<String>,
        value: Vec<Value>,
    ) -> Self {
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(context));
        body.extend(count.map(|count| ("@odata.count".to_owned(), json!(count))));
        body.extend(next_link.map(|link| ("@odata.nextLink".to_owned(), json!(link))));
        body.insert("value".to_owned(), Value::Array(value));
        Self::json(200, Value::Object(body))
    }
}
