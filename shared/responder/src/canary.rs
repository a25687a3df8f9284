//! Flies the canary: changes the membership of an account of ours in a group of ours every hour, and misses the
//! notification that does not come back. Part of `remediate`, because it writes.
//!
//! Only what is marked is written to, and only after a fresh read. Never here: a guest, a plan, an incident.

use graph::{Group, GroupRead, MembershipsRead, NotWritten, Standing, User};
use jiff::{SignedDuration, Timestamp};
use ledger::LedgerError;
use model::{
    Canary, Change, Clock, Flight, Idle, Lost, Mode, NoticeKind, ObjectId, Permission, ResourceKind, Source,
    Step, SubscriptionRecord, Watched,
};
use policy::{Kind, Policy, kind_of};

use crate::right_time::may_end;
use crate::step::{NotStopped, past};
use crate::trouble::{after, in_words, is_not_found, to_the_second};
use crate::{Assessor, Directory, Notices, Rules, Trouble, facts_of};

/// What an operator sets of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanarySettings {
    pub user: ObjectId,
    pub group: ObjectId,
    /// What has not come back after so long is lost.
    pub within: SignedDuration,
}

/// Longer than Graph takes to answer. After that the change is not sent (again) without another look.
const LONGEST_FLIGHT: SignedDuration = SignedDuration::from_secs(30);

impl CanarySettings {
    /// How the names of its account and its group begin, so that nothing else is ever taken for them.
    pub const MARK: &'static str = "guestlist-canary";
    /// What the app that writes needs for it (<https://learn.microsoft.com/graph/api/group-post-members>).
    pub const PERMISSIONS: [Permission; 2] =
        [Permission("GroupMember.ReadWrite.All"), Permission("User.Read.All")];
}

/// The part of the flow `remediate` that flies the canary.
#[derive(Debug, Clone)]
pub struct CanaryKeeper {
    pub settings: CanarySettings,
    /// Reads with the same app that writes.
    pub reader: graph::Reader,
    pub writer: graph::Writer,
    pub ledger: ledger::Ledger,
    pub rules: Rules,
    pub directory: Directory,
    pub notices: Notices,
    pub clock: Clock,
}

/// A change that was looked at a moment ago and touches nobody: only [`CanaryKeeper::examine`] makes one.
struct Harmless {
    step: Step,
    adds: bool,
}

/// Why nothing is to be changed now.
enum Objection {
    Refused(String),
    Trouble(graph::GraphError),
    /// It was not read, and may be next time.
    Unread(String),
}

impl CanaryKeeper {
    /// Does what is due: finds out what became of a change that was cut short, misses what is late, tells, and makes the
    /// next change.
    ///
    /// # Errors
    /// The ledger is in trouble. Graph's trouble ends in another try after a while.
    pub async fn look(&self) -> Result<(), Trouble> {
        let CanarySettings { user, group, within } = self.settings;
        may_end(&self.reader, &self.notices).await?;
        self.ledger.begin_canary(user, group, self.clock.now()).await?;
        self.find_out().await?;
        let now = self.clock.now();
        self.note(|canary| canary.miss(within, now)).await?;
        self.tell().await?;
        let held = self.held().await?;
        self.note(|canary| match (&held, &canary.idle) {
            (Some(why), _) => canary.idle = Some(Idle::Held { why: why.clone() }),
            (None, Some(Idle::Held { why: _ })) => canary.idle = None,
            (None, Some(Idle::Refused { .. } | Idle::Failed { .. }) | None) => {}
        })
        .await?;
        if held.is_some() { Ok(()) } else { self.fly().await }
    }

    async fn note(&self, change: impl FnMut(&mut Canary) + Send) -> Result<(), Trouble> {
        let CanarySettings { user, group, within: _ } = self.settings;
        self.ledger.change_canary((user, group), change).await?;
        Ok(())
    }

    async fn current(&self) -> Result<Option<ledger::Stored<Canary>>, Trouble> {
        let CanarySettings { user, group, within: _ } = self.settings;
        let ours = |one: &ledger::Stored<Canary>| (one.value.user, one.value.group) == (user, group);
        Ok(self.ledger.canary().await?.filter(ours))
    }

