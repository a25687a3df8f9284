//! Sets the demo's stage: a simulated tenant, a chat channel, a policy, and the same process that `serve` runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use host::{Environment, Needs, Part, Server, Serving, Settings, Store};
use jiff::{SignedDuration, Timestamp};
use model::{ObjectId, Watched};
use policy::Named;
use simulator::{Invite, NewGroup, Options, Simulator, contoso};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::super::chat::Chat;
use super::PUBLIC_URL;
use crate::args::{self, Output};

/// The demo's own policy.
const POLICY: &str = include_str!("policy.yaml");

/// The groups of the story, beside those that every simulated tenant has.
pub(super) struct Groups {
    pub(super) book_club: Uuid,
    pub(super) board_papers: Uuid,
    pub(super) quarterly_numbers: Uuid,
    pub(super) project_falcon: Uuid,
    pub(super) project_osprey: Uuid,
    pub(super) finance_eu: Uuid,
    /// Dynamic.
    pub(super) finance_readers: Uuid,
}

pub(super) struct Stage {
    pub(super) simulator: Simulator,
    pub(super) groups: Groups,
    /// Guests who have been there for a year.
    pub(super) veterans: Vec<Uuid>,
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) chat: Chat,
    pub(super) tenant: String,
    /// Where the receiver really listens.
    pub(super) receiver: String,
    /// What the story expects holds for the demo's own policy only.
    pub(super) own_policy: bool,
    pub(super) output: Output,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
    folder: TempDir,
}

impl Stage {
    pub(super) async fn set(demo: &args::Demo, output: Output) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder for the demo")?;
        let chat = Chat::open(|_| ()).await?;
        let server = Server::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let receiver = format!("http://{}", server.address()?);
        let mut options = Options::contoso(Arc::new(Timestamp::now));
        options.receivers = vec![(PUBLIC_URL.to_owned(), receiver.clone())];
        options.record.clone_from(&demo.record);
        let simulator = Simulator::start(options).await?;
        let (groups, veterans) = populate(&simulator)?;
        let policy = match &demo.policy {
            Some(path) => path.clone(),
            None => {
                let path = folder.path().join("policy.yaml");
                let text = with_ids(&simulator)?;
                std::fs::write(&path, text).context("failed to write the demo's policy")?;
                path
            }
        };
        let environment = environment(&simulator, &chat, &folder, &policy);
        let settings = Settings::read(&environment, Needs::everything())?;
        let parts: Vec<Part> = Part::wanted(&settings).collect();
        let serving = Serving::prepare(settings.clone(), &parts, host::clock())?;
        let store = serving.assembly.store.clone();
        let (stop, stopped) = oneshot::channel();
        let until = async {
            // Whoever forgets the stage wants it struck, too.
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serving.run(Some(server), until));
        let stage = Self {
            simulator,
            groups,
            veterans,
            settings,
            store,
            chat,
            tenant: contoso::TENANT.to_string(),
            receiver,
            own_policy: demo.policy.is_none(),
            output,
            stop,
            serving,
            folder,
        };
        stage.subscribed().await?;
        Ok(stage)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Both subscriptions are alive.
    async fn subscribed(&self) -> anyhow::Result<()> {
        for _ in 0..500 {
            let records = self.store.ledger.subscriptions().await?;
            let alive = |watched: &Watched| {
                records.iter().any(|stored| stored.value.watched == *watched && stored.value.id().is_some())
            };
            if Watched::ALL.iter().all(alive) {
                return Ok(());
            }
            if self.serving.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("failed to subscribe at the simulated tenant")
    }

    /// Stops as `serve` stops: what is under way is finished first.
    pub(super) async fn strike(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.serving.await.context("the demo's process ended badly")??;
        self.simulator.stop().await;
        Ok(())
    }
}

/// Who and what is there before Guestlist begins to watch.
fn populate(simulator: &Simulator) -> anyhow::Result<(Groups, Vec<Uuid>)> {
    let mut roles = contoso::writer().roles;
    roles.push("Group.ReadWrite.All".to_owned());
    simulator.grant(contoso::WRITER, &roles.iter().map(String::as_str).collect::<Vec<_>>());
    let tenant = simulator.tenant();
    let named =
        |name: &str| tenant.create_group(NewGroup { owners: vec![contoso::ALICE], ..NewGroup::named(name) });
    let dynamic = Some("(user.department -eq \"Finance\")".to_owned());
    let groups = Groups {
        book_club: named("Book Club"),
        board_papers: named("Board Papers"),
        quarterly_numbers: named("Quarterly Numbers"),
        project_falcon: named("Project Falcon"),
        project_osprey: named("Project Osprey"),
        finance_eu: named("Finance EU"),
        finance_readers: tenant.create_group(NewGroup { dynamic, ..NewGroup::named("Finance Readers") }),
    };
    let year_ago = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * 365))?;
    let mut veterans = Vec::new();
    for n in 0..5 {
        let guest = tenant.invite(Invite::new(&format!("veteran{n}@fabrikam.com"), contoso::ALICE));
        tenant.set(guest, |user| user.created_at = Some(year_ago))?;
        veterans.push(guest);
    }
    Ok((groups, veterans))
}

/// The demo's policy, with ids beside the groups' names.
fn with_ids(simulator: &Simulator) -> anyhow::Result<String> {
    let tenant = simulator.tenant();
    let lookup = |name: &str| match tenant.find_group(name) {
        Some(group) => Named::One(ObjectId::from_u128(group.id.as_u128())),
        None => Named::Nobody,
    };
    let resolved = policy::resolve(POLICY, "policy.yaml", &lookup)?;
    anyhow::ensure!(resolved.unresolved.is_empty(), "the demo's policy names a group that is not there");
    Ok(resolved.text)
}

fn environment(
    simulator: &Simulator,
    chat: &Chat,
    folder: &TempDir,
    policy: &std::path::Path,
) -> Environment {
    let values = [
        ("GUESTLIST_TENANT_ID", contoso::TENANT.to_string()),
        ("GUESTLIST_LOGIN_URL", simulator.url()),
        ("GUESTLIST_GRAPH_URL", simulator.url()),
        ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("GUESTLIST_POLICY", policy.display().to_string()),
        ("GUESTLIST_DATA", folder.path().join("data").display().to_string()),
        ("GUESTLIST_READ_CLIENT_ID", contoso::READER.to_string()),
        ("GUESTLIST_READ_CLIENT_SECRET", contoso::READER_SECRET.to_owned()),
        ("GUESTLIST_WRITE_CLIENT_ID", contoso::WRITER.to_string()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", contoso::WRITER_SECRET.to_owned()),
        ("GUESTLIST_SLACK_WEBHOOK_URL", chat.url.clone()),
        ("GUESTLIST_AT_MOST", "enforce".to_owned()),
    ];
    Environment::of(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
