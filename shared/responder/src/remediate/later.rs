//! What Graph would not do, or could not: tried again later, or left to a person.
//!
//! Never here: a write, or what a judgement says.

use jiff::{SignedDuration, Timestamp};
use model::{Incident, NoticeKind};

use crate::trouble::{after, in_words, wait};
use crate::{Remediator, Trouble};

impl Remediator {
    /// Failures in a row before a person is asked.
    const TRIES: u32 = 12;

    /// Graph would not, or could not: later, or never.
    pub(crate) async fn in_trouble(
        &self,
        incident: &mut Incident,
        error: &graph::GraphError,
        doing: &str,
    ) -> Result<(), Trouble> {
        let now = self.clock.now();
        tracing::warn!(correlation = %incident.correlation, incident.id = %incident.id, "failed to {doing}: {error}");
        let why = format!("failed to {doing}: {}", in_words(error));
        match error.advice() {
            graph::Advice::TryAgain { after } => self.try_later(incident, &why, after, now),
            graph::Advice::MaybeNotReplicatedYet => self.try_later(incident, &why, None, now),
            graph::Advice::GiveUp { tell: _ } => {
                incident.failed(why, &self.rules.routes, now);
                Ok(())
            }
            graph::Advice::FixCredential { tell } => {
                self.notices.raise(NoticeKind::CredentialTrouble, "credential/write", tell, 1).await?;
                self.try_later(incident, &why, None, now)
            }
        }
    }

    pub(crate) fn try_later(
        &self,
        incident: &mut Incident,
        why: &str,
        told: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        if incident.attempts >= Self::TRIES {
            incident.failed(format!("{why}; tried {} times", incident.attempts), &self.rules.routes, now);
        } else {
            let doubling = SignedDuration::from_secs(5_i64 << incident.attempts.min(8));
            incident.release(after(now, wait(told, doubling, incident.attempts)), now);
            incident.attempts = incident.attempts.saturating_add(1);
        }
        Ok(())
    }
}
