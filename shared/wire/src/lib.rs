//! One HTTP request out and its answer in: over the network, or straight into a router of the same process.
//!
//! Stories use the network. Seeded runs use [`Wire::InProcess`], one thread and virtual time, so that a seed replays.
//! Never here: retries, credentials, or anything that knows what is being asked.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use url::Url;

/// Where requests go.
#[derive(Debug, Clone)]
pub enum Wire {
    Network(reqwest::Client),
    InProcess(axum::Router),
}

/// A request, and how long and how much of an answer it may take.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From the first byte sent to the last byte read.
    pub timeout: Duration,
    /// Bytes of the answer's body.
    pub max_reply: usize,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Nothing came back, or not all of it. Names the host at most: a URL may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("no answer from {host} within {} ms", limit.as_millis())]
    Timeout { host: String, limit: Duration },
    #[error("cannot connect to {host}: {why}")]
    Connect { host: String, why: String },
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("the exchange with {host} broke off: {why}")]
    Broken { host: String, why: String },
    #[error("cannot set up the HTTP client: {why}")]
    Setup { why: String },
}

impl Call {
    pub const TIMEOUT: Duration = Duration::from_secs(20);
    pub const MAX_REPLY: usize = 16 * 1024 * 1024;

    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Self::TIMEOUT,
            max_reply: Self::MAX_REPLY,
        }
    }

    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    #[must_use]
    pub fn post(url: Url, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::new(Method::POST, url) }
    }

    /// Adds a header. A value that no header can carry is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or("an URL without a host").to_owned()
    }
}

impl Wire {
    /// A client that follows no redirect, asks no proxy, and keeps connections.
    ///
    /// # Errors
    /// The TLS library could not be set up.
    pub fn network() -> Result<Self, WireError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("guestlist/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(50))
            .build()
            .map_err(|error| WireError::Setup { why: innermost(&error) })?;
        Ok(Self::Network(client))
    }

    /// # Errors
    /// No answer, or not all of one, within the call's limits.
    pub async fn send(&self, call: Call) -> Result<Reply, WireError> {
        let (host, limit) = (call.host(), call.timeout);
        let exchange = async {
            match self {
                Self::Network(client) => over_the_network(client, call).await,
                Self::InProcess(router) => in_process(router.clone(), call).await,
            }
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or(Err(WireError::Timeout { host, limit }))
    }
}

async fn over_the_network(client: &reqwest::Client, call: Call) -> Result<Reply, WireError> {
    let host = call.host();
    let broken = |error: reqwest::Error| {
        let why = innermost(&error);
        if error.is_connect() {
            WireError::Connect { host: host.clone(), why }
        } else {
            WireError::Broken { host: host.clone(), why }
        }
    };
    let request = client.request(call.method, call.url).headers(call.headers).body(call.body);
    let mut response = request.send().await.map_err(broken)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > call.max_reply {
            return Err(WireError::TooLarge { host, limit: call.max_reply });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers, body: body.freeze() })
}

async fn in_process(router: axum::Router, call: Call) -> Result<Reply, WireError> {
    let host = call.host();
    let broken = |why: String| WireError::Broken { host: host.clone(), why };
    let mut request = http::Request::builder()
        .method(call.method)
        .uri(call.url.as_str())
        .body(axum::body::Body::from(call.body))
        .map_err(|error| broken(error.to_string()))?;
    *request.headers_mut() = call.headers;
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, call.max_reply).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            WireError::TooLarge { host: host.clone(), limit: call.max_reply }
        } else {
            broken(error.to_string())
        }
    })?;
    Ok(Reply { status: parts.status, headers: parts.headers, body: body.to_bytes() })
}

/// The cause at the bottom: reqwest's own words repeat the URL, which may be a secret.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if std::ptr::eq(std::ptr::from_ref(cause).cast::<()>(), std::ptr::from_ref(error).cast::<()>()) {
        return "the request failed".to_owned();
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    fn router() -> Router {
        Router::new()
            .route("/hello", get(|| async { "hello" }))
            .route("/long", get(|| async { "x".repeat(100_000) }))
            .route("/away", get(|| async { (StatusCode::FOUND, [("location", "/hello")]) }))
            .route("/never", get(std::future::pending::<()>))
    }

    /// The same router, on loopback and in process.
    async fn both() -> Vec<(Wire, Url)> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router()).await });
        vec![(Wire::network().unwrap(), url.clone()), (Wire::InProcess(router()), url)]
    }

    #[tokio::test]
    async fn a_router_answers_alike_over_the_network_and_in_process() {
        for (wire, url) in both().await {
            let reply = wire.send(Call::get(url.join("/hello").unwrap())).await.unwrap();
            assert_eq!((reply.status, reply.body.as_ref()), (StatusCode::OK, b"hello".as_slice()));
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        for (wire, url) in both().await {
            let reply = wire.send(Call::get(url.join("/away").unwrap())).await.unwrap();
            assert_eq!(reply.status, StatusCode::FOUND);
        }
    }

    #[tokio::test]
    async fn an_answer_above_the_limit_and_one_that_never_comes_are_errors() {
        for (wire, url) in both().await {
            let long = Call { max_reply: 10, ..Call::get(url.join("/long").unwrap()) };
            let error = wire.send(long).await.unwrap_err();
            assert_eq!(error.to_string(), "the answer of 127.0.0.1 is longer than 10 bytes");
            let never = Call::get(url.join("/never?secret").unwrap()).timeout(Duration::from_millis(50));
            let error = wire.send(never).await.unwrap_err();
            assert_eq!(error.to_string(), "no answer from 127.0.0.1 within 50 ms");
        }
    }

    #[tokio::test]
    async fn an_error_never_shows_the_path_or_query() {
        let wire = Wire::network().unwrap();
        let url = Url::parse("http://127.0.0.1:9/services/T0/secret?sig=secret").unwrap();
        let error = wire.send(Call::get(url)).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot connect to 127.0.0.1: "), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
