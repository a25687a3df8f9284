//! The policy on Amazon S3: read at the start and when it was not looked at for a minute, and taken only when it is valid. The
//! versions of the last one that was taken stand in the ledger, so that an instance which starts while the object is bad reads those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ledger::{Document, Ledger};
use policy::Policy;
use responder::Notices;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::aws::{Aws, AwsError, Object};
use crate::policy_file::{PolicySource, load_text};
use crate::{InvalidPolicy, Store};

const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Lists that a policy may name. Each round of reading finds those that the text before did not name.
const ROUNDS: usize = 3;

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

/// An object's ETag and version.
type Tags = BTreeMap<String, (String, Option<String>)>;

/// What was read at one moment.
struct Reading {
    policy: Result<Policy, InvalidPolicy>,
    tags: Tags,
}

#[derive(Debug)]
pub(crate) struct PolicyObject {
    bucket: String,
    key: String,
    aws: Aws,
    ledger: Ledger,
    notices: Notices,
    pub(super) current: watch::Sender<Arc<Policy>>,
    looked_at: Timestamp,
    /// What was read last, so that nothing is done about what has not changed.
    tags: Tags,
    refused: bool,
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
        let now_there = read(&aws, &bucket, &key, None).await;
        let mut refused = None;
        let (policy, tags) = match now_there {
            Ok(Reading { policy: Ok(policy), tags }) => (policy, tags),
            Ok(Reading { policy: Err(invalid), tags }) => {
                let before = last_good(&aws, kept.as_ref(), anyhow::Error::from(invalid.clone())).await?;
                refused = Some(invalid);
                (before, tags)
            }
            Err(error) => (last_good(&aws, kept.as_ref(), error).await?, Tags::new()),
        };
        let before = kept.map_or_else(|| policy.hash().to_owned(), |kept| kept.hash);
        let hash = policy.hash().to_owned();
        let current = watch::Sender::new(Arc::new(policy));
        let object = Self {
            bucket,
            key,
            aws,
            ledger,
            notices,
            current,
            looked_at: now,
            tags,
            refused: refused.is_some(),
        };
        match refused {
            Some(invalid) => object.tell_refused(&invalid).await,
            // An empty list of tags is of one that could not be read.
            None if !object.tags.is_empty() => object.tell_taken(&before, &hash).await,
            None => Ok(()),
        }
        .unwrap_or_else(|error| tracing::error!("failed to tell of the policy: {error:#}"));
        Ok(object)
    }

    /// # Errors
    /// The object cannot be read, or people could not be told. The next look tries again.
    pub(super) async fn look(&mut self, now: Timestamp) -> anyhow::Result<()> {
        if self.looked_at <= now && now.duration_since(self.looked_at) < LOOK_EVERY {
            return Ok(());
        }
        self.looked_at = now;
        let Reading { policy, tags } = read(&self.aws, &self.bucket, &self.key, None).await?;
        if tags == self.tags {
            return Ok(());
        }
        let before_tags = std::mem::replace(&mut self.tags, tags);
        let told = match policy {
            Ok(policy) => {
                let (before, hash) = (self.current.borrow().hash().to_owned(), policy.hash().to_owned());
                self.current.send_replace(Arc::new(policy));
                let told = self.tell_taken(&before, &hash).await;
                self.refused = self.refused && told.is_err();
                told
            }
            Err(invalid) => {
                self.refused = true;
                self.tell_refused(&invalid).await
            }
        };
        if told.is_err() {
            self.tags = before_tags;
        }
        told
    }

    /// Several instances meet the same object, and people are told each change of it once.
    async fn tell_taken(&self, before: &str, hash: &str) -> anyhow::Result<()> {
        if hash != before || self.refused {
            self.source().tell_taken(&self.notices, before, hash).await?;
        }
        // After the word: who dies in between says it again under the same key.
        let versions = self.tags.iter().map(|(key, (_, version))| (key.clone(), version.clone())).collect();
        let (bucket, key) = (self.bucket.clone(), self.key.clone());
        let good = LastGood { bucket, key, hash: hash.to_owned(), versions };
        let changed = |before: Option<LastGood>| (before.as_ref() != Some(&good)).then(|| good.clone());
        self.ledger.update("last-good", changed).await?;
        Ok(())
    }

    async fn tell_refused(&self, invalid: &InvalidPolicy) -> anyhow::Result<()> {
        let hash = self.current.borrow().hash().to_owned();
        Ok(self.source().tell_refused(&self.notices, &hash, invalid).await?)
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

/// The policy and the lists that it names, which lie beside it.
async fn read(
    aws: &Aws,
    bucket: &str,
    key: &str,
    versions: Option<&BTreeMap<String, Option<String>>>,
) -> anyhow::Result<Reading> {
    let version = |key: &str| versions.and_then(|all| all.get(key)?.as_deref());
    let name = format!("s3://{bucket}/{key}");
    let cannot = |error: AwsError| anyhow::anyhow!("failed to read `{name}`: {error}");
    let Object { text, etag, version: found } =
        aws.object(bucket, key, version(key)).await.map_err(cannot)?;
    let mut tags = Tags::from([(key.to_owned(), (etag, found))]);
    let folder = key.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"));
    let mut lists: BTreeMap<String, Result<String, String>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut missing = BTreeSet::new();
        let policy = load_text(&text, &name, &mut |relative: &str| {
            lists.get(relative).cloned().unwrap_or_else(|| {
                missing.insert(relative.to_owned());
                Err(format!("`{relative}` was not read"))
            })
        });
        if missing.is_empty() {
            return Ok(Reading { policy, tags });
        }
        for relative in missing {
            let key = format!("{folder}{relative}");
            let list = match aws.object(bucket, &key, version(&key)).await {
                Ok(Object { text, etag, version }) => {
                    tags.insert(key, (etag, version));
                    Ok(text)
                }
                // That it is not there is a fault of the policy; that nobody answers is none.
                Err(error @ AwsError::Refused { status: 403 | 404, .. }) => {
                    Err(format!("cannot read `s3://{bucket}/{key}`: {error}"))
                }
                Err(error @ AwsError::Unusable { .. }) => {
                    Err(format!("cannot read `s3://{bucket}/{key}`: {error}"))
                }
                Err(error @ (AwsError::Refused { .. } | AwsError::Unreachable { .. })) => {
                    anyhow::bail!("failed to read `s3://{bucket}/{key}`: {error}");
                }
            };
            lists.insert(relative, list);
        }
    }
    anyhow::bail!("failed to read `{name}`: it names other lists each time that it is read")
}

