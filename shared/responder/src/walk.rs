//! Several steps after one another, read back together: one read shows all that was sent.

use graph::GraphError;
use jiff::Timestamp;
use model::{Incident, ObjectId, Outcome, Snapshot, Step, StepResult};

use crate::step::{Progress, Pursuit};
use crate::{Remediator, Trouble};

/// How far the steps have come.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) seen: Vec<Step>,
    /// When the first was sent that no read shows.
    pub(crate) unseen: Option<Timestamp>,
    pub(crate) failed: Vec<String>,
    pub(crate) by_hand: Vec<String>,
    /// Why the rest was not tried.
    pub(crate) cut_short: Option<CutShort>,
}

pub(crate) enum CutShort {
    PutBack { step: Step, done_at: Timestamp },
    Unsent,
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
                Progress::Seen => walk.seen.push(step),
                Progress::Accepted(outcome) => accepted.push(*outcome),
                Progress::Unseen { since } => walk.not_seen(since),
                Progress::Failed { why } => walk.failed.push(why),
                Progress::ByHand { why } => walk.by_hand.push(why),
                Progress::NotWanted => {}
                Progress::PutBack { done_at } => walk.cut_short = Some(CutShort::PutBack { step, done_at }),
                Progress::Unsent => walk.cut_short = Some(CutShort::Unsent),
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
                walk.seen.push(outcome.step);
            } else {
                walk.not_seen(since);
            }
        }
        Ok(())
    }

    /// What these steps would change, read now. One round trip.
    pub(crate) async fn snapshot(&self, user: ObjectId, steps: &[Step]) -> Result<Snapshot, GraphError> {
        let in_groups = steps.iter().any(|step| step.group().is_some());
        let of_account = steps.iter().any(|step| step.group().is_none());
        let ids = |groups: Vec<graph::Group>| Some(groups.into_iter().map(|group| group.id).collect());
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
        Ok(match read {
            Some(graph::MembershipsRead { member_of, owner_of }) => {
                Snapshot { enabled, member_of: ids(member_of), owner_of: ids(owner_of) }
            }
            None => Snapshot { enabled, member_of: None, owner_of: None },
        })
    }
}

impl Walk {
    fn not_seen(&mut self, since: Timestamp) {
        self.unseen = Some(self.unseen.map_or(since, |first| first.min(since)));
    }

    /// Why not all of it was done, in words.
    pub(crate) fn why_not(&self) -> String {
        let Self { seen: _, unseen: _, failed, by_hand, cut_short: _ } = self;
        failed.iter().chain(by_hand).cloned().collect::<Vec<_>>().join("; ")
    }
}
