//! The policy on Amazon S3: read at the start and when it was not looked at for a minute, and taken only when it is valid. The
//! versions of the last one that was taken stand in the ledger, so that an instance which starts while the object is bad, or cannot be
//! read, reads those. People are told why what lies there is not in force, and that it is again.

mod reading;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ledger::{Document, Ledger};
use policy::Policy;
use responder::Notices;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::reading::{Reading, Tags, Unread, read};
use crate::aws::Aws;
use crate::policy_file::PolicySource;
use crate::{InvalidPolicy, Store};

const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// In a row, before people are told of a trouble that may pass.
const FAILED_LOOKS: u32 = 2;

/// The versions of the last policy that was valid. One document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LastGood {
    bucket: String,
    key: String,
    hash: String,
    /// Of each object, by its key; none where the bucket keeps no versions.
    versions: BTreeMap<String, Option<String>>,
}

impl Document for LastGood {
    const KIND: &'static str = "policy-object";

    fn sort(&self) -> String {
        "last-good".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// What is wrong at the start.
enum Wrong {
    Invalid(InvalidPolicy),
    Unread(Unread),
}

#[derive(Debug)]
pub(crate) struct PolicyObject {
    bucket: String,
    key: String,
    aws: Aws,
    ledger: Ledger,
    notices: Notices,
    pub(super) current: watch::Sender<Arc<Policy>>,
    /// Whether what lies there is not what is in force.
    pub(super) refused: watch::Sender<bool>,
    looked_at: Timestamp,
    /// What was read last, so that nothing is done about what has not changed.
    tags: Tags,
    /// Looks in a row at which nothing could be read.
    failed_looks: u32,
    /// Why nothing can be read, as people were told it.
    unread: Option<Unread>,
    /// People were told of a trouble, and not of its end yet.
    end_is_owed: bool,
}

impl PolicyObject {
    /// # Errors
    /// The object is not valid or cannot be read, and no earlier one can.
    pub(super) async fn start(
        (bucket, key): (String, String),
        aws: Aws,
        store: &Store,
        notices: Notices,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let ledger = store.ledger.clone();
        let kept = ledger.get::<LastGood>("last-good").await?.map(|stored| stored.value);
        let kept = kept.filter(|kept| kept.bucket == bucket && kept.key == key);
        let (policy, tags, wrong) = match read(&aws, &bucket, &key, None).await {
            Ok(Reading { policy: Ok(policy), tags }) => (policy, tags, None),
            Ok(Reading { policy: Err(invalid), tags }) => {
                let before = last_good(&aws, kept.as_ref(), anyhow::Error::from(invalid.clone())).await?;
                (before, tags, Some(Wrong::Invalid(invalid)))
            }
            Err(unread) => {
                let before = last_good(&aws, kept.as_ref(), anyhow::Error::from(unread.clone())).await?;
                (before, Tags::new(), Some(Wrong::Unread(unread)))
            }
        };
        let before = kept.map_or_else(|| policy.hash().to_owned(), |kept| kept.hash);
        let hash = policy.hash().to_owned();
        let current = watch::Sender::new(Arc::new(policy));
        let mut object = Self {
            bucket,
            key,
            aws,
            ledger,
            notices,
            current,
            refused: watch::Sender::new(false),
            looked_at: now,
            tags,
            failed_looks: 0,
            unread: None,
            end_is_owed: false,
        };
        let told = match wrong {
            Some(Wrong::Invalid(invalid)) => object.refuse(&invalid).await,
            Some(Wrong::Unread(unread)) => object.note_unread(unread).await,
            None => object.tell_taken(&before, &hash, "is valid again").await,
        };
        if let Err(error) = told {
            tracing::error!("failed to tell of the policy, which the next look tries again: {error:#}");
            object.tags = Tags::new();
        }
        Ok(object)
    }

    /// # Errors
    /// The object cannot be read, or people could not be told. The next look tries again.
    pub(super) async fn look(&mut self, now: Timestamp) -> anyhow::Result<()> {
        if self.looked_at <= now && now.duration_since(self.looked_at) < LOOK_EVERY {
            return Ok(());
        }
        self.looked_at = now;
        match read(&self.aws, &self.bucket, &self.key, None).await {
            Ok(reading) => self.take(reading).await,
            Err(unread) => {
                self.note_unread(unread.clone()).await?;
                Err(unread.into())
            }
        }
    }

    async fn take(&mut self, Reading { policy, tags }: Reading) -> anyhow::Result<()> {
        self.failed_looks = 0;
        let unread = self.unread.take();
        if tags == self.tags && unread.is_none() {
            return Ok(());
        }
        let before_tags = std::mem::replace(&mut self.tags, tags);
        let told = match policy {
            Ok(policy) => {
                let (before, hash) = (self.current.borrow().hash().to_owned(), policy.hash().to_owned());
                self.current.send_replace(Arc::new(policy));
                self.refused.send_replace(false);
                let again = if unread.is_some() { "can be read again" } else { "is valid again" };
                let told = self.tell_taken(&before, &hash, again).await;
                self.end_is_owed = self.end_is_owed && told.is_err();
                told
            }
            Err(invalid) => self.refuse(&invalid).await,
        };
        if told.is_err() {
            (self.tags, self.unread) = (before_tags, unread);
        }
        told
    }

    /// What is so for good is told at once, and what may pass when it has not passed by the next look; each reason once.
    async fn note_unread(&mut self, unread: Unread) -> anyhow::Result<()> {
        self.failed_looks = self.failed_looks.saturating_add(1);
        if unread.passes && self.failed_looks < FAILED_LOOKS {
            return Ok(());
        }
        self.end_is_owed = true;
        self.refused.send_replace(true);
        let reason = unread.reason();
        if self.unread.as_ref().is_some_and(|told| told.reason() == reason) {
            return Ok(());
        }
        let hash = self.current.borrow().hash().to_owned();
        self.source().tell_unread(&self.notices, &hash, &reason, &unread.to_string()).await?;
        self.unread = Some(unread);
        Ok(())
    }

    async fn refuse(&mut self, invalid: &InvalidPolicy) -> anyhow::Result<()> {
        self.end_is_owed = true;
        self.refused.send_replace(true);
        let hash = self.current.borrow().hash().to_owned();
        Ok(self.source().tell_refused(&self.notices, &hash, invalid).await?)
    }

    /// Several instances meet the same object, and people are told each change of it once. `again` is what the same policy is, of
    /// which a trouble was told.
    async fn tell_taken(&self, before: &str, hash: &str, again: &str) -> anyhow::Result<()> {
        if hash != before || self.end_is_owed {
            self.source().tell_taken(&self.notices, before, hash, again).await?;
        }
        // After the word: who dies in between says it again under the same key.
        let versions = self.tags.iter().map(|(key, (_, version))| (key.clone(), version.clone())).collect();
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let good = LastGood { bucket, key, hash: hash.to_owned(), versions };
        let changed = |before: Option<LastGood>| (before.as_ref() != Some(&good)).then(|| good.clone());
        self.ledger.update("last-good", changed).await?;
        Ok(())
    }

    /// By the version or, where the bucket keeps none, the ETag of the policy itself.
    fn source(&self) -> PolicySource<'_> {
        let tag = self.tags.get(&self.key);
        let version =
            tag.map_or("", |(etag, version)| version.as_deref().unwrap_or_else(|| etag.trim_matches('"')));
        PolicySource { what: "policy", version }
    }
}

/// What was in force when the object was last good, or `error`, which says why that is needed.
async fn last_good(aws: &Aws, kept: Option<&LastGood>, error: anyhow::Error) -> anyhow::Result<Policy> {
    let Some(kept) = kept.filter(|kept| kept.versions.values().all(Option::is_some)) else {
        return Err(error.context("failed to start with the policy, and none is known that was valid before"));
    };
    let LastGood { bucket, key, hash, versions } = kept;
    match read(aws, bucket, key, Some(versions)).await {
        Ok(Reading { policy: Ok(policy), tags: _ }) => {
            tracing::error!(
                "failed to use the policy; `{hash}`, which was valid before, stays in force: {error:#}"
            );
            Ok(policy)
        }
        Ok(Reading { policy: Err(_), tags: _ }) | Err(_) => Err(error.context(format!(
            "failed to start with the policy, and `{hash}`, which was valid before, cannot be read"
        ))),
    }
}
