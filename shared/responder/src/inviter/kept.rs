//! What is kept of an invitation. Who sent it is known at once and for life. What that one was is known by a read, and a
//! replica may be minutes behind: only a read that was sent so long after the invitation that every replica had heard of what
//! came before it is kept for life.

use graph::{Actor, Invitation};
use jiff::{SignedDuration, Timestamp};
use ledger::Document;
use model::{Incident, ObjectId};
use policy::{InvitedBy, InviterKind};
use serde::{Deserialize, Serialize};

use super::{LONGEST_TRY_AGAIN, try_again};
use crate::trouble::after;

/// Proven by the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Invited {
    pub(super) guest: ObjectId,
    by: InvitedBy,
    invited_at: Timestamp,
    /// For people: the address that the invitation was sent for.
    address: Option<String>,
    /// When what the inviter is was asked for the last time.
    #[serde(default)]
    read_at: Option<Timestamp>,
    /// When it is asked for again. An earlier version has neither, because it kept what it read first.
    #[serde(default)]
    again_at: Option<Timestamp>,
    #[serde(default)]
    tries: u32,
}

impl Document for Invited {
    const KIND: &'static str = "invited";

    fn sort(&self) -> String {
        self.guest.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

impl Invited {
    /// By the row alone. An app is what it is, and of whom the row does not name nothing can be read.
    pub(super) fn by_row(guest: ObjectId, row: Invitation, now: Timestamp) -> Self {
        let Invitation { inviter, at, address } = row;
        let by = match inviter {
            Actor::User { id, name } => InvitedBy { id: Some(id), name, early: true, ..InvitedBy::unread() },
            Actor::App { app_id: _, service_principal, name } => InvitedBy {
                id: service_principal,
                name,
                kind: Some(InviterKind::App),
                addresses: Some(Vec::new()),
                ..InvitedBy::unread()
            },
            Actor::Unknown => InvitedBy::unread(),
        };
        let (invited_at, again_at) = (at.min(now), Some(now));
        Self { guest, by, invited_at, address, read_at: None, again_at, tries: 0 }
    }

    /// Of whom more can be read.
    pub(super) fn inviter(&self) -> Option<ObjectId> {
        self.by.id.filter(|_| self.by.kind != Some(InviterKind::App))
    }

    pub(super) fn by(&self) -> InvitedBy {
        let early = self.inviter().is_some() && (self.by.early || self.was_kept_unproven());
        InvitedBy { early, ..self.by.clone() }
    }

    /// An earlier version kept whatever it read first.
    fn was_kept_unproven(&self) -> bool {
        self.read_at.is_none() && self.again_at.is_none()
    }

    /// Reads from then on show what was so when the invitation was sent.
    fn believed_from(&self) -> Timestamp {
        after(self.invited_at, Incident::LOOKS_FOR)
    }

    /// When more may be known. `None`: what is kept stays as it is.
    pub(super) fn more_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.inviter()?;
        let again_at = if self.was_kept_unproven() { Some(now) } else { self.again_at };
        // What is further off was put off by a clock that was ahead.
        again_at.map(|at| if at > after(now, LONGEST_TRY_AGAIN) { now } else { at })
    }

    /// So soon after the invitation a read may be old, and what hangs on it is not told yet.
    pub(super) fn is_early(&self, now: Timestamp) -> bool {
        now < self.believed_from()
    }

    /// With what a read has shown that was sent then. `None`: Graph does not know the account.
    pub(super) fn after_read(self, read: Option<InvitedBy>, read_at: Timestamp) -> Self {
        let again_at = self.read_again_at(read.as_ref(), read_at);
        let (believed, kept_unproven) = (!self.is_early(read_at), self.was_kept_unproven());
        let by = match read {
            None => InvitedBy { early: true, ..self.by },
            Some(read) => {
                let early = !believed || read.groups.is_none();
                // What an earlier version read first is of the time of the invitation; what is read now, of any time since.
                let (counts, other) = if kept_unproven { (self.by, read) } else { (read, self.by) };
                InvitedBy { early, ..both(counts, other) }
            }
        };
        let (read_at, tries) = (Some(read_at), self.tries.saturating_add(1));
        Self { by, read_at, again_at, tries, ..self }
    }

    /// A deleted account can be restored for 30 days, and a permission can be granted on any day.
    fn read_again_at(&self, read: Option<&InvitedBy>, read_at: Timestamp) -> Option<Timestamp> {
        let believed_from = self.believed_from();
        let wait = try_again(self.tries);
        if self.is_early(read_at) {
            return Some(read.map_or(after(read_at, wait).min(believed_from), |_| believed_from));
        }
        let is_final = match read {
            None => read_at >= after(believed_from, RESTORABLE),
            Some(read) => read.groups.is_some(),
        };
        (!is_final).then(|| after(read_at, wait.max(Incident::LOOKS_FOR)))
    }
}

/// <https://learn.microsoft.com/entra/fundamentals/users-restore>
const RESTORABLE: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What the one read shows, and where it shows nothing, the other. A group that the other alone shows is in doubt.
fn both(counts: InvitedBy, other: InvitedBy) -> InvitedBy {
    let InvitedBy { id, name, kind, addresses, groups, early, mut doubted } = counts;
    if let (Some(shown), Some(others)) = (&groups, &other.groups) {
        doubted.extend(others.difference(shown));
    }
    doubted.extend(other.doubted);
    InvitedBy {
        id: id.or(other.id),
        name: name.or(other.name),
        kind: kind.or(other.kind),
        addresses: addresses.or(other.addresses),
        groups: groups.or(other.groups),
        early,
        doubted,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ANNA: ObjectId = ObjectId::from_u128(0xa);

    fn group(n: u128) -> ObjectId {
        ObjectId::from_u128(n)
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    /// Invited at 0, and the row was found at 2.
    fn invited() -> Invited {
        let inviter = Actor::User { id: ANNA, name: Some("anna@contoso.com".to_owned()) };
        Invited::by_row(ObjectId::from_u128(1), Invitation { inviter, at: at(0), address: None }, at(2))
    }

    fn read(groups: Option<&[u128]>) -> Option<InvitedBy> {
        let kind = Some(InviterKind::InternalMember);
        let groups = groups.map(|groups| groups.iter().copied().map(group).collect());
        Some(InvitedBy { id: Some(ANNA), kind, groups, ..InvitedBy::unread() })
    }

    #[track_caller]
    fn check(invited: &Invited, groups: Option<&[u128]>, doubted: &[u128], early: bool) {
        let by = invited.by();
        let expected: Option<BTreeSet<ObjectId>> =
            groups.map(|groups| groups.iter().copied().map(group).collect());
        assert_eq!((by.groups, by.early), (expected, early));
        assert_eq!(by.doubted, doubted.iter().copied().map(group).collect());
    }

    #[test]
    fn what_is_read_early_is_read_again_when_reads_are_believed_and_that_is_kept() {
        let early = invited().after_read(read(Some(&[1])), at(3));
        check(&early, Some(&[1]), &[], true);
        assert_eq!((early.more_at(at(3)), early.is_early(at(3))), (Some(at(15)), true));
        let kept = early.clone().after_read(read(Some(&[1, 2])), at(15));
        check(&kept, Some(&[1, 2]), &[], false);
        assert_eq!(kept.more_at(at(600)), None);
        let left = early.after_read(read(Some(&[2])), at(20));
        check(&left, Some(&[2]), &[1], false);
    }

    #[test]
    fn whom_a_replica_does_not_know_is_asked_for_again_and_whom_nobody_knows_after_30_days_no_more() {
        let unknown = invited().after_read(None, at(3));
        assert_eq!(unknown.by().name.as_deref(), Some("anna@contoso.com"));
        let soon = unknown.more_at(at(3)).unwrap();
        assert!(soon < at(4), "{soon}");
        let once_more = unknown.clone().after_read(None, at(14)).more_at(at(14));
        assert_eq!(once_more, Some(after(at(14), SignedDuration::from_secs(30))));
        let late = unknown.after_read(None, at(16));
        check(&late, None, &[], true);
        assert_eq!((late.more_at(at(16)), late.is_early(at(16))), (Some(at(31)), false));
        let back = late.clone().after_read(read(Some(&[1])), at(31));
        check(&back, Some(&[1]), &[], false);
        let gone = late.after_read(None, at(31 * 24 * 60));
        assert_eq!(gone.more_at(at(32 * 24 * 60)), None);
        // He went after he had been read.
        let went = invited().after_read(read(Some(&[1])), at(3)).after_read(None, at(15));
        check(&went, Some(&[1]), &[], true);
        assert_eq!(went.by().kind, Some(InviterKind::InternalMember));
    }

    #[test]
    fn groups_that_may_not_be_read_are_asked_for_until_they_may() {
        let mut invited = invited().after_read(read(None), at(15));
        for _ in 0..20 {
            let now = invited.read_at.unwrap();
            let next = invited.more_at(now).unwrap();
            let wait = next.duration_since(now);
            assert!(wait >= SignedDuration::from_mins(15) && wait <= LONGEST_TRY_AGAIN, "{wait:?}");
            invited = invited.after_read(read(None), next);
        }
        let granted = invited.after_read(read(Some(&[1])), at(100_000));
        check(&granted, Some(&[1]), &[], false);
    }

    #[test]
    fn what_an_earlier_version_kept_is_read_once_more_and_not_forgotten() {
        let earlier = |groups: &str| -> Invited {
            let text = format!(
                r#"{{"guest":"{}","by":{{"id":"{ANNA}","name":null,"kind":"guest","addresses":["a@x.example"],"groups":{groups}}},
                    "invited_at":"{}","address":null}}"#,
                group(1),
                at(0)
            );
            serde_json::from_str(&text).unwrap()
        };
        let kept = earlier(&format!("[\"{}\"]", group(1)));
        check(&kept, Some(&[1]), &[], true);
        assert_eq!(kept.more_at(at(9_000)), Some(at(9_000)));
        let once_more = kept.after_read(read(Some(&[2])), at(9_000));
        check(&once_more, Some(&[1]), &[2], false);
        assert_eq!((once_more.by().kind, once_more.more_at(at(9_001))), (Some(InviterKind::Guest), None));
        let unread = earlier("null").after_read(read(Some(&[2])), at(9_000));
        check(&unread, Some(&[2]), &[], false);
    }

    #[test]
    fn of_an_app_and_of_nobody_there_is_nothing_to_read() {
        let app = Actor::App { app_id: None, service_principal: Some(ANNA), name: None };
        for inviter in [app, Actor::Unknown] {
            let row = Invitation { inviter, at: at(0), address: None };
            let invited = Invited::by_row(ObjectId::from_u128(1), row, at(2));
            assert_eq!((invited.more_at(at(2)), invited.by().early), (None, false));
        }
    }
}
