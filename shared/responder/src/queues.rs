//! The four queues, and under which key a job lies in them: jobs of one key collapse.

use jiff::{SignedDuration, Timestamp};
use model::{
    AlertJob, Change, ChangeKind, ChannelName, Correlation, Incident, IncidentId, Job, MemberHint, ObjectId,
    ResourceKind, Source, TenantId, due_deliveries,
};
use queue::{Collapse, Move, Queue};
use sha2::{Digest as _, Sha256};

use crate::Trouble;
use crate::trouble::after;

/// Each flow takes its jobs from one of these.
#[derive(Debug, Clone)]
pub struct Queues {
    /// Objects to look at, for `assess`.
    pub changes: Queue,
    /// Plans to carry out and operators' requests, for `remediate`.
    pub remediations: Queue,
    /// Messages, for `alert`.
    pub alerts: Queue,
    /// What Graph says of our subscriptions, for `steward`.
    pub chores: Queue,
}

impl Queues {
    #[must_use]
    pub fn all(&self) -> [&Queue; 4] {
        let Self { changes, remediations, alerts, chores } = self;
        [changes, remediations, alerts, chores]
    }
}

/// How the key of a look ends that waits for its day.
pub(crate) const WHEN_DUE: &str = "/when-due";

/// What is owed from the moment at which it is due.
///
/// # Errors
/// The job cannot be written as JSON.
pub fn move_of(key: String, job: &Job, due: Timestamp, collapse: Collapse) -> Result<Move, Trouble> {
    let body = serde_json::to_string(job).map_err(Trouble::now)?;
    Ok(Move { key, body, due, owed_since: due, collapse })
}

/// A look at what has changed, which is owed since then. What can wait is no news to a look that waits, for which somebody may.
fn look_of(key: String, change: Change, due: Timestamp) -> Result<Move, Trouble> {
    let owed_since = change.received_at.min(due);
    let collapse = if change.background { Collapse::Yields } else { Collapse::Earliest };
    let look = move_of(key, &Job::Assess { change, missing: None }, due, collapse)?;
    Ok(Move { owed_since, ..look })
}

/// A look at a user at the moment at which time alone may change what is said of him. The earliest that was asked for
/// stands: whoever looks then asks for the next.
pub(crate) fn look_when_due(
    (tenant, guest): (TenantId, ObjectId),
    at: Timestamp,
    background: bool,
    correlation: Correlation,
) -> Result<Move, Trouble> {
    let change = Change {
        tenant,
        resource: ResourceKind::User,
        id: guest,
        kind: ChangeKind::Updated,
        source: Source::TimePassed,
        background,
        members: Vec::new(),
        received_at: at,
        correlation,
    };
    let key = format!("{}{WHEN_DUE}", look_key(&change));
    move_of(key, &Job::Assess { change, missing: None }, at, Collapse::Earliest)
}

/// The same look at a user when the audit can be asked about him, with the same claim to be served. The change is owed until
/// then.
pub(crate) fn look_at_turn(change: &Change, at: Timestamp) -> Result<Move, Trouble> {
    let source = match change.source {
        // Those have come to their end, with a second look of their own.
        Source::Notification | Source::SecondLook | Source::Request => Source::Request,
        Source::Reconciliation => Source::Reconciliation,
        Source::TimePassed => Source::TimePassed,
    };
    let kind = ChangeKind::Updated;
    let change = Change { kind, source, members: Vec::new(), ..change.clone() };
    look_of(format!("{}/inviter", look_key(&change)), change, at)
}

/// Under which key an object is looked at.
fn look_key(change: &Change) -> String {
    format!("{}/{}", change.resource, change.id)
}

/// A single look at that moment, for what need not have changed.
pub(crate) fn one_look(change: Change, at: Timestamp) -> Result<Move, Trouble> {
    look_of(look_key(&change), change, at)
}

/// Replicas lag, so every change is looked at twice.
const SECOND_LOOK: SignedDuration = SignedDuration::from_mins(5);

/// A look at that moment, and one five minutes later. A later change moves the second look, and never delays the first.
pub(crate) fn two_looks(change: Change, at: Timestamp) -> Result<[Move; 2], Trouble> {
    let object = look_key(&change);
    // What arrives later takes the place of what has the same key. A deletion must not be forgotten for an update, and
    // members that one notification named must not be forgotten for those of the next.
    let key = match change.kind {
        ChangeKind::Deleted => format!("{object}/deleted"),
        ChangeKind::Updated if change.members.is_empty() => object,
        ChangeKind::Updated => format!("{object}/members/{}", digest(&change.members)),
    };
    let again = Change { source: Source::SecondLook, ..change.clone() };
    let second = Job::Assess { change: again, missing: None };
    // The first one may have met a replica that lags.
    let owed_since = change.received_at.min(at);
    let again = move_of(format!("{key}/again"), &second, after(at, SECOND_LOOK), Collapse::Latest)?;
    Ok([look_of(key, change, at)?, Move { owed_since, ..again }])
}

/// The same members are the same job, in whatever order they were named.
fn digest(members: &[MemberHint]) -> String {
    let mut named: Vec<String> =
        members.iter().map(|MemberHint { id, removed }| format!("{id} {removed}")).collect();
    named.sort_unstable();
    let digest = Sha256::digest(named.join("\n").as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Queues {
    /// Wakes `remediate`. One guest's incidents share a key, so that they are carried out one after the other.
    pub(crate) async fn wake_remediate(
        &self,
        guest: ObjectId,
        incident: &IncidentId,
        correlation: Correlation,
        due: Timestamp,
    ) -> Result<(), Trouble> {
        let job = Job::Remediate { incident: incident.clone(), correlation };
        let wake = move_of(format!("guest/{guest}"), &job, due, Collapse::Earliest)?;
        Ok(self.remediations.send(vec![wake]).await?)
    }

    /// Wakes `alert` for every delivery of the incident that is scheduled.
    pub(crate) async fn tell_about(&self, incident: &Incident) -> Result<(), Trouble> {
        let about = AlertJob::Incident(incident.id.clone());
        self.tell(&about, due_deliveries(&incident.deliveries)).await
    }

    pub(crate) async fn tell(
        &self,
        about: &AlertJob,
        due: Vec<(ChannelName, Timestamp)>,
    ) -> Result<(), Trouble> {
        let mut moves = Vec::with_capacity(due.len());
        for (channel, at) in due {
            let key = match about {
                AlertJob::Incident(id) => format!("{channel}/incident/{id}"),
                AlertJob::Notice(key) => format!("{channel}/notice/{key}"),
                AlertJob::RollUp => format!("{channel}/roll-up"),
            };
            moves.push(move_of(key, &Job::Tell { about: about.clone(), channel }, at, Collapse::Earliest)?);
        }
        if moves.is_empty() {
            return Ok(());
        }
        Ok(self.alerts.send(moves).await?)
    }
}
