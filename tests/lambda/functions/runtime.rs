//! The Runtime API of Lambda on loopback (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): hands one event at a time
//! to a process, takes the answer, and stops the process before it hears that the answer was taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::{get, post};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::{Mutex as Turn, mpsc, oneshot};

/// What a function answered.
pub(crate) type Answer = Result<Value, String>;

struct Event {
    id: String,
    deadline_ms: u128,
    payload: String,
}

#[derive(Clone)]
struct Api {
    events: Arc<Turn<mpsc::UnboundedReceiver<Event>>>,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>,
    process: Arc<Mutex<Option<Pid>>>,
}

pub(crate) struct Runtime {
    /// As the process gets it: without a scheme.
    pub(crate) address: String,
    send: mpsc::UnboundedSender<Event>,
    api: Api,
}

impl Runtime {
    pub(crate) async fn open() -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        let events = Arc::new(Turn::new(receive));
        let api = Api { events, waiting: Arc::default(), process: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, send, api }
    }

    pub(crate) fn watch(&self, process: u32) {
        *self.api.process.lock().unwrap() = Some(Pid::from_raw(process.try_into().unwrap()));
    }

    /// Lets the process go on and gives it an event. The answer comes when the process was told to stop.
    pub(crate) fn hand_over(&self, payload: &Value, timeout: Duration) -> oneshot::Receiver<Answer> {
        let (tell, answer) = oneshot::channel();
        let id = uuid::Uuid::new_v4().to_string();
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + timeout;
        self.api.waiting.lock().unwrap().insert(id.clone(), tell);
        self.api.signal(Signal::SIGCONT);
        let event = Event { id, deadline_ms: deadline.as_millis(), payload: payload.to_string() };
        self.send.send(event).ok().unwrap();
        answer
    }
}

impl Api {
    fn signal(&self, signal: Signal) {
        let process = self.process.lock().unwrap().expect("the process was started");
        // It may have ended, which whoever waits for its answer finds out.
        let _ = kill(process, signal);
    }

    /// As strict as Lambda: an answer is to an event that waits for one.
    fn end(&self, id: &str, answer: Answer) -> StatusCode {
        let Some(tell) = self.waiting.lock().unwrap().remove(id) else { return StatusCode::BAD_REQUEST };
        self.signal(Signal::SIGSTOP);
        let _ = tell.send(answer);
        StatusCode::ACCEPTED
    }
}

async fn next(State(api): State<Api>) -> (HeaderMap, String) {
    let Event { id, deadline_ms, payload } = api.events.lock().await.recv().await.unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:x".to_owned(),
        ),
        ("lambda-runtime-trace-id", "Root=1-692f1d40-1f2e3d4c5b6a798812345678".to_owned()),
        ("content-type", "application/json".to_owned()),
    ] {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    (headers, payload)
}

async fn response(State(api): State<Api>, Path(id): Path<String>, body: String) -> StatusCode {
    match serde_json::from_str(&body) {
        Ok(payload) => api.end(&id, Ok(payload)),
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

async fn error(State(api): State<Api>, Path(id): Path<String>, body: String) -> StatusCode {
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    api.end(&id, Err(told["errorMessage"].as_str().unwrap_or_default().to_owned()))
}
