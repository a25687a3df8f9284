//! Reverses what was done, and keeps it reversed: first a dated suspension of the rule for the guest, then only steps
//! that were ours, whose state before was recorded, and whose state is still the one that we left.
//!
//! An undo is judged like any change. `force` overrides the judgement, never a protected subject. What no read shows yet is
//! finished in `undo_later.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{
    Answer, CannotUndo, Incident, IncidentId, Mode, ObjectId, PendingUndo, Request, Snapshot, State, Step,
    Suspension,
};
use policy::Group;

use crate::facts::{as_seen, group_of};
use crate::gone::{IsOurs, Looked, NoLook, is_being_reversed, is_the_one_of};
use crate::remediate::{Judged, Objecting, Reversal, told};
use crate::serve::undoing;
use crate::step::Pursuit;
use crate::trouble::{after, in_words, is_not_found, to_the_second};
use crate::walk::CutShort;
use crate::{Remediator, Trouble};

mod answer;
mod taken;

use answer::{given_back, not_given_back, which_rules};
pub use taken::acted_at;
use taken::{Ours, Taken};
pub(crate) use taken::{deleted_by, restored_at};

/// What an operator asked for, in one place.
pub(crate) struct Undo<'a> {
    pub(crate) request: &'a Request,
    pub(crate) suspend_for: SignedDuration,
    pub(crate) force: bool,
}

/// Steps, and what Graph says of the groups that they are about.
pub(crate) struct Found {
    pub(crate) steps: Vec<Step>,
    /// Those about groups that Graph does not know (yet).
    pub(crate) missing: Vec<Step>,
    pub(crate) groups: Vec<Group>,
}

/// What was judged to be given back.
struct Given {
    steps: Vec<Step>,
    missing: Vec<Step>,
    /// Taken from an account with another identity, and not given to this one.
    not_his: Vec<Step>,
    groups: BTreeMap<ObjectId, String>,
    snapshot: Snapshot,
    rules: BTreeSet<Objecting>,
    suspensions: Vec<Suspension>,
    /// When the account was deleted that it restores.
    deleted_at: Option<Timestamp>,
}

pub(crate) const NOTHING_IS_WRITTEN: &str =
    "`GUESTLIST_AT_MOST` is `observe`, and nothing is written: set it to `ask` or `enforce`, and start again";

