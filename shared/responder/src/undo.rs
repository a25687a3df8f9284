//! Reverses what was done, and keeps it reversed: first a dated suspension of the rule for the guest, then only steps
//! that were ours, whose state before was recorded, and whose state is still the one that we left.
//!
//! An undo is judged like any change. `force` overrides the judgement, never a protected subject.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Answer, CannotUndo, Finding, Incident, IncidentId, Outcome, Request, RequestId, RequestKind,
    RequestState, RuleId, State, Step, StepResult, Suspension,
};
use policy::{Facts, Standing};

use crate::remediate::next_look;
use crate::step::{Progress, Pursuit};
use crate::trouble::{after, is_not_found};
use crate::{End, Remediator, Trouble};

/// What an operator asked for, in one place.
struct Undo<'a> {
    request: &'a Request,
    suspend_for: SignedDuration,
    force: bool,
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
            let why =
                format!("writes are stopped since {} by {}: `guestlist resume` first", stop.since, stop.by);
            return Ok(Answer::Refused { why });
        }
        let Some(stored) = self.ledger.incident(id).await? else {
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
        let told_with = self.told_with(&stored.value).await?;
        let Some(ours) = self.our_step(&stored.value, &told_with).await? else {
            return Ok(Answer::Refused {
                why: "nothing of ours is in force: the account was disabled before".to_owned(),
            });
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
        let rules = told_with.into_iter().map(|one| one.key.rule);
        let rules = rules.chain([stored.value.key.rule.clone()]).collect();
        match self.may_reverse(&stored.value, &facts, rules, undo, now) {
            Err(why) => Ok(Answer::Refused { why }),
            Ok(rules) => self.reverse(stored, ours, &facts, rules, undo).await,
        }
    }

    /// The incidents that this one spoke for: people read of them in one message, with one command that undoes it.
    async fn told_with(&self, incident: &Incident) -> Result<Vec<Incident>, Trouble> {
        let all = self.ledger.incidents_of(incident.key.guest).await?.into_iter().map(|stored| stored.value);
        let spoken_for =
            |one: &Incident| !one.state.is_closed() && one.told_with.as_ref() == Some(&incident.key.rule);
        Ok(all.filter(spoken_for).collect())
    }

    /// The step of ours that is in force: sent by us, onto an account that was enabled before.
    async fn our_step(&self, incident: &Incident, told_with: &[Incident]) -> Result<Option<Step>, Trouble> {
        let ours = |outcome: &Outcome| {
            let sent = match &outcome.result {
                StepResult::Done | StepResult::Sent | StepResult::Intended => true,
                StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => {
                    false
                }
            };
            sent && outcome.enabled_before == Some(true) && matches!(outcome.step, Step::Disable { .. })
        };
        for one in [incident].into_iter().chain(told_with) {
            let outcomes = self.ledger.outcomes(&one.id).await?;
            if let Some(outcome) = outcomes.into_iter().rfind(ours) {
                return Ok(Some(outcome.step));
            }
        }
        Ok(None)
    }

    /// The rules to suspend, or why the undo is refused.
    fn may_reverse(
        &self,
        incident: &Incident,
        facts: &Facts,
        rules: BTreeSet<RuleId>,
        undo: &Undo<'_>,
        now: Timestamp,
    ) -> Result<BTreeSet<RuleId>, String> {
        let mut lifted = facts.clone();
        let suspended = rules.iter().map(|rule| self.suspension(incident, rule.clone(), undo, now));
        lifted.suspensions.extend(suspended);
        let verdict = policy::judge(&self.rules.policy(), &lifted, self.rules.ceiling, now);
        let protected = match &facts.standing {
            Standing::Known { .. } => policy::protection(&self.rules.policy(), facts),
            Standing::Unread => Some("directory roles have not been read".to_owned()),
            Standing::Unreadable { why } => Some(format!("directory roles could not be read: {why}")),
        };
        if let Some(why) = protected {
            return Err(format!("{why}; `--force` does not override this"));
        }
        let identity = verdict.subject.as_ref().map(|subject| (subject.kind, &subject.addresses));
        if identity != Some((incident.subject.kind, &incident.subject.addresses)) && !undo.force {
            return Err(
                "the account's identity has changed since; look at it, and use `--force --reason` if it is \
                        right"
                    .to_owned(),
            );
        }
        let objects = |finding: &&Finding| finding.acts(incident.key.guest);
        let objecting: BTreeSet<RuleId> =
            verdict.findings.iter().filter(objects).map(|finding| finding.rule.clone()).collect();
        if !objecting.is_empty() && !undo.force {
            let names: Vec<_> = objecting.iter().map(|rule| format!("`{rule}`")).collect();
            return Err(format!(
                "{} would disable the account again; undo it there, or use `--force --reason`",
                names.join(" and ")
            ));
        }
        Ok(objecting.into_iter().chain(rules).collect())
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
        ours: Step,
        facts: &Facts,
        rules: BTreeSet<RuleId>,
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let (by, reason) = (undo.request.by.clone(), undo.request.reason.clone());
        for rule in rules {
            self.ledger.suspend(&self.suspension(&stored.value, rule, undo, now)).await?;
        }
        let until = after(now, undo.suspend_for);
        let channels = self.rules.channels.clone();
        // Says that an undo is under way before anything is sent: a crash from here on is finished by `finish_undo`.
        let look_again_at = after(now, SignedDuration::from_secs(30));
        stored.value.undo_sent(by.clone(), reason.clone(), look_again_at, &channels, now);
        let mut stored = self.ledger.replace(stored).await?;
        let answer = match self.take(&stored.value.id, ours.undo(), facts.enabled, Pursuit::Begins).await? {
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
            Progress::Stopped => Answer::Sent {
                text: format!(
                    "writes were stopped a moment ago, and it is carried out after `guestlist resume`; the rule is \
                     suspended for the account until {until}"
                ),
            },
            Progress::Trouble(error) => {
                let trouble = Trouble::from(error);
                if let Some(wait) = trouble.retry_after {
                    let now = self.clock.now();
                    stored.value.undo_sent(by, reason, after(now, wait), &channels, now);
                }
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
        by: String,
        reason: String,
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let channels = self.rules.channels.clone();
        let incident = &mut stored.value;
        let told_with = self.told_with(incident).await?;
        let Some(ours) = self.our_step(incident, &told_with).await? else {
            incident.failed("the undo lost its step".to_owned(), &channels, now);
            return self.write_down(stored).await;
        };
        let user = match self.reader.user(ours.user()).await {
            Ok(user) => user,
            Err(error) if is_not_found(&error) => {
                incident.vanish("the guest is not in the directory any more".to_owned(), &channels, now);
                return self.write_down(stored).await;
            }
            Err(error) => return Err(error.into()),
        };
        let id = incident.id.clone();
        match self.take(&id, ours.undo(), user.account_enabled, Pursuit::FollowsUp).await? {
            Progress::Seen => incident.undone(by, reason, &channels, self.clock.now()),
            Progress::Unseen { since } if now.duration_since(since) < Incident::LOOKS_FOR => {
                incident.undo_sent(by, reason, next_look(since, now), &channels, now);
            }
            Progress::Unseen { since: _ } => {
                let why = "Entra accepted the undo 15 minutes ago, and reads still do not show it".to_owned();
                incident.failed(why, &channels, now);
            }
            Progress::Stopped => {
                incident.undo_sent(by, reason, after(now, Self::STOPPED), &channels, now);
            }
            Progress::Failed { why } => incident.failed(format!("the undo failed: {why}"), &channels, now),
            Progress::Trouble(error) => return Err(error.into()),
        }
        self.write_down(stored).await
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
