//! One world a story. Dropping it fails the story when a message was not read, a job is left over, or the tenant was
//! written to without the story saying so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use host::{Assembly, Needs, Part, Parts, Server, Settings, Store};
use jiff::{SignedDuration, Timestamp};
use model::Incident;
use policy::Policy;
use responder::Receivers;
use simulator::Simulator;
use tempfile::TempDir;
use tokio::sync::watch;
use url::Url;

use crate::setup::{PUBLIC_URL, Setup, Sinks, environment, simulator};
use crate::{Guest, Inbox, People, StoryClock};

pub struct World {
    pub tenant: People,
    pub slack: Inbox,
    pub webhook: Inbox,
    pub teams: Inbox,
    pub pager: Inbox,
    pub clock: StoryClock,
    pub simulator: Simulator,
    pub store: Store,
    pub parts: Parts,
    pub assembly: Assembly,
    pub policy: watch::Sender<Arc<Policy>>,
    pub receiver: Url,
    expected_writes: Mutex<Vec<(String, String)>>,
    stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl World {
    pub async fn with_policy(policy: &str) -> Self {
        Self::new(Setup::with_policy(policy)).await
    }

    pub async fn new(setup: Setup) -> Self {
        let clock = StoryClock::at("2026-11-20T09:00:00Z");
        let folder = tempfile::tempdir().unwrap();
        let sinks = Sinks::open().await;
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let receiver = format!("http://{}", server.address().unwrap());
        let simulator = simulator(&clock, &receiver, &setup).await;
        let environment = environment(&simulator, &setup, &sinks, &folder);
        let settings = Settings::read(&environment, Needs { policy: false, ..Needs::everything() }).unwrap();
        let store = Store::open(&settings.data, settings.tenant).unwrap();
        let keys = Some(Arc::new(host::state_keys(&settings.data).unwrap()));
        let policy = parse(&setup.policy);
        let policy = watch::Sender::new(Arc::new(policy));
        let assembly = Assembly {
            settings,
            store: store.clone(),
            policy: Some(policy.subscribe()),
            keys,
            wire: wire::Wire::network().unwrap(),
            clock: clock.of_guestlist(),
            patience: Duration::from_millis(100),
            traces: None,
        };
        let wanted: Vec<Part> = Part::wanted(&assembly.settings).collect();
        let parts = assembly.build(&wanted).unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server.serve(parts.router().unwrap(), stopped));
        let Sinks { slack, webhook, teams, pager } = sinks;
        let world = Self {
            tenant: People(simulator.tenant()),
            slack,
            webhook,
            teams,
            pager,
            clock,
            simulator,
            store,
            parts,
            assembly,
            policy,
            receiver: Url::parse(&receiver).unwrap(),
            expected_writes: Mutex::new(Vec::new()),
            stop,
            _folder: folder,
        };
        if setup.subscribed {
            world.subscribe().await;
        }
        world
    }

