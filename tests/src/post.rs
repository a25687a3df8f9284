//! POSTs at the receiver, as Graph or as anybody else: genuine notifications that the tenant did not send, and others.

use axum::body::Bytes;
use host::{Limits, Server};
use http::header;
use model::{ObjectId, ResourceKind, TenantId, Watched};
use responder::Receiver;
use serde_json::{Value, json};
use simulator::Subscription;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use url::Url;
use uuid::Uuid;
use wire::Call;

use crate::{Guest, World};

/// All that a sender learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub status: u16,
    /// Sorted, and without the date.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Heard {
    #[must_use]
    pub fn of(reply: &wire::Reply) -> Self {
        let shown = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let mut headers: Vec<_> = reply.headers.iter().map(shown).collect();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        let body = String::from_utf8(reply.body.to_vec()).unwrap();
        Self { status: reply.status.as_u16(), headers, body }
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A body that holds these items.
#[must_use]
pub fn body_of(items: &[Value]) -> String {
    json!({ "value": items }).to_string()
}

/// The tenant of the stories, as our own code names it.
#[must_use]
pub fn tenant() -> TenantId {
    TenantId::from_u128(simulator::contoso::TENANT.as_u128())
}

impl World {
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Heard {
        self.post_at(&self.receiver, path, body).await
    }

    pub async fn post_at(&self, base: &Url, path: &str, body: impl Into<Bytes>) -> Heard {
        let mut call = Call::post(base.join(path).unwrap(), body);
        call.headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        Heard::of(&self.assembly.wire.send(call).await.unwrap())
    }

    /// POSTs items where notifications go.
    pub async fn notify(&self, items: &[Value]) -> Heard {
        self.post("/graph/notifications", body_of(items)).await
    }

    /// The tenant's own subscription.
    #[track_caller]
    #[must_use]
    pub fn subscription(&self, watched: Watched) -> Subscription {
        let all = self.simulator.subscriptions();
        let found = all.into_iter().find(|one| one.resource == watched.resource());
        found.unwrap_or_else(|| panic!("there is no subscription to {watched}"))
    }

    /// What Graph would post of an object, with everything as it should be.
    #[must_use]
    pub fn genuine(&self, watched: Watched, id: ObjectId) -> Value {
        let subscription = self.subscription(watched);
        let state = subscription.client_state.unwrap();
        notification(watched, id, subscription.id, &state)
    }

    /// A guest of whom the tenant says nothing: the story does.
    #[must_use]
    pub fn invite_unnoticed(&self, address: &str) -> Guest {
        self.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
        let guest = self.tenant.invite(address);
        self.simulator.set_faults(|faults| faults.notifications.lost = 0.0);
        guest
    }

    /// Serves another receiver beside the world's own, until the sender is dropped.
    pub async fn serve_beside(&self, receiver: axum::Router, limits: Limits) -> (Url, watch::Sender<bool>) {
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().within(limits);
        let base = Url::parse(&format!("http://{}", server.address().unwrap())).unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server.serve(receiver, stopped));
        (base, stop)
    }

    #[must_use]
    pub fn own_receiver(&self) -> Receiver {
        self.parts.receiver.clone().unwrap()
    }

    /// How many rows the tables of the store have together.
    pub async fn rows(&self) -> i64 {
        const COUNT: &str = "SELECT (SELECT count(*) FROM ledger_items) + (SELECT count(*) FROM queue_moves)
            + (SELECT count(*) FROM queue_dead)";
        self.store
            .database
            .as_ref()
            .unwrap()
            .read(|db| db.query_row(COUNT, [], |row| row.get(0)))
            .await
            .unwrap()
    }

    /// Changes what the store has kept, as another version would have written it. Returns how many rows that were.
    pub async fn change_rows(&self, statement: &'static str) -> usize {
        self.store.database.as_ref().unwrap().write(|db| db.execute(statement, [])).await.unwrap()
    }

    /// The dead letters of the changes, and why each lies there.
    pub async fn put_aside(&self) -> Vec<(String, String)> {
        let dead = self.store.queues.changes.dead(None, 1000).await.unwrap();
        dead.into_iter().map(|letter| (letter.body, letter.why)).collect()
    }

    /// Everything that was told and not read, a headline each, in no particular order.
    #[must_use]
    pub fn headlines(&self) -> Vec<String> {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let mut lines: Vec<_> = self.slack.read_all().iter().map(|told| first(told.text())).collect();
        lines.sort();
        lines
    }
}

#[must_use]
pub fn notification(watched: Watched, id: ObjectId, subscription: Uuid, state: &str) -> Value {
    let (set, kind) = match watched.kind() {
        ResourceKind::User => ("Users", "#Microsoft.Graph.User"),
        ResourceKind::Group => ("Groups", "#Microsoft.Graph.Group"),
    };
    json!({
        "changeType": "updated",
        "clientState": state,
        "resource": format!("{set}/{id}"),
        "resourceData": {
            "@odata.type": kind,
            "@odata.id": format!("{set}/{id}"),
            "id": id,
            "organizationId": tenant(),
            "sequenceNumber": 638_059_995_676_961_300_u64,
        },
        "subscriptionExpirationDateTime": "2026-11-22T01:00:00.0000000-08:00",
        "subscriptionId": subscription.to_string(),
        "tenantId": tenant(),
    })
}

/// A connection on which every byte is the story's.
#[derive(Debug)]
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn connect(base: &Url) -> Self {
        let address = (base.host_str().unwrap(), base.port().unwrap());
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Everything up to the end of the connection.
    pub async fn hear_all(&mut self) -> String {
        let mut heard = Vec::new();
        // A reset is an end, too.
        let _ = self.0.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// The status of the next answer.
    pub async fn hear_status(&mut self) -> u16 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap().split(' ').nth(1).unwrap().parse().unwrap()
    }
}
