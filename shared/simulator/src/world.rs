//! Everything that a running simulator shares: the state behind one lock, the clock, the record. Changes go through
//! `act`, which also announces them to subscriptions; `look` only reads (or keeps books that nobody is told about).
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::contoso;
use crate::deliveries::{Outbox, Receivers};
use crate::faults::{Faults, Luck, Stale};
use crate::graph::subscriptions::Subscriptions;
use crate::options::{App, Delivery, Now, Options, Population};
use crate::quota::Spent;
use crate::record::Recorder;
use crate::tenant::{Actor, Tenant, View};
use crate::token::Tokens;
use crate::traffic::{Read, Traffic, Write};

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) record: Option<Recorder>,
    pub(crate) deliver: Delivery,
    pub(crate) receivers: Receivers,
    /// `http://host:port`, once there is a socket.
    pub(crate) base: OnceLock<String>,
    /// Rung when something may be due for delivery.
    pub(crate) bell: Notify,
    state: Mutex<State>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("base", &self.base).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tenant: Tenant,
    pub(crate) apps: Vec<App>,
    pub(crate) tokens: Tokens,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) outbox: Outbox,
    pub(crate) faults: Faults,
    pub(crate) luck: Luck,
    pub(crate) spent: Spent,
    /// Ids that mean nothing: how many requests there were must not change the ids of objects.
    pub(crate) noise: fastrand::Rng,
    pub(crate) traffic: Traffic,
    pub(crate) writes: Vec<Write>,
    pub(crate) reads: VecDeque<Read>,
    /// Delta tokens of an earlier generation answer 410.
    pub(crate) delta_generation: u64,
    /// Refused notifications are recorded as `ignore`.
    pub(crate) receiver_is_faulty: bool,
}

/// How far behind the replica is that answers a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    pub(crate) seen_until: Option<Timestamp>,
    pub(crate) settled_until: Option<Timestamp>,
}

impl World {
    pub(crate) fn new(options: Options, record: Option<Recorder>) -> Self {
        let Options {
            listen: _,
            now,
            tenant,
            tenant_name,
            apps,
            record: _,
            receivers,
            faults,
            seed,
            deliver,
            verified_domains,
            population,
        } = options;
        let mut tenant = Tenant::new(tenant, tenant_name, verified_domains, seed);
        match population {
            Population::Empty => {}
            Population::Contoso => contoso::populate(&mut tenant, now()),
        }
        let state = State {
            tenant,
            apps,
            tokens: Tokens::default(),
            subscriptions: Subscriptions::default(),
            outbox: Outbox::default(),
            faults,
            luck: Luck::with_seed(seed),
            spent: Spent::default(),
            noise: fastrand::Rng::with_seed(seed ^ 0x006e_6f69_7365),
            traffic: Traffic::default(),
            writes: Vec::new(),
            reads: VecDeque::new(),
            delta_generation: 0,
            receiver_is_faulty: false,
        };
        Self {
            now,
            record,
            deliver,
            receivers: Receivers::new(receivers),
            base: OnceLock::new(),
            bell: Notify::new(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the tenant and queues the notifications that follow from it.
    pub(crate) fn act<R>(&self, change: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        let result = change(&mut state, now);
        state.announce(now);
        drop(state);
        self.bell.notify_one();
        result
    }

    pub(crate) fn look<R>(&self, read: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let now = self.now();
        read(&mut self.lock(), now)
    }
}

impl State {
    /// Changes the tenant as somebody whom the audit names.
    pub(crate) fn act_as<R>(&mut self, actor: Actor, change: impl FnOnce(&mut Self) -> R) -> R {
        self.tenant.let_act(Some(actor));
        let result = change(self);
        self.tenant.let_act(None);
        result
    }

    /// Hands every change that nobody was told about to the subscriptions that cover it.
    fn announce(&mut self, now: Timestamp) {
        let changes = std::mem::take(&mut self.tenant.unannounced);
        self.subscriptions.sweep(now);
        for change in &changes {
            for subscription in self.subscriptions.covering(change) {
                self.outbox.post(subscription, change, &self.faults.notifications, &mut self.luck, now);
            }
        }
    }

    /// An id for a request, a token or a trace.
    pub(crate) fn passing_id(&mut self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(self.noise.u128(..).to_be_bytes()).into_uuid()
    }

    /// Draws which replica answers the next read.
    pub(crate) fn sight(&mut self, now: Timestamp) -> Sight {
        let mut behind = |fault: Option<Stale>| {
            let fault = fault.filter(|fault| self.luck.rolls(fault.chance))?;
            now.checked_sub(SignedDuration::max(fault.lag, SignedDuration::ZERO)).ok()
        };
        let seen_until = behind(self.faults.stale);
        let settled_until = behind(self.faults.fresh);
        Sight { seen_until, settled_until }
    }

    pub(crate) fn view(&self, sight: Sight) -> View<'_> {
        let Sight { seen_until, settled_until } = sight;
        View { tenant: &self.tenant, seen_until, settled_until }
    }

    pub(crate) fn app(&self, client_id: uuid::Uuid) -> Option<&App> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }
}