    /// The stop and the ceiling hold this like any other write.
    async fn held(&self) -> Result<Option<String>, Trouble> {
        if let Some(stop) = self.ledger.stop().await? {
            return Ok(Some(format!("writes are stopped by {}", stop.by)));
        }
        let observes = self.rules.ceiling == Mode::Observe;
        Ok(observes.then(|| "GUESTLIST_AT_MOST is `observe`".to_owned()))
    }

    /// Whoever made the last change may have died before he could note whether it was sent.
    async fn find_out(&self) -> Result<(), Trouble> {
        let out = self.current().await?.and_then(|stored| stored.value.out);
        let Some(flight) = out.filter(|out| !out.sent) else { return Ok(()) };
        let now = self.clock.now();
        let CanarySettings { user, group, within: _ } = self.settings;
        let read = self.reader.memberships(&[user]).await.pop().map(|(_, read)| read);
        match read {
            Some(Ok(read)) if is_member(&read, group) == flight.adds => {
                self.note(|canary| canary.sent(flight)).await
            }
            Some(Ok(_) | Err(_)) | None if now.duration_since(flight.at) >= Canary::SHOWS_WITHIN => {
                self.note(|canary| canary.not_sent(flight, None, now)).await
            }
            Some(Ok(_) | Err(_)) | None => Ok(()),
        }
    }

    /// Told once each way, however often this is cut short.
    async fn tell(&self) -> Result<(), Trouble> {
        let Some(stored) = self.current().await? else { return Ok(()) };
        let Some(lost) = stored.value.lost else { return Ok(()) };
        let Lost { since, back_at } = lost;
        let minutes = self.settings.within.as_mins();
        let text = format!(
            "a change that Guestlist made to its canary at {} has not come back as a notification within {minutes} \
             minutes: Microsoft Graph tells of changes of groups late, or not at all",
            to_the_second(since)
        );
        self.notices.once(NoticeKind::CanaryLost, &format!("canary-lost/{since}"), text).await?;
        let Some(back_at) = back_at else { return Ok(()) };
        let text = format!(
            "a change of the canary came back at {}; none had in time since {}, and what changed in between was found by \
             reconciliation at the latest",
            to_the_second(back_at),
            to_the_second(since)
        );
        self.notices.once(NoticeKind::CanaryBack, &format!("canary-back/{since}"), text).await?;
        self.note(|canary| canary.lost = canary.lost.filter(|current| *current != lost)).await
    }

