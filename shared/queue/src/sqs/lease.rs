//! Who works on a key, and what was done for it last: one item of the table a key, every write of it conditional.
//!
//! SQS delivers a message more than once, and in any order. A message that comes after its work was done is known by the last run
//! of its key: it was sent and due before that run began, and that run had the same body, or one that takes its place.

use dynamo::{Expect, Key, Pace, TableError, Write};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::envelope::Envelope;
use super::{Sqs, read};
use crate::message::Pushed;
use crate::{Collapse, Queue, QueueError};

/// By so much the clocks of two machines may differ. What was sent shortly before a run began may have been sent after it.
const SKEW: SignedDuration = SignedDuration::from_secs(1);
/// How long the last run is kept: longer than a message waits for another try.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// DynamoDB takes sort keys of 1,024 bytes.
const PLAIN_KEY: usize = 900;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    held: Option<Held>,
    last: Option<Run>,
    /// The run that failed last, and until when its message waits for the next try.
    #[serde(default)]
    put_off: Option<Held>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    until: Timestamp,
    run: Run,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    token: String,
    began_at: Timestamp,
    sent_at: Timestamp,
    collapse: Collapse,
    /// SHA-256 of the body.
    body: String,
    /// It did nothing for good: what it was to do lies elsewhere, in another message or among the dead.
    #[serde(default)]
    elsewhere: bool,
}

impl Held {
    /// Whether this message, as it arrives now, leaves alone what was begun or put off here. What was is the same body again where it
    /// was made at the same moment.
    fn keeps_away(&self, message: &Envelope, now: Timestamp) -> bool {
        let other = message.sent_at != self.run.sent_at;
        other && self.until > now && message.collapse.leaves_alone(now, self.until)
    }
}

impl Run {
    /// Whether that run did what this message asks for.
    fn did(&self, message: &Envelope) -> bool {
        let same_body = self.body == digest(&message.body);
        if message.due > self.began_at {
            return false;
        }
        if same_body && message.sent_at == self.sent_at {
            return true;
        }
        if self.elsewhere {
            return false;
        }
        let before = message.sent_at.saturating_add(SKEW).is_ok_and(|sent| sent <= self.began_at);
        let newer_stays = message.sent_at < self.sent_at && !self.collapse.keeps_body();
        let older_stays = message.sent_at > self.sent_at && message.collapse.keeps_body();
        before && (same_body || newer_stays || older_stays)
    }
}

/// What came of asking for a lease.
pub(super) enum Taken {
    /// By this token.
    Ours(String),
    Until(Timestamp),
    Done,
}

/// How a lease is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Done,
    /// What it was to do lies in another message, or among the dead letters.
    Elsewhere,
    /// Its message comes again then.
    NotDone {
        again: Timestamp,
    },
}

impl Sqs {
    fn lease_key(&self, key: &str) -> Key {
        Key { partition: format!("lease#{}", self.name()), sort: sort_of(key) }
    }

