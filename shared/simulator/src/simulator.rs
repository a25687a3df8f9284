//! The handle on a running simulator: its addresses, its true state, its faults, its traffic.
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::deliveries::Receiver;
use crate::deliveries::courier;
use crate::deliveries::notice::{Lifecycle, Notice};
use crate::directory::Directory;
use crate::faults::Faults;
use crate::graph::subscriptions::Subscription;
use crate::options::{Delivery, Options};
use crate::record::Recorder;
use crate::server;
use crate::traffic::{Read, Traffic, Write};
use crate::world::World;

/// A tenant over HTTP. Clones share one tenant; the socket closes with `stop` or with the last clone.
#[derive(Clone, Debug)]
pub struct Simulator {
    world: Arc<World>,
    tasks: Arc<Tasks>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("listen on `{0}`: the simulator serves loopback only, choose 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    #[error("listen on `{address}`: {source}; choose another port, or 0 for a free one")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("open the record for appending: {0}")]
    Record(#[source] std::io::Error),
}

/// What runs for the simulator; ends when nobody holds it any more.
#[derive(Debug, Default)]
struct Tasks {
    running: Vec<JoinHandle<()>>,
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.running.iter().for_each(JoinHandle::abort);
    }
}

impl Simulator {
    /// Serves on loopback.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let address = options.listen;
        if !address.ip().is_loopback() {
            return Err(StartError::NotLoopback(address));
        }
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let local = listener.local_addr().map_err(listen)?;
        let record = options.record.as_deref().map(Recorder::open).transpose().map_err(StartError::Record)?;
        let world = Arc::new(World::new(options, record));
        let _ = world.base.set(format!("http://{local}"));
        let mut running = vec![tokio::spawn(server::serve(listener, server::router(Arc::clone(&world))))];
        if world.deliver == Delivery::Background {
            running.push(tokio::spawn(courier::run(Arc::clone(&world))));
        }
        Ok(Self { world, tasks: Arc::new(Tasks { running }) })
    }

    /// The same without a socket, for in-process use: notifications leave by `deliver_due` only. A record that cannot
    /// be opened is told in the log.
    pub fn new(options: Options) -> Self {
        let opened = options.record.as_deref().map(Recorder::open).transpose();
        let record = opened
            .inspect_err(|error| tracing::error!(error = %error, "failed to open the record"))
            .unwrap_or_default();
        Self { world: Arc::new(World::new(options, record)), tasks: Arc::default() }
    }

    /// Everything that the socket serves.
    pub fn router(&self) -> Router {
        server::router(Arc::clone(&self.world))
    }

    /// `http://127.0.0.1:PORT`: tokens at `{url}/{tenant}/oauth2/v2.0/token`, Graph at `{url}/v1.0`.
    pub fn url(&self) -> String {
        self.world.base.get().cloned().unwrap_or_else(|| "http://127.0.0.1".to_owned())
    }

