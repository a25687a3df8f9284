//! Reverses what was done, and keeps it reversed: first a dated suspension of the rule for the guest, then only steps
//! that were ours, whose state before was recorded, and whose state is still the one that we left.
//!
//! An undo is judged like any change. `force` overrides the judgement, never a protected subject. What no read shows yet is
//! finished in `undo_later.rs`.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Answer, CannotUndo, Identity, Incident, IncidentId, ObjectId, Outcome, PendingUndo, Request, Snapshot,
    State, Step, StepResult, Suspension,
};
use policy::Group;

use crate::facts::{group_of, snapshot_of};
use crate::remediate::{Judged, Objecting, Reversal, next_look};
use crate::step::Pursuit;
use crate::trouble::{after, is_not_found, to_the_second};
use crate::walk::CutShort;
use crate::{Remediator, Trouble};

/// What an operator asked for, in one place.
pub(crate) struct Undo<'a> {
    pub(crate) request: &'a Request,
    pub(crate) suspend_for: SignedDuration,
    pub(crate) force: bool,
}

/// What of ours there is to reverse.
enum Ours {
    InForce {
        /// The last first.
        steps: Vec<Step>,
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
                "nothing of ours is in force any more: somebody put it back after we had done it, and who \
                              did it again since must decide"
                    .to_owned()
            }
            Self::Writing { until } => format!("a worker may still be writing; try again at {until}"),
            Self::Nothing => {
                "nothing of ours is in force: the account was disabled, or not in the group, before"
                    .to_owned()
            }
        }
    }
}

impl Remediator {
    pub(crate) async fn undo(&self, id: &IncidentId, undo: &Undo<'_>) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        if let Some(stop) = self.ledger.stop().await? {
            let why = format!(
                "writes are stopped since {} by {}: `guestlist resume` first",
                to_the_second(stop.since),
                stop.by
            );
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
            return Ok(Answer::Done { text: format!("it was undone at {}", to_the_second(*at)) });
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
        match self.ours(&stored.value, &told_with, now).await? {
            Ours::InForce { steps, identity } => {
                self.judge_undo(stored, &told_with, (steps, identity), undo).await
            }
            refused @ (Ours::PutBack | Ours::Writing { .. } | Ours::Nothing) => {
                let speaker = self.speaker_of(&stored.value).await?;
                let why = speaker.map_or_else(
                    || refused.in_words(),
                    |id| format!("`{id}` speaks for this incident, and what was done is written there; undo that one"),
                );
                Ok(Answer::Refused { why })
            }
        }
    }

    async fn judge_undo(
        &self,
        mut stored: Stored<Incident>,
        told_with: &[Incident],
        (steps, identity): (Vec<Step>, Option<Identity>),
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let (key, in_groups) = (stored.value.key.clone(), steps.iter().any(|step| step.group().is_some()));
        let facts = match self.read(key.guest, in_groups).await? {
            Ok(facts) => facts,
            Err(error) if is_not_found(&error) => {
                return Ok(Answer::Refused {
                    why: "the guest is not in the directory (any more)".to_owned(),
                });
            }
            Err(error) => return self.answer_trouble(error, "read the guest"),
        };
        let (steps, groups) = match self.with_groups(steps).await {
            Ok(found) => found,
            Err(error) => return self.answer_trouble(error, "read the group"),
        };
        if steps.is_empty() {
            let why = "the group is not in the directory any more".to_owned();
            return Ok(Answer::Refused { why });
        }
        let spoken_for = stored.value.speaks_for.iter().map(|rule| (rule.clone(), key.object));
        let mut rules: BTreeSet<Objecting> = spoken_for.collect();
        rules.insert((key.rule.clone(), key.object));
        rules.extend(told_with.iter().map(|one| (one.key.rule.clone(), one.key.object)));
        let suspensions = rules.iter().map(|rule| suspension(key.guest, rule.clone(), undo, now)).collect();
        let reversal = Reversal {
            steps: steps.iter().map(|step| step.undo()).collect(),
            groups,
            identity,
            force: undo.force,
            suspensions,
        };
        match self.may_reverse(&stored.value, &facts, &reversal, now) {
            Err(why) => Ok(Answer::Refused { why }),
            Ok((judged, objecting)) => {
                rules.extend(objecting);
                let Reversal { steps, groups: _, identity, force, suspensions: _ } = reversal;
                for rule in rules {
                    self.ledger.suspend(&suspension(key.guest, rule, undo, now)).await?;
                }
                stored.value.undo = Some(PendingUndo { steps, identity, force });
                self.reverse(stored, &snapshot_of(&facts), &judged, undo).await
            }
        }
    }

