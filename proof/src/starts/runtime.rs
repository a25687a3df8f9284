//! The Runtime API of Lambda on loopback, for one process and one event (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>):
//! notes when the process asked for the event, and when it had answered.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::sync::oneshot;

/// As the deployment sets the timeout of a function.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a process did with its first event.
pub(super) struct Answered {
    pub(super) asked_at: Instant,
    pub(super) at: Instant,
    pub(super) answer: Value,
}

#[derive(Clone)]
struct Api {
    event: Arc<str>,
    asked_at: Arc<Mutex<Option<Instant>>>,
    tell: Arc<Mutex<Option<oneshot::Sender<Answered>>>>,
}

pub(super) struct Runtime {
    /// As the process gets it: without a scheme.
    pub(super) address: String,
    answered: oneshot::Receiver<Answered>,
    serving: tokio::task::JoinHandle<()>,
}

impl Runtime {
    pub(super) async fn open(event: &Value) -> anyhow::Result<Self> {
        let (tell, answered) = oneshot::channel();
        let tell = Arc::new(Mutex::new(Some(tell)));
        let api = Api { event: event.to_string().into(), asked_at: Arc::default(), tell };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(response))
            .with_state(api);
        let serving = tokio::spawn(async move {
            // It ends with this measurement.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, answered, serving })
    }

    pub(super) async fn answered(mut self) -> anyhow::Result<Answered> {
        let answered = tokio::time::timeout(TIMEOUT, &mut self.answered).await;
        answered.context("it did not answer in time")?.context("it went away")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn next(State(api): State<Api>) -> (HeaderMap, String) {
    let asked_at = api.asked_at.lock().ok().is_some_and(|mut at| at.replace(Instant::now()).is_some());
    if asked_at {
        // There is one event.
        std::future::pending::<()>().await;
    }
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    let deadline =
        HeaderValue::from_str(&deadline.as_millis().to_string()).unwrap_or(HeaderValue::from_static("0"));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", HeaderValue::from_static("8476a536-e9f4-11e8-9739-2dfe598c3fcd")),
        ("lambda-runtime-deadline-ms", deadline),
        (
            "lambda-runtime-invoked-function-arn",
            HeaderValue::from_static("arn:aws:lambda:eu-central-1:123456789012:function:x"),
        ),
        ("content-type", HeaderValue::from_static("application/json")),
    ] {
        headers.insert(HeaderName::from_static(name), value);
    }
    (headers, api.event.to_string())
}

async fn response(State(api): State<Api>, body: String) -> StatusCode {
    let at = Instant::now();
    let answer = serde_json::from_str(&body).unwrap_or(Value::String(body));
    let asked_at = api.asked_at.lock().ok().and_then(|at| *at);
    let tell = api.tell.lock().ok().and_then(|mut tell| tell.take());
    if let (Some(asked_at), Some(tell)) = (asked_at, tell) {
        // Nobody may be waiting any more.
        let _ = tell.send(Answered { asked_at, at, answer });
    }
    StatusCode::ACCEPTED
}
