//! Several steps after one another, read back together: one read shows all that was sent.

use graph::{GraphError, Whereabouts};
use jiff::Timestamp;
use model::{Incident, ObjectId, Outcome, Snapshot, Step, StepResult};

use crate::step::{Progress, Pursuit};
use crate::{Remediator, Trouble};

/// How far the steps have come.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) seen: Vec<Seen>,
    /// When the first was sent that no read shows.
    pub(crate) unseen: Option<Timestamp>,
    pub(crate) failed: Vec<Untaken>,
    pub(crate) by_hand: Vec<Untaken>,
    /// Asked for before, and not any more.
    pub(crate) not_wanted: Vec<Step>,
    /// Done at that moment, and changed back by somebody since.
    pub(crate) put_back: Vec<(Step, Timestamp)>,
    /// Only looked for: to be judged before they are sent (again).
    pub(crate) unsent: Vec<Step>,
    /// Why the rest was not tried.
    pub(crate) cut_short: Option<CutShort>,
}

/// A step that a read shows.
pub(crate) struct Seen {
    pub(crate) step: Step,
    /// It was so before we came.
    pub(crate) found_so: bool,
}

pub(crate) struct Untaken {
    step: Step,
    why: String,
}

pub(crate) enum CutShort {
    Stopped,
    Trouble { step: Step, error: GraphError },
}

impl Remediator {
    pub(crate) async fn walk(
        &self,
        incident: &Incident,
        steps: &[Step],
        snapshot: &Snapshot,
        pursuit: Pursuit<'_>,
    ) -> Result<Walk, Trouble> {
        let mut walk = Walk::default();
        let mut accepted = Vec::new();
        for step in steps.iter().copied() {
            match self.take(incident, step, snapshot, pursuit).await? {
                Progress::Seen { found_so } => walk.seen.push(Seen { step, found_so }),
                Progress::Accepted(outcome) => accepted.push(*outcome),
                Progress::Unseen { since } => walk.not_seen(since),
                Progress::Failed { why } => walk.failed.push(Untaken { step, why }),
                Progress::ByHand { why } => walk.by_hand.push(Untaken { step, why }),
                Progress::NotWanted => walk.not_wanted.push(step),
                Progress::PutBack { done_at } => walk.put_back.push((step, done_at)),
                Progress::Unsent => walk.unsent.push(step),
                Progress::Stopped => walk.cut_short = Some(CutShort::Stopped),
                Progress::Trouble(error) => walk.cut_short = Some(CutShort::Trouble { step, error }),
            }
            if walk.cut_short.is_some() {
                break;
            }
        }
        self.read_back(incident.key.guest, accepted, &mut walk).await?;
        Ok(walk)
    }

    /// Success is claimed from this read alone.
    async fn read_back(&self, user: ObjectId, sent: Vec<Outcome>, walk: &mut Walk) -> Result<(), Trouble> {
        if sent.is_empty() {
            return Ok(());
        }
        let steps: Vec<Step> = sent.iter().map(|outcome| outcome.step).collect();
        let snapshot = match self.snapshot(user, &steps).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::warn!(guest.id = %user, "failed to read back: {error}");
                Snapshot::default()
            }
        };
        for outcome in sent {
            let since = outcome.at;
            if snapshot.shows(outcome.step) == Some(true) {
                let result = if outcome.found_so { StepResult::AlreadySo } else { StepResult::Done };
                let outcome = Outcome { result, at: self.clock.now(), ..outcome };
                self.ledger.record(&outcome).await?;
                walk.seen.push(Seen { step: outcome.step, found_so: outcome.found_so });
            } else {
                walk.not_seen(since);
            }
        }
        Ok(())
    }

    /// What these steps would change, read now. One round trip.
    pub(crate) async fn snapshot(&self, user: ObjectId, steps: &[Step]) -> Result<Snapshot, GraphError> {
        let in_groups = steps.iter().any(|step| step.group().is_some());
        if steps.iter().any(|step| step.moves_account()) {
            return self.snapshot_anywhere(user, in_groups).await;
        }
        let of_account = steps.iter().any(|step| step.group().is_none());
        let (enabled, read) = match (of_account, in_groups) {
            (_, false) => (self.reader.user(user).await?.account_enabled, None),
            (true, true) => {
                let (user, read) = self.reader.user_and_memberships(user).await?;
                (user.account_enabled, Some(read))
            }
            (false, true) => match self.reader.memberships(&[user]).await.pop() {
                Some((_, read)) => (None, Some(read?)),
                None => (None, None),
            },
        };
        Ok(shown(Some(true), enabled, read))
    }

    /// The same of somebody who may have been deleted. While he is, Graph shows nobody what he belongs to.
    async fn snapshot_anywhere(&self, user: ObjectId, in_groups: bool) -> Result<Snapshot, GraphError> {
        let enabled = match self.reader.whereabouts(user).await? {
            Whereabouts::Deleted(_) => return Ok(shown(Some(false), None, None)),
            Whereabouts::Here(user) => user.account_enabled,
        };
        let read = if in_groups { self.reader.memberships(&[user]).await.pop() } else { None };
        let read = read.map(|(_, read)| read).transpose()?;
        Ok(shown(Some(true), enabled, read))
    }
}

fn shown(there: Option<bool>, enabled: Option<bool>, read: Option<graph::MembershipsRead>) -> Snapshot {
    let ids = |groups: Vec<graph::Group>| Some(groups.into_iter().map(|group| group.id).collect());
    match read {
        Some(graph::MembershipsRead { member_of, owner_of }) => {
            let (member_of, owner_of) = (ids(member_of), ids(owner_of));
            Snapshot { there, enabled, member_of, owner_of, ..Snapshot::default() }
        }
        None => Snapshot { there, enabled, ..Snapshot::default() },
    }
}

impl Walk {
    /// Nothing was sent, and this is why.
    pub(crate) fn not_begun(step: Step, why: String) -> Self {
        Self { failed: vec![Untaken { step, why }], ..Self::default() }
    }

    /// Cut short before the first step.
    pub(crate) fn in_trouble(step: Step, error: GraphError) -> Self {
        Self { cut_short: Some(CutShort::Trouble { step, error }), ..Self::default() }
    }

    /// What was only looked for before was taken in the next walk.
    pub(crate) fn then(mut self, next: Self) -> Self {
        let Self { seen, unseen, failed, by_hand, not_wanted, put_back, unsent, cut_short } = next;
        self.seen.extend(seen);
        self.failed.extend(failed);
        self.by_hand.extend(by_hand);
        self.not_wanted.extend(not_wanted);
        self.put_back.extend(put_back);
        if let Some(since) = unseen {
            self.not_seen(since);
        }
        Self { unsent, cut_short, ..self }
    }

    /// Whether this walk says what became of the step.
    pub(crate) fn speaks_of(&self, step: Step) -> bool {
        let untaken = |one: &Untaken| one.step == step;
        self.seen.iter().any(|one| one.step == step)
            || self.failed.iter().any(untaken)
            || self.by_hand.iter().any(untaken)
    }

    fn not_seen(&mut self, since: Timestamp) {
        self.unseen = Some(self.unseen.map_or(since, |first| first.min(since)));
    }

    /// Why not all of it was done, in words.
    pub(crate) fn why_not(&self) -> String {
        let untaken = self.failed.iter().chain(&self.by_hand);
        untaken.map(|one| one.why.as_str()).collect::<Vec<_>>().join("; ")
    }
}
