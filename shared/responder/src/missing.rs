//! Graph does not know the object of a change. It may be soft-deleted, too fresh for the replica that answered, of
//! another kind, or gone.

use graph::Deleted;
use jiff::SignedDuration;
use model::{Attempt, Change, ChangeKind, Incident, NoticeKind, Step};

use crate::gone::{SOFTLY, ended_by, restorable};
use crate::record::may_close;
use crate::remediate::left_over;
use crate::trouble::to_the_second;
use crate::undo::{deleted_by, restored_at};
use crate::whose::{Asker, whose_doing};
use crate::{Assessor, End, Trouble};

impl Assessor {
    /// Nearly all rows of the audit have come by then, and the second look is yet to be made.
    const ROWS_COME: SignedDuration = SignedDuration::from_mins(4);

    /// A fresh object can be unknown for minutes
    /// (<https://learn.microsoft.com/troubleshoot/entra/entra-id/app-integration/404-not-found-error-manage-objects>).
    const WAITS_FOR: SignedDuration = SignedDuration::from_mins(15);
    const FIRST_WAIT_SECONDS: i64 = 15;

    pub(crate) async fn look_elsewhere(
        &self,
        change: &Change,
        missing: Option<Attempt>,
    ) -> Result<End, Trouble> {
        let now = self.clock.now();
        if let Some(deleted) = self.reader.deleted_user(change.id).await? {
            let end = self.close_deleted(change, deleted).await?;
            // Whatever the policy says of him: it is asked again when he is restored.
            self.ledger.note_judged(change.id, &self.rules.name_of(&self.rules.policy())).await?;
            return Ok(end);
        }
        if change.kind == ChangeKind::Deleted {
            self.close_gone(change, "the guest was deleted for good", now).await?;
            self.forget(change.id).await?;
            return Ok(End::Done);
        }
        let attempt = missing.unwrap_or(Attempt { count: 0, since: now });
        if now.duration_since(attempt.since) < Self::WAITS_FOR {
            let wait = Self::FIRST_WAIT_SECONDS.saturating_mul(1_i64 << attempt.count.min(10));
            let next = Attempt { count: attempt.count.saturating_add(1), since: attempt.since };
            return Ok(Self::look_again(change, next, now, wait));
        }
        self.look_for_the_last_time(change).await
    }

    async fn look_for_the_last_time(&self, change: &Change) -> Result<End, Trouble> {
        let now = self.clock.now();
        match self.reader.what_is(change.id).await? {
            // The replica that answered this time knows him.
            graph::ObjectIs::User => {
                let afresh = Attempt { count: 0, since: now };
                Ok(Self::look_again(change, afresh, now, Self::FIRST_WAIT_SECONDS))
            }
            graph::ObjectIs::DeletedUser => {
                let afresh = Attempt { count: 0, since: now };
                Ok(Self::look_again(change, afresh, now, Self::FIRST_WAIT_SECONDS))
            }
            graph::ObjectIs::Group | graph::ObjectIs::DeletedOther => Ok(End::Done),
            graph::ObjectIs::Unknown => {
                let told = self.close_gone(change, "the guest is not in the directory any more", now).await?;
                if !told && self.ledger.known(change.id).await?.is_some() {
                    let text = format!(
                        "the guest {} is not in the directory any more, and not among the deleted users",
                        change.id
                    );
                    let key = format!("guest-vanished/{}", change.id);
                    self.notices.raise(NoticeKind::GuestVanished, &key, text, 1).await?;
                }
                self.forget(change.id).await?;
                Ok(End::Done)
            }
        }
    }

    /// The guest was deleted softly. Where that was our doing, what we did stays done, and can be undone.
    async fn close_deleted(&self, change: &Change, deleted: Deleted) -> Result<End, Trouble> {
        let now = self.clock.now();
        let Some(by) = deleted_by(&self.ledger, change.id, deleted).await? else {
            self.close_gone(change, SOFTLY, now).await?;
            return self.tell_of_another_deletion(change, deleted).await;
        };
        for mut stored in self.ledger.incidents_of(change.id).await? {
            let Incident { state, achieved, .. } = &stored.value;
            let did_something = achieved.iter().any(|one| stored.value.has_achieved(one.step));
            // Whoever is at it, or is still to come, finds out by himself.
            if did_something || stored.value.is_under_way() || !may_close(state, now) {
                continue;
            }
            if stored.value.id == by {
                // Nobody had read back what it did before something else was asked of it.
                stored.value.achieve(Step::Delete { user: change.id }, false, now);
                let left = left_over(&stored.value);
                stored.value.done(left, &self.rules.routes, now);
            } else {
                stored.value.vanish(ended_by(&by.to_string()), &self.rules.routes, now);
            }
            let stored = self.ledger.replace(stored).await?;
            self.queues.tell_about(&stored.value).await?;
        }
        Ok(End::Done)
    }

    /// What an undo of ours restored was deleted again by somebody else, perhaps a lifecycle policy of Entra. People are told by
    /// whom, and nothing is restored a second time.
    async fn tell_of_another_deletion(&self, change: &Change, deleted: Deleted) -> Result<End, Trouble> {
        let (now, guest) = (self.clock.now(), change.id);
        let Some(restored) = restored_at(&self.ledger, guest).await? else { return Ok(End::Done) };
        let at = deleted.at.unwrap_or(now);
        let key = format!("deleted-again/{guest}/{}", to_the_second(restored));
        // The audit's rows come late, and every change is looked at a second time.
        let too_early = now.duration_since(at) < Self::ROWS_COME;
        let long_ago = at.duration_since(restored) >= restorable();
        if too_early || long_ago || self.ledger.notice(&key).await?.is_some() {
            return Ok(End::Done);
        }
        if let Err(later) = self.directory.audit_turn(guest, change.background, now) {
            return Ok(End::Again { at: later, job: None });
        }
        let deletes = |act: &graph::Act| act.activity == graph::Activity::Delete;
        let who = whose_doing(&self.reader, Asker::Reads, (guest, to_the_second(restored)), deletes).await;
        let text = format!(
            "the guest {guest}, whom an undo restored at {}, was deleted again at {}, and not by Guestlist; {who}",
            to_the_second(restored),
            to_the_second(at)
        );
        self.notices.once(NoticeKind::DeletedAgain, &key, text).await?;
        Ok(End::Done)
    }
}