    /// The process dies and starts again: what it had in memory is gone, and the store is opened anew. What it held when
    /// it died comes back when the leases end.
    pub async fn restart(&mut self) {
        self.stop.send_replace(true);
        let settings = &self.assembly.settings;
        self.store = Store::open(&settings.data, settings.tenant).unwrap();
        self.assembly.keys = Some(Arc::new(host::state_keys(&settings.data).unwrap()));
        self.assembly.store = self.store.clone();
        self.assembly.clock = self.clock.of_guestlist();
        self.assembly.ask_the_time().await;
        let wanted: Vec<Part> = Part::wanted(&self.assembly.settings).collect();
        self.parts = self.assembly.build(&wanted).unwrap();
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let receiver = format!("http://{}", server.address().unwrap());
        self.simulator.forward(PUBLIC_URL, &receiver);
        self.receiver = Url::parse(&receiver).unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server.serve(self.parts.router().unwrap(), stopped));
        self.stop = stop;
    }

    /// Looks at the subscriptions, as the steward does every few minutes.
    pub async fn subscribe(&self) {
        self.parts.keeper.as_ref().unwrap().look().await.unwrap();
        self.simulator.reset_traffic();
        self.forget_writes("/subscriptions");
    }

    /// Takes a policy as a changed file is taken.
    pub fn change_policy(&self, policy: &str) {
        self.policy.send_replace(Arc::new(parse(policy)));
    }

    /// Lets everything happen that is going to happen within twenty minutes: notifications are delivered, queues are
    /// drained, and the clock jumps to whatever is due next.
    pub async fn settle(&mut self) {
        self.settle_for(SignedDuration::from_mins(20)).await;
    }

    pub async fn settle_for(&mut self, span: SignedDuration) {
        let end = self.clock.now().checked_add(span).unwrap();
        loop {
            while self.step().await > 0 {}
            match self.next_due().await {
                Some(due) if due <= end => self.clock.advance_to(due),
                Some(_) | None => break,
            }
        }
    }

    /// What is due at this moment, and nothing later.
    pub async fn settle_now(&mut self) {
        while self.step().await > 0 {}
    }

    /// Delivers what is due and lets every worker take what is due, once. Returns how much there was.
    pub async fn step(&self) -> usize {
        let mut done = self.simulator.deliver_due().await;
        for worker in &self.parts.workers {
            done += worker.run_due(16).await.unwrap();
        }
        done
    }

    /// When something is due next, by the story's clock. Guestlist may go by another, which it heard of.
    pub async fn next_due(&self) -> Option<Timestamp> {
        let mut due: Vec<Timestamp> = self.simulator.next_delivery().into_iter().collect();
        let ahead = self.clock.now().duration_since(self.assembly.clock.now());
        for worker in &self.parts.workers {
            due.extend(worker.next_due().await.unwrap().map(|at| at.checked_add(ahead).unwrap()));
        }
        due.into_iter().min()
    }

    /// The incidents of a guest that are in the ledger, oldest slot first.
    pub async fn incidents(&self, guest: Guest) -> Vec<Incident> {
        let stored = self.store.ledger.incidents_of(guest.id()).await.unwrap();
        stored.into_iter().map(|stored| stored.value).collect()
    }

    /// The only incident of a guest.
    #[track_caller]
    pub fn incident(&self, guest: Guest) -> impl Future<Output = Incident> {
        let ledger = self.store.ledger.clone();
        async move {
            let mut found = ledger.incidents_of(guest.id()).await.unwrap();
            assert_eq!(found.len(), 1, "the guest has {} incidents", found.len());
            found.pop().unwrap().value
        }
    }

    /// The guest is disabled, by a write of ours.
    #[track_caller]
    pub fn expect_disabled(&self, guest: Guest) {
        assert!(!self.tenant.is_enabled(guest), "the guest is still enabled");
        self.expect_write("PATCH", &format!("/users/{}", guest.id()));
    }

    /// The guest is enabled, by a write of ours.
    #[track_caller]
    pub fn expect_enabled_again(&self, guest: Guest) {
        assert!(self.tenant.is_enabled(guest), "the guest is still disabled");
        self.expect_write("PATCH", &format!("/users/{}", guest.id()));
    }

    /// Exactly one write of this kind since the last look.
    #[track_caller]
    pub fn expect_write(&self, method: &str, path: &str) {
        self.look_at_writes();
        let mut writes = self.expected_writes.lock().unwrap();
        let found = writes.iter().position(|(m, p)| m == method && p == path);
        let index = found.unwrap_or_else(|| panic!("no {method} {path} among {writes:?}"));
        writes.remove(index);
    }

    /// The guest is as he was, and nothing was written to the tenant.
    #[track_caller]
    pub fn expect_untouched(&self, guest: Guest) {
        assert!(self.tenant.is_enabled(guest), "the guest is disabled");
        self.expect_no_writes();
    }

    #[track_caller]
    pub fn expect_no_writes(&self) {
        self.look_at_writes();
        let writes = self.expected_writes.lock().unwrap();
        assert!(writes.is_empty(), "written to the tenant: {writes:?}");
    }

    fn look_at_writes(&self) {
        let new = self.simulator.take_writes().into_iter().map(|write| (write.method, write.path));
        self.expected_writes.lock().unwrap().extend(new);
    }

    /// Writes that belong to keeping subscriptions.
    pub fn forget_writes(&self, path_contains: &str) {
        self.look_at_writes();
        self.expected_writes.lock().unwrap().retain(|(_, path)| !path.contains(path_contains));
    }

    #[must_use]
    pub fn receivers(&self) -> Receivers {
        self.assembly.settings.receivers().unwrap()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for inbox in [&self.slack, &self.webhook, &self.teams, &self.pager] {
            inbox.expect_silence();
        }
        self.expect_no_writes();
    }
}

fn parse(text: &str) -> Policy {
    let mut none = |path: &str| Err(format!("there is no list file `{path}`"));
    policy::parse(text, "policy.yaml", &mut none).unwrap_or_else(|problems| panic!("{problems}"))
}
