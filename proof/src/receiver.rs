//! How many notifications the receiver makes durable in a second, beside a bare server that only reads the body, both
//! driven by the same client in the same run. The ratio holds better than the figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use host::{Assembly, Environment, Needs, Part, Server, Settings, Store};
use model::{Binding, SubscriptionId, SubscriptionRecord, TenantId, Watched};
use tokio::sync::watch;
use url::Url;
use wire::{Call, Wire};

const POSTS: usize = 20_000;
const CONNECTIONS: usize = 64;
const ITEMS: usize = 3;
pub(crate) const TENANT: TenantId = TenantId::from_u128(0xc027_0500_0000_4000_8000_0000_0000_0000);
const SUBSCRIPTION: SubscriptionId = SubscriptionId::from_u128(5);

pub(crate) async fn measure() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let values = [
        ("GUESTLIST_TENANT_ID", TENANT.to_string()),
        ("GUESTLIST_DATA", folder.path().display().to_string()),
    ];
    let environment =
        Environment::of(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let settings = Settings::read(&environment, Needs::default())?;
    let store = Store::open(&settings.data, settings.tenant)?;
    let keys = Arc::new(host::state_keys(&settings.data)?);
    let nonce = seal::nonce(host::random());
    let state = keys.seal(TENANT, Watched::Users, &nonce);
    store.ledger.insert(record(nonce, keys.sealing_key())).await?;
    let clock = host::clock();
    let assembly = Assembly {
        settings,
        store: store.clone(),
        policy: None,
        keys: Some(keys),
        wire: Wire::network()?,
        clock: clock.clone(),
        patience: Duration::ZERO,
        traces: None,
    };
    let receiver = assembly.build(&[Part::Notifications])?.receiver.context("no receiver")?;
    let bare = Router::new().route("/graph/notifications", post(async |_: Bytes| StatusCode::ACCEPTED));
    let (stop, stopped) = watch::channel(false);
    let (ours, theirs) = (serve(receiver.router(), &stopped).await?, serve(bare, &stopped).await?);
    for round in 1..=3 {
        let a = rate(&theirs, state.as_str()).await?;
        let b = rate(&ours, state.as_str()).await?;
        println!(
            "round {round}: bare {a:.0} POST/s, durable {b:.0} POST/s of {ITEMS} notifications each, ratio {:.2}",
            b / a
        );
    }
    let depth = store.queues.changes.depth(clock.now()).await?;
    println!("{} jobs are on disk", depth.ready + depth.waiting);
    stop.send_replace(true);
    Ok(())
}

/// Of the subscription that [`item`] names.
pub(crate) fn record(nonce: model::Nonce, key: &str) -> SubscriptionRecord {
    let now = host::clock().now();
    SubscriptionRecord {
        nonce,
        tenant: TENANT,
        watched: Watched::Users,
        notification_url: "https://guestlist.example/graph/notifications".to_owned(),
        key: key.to_owned(),
        asked_at: now,
        binding: Binding::Bound { id: SUBSCRIPTION, expires_at: now, renewed_at: now },
        last_notification_at: None,
    }
}

async fn serve(router: Router, stopped: &watch::Receiver<bool>) -> anyhow::Result<Url> {
    let server = Server::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = Url::parse(&format!("http://{}/graph/notifications", server.address()?))?;
    tokio::spawn(server.serve(router, stopped.clone()));
    Ok(url)
}

/// Every POST names three users of its own.
async fn rate(url: &Url, state: &str) -> anyhow::Result<f64> {
    let wire = Wire::network()?;
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (wire, url, state) = (wire.clone(), url.clone(), state.to_owned());
        running.spawn(async move {
            for _ in 0..POSTS / CONNECTIONS {
                let reply = wire.send(Call::post(url.clone(), body(&state))).await?;
                anyhow::ensure!(reply.status == StatusCode::ACCEPTED, "answered {}", reply.status);
            }
            Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(POSTS as f64 / began.elapsed().as_secs_f64())
}

fn body(state: &str) -> String {
    let item = |_| item(&uuid::Uuid::new_v4().to_string(), state);
    serde_json::json!({"value": (0..ITEMS).map(item).collect::<Vec<_>>()}).to_string()
}

/// A notification of a user, as Graph words it.
pub(crate) fn item(id: &str, state: &str) -> serde_json::Value {
    serde_json::json!({
        "changeType": "updated", "clientState": state, "resource": format!("Users/{id}"),
        "resourceData": {"@odata.type": "#Microsoft.Graph.User", "id": id, "organizationId": TENANT.to_string(), "sequenceNumber": 638_059_995_676_961_300_u64},
        "subscriptionExpirationDateTime": "2026-11-22T09:00:00.0000000Z",
        "subscriptionId": SUBSCRIPTION.to_string(), "tenantId": TENANT.to_string(),
    })
}
