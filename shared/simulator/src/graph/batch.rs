//! `$batch`: up to twenty calls in one round trip, each with its own status, answered in no particular order.
//! Rules: Microsoft Learn, "Combine multiple HTTP requests using JSON batching".
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::call::{Answer, Caller, Payload};
use super::perform::{Finished, Incoming, finish, perform};
use super::refusal::Refusal;
use crate::world::World;

const MOST: usize = 20;

struct Item {
    id: String,
    method: String,
    path: String,
    raw_query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    depends_on: Vec<String>,
}

pub(crate) async fn answer(
    world: &Arc<World>,
    caller: &Caller,
    incoming: &Incoming<'_>,
) -> Result<Answer, Refusal> {
    let items = items(incoming)?;
    let mut statuses: BTreeMap<String, u16> = BTreeMap::new();
    let mut responses = Vec::new();
    for item in &items {
        let inner = Incoming {
            method: &item.method,
            path: &item.path,
            raw_query: &item.raw_query,
            headers: &item.headers,
            body: &item.body,
            base: incoming.base,
            in_batch: true,
        };
        let failed = item.depends_on.iter().any(|id| statuses.get(id).is_none_or(|status| *status >= 400));
        let finished = if failed {
            let message = "The request failed because a request that it depends on failed.";
            finish(world, &inner, Err(Refusal::new(424, "FailedDependency", message)), 0)
        } else {
            perform(world, caller, &inner).await
        };
        statuses.insert(item.id.clone(), finished.answer.status);
        responses.push(response(&item.id, finished));
    }
    world.look(|state, _| state.luck.draws.shuffle(&mut responses));
    Ok(Answer::json(200, json!({"responses": responses})))
}

fn response(id: &str, finished: Finished) -> Value {
    let Finished { answer, request_id: _, client_request_id: _, units } = finished;
    let mut headers = Map::new();
    headers.insert("Cache-Control".to_owned(), json!("no-cache"));
    headers.insert("x-ms-resource-unit".to_owned(), json!(units.to_string()));
    headers.extend(answer.headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))));
    let body = match answer.body {
        Payload::Nothing => None,
        Payload::Json(body) => Some(("application/json", body)),
        Payload::Plain(text) => Some(("text/plain", json!(text))),
    };
    let mut response = Map::new();
    response.insert("id".to_owned(), json!(id));
    response.insert("status".to_owned(), json!(answer.status));
    if let Some((kind, body)) = body {
        headers.insert("Content-Type".to_owned(), json!(kind));
        response.insert("body".to_owned(), body);
    }
    response.insert("headers".to_owned(), Value::Object(headers));
    Value::Object(response)
}

fn items(incoming: &Incoming<'_>) -> Result<Vec<Item>, Refusal> {
    if incoming.headers.get("content-type").is_none() {
        let message = "Write requests (excluding DELETE) must contain the Content-Type header declaration.";
        return Err(Refusal::bad_request(message));
    }
    let payload = || Refusal::bad_request("Invalid batch payload format.");
    let body: Value = serde_json::from_slice(incoming.body).map_err(|_| payload())?;
    let body = body.as_object().filter(|body| body.len() == 1).ok_or_else(payload)?;
    let requests = body.get("requests").and_then(Value::as_array).ok_or_else(payload)?;
    if requests.len() > MOST {
        return Err(Refusal::bad_request("Number of batch request steps exceeds the maximum value of 20."));
    }
    let mut seen = BTreeSet::new();
    let mut items: Vec<Item> = Vec::new();
    for request in requests {
        let item = item(request.as_object().ok_or_else(payload)?)?;
        if let Some(unknown) = item.depends_on.iter().find(|id| !seen.contains(*id)) {
            let message = format!("Request Id '{unknown}' in dependsOn does not name an earlier request.");
            return Err(Refusal::bad_request(message));
        }
        if !seen.insert(item.id.clone()) {
            let message = format!("Request Id : {} is not unique in the batch.", item.id);
            return Err(Refusal::bad_request(message));
        }
        items.push(item);
    }
    // Either everything runs in parallel, or each request waits for exactly the one before it.
    let sequential = items.iter().filter(|item| !item.depends_on.is_empty()).count();
    if sequential != 0 && sequential + 1 != items.len() {
        return Err(Refusal::bad_request("A batch is either fully parallel or fully sequential."));
    }
    Ok(items)
}

fn item(request: &Map<String, Value>) -> Result<Item, Refusal> {
    let known = ["id", "method", "url", "headers", "body", "dependsOn"];
    if let Some(unknown) = request.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::bad_request(format!("Invalid batch payload: unknown member '{unknown}'.")));
    }
    let text = |name: &str| {
        let text = request.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::bad_request(format!("Invalid batch payload: '{name}' is missing.")))
    };
    let (id, method, url) = (text("id")?, text("method")?, text("url")?);
    if !["GET", "POST", "PATCH", "PUT", "DELETE"].contains(&method) {
        return Err(Refusal::bad_request(format!("Invalid batch payload: method '{method}'.")));
    }
    let absolute = url.contains("://") || url.contains('#') || url.contains("$batch");
    let versioned = ["/v1.0/", "v1.0/", "/beta/", "beta/"].iter().any(|prefix| url.starts_with(prefix));
    if absolute || versioned {
        let message = format!("Invalid batch payload: '{url}' is not relative to the version.");
        return Err(Refusal::bad_request(message));
    }
    let (path, raw_query) = url.split_once('?').unwrap_or((url, ""));
    let headers = headers(request.get("headers"))?;
    let body = match request.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(body) => serde_json::to_vec(body).unwrap_or_default(),
    };
    if !body.is_empty() && !headers.contains_key("content-type") {
        let message = format!("Write request id : {id} does not contain Content-Type header or body.");
        return Err(Refusal::bad_request(message));
    }
    let depends_on = request.get("dependsOn").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(Item {
        id: id.to_owned(),
        method: method.to_owned(),
        path: format!("/{}", path.trim_start_matches('/')),
        raw_query: raw_query.to_owned(),
        headers,
        body,
        depends_on: depends_on.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn headers(given: Option<&Value>) -> Result<HeaderMap, Refusal> {
    let invalid = || Refusal::bad_request("Invalid batch payload: 'headers' must be names with texts.");
    let mut headers = HeaderMap::new();
    let Some(given) = given else { return Ok(headers) };
    for (name, value) in given.as_object().ok_or_else(invalid)? {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let value = HeaderValue::from_str(value.as_str().ok_or_else(invalid)?).map_err(|_| invalid())?;
        headers.insert(name, value);
    }
    Ok(headers)
}
