//! The embedded store: one SQLite file with the ledger and the queues.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use embedded::Database;
use jiff::Timestamp;
use ledger::Ledger;
use model::TenantId;
use queue::Queue;
use responder::Queues;

/// The ledger and the queues, on one file.
#[derive(Debug, Clone)]
pub struct Store {
    pub ledger: Ledger,
    pub queues: Queues,
    pub database: Database,
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
            changes: queue("changes")?,
            remediations: queue("remediations")?,
            alerts: queue("alerts")?,
            chores: queue("chores")?,
        };
        let ledger = Ledger::sqlite(database.clone(), tenant)?;
        Ok(Self { ledger, queues, database })
    }

    /// Up to when every change was told and assessed. `None`: nobody can say.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn assessed_until(&self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        // In this order: what is told in between lies in the queue before it counts as told. What was told in time to come
        // was told before the clock was set back, and nobody knows when.
        let told = self.ledger.told_until().await?.filter(|told| *told <= now);
        let owed_since = self.queues.changes.depth(now).await?.owed_since;
        let assessed = told.map(|told| owed_since.map_or(told, |owed_since| owed_since.min(told)));
        // What nobody knows the beginning of is owed since ever.
        Ok(assessed.filter(|until| *until > Timestamp::MIN))
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
