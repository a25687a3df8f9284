//! Guestlist beside that tenant, on the embedded store, through the real client: its loops, on time that is moved by hand.
//! While sixteen looks are taken, four tenths of a second pass: a read and a batch, as long as Microsoft takes for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use host::{Assembly, Environment, Needs, Part, Parts, Settings, Store};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use model::{Clock, ListingPlace, ObjectId, TenantId, Watched};
use tempfile::TempDir;
use tokio::sync::watch;
use url::Url;
use wire::{Call, Wire};

use super::beside::Tenant;
use crate::receiver;

const STEP: SignedDuration = SignedDuration::from_millis(400);
const SIDE_BY_SIDE: usize = 16;
const RECONCILE_EVERY: SignedDuration = SignedDuration::from_secs(15);
/// A live notification comes so long after the last one was looked at.
const LIVE_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// Nothing more comes of a round once nothing is due within this: second looks come after five minutes.
const QUIET: SignedDuration = SignedDuration::from_mins(6);

const POLICY: &str = "
version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com], owner: anna@contoso.com, until: 2027-06-30 }
guardrails:
  - id: closed-groups
    severity: high
    if: { joins: { name: \"Finance *\" } }
    then: [leave-group]
scenarios:
  - id: agency-work
    owner: marketing@contoso.com
    admits: { partners: [fabrikam] }
otherwise:
  guest: { severity: medium, then: [disable] }
";

pub(super) struct Guestlist {
    pub(super) tenant: Tenant,
    parts: Parts,
    store: Store,
    now: Arc<AtomicI64>,
    receiver: Wire,
    state: String,
    reconcile_at: Timestamp,
    /// Guests who were invited while it ran.
    pub(super) invited: u64,
    folder: TempDir,
}

/// What happened until nothing more was to be done.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// Of the time that is moved by hand.
    pub(super) lasted: SignedDuration,
    pub(super) took: Duration,
    /// Real time in which looks were taken.
    pub(super) looking: Duration,
    /// The longest that reconciliation kept its own loop, in real time.
    pub(super) longest: Duration,
    pub(super) looks: u64,
    pub(super) most_ready: u64,
    pub(super) most_waiting: u64,
    pub(super) live: Vec<Waited>,
}

/// How a live notification fared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited {
    /// Looks that were begun before its own.
    pub(super) behind: u64,
    pub(super) for_so_long: SignedDuration,
}

/// One that has not been looked at yet.
struct Live {
    guest: ObjectId,
    posted_at: Timestamp,
    looks_before: u64,
}

