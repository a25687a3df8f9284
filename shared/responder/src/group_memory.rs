//! What is remembered of a group between two looks: its owners, all that the policy saw in it, and what our own undo has given
//! back. It tells what is new, and is never believed about what is so.

use std::collections::{BTreeMap, BTreeSet};

use graph::{GroupRead, LinkedKind};
use jiff::SignedDuration;
use ledger::{KnownGroup, Stored};
use model::{IncidentId, NoticeKind, ObjectId, Outcome, Step};

use crate::group::Named;
use crate::{Assessor, Trouble};

/// The users among a group's owners.
pub(crate) struct Owners {
    pub(crate) now: BTreeSet<ObjectId>,
    /// Who came or went since they were last seen.
    pub(crate) changed: BTreeSet<ObjectId>,
}

impl Assessor {
    /// Our own undo comes back as an addition. It makes nothing new of what was there before.
    pub(crate) async fn was_given_back(
        &self,
        guest: ObjectId,
        group: ObjectId,
        owner: bool,
    ) -> Result<bool, Trouble> {
        let step = if owner {
            Step::AddOwner { user: guest, group }
        } else {
            Step::AddMember { user: guest, group }
        };
        let now = self.clock.now();
        for stored in self.ledger.incidents_of(guest).await? {
            // Graph repeats itself for four hours, and the finding may have opened the next incident since.
            let ours = |outcome: &Outcome| {
                outcome.step == step
                    && outcome.changed_something()
                    && now.duration_since(outcome.at) < SignedDuration::from_hours(4)
            };
            let IncidentId { slot, generation } = stored.value.id;
            for generation in [generation, generation.saturating_sub(1)] {
                let id = IncidentId { slot: slot.clone(), generation };
                if self.ledger.outcomes(&id).await?.iter().any(ours) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A group that hides its members shows none to an app that may not see them: a rule about it finds nobody.
    pub(crate) async fn tell_of_hidden(&self, read: &GroupRead, guest: ObjectId) -> Result<(), Trouble> {
        let id = read.group.id;
        let name = read.group.display_name.clone().unwrap_or_else(|| id.to_string());
        let text = format!(
            "the guest {guest} was added to the group `{name}` ({id}), which hides its members from the app that reads: \
             no rule can be judged there; grant the app `Member.Read.Hidden`"
        );
        self.notices.raise(NoticeKind::CredentialTrouble, &format!("hidden/{id}"), text, 1).await
    }

    pub(crate) async fn remember_group(
        &self,
        id: ObjectId,
        fingerprint: String,
        known: Option<Stored<KnownGroup>>,
        owners: Owners,
        unseen: &BTreeSet<ObjectId>,
    ) -> Result<(), Trouble> {
        let mut owners = owners.now;
        if let Some(known) = &known {
            // Whoever does not show yet what he has become is to be met again as news.
            owners.retain(|id| !unseen.contains(id));
            owners.extend(unseen.intersection(&known.value.owners));
        }
        let same = |known: &Stored<KnownGroup>| {
            (&known.value.fingerprint, &known.value.owners) == (&fingerprint, &owners)
        };
        if known.as_ref().is_some_and(same) {
            return Ok(());
        }
        let group = KnownGroup { id, fingerprint, owners, seen_at: self.clock.now() };
        // Whoever has seen it meanwhile may have seen more: then all is looked at again.
        match known {
            Some(mut known) => {
                known.value = group;
                self.ledger.replace(known).await?
            }
            None => self.ledger.insert(group).await?,
        };
        Ok(())
    }
}

pub(crate) fn users_among(read: &GroupRead) -> BTreeSet<ObjectId> {
    read.owners.iter().filter(|owner| owner.kind == LinkedKind::User).map(|owner| owner.id).collect()
}

/// The owners who came or went since they were last seen. Those whom nobody has seen before are looked at, too, and count
/// as having been there.
pub(crate) fn changed_owners(
    known: Option<&Stored<KnownGroup>>,
    read: &GroupRead,
    named: &mut BTreeMap<ObjectId, Named>,
) -> BTreeSet<ObjectId> {
    let now = users_among(read);
    let Some(known) = known else { return now };
    for owner in now.difference(&known.value.owners) {
        named.entry(*owner).or_default().became_owner = true;
    }
    now.symmetric_difference(&known.value.owners).copied().collect()
}
