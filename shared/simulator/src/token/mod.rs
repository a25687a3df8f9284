//! The token endpoint: client credentials with a secret or a certificate, in Entra's answers and errors. Tokens look
//! like JWTs, but clients must treat them as opaque: what they mean is kept here. Assertions are verified in
//! `assertion` and `federation`.
mod assertion;
mod federation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::Failure;
use crate::graph::call::Caller;
use crate::options::App;
use crate::record::{Exchange, Kind};
use crate::server;
use crate::world::{State, World};

const LIFETIME: SignedDuration = SignedDuration::from_secs(3599);
const LARGEST_BODY: usize = 64 * 1024;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Graph in the national clouds; the simulator stands for each of them.
const GRAPH_ROOTS: &[&str] = &[
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// Tokens that were issued, and assertions that were used.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    live: BTreeMap<String, Issued>,
    used_assertions: BTreeSet<String>,
}

#[derive(Debug)]
struct Issued {
    caller: Caller,
    expires_at: Timestamp,
}

/// The token was good once.
#[derive(Debug)]
pub(crate) struct Expired;

impl Tokens {
    pub(crate) fn find(&self, token: &str, now: Timestamp) -> Option<Result<Caller, Expired>> {
        let issued = self.live.get(token)?;
        Some(if issued.expires_at > now { Ok(issued.caller.clone()) } else { Err(Expired) })
    }

    pub(crate) fn forget(&mut self) {
        self.live.clear();
    }
}

/// An error in Entra's form.
#[derive(Debug)]
struct Denial {
    status: StatusCode,
    error: &'static str,
    code: u32,
    text: String,
}

fn denial(status: u16, error: &'static str, code: u32, text: impl Into<String>) -> Denial {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Denial { status, error, code, text: text.into() }
}

/// One token request.
pub(crate) async fn answer(world: Arc<World>, request: Request<Body>) -> Response {
    let base = server::base_of(&world, &request);
    let (parts, body) = request.into_parts();
    let read =
        Limited::new(body, LARGEST_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let failure = world.look(|state, _| {
        state.traffic.token_requests += 1;
        let unlucky = state.luck.rolls(state.faults.token_failure);
        let failure = Failure::Status(503, crate::faults::RetryAfter::None);
        state.faults.strike_token().or(unlucky.then_some(failure))
    });
    let url = format!("{base}{}", parts.uri.path());
    let result = match failure {
        Some(Failure::Reset | Failure::LostAnswer) => return server::broken(),
        Some(Failure::Hang) => {
            tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
            return server::broken();
        }
        Some(Failure::Delay(wait)) => {
            tokio::time::sleep(wait).await;
            world.look(|state, now| issue(state, now, &parts.method, &parts.headers, &url, &read))
        }
        Some(Failure::Throttled(_)) => {
            Err(denial(429, "temporarily_unavailable", 90055, "Too many requests."))
        }
        Some(Failure::Status(status, _)) => Err(denial(
            status,
            "temporarily_unavailable",
            90033,
            "A transient error has occurred. Please try again.",
        )),
        Some(Failure::NotFound | Failure::Unauthorized) => {
            Err(denial(401, "invalid_client", 7_000_222, "The provided client secret keys are expired."))
        }
        None => world.look(|state, now| issue(state, now, &parts.method, &parts.headers, &url, &read)),
    };
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(denial) => (denial.status, world.look(|state, now| explain(state, &denial, now))),
    };
    note(&world, &parts.method, &url, &parts.headers, &read, status, &body);
    (status, [(header::CACHE_CONTROL, "no-store, no-cache")], Json(body)).into_response()
}

fn issue(
    state: &mut State,
    now: Timestamp,
    method: &Method,
    headers: &HeaderMap,
    url: &str,
    body: &[u8],
) -> Result<Value, Denial> {
    let form = form(method, headers, body)?;
    let get = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let need = |name: &str| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| denial(400, "invalid_request", 900_144, text))
    };
    check_tenant(state, url)?;
    if need("grant_type")? != "client_credentials" {
        let text = "The app requested an unsupported grant type. Use 'client_credentials'.";
        return Err(denial(400, "unsupported_grant_type", 70_003, text));
    }
    let client = need("client_id")?;
    let app = Uuid::parse_str(client).ok().and_then(|id| state.app(id)).cloned();
    let app = app.ok_or_else(|| {
        let text = format!("Application with identifier '{client}' was not found in the directory.");
        denial(400, "unauthorized_client", 700_016, text)
    })?;
    check_scope(need("scope")?, url)?;
    let offered = (get("client_secret"), get("client_assertion"), get("client_assertion_type"));
    check_credential(state, &app, offered, url, now)?;
    Ok(grant(state, &app, now))
}

/// The fields of the form, none of them twice.
fn form(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Vec<(String, String)>, Denial> {
    if method != Method::POST {
        return Err(denial(400, "invalid_request", 900_561, "The endpoint only accepts POST requests."));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        let text = "The request must be an application/x-www-form-urlencoded form.";
        return Err(denial(400, "invalid_request", 900_144, text));
    }
    let mut form: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if form.iter().any(|(known, _)| *known == name) {
            let text = format!("The parameter '{name}' was given twice.");
            return Err(denial(400, "invalid_request", 9_000_411, text));
        }
        form.push((name.into_owned(), value.into_owned()));
    }
    Ok(form)
}

