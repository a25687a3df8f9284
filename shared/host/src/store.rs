//! The store: the ledger and the queues, in one SQLite file or in a table and queues of AWS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use dynamo::Table;
use embedded::Database;
use jiff::{SignedDuration, Timestamp};
use ledger::Ledger;
use model::{Clock, TenantId};
use queue::{DeadId, Queue, SqsPlace};
use responder::Queues;

use crate::aws::{AwsSettings, QueuePlace};
use crate::mark::{self, Mark};

/// One request to AWS with all its tries. Graph waits ten seconds for the receiver, which makes two or three of them, and
/// nearly all end within one try.
const PATIENCE: Duration = Duration::from_secs(8);
const CHANGES: &str = "changes";

/// The ledger and the queues.
#[derive(Debug, Clone)]
pub struct Store {
    pub ledger: Ledger,
    pub queues: Queues,
    /// The file that holds both. None: they are on AWS.
    pub database: Option<Database>,
    /// What holds the ledger on AWS.
    table: Option<Table>,
}

impl Store {
    /// Makes the folder, readable by its owner only, if it is not there.
    ///
    /// # Errors
    /// The folder or the file cannot be made, opened, or belongs to a newer version.
    pub fn open(data: &Path, tenant: TenantId) -> anyhow::Result<Self> {
        make_folder(data).with_context(|| format!("failed to make the folder `{}`", data.display()))?;
        let path = Self::path(data);
        let database = Database::open(&path).map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        Self::on(database, tenant)
    }

    /// # Errors
    /// The tables cannot be made.
    pub fn on(database: Database, tenant: TenantId) -> anyhow::Result<Self> {
        let queue = |name| Queue::local(database.clone(), name);
        let queues = Queues {
            changes: queue(CHANGES)?,
            remediations: queue("remediations")?,
            alerts: queue("alerts")?,
            chores: queue("chores")?,
        };
        let ledger = Ledger::sqlite(database.clone(), tenant)?;
        Ok(Self { ledger, queues, database: Some(database), table: None })
    }

    /// Nothing is asked of AWS yet.
    #[must_use]
    pub fn on_aws(settings: &AwsSettings, tenant: TenantId, clock: &Clock) -> Self {
        let config = settings.sdk();
        let table = {
            let clock = clock.clone();
            Table::compared(&config, &settings.table, PATIENCE, move || clock.now().as_second())
        };
        let queue = |name, QueuePlace { url, dead_url }: &QueuePlace| {
            let clock = clock.clone();
            let (url, dead_url, table) = (url.clone(), dead_url.clone(), table.clone());
            let clock = Arc::new(move || clock.now());
            // Up to when all was assessed is asked of changes.
            let debts = name == CHANGES;
            Queue::sqs(&config, SqsPlace { name, url, dead_url, table, patience: PATIENCE, debts, clock })
        };
        let queues = Queues {
            changes: queue(CHANGES, &settings.changes),
            remediations: queue("remediations", &settings.remediations),
            alerts: queue("alerts", &settings.alerts),
            chores: queue("chores", &settings.chores),
        };
        Self { ledger: Ledger::dynamo(table.clone(), tenant), queues, database: None, table: Some(table) }
    }

    /// Whether others than a process of this machine work on it.
    #[must_use]
    pub fn is_on_aws(&self) -> bool {
        self.database.is_none()
    }

    /// Writes what is left to be written and closes the file, if there is one.
    pub fn close(&self) {
        if let Some(database) = &self.database {
            database.clone().close();
        }
    }

    /// What time it is by the clock by which `serve` goes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn now(&self) -> anyhow::Result<Timestamp> {
        self.right(Timestamp::now()).await
    }

    /// The same where the machine's clock says this. On AWS they go by AWS's, which the table has told with its last answer; AWS answers
    /// no request whose moment is off by more than minutes
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>).
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn right(&self, machines: Timestamp) -> anyhow::Result<Timestamp> {
        // That much an answer may be on its way, and tell too early.
        const NEAR: i64 = 3;
        if let Some(table) = &self.table {
            let ahead = table.ahead().filter(|ahead| ahead.abs() > NEAR).map(SignedDuration::from_secs);
            return Ok(machines.checked_sub(ahead.unwrap_or_default()).unwrap_or(machines));
        }
        let ahead = self.ledger.clock_ahead().await?.unwrap_or_default();
        Ok(machines.checked_sub(ahead).unwrap_or(machines))
    }

    /// Up to when every change was told and assessed. `None`: nobody can say.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn assessed_until(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        if self.is_on_aws() {
            // The steward has noted it. Whoever only asks need not read what is owed.
            return Ok(Mark::read(&self.ledger).await?.until.filter(|until| *until <= now));
        }
        // In this order: what is told in between lies in the queue before it counts as told. What was told in time to come
        // was told before the clock was set back, and nobody knows when.
        let told = self.ledger.told_until().await?.filter(|told| *told <= now);
        Ok(mark::assessed_until(told, self.queues.changes.owed_since().await?))
    }

    /// Puts a dead letter back into its queue. What it asks for is not assessed before that was done. False: there is no such
    /// letter.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn replay(&self, queue: &Queue, id: &DeadId, now: Timestamp) -> anyhow::Result<bool> {
        if self.is_on_aws() && queue.name() == CHANGES {
            let Some(letter) = queue.dead_one(id).await? else { return Ok(false) };
            Mark::go_back(&self.ledger, letter.owed_since, now).await?;
        }
        Ok(queue.replay(id, now).await?)
    }

    #[must_use]
    pub fn path(data: &Path) -> PathBuf {
        data.join("guestlist.db")
    }
}

fn make_folder(data: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(data)
}
