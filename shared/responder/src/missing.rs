//! Graph does not know the object of a change. It may be soft-deleted, too fresh for the replica that answered, of
//! another kind, or gone.

use jiff::SignedDuration;
use model::{Attempt, Change, ChangeKind, NoticeKind};

use crate::{Assessor, End, Trouble};

impl Assessor {
    /// A fresh object can be unknown for minutes
    /// (<https://learn.microsoft.com/troubleshoot/entra/entra-id/app-integration/404-not-found-error-manage-objects>).
    const WAITS_FOR: SignedDuration = SignedDuration::from_mins(15);
    const FIRST_WAIT_SECONDS: i64 = 15;
    const SOFTLY: &str = "the guest was deleted (soft: it can be restored for 30 days)";

    pub(crate) async fn look_elsewhere(
        &self,
        change: &Change,
        missing: Option<Attempt>,
    ) -> Result<End, Trouble> {
        let now = self.clock.now();
        if self.reader.deleted_user(change.id).await? {
            self.close_gone(change, Self::SOFTLY, now).await?;
            return Ok(End::Done);
        }
        if change.kind == ChangeKind::Deleted {
            self.close_gone(change, "the guest was deleted for good", now).await?;
            self.ledger.forget(change.id).await?;
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
                self.close_gone(change, Self::SOFTLY, now).await?;
                Ok(End::Done)
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
                self.ledger.forget(change.id).await?;
                Ok(End::Done)
            }
        }
    }
}
