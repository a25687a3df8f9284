//! What every judgement needs beside the guest: the policy in force, the operator's ceiling, our own domains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use model::{Mode, ObjectId, Routes};
use policy::{Named, Policy};
use tokio::sync::watch;

use crate::Trouble;
use crate::turns::Turns;

/// The policy in force, the ceiling, and who is told.
#[derive(Debug, Clone)]
pub struct Rules {
    pub policy: watch::Receiver<Arc<Policy>>,
    pub ceiling: Mode,
    pub routes: Routes,
}

impl Rules {
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.borrow())
    }

    /// Changes with whatever may change a verdict: the policy, and how far it may go.
    #[must_use]
    pub fn name_of(&self, policy: &Policy) -> String {
        format!("{}/{}", policy.hash(), self.ceiling)
    }
}

/// Domains, and when they were read.
type Read = (Timestamp, Arc<[String]>);

/// What a name stood for, and when that was read.
type Meant = BTreeMap<String, (Timestamp, Vec<ObjectId>)>;

/// What hardly changes: our own verified domains, and which groups the names in the policy stand for. Each is read from
/// Graph at most once an hour.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    read: Arc<Mutex<Option<Read>>>,
    meant: Arc<Mutex<Meant>>,
    /// Whoever needs a name that nobody has read waits for the one who reads it.
    reading: Arc<tokio::sync::Mutex<()>>,
    audit: Arc<Mutex<Turns>>,
}

impl Directory {
    const KEEPS: SignedDuration = SignedDuration::from_hours(1);
    /// While Graph cannot be read, what was read before serves so long.
    const SERVES: SignedDuration = SignedDuration::from_hours(24);

    /// # Errors
    /// Graph could not be read, and nothing is known from the day before.
    pub async fn verified_domains(
        &self,
        reader: &graph::Reader,
        now: Timestamp,
    ) -> Result<Arc<[String]>, Trouble> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, domains)) = &known
            && now.duration_since(*read_at).abs() < Self::KEEPS
        {
            return Ok(Arc::clone(domains));
        }
        match reader.organization().await {
            Ok(organization) => {
                let domains: Arc<[String]> = organization.verified_domains.into();
                *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&domains)));
                Ok(domains)
            }
            // Verified domains hardly ever change: yesterday's list is better than none, and last week's is not.
            Err(error) => match known {
                Some((read_at, domains)) if now.duration_since(read_at).abs() < Self::SERVES => {
                    tracing::warn!("going on with the verified domains read before: {error}");
                    Ok(domains)
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// A turn to ask the directory audit about a guest, taken now; or when his turn comes.
    pub(crate) fn audit_turn(
        &self,
        guest: ObjectId,
        background: bool,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).take(guest, background, now)
    }

    /// What the names in the policy stand for, that should be ids. A meaning serves for an hour, and no longer: a name is no
    /// proof. While Graph cannot be asked, it is unread.
    ///
    /// # Errors
    /// Graph could not be asked, and may be later.
    pub async fn named_groups(
        &self,
        reader: &graph::Reader,
        names: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Names, Trouble> {
        let mut names_read = Names::default();
        if names.is_empty() {
            return Ok(names_read);
        }
        let _reading = self.reading.lock().await;
        for name in names {
            let known = self.meant.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
            let fresh = known.filter(|(read_at, _)| now.duration_since(*read_at).abs() < Self::KEEPS);
            let named = match fresh {
                Some((_, ids)) => named(ids),
                None => match reader.groups_named(&name).await {
                    Ok(ids) => {
                        let mut meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
                        meant.insert(name.clone(), (now, ids.clone()));
                        names_read.read_now.insert(name.clone());
                        named(ids)
                    }
                    Err(error) => match error.advice() {
                        graph::Advice::GiveUp { tell } => Named::Unread { why: tell },
                        graph::Advice::FixCredential { tell: _ }
                        | graph::Advice::TryAgain { after: _ }
                        | graph::Advice::MaybeNotReplicatedYet => return Err(error.into()),
                    },
                },
            };
            names_read.all.insert(name, named);
        }
        Ok(names_read)
    }
}

/// What the names in the policy stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub all: BTreeMap<String, Named>,
    /// Those that Graph was asked for a moment ago.
    pub read_now: BTreeSet<String>,
}

fn named(ids: Vec<ObjectId>) -> Named {
    match ids.as_slice() {
        [] => Named::Nobody,
        [id] => Named::One(*id),
        _several => Named::Several(ids),
    }
}