    async fn fly(&self) -> Result<(), Trouble> {
        let now = self.clock.now();
        if !self.current().await?.is_some_and(|stored| stored.value.is_due(now))
            || !self.is_watched(now).await?
        {
            return Ok(());
        }
        let harmless = match self.examine().await {
            Ok(harmless) => harmless,
            Err(Objection::Refused(why)) => return self.refuse(why).await,
            Err(Objection::Trouble(error)) => return self.fail(&error, None).await,
            Err(Objection::Unread(why)) => {
                let idle = || Some(Idle::Failed { why: why.clone() });
                return self.note(|canary| canary.pause(idle(), now)).await;
            }
        };
        // Reading took its time.
        if self.held().await?.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let Some(mut stored) = self.current().await?.filter(|stored| stored.value.is_due(now)) else {
            return Ok(());
        };
        let flight = stored.value.intend(harmless.adds, now);
        match self.ledger.replace(stored).await {
            // Whoever was asleep since has to look again.
            Ok(_) => tokio::select! {
                biased;
                () = past(&self.clock, after(now, LONGEST_FLIGHT)) => {
                    tracing::warn!("the canary may be out: the time to send it ended before Graph answered");
                    Ok(())
                }
                sent = self.send(&harmless, flight) => sent,
            },
            // Another process makes this change, or the one before came back at this moment.
            Err(LedgerError::Conflict { place: _ }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Nobody tells of groups before there is a subscription; that there is none is told by whoever keeps them.
    async fn is_watched(&self, now: Timestamp) -> Result<bool, Trouble> {
        let tells = |record: &SubscriptionRecord| {
            record.watched == Watched::Groups && record.lives_until().is_some_and(|until| until > now)
        };
        Ok(self.ledger.subscriptions().await?.iter().any(|stored| tells(&stored.value)))
    }

    /// The other place that writes to a tenant.
    async fn send(&self, harmless: &Harmless, flight: Flight) -> Result<(), Trouble> {
        match self.writer.apply(harmless.step, &NotStopped(&self.ledger)).await {
            Ok(_) => {
                tracing::info!(canary.adds = flight.adds, "the canary is out");
                self.note(|canary| canary.sent(flight)).await
            }
            // The next look finds out.
            Err(NotWritten { error, maybe_done: true }) => {
                tracing::warn!("the canary may be out: {error}");
                Ok(())
            }
            Err(NotWritten { error, maybe_done: false }) => self.fail(&error, Some(flight)).await,
        }
    }

    async fn refuse(&self, why: String) -> Result<(), Trouble> {
        let now = self.clock.now();
        let idle = || Some(Idle::Refused { why: why.clone() });
        self.note(|canary| canary.pause(idle(), now)).await?;
        let text = format!("nothing was changed, because {why}");
        self.notices.raise(NoticeKind::CanaryRefused, "canary/refused", text, 1).await
    }

    /// What only a person mends is told; the rest is tried again, and stands in the status until then.
    async fn fail(&self, error: &graph::GraphError, flight: Option<Flight>) -> Result<(), Trouble> {
        let (now, why) = (self.clock.now(), in_words(error));
        let idle = || Some(Idle::Failed { why: why.clone() });
        self.note(|canary| match flight {
            Some(flight) => canary.not_sent(flight, idle(), now),
            None => canary.pause(idle(), now),
        })
        .await?;
        tracing::warn!("failed to fly the canary: {error}");
        match error.advice() {
            graph::Advice::GiveUp { tell } | graph::Advice::FixCredential { tell } => {
                let text = format!("the canary could not be changed: failed to {tell}");
                self.notices.raise(NoticeKind::CanaryRefused, "canary/refused", text, 1).await
            }
            graph::Advice::TryAgain { after: _ } | graph::Advice::MaybeNotReplicatedYet => Ok(()),
        }
    }

    /// Reads both afresh. Which way it goes is told by the read, never by what was done before.
    async fn examine(&self) -> Result<Harmless, Objection> {
        let CanarySettings { user: id, group: group_id, within: _ } = self.settings;
        let everything = self.reader.everything(id).await;
        let (user, standing, groups) =
            everything.map_err(|error| missing("account of GUESTLIST_CANARY_USER", error))?;
        let (group, _) = self.reader.group_and_users(group_id, &[]).await;
        let GroupRead { group, owners: _ } =
            group.map_err(|error| missing("group of GUESTLIST_CANARY_GROUP", error))?;
        let domains = self.directory.verified_domains(&self.reader, self.clock.now()).await;
        let domains = domains.map_err(|trouble| Objection::Unread(trouble.to_string()))?;
        let adds = !is_member(&groups, group_id);
        let policy = self.rules.policy();
        let mut why = objections_to_group(&group);
        why.extend(objections_to_place(&standing, &groups, group_id));
        why.extend(objections_of(&policy, id, &group));
        why.extend(objections_to_account(user, &domains));
        if !why.is_empty() {
            return Err(Objection::Refused(why.join("; ")));
        }
        let (user, group) = (id, group_id);
        let step = if adds { Step::AddMember { user, group } } else { Step::RemoveMember { user, group } };
        Ok(Harmless { step, adds })
    }
}

fn missing(what: &str, error: graph::GraphError) -> Objection {
    if is_not_found(&error) {
        Objection::Refused(format!("the {what} is not in the tenant"))
    } else {
        Objection::Trouble(error)
    }
}

fn is_member(read: &MembershipsRead, group: ObjectId) -> bool {
    read.member_of.iter().any(|one| one.id == group)
}

fn is_marked(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.starts_with(CanarySettings::MARK))
}

/// What was not read is not what it has to be.
fn objections_to_group(group: &Group) -> Vec<String> {
    let plain = group.group_types.as_ref().is_some_and(Vec::is_empty) && group.membership_rule.is_none();
    let ok = [
        (is_marked(group.display_name.as_deref()), "its name does not begin with `guestlist-canary`"),
        (group.security_enabled == Some(true), "it is no security group"),
        (group.mail_enabled == Some(false), "it is mail-enabled"),
        (plain, "it is dynamic or a Microsoft 365 group"),
        (group.is_assignable_to_role == Some(false), "it is role-assignable"),
        (group.on_premises_sync_enabled == Some(false), "it is synchronised from on premises"),
        (group.is_management_restricted != Some(true), "it is in a restricted administrative unit"),
    ];
    let wrong = ok.into_iter().filter(|(ok, _)| !ok);
    wrong.map(|(_, why)| format!("of the group `{}` {why}", group.id)).collect()
}

fn objections_to_account(user: User, domains: &[String]) -> Vec<String> {
    let (id, marked) = (user.id, is_marked(user.display_name.as_deref()));
    let internal = kind_of(&facts_of(user, domains, Vec::new())) == Kind::InternalMember;
    let ok = [
        (marked, "its name does not begin with `guestlist-canary`"),
        (internal, "it is not plainly a member of this tenant with an account of its own"),
    ];
    let wrong = ok.into_iter().filter(|(ok, _)| !ok);
    wrong.map(|(_, why)| format!("of the account `{id}` {why}")).collect()
}

/// Whoever holds anything else is somebody.
fn objections_to_place(standing: &Standing, groups: &MembershipsRead, canary: ObjectId) -> Vec<String> {
    let Standing { directory_roles, role_assignable_groups, hidden_groups, groups: through } = standing;
    let elsewhere = groups.member_of.iter().map(|one| one.id).chain(through.iter().copied());
    let ok = [
        (directory_roles.is_empty(), "holds a directory role"),
        (role_assignable_groups.is_empty(), "is in or owns a role-assignable group"),
        (hidden_groups.iter().all(|id| *id == canary), "is in a group that cannot be read"),
        (elsewhere.into_iter().all(|id| id == canary), "is in another group, directly or through a group"),
        (groups.owner_of.is_empty(), "owns a group"),
    ];
    let wrong = ok.into_iter().filter(|(ok, _)| !ok);
    wrong.map(|(_, why)| format!("the account {why}")).collect()
}

/// What the policy speaks of decides something.
fn objections_of(policy: &Policy, user: ObjectId, group: &Group) -> Vec<String> {
    let by_name = group.display_name.as_ref().is_some_and(|name| policy.group_names().contains(name));
    let ok = [
        (!policy.protected_users().contains(&user), "protects the account"),
        (!policy.group_ids().contains(&group.id) && !by_name, "names the group"),
    ];
    ok.into_iter().filter(|(ok, _)| !ok).map(|(_, why)| format!("the policy {why}")).collect()
}

impl Assessor {
    /// A notification about the canary's membership is noted, and then looked at like any other.
    pub(crate) async fn hear_the_canary(&self, change: &Change) -> Result<(), Trouble> {
        if change.resource != ResourceKind::Group || change.source != Source::Notification {
            return Ok(());
        }
        let Some(stored) = self.ledger.canary().await?.filter(|one| one.value.group == change.id) else {
            return Ok(());
        };
        let (user, at) = (stored.value.user, change.received_at);
        for hint in change.members.iter().filter(|hint| hint.id == user) {
            let back = self.ledger.change_canary((user, change.id), |canary| {
                canary.comes_back(!hint.removed, at);
            });
            if back.await? {
                tracing::info!(canary.adds = !hint.removed, "the canary is back");
            }
        }
        Ok(())
    }
}
