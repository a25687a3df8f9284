//! Up to which moment every change was assessed and how that is known, and whether everybody has been judged by the policy
//! in force.

use host::{Part, Store};
use jiff::{SignedDuration, Timestamp};
use model::{Delta, InForce, Listing, ListingPlace, ResourceKind};
use serde::Serialize;

use super::QueueStatus;
use crate::commands::words::{log_of, seconds};

/// A round is due every ten minutes, and speaks of what happened fifteen minutes before it began.
const LATE: SignedDuration = SignedDuration::from_mins(90);

#[derive(Serialize)]
pub(super) struct Reconciled {
    /// `None`: nobody can say so of any moment yet.
    assessed_until: Option<Timestamp>,
    /// On AWS what was told counts as assessed when the steward has noted it.
    #[serde(skip)]
    told_until: Option<Timestamp>,
    /// Changes that nobody could assess, and that wait for a person.
    but_for_dead: u64,
    deltas: Vec<Round>,
    listing: Option<Gone>,
    /// The policy that judges. `None`: nobody has judged yet.
    judged_by: Option<Applied>,
}

/// How many of the accounts from outside that are known the policy in force has judged.
#[derive(Serialize)]
struct Applied {
    policy: String,
    since: Timestamp,
    applied_at: Option<Timestamp>,
    judged: u64,
    of: u64,
}

/// A delta query, without its cursor.
#[derive(Serialize)]
struct Round {
    resource: ResourceKind,
    began_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// The going over of all accounts from outside.
#[derive(Serialize)]
struct Gone {
    began_at: Timestamp,
    /// Others before it did not come to their end.
    tried_since: Timestamp,
    #[serde(skip)]
    has_met_all: bool,
    ended_at: Option<Timestamp>,
    met: u64,
    missed: u64,
}

impl Reconciled {
    /// What is owed in the queue of changes was told, and not assessed.
    pub(super) async fn read(
        store: &Store,
        changes: Option<&QueueStatus>,
        (now, troubles): (Timestamp, &mut Vec<String>),
    ) -> anyhow::Result<Self> {
        let mut deltas = Vec::new();
        for resource in [ResourceKind::User, ResourceKind::Group] {
            if let Some(stored) = store.ledger.delta(resource).await? {
                let Delta { round_began_at, round_ended_at, .. } = stored.value;
                deltas.push(Round { resource, began_at: round_began_at, ended_at: round_ended_at });
            }
        }
        let listing = store.ledger.listing().await?.map(|stored| Gone::of(&stored.value));
        let assessed_until = store.assessed_until(now).await?;
        let but_for_dead = changes.map_or(0, |queue| queue.dead);
        let told_until = store.ledger.told_until().await?.filter(|_| store.is_on_aws());
        let (log, looks) = (log_of(store, Part::Steward), log_of(store, Part::Assess));
        let late = |since: Timestamp| now.duration_since(since) > LATE;
        match (assessed_until, &listing) {
            (Some(until), _) if late(until) => troubles.push(format!(
                "not every change since {} was assessed: reconciliation does not keep up, or a look fails again and again; \
                 see {looks}",
                seconds(until)
            )),
            (None, Some(listing)) if late(listing.tried_since) && told_until.is_none() => troubles.push(format!(
                "reconciliation began at {} and has not come to its end: see {log}",
                seconds(listing.tried_since)
            )),
            (None, _) if told_until.is_some_and(late) => troubles.push(format!(
                "the steward has noted of no change that it was assessed, or nobody knows since when one in the queue is owed: see \
                 {log}, and {looks}"
            )),
            (Some(_), Some(listing)) if listing.is_stuck(now) => troubles.push(format!(
                "all accounts were to be gone over since {}, and that has not come to its end: see {log}",
                seconds(listing.tried_since)
            )),
            (Some(_) | None, _) => {}
        }
        let judged_by = Applied::read(store, (now, troubles)).await?;
        Ok(Self { assessed_until, told_until, but_for_dead, deltas, listing, judged_by })
    }

    pub(super) fn in_words(&self) -> Vec<String> {
        let judged_by = self.judged_by.as_ref().map(Applied::in_words);
        std::iter::once(self.assessed_in_words()).chain(judged_by).collect()
    }

