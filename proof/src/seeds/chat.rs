//! The chat channel of a run: it keeps what it was sent, or is down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use jiff::Timestamp;

use super::clock::Virtual;

#[derive(Debug, Clone, Default)]
pub struct Chat {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    down: bool,
    /// It was down at some time: what is owed for a day is given up.
    was_down: bool,
    told: Vec<(Timestamp, String)>,
    /// What came while it was down.
    missed: Vec<(Timestamp, String)>,
    clock: Option<Virtual>,
}

impl Chat {
    pub(super) fn new(clock: Virtual) -> Self {
        let chat = Self::default();
        chat.inner().clock = Some(clock);
        chat
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn router(&self) -> Router {
        Router::new().route("/services/{*path}", post(take)).with_state(self.clone())
    }

    pub(super) fn set_down(&self, down: bool) {
        let mut inner = self.inner();
        inner.down = down;
        inner.was_down |= down;
    }

    #[must_use]
    pub fn was_down(&self) -> bool {
        self.inner().was_down
    }

    /// The messages that it took, as they were sent, and when.
    #[must_use]
    pub fn told(&self) -> Vec<(Timestamp, String)> {
        self.inner().told.clone()
    }

    /// The messages that it did not take, as they were sent, and when.
    #[must_use]
    pub fn missed(&self) -> Vec<(Timestamp, String)> {
        self.inner().missed.clone()
    }
}

async fn take(State(chat): State<Chat>, body: Bytes) -> (StatusCode, &'static str) {
    let mut inner = chat.inner();
    let at = inner.clock.as_ref().map(Virtual::now).unwrap_or_default();
    let message = (at, String::from_utf8_lossy(&body).into_owned());
    if inner.down {
        inner.missed.push(message);
        return (StatusCode::SERVICE_UNAVAILABLE, "down");
    }
    inner.told.push(message);
    (StatusCode::OK, "ok")
}