    pub(super) async fn take(
        &self,
        message: &Envelope,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Taken, QueueError> {
        let run = Run {
            token: token()?,
            began_at: now,
            sent_at: message.sent_at,
            collapse: message.collapse,
            body: digest(&message.body),
            elsewhere: false,
        };
        let mut pace = Pace::default();
        loop {
            let (lease, expect) = self.lease(&message.key, now).await?;
            match &lease.held {
                // Written, though we were not told.
                Some(held) if held.run.token == run.token => return Ok(Taken::Ours(run.token)),
                _ if lease.last.as_ref().is_some_and(|last| last.did(message)) => return Ok(Taken::Done),
                Some(held) if held.keeps_away(message, now) => return Ok(Taken::Done),
                None if lease.put_off.as_ref().is_some_and(|one| one.keeps_away(message, now)) => {
                    return Ok(Taken::Done);
                }
                // Whoever holds it for longer than anybody may had a clock that was ahead.
                Some(held) if held.until > now && held.until.duration_since(now) <= Queue::LONGEST_LEASE => {
                    return Ok(Taken::Until(held.until));
                }
                Some(_) | None => {}
            }
            let held = Some(Held { until, run: run.clone() });
            let lease = Lease { held, last: lease.last, put_off: None };
            if self.write(&message.key, lease, expect, until).await? {
                return Ok(Taken::Ours(run.token));
            }
            self.again(&mut pace, &message.key).await?;
        }
    }

    pub(super) async fn holds(&self, key: &str, pushed: &Pushed) -> Result<bool, QueueError> {
        let (lease, _) = self.lease(key, self.now()).await?;
        Ok(lease.held.is_some_and(|held| held.run.token == pushed.token))
    }

    /// Somebody works on the key of this message, or it has failed and waits for its next try.
    pub(super) async fn is_under_way(&self, message: &Envelope, now: Timestamp) -> Result<bool, QueueError> {
        let (lease, _) = self.lease(&message.key, now).await?;
        let lasts = |one: &Held, longest| one.until > now && one.until.duration_since(now) <= longest;
        let is_held = lease.held.as_ref().is_some_and(|held| lasts(held, Queue::LONGEST_LEASE));
        let is_ours = |one: &&Held| one.run.sent_at == message.sent_at;
        let waits = lease.put_off.as_ref().filter(is_ours).is_some_and(|one| lasts(one, Queue::LONGEST_WAIT));
        Ok(is_held || waits)
    }

    /// False: somebody else has taken over, and nothing was changed.
    pub(super) async fn release(
        &self,
        key: &str,
        pushed: &Pushed,
        ending: Ending,
    ) -> Result<bool, QueueError> {
        let (now, mut pace, mut tried) = (self.now(), Pace::default(), false);
        loop {
            let (lease, expect) = self.lease(key, now).await?;
            let Some(held) = lease.held.filter(|held| held.run.token == pushed.token) else {
                // Ours may have been written, and somebody may have begun since.
                return Ok(tried && lease.last.is_some_and(|last| last.token == pushed.token));
            };
            let (last, put_off) = match ending {
                Ending::Done => (Some(held.run), None),
                Ending::Elsewhere => (Some(Run { elsewhere: true, ..held.run }), None),
                Ending::NotDone { again } => (lease.last, Some(Held { until: again, ..held })),
            };
            if self.write(key, Lease { held: None, last, put_off }, expect, now).await? {
                return Ok(true);
            }
            tried = true;
            self.again(&mut pace, key).await?;
        }
    }

    /// False: somebody else has taken over, and nothing was changed.
    pub(super) async fn prolong(
        &self,
        key: &str,
        pushed: &Pushed,
        until: Timestamp,
    ) -> Result<bool, QueueError> {
        let mut pace = Pace::default();
        loop {
            let (lease, expect) = self.lease(key, self.now()).await?;
            let Some(held) = lease.held.filter(|held| held.run.token == pushed.token) else {
                return Ok(false);
            };
            let held = Some(Held { until, ..held });
            if self.write(key, Lease { held, ..lease }, expect, until).await? {
                return Ok(true);
            }
            self.again(&mut pace, key).await?;
        }
    }

    /// What DynamoDB shows though its time is over is as good as gone.
    async fn lease(&self, key: &str, now: Timestamp) -> Result<(Lease, Expect), QueueError> {
        let Some(item) = self.table().get(&self.lease_key(key)).await? else {
            return Ok((Lease::default(), Expect::Absent));
        };
        let is_over = item.expires.is_some_and(|expires| expires <= now.as_second());
        let lease = if is_over { Lease::default() } else { read(&item)? };
        Ok((lease, Expect::Version(item.version)))
    }

    /// False: somebody else wrote, or we may have.
    async fn write(
        &self,
        key: &str,
        lease: Lease,
        expect: Expect,
        ends: Timestamp,
    ) -> Result<bool, QueueError> {
        let expires = ends.max(self.now()).saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let write = Write::Put {
            key: self.lease_key(key),
            expect,
            fresh: fresh()?,
            due: None,
            expires: Some(expires.as_second()),
            body: serde_json::to_string(&lease).map_err(|error| self.other(error))?,
        };
        match self.table().put_all(&[write]).await {
            Ok(_) => Ok(true),
            Err(TableError::Conflict { key: _ } | TableError::Unsure { key: _ }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn again(&self, pace: &mut Pace, key: &str) -> Result<(), QueueError> {
        if pace.again().await {
            return Ok(());
        }
        Err(self.other(format!("others kept writing the lease of `{key}`; try again")))
    }
}

/// A key as a sort key: itself, or, where it is long, its beginning and its hash, which are longer than any that stands for itself.
pub(super) fn sort_of(key: &str) -> String {
    if (1..=PLAIN_KEY).contains(&key.len()) {
        return key.to_owned();
    }
    let mut begins = String::new();
    for c in key.chars() {
        if begins.len().saturating_add(c.len_utf8()) > PLAIN_KEY {
            break;
        }
        begins.push(c);
    }
    format!("{begins}#{}", digest(key))
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token() -> Result<String, QueueError> {
    Ok(format!("{:016x}{:016x}", fresh()?, fresh()?))
}

/// The version of a new item: never one that an item of the same key had before it.
pub(super) fn fresh() -> Result<u64, QueueError> {
    let number = getrandom::u64().map_err(|error| TableError::Other {
        table: "any".to_owned(),
        why: format!("the operating system has no random numbers: {error}"),
    })?;
    Ok(number >> 2)
}