    fn assessed_in_words(&self) -> String {
        if let (None, Some(told)) = (self.assessed_until, self.told_until) {
            return format!(
                "every change up to {} was told; assessed it counts when the steward has seen that nothing older is owed",
                seconds(told)
            );
        }
        let Some(until) = self.assessed_until else {
            return match &self.listing {
                Some(Gone { began_at, ended_at: None, met, .. }) => format!(
                    "reconciliation: all accounts are gone over since {}, {met} from outside so far",
                    seconds(*began_at)
                ),
                // Replicas may not have known everybody.
                Some(Gone { ended_at: Some(at), met, .. }) => format!(
                    "reconciliation: {met} accounts from outside gone over at {}, and once more when 15 minutes have passed",
                    seconds(*at)
                ),
                None => "reconciliation: it has not begun".to_owned(),
            };
        };
        let rounds = self.deltas.iter().map(|round| round.began_at).min();
        let mut known = rounds.map_or_else(String::new, |at| {
            format!("Graph's delta queries of users and groups at {}", seconds(at))
        });
        if let Some(Gone { began_at, ended_at: Some(_), met, .. }) = &self.listing {
            known = format!("{known}, and {met} accounts from outside gone over at {}", seconds(*began_at));
        }
        let but = match self.but_for_dead {
            0 => String::new(),
            1 => " but for 1 dead letter".to_owned(),
            dead => format!(" but for {dead} dead letters"),
        };
        format!("every change up to {} was assessed{but}: {known}", seconds(until))
    }
}

impl Applied {
    /// All are gone over once a day: by then the policy has reached everybody who can be looked at.
    const LATE: SignedDuration = SignedDuration::from_hours(25);
    const PAGE: usize = 1_000;

    async fn read(
        store: &Store,
        (now, troubles): (Timestamp, &mut Vec<String>),
    ) -> anyhow::Result<Option<Self>> {
        let Some(stored) = store.ledger.in_force().await? else { return Ok(None) };
        let InForce { policy, since, applied_at } = stored.value;
        let (mut judged, mut of, mut after) = (0, 0, None);
        // Whom it has judged matters as long as it has not judged all.
        while applied_at.is_none() {
            let known = store.ledger.known_guests(after.as_deref(), Self::PAGE).await?;
            of += known.len() as u64;
            judged += known.iter().filter(|guest| guest.was_judged_by(&policy)).count() as u64;
            match known.last() {
                Some(last) if known.len() == Self::PAGE => after = Some(last.id.to_string()),
                Some(_) | None => break,
            }
        }
        if applied_at.is_none() && now.duration_since(since) > Self::LATE {
            troubles.push(format!(
                "the policy in force since {} has judged {judged} of {of} accounts from outside, and should have judged all: \
                 see `guestlist dead list` and {}",
                seconds(since),
                log_of(store, Part::Assess)
            ));
        }
        Ok(Some(Self { policy, since, applied_at, judged, of }))
    }

    fn in_words(&self) -> String {
        let Self { policy, since, applied_at, judged, of } = self;
        let since = seconds(*since);
        let policy = match policy.split_once('/') {
            Some((hash, ceiling)) => format!("{hash}` (GUESTLIST_AT_MOST {ceiling})"),
            None => format!("{policy}`"),
        };
        match applied_at {
            Some(_) => format!("the policy `{policy} has been applied to all since {since}"),
            None => format!(
                "the policy `{policy} of {since} is being applied: {judged} of {of} accounts from outside that are known"
            ),
        }
    }
}

impl Gone {
    /// 100,000 guests take an hour and a half.
    const STUCK: SignedDuration = SignedDuration::from_hours(12);

    fn is_stuck(&self, now: Timestamp) -> bool {
        !self.has_met_all && now.duration_since(self.tried_since) > Self::STUCK
    }

    fn of(listing: &Listing) -> Self {
        let Listing { began_at, place, met, missed, .. } = listing;
        let ended_at = match place {
            ListingPlace::Ended { at } => Some(*at),
            ListingPlace::Users { cursor: _ }
            | ListingPlace::Known { after: _ }
            | ListingPlace::Judged { after: _ } => None,
        };
        let (tried_since, has_met_all) = (listing.tried_since(), listing.has_met_all());
        Self { began_at: *began_at, tried_since, has_met_all, ended_at, met: *met, missed: *missed }
    }
}
