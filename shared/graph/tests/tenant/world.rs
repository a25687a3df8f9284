//! A simulated tenant, its clock, and a Reader of it. Every exchange is recorded, beside what the stories say to Graph.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graph::{App, Client, Credential, Cursor, DeltaNext, DeltaPage, Endpoints, GraphError, Reader, Sweep};
use jiff::{SignedDuration, Timestamp};
use model::{Clock, ObjectId, TenantId};
use secrecy::SecretString;
use simulator::{Delivery, Directory, Invite, Options, Simulator, contoso};
use uuid::Uuid;
use wire::Wire;

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) tenant: Directory,
    pub(crate) reader: Reader,
    now: Arc<Mutex<Timestamp>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-11-20T09:00:00Z".parse().unwrap()));
        let simulators = Arc::clone(&now);
        let mut options = Options::contoso(Arc::new(move || *simulators.lock().unwrap()));
        options.deliver = Delivery::ByHand;
        options.record = Some(record());
        let simulator = Simulator::start(options).await.unwrap();
        let endpoints = Endpoints::parse(&simulator.url(), &simulator.url()).unwrap();
        let credential = Credential::Secret(SecretString::from(contoso::READER_SECRET));
        let tenant = TenantId::from_u128(contoso::TENANT.as_u128());
        let app = App { tenant, client_id: contoso::READER.to_string(), credential };
        let ours = Arc::clone(&now);
        let clock = Clock::new(move || *ours.lock().unwrap());
        let client = Client::new(Wire::network().unwrap(), endpoints, app, clock, Duration::ZERO);
        Self { tenant: simulator.tenant(), reader: Reader::new(client), simulator, now }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        *self.now.lock().unwrap() += time;
    }

    pub(crate) fn pages_hold(&self, most: usize) {
        self.simulator.set_faults(|faults| faults.page_at_most = Some(most));
    }

    pub(crate) fn invite(&self, address: &str) -> Uuid {
        self.tenant.invite(Invite::new(address, contoso::ALICE))
    }
}

/// For whoever wants to hold it against Microsoft's description of Graph. `tests/run` restarts it.
fn record() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target.map_or_else(|| manifest.join("../../target"), PathBuf::from).join("graph-record.jsonl")
}

pub(crate) fn id(id: Uuid) -> ObjectId {
    ObjectId::from_u128(id.as_u128())
}

/// A page, and where it goes on: with more, or at the end.
#[track_caller]
pub(crate) fn page<T>(sweep: Result<Sweep<DeltaPage<T>>, GraphError>) -> (Vec<T>, Result<Cursor, Cursor>) {
    match sweep.unwrap() {
        Sweep::Page(DeltaPage { items, next: DeltaNext::More(cursor) }) => (items, Ok(cursor)),
        Sweep::Page(DeltaPage { items, next: DeltaNext::CaughtUp(cursor) }) => (items, Err(cursor)),
        Sweep::StartAnew(why) => panic!("has to begin anew: {why}"),
    }
}