fn check_tenant(state: &State, url: &str) -> Result<(), Denial> {
    let path = url::Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default();
    let named = path.split('/').nth(1).unwrap_or_default().to_owned();
    let ours = named == state.tenant.id.to_string()
        || state.tenant.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&named));
    match ours {
        true => Ok(()),
        false => {
            let text =
                format!("Tenant '{named}' not found. Check to make sure you have the correct tenant ID.");
            Err(denial(400, "invalid_request", 90_002, text))
        }
    }
}

/// `{Graph root}/.default`, where the simulator itself is a Graph root too.
fn check_scope(scope: &str, url: &str) -> Result<(), Denial> {
    let own = url::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let root = scope.strip_suffix("/.default").map(|root| root.trim_end_matches('/'));
    match root.is_some_and(|root| root == own || GRAPH_ROOTS.contains(&root)) {
        true => Ok(()),
        false => {
            let text = format!("The provided value for the input parameter 'scope' is not valid: '{scope}'.");
            Err(denial(400, "invalid_scope", 70_011, text))
        }
    }
}

/// A secret or an assertion, never both.
fn check_credential(
    state: &mut State,
    app: &App,
    (secret, assertion, kind): (Option<&str>, Option<&str>, Option<&str>),
    url: &str,
    now: Timestamp,
) -> Result<(), Denial> {
    let assertion = match (secret, assertion) {
        (Some(secret), None) => return check_secret(app, secret),
        (None, Some(assertion)) => assertion,
        (Some(_), Some(_)) | (None, None) => {
            let text = "The request body must contain the following parameter: 'client_assertion' or \
                        'client_secret'.";
            return Err(denial(401, "invalid_client", 7_000_218, text));
        }
    };
    if kind != Some(ASSERTION_TYPE) {
        let text = "The client_assertion_type must be the JWT bearer type.";
        return Err(denial(400, "invalid_request", 900_144, text));
    }
    if federation::is_of_another(app, assertion) {
        let refused = |(code, text): (u32, String)| denial(401, "invalid_client", code, text);
        return federation::verify(app, assertion, now).map_err(refused);
    }
    let refused = |why: String| denial(401, "invalid_client", 700_027, format!("Client assertion {why}."));
    let jti = assertion::verify(app, assertion, url, now).map_err(refused)?;
    match state.tokens.used_assertions.insert(jti) {
        true => Ok(()),
        false => Err(refused("was used before: 'jti' must be unique".to_owned())),
    }
}

fn check_secret(app: &App, secret: &str) -> Result<(), Denial> {
    match app.secret.as_deref() == Some(secret) {
        true => Ok(()),
        false => {
            let text = format!("Invalid client secret provided for app '{}'.", app.client_id);
            Err(denial(401, "invalid_client", 7_000_215, text))
        }
    }
}

fn grant(state: &mut State, app: &App, now: Timestamp) -> Value {
    let expires_at = now.checked_add(LIFETIME).unwrap_or(now);
    let id = state.passing_id();
    let claims = json!({
        "aud": "https://graph.microsoft.com",
        "iss": format!("https://sts.windows.net/{}/", state.tenant.id),
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": expires_at.as_second(),
        "appid": app.client_id.to_string(),
        "idtyp": "app",
        "roles": app.roles,
        "tid": state.tenant.id.to_string(),
        "uti": id.to_string(),
        "ver": "1.0",
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulator"});
    let signature = URL_SAFE_NO_PAD.encode(state.noise.u128(..).to_be_bytes());
    let token = format!("{}.{}.{signature}", part(&header), part(&claims));
    let App { client_id, secret: _, certificate_pem: _, federated: _, roles, directory_roles } = app.clone();
    let caller = Caller { app: client_id, roles, directory_roles };
    // An expired token is told from an unknown one for a while.
    state.tokens.live.retain(|_, issued| issued.expires_at.checked_add(LIFETIME).is_ok_and(|end| end > now));
    state.tokens.live.insert(token.clone(), Issued { caller, expires_at });
    json!({
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
        "ext_expires_in": LIFETIME.as_secs(),
        "access_token": token,
    })
}

fn explain(state: &mut State, denial: &Denial, now: Timestamp) -> Value {
    let Denial { status: _, error, code, text } = denial;
    let (trace, correlation) = (state.passing_id(), state.passing_id());
    let at = now.strftime("%Y-%m-%d %H:%M:%SZ");
    json!({
        "error": error,
        "error_description": format!(
            "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}"
        ),
        "error_codes": [code],
        "timestamp": at.to_string(),
        "trace_id": trace.to_string(),
        "correlation_id": correlation.to_string(),
    })
}

fn note(
    world: &World,
    method: &Method,
    url: &str,
    headers: &HeaderMap,
    request_body: &Bytes,
    status: StatusCode,
    body: &Value,
) {
    let Some(recorder) = &world.record else { return };
    recorder.note(&Exchange {
        kind: Kind::Graph,
        method: method.as_str(),
        url,
        request_headers: headers,
        request_body,
        status: Some(status.as_u16()),
        response_headers: &HeaderMap::new(),
        response_body: body.to_string().as_bytes(),
    });
}
