//! A run's world: the tenant, the chat and one process, all of it in one thread and in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use embedded::Database;
use host::{Assembly, Environment, Needs, Settings, Store};
use jiff::SignedDuration;
use model::{Mode, ObjectId};
use seal::StateKeys;
use simulator::{Delivery, GroupKind, NewGroup, NewUser, Simulator};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::Wire;

use super::acts::Book;
use super::bell::Bell;
use super::chat::Chat;
use super::clock::Virtual;
use super::draws;
use super::history::History;
use super::inviting::Inviters;
use super::process::{Process, parse};
use super::reading;
use super::seam::{self, Seam};

pub(super) const PUBLIC_URL: &str = "https://guestlist.example";

pub struct World {
    pub seed: u64,
    pub clock: Virtual,
    pub seam: Seam,
    pub chat: Chat,
    pub simulator: Simulator,
    /// Without pauses: for whoever looks on.
    pub store: Store,
    /// The policy that is in force, as somebody else reads it.
    pub policy: reading::Policy,
    pub guests: Vec<Uuid>,
    pub groups: Vec<Uuid>,
    pub inviters: Inviters,
    /// One of the tenant's own, a member of every group.
    pub dave: Uuid,
    /// Whether the policy protects the first of the guests.
    pub protects: bool,
    /// Who holds a directory role among the guests.
    pub roles: Vec<Uuid>,
    pub(super) process: Option<Process>,
    pub(super) in_force: watch::Sender<Arc<policy::Policy>>,
    pub(super) looks: Bell,
    assembly: Assembly,
    database: Database,
    courier: JoinHandle<()>,
}

impl World {
    pub(super) async fn begin(seed: u64, history: &History, keep_lines: bool) -> anyhow::Result<Self> {
        draws::begin(seed);
        let clock = Virtual::begin()?;
        let seam = Seam::new(seed, clock.clone(), keep_lines);
        let simulator = tenant(seed, &clock);
        let chat = Chat::new(clock.clone());
        let people = simulator.tenant();
        let dave = people.add_user(NewUser::member("dave@contoso.com"));
        let mut groups = vec![simulator::contoso::MARKETING];
        for new in new_groups() {
            let (owners, members) = (vec![simulator::contoso::BOB], vec![dave]);
            groups.push(people.create_group(NewGroup { owners, members, ..new }));
        }
        people.add_member(simulator::contoso::MARKETING, dave)?;
        let inviters = Inviters::settle_in(&simulator);
        let policy = reading::Policy {
            book: history.book,
            reach: history.reach,
            ceiling: reading::Reach::Enforce,
            protects: None,
            excepted: None,
            sponsors: inviters.sponsors,
        };
        let in_force = watch::Sender::new(parse(&policy.text())?);
        let wire = chat.router().fallback_service(simulator.router());
        let wire = wire.layer(from_fn_with_state(seam.clone(), seam::out));
        let database = Database::in_memory()?;
        let assembly = assembly(&database, &seam, &clock, wire, &in_force)?;
        let store = Store::on(database.clone(), assembly.settings.tenant)?;
        let courier = tokio::spawn(deliver(simulator.clone(), seam.clone(), clock.clone()));
        let (looks, process) = (Bell::default(), None);
        let (guests, roles) = (Vec::new(), Vec::new());
        let mut world = Self {
            seed,
            clock,
            seam,
            chat,
            simulator,
            store,
            policy,
            guests,
            groups,
            inviters,
            dave,
            protects: history.protects,
            roles,
            process,
            in_force,
            looks,
            assembly,
            database,
            courier,
        };
        world.start(false).await?;
        Ok(world)
    }

    /// A process begins, on what the one before has left.
    pub(super) async fn start(&mut self, takes_over: bool) -> anyhow::Result<()> {
        self.seam.revive();
        let pausing = pausing(&self.database, &self.seam);
        self.assembly.store = Store::on(pausing, self.assembly.settings.tenant)?;
        self.assembly.clock = self.clock.of_guestlist();
        self.assembly.settings.ceiling = match self.policy.ceiling {
            reading::Reach::Observe => Mode::Observe,
            reading::Reach::Ask => Mode::Ask,
            reading::Reach::Enforce => Mode::Enforce,
        };
        self.assembly.ask_the_time().await;
        let parts = Process::build(&self.assembly)?;
        if let Some(receiver) = parts.receiver.clone() {
            let router = receiver.router().layer(from_fn_with_state(self.seam.clone(), seam::into));
            self.simulator.attach(PUBLIC_URL, router);
        }
        if takes_over {
            for worker in &parts.workers {
                worker.take_over().await?;
            }
        }
        self.process = Some(Process::start(parts, &self.looks));
        self.seam.ring();
        Ok(())
    }

