//! The going over of all accounts from outside, and the policy that it applies to everybody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Delta, has_come_to_all};
use crate::{Incident, ResourceKind};

/// The policy by which everybody is judged, with the operator's ceiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The policy's hash and the ceiling: whoever changes either judges anew.
    pub policy: String,
    /// When it was taken. With the policy it names this record: the one before may come back.
    pub since: Timestamp,
    /// When a going over had come to its end after which everybody had been judged by it. `None`: not yet.
    pub applied_at: Option<Timestamp>,
}

/// One going over all accounts from outside, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub began_at: Timestamp,
    /// When the first began of those in a row that did not come to their end, up to this one.
    #[serde(default)]
    pub tried_since: Option<Timestamp>,
    pub place: ListingPlace,
    /// The delta queries that had begun when it began, each by its beginning: it meets what happened before that.
    #[serde(default)]
    pub answers: BTreeMap<ResourceKind, Timestamp>,
    /// The beginnings before which nothing is missing: a listing has met all that came to replicas before them.
    #[serde(default)]
    pub made_good: BTreeMap<ResourceKind, Timestamp>,
    /// How many have begun in a row that made nothing good, with this one.
    #[serde(default)]
    pub in_vain: u32,
    /// Accounts from outside that it has met so far.
    pub met: u64,
    /// Accounts that were known, and that it has not met.
    pub missed: u64,
    /// When the last of the looks is due that it has put into the queue: the next page's come after it.
    #[serde(default)]
    pub looks_until: Option<Timestamp>,
    /// Since when the policy had been in force that was in force when it began.
    #[serde(default)]
    pub applies: Option<Timestamp>,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "place")]
pub enum ListingPlace {
    /// In Graph's list of users. The cursor is opaque.
    Users {
        cursor: Option<String>,
    },
    /// Among the guests that the ledger knows, after this one.
    Known {
        after: Option<String>,
    },
    /// Everybody has a look in the queue. Up to this one all have been judged by the policy.
    Judged {
        after: Option<String>,
    },
    Ended {
        at: Timestamp,
    },
}

impl InForce {
    /// A policy that is being written is changed several times in a row: the last of them is applied.
    const SETTLES: SignedDuration = SignedDuration::from_mins(1);

    #[must_use]
    pub fn begin(policy: String, now: Timestamp) -> Self {
        Self { policy, since: now, applied_at: None }
    }

    /// It stays as it is for now. A moment to come is of a clock that was set back since.
    #[must_use]
    pub fn has_settled(&self, now: Timestamp) -> bool {
        let old = now.duration_since(self.since);
        old.is_negative() || old >= Self::SETTLES
    }
}

impl Listing {
    /// Another begins so long after it did.
    const EVERY: SignedDuration = SignedDuration::from_hours(24);

    #[must_use]
    pub fn begin(
        before: Option<&Self>,
        deltas: &[Delta],
        in_force: Option<&InForce>,
        now: Timestamp,
    ) -> Self {
        let made_good = before.map(|before| before.made_good.clone()).unwrap_or_default();
        let in_vain = before.map_or(0, |before| before.in_vain);
        let unfinished = before.filter(|before| !before.has_met_all());
        Self {
            began_at: now,
            tried_since: Some(unfinished.map_or(now, Self::tried_since)),
            place: ListingPlace::Users { cursor: None },
            answers: deltas.iter().map(|delta| (delta.resource, delta.begun_at)).collect(),
            made_good,
            in_vain: in_vain.saturating_add(1),
            met: 0,
            missed: 0,
            looks_until: before.and_then(|before| before.looks_until),
            applies: in_force.map(|in_force| in_force.since),
        }
    }

    /// Everybody has been met whom the replica knew that was asked.
    pub fn met_all(&mut self) {
        self.place = ListingPlace::Judged { after: None };
        let began_at = self.began_at;
        let known = self.answers.iter().filter(|(_, begun_at)| has_come_to_all(**begun_at, began_at));
        self.made_good.extend(known.map(|(resource, begun_at)| (*resource, *begun_at)));
        if self.answers.iter().all(|(resource, begun_at)| self.made_good.get(resource) == Some(begun_at)) {
            self.in_vain = 0;
        }
    }

    pub fn end(&mut self, now: Timestamp) {
        self.place = ListingPlace::Ended { at: now };
    }

    /// Whether this policy is what it is about to apply to everybody, or has applied.
    #[must_use]
    pub fn is_of(&self, in_force: &InForce) -> bool {
        self.applies == Some(in_force.since)
    }

    /// Since when everybody was to be met.
    #[must_use]
    pub fn tried_since(&self) -> Timestamp {
        self.tried_since.unwrap_or(self.began_at)
    }

    #[must_use]
    pub fn has_met_all(&self) -> bool {
        match self.place {
            ListingPlace::Users { cursor: _ } | ListingPlace::Known { after: _ } => false,
            ListingPlace::Judged { after: _ } | ListingPlace::Ended { at: _ } => true,
        }
    }

    /// Whether another is to begin: its time has come, the policy is another, or a delta query has begun. One that is under
    /// way comes to its end first. Whomever it has still to meet is judged by the new policy already, so that all have been
    /// after as long.
    #[must_use]
    pub fn is_over(&self, deltas: &[Delta], in_force: Option<&InForce>, now: Timestamp) -> bool {
        let other = in_force.is_some_and(|policy| !self.is_of(policy) && policy.has_settled(now));
        // The clock may have been set back since it began.
        let age = now.duration_since(self.began_at).abs();
        self.has_met_all() && (other || age >= Self::EVERY || self.is_to_make_good(deltas, age, now))
    }

    /// A beginning is followed by a listing at once, which finds most of what was lost, and by one that makes it good, when
    /// replicas have heard of all that happened before. Where queries begin again and again, each waits twice as long.
    fn is_to_make_good(&self, deltas: &[Delta], age: SignedDuration, now: Timestamp) -> bool {
        let left: Vec<&Delta> = deltas.iter().filter(|delta| !delta.is_made_good(self)).collect();
        let unanswered = |delta: &&Delta| self.answers.get(&delta.resource) != Some(&delta.begun_at);
        let waits = match self.in_vain {
            0 => SignedDuration::ZERO,
            times => Incident::LOOKS_FOR.saturating_mul(1_i32 << times.saturating_sub(1).min(7)),
        };
        let ripe = || left.iter().all(|delta| delta.has_come_to_all(now));
        !left.is_empty() && age >= waits && (left.iter().any(unanswered) || ripe())
    }
}
