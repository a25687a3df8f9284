//! One notification at a time: is it ours, does it fit its subscription, and what is to be looked at because of it?

use std::collections::{BTreeMap, BTreeSet};

use graph::{Event, Item, Lifecycle, Sifted};
use jiff::Timestamp;
use model::{
    Change, ChangeKind, Job, MemberHint, Nonce, NoticeKind, ObjectId, ResourceKind, Source, Watched,
};
use queue::{Collapse, Move};
use tokio::task::JoinSet;

use super::Receiver;
use super::records::Records;
use crate::meter::{Received, Refusal};
use crate::queues::two_looks;
use crate::{Trouble, move_of};

/// What a clientState of ours says.
pub(super) struct Sealed {
    pub(super) watched: Watched,
    pub(super) nonce: Nonce,
}

/// What becomes of one item.
enum Admitted {
    Look {
        resource: ResourceKind,
        id: ObjectId,
        kind: ChangeKind,
        members: Vec<MemberHint>,
    },
    Chore(Move),
    /// Not ours. Counted, and nothing else.
    Forged,
    /// Ours, and not readable or not fitting: to the dead letters.
    Unreadable {
        why: String,
    },
}

/// What a POST says of one object, however often it does.
#[derive(Default)]
struct Touched {
    gone: bool,
    /// In the order of their ids: Graph gives them none.
    members: BTreeSet<(ObjectId, bool)>,
}

/// What one POST comes to.
#[derive(Default)]
struct Intake {
    touched: BTreeMap<(ResourceKind, ObjectId), Touched>,
    chores: Vec<Move>,
    unreadable: Vec<(String, String)>,
}

impl Receiver {
    pub(super) async fn admit(&self, sifted: Sifted<Sealed>) -> Result<(), Trouble> {
        let Sifted { ours, others: mut forged } = sifted;
        let now = self.clock.now();
        let mut records = Records::of(self, now);
        let (mut intake, mut taken) = (Intake::default(), Vec::new());
        for (sealed, item) in ours {
            match self.admit_one(&sealed, &item, &mut records, now).await? {
                Admitted::Look { resource, id, kind, members } => {
                    taken.push(Received::Change(sealed.watched));
                    intake.touched.entry((resource, id)).or_default().add(kind, members);
                }
                Admitted::Chore(chore) => {
                    taken.push(Received::Lifecycle);
                    intake.chores.push(chore);
                }
                Admitted::Forged => forged = forged.saturating_add(1),
                Admitted::Unreadable { why } => {
                    let job = Job::Reread { item: item.redacted(), watched: sealed.watched };
                    intake.unreadable.push((serde_json::to_string(&job).map_err(Trouble::now)?, why));
                }
            }
        }
        let buried = self.persist(intake, now).await?;
        taken.into_iter().for_each(|what| self.meter.received(what));
        self.meter.refused(Refusal::Forged, forged);
        self.meter.refused(Refusal::Unreadable, buried);
        // From here on everything is durable: trouble with telling must not make Graph send it again.
        records.note().await;
        if let Err(trouble) = self.tell(forged, buried, now).await {
            tracing::error!("failed to tell of refused notifications: {trouble}");
        }
        Ok(())
    }

