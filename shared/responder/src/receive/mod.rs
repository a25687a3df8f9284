//! What the internet reaches: verifies, persists, answers. Has no Graph credential and decides nothing.
//!
//! 2xx means durable. What could not be made durable is 503, so that Graph sends it again. What is not ours is counted,
//! dropped, and still answered 202: an attacker learns nothing, and Graph does not repeat it for four hours.

mod admit;
mod handshake;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use model::{Clock, NoticeKind, TenantId};
use seal::StateKeys;
use tokio::sync::Semaphore;

use crate::{Notices, Queues};

pub use tally::Tally;

/// The flow `notifications`.
#[derive(Clone)]
pub struct Receiver {
    pub tenant: TenantId,
    pub keys: Arc<StateKeys>,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub notices: Notices,
    pub clock: Clock,
    pub tally: Arc<Tally>,
    /// A fresh id for each change that is admitted.
    pub correlate: fn() -> model::Correlation,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// What stopped a POST before it could be read.
enum Unread {
    TooLarge,
    TooSlow,
    BrokenOff,
}

impl Receiver {
    /// Bytes of one POST. A notification has about 500, and Graph sends many at once.
    pub const MOST_BYTES: usize = 4 * 1024 * 1024;
    /// From the head of a POST to the end of its body. Graph itself gives up after ten seconds.
    pub const SLOWEST: Duration = Duration::from_secs(10);
    /// POSTs in memory at once; more are asked to come again.
    const AT_ONCE: usize = 64;

    pub fn router(self) -> Router {
        let places = Arc::new(Semaphore::new(Self::AT_ONCE));
        let state = (Arc::new(self), places);
        Router::new()
            .route("/graph/notifications", post(receive))
            .route("/graph/lifecycle", post(receive))
            .route("/healthz", get(healthy))
            .with_state(state)
    }

    async fn take(&self, body: Body) -> StatusCode {
        let body = match read(body).await {
            Ok(body) => body,
            Err(Unread::TooLarge) => return self.too_large().await,
            Err(Unread::TooSlow) => return StatusCode::REQUEST_TIMEOUT,
            Err(Unread::BrokenOff) => return StatusCode::BAD_REQUEST,
        };
        let items = match graph::parse(&body) {
            Ok(items) => items,
            Err(error) => {
                self.tally.unparsable();
                tracing::debug!(body.bytes = body.len(), "a POST is not a notification: {error}");
                return StatusCode::BAD_REQUEST;
            }
        };
        match self.admit(items).await {
            Ok(()) => StatusCode::ACCEPTED,
            Err(trouble) => {
                tracing::error!(
                    "failed to make notifications durable; Graph is asked to send them again: {trouble}"
                );
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    async fn too_large(&self) -> StatusCode {
        let now = self.clock.now();
        if let Some(times) = self.tally.oversized(now) {
            let text = format!(
                "a POST of more than {} bytes was refused; if Microsoft Graph sent it, its changes are not known",
                Self::MOST_BYTES
            );
            let raised =
                self.notices.raise(NoticeKind::OversizedNotification, "oversized", text, times).await;
            if let Err(trouble) = raised {
                tracing::error!("failed to tell of an oversized POST: {trouble}");
            }
        }
        StatusCode::PAYLOAD_TOO_LARGE
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Unread> {
    let whole = Limited::new(body, Receiver::MOST_BYTES).collect();
    match tokio::time::timeout(Receiver::SLOWEST, whole).await {
        Err(_) => Err(Unread::TooSlow),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::BrokenOff),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

async fn receive(
    State((receiver, places)): State<(Arc<Receiver>, Arc<Semaphore>)>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    if let Some(answer) = handshake::answer(query.as_deref().unwrap_or_default()) {
        return answer;
    }
    let Ok(_place) = places.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    receiver.take(body).await.into_response()
}

/// Healthy is who can make a change durable.
async fn healthy(State((receiver, _)): State<(Arc<Receiver>, Arc<Semaphore>)>) -> Response {
    match receiver.queues.changes.depth(receiver.clock.now()).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            tracing::error!("unhealthy: {error}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
