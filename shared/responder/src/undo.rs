//! Reverses what was done, and keeps it reversed: first a dated suspension of the rule for the guest, then only steps
//! that were ours, whose state before was recorded, and whose state is still the one that we left.
//!
//! An undo is judged like any change. `force` overrides the judgement, never a protected subject.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Answer, CannotUndo, Identity, Incident, IncidentId, Outcome, PendingUndo, Request, RequestId,
    RequestKind, RequestState, RuleId, State, Step, StepResult, Suspension,
};

use crate::remediate::{Judged, Reversal, next_look};
use crate::step::{Progress, Pursuit};
use crate::trouble::{after, is_not_found, to_the_second};
use crate::{End, Remediator, Trouble};

/// What an operator asked for, in one place.
struct Undo<'a> {
    request: &'a Request,
    suspend_for: SignedDuration,
    force: bool,
}

/// What of ours there is to reverse.
enum Ours {
    InForce {
        step: Step,
        identity: Option<Identity>,
    },
    PutBack,
    /// A write may still be on its way.
    Writing {
        until: Timestamp,
    },
    Nothing,
}

impl Ours {
    /// Why there is nothing to reverse.
    fn in_words(&self) -> String {
        match self {
            Self::InForce { .. } => "it is in force".to_owned(),
            Self::PutBack => {
                "nothing of ours is in force any more: somebody enabled the account after we had \
                              disabled it, and who disabled it since must decide"
                    .to_owned()
            }
            Self::Writing { until } => format!("a worker may still be writing; try again at {until}"),
            Self::Nothing => "nothing of ours is in force: the account was disabled before".to_owned(),
        }
    }
}

impl Remediator {
    /// Carries out an operator's request and writes the answer beside it.
    ///
    /// # Errors
    /// The ledger, a queue or Graph is in trouble: the request is served again.
    pub async fn serve(&self, id: &RequestId) -> Result<End, Trouble> {
        let Some(mut stored) = self.ledger.request(id).await? else {
            return Ok(End::Bury { why: format!("there is no request `{id}` in the ledger") });
        };
        if stored.value.state != RequestState::Waiting {
            return Ok(End::Done);
        }
        let answer = match stored.value.kind.clone() {
            RequestKind::Undo { incident, suspend_for, force } => {
                let undo = Undo { request: &stored.value, suspend_for, force };
                self.undo(&incident, &undo).await?
            }
        };
        stored.value.state = RequestState::Answered { at: self.clock.now(), answer };
        self.ledger.replace(stored).await?;
        Ok(End::Done)
    }

