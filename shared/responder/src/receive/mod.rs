//! What the internet reaches: verifies, persists, answers. Has no Graph credential and decides nothing.
//!
//! 2xx means durable. What could not be made durable is 503, so that Graph sends it again. What is not ours is counted,
//! dropped, and still answered 202: an attacker learns nothing, and Graph does not repeat it for four hours.

mod admit;
mod body;
mod handshake;
mod records;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Router};
use model::{Clock, NoticeKind, TenantId};
use seal::StateKeys;

use crate::meter::Refusal;
use crate::newer_keys::{KeysMayBeOld, no_key_fits};
use crate::traced::served;
use crate::{Meter, Notices, Queues};
use admit::Sealed;
use body::{Bodies, Unread, Whole};

pub use tally::Tally;

const NOTIFICATIONS: &str = "/graph/notifications";
const LIFECYCLE: &str = "/graph/lifecycle";

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
    pub meter: Meter,
    /// A fresh id for each change that is admitted.
    pub correlate: fn() -> model::Correlation,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// The receiver, and what has come in and is not yet done with.
struct Desk {
    receiver: Receiver,
    bodies: Bodies,
}

impl Receiver {
    /// Bytes of one POST. A notification has about 500, and Graph sends many at once.
    pub const MOST_BYTES: usize = 4 * 1024 * 1024;
    /// From the head of a POST to the end of its body. Graph itself gives up after ten seconds.
    pub const SLOWEST: Duration = Duration::from_secs(10);

    pub fn router(self) -> Router {
        self.router_within(Self::SLOWEST)
    }

    /// As [`Receiver::router`], for whoever cannot wait so long to see a slow client cut off.
    pub fn router_within(self, slowest: Duration) -> Router {
        let desk = Arc::new(Desk { receiver: self, bodies: Bodies::new(slowest) });
        Router::new()
            .route(NOTIFICATIONS, receiving(NOTIFICATIONS))
            .route(LIFECYCLE, receiving(LIFECYCLE))
            .with_state(desk)
    }

    async fn take(&self, body: &[u8], keys: Option<KeysMayBeOld>) -> Response {
        let open = |state: &str| {
            self.keys.open(state, self.tenant).ok().map(|(watched, nonce, _)| Sealed { watched, nonce })
        };
        let sifted = match graph::sift(body, open) {
            Ok(sifted) => sifted,
            Err(error) => {
                self.tally.unparsable();
                self.meter.refused(Refusal::Unparsable, 1);
                tracing::debug!(body.bytes = body.len(), "a POST is not a notification: {error}");
                return StatusCode::BAD_REQUEST.into_response();
            }
        };
        if keys.is_some() && sifted.others > 0 {
            return no_key_fits();
        }
        match self.admit(sifted).await {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(trouble) => {
                self.meter.refused(Refusal::NotDurable, 1);
                tracing::error!(
                    "failed to make notifications durable; Graph is asked to send them again: {trouble}"
                );
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }

    async fn too_large(&self) -> StatusCode {
        let now = self.clock.now();
        self.meter.refused(Refusal::TooLarge, 1);
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

impl Desk {
    async fn take(&self, body: Body, keys: Option<KeysMayBeOld>) -> Response {
        let unread = match self.bodies.read(body).await {
            Ok(Whole { bytes, place: _place }) => return self.receiver.take(&bytes, keys).await,
            Err(unread) => unread,
        };
        let status = match unread {
            Unread::TooLarge => self.receiver.too_large().await,
            Unread::TooSlow => self.refuse(Refusal::TooSlow, StatusCode::REQUEST_TIMEOUT),
            Unread::BrokenOff => self.refuse(Refusal::BrokenOff, StatusCode::BAD_REQUEST),
            Unread::NoPlace => self.refuse(Refusal::NoPlace, StatusCode::SERVICE_UNAVAILABLE),
        };
        status.into_response()
    }

    fn refuse(&self, why: Refusal, status: StatusCode) -> StatusCode {
        self.receiver.meter.refused(why, 1);
        status
    }
}

async fn receive(desk: Arc<Desk>, keys: Option<KeysMayBeOld>, query: Option<String>, body: Body) -> Response {
    match handshake::answer(query.as_deref().unwrap_or_default()) {
        Some(answer) => answer,
        None => desk.take(body, keys).await,
    }
}

/// A POST to this path.
fn receiving(route: &'static str) -> MethodRouter<Arc<Desk>> {
    type Keys = Option<Extension<KeysMayBeOld>>;
    post(move |State(desk): State<Arc<Desk>>, keys: Keys, RawQuery(query): RawQuery, body: Body| {
        let keys = keys.map(|Extension(keys)| keys);
        served("POST", route, receive(desk, keys, query, body))
    })
}
