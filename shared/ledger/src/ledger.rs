//! The ledger of one tenant: what can be done with any document. What is peculiar to a kind is in a file of its own.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use dynamo::Table;
use embedded::Database;
use jiff::Timestamp;
use model::TenantId;
use tokio::sync::Mutex;

use crate::document::{read, write};
use crate::health::Results;
use crate::items::{Expect, Items, Range, Write};
use crate::{Document, LedgerError, Place, Stored, sqlite};

/// How often a write that met another is tried again. Within a process updates of one document wait for each other, so
/// that only other processes are met.
pub(crate) const TRIES: usize = 64;

const PAGE: usize = 200;
const TURNS: u64 = 64;

/// The ledger of one tenant. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(crate) items: Items,
    tenant: TenantId,
    turns: Arc<Vec<Mutex<()>>>,
    pub(crate) recorded: Results,
}

impl Ledger {
    /// A ledger in the embedded store.
    pub fn sqlite(database: Database, tenant: TenantId) -> Result<Self, LedgerError> {
        database.migrate("ledger", sqlite::STEPS)?;
        Ok(Self::on(Items::Sqlite(database), tenant))
    }

    /// A ledger in a table of DynamoDB, which others may share: tenants do not meet there.
    #[must_use]
    pub fn dynamo(table: Table, tenant: TenantId) -> Self {
        Self::on(Items::Dynamo(table), tenant)
    }

    fn on(items: Items, tenant: TenantId) -> Self {
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        Self { items, tenant, turns: Arc::new(turns), recorded: Results::default() }
    }

    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The document with this sort key.
    pub async fn get<T: Document>(&self, sort: &str) -> Result<Option<Stored<T>>, LedgerError> {
        self.items.get(&self.place::<T>(sort)).await?.map(read).transpose()
    }

    /// Writes a document where there is none.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where there is one.
    pub async fn insert<T: Document>(&self, value: T) -> Result<Stored<T>, LedgerError> {
        let place = self.place::<T>(&value.sort());
        self.write_at(place, Expect::Absent, value).await
    }

    /// Writes a document back where it was read.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where it is no longer what was read.
    pub async fn replace<T: Document>(&self, stored: Stored<T>) -> Result<Stored<T>, LedgerError> {
        let Stored { value, version, place } = stored;
        self.write_at(place, Expect::Version(version), value).await
    }

    /// Writes a document whatever is there: only where the last word counts.
    pub async fn put<T: Document>(&self, value: &T) -> Result<(), LedgerError> {
        let put = write(value, self.place::<T>(&value.sort()), self.partition(T::KIND), Expect::Any)?;
        self.items.put_all(vec![put]).await.map(|_| ())
    }

    /// Up to `limit` documents whose sort key starts with the prefix, after the sort key named, in its order.
    pub async fn list<T: Document>(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Stored<T>>, LedgerError> {
        let partition = self.partition(T::KIND);
        let range = Range { partition, prefix: prefix.to_owned(), after: after.map(str::to_owned), limit };
        self.items.list(range).await?.into_iter().map(read).collect()
    }

    /// Every document whose sort key starts with the prefix.
    pub async fn all<T: Document>(&self, prefix: &str) -> Result<Vec<Stored<T>>, LedgerError> {
        let mut all: Vec<Stored<T>> = Vec::new();
        loop {
            let after = all.last().map(|stored| stored.place.sort.clone());
            let page = self.list(prefix, after.as_deref(), PAGE).await?;
            let was_last = page.len() < PAGE;
            all.extend(page);
            if was_last {
                return Ok(all);
            }
        }
    }

    /// Up to `limit` documents that were due by then, the longest due first.
    pub async fn due<T: Document>(
        &self,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Stored<T>>, LedgerError> {
        self.items.due(self.partition(T::KIND), until, limit).await?.into_iter().map(read).collect()
    }

    /// Deletes a document that is still what was read.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where it is not.
    pub async fn delete<T: Document>(&self, stored: Stored<T>) -> Result<(), LedgerError> {
        let Stored { value: _, version, place } = stored;
        self.items.put_all(vec![Write::Delete { place, expect: Expect::Version(version) }]).await.map(|_| ())
    }

    /// Deletes a document whatever it is. False: there was none.
    pub async fn remove<T: Document>(&self, sort: &str) -> Result<bool, LedgerError> {
        let delete = Write::Delete { place: self.place::<T>(sort), expect: Expect::Any };
        let deleted = self.items.put_all(vec![delete]).await?;
        Ok(deleted.iter().any(Option::is_some))
    }

    /// Reads a document, changes it and writes it back; again where somebody else has written in between, so the change
    /// must bear being made more than once. Where the change gives nothing, nothing is written, and nothing returned.
    pub async fn update<T: Document>(
        &self,
        sort: &str,
        mut change: impl FnMut(Option<T>) -> Option<T> + Send,
    ) -> Result<Option<Stored<T>>, LedgerError> {
        let place = self.place::<T>(sort);
        let _turn = match self.turn(&place) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        for _ in 0..TRIES {
            let (before, expect) = match self.get(sort).await? {
                Some(Stored { value, version, place: _ }) => (Some(value), Expect::Version(version)),
                None => (None, Expect::Absent),
            };
            let Some(after) = change(before) else {
                return Ok(None);
            };
            match self.write_at(place.clone(), expect, after).await {
                Err(LedgerError::Conflict { place: _ }) => tokio::task::yield_now().await,
                written => return written.map(Some),
            }
        }
        Err(LedgerError::TooManyTries { place })
    }

    fn turn(&self, place: &Place) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        (&place.partition, &place.sort).hash(&mut hasher);
        usize::try_from(hasher.finish() % TURNS).ok().and_then(|n| self.turns.get(n))
    }

    async fn write_at<T: Document>(
        &self,
        place: Place,
        expect: Expect,
        value: T,
    ) -> Result<Stored<T>, LedgerError> {
        let put = write(&value, place.clone(), self.partition(T::KIND), expect)?;
        let versions = self.items.put_all(vec![put]).await?;
        let version = versions.first().copied().flatten().unwrap_or_default();
        Ok(Stored { value, version, place })
    }

    pub(crate) fn partition(&self, kind: &str) -> String {
        format!("{kind}#{}", self.tenant)
    }

    pub(crate) fn place<T: Document>(&self, sort: &str) -> Place {
        Place { partition: self.partition(T::KIND), sort: sort.to_owned() }
    }
}