    async fn undo(&self, id: &IncidentId, undo: &Undo<'_>) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        if let Some(stop) = self.ledger.stop().await? {
            let why = format!(
                "writes are stopped since {} by {}: `guestlist resume` first",
                to_the_second(stop.since),
                stop.by
            );
            return Ok(Answer::Refused { why });
        }
        let Some(mut stored) = self.ledger.incident(id).await? else {
            return Ok(Answer::Refused { why: format!("there is no incident `{id}`") });
        };
        if let State::Undone { at, by, reason } = &stored.value.state
            && *at >= undo.request.asked_at
            && (by, reason) == (&undo.request.by, &undo.request.reason)
        {
            // This very request was interrupted between the undo and its answer.
            return Ok(Answer::Done { text: format!("the account is enabled since {at}") });
        }
        match stored.value.may_undo(now) {
            Ok(()) => {}
            Err(error @ (CannotUndo::Held { .. } | CannotUndo::NothingToUndo { .. })) => {
                return Ok(Answer::Refused { why: error.to_string() });
            }
        }
        if let Some(later) = self.ledger.current(&stored.value.key).await?
            && later.value.id.generation > id.generation
        {
            let why = format!("`{}` has taken its place; undo that one", later.value.id);
            return Ok(Answer::Refused { why });
        }
        let told_with = self.told_with(&stored.value).await?;
        let (step, identity) = match self.ours(&stored.value, &told_with, now).await? {
            Ours::InForce { step, identity } => (step, identity),
            refused @ (Ours::PutBack | Ours::Writing { .. } | Ours::Nothing) => {
                let speaker = self.speaker_of(&stored.value).await?;
                let why = speaker.map_or_else(
                    || refused.in_words(),
                    |id| format!("`{id}` speaks for this incident, and what was done is written there; undo that one"),
                );
                return Ok(Answer::Refused { why });
            }
        };
        let facts = match self.read(&stored.value).await {
            Ok(facts) => self.complete(&stored.value, facts, now).await?,
            Err(error) if is_not_found(&error) => {
                return Ok(Answer::Refused {
                    why: "the guest is not in the directory (any more)".to_owned(),
                });
            }
            Err(error) => return self.answer_trouble(error, "read the guest"),
        };
        let mut rules = stored.value.speaks_for.clone();
        rules.insert(stored.value.key.rule.clone());
        rules.extend(told_with.into_iter().map(|one| one.key.rule));
        let suspensions =
            rules.iter().map(|rule| self.suspension(&stored.value, rule.clone(), undo, now)).collect();
        let reversal = Reversal { step: step.undo(), identity, force: undo.force, suspensions };
        match self.may_reverse(&stored.value, &facts, &reversal, now) {
            Err(why) => Ok(Answer::Refused { why }),
            Ok((judged, objecting)) => {
                rules.extend(objecting);
                let Reversal { step, identity, force, suspensions: _ } = reversal;
                stored.value.undo = Some(PendingUndo { step, identity, force });
                self.suspend(&stored.value, rules, undo, now).await?;
                self.reverse(stored, step, facts.enabled, &judged, undo).await
            }
        }
    }

    /// The incident that people were told of instead of this one.
    async fn speaker_of(&self, incident: &Incident) -> Result<Option<IncidentId>, Trouble> {
        let Some(rule) = &incident.told_with else { return Ok(None) };
        let siblings = self.ledger.incidents_of(incident.key.guest).await?;
        let speaks = |one: &Incident| one.key.rule == *rule && !one.state.is_closed();
        Ok(siblings.into_iter().map(|stored| stored.value).find(speaks).map(|one| one.id))
    }

    /// The incidents that this one spoke for: people read of them in one message, with one command that undoes it.
    async fn told_with(&self, incident: &Incident) -> Result<Vec<Incident>, Trouble> {
        let all = self.ledger.incidents_of(incident.key.guest).await?.into_iter().map(|stored| stored.value);
        let spoken_for =
            |one: &Incident| !one.state.is_closed() && one.told_with.as_ref() == Some(&incident.key.rule);
        Ok(all.filter(spoken_for).collect())
    }

    /// The step of ours that is in force: sent by us, onto an account that was enabled before, and not put back since.
    async fn ours(
        &self,
        incident: &Incident,
        told_with: &[Incident],
        now: Timestamp,
    ) -> Result<Ours, Trouble> {
        if let (State::Undoing { .. }, Some(pending)) = (&incident.state, &incident.undo) {
            let (step, identity) = (pending.step.undo(), pending.identity.clone());
            return Ok(Ours::InForce { step, identity });
        }
        let mut found = Ours::Nothing;
        for one in [incident].into_iter().chain(told_with) {
            for outcome in self.ledger.outcomes(&one.id).await?.into_iter().filter(is_ours).rev() {
                let until = after(outcome.at, Self::LEASE);
                if outcome.result == StepResult::Intended && now < until {
                    return Ok(Ours::Writing { until });
                }
                match found {
                    Ours::InForce { .. } => {}
                    Ours::PutBack | Ours::Writing { .. } | Ours::Nothing if one.is_in_force(outcome.at) => {
                        found = Ours::InForce { step: outcome.step, identity: outcome.identity };
                    }
                    Ours::PutBack | Ours::Writing { .. } | Ours::Nothing => found = Ours::PutBack,
                }
            }
        }
        Ok(found)
    }

    async fn suspend(
        &self,
        incident: &Incident,
        rules: BTreeSet<RuleId>,
        undo: &Undo<'_>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        for rule in rules {
            self.ledger.suspend(&self.suspension(incident, rule, undo, now)).await?;
        }
        Ok(())
    }

    fn suspension(&self, incident: &Incident, rule: RuleId, undo: &Undo<'_>, now: Timestamp) -> Suspension {
        Suspension {
            guest: incident.key.guest,
            rule,
            until: after(now, undo.suspend_for),
            by: undo.request.by.clone(),
            reason: undo.request.reason.clone(),
            written_at: now,
        }
    }

    async fn reverse(
        &self,
        mut stored: Stored<Incident>,
        step: Step,
        enabled: Option<bool>,
        judged: &Judged,
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let (by, reason) = (undo.request.by.clone(), undo.request.reason.clone());
        let until = to_the_second(after(now, undo.suspend_for));
        let channels = self.rules.channels.clone();
        // Says that an undo is under way before anything is sent: a crash from here on is finished by `finish_undo`.
        stored.value.undo_sent(by.clone(), reason.clone(), after(now, Self::LEASE), &channels, now);
        let mut stored = self.ledger.replace(stored).await?;
        let answer = match self.take(&stored.value, step, enabled, Pursuit::Begins(judged)).await? {
            Progress::Seen => {
                stored.value.undone(by, reason, &channels, self.clock.now());
                Answer::Done {
                    text: format!("the account is enabled; the rule is suspended for it until {until}"),
                }
            }
            Progress::Unseen { since } => {
                let soon = next_look(since, self.clock.now());
                stored.value.undo_sent(by, reason, soon, &channels, self.clock.now());
                Answer::Sent {
                    text: format!(
                        "Entra accepted it, and a read does not show it yet; the rule is suspended for the account \
                     until {until}"
                    ),
                }
            }
            Progress::Failed { why } => {
                stored.value.failed(format!("the undo failed: {why}"), &channels, self.clock.now());
                Answer::Failed { why }
            }
            Progress::Stopped => {
                let now = self.clock.now();
                stored.value.undo_sent(by, reason, after(now, Self::STOPPED), &channels, now);
                Answer::Sent {
                    text: format!(
                        "writes were stopped a moment ago, and it is carried out after `guestlist resume`; the rule \
                         is suspended for the account until {until}"
                    ),
                }
            }
            Progress::PutBack { .. } | Progress::Unsent => {
                return Err(Trouble::now(anyhow::anyhow!("the undo was only looked for")));
            }
            Progress::Trouble(error) => {
                let trouble = Trouble::from(error);
                let (now, wait) = (self.clock.now(), trouble.retry_after.unwrap_or(Self::STOPPED));
                stored.value.undo_sent(by, reason, after(now, wait), &channels, now);
                Answer::Sent {
                    text: format!(
                        "it will be tried again: {trouble}; the rule is suspended for the account until {until}"
                    ),
                }
            }
        };
        let now = self.clock.now();
        let stored = self.ledger.replace(stored).await?;
        let Incident { id, key, correlation, .. } = &stored.value;
        if let State::Undoing { look_again_at, .. } = &stored.value.state {
            self.queues.wake_remediate(key.guest, id, *correlation, *look_again_at, now).await?;
        }
        self.queues.tell_about(&stored.value, now).await?;
        Ok(answer)
    }

    /// An undo that no read has shown yet, or that was interrupted.
    pub(crate) async fn finish_undo(
        &self,
        mut stored: Stored<Incident>,
        since: Timestamp,
        by: String,
        reason: String,
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let channels = self.rules.channels.clone();
        let Some(pending) = stored.value.undo.clone() else {
            stored.value.failed("the undo lost its step".to_owned(), &channels, now);
            return self.write_down(stored).await;
        };
        let enabled = match self.reader.user(pending.step.user()).await {
            Ok(user) => user.account_enabled,
            Err(error) if is_not_found(&error) => {
                stored.value.vanish("the guest is not in the directory any more".to_owned(), &channels, now);
                return self.write_down(stored).await;
            }
            Err(error) => return Err(error.into()),
        };
        let pursuit = Pursuit::FollowsUp { asked_at: since };
        let mut progress = self.take(&stored.value, pending.step, enabled, pursuit).await?;
        if matches!(progress, Progress::Unsent) {
            let soon = after(now, Self::LEASE);
            stored.value.undo_sent(by.clone(), reason.clone(), soon, &channels, now);
            stored = self.ledger.replace(stored).await?;
            progress = self.send_undo(&stored.value, pending).await?;
        }
        self.undo_went(&mut stored.value, progress, enabled, (by, reason))?;
        self.write_down(stored).await
    }

    /// It was never sent, or nobody knows: it is judged again, for what was right when it was asked for may not be now.
    async fn send_undo(&self, incident: &Incident, pending: PendingUndo) -> Result<Progress, Trouble> {
        let now = self.clock.now();
        let not_sent = |why: &str| Progress::Failed { why: format!("it was not sent: {why}") };
        let facts = match self.read(incident).await {
            Ok(facts) => self.complete(incident, facts, now).await?,
            Err(error) => return Ok(Progress::Trouble(error)),
        };
        let holds = |one: &Suspension| one.rule == incident.key.rule && one.until > now;
        if !facts.suspensions.iter().any(holds) {
            return Ok(not_sent("its suspension of the rule has ended; ask again"));
        }
        let PendingUndo { step, identity, force } = pending;
        let reversal = Reversal { step, identity, force, suspensions: Vec::new() };
        match self.may_reverse(incident, &facts, &reversal, now) {
            Ok((judged, _)) => self.take(incident, step, facts.enabled, Pursuit::Begins(&judged)).await,
            Err(why) => Ok(not_sent(&why)),
        }
    }

    fn undo_went(
        &self,
        incident: &mut Incident,
        progress: Progress,
        enabled: Option<bool>,
        (by, reason): (String, String),
    ) -> Result<(), Trouble> {
        let (now, channels) = (self.clock.now(), &self.rules.channels);
        match progress {
            Progress::Seen => incident.undone(by, reason, channels, now),
            // It was reversed, and what somebody did to the account since is not ours.
            Progress::PutBack { done_at: _ } => {
                incident.undone(by, reason, channels, now);
                incident.subject.enabled = enabled;
            }
            Progress::Unseen { since } if now.duration_since(since) < Incident::LOOKS_FOR => {
                incident.undo_sent(by, reason, next_look(since, now), channels, now);
            }
            Progress::Unseen { since: _ } => {
                let why = "Entra accepted the undo 15 minutes ago, and reads still do not show it".to_owned();
                incident.failed(why, channels, now);
            }
            Progress::Stopped => {
                incident.undo_sent(by, reason, after(now, Self::STOPPED), channels, now);
            }
            Progress::Failed { why } => incident.failed(format!("the undo failed: {why}"), channels, now),
            Progress::Trouble(error) => {
                let wait = Trouble::from(error).retry_after.unwrap_or(Self::STOPPED);
                incident.undo_sent(by, reason, after(now, wait), channels, now);
            }
            Progress::Unsent => return Err(Trouble::now(anyhow::anyhow!("the undo was only looked for"))),
        }
        Ok(())
    }

    fn answer_trouble(&self, error: graph::GraphError, doing: &str) -> Result<Answer, Trouble> {
        match error.advice() {
            graph::Advice::TryAgain { after: _ } | graph::Advice::MaybeNotReplicatedYet => Err(error.into()),
            graph::Advice::GiveUp { tell } | graph::Advice::FixCredential { tell } => {
                Ok(Answer::Failed { why: format!("failed to {doing}: {tell}") })
            }
        }
    }
}

/// Sent by us, or perhaps, onto an account that was enabled before.
fn is_ours(outcome: &Outcome) -> bool {
    let sent = match &outcome.result {
        StepResult::Done | StepResult::Sent | StepResult::Intended => true,
        StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => false,
    };
    sent && outcome.enabled_before == Some(true) && matches!(outcome.step, Step::Disable { .. })
}
