//! What monitoring asks of this machine: `/healthz`, `/readyz` and `/metrics`. Nobody is asked who he is here, so that it is
//! served on a loopback address alone, and never by the receiver's router.
//!
//! Never here: personal data, and anything that changes Guestlist.

mod metrics;
mod ready;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use model::{Clock, Mode};
use policy::Policy;
use prometheus::TextEncoder;
use responder::Meter;
use tokio::sync::watch;

use crate::{Store, Traces};

/// What a process shows to monitoring.
#[derive(Debug, Clone)]
pub struct Admin {
    pub store: Store,
    pub meter: Meter,
    /// `None`: this process needs none.
    pub policy: Option<watch::Receiver<Arc<Policy>>>,
    /// Whether what lies where the policy belongs is not what is in force. `None`: nobody here looks.
    pub policy_refused: Option<watch::Receiver<bool>>,
    pub ceiling: Mode,
    pub clock: Clock,
    /// `None`: this process makes none.
    pub traces: Option<Traces>,
}

impl Admin {
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(healthy))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
    }
}

/// The process lives, and its store answers: what else is wrong, a restart does not mend. Costs little, however much waits.
async fn healthy(State(admin): State<Arc<Admin>>) -> Response {
    match admin.store.queues.changes.next_due().await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            tracing::error!("unhealthy: {error}");
            (StatusCode::SERVICE_UNAVAILABLE, format!("the store does not answer: {error}\n")).into_response()
        }
    }
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let answer = admin.readiness().await;
    let status = if answer.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(answer)).into_response()
}

/// The text exposition format 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let text = admin.gather().await.and_then(|families| Ok(TextEncoder::new().encode_to_string(&families)?));
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!("failed to gather the metrics: {error:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
