//! An undo that no read has shown yet, or that was interrupted. What was never sent is judged again: what was right when it
//! was asked for may not be now.

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{Incident, Mode, NoticeKind, Outcome, PendingUndo, Snapshot, Step, Suspension};

use crate::gone::{IsOurs, Looked, NoLook, SOFTLY, is_being_reversed};
use crate::remediate::{Reversal, next_look};
use crate::step::Pursuit;
use crate::trouble::{after, in_words, is_not_found, to_the_second, wait};
use crate::undo::{CHANGED, Found, NOTHING_IS_WRITTEN, changed};
use crate::walk::{CutShort, Walk};
use crate::whose::{Asker, whose_doing};
use crate::{Remediator, Trouble};

/// Who asked for it, and why.
type Asked = (String, String);

impl Remediator {
    /// Failures in a row before a person is asked.
    const UNDO_TRIES: u32 = 12;

    pub(crate) async fn finish_undo(
        &self,
        mut stored: Stored<Incident>,
        since: Timestamp,
        by: String,
        reason: String,
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let routes = self.rules.routes.clone();
        let asked = (by, reason);
        // Somebody asked for it, and hears what came of it, whatever has been found about the guest since.
        stored.value.told_with = None;
        let Some(pending) = stored.value.undo.clone() else {
            stored.value.failed("the undo lost its steps".to_owned(), &routes, now);
            return self.write_down(stored).await;
        };
        let snapshot = match self.snapshot(stored.value.key.guest, &pending.steps).await {
            Ok(snapshot) if snapshot.there == Some(false) => {
                if let Some(why) = self.deleted_again(&stored.value).await {
                    stored.value.failed(format!("the undo failed: {why}"), &routes, now);
                    return self.write_down(stored).await;
                }
                snapshot
            }
            Ok(snapshot) => snapshot,
            Err(error) if is_not_found(&error) => {
                self.nobody_to_give_to(&mut stored.value, asked).await?;
                return self.write_down(stored).await;
            }
            Err(error) => {
                self.undo_in_trouble(&mut stored.value, &error, "read the guest", asked).await?;
                return self.write_down(stored).await;
            }
        };
        let pursuit = Pursuit::FollowsUp { asked_at: since };
        let mut walk = self.walk(&stored.value, &pending.steps, &snapshot, pursuit).await?;
        let mut missing = Vec::new();
        if let Some(first) = walk.unsent.first().copied().filter(|_| self.rules.ceiling == Mode::Observe) {
            // Nothing is written however long anybody waits, except what may be on its way already.
            if let Some(sent_at) = self.may_still_land(&stored.value, &walk.unsent).await? {
                let look_again_at = next_look(sent_at, now);
                stored.value.undo_sent(asked.0, asked.1, look_again_at, &routes, now);
                return self.write_down(stored).await;
            }
            walk = walk.then(Walk::not_begun(first, format!("it was not sent: {NOTHING_IS_WRITTEN}")));
        } else if let Some(first) = walk.unsent.first().copied() {
            let soon = after(now, Self::LEASE);
            stored.value.undo_sent(asked.0.clone(), asked.1.clone(), soon, &routes, now);
            stored = self.ledger.replace(stored).await?;
            // What was done is not done again: whoever changed it back since has his way.
            let rest = PendingUndo { steps: walk.unsent.clone(), ..pending };
            let next = match self.send_undo(&stored.value, rest).await? {
                Ok((next, not_there)) => {
                    missing = not_there;
                    next
                }
                Err(why) => Walk::not_begun(first, format!("it was not sent: {why}")),
            };
            walk = walk.then(next);
        }
        self.undo_went(&mut stored.value, (walk, &missing), &snapshot, asked).await?;
        self.write_down(stored).await
    }

    /// When the last of these was sent that may have been carried out although Graph did not say so.
    async fn may_still_land(
        &self,
        incident: &Incident,
        steps: &[Step],
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let lands = |outcome: &&Outcome| {
            steps.contains(&outcome.step)
                && outcome.is_unsettled()
                && now.duration_since(outcome.at) < Incident::LOOKS_FOR
        };
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        Ok(outcomes.iter().filter(lands).map(|outcome| outcome.at).max())
    }

