//! What holds Guestlist back: a dated suspension of one rule for one guest, and the stop of all writes.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Identity, ObjectId, RuleId};

/// Suspends a rule for a guest until a moment, so that an undo stays undone and a rejected plan is not asked for again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub guest: ObjectId,
    pub rule: RuleId,
    /// Only in this group; everywhere where there is none.
    #[serde(default)]
    pub object: Option<ObjectId>,
    /// Who the account was when somebody decided this: nobody decided it about whoever the account becomes. Without one it
    /// holds for everybody, as those did that were written before.
    #[serde(default)]
    pub identity: Option<Identity>,
    pub until: Timestamp,
    pub by: String,
    pub reason: String,
    pub written_at: Timestamp,
    /// It had ended by then, and a look at the guest was asked for.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
}

impl Suspension {
    /// It stays so long after its end: a clock that was wrong for a moment ends nothing, because its date counts.
    const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

    /// When something is to be done about it: a look at the guest when it ends, and long after that its removal.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        match self.looked_at {
            Some(at) if at >= self.until => self.until.checked_add(Self::KEPT).unwrap_or(Timestamp::MAX),
            Some(_) | None => self.until,
        }
    }

    /// Nothing depends on it any more.
    #[must_use]
    pub fn is_to_go(&self, now: Timestamp) -> bool {
        now.duration_since(self.until) >= Self::KEPT
    }

    /// Whether it holds a finding of this rule about this object back.
    #[must_use]
    pub fn covers(&self, guest: ObjectId, rule: &RuleId, object: Option<ObjectId>) -> bool {
        self.guest == guest && self.rule == *rule && (self.object.is_none() || self.object == object)
    }

    /// Whether it was decided about this identity. `None` is one that could not be read: then it holds.
    #[must_use]
    pub fn is_for(&self, identity: Option<&Identity>) -> bool {
        match (&self.identity, identity) {
            (Some(decided), Some(now)) => decided == now,
            (None, _) | (_, None) => true,
        }
    }

    /// For this identity only.
    #[must_use]
    pub fn only_for(self, identity: Option<Identity>) -> Self {
        Self { identity, ..self }
    }
}

/// All writes to the tenant are stopped, or were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    pub since: Timestamp,
    pub by: String,
    pub reason: String,
    /// It is kept, so that people hear of both ends whoever dies when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Resumed>,
}

/// Writes are allowed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GuestKind;

    fn identity(address: &str) -> Identity {
        Identity { kind: GuestKind::Guest, addresses: vec![address.to_owned()] }
    }

    #[test]
    fn a_suspension_is_for_the_identity_that_it_was_decided_about_and_an_old_one_for_everybody() {
        let old = Suspension {
            guest: ObjectId::from_u128(1),
            rule: "closed".parse().unwrap(),
            object: None,
            identity: None,
            until: Timestamp::UNIX_EPOCH,
            by: "anna".to_owned(),
            reason: "agreed by phone".to_owned(),
            written_at: Timestamp::UNIX_EPOCH,
            looked_at: None,
        };
        let (sam, eve) = (identity("sam@fabrikam.com"), identity("eve@evil.example"));
        assert!(old.is_for(Some(&sam)) && old.is_for(None));
        let his = old.only_for(Some(sam.clone()));
        assert!(his.is_for(Some(&sam)) && !his.is_for(Some(&eve)));
        // Who the account is could not be read: that is no reason to act.
        assert!(his.is_for(None));
    }
}
