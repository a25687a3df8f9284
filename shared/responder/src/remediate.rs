//! Carries out an incident's plan: judge again, read, act, read back. The only flow that writes to a tenant; whose turn it
//! is stands in `turn.rs`, and the write itself in `step.rs`.
//!
//! The plan is taken from the ledger, never from a message. Success is claimed only from the read-back. Known but
//! ignored (closed, held by another, nothing to do) is success.

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{Clock, Incident, NoticeKind};
use policy::Facts;

use crate::record::Spoken;
use crate::step::{Progress, Pursuit};
use crate::trouble::{after, in_words, is_not_found, wait};
use crate::{Directory, Notices, Queues, Rules, Trouble, facts_of, standing_of};

mod judged;

use judged::Judgement;
pub(crate) use judged::{Judged, Reversal};

/// The flow `remediate`.
#[derive(Debug, Clone)]
pub struct Remediator {
    /// Reads with the same app that writes.
    pub reader: graph::Reader,
    pub writer: graph::Writer,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub rules: Rules,
    pub directory: Directory,
    pub notices: Notices,
    pub clock: Clock,
}

impl Remediator {
    /// How long one worker has an incident to himself: longer than his job takes. One call to Graph ends after two
    /// attempts without an answer: 2 × 20 s and 2 s of waiting, and 2 × 15 s and 2 s for a token. A job reads, asks for
    /// our domains, writes and reads back: 4 × 42 s, and 2 × 32 s for tokens of two apps, make 232 s.
    pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(5);
    /// What was on its way when the time to write ended has landed after so long: a call ends after 20 s.
    pub(crate) const LONGEST_CALL: SignedDuration = SignedDuration::from_secs(30);
    /// While writes are stopped, what waits is looked at this often.
    pub(crate) const STOPPED: SignedDuration = SignedDuration::from_secs(30);
    /// Failures in a row before a person is asked.
    const TRIES: u32 = 12;

    /// Moves a claimed incident to what has become of it. Writes outcomes, and leaves the incident to be written.
    pub(crate) async fn carry_out(&self, mut stored: Stored<Incident>) -> Result<Stored<Incident>, Trouble> {
        let now = self.clock.now();
        let channels = &self.rules.channels;
        let facts = match self.read(&stored.value).await {
            Ok(facts) => facts,
            Err(error) if is_not_found(&error) => {
                self.not_there(&mut stored.value).await?;
                return Ok(stored);
            }
            Err(error) => {
                self.in_trouble(&mut stored.value, &error, "read the guest").await?;
                return Ok(stored);
            }
        };
        let incident = &mut stored.value;
        let judgement = self.judge_again(incident, facts.clone(), now).await?;
        incident.saw_enabled(facts.enabled, now);
        match judgement {
            Judgement::Gone => {
                incident.resolve("the guest does not break this rule any more".to_owned(), channels, now);
            }
            Judgement::Refused(spoken, why) => {
                self.take_note(incident, *spoken, now);
                incident.refused(why, channels, now);
            }
            Judgement::HeldBack(spoken) => {
                self.take_note(incident, *spoken, now);
                incident.held_back(channels, now);
            }
            Judgement::Acts(spoken, judged) => {
                self.take_note(incident, *spoken, now);
                incident.subject.enabled = facts.enabled;
                // Written down before anything is sent, so that the ledger knows whose plan it is.
                stored = self.ledger.replace(stored).await?;
                self.act(&mut stored.value, facts.enabled, Pursuit::Begins(&judged)).await?;
            }
        }
        Ok(stored)
    }

    pub(crate) async fn read(&self, incident: &Incident) -> Result<Facts, graph::GraphError> {
        let (user, standing) = self.reader.user_and_standing(incident.key.guest).await?;
        let mut facts = facts_of(user, &[], Vec::new());
        facts.standing = standing_of(standing);
        facts.verified_domains = None;
        Ok(facts)
    }

    /// Adds what does not come from the guest himself.
    pub(crate) async fn complete(
        &self,
        incident: &Incident,
        mut facts: Facts,
        now: Timestamp,
    ) -> Result<Facts, Trouble> {
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        facts.verified_domains = Some(domains.to_vec());
        facts.suspensions = self.ledger.suspensions(incident.key.guest).await?;
        Ok(facts)
    }