impl Guestlist {
    pub(super) async fn beside(tenant: Tenant) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let needs = Needs { policy: false, ..Needs::everything() };
        let settings = Settings::read(&environment(&tenant, &folder), needs)?;
        let store = Store::open(&settings.data, settings.tenant)?;
        let keys = Arc::new(host::state_keys(&settings.data)?);
        let (nonce, of) = (seal::nonce(host::random()), settings.tenant);
        let state = keys.seal(of, Watched::Users, &nonce).as_str().to_owned();
        store.ledger.insert(receiver::record(nonce, keys.sealing_key())).await?;
        let now = Arc::new(AtomicI64::new(super::BEGINS.as_microsecond()));
        let clock = Arc::clone(&now);
        let policy = policy::parse(POLICY, "size.yaml", &mut |_| Err("there is no list".to_owned()));
        let policy = watch::Sender::new(Arc::new(policy.map_err(|problems| anyhow::anyhow!("{problems}"))?));
        let assembly = Assembly {
            settings,
            store: store.clone(),
            policy: Some(policy.subscribe()),
            keys: Some(keys),
            wire: Wire::network()?,
            clock: Clock::new(move || moment(&clock)),
            patience: Duration::ZERO,
            traces: None,
        };
        let parts = assembly.build(&Part::ALL)?;
        let router = parts.receiver.clone().context("no receiver")?.router();
        let (receiver, reconcile_at) = (Wire::InProcess(router), super::BEGINS);
        Ok(Self { tenant, parts, store, now, receiver, state, reconcile_at, invited: 0, folder })
    }

    pub(super) fn now(&self) -> Timestamp {
        moment(&self.now)
    }

    /// For both processes.
    pub(super) async fn advance_to(&self, at: Timestamp) -> anyhow::Result<()> {
        self.now.store(at.as_microsecond(), Ordering::Relaxed);
        self.tenant.act(&format!("/clock/{}", at.as_microsecond())).await?;
        Ok(())
    }

    pub(super) async fn advance(&self, by: SignedDuration) -> anyhow::Result<()> {
        self.advance_to(self.now().checked_add(by)?).await
    }

    /// Goes on until everything was told and looked at, while one live notification after the other comes.
    pub(super) async fn settle(&mut self) -> anyhow::Result<Played> {
        let (began, began_at) = (Instant::now(), self.now());
        let (mut played, mut live) = (Played::default(), None);
        let mut live_at = began_at.checked_add(SignedDuration::from_secs(5))?;
        let mut ended_at = began_at;
        loop {
            let now = self.now();
            if now >= self.reconcile_at {
                let reconciler = self.parts.reconciler.as_ref().context("no reconciler")?;
                let began = Instant::now();
                reconciler.look().await.map_err(|trouble| anyhow::anyhow!("{trouble}"))?;
                played.longest = played.longest.max(began.elapsed());
                self.reconcile_at = now.checked_add(RECONCILE_EVERY)?;
            }
            let told = self.everything_was_told().await?;
            if live.is_none() && now >= live_at && !told {
                live = Some(self.post(played.looks).await?);
            }
            let depth = self.store.queues.changes.depth(now).await?;
            played.most_ready = played.most_ready.max(depth.ready);
            played.most_waiting = played.most_waiting.max(depth.waiting);
            let looks = self.work(&mut played).await?;
            if looks > 0 {
                ended_at = now;
            }
            if let Some(waited) = self.was_looked_at(&live, played.looks).await? {
                played.live.push(waited);
                (live, live_at) = (None, now.checked_add(LIVE_EVERY)?);
            }
            let next = self.next_due().await?;
            let quiet = next.is_none_or(|next| next.duration_since(now) > QUIET);
            if told && quiet && live.is_none() && looks == 0 {
                break;
            }
            let step = now.checked_add(STEP)?;
            let jump = next.unwrap_or(self.reconcile_at).min(self.reconcile_at);
            self.advance_to(if looks == SIDE_BY_SIDE { step } else { step.max(jump) }).await?;
        }
        played.lasted = ended_at.duration_since(began_at);
        played.took = began.elapsed();
        Ok(played)
    }

    /// Every worker takes what is due, at most sixteen jobs. Answers how many looks there were.
    async fn work(&self, played: &mut Played) -> anyhow::Result<usize> {
        let mut looks = 0;
        for worker in &self.parts.workers {
            let began = Instant::now();
            let ran = worker.run_due(SIDE_BY_SIDE).await.map_err(|trouble| anyhow::anyhow!("{trouble}"))?;
            if worker.name == Part::Assess.word() && ran > 0 {
                played.looking += began.elapsed();
                played.looks += ran as u64;
                looks = ran;
            }
        }
        Ok(looks)
    }

    async fn next_due(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.store.queues.changes.next_due().await?)
    }

    async fn everything_was_told(&self) -> anyhow::Result<bool> {
        let ledger = &self.store.ledger;
        let (listing, deltas) = (ledger.listing().await?, ledger.deltas().await?);
        let Some(listing) = listing.map(|stored| stored.value) else { return Ok(false) };
        let ended = matches!(listing.place, ListingPlace::Ended { at: _ });
        let rounds = deltas.iter().all(|delta| delta.round_ended_at.is_some());
        // What happened before the queries began is made good by a second listing.
        Ok(ended && rounds && deltas.len() == 2 && model::is_made_good(&deltas, &listing))
    }

    /// A guest is invited, and Graph notifies us at once.
    async fn post(&mut self, looks_before: u64) -> anyhow::Result<Live> {
        self.invited += 1;
        let invited = self.tenant.act(&format!("/invite/{}", self.invited)).await?;
        let id = invited.get("id").and_then(serde_json::Value::as_str).context("nobody was invited")?;
        let body = serde_json::json!({"value": [receiver::item(id, &self.state)]}).to_string();
        let url = Url::parse("http://guestlist.example/graph/notifications")?;
        let reply = self.receiver.send(Call::post(url, body)).await?;
        anyhow::ensure!(reply.status == StatusCode::ACCEPTED, "a notification is answered {}", reply.status);
        Ok(Live { guest: id.parse()?, posted_at: self.now(), looks_before })
    }

    async fn was_looked_at(&self, live: &Option<Live>, looks: u64) -> anyhow::Result<Option<Waited>> {
        let Some(Live { guest, posted_at, looks_before }) = live else { return Ok(None) };
        // Whoever is known was looked at.
        let known = self.store.ledger.known(*guest).await?;
        Ok(known.is_some().then(|| Waited {
            behind: looks.saturating_sub(*looks_before).saturating_sub(1),
            for_so_long: self.now().duration_since(*posted_at).max(STEP),
        }))
    }

    /// Bytes of the store on disk, its log included.
    pub(super) fn stored(&self) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for file in std::fs::read_dir(self.folder.path().join("data"))? {
            bytes += file?.metadata()?.len();
        }
        Ok(bytes)
    }

    pub(super) async fn dead_letters(&self) -> anyhow::Result<usize> {
        Ok(self.store.queues.changes.dead(None, 10).await?.len())
    }

    /// How many guests are known, read a few at a time.
    pub(super) async fn known(&self) -> anyhow::Result<usize> {
        let (mut count, mut last) = (0, None::<String>);
        loop {
            let page = self.store.ledger.known_guests(last.as_deref(), 500).await?;
            count += page.len();
            match page.last() {
                Some(guest) => last = Some(guest.id.to_string()),
                None => return Ok(count),
            }
        }
    }
}

fn moment(now: &AtomicI64) -> Timestamp {
    Timestamp::from_microsecond(now.load(Ordering::Relaxed)).unwrap_or_default()
}

fn environment(tenant: &Tenant, folder: &TempDir) -> Environment {
    use simulator::contoso;
    const OURS: TenantId = receiver::TENANT;
    let values = [
        ("GUESTLIST_TENANT_ID", OURS.to_string()),
        ("GUESTLIST_LOGIN_URL", tenant.graph.clone()),
        ("GUESTLIST_GRAPH_URL", tenant.graph.clone()),
        ("GUESTLIST_PUBLIC_URL", "https://guestlist.example".to_owned()),
        ("GUESTLIST_DATA", folder.path().join("data").display().to_string()),
        ("GUESTLIST_READ_CLIENT_ID", contoso::READER.to_string()),
        ("GUESTLIST_READ_CLIENT_SECRET", contoso::READER_SECRET.to_owned()),
        ("GUESTLIST_WRITE_CLIENT_ID", contoso::WRITER.to_string()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", contoso::WRITER_SECRET.to_owned()),
        ("GUESTLIST_AT_MOST", "observe".to_owned()),
        ("GUESTLIST_SLACK_WEBHOOK_URL", format!("{}/chat", tenant.acts)),
    ];
    Environment::of(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
