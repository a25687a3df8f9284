//! Between the functions and the emulator, and between Graph and the front door: passes on what is asked, and remembers it.
//!
//! It speaks TLS for the emulator, as AWS's own endpoints do (the policy's bucket lets nobody in without), and sends whoever asks STS
//! to the issuer of the tests.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde_json::Value;

/// One request, and how it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The id of the key that signed it; whoever comes through the front door has none.
    pub(crate) key: Option<String>,
    /// As the signature names it: `dynamodb`.
    pub(crate) service: String,
    /// `GetItem`; empty where the protocol has none.
    pub(crate) operation: String,
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    /// Nothing where it is no JSON.
    pub(crate) body: Value,
    pub(crate) status: u16,
    pub(crate) answer: Bytes,
}

impl Call {
    pub(crate) fn is_denied(&self) -> bool {
        self.status >= 400 && String::from_utf8_lossy(&self.answer).contains("AccessDenied")
    }
}

/// Serves as long as the test's runtime.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    /// `http://127.0.0.1:<port>`
    pub(crate) address: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Clone)]
struct Between {
    client: reqwest::Client,
    issuer: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Witness {
    pub(crate) async fn open(issuer: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let client = client.pool_max_idle_per_host(0).build().unwrap();
        let between = Between { client, issuer: issuer.to_owned(), calls: Arc::clone(&calls) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(between);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, calls }
    }

    /// All that was answered, in the order of the answers.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls_after(0)
    }

    /// The same without the first ones.
    pub(crate) fn calls_after(&self, first: usize) -> Vec<Call> {
        self.calls.lock().unwrap()[first..].to_vec()
    }

    /// How often the front door answered what was posted with each of these.
    pub(crate) fn posts_answered(&self, is: impl Fn(u16) -> bool) -> usize {
        let posted = |call: &&Call| call.key.is_none() && call.method == Method::POST;
        self.calls.lock().unwrap().iter().filter(posted).filter(|call| is(call.status)).count()
    }
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 16 * 1024 * 1024).await.unwrap();
    let (key, service) = signed(&head.headers);
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut call = Call {
        key,
        operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
        method: head.method.clone(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        status: 502,
        answer: Bytes::new(),
        service,
        path,
    };
    let to = if call.service == "sts" { between.issuer.as_str() } else { emulator::address() };
    // With the `Host` that was signed.
    let mut headers = without_hops(&head.headers);
    headers.insert("x-forwarded-proto", "https".parse().unwrap());
    let sent = between.client.request(head.method, format!("{to}{}", call.path)).headers(headers).body(body);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    if let Ok(answer) = sent.send().await {
        *response.status_mut() = answer.status();
        *response.headers_mut() = without_hops(answer.headers());
        call.answer = answer.bytes().await.unwrap_or_default();
        *response.body_mut() = Body::from(call.answer.clone());
    }
    call.status = response.status().as_u16();
    between.calls.lock().unwrap().push(call);
    response
}

fn without_hops(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers
}

/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`
fn signed(headers: &HeaderMap) -> (Option<String>, String) {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = authorization.split_once("Credential=").and_then(|(_, rest)| rest.split(',').next());
    let mut parts = scope.unwrap_or_default().split('/');
    let key = parts.next().filter(|key| !key.is_empty()).map(str::to_owned);
    (key, parts.nth(2).unwrap_or_default().to_owned())
}
