//! An undo that no read has shown yet, or that was interrupted. What was never sent is judged again: what was right when it
//! was asked for may not be now.

use jiff::Timestamp;
use ledger::Stored;
use model::{Incident, PendingUndo, Snapshot, Step, Suspension};

use crate::facts::snapshot_of;
use crate::remediate::{Reversal, next_look};
use crate::step::Pursuit;
use crate::trouble::{after, is_not_found};
use crate::walk::{CutShort, Walk};
use crate::{Remediator, Trouble};

impl Remediator {
    pub(crate) async fn finish_undo(
        &self,
        mut stored: Stored<Incident>,
        since: Timestamp,
        by: String,
        reason: String,
    ) -> Result<Option<Timestamp>, Trouble> {
        let now = self.clock.now();
        let routes = self.rules.routes.clone();
        let Some(pending) = stored.value.undo.clone() else {
            stored.value.failed("the undo lost its steps".to_owned(), &routes, now);
            return self.write_down(stored).await;
        };
        let snapshot = match self.snapshot(stored.value.key.guest, &pending.steps).await {
            Ok(snapshot) => snapshot,
            Err(error) if is_not_found(&error) => {
                stored.value.vanish("the guest is not in the directory any more".to_owned(), &routes, now);
                return self.write_down(stored).await;
            }
            Err(error) => return Err(error.into()),
        };
        let pursuit = Pursuit::FollowsUp { asked_at: since };
        let mut walk = self.walk(&stored.value, &pending.steps, &snapshot, pursuit).await?;
        if matches!(walk.cut_short, Some(CutShort::Unsent)) {
            let soon = after(now, Self::LEASE);
            stored.value.undo_sent(by.clone(), reason.clone(), soon, &routes, now);
            stored = self.ledger.replace(stored).await?;
            walk = match self.send_undo(&stored.value, pending).await? {
                Ok(walk) => walk,
                Err(why) => Walk { failed: vec![format!("it was not sent: {why}")], ..Walk::default() },
            };
        }
        self.undo_went(&mut stored.value, walk, &snapshot, (by, reason))?;
        self.write_down(stored).await
    }

    async fn send_undo(
        &self,
        incident: &Incident,
        pending: PendingUndo,
    ) -> Result<Result<Walk, String>, Trouble> {
        let now = self.clock.now();
        let trouble = |step: Step, error| {
            let cut_short = Some(CutShort::Trouble { step, error });
            Ok(Ok(Walk { cut_short, ..Walk::default() }))
        };
        let PendingUndo { steps, identity, force } = pending;
        let Some(first) = steps.first().copied() else { return Ok(Err("it has no steps".to_owned())) };
        let in_groups = steps.iter().any(|step| step.group().is_some());
        let facts = match self.read(incident.key.guest, in_groups).await? {
            Ok(facts) => facts,
            Err(error) => return trouble(first, error),
        };
        let (key, snapshot) = (&incident.key, snapshot_of(&facts));
        let holds = |one: &Suspension| one.covers(key.guest, &key.rule, key.object) && one.until > now;
        if !facts.suspensions.iter().any(holds) {
            return Ok(Err("its suspension of the rule has ended; ask again".to_owned()));
        }
        let (steps, groups) = match self.with_groups(steps).await {
            Ok(found) => found,
            Err(error) => return trouble(first, error),
        };
        let reversal = Reversal { steps, groups, identity, force, suspensions: Vec::new() };
        match self.may_reverse(incident, &facts, &reversal, now) {
            Ok((judged, _)) => {
                let pursuit = Pursuit::Begins(&judged);
                Ok(Ok(self.walk(incident, &reversal.steps, &snapshot, pursuit).await?))
            }
            Err(why) => Ok(Err(why)),
        }
    }

    fn undo_went(
        &self,
        incident: &mut Incident,
        walk: Walk,
        snapshot: &Snapshot,
        (by, reason): (String, String),
    ) -> Result<(), Trouble> {
        let (now, routes) = (self.clock.now(), &self.rules.routes);
        let why_not = walk.why_not();
        match walk.cut_short {
            // It was reversed, and what somebody did since is not ours.
            Some(CutShort::PutBack { step: _, done_at: _ }) => {
                incident.undone(by, reason, routes, now);
                incident.subject.enabled = snapshot.enabled.or(incident.subject.enabled);
            }
            Some(CutShort::Stopped) => {
                incident.undo_sent(by, reason, after(now, Self::STOPPED), routes, now);
            }
            Some(CutShort::Trouble { step: _, error }) => {
                let wait = Trouble::from(error).retry_after.unwrap_or(Self::STOPPED);
                incident.undo_sent(by, reason, after(now, wait), routes, now);
            }
            Some(CutShort::Unsent) => {
                return Err(Trouble::now(anyhow::anyhow!("the undo was only looked for")));
            }
            None if !why_not.is_empty() => {
                incident.failed(format!("the undo failed: {why_not}"), routes, now);
            }
            None => match walk.unseen {
                None => incident.undone(by, reason, routes, now),
                Some(since) if now.duration_since(since) < Incident::LOOKS_FOR => {
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
}
