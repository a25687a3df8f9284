//! A chat channel for the demo: keeps what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;

/// A Slack-like incoming webhook on loopback.
#[derive(Debug, Clone)]
pub(super) struct Chat {
    pub(super) url: String,
    told: Arc<Mutex<Vec<Bytes>>>,
}

impl Chat {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().route("/services/demo", post(take)).with_state(Arc::clone(&told));
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.context("failed to open the demo's chat")?;
        let url = format!("http://{}/services/demo", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, told })
    }

    pub(super) fn count(&self) -> usize {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The text of the first message.
    pub(super) fn first(&self) -> Option<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let message: Value = serde_json::from_slice(told.first()?).ok()?;
        let mut lines = Vec::new();
        texts(message.get("blocks")?, &mut lines);
        Some(lines.join("\n"))
    }
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

async fn take(State(told): State<Arc<Mutex<Vec<Bytes>>>>, body: Bytes) -> &'static str {
    told.lock().unwrap_or_else(PoisonError::into_inner).push(body);
    "ok"
}
