//! A change arrived: read the object, judge it, and write down what was found. Holds a credential that only reads. A
//! changed group is looked at in `group.rs`; what it finds is guests, who are judged here like all others.
//!
//! Known but ignored (an internal member, a group that no rule looks at) is success.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use model::{
    Attempt, Change, Clock, Correlation, NoticeKind, ObjectId, ResourceKind, RuleId, Snapshot, Source,
    Watched,
};
use policy::{Facts, Kind, Memberships, Named, Standing, Verdict, kind_of};

use crate::facts::{memberships_of, new_memberships, snapshot_of};
use crate::inviter::Learnt;
use crate::queues::two_looks;
use crate::trouble::{after, is_not_found};
use crate::{Directory, End, Meter, Names, Notices, Queues, Rules, Trouble, facts_of, standing_of};

/// What was read of somebody.
pub(crate) struct Seen {
    pub(crate) user: graph::User,
    /// `None`: not asked for yet.
    pub(crate) memberships: Option<graph::MembershipsRead>,
    /// Groups of which the read contradicts what Graph has just told: it is looked again before anything is said.
    pub(crate) unsettled: BTreeSet<ObjectId>,
    /// Before the read was sent.
    pub(crate) read_at: Timestamp,
}

/// What comes of looking at somebody.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) snapshot: Snapshot,
    pub(crate) read_at: Timestamp,
    /// Nothing is told before of what hangs on what may be known then.
    pub(crate) look_again_at: Option<Timestamp>,
    /// Findings of which nobody can say before whether they are there, by rule and group.
    pub(crate) held_over: BTreeSet<(RuleId, Option<ObjectId>)>,
    /// More may be known then than what was judged by.
    pub(crate) more_known_at: Option<Timestamp>,
    /// The policy that did, with the ceiling.
    pub(crate) by: String,
}

/// The flow `assess`.
#[derive(Debug, Clone)]
pub struct Assessor {
    pub reader: graph::Reader,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub rules: Rules,
    pub directory: Directory,
    pub notices: Notices,
    pub meter: Meter,
    pub clock: Clock,
    /// A fresh id for each notification that is read again.
    pub correlate: fn() -> Correlation,
}

impl Assessor {
    /// How often Graph is asked again while it refuses the credential.
    const REFUSED: SignedDuration = SignedDuration::from_mins(5);
    /// Where Graph does not say for how long it wants to be left alone.
    const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(30);

    /// # Errors
    /// Graph, the ledger or a queue is in trouble: the change is to be looked at again.
    pub async fn assess(&self, change: &Change, missing: Option<Attempt>) -> Result<End, Trouble> {
        self.hear_the_canary(change).await?;
        // What waited for its day, and is looked at before, is owed since now.
        let received_at = change.received_at.min(self.clock.now());
        let change = &Change { received_at, ..change.clone() };
        if change.background {
            let looked = self.in_background().assess_it(change, missing).await;
            return looked.or_else(|trouble| self.turned_away(trouble));
        }
        let looked = self.assess_it(change, missing).await;
        match change.source {
            Source::SecondLook => looked.or_else(|trouble| self.turned_away(trouble)),
            Source::Notification | Source::Reconciliation | Source::TimePassed | Source::Request => looked,
        }
    }

    /// To wait as long as Graph wants to be left alone is no failure of the job, however often it has to. People are waiting
    /// for none of these.
    fn turned_away(&self, trouble: Trouble) -> Result<End, Trouble> {
        match trouble.why.downcast_ref::<graph::GraphError>() {
            Some(graph::GraphError::Throttled { retry_after, trace: _ }) => {
                let wait = retry_after.unwrap_or(Self::LEFT_ALONE);
                Ok(End::Again { at: after(self.clock.now(), wait), job: None })
            }
            Some(_) | None => Err(trouble),
        }
    }

    /// Where Graph has to turn somebody away, it is whoever nobody waits for.
    fn in_background(&self) -> Self {
        Self { reader: self.reader.in_background(), ..self.clone() }
    }

    async fn assess_it(&self, change: &Change, missing: Option<Attempt>) -> Result<End, Trouble> {
        let looked = match change.resource {
            ResourceKind::Group => self.look_at_group(change, missing).await,
            ResourceKind::User => self.look(change, missing).await,
        };
        match looked {
            Ok(End::Done) => {
                self.meter.assessed(change, self.clock.now());
                Ok(End::Done)
            }
            Ok(end @ (End::Again { .. } | End::Bury { .. })) => Ok(end),
            Err(trouble) => self.in_trouble(change, missing, trouble).await,
        }
    }

