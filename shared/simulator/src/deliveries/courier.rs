//! Carries notifications and validation handshakes to receivers, over loopback or into a router of this process, and
//! records both. The clock decides what is due; the time that a receiver has to answer is real time.
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use super::{Parcel, Receiver};
use crate::record::{Exchange, Kind};
use crate::world::World;

/// A first attempt must be answered within this time, a retry within `PATIENT`.
const HURRIED: Duration = Duration::from_secs(3);
const PATIENT: Duration = Duration::from_secs(10);

/// What a receiver answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn is_plain_text(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/plain"))
    }

    /// Whether it is the answer to the handshake that `url` carries.
    fn echoes(&self, url: &str) -> bool {
        let url = url::Url::parse(url).ok();
        let token =
            url.as_ref().and_then(|url| url.query_pairs().find(|(name, _)| name == "validationToken"));
        let echoed = token.is_some_and(|(_, token)| self.body == token.as_bytes());
        self.status == 200 && self.is_plain_text() && echoed
    }
}

/// Sends what is due by the clock; gives back how many notifications were tried.
pub(crate) async fn deliver_due(world: &Arc<World>) -> usize {
    let mut tried = 0;
    loop {
        let parcels = take_due(world);
        if parcels.is_empty() {
            return tried;
        }
        for parcel in parcels {
            tried += parcel.letters.len();
            carry(world, parcel).await;
        }
    }
}

/// Delivers for as long as the simulator runs. Parcels to several receivers travel at the same time.
pub(crate) async fn run(world: Arc<World>) {
    let mut travelling = tokio::task::JoinSet::new();
    loop {
        for parcel in take_due(&world) {
            let world = Arc::clone(&world);
            travelling.spawn(async move { carry(&world, parcel).await });
        }
        while travelling.try_join_next().is_some() {}
        // The clock may be set by hand, so that a look now and then is needed beside the bell.
        let _ = tokio::time::timeout(Duration::from_millis(50), world.bell.notified()).await;
    }
}

fn take_due(world: &World) -> Vec<Parcel> {
    world.look(|state, now| {
        state.subscriptions.sweep(now);
        let reordered = state.faults.notifications.reordered;
        let tenant = state.tenant.id;
        state.outbox.take_due(now, &state.subscriptions, tenant, reordered, &mut state.luck)
    })
}

async fn carry(world: &World, parcel: Parcel) {
    let Parcel { url, letters, items, first } = parcel;
    let body = Bytes::from(json!({"value": items}).to_string());
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    let patience = if first { HURRIED } else { PATIENT };
    let strange = letters.iter().any(|letter| letter.notice.is_undocumented());
    let reply = post(world, &url, headers, body, patience, strange).await;
    let taken = reply.is_some_and(|reply| (200..300).contains(&reply.status));
    world.look(|state, now| {
        if taken {
            state.traffic.notifications_taken += letters.len() as u64;
        } else {
            let given_up = state.outbox.refused(letters, now);
            state.traffic.notifications_given_up += given_up;
        }
    });
}

/// POSTs to the receiver behind `url` and records the exchange. None = no answer in time, or nobody there. `strange`:
/// the body says what Microsoft does not describe (yet).
pub(crate) async fn post(
    world: &World,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
    patience: Duration,
    strange: bool,
) -> Option<Reply> {
    let sent = async {
        let (receiver, rest) = world.receivers.find(url)?;
        match receiver {
            Receiver::Network(base) => over_the_network(&base, &rest, headers.clone(), body.clone()).await,
            Receiver::InProcess(router) => in_process(router, &rest, headers.clone(), body.clone()).await,
        }
    };
    let reply = tokio::time::timeout(patience, sent).await.ok().flatten();
    note(world, url, &headers, &body, reply.as_ref(), strange);
    reply
}

async fn over_the_network(base: &str, rest: &str, headers: HeaderMap, body: Bytes) -> Option<Reply> {
    let client = client()?;
    let url = format!("{}{rest}", base.trim_end_matches('/'));
    let answer = client.post(url).headers(headers).body(body).send().await.ok()?;
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    Some(Reply { status, headers, body: answer.bytes().await.ok()? })
}

/// One client for the process: it keeps connections, and it follows no redirect, as Graph does not.
fn client() -> Option<&'static reqwest::Client> {
    static CLIENT: std::sync::OnceLock<Option<reqwest::Client>> = std::sync::OnceLock::new();
    CLIENT
        .get_or_init(|| {
            let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
            // Tests run on one runtime each: a connection must not outlive the runtime that opened it.
            builder.pool_max_idle_per_host(0).build().ok()
        })
        .as_ref()
}

async fn in_process(router: axum::Router, rest: &str, headers: HeaderMap, body: Bytes) -> Option<Reply> {
    let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
    let mut request = Request::builder().method(Method::POST).uri(target).body(Body::from(body)).ok()?;
    *request.headers_mut() = headers;
    let answer = router.oneshot(request).await.ok()?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

fn note(world: &World, url: &str, headers: &HeaderMap, body: &[u8], reply: Option<&Reply>, strange: bool) {
    let Some(recorder) = &world.record else { return };
    let spoiled = world.look(|state, _| state.receiver_is_faulty);
    let taken = reply.is_some_and(|reply| match body.is_empty() {
        true => reply.echoes(url),
        false => (200..300).contains(&reply.status),
    });
    let none = HeaderMap::new();
    recorder.note(&Exchange {
        kind: if spoiled && (!taken || strange) { Kind::Ignore } else { Kind::Notification },
        method: "POST",
        url,
        request_headers: headers,
        request_body: body,
        status: reply.map(|reply| reply.status),
        response_headers: reply.map_or(&none, |reply| &reply.headers),
        response_body: reply.map_or(&[], |reply| &reply.body),
    });
}