    /// The true state, and the acts of people.
    pub fn tenant(&self) -> Directory {
        Directory::new(Arc::clone(&self.world))
    }

    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.world.look(|state, _| change(&mut state.faults));
    }

    /// No faults any more; those of `next` that struck nothing are forgotten too.
    pub fn calm(&self) {
        self.set_faults(|faults| *faults = Faults::default());
    }

    pub fn faults(&self) -> Faults {
        self.world.look(|state, _| state.faults.clone())
    }

    /// POSTs what is due by the clock, retries included; gives back how many notifications were tried.
    pub async fn deliver_due(&self) -> usize {
        courier::deliver_due(&self.world).await
    }

    /// When something is due next: now or later. None = nothing waits.
    pub fn next_delivery(&self) -> Option<Timestamp> {
        self.world.look(|state, _| state.outbox.next_due(&state.subscriptions))
    }

    /// Notifications that were raised and not yet taken, those held back included.
    pub fn waiting_notifications(&self) -> usize {
        self.world.look(|state, _| state.outbox.waiting())
    }

    /// Sends what subscriptions name under `https_prefix` into a router of this process.
    pub fn attach(&self, https_prefix: &str, receiver: Router) {
        self.world.receivers.add(https_prefix.to_owned(), Receiver::InProcess(receiver));
    }

    /// Sends what subscriptions name under `https_prefix` to `base` (`http://127.0.0.1:8080`).
    pub fn forward(&self, https_prefix: &str, base: &str) {
        self.world.receivers.add(https_prefix.to_owned(), Receiver::Network(base.to_owned()));
    }

    pub fn traffic(&self) -> Traffic {
        self.world.look(|state, _| state.traffic.clone())
    }

    pub fn reset_traffic(&self) {
        self.world.look(|state, _| state.traffic = Traffic::default());
    }

    /// Every state-changing Graph call since the last time, refused ones included; the control API is none of them.
    pub fn take_writes(&self) -> Vec<Write> {
        self.world.look(|state, _| std::mem::take(&mut state.writes))
    }

    /// Every GET that was answered since the last time, oldest first; the last 10,000.
    pub fn take_reads(&self) -> Vec<Read> {
        self.world.look(|state, _| std::mem::take(&mut state.reads).into())
    }

    /// While on, notifications and handshakes that a receiver spoils (and undocumented lifecycle events) are recorded
    /// as `ignore`, because a test spoiled them on purpose.
    pub fn record_as_fault(&self, on: bool) {
        self.world.look(|state, _| state.receiver_is_faulty = on);
    }

    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.world.look(|state, now| {
            state.subscriptions.sweep(now);
            state.subscriptions.all().cloned().collect()
        })
    }

    /// The subscription is gone without a word, as subscriptions of users and groups are. False = there was none.
    pub fn lose_subscription(&self, id: Uuid) -> bool {
        self.world.look(|state, _| state.subscriptions.remove(id).is_some())
    }

    /// Sends a lifecycle event for a subscription. False = there is no such subscription.
    pub fn send_lifecycle(&self, id: Uuid, event: Lifecycle) -> bool {
        self.world.act(|state, now| {
            let known = state.subscriptions.get(id).is_some();
            if known {
                state.outbox.put(id, Notice::Lifecycle(event), now);
            }
            known
        })
    }

    /// The authorization of a subscription runs out: the event is sent, and notifications are held back until the
    /// subscription is renewed or reauthorized.
    pub fn require_reauthorization(&self, id: Uuid) -> bool {
        self.world.look(|state, _| {
            if let Some(subscription) = state.subscriptions.get_mut(id) {
                subscription.held = true;
            }
        });
        self.send_lifecycle(id, Lifecycle::ReauthorizationRequired)
    }

    /// Tokens issued so far are refused with 401.
    pub fn revoke_tokens(&self) {
        self.world.look(|state, _| state.tokens.forget());
    }

    /// Delta tokens issued so far answer 410.
    pub fn expire_delta_tokens(&self) {
        self.world.look(|state, _| state.delta_generation += 1);
    }

    /// Replaces the application permissions of an app; tokens issued before keep theirs. False = no such app.
    pub fn grant(&self, client_id: Uuid, roles: &[&str]) -> bool {
        self.world.look(|state, _| {
            let app = state.apps.iter_mut().find(|app| app.client_id == client_id);
            app.map(|app| app.roles = roles.iter().map(|role| (*role).to_owned()).collect()).is_some()
        })
    }

    /// Closes the socket and its connections.
    pub async fn stop(self) {
        for task in &self.tasks.running {
            task.abort();
        }
        while self.tasks.running.iter().any(|task| !task.is_finished()) {
            tokio::task::yield_now().await;
        }
    }
}

impl Directory {
    /// Live subscriptions.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.world.look(|state, now| {
            state.subscriptions.sweep(now);
            state.subscriptions.all().cloned().collect()
        })
    }

    /// The subscription is gone without a word. False = there was none.
    pub fn lose_subscription(&self, id: Uuid) -> bool {
        self.world.look(|state, _| state.subscriptions.remove(id).is_some())
    }
}