    /// The process is gone, and nobody takes notifications.
    pub(super) async fn kill(&mut self) {
        self.simulator.attach(PUBLIC_URL, Router::new());
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// What somebody else put into the store is found by looking, and so is what a jump of the clock has made due.
    pub(super) fn look(&self) {
        self.looks.ring();
        self.seam.ring();
    }

    #[must_use]
    pub fn end(self) -> Seam {
        self.courier.abort();
        self.seam
    }

    /// What of the policy may touch somebody, given who plays in this run.
    pub(super) fn take_policy(
        &mut self,
        book: Book,
        reach: reading::Reach,
        protects: bool,
    ) -> anyhow::Result<()> {
        let protects = self.guests.first().copied().filter(|_| protects);
        let excepted = self.guests.get(1).copied().filter(|_| book == Book::Timed);
        let before = self.policy;
        self.policy = reading::Policy { book, reach, protects, excepted, ..before };
        if self.policy != before {
            self.in_force.send_replace(parse(&self.policy.text())?);
        }
        Ok(())
    }
}

/// As our own code names it.
pub(super) fn id(of: Uuid) -> ObjectId {
    ObjectId::from_u128(of.as_u128())
}

/// One of each kind: an ordinary one is there thrice, and one can be restored. The last protects whoever is in it.
fn new_groups() -> [NewGroup; 8] {
    let plain = |name: &str| NewGroup::named(name);
    [
        plain("Sales"),
        plain("Finance EU"),
        plain("Plans"),
        NewGroup { kind: GroupKind::Microsoft365, ..plain("Projects") },
        NewGroup { dynamic: Some("(user.userType -eq \"Guest\")".to_owned()), ..plain("Finance everybody") },
        NewGroup { synced: true, ..plain("Plans on site") },
        NewGroup { kind: GroupKind::Distribution, ..plain("Finance news") },
        NewGroup { role_assignable: true, ..plain("Operators") },
    ]
}

fn tenant(seed: u64, clock: &Virtual) -> Simulator {
    let clock = clock.clone();
    let mut options = simulator::Options::contoso(Arc::new(move || clock.now()));
    options.deliver = Delivery::ByHand;
    options.seed = seed;
    // Taking an ownership away needs more than taking somebody out of a group, and so does a deletion.
    for app in options.apps.iter_mut().filter(|app| app.client_id == simulator::contoso::WRITER) {
        app.roles.extend(["Group.ReadWrite.All", "User.DeleteRestore.All"].map(str::to_owned));
    }
    Simulator::new(options)
}

fn pausing(database: &Database, seam: &Seam) -> Database {
    let seam = seam.clone();
    database.pausing(Arc::new(move || Box::pin(seam.clone().pause())))
}

fn assembly(
    database: &Database,
    seam: &Seam,
    clock: &Virtual,
    wire: Router,
    policy: &watch::Sender<Arc<policy::Policy>>,
) -> anyhow::Result<Assembly> {
    let needs = Needs { policy: false, ..Needs::everything() };
    let settings = Settings::read(&environment(), needs)?;
    let store = Store::on(pausing(database, seam), settings.tenant)?;
    let keys = StateKeys::parse(&StateKeys::generate_line(*b"a key of the seeded runs 32 byte", "k1"))?;
    Ok(Assembly {
        settings,
        store,
        policy: Some(policy.subscribe()),
        keys: Some(Arc::new(keys)),
        wire: Wire::InProcess(wire),
        clock: clock.of_guestlist(),
        // Shorter than any wait that is thrown with dice: what takes longer waits in the queue.
        patience: Duration::from_millis(100),
        traces: None,
    })
}

fn environment() -> Environment {
    let base = "http://127.0.0.1";
    let values = [
        ("GUESTLIST_TENANT_ID", simulator::contoso::TENANT.to_string()),
        ("GUESTLIST_LOGIN_URL", base.to_owned()),
        ("GUESTLIST_GRAPH_URL", base.to_owned()),
        ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("GUESTLIST_DATA", "nowhere".to_owned()),
        ("GUESTLIST_READ_CLIENT_ID", simulator::contoso::READER.to_string()),
        ("GUESTLIST_READ_CLIENT_SECRET", simulator::contoso::READER_SECRET.to_owned()),
        ("GUESTLIST_WRITE_CLIENT_ID", simulator::contoso::WRITER.to_string()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", simulator::contoso::WRITER_SECRET.to_owned()),
        ("GUESTLIST_AT_MOST", "enforce".to_owned()),
        ("GUESTLIST_SLACK_WEBHOOK_URL", format!("{base}/services/T000/B000/seeds")),
    ];
    Environment::of(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The tenant's own work: what is due for delivery leaves.
async fn deliver(simulator: Simulator, seam: Seam, clock: Virtual) {
    let mut posted = seam.posted();
    loop {
        posted.forget();
        simulator.deliver_due().await;
        let due = simulator.next_delivery();
        let rest = async {
            match due {
                Some(due) => tokio::time::sleep(clock.until(due)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = posted.rung() => {}
            () = rest => {}
        }
    }
}

/// How long the tenant has to be quiet until it is taken to be settled. Whom nobody has invited is asked for in the audit more
/// rarely than that.
pub(super) const QUIET: SignedDuration = SignedDuration::from_hours(4);
