//! The four queues, and under which key a job lies in them: jobs of one key collapse.

use jiff::{SignedDuration, Timestamp};
use model::{
    AlertJob, Change, ChangeKind, ChannelName, Correlation, Incident, IncidentId, Job, MemberHint, ObjectId,
    RequestId, ResourceKind, Source, TenantId, due_deliveries,
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
    who: (TenantId, ObjectId),
    at: Timestamp,
    background: bool,
    correlation: Correlation,
) -> Result<Move, Trouble> {
    look_owed_since(who, (at, at), background, correlation)
}

/// The same for what was left in doubt, and is owed until then. What is owed by nobody before it is due is no news to it.
pub(crate) fn look_owed_since(
    (tenant, guest): (TenantId, ObjectId),
    (at, owed_since): (Timestamp, Timestamp),
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
        received_at: owed_since,
        correlation,
    };
    let key = format!("{}{WHEN_DUE}", look_key(&change));
    let collapse = if owed_since < at { Collapse::Earliest } else { Collapse::Yields };
    let look = move_of(key, &Job::Assess { change, missing: None }, at, collapse)?;
    Ok(Move { owed_since, ..look })
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

/// Replicas lag, so every change is looked at twice. What a notification told of soon after, because nearly all have heard of it by
/// then.
const SECOND_LOOK: SignedDuration = SignedDuration::from_mins(5);

/// A look at that moment, and another: five minutes after a notification, and when all replicas have heard of it where reconciliation
/// told of it, which tells of all that notifications do, so that no change is left to replicas that lag longer. A later change moves
/// the second look, and never delays the first.
pub(crate) fn two_looks(change: Change, at: Timestamp) -> Result<[Move; 2], Trouble> {
    let object = look_key(&change);
    // What arrives later takes the place of what has the same key. A deletion must not be forgotten for an update, and
    // members that one notification named must not be forgotten for those of the next.
    let key = match change.kind {
        ChangeKind::Deleted => format!("{object}/deleted"),
        ChangeKind::Updated if change.members.is_empty() => object,
        ChangeKind::Updated => format!("{object}/members/{}", digest(&change.members)),
    };
    let (name, wait) = match change.source {
        Source::Notification => ("again", SECOND_LOOK),
        Source::Reconciliation | Source::Request | Source::TimePassed | Source::SecondLook => {
            ("later", Incident::LOOKS_FOR)
        }
    };
    let again = Change { source: Source::SecondLook, ..change.clone() };
    let second = Job::Assess { change: again, missing: None };
    // The first one may have met a replica that lags.
    let owed_since = change.received_at.min(at);
    let again = move_of(format!("{key}/{name}"), &second, after(at, wait), Collapse::Latest)?;
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

fn wake_of(
    (guest, incident, correlation): (ObjectId, &IncidentId, Correlation),
    due: Timestamp,
    collapse: Collapse,
) -> Result<Move, Trouble> {
    let job = Job::Remediate { incident: incident.clone(), correlation };
    move_of(format!("guest/{guest}"), &job, due, collapse)
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
        let wake = wake_of((guest, incident, correlation), due, Collapse::Earliest)?;
        Ok(self.remediations.send(vec![wake]).await?)
    }

    /// As [`Queues::wake_remediate`], in case that nothing lies there: what has failed waits for as long as Graph asked for.
    pub(crate) async fn wake_remediate_again(
        &self,
        Incident { id, key, correlation, .. }: &Incident,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let wake = wake_of((key.guest, id, *correlation), now, Collapse::Wakes)?;
        Ok(self.remediations.send(vec![wake]).await?)
    }

    /// Has a request served that nobody has answered, in case that nothing lies there.
    pub(crate) async fn wake_request(&self, request: &RequestId, now: Timestamp) -> Result<(), Trouble> {
        let job = Job::Serve { request: request.clone() };
        let wake = move_of(format!("request/{request}"), &job, now, Collapse::Wakes)?;
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
        self.send_tells(about, due, Collapse::Earliest).await
    }

    /// As [`Queues::tell`], in case that nothing lies there.
    pub(crate) async fn tell_again(
        &self,
        about: &AlertJob,
        due: Vec<(ChannelName, Timestamp)>,
    ) -> Result<(), Trouble> {
        self.send_tells(about, due, Collapse::Wakes).await
    }

    async fn send_tells(
        &self,
        about: &AlertJob,
        due: Vec<(ChannelName, Timestamp)>,
        collapse: Collapse,
    ) -> Result<(), Trouble> {
        let mut moves = Vec::with_capacity(due.len());
        for (channel, at) in due {
            let key = match about {
                AlertJob::Incident(id) => format!("{channel}/incident/{id}"),
                AlertJob::Notice(key) => format!("{channel}/notice/{key}"),
                AlertJob::RollUp => format!("{channel}/roll-up"),
            };
            moves.push(move_of(key, &Job::Tell { about: about.clone(), channel }, at, collapse)?);
        }
        if moves.is_empty() {
            return Ok(());
        }
        Ok(self.alerts.send(moves).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    /// A look at what was left in doubt at 0 waits until 5, and what failed is to be looked at in an hour.
    #[test]
    fn a_look_that_is_owed_by_nobody_yet_is_no_news_to_one_that_was_left_in_doubt() {
        let who = ("c0270500-0000-4000-8000-000000000000".parse().unwrap(), ObjectId::from_u128(7));
        let correlation = Correlation::from_u128(1);
        let doubted = look_owed_since(who, (at(5), at(0)), false, correlation).unwrap();
        assert_eq!((doubted.due, doubted.owed_since, doubted.collapse), (at(5), at(0), Collapse::Earliest));
        let Ok(Job::Assess { change, missing: None }) = serde_json::from_str(&doubted.body) else {
            panic!("{doubted:?}");
        };
        assert_eq!(change.received_at, at(0), "what it doubts again is owed since then, too");
        let later = look_when_due(who, at(60), true, correlation).unwrap();
        assert_eq!((&later.key, later.due, later.owed_since), (&doubted.key, at(60), at(60)));
        assert_eq!(later.collapse, Collapse::Yields);
    }
}