    /// The groups that these steps are about. A step about a group that is gone is left out.
    pub(crate) async fn with_groups(
        &self,
        steps: Vec<Step>,
    ) -> Result<(Vec<Step>, Vec<Group>), graph::GraphError> {
        let ids: BTreeSet<ObjectId> = steps.iter().filter_map(|step| step.group()).collect();
        let ids: Vec<ObjectId> = ids.into_iter().collect();
        let mut groups = Vec::with_capacity(ids.len());
        for (_, read) in self.reader.groups(&ids).await {
            match read {
                Ok(group) => groups.push(group_of(group)),
                Err(error) if is_not_found(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let there = |step: &Step| step.group().is_none_or(|id| groups.iter().any(|group| group.id == id));
        let steps = steps.into_iter().filter(there).collect();
        Ok((steps, groups))
    }

    /// The incident that people were told of instead of this one.
    async fn speaker_of(&self, incident: &Incident) -> Result<Option<IncidentId>, Trouble> {
        let Some(rule) = &incident.told_with else { return Ok(None) };
        let siblings = self.ledger.incidents_of(incident.key.guest).await?;
        let speaks = |one: &Incident| {
            one.key.rule == *rule && one.key.object == incident.key.object && !one.state.is_closed()
        };
        Ok(siblings.into_iter().map(|stored| stored.value).find(speaks).map(|one| one.id))
    }

    /// The incidents that this one speaks for: people read of them in one message, with one command for all.
    pub(crate) async fn told_with(&self, incident: &Incident) -> Result<Vec<Incident>, Trouble> {
        let all = self.ledger.incidents_of(incident.key.guest).await?.into_iter().map(|stored| stored.value);
        let spoken_for = |one: &Incident| {
            !one.state.is_closed()
                && one.key.object == incident.key.object
                && one.told_with.as_ref() == Some(&incident.key.rule)
        };
        Ok(all.filter(spoken_for).collect())
    }

    /// The steps of ours that are in force: sent by us, onto what was otherwise before, and not put back since.
    async fn ours(
        &self,
        incident: &Incident,
        told_with: &[Incident],
        now: Timestamp,
    ) -> Result<Ours, Trouble> {
        if let (State::Undoing { .. }, Some(pending)) = (&incident.state, &incident.undo) {
            let steps = pending.steps.iter().rev().map(|step| step.undo()).collect();
            return Ok(Ours::InForce { steps, identity: pending.identity.clone() });
        }
        let mut ours = Vec::new();
        for one in [incident].into_iter().chain(told_with) {
            let all = self.outcomes_in_slot(&one.id).await?;
            for outcome in all.iter().filter(|outcome| is_ours(outcome) && !is_reversed(outcome, &all)) {
                let until = after(outcome.at, Self::LEASE);
                if outcome.result == StepResult::Intended && now < until {
                    return Ok(Ours::Writing { until });
                }
                let in_force = if outcome.incident == one.id {
                    one.is_in_force(outcome.step, outcome.at)
                } else {
                    one.has_achieved(outcome.step)
                };
                ours.push((outcome.clone(), in_force));
            }
        }
        ours.sort_by_key(|(outcome, _)| std::cmp::Reverse(outcome.at));
        let any = !ours.is_empty();
        let mut steps = Vec::new();
        let mut identity = None;
        for (outcome, _) in ours.into_iter().filter(|(_, in_force)| *in_force) {
            if steps.is_empty() {
                identity = outcome.identity;
            }
            if !steps.contains(&outcome.step) {
                steps.push(outcome.step);
            }
        }
        Ok(match (steps.is_empty(), any) {
            (false, _) => Ours::InForce { steps, identity },
            (true, true) => Ours::PutBack,
            (true, false) => Ours::Nothing,
        })
    }

    /// Those of this incident, or, where it wrote nothing, of the last one before it that did: what that one did may still be
    /// in force.
    async fn outcomes_in_slot(&self, id: &IncidentId) -> Result<Vec<Outcome>, Trouble> {
        for generation in (1..=id.generation).rev() {
            let id = IncidentId { slot: id.slot.clone(), generation };
            let outcomes = self.ledger.outcomes(&id).await?;
            if outcomes.iter().any(|outcome| is_ours(outcome) || !outcome.step.takes_away()) {
                return Ok(outcomes);
            }
        }
        Ok(Vec::new())
    }

    async fn reverse(
        &self,
        mut stored: Stored<Incident>,
        snapshot: &Snapshot,
        judged: &Judged,
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let (by, reason) = (undo.request.by.clone(), undo.request.reason.clone());
        let routes = self.rules.routes.clone();
        // Says that an undo is under way before anything is sent: a crash from here on is finished by `finish_undo`.
        stored.value.undo_sent(by.clone(), reason.clone(), after(now, Self::LEASE), &routes, now);
        let mut stored = self.ledger.replace(stored).await?;
        let steps = stored.value.undo.as_ref().map(|undo| undo.steps.clone()).unwrap_or_default();
        let walk = self.walk(&stored.value, &steps, snapshot, Pursuit::Begins(judged)).await?;
        let why_not = walk.why_not();
        let until = to_the_second(after(now, undo.suspend_for));
        let (done, suspended) =
            (given_back(&stored.value, &steps), format!("the rule is suspended for it until {until}"));
        let now = self.clock.now();
        let answer = match walk.cut_short {
            Some(CutShort::Stopped) => {
                stored.value.undo_sent(by, reason, after(now, Self::STOPPED), &routes, now);
                let text = format!(
                    "writes were stopped a moment ago, and it is carried out after `guestlist resume`; {suspended}"
                );
                Answer::Sent { text }
            }
            Some(CutShort::PutBack { .. } | CutShort::Unsent) => {
                return Err(Trouble::now(anyhow::anyhow!("the undo was only looked for")));
            }
            Some(CutShort::Trouble { step: _, error }) => {
                let trouble = Trouble::from(error);
                let wait = trouble.retry_after.unwrap_or(Self::STOPPED);
                stored.value.undo_sent(by, reason, after(now, wait), &routes, now);
                Answer::Sent { text: format!("it will be tried again: {trouble}; {suspended}") }
            }
            None if !why_not.is_empty() => {
                stored.value.failed(format!("the undo failed: {why_not}"), &routes, now);
                Answer::Failed { why: why_not }
            }
            None => match walk.unseen {
                Some(since) => {
                    stored.value.undo_sent(by, reason, next_look(since, now), &routes, now);
                    let text = format!("Entra accepted it, and a read does not show it yet; {suspended}");
                    Answer::Sent { text }
                }
                None => {
                    stored.value.undone(by, reason, &routes, now);
                    Answer::Done { text: format!("{done}; {suspended}") }
                }
            },
        };
        let stored = self.ledger.replace(stored).await?;
        let Incident { id, key, correlation, .. } = &stored.value;
        if let State::Undoing { look_again_at, .. } = &stored.value.state {
            self.queues.wake_remediate(key.guest, id, *correlation, *look_again_at, now).await?;
        }
        self.queues.tell_about(&stored.value, now).await?;
        Ok(answer)
    }

    pub(crate) fn answer_trouble(&self, error: graph::GraphError, doing: &str) -> Result<Answer, Trouble> {
        match error.advice() {
            graph::Advice::TryAgain { after: _ } | graph::Advice::MaybeNotReplicatedYet => Err(error.into()),
            graph::Advice::GiveUp { tell } | graph::Advice::FixCredential { tell } => {
                Ok(Answer::Failed { why: format!("failed to {doing}: {tell}") })
            }
        }
    }
}

pub(crate) fn suspension(
    guest: ObjectId,
    (rule, object): Objecting,
    undo: &Undo<'_>,
    now: Timestamp,
) -> Suspension {
    let Undo { request, suspend_for, force: _ } = undo;
    Suspension {
        guest,
        rule,
        object,
        until: after(now, *suspend_for),
        by: request.by.clone(),
        reason: request.reason.clone(),
        written_at: now,
    }
}

/// What the guest has again.
fn given_back(incident: &Incident, steps: &[Step]) -> String {
    let group = |id: &ObjectId| match incident.finding.names.get(id) {
        Some(name) => format!("`{name}`"),
        None => format!("`{id}`"),
    };
    let words = |step: &Step| match step {
        Step::Enable { user: _ } => "the account is enabled".to_owned(),
        Step::Disable { user: _ } => "the account is disabled".to_owned(),
        Step::AddMember { user: _, group: id } => format!("the account is a member of {} again", group(id)),
        Step::RemoveMember { user: _, group: id } => format!("the account is no member of {}", group(id)),
        Step::AddOwner { user: _, group: id } => format!("the account is an owner of {} again", group(id)),
        Step::RemoveOwner { user: _, group: id } => format!("the account is no owner of {}", group(id)),
    };
    steps.iter().map(words).collect::<Vec<_>>().join(", ")
}

/// Sent by us, or perhaps, and what it took was there before.
fn is_ours(outcome: &Outcome) -> bool {
    let sent = match &outcome.result {
        StepResult::Done | StepResult::Sent | StepResult::Intended => !outcome.found_so,
        StepResult::AlreadySo | StepResult::Refused { why: _ } | StepResult::Failed { why: _ } => false,
    };
    sent && outcome.before == Some(true) && outcome.step.takes_away()
}

/// An undo of ours has put it back since.
fn is_reversed(outcome: &Outcome, all: &[Outcome]) -> bool {
    let reverses = |other: &&Outcome| {
        let seen = matches!(other.result, StepResult::Done | StepResult::AlreadySo);
        other.step == outcome.step.undo() && other.at >= outcome.at && seen
    };
    all.iter().any(|other| reverses(&other))
}
