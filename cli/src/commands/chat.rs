//! A simulated chat channel, for the demo and the simulator: keeps what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;

/// What the channel does with each message as it comes.
type Heard = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Clone)]
struct Ear {
    told: Arc<Mutex<Vec<String>>>,
    heard: Heard,
}

/// A Slack-like incoming webhook on loopback.
pub(super) struct Chat {
    pub(super) url: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Chat {
    pub(super) async fn open(heard: impl Fn(&str) + Send + Sync + 'static) -> anyhow::Result<Self> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Ear { told: Arc::clone(&told), heard: Arc::new(heard) };
        let router = Router::new().route("/services/demo", post(take)).with_state(ear);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .context("failed to open the simulated chat")?;
        let url = format!("http://{}/services/demo", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, told })
    }

    pub(super) fn count(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The text of the first message.
    pub(super) fn first(&self) -> Option<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }
}

/// All text of a message, a line each, in the order in which it is shown.
fn text_of(message: &[u8]) -> Option<String> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let mut lines = Vec::new();
    texts(message.get("blocks")?, &mut lines);
    Some(lines.join("\n"))
}

fn texts(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| texts(one, lines)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "text" => lines.push(text.clone()),
                    other => texts(other, lines),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn take(State(ear): State<Ear>, body: Bytes) -> &'static str {
    let text = text_of(&body).unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
    (ear.heard)(&text);
    ear.told.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    "ok"
}
