//! One look at the policy and the lists that it names, which lie beside it: what was read, or why nothing could be.
//!
//! Never here: what is done about it.

use std::collections::{BTreeMap, BTreeSet};

use policy::Policy;

use crate::InvalidPolicy;
use crate::aws::{Aws, AwsError, Object};
use crate::policy_file::load_text;

/// Lists that a policy may name. Each round of reading finds those that the text before did not name.
const ROUNDS: usize = 3;

/// An object's ETag and version.
pub(super) type Tags = BTreeMap<String, (String, Option<String>)>;

/// What was read at one moment.
pub(super) struct Reading {
    pub(super) policy: Result<Policy, InvalidPolicy>,
    pub(super) tags: Tags,
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read `{place}`: {why}; {mend}")]
pub(super) struct Unread {
    place: String,
    why: String,
    mend: &'static str,
    /// The next look may find it well, without anybody's doing.
    pub(super) passes: bool,
}

impl Unread {
    fn of(place: String, error: &AwsError) -> Self {
        let passes = error.is_passing();
        let mend = match error {
            _ if passes => "it is read again every minute",
            AwsError::Refused { status: 404, code: _ } => {
                "put it there again, or bring back the version before"
            }
            // So S3 answers about what is not there, too, whoever may not list the bucket
            // (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).
            AwsError::Refused { status: 403, code: _ } => {
                "put it there again if it was deleted; if not, the role of this function has to be allowed to read it \
                 (s3:GetObject)"
            }
            AwsError::Refused { .. } | AwsError::Unreachable { .. } => {
                "GUESTLIST_POLICY has to name an object in a bucket of the function's region"
            }
            AwsError::Unusable { why: _ } => "put a text in UTF-8 of at most 4 MiB there",
        };
        Self { place, why: error.to_string(), mend, passes }
    }

    /// One for all that passes: what S3 says of that differs from look to look.
    pub(super) fn reason(&self) -> String {
        if self.passes { "a passing trouble".to_owned() } else { self.to_string() }
    }
}

/// As it is now, or in these versions.
pub(super) async fn read(
    aws: &Aws,
    bucket: &str,
    key: &str,
    versions: Option<&BTreeMap<String, Option<String>>>,
) -> Result<Reading, Unread> {
    let version = |key: &str| versions.and_then(|all| all.get(key)?.as_deref());
    let name = format!("s3://{bucket}/{key}");
    let cannot = |error: AwsError| Unread::of(name.clone(), &error);
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
            let place = format!("s3://{bucket}/{key}");
            let list = match aws.object(bucket, &key, version(&key)).await {
                Ok(Object { text, etag, version }) => {
                    tags.insert(key, (etag, version));
                    Ok(text)
                }
                // That it is not there is a fault of the policy; that nobody answers is none.
                Err(error @ (AwsError::Refused { status: 403 | 404, .. } | AwsError::Unusable { .. })) => {
                    Err(format!("cannot read `{place}`: {error}"))
                }
                Err(error @ (AwsError::Refused { .. } | AwsError::Unreachable { .. })) => {
                    return Err(Unread::of(place, &error));
                }
            };
            lists.insert(relative, list);
        }
    }
    let why = "it names other lists each time that it is read".to_owned();
    Err(Unread { place: name, why, mend: "name each list once", passes: false })
}
