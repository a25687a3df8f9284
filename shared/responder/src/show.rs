//! One incident as a page, for whoever follows the link in a chat: what was found, why, what is planned or done, until when it
//! waits, and the commands that act on it. The page itself acts on nothing, and needs no credential, queue or policy.
//!
//! A link opens one incident for seven days, to whoever has it. Whatever else is asked for is one 404, the same for what is not
//! there and for what may not be seen: without a good link the ledger is not even asked.

use std::sync::Arc;

use alert::Message;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use jiff::SignedDuration;
use model::{Clock, IncidentId, TenantId};
use seal::StateKeys;
use url::{Url, form_urlencoded};

use crate::newer_keys::{KeysMayBeOld, no_key_fits};
use crate::traced::served;
use crate::trouble::after;
use crate::{Trouble, wanted};

const PATH: &str = "/incidents/";
const PAGE: &str = "/incidents/{id}";
const QUERY: &str = "link";
const NOTHING: &str = "There is nothing to see: the link is not whole, or its time is over. `guestlist incidents` shows all there is.\n";

/// Makes the links that open pages.
#[derive(Debug, Clone)]
pub struct Links {
    pub tenant: TenantId,
    pub keys: Arc<StateKeys>,
    /// Where `approvals` is reached: https, without a path.
    pub root: Url,
    pub clock: Clock,
}

impl Links {
    /// As long as a question waits.
    pub const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24 * 7);

    pub(crate) fn to(&self, incident: &IncidentId) -> Option<String> {
        let until = after(self.clock.now(), Self::GOOD_FOR);
        let mut url = self.root.join(&format!("{PATH}{incident}")).ok()?;
        url.query_pairs_mut().append_pair(QUERY, &self.keys.link(self.tenant, incident, until));
        Some(url.into())
    }
}

/// The flow `approvals`.
#[derive(Clone)]
pub struct Viewer {
    pub tenant: TenantId,
    pub keys: Arc<StateKeys>,
    pub ledger: ledger::Ledger,
    pub clock: Clock,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Viewer {
    pub fn router(self) -> Router {
        let page = get(show).layer(map_response(guarded)).with_state(Arc::new(self));
        Router::new().route(PAGE, page)
    }

    async fn look(&self, id: &str, query: &str) -> Result<Seen, Trouble> {
        let now = self.clock.now();
        let link = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == QUERY);
        let (Ok(id), Some((_, link))) = (id.parse::<IncidentId>(), link) else { return Ok(Seen::Nothing) };
        if self.keys.open_link(&link, self.tenant, &id, now).is_err() {
            return Ok(Seen::NotOpened);
        }
        let Some(stored) = self.ledger.incident(&id).await? else { return Ok(Seen::Nothing) };
        let told = crate::tell::as_known(&self.ledger, &stored.value, 0, now).await?;
        Ok(Seen::Incident(Box::new(told)))
    }
}

/// What a request leads to.
enum Seen {
    Incident(Box<Message>),
    /// The link does not open it, with the keys that we have.
    NotOpened,
    Nothing,
}

async fn show(
    State(viewer): State<Arc<Viewer>>,
    keys: Option<Extension<KeysMayBeOld>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (id, query) = (id.map(|Path(id)| id).unwrap_or_default(), query.unwrap_or_default());
    let page = async {
        match viewer.look(&id, &query).await {
            Ok(Seen::NotOpened) if keys.is_some() => no_key_fits(),
            seen => page(seen, &headers),
        }
    };
    served("GET", PAGE, page).await
}

/// Of a link that does not open nobody learns why.
fn page(seen: Result<Seen, Trouble>, headers: &HeaderMap) -> Response {
    match seen {
        Ok(Seen::Incident(message)) if wanted::is_text(headers) => message.text_page().into_response(),
        Ok(Seen::Incident(message)) => axum::response::Html(message.html()).into_response(),
        Ok(Seen::NotOpened | Seen::Nothing) => (StatusCode::NOT_FOUND, NOTHING).into_response(),
        Err(trouble) => {
            tracing::error!("failed to show an incident: {trouble}");
            (StatusCode::SERVICE_UNAVAILABLE, "The ledger cannot be read now. Try again in a minute.\n")
                .into_response()
        }
    }
}

/// Whatever the answer is, nobody keeps it, frames it, runs anything in it, or learns of the link from it.
async fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, Message::PAGE_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::VARY, "accept"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