pub(crate) const CHANGED: &str =
    "the account's identity has changed since; look at it, and use `--force --reason` if it is right";

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
        if self.rules.ceiling == Mode::Observe {
            return Ok(Answer::Refused { why: NOTHING_IS_WRITTEN.to_owned() });
        }
        let Some(mut stored) = self.ledger.incident(id).await? else {
            return Ok(Answer::Refused { why: format!("there is no incident `{id}`") });
        };
        stored.value.bring_near(now);
        // This very request was interrupted between the undo and its answer; or another worker may be writing at this moment,
        // and what it has not written down yet must not be sent twice.
        let is_undone = matches!(stored.value.state, State::Undone { .. })
            && stored.value.served.as_ref() == Some(&undo.request.id);
        let is_held =
            matches!(stored.value.state, State::Undoing { look_again_at, .. } if look_again_at > now);
        if let Some(answer) = undoing(&stored.value).filter(|_| is_undone || is_held) {
            return Ok(answer);
        }
        // The incident's own notes may know less than the outcomes: a write that nobody has read back.
        let nothing = match stored.value.may_undo(now) {
            Ok(()) => None,
            Err(error @ CannotUndo::NothingToUndo { .. }) => Some(error.to_string()),
            Err(error @ CannotUndo::Held { .. }) => {
                return Ok(Answer::Refused { why: error.to_string() });
            }
        };
        if let Some(later) = self.ledger.current(&stored.value.key).await?
            && later.value.id.generation > id.generation
        {
            let why = format!("`{}` has taken its place; undo that one", later.value.id);
            return Ok(Answer::Refused { why });
        }
        let told_with = self.told_with(&stored.value).await?;
        match taken::ours(&self.ledger, &stored.value, &told_with, now).await? {
            Ours::InForce(taken) if taken.is_empty() => Ok(Answer::Sent {
                text: "an undo is under way: all was given back, and a read of the last of it is awaited"
                    .to_owned(),
            }),
            Ours::InForce(taken) => self.judge_undo(stored, &told_with, taken, undo).await,
            refused @ (Ours::PutBack | Ours::Writing { .. } | Ours::Nothing) => {
                let speaker = self.speaker_of(&stored.value).await?;
                let why = speaker.map_or_else(
                    || nothing.unwrap_or_else(|| refused.in_words()),
                    |Stored { value, .. }| {
                        format!("`{}` speaks for this incident, and what was done is written there; undo that one", value.id)
                    },
                );
                Ok(Answer::Refused { why })
            }
        }
    }

    async fn judge_undo(
        &self,
        stored: Stored<Incident>,
        told_with: &[Incident],
        taken: Vec<Taken>,
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let (key, in_groups) = (stored.value.key.clone(), taken.iter().any(|one| one.step.group().is_some()));
        let deletion = taken.iter().find(|one| one.step.moves_account()).map(|one| one.at);
        let is_ours = |deleted| {
            let of_this_write = || deletion.is_some_and(|at| is_the_one_of(at, deleted));
            is_being_reversed(&stored.value, deleted).unwrap_or_else(of_this_write)
        };
        let is_ours: Option<(Timestamp, IsOurs<'_>)> = deletion.map(|at| (at, &is_ours as IsOurs<'_>));
        let Looked { facts, snapshot, deleted } =
            match self.look_for_undo(&stored.value, is_ours, in_groups).await? {
                Ok(looked) => looked,
                Err(NoLook::Because(why)) => return Ok(Answer::Refused { why }),
                Err(NoLook::Graph(error)) => return self.answer_trouble(error, "read the guest"),
            };
        let identity = match self.who_is(&facts, now) {
            Ok(identity) => identity,
            Err(why) => return Ok(Answer::Refused { why }),
        };
        let (his, others): (Vec<Taken>, Vec<Taken>) =
            taken.into_iter().partition(|one| undo.force || one.identity.as_ref() == Some(&identity));
        // Nothing can be given to an account that stays deleted.
        if his.is_empty() || (deleted.is_some() && !his.iter().any(|one| one.step.moves_account())) {
            return Ok(Answer::Refused { why: CHANGED.to_owned() });
        }
        let his_steps = his.iter().map(|one| one.step.undo()).collect();
        let Found { steps, missing, groups } = match self.with_groups(his_steps).await {
            Ok(found) => found,
            Err(error) => return self.answer_trouble(error, "read the group"),
        };
        if steps.is_empty() {
            let why = "the group is not in the directory any more".to_owned();
            return Ok(Answer::Refused { why });
        }
        let were: BTreeMap<ObjectId, String> =
            his.into_iter().filter_map(|one| Some((one.step.group()?, one.group?))).collect();
        if let Some(why) = changed(&groups, &were).filter(|_| !undo.force) {
            return Ok(Answer::Refused { why });
        }
        let spoken_for = stored.value.speaks_for.iter().map(|rule| (rule.clone(), key.object));
        let mut rules: BTreeSet<Objecting> = spoken_for.collect();
        rules.insert((key.rule.clone(), key.object));
        rules.extend(told_with.iter().map(|one| (one.key.rule.clone(), one.key.object)));
        // An account comes back with all that it belongs to.
        let widened = |rules: BTreeSet<Objecting>| match deletion {
            Some(_) => rules.into_iter().map(|(rule, _)| (rule, None)).collect(),
            None => rules,
        };
        let mut rules = widened(rules);
        let held = |rule: &Objecting| {
            suspension(key.guest, rule.clone(), undo, now).only_for(Some(identity.clone()))
        };
        let suspensions = rules.iter().map(held).collect();
        let reversal = Reversal {
            steps,
            groups,
            identity: identity.clone(),
            force: undo.force,
            suspensions,
            deleted: deleted.is_some(),
        };
        match self.may_reverse(&stored.value, &facts, &reversal, now) {
            Err(why) => Ok(Answer::Refused { why }),
            Ok((judged, objecting)) => {
                rules.extend(objecting);
                let rules = widened(rules);
                let Reversal { steps, groups, .. } = reversal;
                let now_like = groups.iter().map(|group| (group.id, as_seen(group)));
                let given = Given {
                    steps,
                    missing,
                    not_his: others.iter().map(|one| one.step).collect(),
                    groups: were.into_iter().chain(now_like).collect(),
                    snapshot,
                    suspensions: rules.iter().map(held).collect(),
                    rules,
                    deleted_at: deleted.and_then(|deleted| deleted.at),
                };
                self.reverse(stored, given, &judged, undo).await
            }
        }
    }

    /// The groups that these steps are about, and the steps about groups that Graph does not know (yet).
    pub(crate) async fn with_groups(&self, all: Vec<Step>) -> Result<Found, graph::GraphError> {
        let ids: BTreeSet<ObjectId> = all.iter().filter_map(|step| step.group()).collect();
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
        let (steps, missing) = all.into_iter().partition(there);
        Ok(Found { steps, missing, groups })
    }

    /// The incident that people were told of instead of this one.
    pub(crate) async fn speaker_of(&self, incident: &Incident) -> Result<Option<Stored<Incident>>, Trouble> {
        let Some(rule) = &incident.told_with else { return Ok(None) };
        let siblings = self.ledger.incidents_of(incident.key.guest).await?;
        let speaks = |one: &Incident| {
            one.key.rule == *rule && one.key.object == incident.key.object && !one.state.is_closed()
        };
        Ok(siblings.into_iter().find(|stored| speaks(&stored.value)))
    }

    /// The incidents that this one speaks for.
    pub(crate) async fn told_with(&self, incident: &Incident) -> Result<Vec<Incident>, Trouble> {
        Ok(taken::told_with(&self.ledger, incident).await?)
    }

    async fn reverse(
        &self,
        mut stored: Stored<Incident>,
        given: Given,
        judged: &Judged,
        undo: &Undo<'_>,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let Given { steps, missing, not_his, groups, snapshot, rules, suspensions, deleted_at } = given;
        let (by, reason) = (undo.request.by.clone(), undo.request.reason.clone());
        let routes = self.rules.routes.clone();
        stored.value.undo = Some(PendingUndo {
            steps: steps.iter().chain(&missing).copied().collect(),
            identity: judged.identity().cloned(),
            force: undo.force,
            group_missing_since: (!missing.is_empty()).then_some(now),
            groups,
            deleted_at,
        });
        stored.value.attempts = 0;
        stored.value.served = Some(undo.request.id.clone());
        // Says that an undo is under way before anything is sent: a crash from here on is finished by `finish_undo`.
        stored.value.undo_sent(by.clone(), reason.clone(), after(now, Self::LEASE), &routes, now);
        let written = self.ledger.replace_all_suspended(vec![stored], &suspensions).await?.pop();
        let Some(mut stored) = written else {
            return Err(Trouble::now(anyhow::anyhow!("the undo was not written")));
        };
        let walk = self.walk(&stored.value, &steps, &snapshot, Pursuit::Begins(judged)).await?;
        let stopped = matches!(walk.cut_short, Some(CutShort::Stopped));
        let trouble = match &walk.cut_short {
            Some(CutShort::Trouble { step, error }) => Some(format!("failed to {step}: {}", in_words(error))),
            Some(CutShort::Stopped) | None => None,
        };
        self.undo_went(&mut stored.value, (walk, &missing), &snapshot, (by, reason)).await?;
        let stored = self.ledger.replace(stored).await?;
        let Incident { id, key, correlation, .. } = &stored.value;
        let now = self.clock.now();
        if let State::Undoing { look_again_at, .. } = &stored.value.state {
            self.queues.wake_remediate(key.guest, id, *correlation, *look_again_at).await?;
        }
        self.queues.tell_about(&stored.value).await?;
        let until = to_the_second(after(now, undo.suspend_for));
        let beside = format!(
            "{} suspended for it until {until}{}",
            which_rules(&rules),
            not_given_back(&stored.value, &not_his)
        );
        Ok(match &stored.value.state {
            State::Failed { why } => Answer::Failed { why: format!("{why}; {beside}") },
            State::Undone { .. } => {
                Answer::Done { text: format!("{}; {beside}", given_back(&stored.value, &steps)) }
            }
            _ if stopped => Answer::Sent {
                text: format!(
                    "writes were stopped a moment ago, and it is carried out after `guestlist resume`; {beside}"
                ),
            },
            _ => Answer::Sent {
                text: match (trouble, missing.is_empty()) {
                    (Some(trouble), _) => format!("it will be tried again: {trouble}; {beside}"),
                    (None, false) => format!(
                        "a group is not in the directory (yet), and is looked for again for {} minutes; {beside}",
                        Incident::LOOKS_FOR.as_mins()
                    ),
                    (None, true) => {
                        format!("Entra accepted it, and a read does not show it yet; {beside}")
                    }
                },
            },
        })
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
        identity: None,
        until: after(now, *suspend_for),
        by: request.by.clone(),
        reason: request.reason.clone(),
        written_at: now,
        looked_at: None,
    }
}

/// Why a group is not one that he may be put back into without a look: it is not what it was.
pub(crate) fn changed(groups: &[Group], were: &BTreeMap<ObjectId, String>) -> Option<String> {
    groups.iter().find_map(|group| {
        let (was, is) = (were.get(&group.id)?, as_seen(group));
        (*was != is).then(|| {
            format!(
                "{} is not what it was when the guest was taken out of it (then: {was}; now: {is}); look at it, and use \
                 `--force --reason` if it is right",
                told(group)
            )
        })
    })
}
