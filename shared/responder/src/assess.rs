//! A change arrived: read the object, judge it, and write down what was found. Holds a credential that only reads.
//!
//! Known but ignored (an internal member, a group: no rule looks at groups yet) is success.

use jiff::{SignedDuration, Timestamp};
use model::{Attempt, Change, Clock, Correlation, NoticeKind, ObjectId, ResourceKind, Source, Watched};
use policy::{Facts, Standing, Verdict};

use crate::queues::two_looks;
use crate::trouble::{after, is_not_found};
use crate::{Directory, End, Notices, Queues, Rules, Trouble, facts_of, standing_of};

/// The flow `assess`.
#[derive(Debug, Clone)]
pub struct Assessor {
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub rules: Rules,
    pub directory: Directory,
    pub notices: Notices,
    pub clock: Clock,
    /// A fresh id for each notification that is read again.
    pub correlate: fn() -> Correlation,
}

impl Assessor {
    /// How often Graph is asked again while it refuses the credential.
    const REFUSED: SignedDuration = SignedDuration::from_mins(5);

    /// # Errors
    /// Graph, the ledger or a queue is in trouble: the change is to be looked at again.
    pub async fn assess(&self, change: &Change, missing: Option<Attempt>) -> Result<End, Trouble> {
        match change.resource {
            ResourceKind::Group => return Ok(End::Done),
            ResourceKind::User => {}
        }
        match self.look(change, missing).await {
            Ok(end) => Ok(end),
            Err(trouble) => self.in_trouble(change, missing, trouble).await,
        }
    }

    async fn look(&self, change: &Change, missing: Option<Attempt>) -> Result<End, Trouble> {
        match self.reader.user(change.id).await {
            Ok(user) => self.judge_and_record(change, user).await,
            Err(error) if is_not_found(&error) => self.look_elsewhere(change, missing).await,
            Err(error) => Err(error.into()),
        }
    }

    /// What no waiting mends is told at once. Where a person has to mend the credential or its permissions, the change
    /// waits for him however long it takes; anything else may lie in this one object, and is buried in the end.
    async fn in_trouble(
        &self,
        change: &Change,
        missing: Option<Attempt>,
        trouble: Trouble,
    ) -> Result<End, Trouble> {
        let Some(error) = trouble.why.downcast_ref::<graph::GraphError>() else { return Err(trouble) };
        let (graph::Advice::GiveUp { tell } | graph::Advice::FixCredential { tell }) = error.advice() else {
            return Err(trouble);
        };
        let text = format!(
            "changed guests cannot be looked at: failed to {tell}; what has changed waits, and is tried again"
        );
        self.notices.raise(NoticeKind::CredentialTrouble, "credential/read", text, 1).await?;
        match error {
            graph::GraphError::Credential { .. } | graph::GraphError::Forbidden { .. } => {
                let job = model::Job::Assess { change: change.clone(), missing };
                Ok(End::Again { at: after(self.clock.now(), Self::REFUSED), job: Some(job) })
            }
            graph::GraphError::NotFound { .. }
            | graph::GraphError::Throttled { .. }
            | graph::GraphError::Unavailable { .. }
            | graph::GraphError::Rejected { .. }
            | graph::GraphError::Conflict { .. }
            | graph::GraphError::Unreachable { .. }
            | graph::GraphError::Unreadable { .. } => Err(trouble),
        }
    }

    /// A notification from the dead letters: whoever replays it believes that it can be read now.
    ///
    /// # Errors
    /// The queue is in trouble.
    pub async fn reread(&self, item: &str, watched: Watched) -> Result<End, Trouble> {
        let now = self.clock.now();
        let body = format!("{{\"value\":[{item}]}}");
        let read = graph::parse(body.as_bytes()).ok().and_then(|mut items| items.pop());
        let event = match read.map(|item| item.event) {
            Some(Ok(event)) => event,
            Some(Err(why)) => return Ok(End::Bury { why: why.to_string() }),
            None => return Ok(End::Bury { why: "it is no notification".to_owned() }),
        };
        let graph::Event::Changed { resource, id, kind, members, sequence: _ } = event else {
            return Ok(End::Done);
        };
        if resource != watched.kind() {
            let why = format!("it is about a {resource}, and its subscription is to `{watched}`");
            return Ok(End::Bury { why });
        }
        let (tenant, correlation) = (self.ledger.tenant(), (self.correlate)());
        let source = Source::Request;
        let change = Change { tenant, resource, id, kind, source, members, received_at: now, correlation };
        self.queues.changes.send(two_looks(change, now)?.into(), now).await?;
        Ok(End::Done)
    }

    async fn judge_and_record(&self, change: &Change, user: graph::User) -> Result<End, Trouble> {
        let now = self.clock.now();
        let verdict = self.judge(user, now).await?;
        let lag = now.duration_since(change.received_at);
        tracing::info!(
            correlation = %change.correlation,
            guest.id = %change.id,
            change.source = ?change.source,
            change.age_ms = u64::try_from(lag.as_millis()).unwrap_or(0),
            verdict.findings = verdict.findings.len(),
            "assessed",
        );
        self.record(change, verdict, now).await?;
        Ok(End::Done)
    }

    /// The same judgement as everywhere; the guest's directory roles are read only where an act depends on them.
    async fn judge(&self, user: graph::User, now: Timestamp) -> Result<Verdict, Trouble> {
        let (id, policy) = (user.id, self.rules.policy());
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        let suspensions = self.ledger.suspensions(id).await?;
        let mut facts = facts_of(user, &domains, suspensions);
        let verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
        if !verdict.wants_standing {
            return Ok(verdict);
        }
        self.read_standing(id, &mut facts).await?;
        Ok(policy::judge(&policy, &facts, self.rules.ceiling, now))
    }

    async fn read_standing(&self, id: ObjectId, facts: &mut Facts) -> Result<(), Trouble> {
        facts.standing = match self.reader.standing(id).await {
            Ok(standing) => standing_of(standing),
            Err(error) => match error.advice() {
                graph::Advice::GiveUp { tell } => Standing::Unreadable { why: tell },
                graph::Advice::FixCredential { tell: _ }
                | graph::Advice::TryAgain { after: _ }
                | graph::Advice::MaybeNotReplicatedYet => return Err(error.into()),
            },
        };
        Ok(())
    }

    /// A look at the object at that moment, with everything known about the change.
    pub(crate) fn look_again(change: &Change, missing: Attempt, now: Timestamp, wait: i64) -> End {
        let job = model::Job::Assess { change: change.clone(), missing: Some(missing) };
        End::Again { at: after(now, SignedDuration::from_secs(wait)), job: Some(job) }
    }
}