    fn take_note(&self, incident: &mut Incident, spoken: Spoken, now: Timestamp) {
        let Spoken { finding, told_with, speaks_for } = spoken;
        incident.finding = finding;
        incident.told_with = told_with;
        incident.speak_for(speaks_for, &self.rules.channels, now);
    }

    /// Takes the plan's steps. `enabled` is what was just read.
    pub(crate) async fn act(
        &self,
        incident: &mut Incident,
        enabled: Option<bool>,
        pursuit: Pursuit<'_>,
    ) -> Result<(), Trouble> {
        let channels = &self.rules.channels;
        let mut unseen: Option<Timestamp> = None;
        for step in incident.plan().steps {
            let progress = self.take(incident, step, enabled, pursuit).await?;
            let now = self.clock.now();
            match progress {
                Progress::Seen => {}
                Progress::Unseen { since } => unseen = Some(unseen.map_or(since, |first| first.min(since))),
                Progress::Failed { why } => {
                    incident.failed(why, channels, now);
                    return Ok(());
                }
                Progress::PutBack { done_at } => {
                    incident.put_back = incident.put_back.max(Some(done_at));
                    incident.release(now, now);
                    return Ok(());
                }
                Progress::Unsent => {
                    incident.release(now, now);
                    return Ok(());
                }
                Progress::Stopped => {
                    incident.release(after(now, Self::STOPPED), now);
                    return Ok(());
                }
                Progress::Trouble(error) => {
                    return self.in_trouble(incident, &error, &format!("{step}")).await;
                }
            }
        }
        let now = self.clock.now();
        match unseen {
            None => incident.done(left_over(incident), channels, now),
            Some(since) => self.unseen(incident, since, now),
        }
        Ok(())
    }

    /// The write was accepted and no read shows it: replicas lag, so it is looked at again for fifteen minutes.
    pub(crate) fn unseen(&self, incident: &mut Incident, since: Timestamp, now: Timestamp) {
        let waited = now.duration_since(since);
        if waited >= Incident::LOOKS_FOR {
            let why = "Entra accepted the change 15 minutes ago, and reads still do not show it; look at the account \
                       in the Entra admin center"
                .to_owned();
            incident.failed(why, &self.rules.channels, now);
        } else {
            incident.sent(since, next_look(since, now), &self.rules.channels, now);
        }
    }

    pub(crate) async fn not_there(&self, incident: &mut Incident) -> Result<(), Trouble> {
        let now = self.clock.now();
        match self.reader.deleted_user(incident.key.guest).await {
            Ok(true) => {
                let why = "the guest was deleted (soft: it can be restored for 30 days)".to_owned();
                incident.vanish(why, &self.rules.channels, now);
                Ok(())
            }
            Ok(false) => self.try_later(incident, "Graph does not know the guest (yet)", None, now),
            Err(error) => self.in_trouble(incident, &error, "look among the deleted users").await,
        }
    }

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
                incident.failed(why, &self.rules.channels, now);
                Ok(())
            }
            graph::Advice::FixCredential { tell } => {
                self.notices.raise(NoticeKind::CredentialTrouble, "credential/write", tell, 1).await?;
                self.try_later(incident, &why, None, now)
            }
        }
    }

    fn try_later(
        &self,
        incident: &mut Incident,
        why: &str,
        told: Option<SignedDuration>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        if incident.attempts >= Self::TRIES {
            incident.failed(format!("{why}; tried {} times", incident.attempts), &self.rules.channels, now);
        } else {
            let doubling = SignedDuration::from_secs(5_i64 << incident.attempts.min(8));
            incident.release(after(now, wait(told, doubling, incident.attempts)), now);
        }
        Ok(())
    }
}

/// Looks double, and the last is at the end of the time that a write has to show.
pub(crate) fn next_look(since: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.duration_since(since).max(SignedDuration::from_secs(1));
    after(now, waited).min(after(since, Incident::LOOKS_FOR))
}

/// What a disabled account keeps
/// (<https://learn.microsoft.com/entra/identity/users/users-revoke-access>).
fn left_over(incident: &Incident) -> Vec<String> {
    if incident.plan().is_empty() {
        return Vec::new();
    }
    vec![
        "access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may \
         keep them longer"
            .to_owned(),
        "memberships, app roles and sharing links of the account are still there, and work again if it is enabled"
            .to_owned(),
    ]
}