    /// Returns how many went to the dead letters.
    async fn persist(&self, intake: Intake, now: Timestamp) -> Result<u64, Trouble> {
        let Intake { touched, chores, unreadable } = intake;
        let mut looks = Vec::with_capacity(touched.len().saturating_mul(2));
        for ((resource, id), touched) in touched {
            let change = Change {
                tenant: self.tenant,
                resource,
                id,
                kind: if touched.gone { ChangeKind::Deleted } else { ChangeKind::Updated },
                source: Source::Notification,
                background: false,
                members: touched.hints(),
                received_at: now,
                correlation: (self.correlate)(),
            };
            tracing::debug!(correlation = %change.correlation, object.kind = %resource, object.id = %id, "told of a change");
            looks.extend(two_looks(change, now)?);
        }
        if !looks.is_empty() {
            self.queues.changes.send(looks).await?;
        }
        if !chores.is_empty() {
            self.queues.chores.send(chores).await?;
        }
        let buried = u64::try_from(unreadable.len()).unwrap_or(u64::MAX);
        // All at once, so that they share a commit.
        let mut burying = JoinSet::new();
        for (body, why) in unreadable {
            let (changes, key) = (self.queues.changes.clone(), format!("reread/{}", (self.correlate)()));
            burying.spawn(async move { changes.bury_new(&key, &body, &why, now).await });
        }
        while let Some(ended) = burying.join_next().await {
            ended.map_err(Trouble::now)??;
        }
        Ok(buried)
    }

    async fn tell(&self, forged: u64, buried: u64, now: Timestamp) -> Result<(), Trouble> {
        if forged > 0
            && let Some(times) = self.tally.forged(forged, now)
        {
            let text = "notifications whose clientState is not ours were dropped: somebody knows the address of the \
                        receiver and tries it, or a subscription of an earlier installation still lives"
                .to_owned();
            self.notices.raise(NoticeKind::ForgedNotifications, "forged", text, times).await?;
        }
        if buried > 0 {
            let text =
                "a notification from Microsoft Graph could not be read and went to the dead letters; see \
                        `guestlist dead list`"
                    .to_owned();
            self.notices.raise(NoticeKind::UnreadableNotification, "unreadable", text, buried).await?;
        }
        Ok(())
    }

    async fn admit_one(
        &self,
        sealed: &Sealed,
        item: &Item,
        records: &mut Records<'_>,
        now: Timestamp,
    ) -> Result<Admitted, Trouble> {
        let unreadable = |why: &str| Ok(Admitted::Unreadable { why: why.to_owned() });
        if item.tenant.is_some_and(|tenant| tenant != self.tenant)
            || !records.speaks(sealed, item.subscription, item.expires_at).await?
        {
            return Ok(Admitted::Forged);
        }
        let (Some(subscription), Some(_)) = (item.subscription, item.tenant) else {
            return unreadable("it does not name both its subscription and its tenant");
        };
        match &item.event {
            Err(why) => unreadable(&why.to_string()),
            Ok(Event::Lifecycle(event)) => {
                let event = word(event);
                let key = format!("lifecycle/{subscription}/{event}");
                let (event, correlation) = (event.to_owned(), (self.correlate)());
                let job = Job::Lifecycle { subscription, event, correlation };
                Ok(Admitted::Chore(move_of(key, &job, now, Collapse::Earliest)?))
            }
            Ok(Event::Changed { resource, id, kind, members, sequence: _ }) => {
                let watched = sealed.watched;
                if *resource != watched.kind() {
                    return unreadable(&format!(
                        "it is about a {resource}, and its subscription is to `{watched}`"
                    ));
                }
                let members = members.clone();
                Ok(Admitted::Look { resource: *resource, id: *id, kind: *kind, members })
            }
        }
    }
}

impl Touched {
    /// Items come in no order, and what is gone for good does not come back.
    fn add(&mut self, kind: ChangeKind, members: Vec<MemberHint>) {
        self.gone |= kind == ChangeKind::Deleted;
        self.members.extend(members.into_iter().map(|MemberHint { id, removed }| (id, removed)));
    }

    fn hints(&self) -> Vec<MemberHint> {
        self.members.iter().map(|&(id, removed)| MemberHint { id, removed }).collect()
    }
}

fn word(event: &Lifecycle) -> &str {
    match event {
        Lifecycle::Missed => "missed",
        Lifecycle::SubscriptionRemoved => "subscriptionRemoved",
        Lifecycle::ReauthorizationRequired => "reauthorizationRequired",
        Lifecycle::Other(other) => other,
    }
}
