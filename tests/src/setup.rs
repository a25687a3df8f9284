//! What a story begins with: the tenant, the chats, and the settings of the process between them.

use std::sync::Arc;

use host::Environment;
use jiff::SignedDuration;
use simulator::{Delivery, FederatedCredential, Options, Simulator, Stale};
use tempfile::TempDir;

use crate::{Inbox, StoryClock};

pub(crate) const PUBLIC_URL: &str = "https://guestlist.example";
const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SLACK_CHANNEL: &str = "C0123456789";
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// How a story begins.
#[derive(Debug)]
pub struct Setup {
    pub policy: String,
    pub ceiling: &'static str,
    /// A read answers with what was there before, for so long after a write. On in every story that does not say
    /// otherwise, as on the real Graph.
    pub stale_for: SignedDuration,
    pub webhook: bool,
    /// Whether Slack is told with a bot's token, so that messages are edited in their place.
    pub slack_bot: bool,
    pub teams: bool,
    pub pager: bool,
    /// Where the tenant's chance begins.
    pub seed: u64,
    /// What the tenant's apps take in the place of a secret.
    pub trusts: Vec<FederatedCredential>,
    /// Further settings.
    pub also: Vec<(&'static str, String)>,
    /// Whether Guestlist has subscribed when the story begins.
    pub subscribed: bool,
}

impl Setup {
    #[must_use]
    pub fn with_policy(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            ceiling: "enforce",
            stale_for: SignedDuration::from_secs(3),
            webhook: false,
            slack_bot: false,
            teams: false,
            pager: false,
            seed: 0,
            trusts: Vec::new(),
            also: Vec::new(),
            subscribed: true,
        }
    }

    /// Whatever the policy says.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { ceiling: "observe", ..self }
    }
}

pub(crate) async fn simulator(clock: &StoryClock, receiver: &str, setup: &Setup) -> Simulator {
    let clock = clock.clone();
    let mut options = Options::contoso(Arc::new(move || clock.now()));
    options.receivers = vec![(PUBLIC_URL.to_owned(), receiver.to_owned())];
    options.deliver = Delivery::ByHand;
    options.record = Some(record());
    // Taking an ownership away needs more than taking somebody out of a group.
    for app in options.apps.iter_mut().filter(|app| app.client_id == simulator::contoso::WRITER) {
        app.roles.push("Group.ReadWrite.All".to_owned());
    }
    for app in &mut options.apps {
        app.federated.clone_from(&setup.trusts);
    }
    options.seed = setup.seed;
    if setup.stale_for > SignedDuration::ZERO {
        options.faults.stale = Some(Stale { lag: setup.stale_for, chance: 1.0 });
    }
    Simulator::start(options).await.unwrap()
}

/// Every exchange of every story, for whoever wants to hold it against Microsoft's description of Graph.
fn record() -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        std::path::PathBuf::from,
    );
    target.join("graph-record.jsonl")
}

/// The places where people are told.
pub(crate) struct Sinks {
    pub(crate) slack: Inbox,
    pub(crate) webhook: Inbox,
    pub(crate) teams: Inbox,
    pub(crate) pager: Inbox,
}

impl Sinks {
    pub(crate) async fn open() -> Self {
        Self {
            slack: Inbox::open("slack").await,
            webhook: Inbox::open("webhook").await,
            teams: Inbox::open("teams").await,
            pager: Inbox::open("pager").await,
        }
    }

    fn settings(&self, setup: &Setup) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        if setup.slack_bot {
            values.push(("GUESTLIST_SLACK_BOT_TOKEN", "xoxb-story".to_owned()));
            values.push(("GUESTLIST_SLACK_CHANNEL", SLACK_CHANNEL.to_owned()));
            values.push(("GUESTLIST_SLACK_API_URL", self.slack.api_url()));
        } else {
            values.push(("GUESTLIST_SLACK_WEBHOOK_URL", self.slack.url()));
        }
        if setup.webhook {
            values.push(("GUESTLIST_WEBHOOK_URL", self.webhook.url()));
            values.push(("GUESTLIST_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()));
        }
        if setup.teams {
            values.push(("GUESTLIST_TEAMS_WEBHOOK_URL", self.teams.url()));
        }
        if setup.pager {
            values.push(("GUESTLIST_PAGERDUTY_ROUTING_KEY", ROUTING_KEY.to_owned()));
            values.push(("GUESTLIST_PAGERDUTY_URL", self.pager.url()));
        }
        values.extend(setup.also.iter().cloned());
        values
    }
}

pub(crate) fn environment(
    simulator: &Simulator,
    setup: &Setup,
    sinks: &Sinks,
    folder: &TempDir,
) -> Environment {
    let mut values = vec![
        ("GUESTLIST_TENANT_ID", simulator::contoso::TENANT.to_string()),
        ("GUESTLIST_LOGIN_URL", simulator.url()),
        ("GUESTLIST_GRAPH_URL", simulator.url()),
        ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("GUESTLIST_DATA", folder.path().join("data").display().to_string()),
        ("GUESTLIST_READ_CLIENT_ID", simulator::contoso::READER.to_string()),
        ("GUESTLIST_READ_CLIENT_SECRET", simulator::contoso::READER_SECRET.to_owned()),
        ("GUESTLIST_WRITE_CLIENT_ID", simulator::contoso::WRITER.to_string()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", simulator::contoso::WRITER_SECRET.to_owned()),
        ("GUESTLIST_AT_MOST", setup.ceiling.to_owned()),
    ];
    values.extend(sinks.settings(setup));
    Environment::of(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