    async fn look(&self, change: &Change, missing: Option<Attempt>) -> Result<End, Trouble> {
        match self.read(change.id).await? {
            Ok(seen) => self.judge_and_record(change, seen).await,
            Err(error) if is_not_found(&error) => self.look_elsewhere(change, missing).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Of a guest who is known, his groups are read in the same round trip. Of all others they are asked for only when it
    /// is plain that they are guests.
    async fn read(&self, id: ObjectId) -> Result<Result<Seen, graph::GraphError>, Trouble> {
        let (unsettled, read_at) = (BTreeSet::new(), self.clock.now());
        let with_groups = self.rules.policy().looks_at_groups() && self.ledger.known(id).await?.is_some();
        if !with_groups {
            let read = self.reader.user(id).await;
            return Ok(read.map(|user| Seen { user, memberships: None, unsettled, read_at }));
        }
        let read = self.reader.user_and_memberships(id).await;
        Ok(read.map(|(user, memberships)| Seen { user, memberships: Some(memberships), unsettled, read_at }))
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
        let (background, received_at) = (false, now);
        let change =
            Change { tenant, resource, id, kind, source, background, members, received_at, correlation };
        self.queues.changes.send(two_looks(change, now)?.into()).await?;
        Ok(End::Done)
    }

    pub(crate) async fn judge_and_record(&self, change: &Change, seen: Seen) -> Result<End, Trouble> {
        let now = self.clock.now();
        let judged = self.judge(seen, change.background, now).await?;
        let lag = now.duration_since(change.received_at);
        tracing::info!(
            correlation = %change.correlation,
            guest.id = %change.id,
            change.source = ?change.source,
            change.age_ms = u64::try_from(lag.as_millis()).unwrap_or(0),
            verdict.findings = judged.verdict.findings.len(),
            "assessed",
        );
        self.meter.found(&judged.verdict.findings);
        self.record(change, judged, now).await?;
        Ok(End::Done)
    }

    /// The same judgement as everywhere; the guest's groups and directory roles are read only where something depends on
    /// them.
    async fn judge(&self, seen: Seen, background: bool, now: Timestamp) -> Result<Judged, Trouble> {
        let Seen { user, memberships, unsettled, read_at } = seen;
        let (id, policy) = (user.id, self.rules.policy());
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        let suspensions = self.ledger.suspensions(id).await?;
        let mut facts = facts_of(user, &domains, suspensions);
        if kind_of(&facts) != Kind::InternalMember {
            let names = self.directory.named_groups(&self.reader, policy.group_names(), now).await?;
            self.tell_of_names(&names).await?;
            facts.named_groups = names.all;
            if let Some(read) = memberships {
                facts.memberships = self.memberships(id, read, &unsettled).await?;
            }
        }
        let mut verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
        if verdict.wants_memberships {
            facts.memberships = self.read_memberships(id).await?;
            verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
        }
        let (mut look_again_at, mut more_known_at) = (None, None);
        if verdict.wants_inviter {
            match self.inviter(&facts, background).await? {
                Learnt::Is(inviter) => {
                    facts.inviter = inviter;
                    verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
                }
                Learnt::Hint { is, proven_at } => {
                    (facts.inviter, more_known_at) = (is, Some(proven_at));
                    verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
                }
                Learnt::SoFar { is, more_at, early } => {
                    facts.inviter = is;
                    verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
                    match (verdict.wants_inviter, early) {
                        (true, true) => look_again_at = Some(more_at),
                        // What is kept for life is read in time, whatever hangs on it today.
                        (true, false) | (false, true) => more_known_at = Some(more_at),
                        (false, false) => {}
                    }
                }
                // What is not known yet is known in a moment: people need not hear of it before.
                Learnt::Later { at } => look_again_at = Some(at),
            }
        }
        if verdict.wants_standing {
            self.read_standing(id, &mut facts).await?;
            verdict = policy::judge(&policy, &facts, self.rules.ceiling, now);
        }
        let mut held_over = BTreeSet::new();
        if look_again_at.is_some() {
            let unknown = verdict.findings.extract_if(.., |finding| finding.unknown);
            held_over.extend(unknown.map(|finding| (finding.rule, finding.object)));
        }
        let snapshot = Snapshot { unsettled, ..snapshot_of(&facts) };
        let by = self.rules.name_of(&policy);
        Ok(Judged { verdict, snapshot, read_at, look_again_at, held_over, more_known_at, by })
    }

    /// A name that is not one group's admits and protects nobody: people ought to know before somebody depends on it.
    async fn tell_of_names(&self, names: &Names) -> Result<(), Trouble> {
        for name in &names.read_now {
            let text = match names.all.get(name) {
                Some(Named::Several(ids)) => {
                    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                    format!(
                        "the policy names the group `{name}`, and {} groups are called so: {}",
                        ids.len(),
                        ids.join(", ")
                    )
                }
                Some(Named::Nobody) => {
                    format!("the policy names the group `{name}`, and no group is called so")
                }
                Some(Named::One(_) | Named::Unread { why: _ }) | None => continue,
            };
            let text = format!(
                "{text}; nothing is done because of it until the policy has an id: see `guestlist resolve --write`"
            );
            let key = format!("name/{name}");
            self.notices.raise(NoticeKind::AmbiguousName, &key, text, 1).await?;
        }
        Ok(())
    }

    async fn read_memberships(&self, id: ObjectId) -> Result<Memberships, Trouble> {
        let read = self.reader.memberships(&[id]).await.pop().map(|(_, read)| read);
        match read {
            Some(Ok(read)) => self.memberships(id, read, &BTreeSet::new()).await,
            Some(Err(error)) => match error.advice() {
                graph::Advice::GiveUp { tell } => Ok(Memberships::Unreadable { why: tell }),
                graph::Advice::FixCredential { tell: _ }
                | graph::Advice::TryAgain { after: _ }
                | graph::Advice::MaybeNotReplicatedYet => Err(error.into()),
            },
            None => Err(Trouble::now(anyhow::anyhow!("Graph was not asked for the groups of {id}"))),
        }
    }

    async fn memberships(
        &self,
        id: ObjectId,
        read: graph::MembershipsRead,
        unsettled: &BTreeSet<ObjectId>,
    ) -> Result<Memberships, Trouble> {
        let joined = self.ledger.joined(id).await?;
        let new = new_memberships(&joined);
        Ok(memberships_of(read, &new, unsettled))
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
