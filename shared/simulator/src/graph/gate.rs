//! The HTTP side of the simulated Graph: authentication, failures of the connection, headers, the record. What a call
//! means is in `perform`; a `$batch` is taken apart in `batch`.
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;

use super::call::{Answer, Caller, Payload};
use super::perform::{Finished, Incoming, finish, injected, perform};
use super::refusal::Refusal;
use super::{batch, routes};
use crate::dates;
use crate::faults::Failure;
use crate::record::{Exchange, Kind};
use crate::server;
use crate::world::World;

const LARGEST_BODY: usize = 4 * 1024 * 1024;
const VERSION: &str = "/v1.0";
/// How long an answer that never comes is withheld; every client has given up long before.
const NEVER: Duration = Duration::from_secs(3600);

/// One round trip to Graph.
pub(crate) async fn answer(world: Arc<World>, request: Request<Body>) -> Response {
    let base = server::base_of(&world, &request);
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(VERSION).unwrap_or_default().to_owned();
    let method = parts.method.as_str();
    world.look(|state, _| state.traffic.round_trips += 1);
    let wire = world.look(|state, _| state.faults.strike(method, &path, true, &mut state.luck));
    if wire == Some(Failure::Reset) {
        return server::broken();
    }
    let read = Limited::new(body, LARGEST_BODY).collect().await.map(|body| body.to_bytes());
    let incoming = Incoming {
        method,
        path: &path,
        raw_query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: read.as_ref().map_or(&[], |body| body),
        base: &base,
        in_batch: false,
    };
    let finished = match (&read, who(&world, &parts.headers)) {
        (Err(_), _) => {
            refuse(&world, &incoming, Refusal::new(413, "RequestEntityTooLarge", "The request is too large."))
        }
        (Ok(_), Err(refusal)) => refuse(&world, &incoming, refusal),
        (Ok(_), Ok(caller)) => round_trip(&world, &caller, &incoming).await,
    };
    let url = format!("{base}{}", parts.uri.path_and_query().map_or("/", |text| text.as_str()));
    let date = world.look(|state, now| now.checked_add(state.faults.clock_ahead).unwrap_or(now));
    let (response, body) = write(finished, date);
    note(&world, &incoming, &url, &response, &body);
    match wire {
        Some(Failure::Delay(wait)) => tokio::time::sleep(wait).await,
        Some(Failure::Hang) => tokio::time::sleep(NEVER).await,
        Some(Failure::LostAnswer) => return server::broken(),
        Some(_) | None => {}
    }
    response
}

async fn round_trip(world: &Arc<World>, caller: &Caller, incoming: &Incoming<'_>) -> Finished {
    if incoming.path != "/$batch" {
        return perform(world, caller, incoming).await;
    }
    let result = match world.look(|state, now| injected(state, incoming, now)) {
        Some(refusal) => Err(refusal),
        None if incoming.method != "POST" => Err(Refusal::method()),
        None => batch::answer(world, caller, incoming).await,
    };
    finish(world, incoming, result, 0)
}

/// A call refused before it was understood still costs a unit and shows in the log.
fn refuse(world: &World, incoming: &Incoming<'_>, refusal: Refusal) -> Finished {
    world.look(|state, _| {
        state.traffic.resource_units += 1;
        state.traffic.log(crate::traffic::Logged {
            method: incoming.method.to_owned(),
            path: incoming.path.to_owned(),
            status: refusal.status,
            in_batch: false,
        });
    });
    finish(world, incoming, Err(refusal), 1)
}

/// The app behind the bearer token.
fn who(world: &World, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let challenge = "Bearer realm=\"\", authorization_uri=\"https://login.example/common/oauth2/authorize\", \
                     client_id=\"00000003-0000-0000-c000-000000000000\"";
    let refuse = |message: &str| {
        let refusal = Refusal::new(401, "InvalidAuthenticationToken", message);
        Err(refusal.with_header("WWW-Authenticate", challenge.to_owned()))
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = given.and_then(|text| text.strip_prefix("Bearer ")) else {
        return refuse("Access token is empty.");
    };
    world.look(|state, now| match state.tokens.find(token.trim(), now) {
        Some(Ok(caller)) => Ok(caller),
        Some(Err(_expired)) => refuse("Lifetime validation failed, the token is expired."),
        None => refuse("Access token validation failure. Invalid audience."),
    })
}

/// The response and, beside it, the bytes of its body.
fn write(finished: Finished, date: Timestamp) -> (Response, Bytes) {
    let Finished { answer, request_id, client_request_id, units } = finished;
    let Answer { status, body, headers } = answer;
    let (kind, bytes) = match body {
        Payload::Nothing => (None, Bytes::new()),
        Payload::Json(body) => (Some("application/json"), Bytes::from(body.to_string())),
        Payload::Plain(text) => (Some("text/plain"), Bytes::from(text)),
    };
    let mut response = Response::new(Body::from(bytes.clone()));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let units = (units > 0).then(|| ("x-ms-resource-unit", units.to_string()));
    let kind = kind.map(|kind| ("content-type", kind.to_owned()));
    let ids = [("request-id", request_id), ("client-request-id", client_request_id)];
    let ids = ids.into_iter().chain([("date", dates::http_date(date))]);
    for (name, value) in ids.chain(kind).chain(units).chain(headers) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    (response, bytes)
}

fn note(world: &World, incoming: &Incoming<'_>, url: &str, response: &Response, body: &[u8]) {
    let Some(recorder) = &world.record else { return };
    recorder.note(&Exchange {
        kind: Kind::Graph,
        method: incoming.method,
        url,
        request_headers: incoming.headers,
        request_body: incoming.body,
        status: Some(response.status().as_u16()),
        response_headers: response.headers(),
        response_body: body,
    });
}

/// A path outside `/v1.0`: another version, or no Graph at all.
pub(crate) fn no_such_version(world: &World, request: &Request<Body>) -> Response {
    let headers = HeaderMap::new();
    let path = request.uri().path();
    let version = path.split('/').nth(1).unwrap_or_default().to_owned();
    let incoming = Incoming {
        method: request.method().as_str(),
        path,
        raw_query: "",
        headers: &headers,
        body: &[],
        base: "",
        in_batch: false,
    };
    let refusal = Refusal::bad_request(format!("Invalid version: {version}."));
    let date = world.look(|_, now| now);
    write(refuse(world, &incoming, refusal), date).0
}

/// The number of calls that are described: for people who ask what the simulator can do.
pub(crate) fn described() -> Vec<(&'static str, &'static str)> {
    routes::ROUTES.iter().map(|route| (route.method, route.path)).collect()
}
