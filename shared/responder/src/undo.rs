//! Reverses what was done, and keeps it reversed: first a dated suspension of the rule for the guest, then only steps
//! that were ours, whose state before was recorded, and whose state is still the one that we left.
//!
//! An undo is judged like any change. `force` overrides the judgement, never a protected subject.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Answer, CannotUndo, Finding, Incident, IncidentId, Outcome, Request, RequestId, RequestKind,
    RequestState, RuleId, Step, StepResult, Suspension,
};
use policy::{Facts, Standing};

use crate::step::Progress;
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
        match stored.value.may_undo(now) {
            Ok(()) => {}
            Err(error @ (CannotUndo::Held { .. } | CannotUndo::NothingToUndo { .. })) => {
                return Ok(Answer::Refused { why: error.to_string() });
            }
        }
        let Some(ours) = self.our_step(id).await? else {
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
        match self.may_reverse(&stored.value, &facts, undo, now) {
            Err(why) => Ok(Answer::Refused { why }),
            Ok(rules) => self.reverse(stored, ours, &facts, rules, undo).await,
        }
    }

    /// The step of ours that is in force: sent by us, onto an account that was enabled before.
    async fn our_step(&self, id: &IncidentId) -> Result<Option<Step>, Trouble> {
        let ours = |outcome: &Outcome| {
            let sent = match &outcome.result {
                StepResult::Done | StepResult::Sent | StepResult::Intended => true,
                StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => {
                    false
                }
            };
            sent && outcome.enabled_before == Some(true) && matches!(outcome.step, Step::Disable { .. })
        };
        let outcomes = self.ledger.outcomes(id).await?;
        Ok(outcomes.into_iter().rfind(ours).map(|outcome| outcome.step))
    }

    /// The rules to suspend, or why the undo is refused.
    fn may_reverse(
        &self,
        incident: &Incident,
        facts: &Facts,
        undo: &Undo<'_>,
        now: Timestamp,
    ) -> Result<BTreeSet<RuleId>, String> {
        let rule = incident.key.rule.clone();
        let mut lifted = facts.clone();
        lifted.suspensions.push(self.suspension(incident, rule.clone(), undo, now));
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
        Ok(objecting.into_iter().chain([rule]).collect())
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
        let answer = match self.take(&stored.value.id, ours.undo(), facts.enabled).await? {
            Progress::Seen => {
                stored.value.undone(by, reason, &channels, self.clock.now());
                Answer::Done {
                    text: format!("the account is enabled; the rule is suspended for it until {until}"),
                }
            }
            Progress::Unseen { since: _ } => Answer::Sent {
                text: format!(
                    "Entra accepted it, and a read does not show it yet; the rule is suspended for the account \
                     until {until}"
                ),
            },
            Progress::Failed { why } => {
                stored.value.failed(format!("the undo failed: {why}"), &channels, self.clock.now());
                Answer::Failed { why }
            }
            Progress::Trouble(error) => Answer::Sent {
                text: format!(
                    "it will be tried again: {error}; the rule is suspended for the account until {until}"
                ),
            },
        };
        let now = self.clock.now();
        let stored = self.ledger.replace(stored).await?;
        let Incident { id, correlation, .. } = &stored.value;
        if let Some(at) = stored.value.due_at().filter(|_| !stored.value.state.is_closed()) {
            self.queues.wake_remediate(id, *correlation, at, now).await?;
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
    ) -> Result<End, Trouble> {
        let now = self.clock.now();
        let channels = self.rules.channels.clone();
        let id = stored.value.id.clone();
        let Some(ours) = self.our_step(&id).await? else {
            stored.value.failed("the undo lost its step".to_owned(), &channels, now);
            self.ledger.replace(stored).await?;
            return Ok(End::Done);
        };
        let user = match self.reader.user(ours.user()).await {
            Ok(user) => user,
            Err(error) if is_not_found(&error) => {
                stored.value.resolve("the guest is not in the directory any more".to_owned(), &channels, now);
                let stored = self.ledger.replace(stored).await?;
                self.queues.tell_about(&stored.value, now).await?;
                return Ok(End::Done);
            }
            Err(error) => return Err(error.into()),
        };
        let mut again = None;
        match self.take(&id, ours.undo(), user.account_enabled).await? {
            Progress::Seen => stored.value.undone(by, reason, &channels, self.clock.now()),
            Progress::Unseen { since } if now.duration_since(since) < Incident::LOOKS_FOR => {
                let at = after(now, now.duration_since(since).max(SignedDuration::from_secs(1)));
                stored.value.undo_sent(by, reason, at, &channels, now);
                again = Some(at);
            }
            Progress::Unseen { since: _ } => {
                let why = "Entra accepted the undo 15 minutes ago, and reads still do not show it".to_owned();
                stored.value.failed(why, &channels, now);
            }
            Progress::Failed { why } => {
                stored.value.failed(format!("the undo failed: {why}"), &channels, now);
            }
            Progress::Trouble(error) => return Err(error.into()),
        }
        let stored = self.ledger.replace(stored).await?;
        self.queues.tell_about(&stored.value, now).await?;
        Ok(again.map_or(End::Done, |at| End::Again { at, job: None }))
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