    /// Somebody has deleted the account since the deletion that this undo reverses: it was restored in between, and nobody
    /// restores it twice.
    async fn deleted_again(&self, incident: &Incident) -> Option<String> {
        let guest = incident.key.guest;
        let deleted = self.reader.deleted_user(guest).await.ok()??;
        let at = deleted.at.filter(|_| is_being_reversed(incident, deleted) == Some(false))?;
        let deletes = |act: &graph::Act| act.activity == graph::Activity::Delete;
        let who = whose_doing(&self.reader, Asker::Writes, (guest, to_the_second(at)), deletes).await;
        Some(format!(
            "somebody has deleted the account again at {}, and nothing is restored a second time; {who}",
            to_the_second(at)
        ))
    }

    /// Sends what was not sent, and says which steps are about groups that Graph does not know (yet); or why nothing was
    /// sent.
    async fn send_undo(
        &self,
        incident: &Incident,
        pending: PendingUndo,
    ) -> Result<Result<(Walk, Vec<Step>), String>, Trouble> {
        let now = self.clock.now();
        let trouble = |step: Step, error| Ok(Ok((Walk::in_trouble(step, error), Vec::new())));
        let PendingUndo { steps, identity, force, group_missing_since: _, groups: were, deleted_at } =
            pending;
        let Some(first) = steps.first().copied() else { return Ok(Err("it has no steps".to_owned())) };
        let in_groups = steps.iter().any(|step| step.group().is_some());
        let is_ours = |deleted| is_being_reversed(incident, deleted) != Some(false);
        let restores = steps.iter().any(|step| step.moves_account());
        let is_ours: Option<(Timestamp, IsOurs<'_>)> =
            restores.then_some((deleted_at.unwrap_or(now), &is_ours as IsOurs<'_>));
        let Looked { facts, snapshot, deleted } =
            match self.look_for_undo(incident, is_ours, in_groups).await? {
                Ok(looked) => looked,
                Err(NoLook::Because(why)) => return Ok(Err(why)),
                Err(NoLook::Graph(error)) => return trouble(first, error),
            };
        let who = match self.who_is(&facts, now) {
            Ok(who) => who,
            Err(why) => return Ok(Err(why)),
        };
        // Nobody has forced anything about whoever the account is now.
        if identity.as_ref() != Some(&who) {
            return Ok(Err(CHANGED.to_owned()));
        }
        let key = &incident.key;
        let holds = |one: &Suspension| {
            one.covers(key.guest, &key.rule, key.object) && one.is_for(Some(&who)) && one.until > now
        };
        if !facts.suspensions.iter().any(holds) {
            return Ok(Err("its suspension of the rule has ended; ask again".to_owned()));
        }
        let Found { steps, missing, groups } = match self.with_groups(steps).await {
            Ok(found) => found,
            Err(error) => return trouble(first, error),
        };
        if let Some(why) = changed(&groups, &were) {
            return Ok(Err(why));
        }
        let reversal = Reversal {
            steps,
            groups,
            identity: who,
            force,
            suspensions: Vec::new(),
            deleted: deleted.is_some(),
        };
        match self.may_reverse(incident, &facts, &reversal, now) {
            Ok((judged, _)) => {
                let pursuit = Pursuit::Begins(&judged);
                Ok(Ok((self.walk(incident, &reversal.steps, &snapshot, pursuit).await?, missing)))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    /// Moves the incident to what its undo has come to. What is `missing` was not sent.
    pub(crate) async fn undo_went(
        &self,
        incident: &mut Incident,
        (walk, missing): (Walk, &[Step]),
        snapshot: &Snapshot,
        (by, reason): Asked,
    ) -> Result<(), Trouble> {
        let (now, routes) = (self.clock.now(), &self.rules.routes);
        let why_not = walk.why_not();
        let failed = if walk.seen.is_empty() {
            "the undo failed"
        } else {
            "the undo gave back a part, and the rest failed"
        };
        match walk.cut_short {
            Some(CutShort::Stopped) => {
                incident.undo_sent(by, reason, after(now, Self::STOPPED), routes, now);
            }
            Some(CutShort::Trouble { step, error }) => {
                self.undo_in_trouble(incident, &error, &step.to_string(), (by, reason)).await?;
            }
            None if !walk.unsent.is_empty() => {
                return Err(Trouble::now(anyhow::anyhow!("the undo was only looked for")));
            }
            None if !why_not.is_empty() => {
                incident.failed(format!("{failed}: {why_not}"), routes, now);
            }
            None if !missing.is_empty() => {
                self.look_for_groups(incident, (missing, failed), (by, reason));
            }
            None => match walk.unseen {
                None => {
                    incident.undone(by, reason, routes, now);
                    if walk.seen.iter().any(|one| one.step.moves_account()) {
                        incident.subject.enabled = snapshot.enabled.or(incident.subject.enabled);
                    }
                    // What was reversed, and somebody changed since, is not ours.
                    if walk.put_back.iter().any(|(step, _)| step.group().is_none()) {
                        incident.subject.enabled = snapshot.enabled.or(incident.subject.enabled);
                    }
                }
                Some(since) if now.duration_since(since) < Incident::LOOKS_FOR => {
                    incident.attempts = 0;
                    incident.undo_sent(by, reason, next_look(since, now), routes, now);
                }
                Some(_) => {
                    let why =
                        "Entra accepted the undo 15 minutes ago, and reads still do not show it".to_owned();
                    incident.failed(why, routes, now);
                }
            },
        }
        Ok(())
    }

    /// A replica may not know a group that is there: it is looked for as long as anything else.
    fn look_for_groups(
        &self,
        incident: &mut Incident,
        (missing, failed): (&[Step], &str),
        (by, reason): Asked,
    ) {
        let (now, routes) = (self.clock.now(), &self.rules.routes);
        let since = incident.undo.as_mut().map_or(now, |undo| *undo.group_missing_since.get_or_insert(now));
        if now.duration_since(since) < Incident::LOOKS_FOR {
            return incident.undo_sent(by, reason, next_look(since, now), routes, now);
        }
        let steps: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let why = format!(
            "{failed}: failed to {}: the group is not in the directory any more",
            steps.join(" and to ")
        );
        incident.failed(why, routes, now);
    }

    /// Graph does not know the guest: he was deleted, or a replica lags.
    async fn nobody_to_give_to(&self, incident: &mut Incident, asked: Asked) -> Result<(), Trouble> {
        match self.reader.deleted_user(incident.key.guest).await {
            Ok(Some(_)) => incident.vanish(SOFTLY.to_owned(), &self.rules.routes, self.clock.now()),
            Ok(None) => self.undo_later(incident, "Graph does not know the guest (yet)", None, asked),
            Err(error) => {
                self.undo_in_trouble(incident, &error, "look among the deleted users", asked).await?;
            }
        }
        Ok(())
    }

    async fn undo_in_trouble(
        &self,
        incident: &mut Incident,
        error: &graph::GraphError,
        doing: &str,
        asked: Asked,
    ) -> Result<(), Trouble> {
        tracing::warn!(incident.id = %incident.id, "the undo failed to {doing}: {error}");
        let why = format!("failed to {doing}: {}", in_words(error));
        match error.advice() {
            graph::Advice::TryAgain { after } => self.undo_later(incident, &why, after, asked),
            graph::Advice::MaybeNotReplicatedYet => self.undo_later(incident, &why, None, asked),
            graph::Advice::GiveUp { tell: _ } => {
                incident.failed(format!("the undo failed: {why}"), &self.rules.routes, self.clock.now());
            }
            graph::Advice::FixCredential { tell } => {
                self.notices.raise(NoticeKind::CredentialTrouble, "credential/write", tell, 1).await?;
                self.undo_later(incident, &why, None, asked);
            }
        }
        Ok(())
    }

    /// Waits double, and after the last a person is asked.
    fn undo_later(
        &self,
        incident: &mut Incident,
        why: &str,
        told: Option<SignedDuration>,
        (by, reason): Asked,
    ) {
        let (now, routes, tries) = (self.clock.now(), &self.rules.routes, incident.attempts);
        if tries >= Self::UNDO_TRIES {
            return incident.failed(format!("the undo failed: {why}; tried {tries} times"), routes, now);
        }
        let doubling = SignedDuration::from_secs(5_i64 << tries.min(8));
        incident.undo_sent(by, reason, after(now, wait(told, doubling, tries)), routes, now);
        incident.attempts = tries.saturating_add(1);
    }
}