#[cfg(test)]
mod tests {
    use model::{Clock, Severity};
    use wire::Wire;

    use super::*;
    use crate::aws::tests::settings;

    const POLICY: &str = "version: 1\nmode: observe\nlists:\n  blocked: { file: lists/blocked.txt }\nguardrails:\n  - id: blocked\n    why: sanctions\n    severity: high\n    if: { domain: [blocked] }\n    then: [notify]\n";
    const KEY: &str = "tenants/contoso/policy.yaml";
    const LIST: &str = "tenants/contoso/lists/blocked.txt";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_165_200 + seconds).unwrap()
    }

    struct Place {
        bucket: String,
        store: Store,
        notices: Notices,
        _folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tenant = "c0270500-0000-4000-8000-000000000000".parse().unwrap();
            let store = Store::open(folder.path(), tenant).unwrap();
            let routes = model::Routes(
                vec![(model::ChannelName("slack".to_owned()), Severity::Low)].into_iter().collect(),
            );
            let (ledger, queues) = (store.ledger.clone(), store.queues.clone());
            let notices = Notices { ledger, queues, routes, clock: Clock::new(|| at(0)) };
            Self { bucket: emulator::create_bucket(), store, notices, _folder: folder }
        }

        fn put(&self, key: &str, text: &str) {
            emulator::put_object(&self.bucket, key, text);
        }

        async fn start(&self) -> anyhow::Result<PolicyObject> {
            let aws = Aws::new(Wire::network().unwrap(), settings());
            let place = (self.bucket.clone(), KEY.to_owned());
            PolicyObject::start(place, aws, &self.store, self.notices.clone(), at(0)).await
        }

        /// What people are to be told.
        async fn told(&self) -> Vec<String> {
            let notices = self.store.ledger.all::<model::Notice>("").await.unwrap();
            notices.into_iter().map(|stored| stored.value.key).collect()
        }
    }

    #[tokio::test]
    async fn a_changed_policy_or_list_is_taken_a_minute_later_and_people_are_told_once() {
        let place = Place::new();
        place.put(KEY, POLICY);
        place.put(LIST, "evil.example\n");
        let (mut one, mut two) = (place.start().await.unwrap(), place.start().await.unwrap());
        let before = one.current.borrow().hash().to_owned();
        assert_eq!(place.told().await, Vec::<String>::new());
        place.put(LIST, "evil.example\nother.example\n");
        one.look(at(59)).await.unwrap();
        assert_eq!(one.current.borrow().hash(), before, "it was looked at less than a minute ago");
        one.look(at(60)).await.unwrap();
        two.look(at(75)).await.unwrap();
        let after = one.current.borrow().hash().to_owned();
        assert_ne!(after, before);
        assert_eq!(two.current.borrow().hash(), after);
        let told = place.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("policy-taken/{before}/{after}/")), "{told:?}");
    }

    #[tokio::test]
    async fn a_bad_policy_changes_nothing_and_a_cold_start_reads_the_versions_that_were_good() {
        let place = Place::new();
        place.put(KEY, POLICY);
        place.put(LIST, "evil.example\n");
        let mut one = place.start().await.unwrap();
        let good = one.current.borrow().hash().to_owned();
        place.put(KEY, "version: 1\nmood: observe\n");
        place.put(LIST, "other.example\n");
        one.look(at(60)).await.unwrap();
        assert_eq!(one.current.borrow().hash(), good);
        let two = place.start().await.unwrap();
        assert_eq!(two.current.borrow().hash(), good, "the list, too, is what it was");
        let told = place.told().await;
        assert!(told.len() == 1 && told[0].starts_with("policy-refused/"), "{told:?}");
        place.put(KEY, POLICY);
        place.put(LIST, "evil.example\n");
        one.look(at(120)).await.unwrap();
        assert_eq!(one.current.borrow().hash(), good);
        let told = place.told().await;
        assert!(told.iter().any(|key| key.starts_with(&format!("policy-taken/{good}/{good}/"))), "{told:?}");
    }

    #[tokio::test]
    async fn without_one_that_was_good_a_bad_policy_and_a_missing_list_are_errors_that_name_the_place() {
        let place = Place::new();
        place.put(KEY, POLICY);
        let error = format!("{:#}", place.start().await.unwrap_err());
        assert!(error.contains("none is known that was valid before"), "{error}");
        assert!(
            error.contains(&format!("cannot read `s3://{}/{LIST}`: AWS answers 404 NoSuchKey", place.bucket)),
            "{error}"
        );
        place.put(KEY, "version: 1\nmood: observe\n");
        let error = format!("{:#}", place.start().await.unwrap_err());
        assert!(error.contains(&format!("s3://{}/{KEY}:2", place.bucket)), "{error}");
    }
}
