//! Carries out an incident's plan: judge again, read, act, read back. The only flow that writes to a tenant; whose turn it
//! is stands in `turn.rs`, and the write itself in `step.rs`.
//!
//! The plan is taken from the ledger, never from a message. Success is claimed only from the read-back. Known but
//! ignored (closed, held by another, nothing to do) is success.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::Stored;
use model::{Achieved, Action, Clock, Finding, Incident, ObjectId, Snapshot, Step};
use policy::Facts;

use crate::facts::{memberships_of, new_memberships, snapshot_of};
use crate::gone::restorable;
use crate::inviter::proven_inviter;
use crate::record::{NOT_BROKEN, NOT_THERE, why_suspended};
use crate::spoken::Spoken;
use crate::step::Pursuit;
use crate::trouble::{after, is_not_found};
use crate::turn::Counted;
use crate::walk::{CutShort, Seen, Walk};
use crate::{Directory, Notices, Queues, Rules, Trouble, facts_of, standing_of};

mod beside;
mod earlier;
mod fought;
mod judged;
mod later;

use beside::Begun;
use earlier::{shows_all, shows_plan, under_way};
pub(crate) use judged::{Judged, Objecting, Reversal, named, told};
use judged::{Judgement, judge_again};

/// The flow `remediate`.
#[derive(Debug, Clone)]
pub struct Remediator {
    /// Reads with the same app that writes.
    pub reader: graph::Reader,
    pub writer: graph::Writer,
    pub ledger: ledger::Ledger,
    pub queues: Queues,
    pub rules: Rules,
    pub directory: Directory,
    pub notices: Notices,
    pub clock: Clock,
}

/// What has become of a claim.
pub(crate) struct CarriedOut {
    /// As it stands in the ledger.
    pub(crate) written: Stored<Incident>,
    /// To be written.
    pub(crate) stored: Stored<Incident>,
    pub(crate) walk: Option<Walk>,
    /// When a place of the circuit breaker was taken for it.
    pub(crate) place: Option<Timestamp>,
}

/// What becomes of an incident that is not to be acted on, once nothing of ours is on its way.
enum Ending {
    Gone(String),
    Refused(String),
    Asks,
    HeldBack,
}

impl CarriedOut {
    fn unsent(written: Stored<Incident>, stored: Stored<Incident>) -> Self {
        Self { written, stored, walk: None, place: None }
    }
}

impl Remediator {
    /// How long one worker has an incident to himself: longer than his job takes. One call to Graph ends after two
    /// attempts without an answer: 2 × 20 s and 2 s of waiting, and 2 × 15 s and 2 s for a token. A job reads, asks for
    /// our domains, writes and reads back: 4 × 42 s, and 2 × 32 s for tokens of two apps, make 232 s.
    pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(5);
    /// What was on its way when the time to write ended has landed after so long: a call ends after 20 s.
    pub(crate) const LONGEST_CALL: SignedDuration = SignedDuration::from_secs(30);
    /// While writes are stopped, what waits is looked at this often.
    pub(crate) const STOPPED: SignedDuration = SignedDuration::from_secs(30);

    /// Moves a claimed incident to what has become of it. Writes outcomes, and leaves the incident to be written; what was
    /// done comes back, too, so that it can be told of whatever somebody else has made of the incident meanwhile.
    ///
    /// `taken_over` is when the claim began that this one goes on with. Nothing comes back where the circuit breaker lets it
    /// wait, which is written then.
    pub(crate) async fn carry_out(
        &self,
        mut stored: Stored<Incident>,
        taken_over: Option<Timestamp>,
    ) -> Result<Option<CarriedOut>, Trouble> {
        let (read, routes) = (stored.clone(), &self.rules.routes);
        let with_groups = looks_at_groups(&stored.value.finding);
        let facts = match self.read(stored.value.key.guest, with_groups).await? {
            Ok(facts) => facts,
            Err(error) if is_not_found(&error) => {
                self.not_there(&mut stored.value).await?;
                return Ok(Some(CarriedOut::unsent(read, stored)));
            }
            Err(error) => {
                self.in_trouble(&mut stored.value, &error, "read the guest").await?;
                return Ok(Some(CarriedOut::unsent(read, stored)));
            }
        };
        // After the read, which has told Graph's time.
        let (now, snapshot) = (self.clock.now(), snapshot_of(&facts));
        let sent = self.sent(&stored.value).await?;
        let attempted: Vec<Step> = sent.iter().map(|outcome| outcome.step).collect();
        let incident = &mut stored.value;
        incident.saw(&snapshot, now);
        self.note_landed(incident, &sent, &snapshot).await?;
        let verdict = policy::judge(&self.rules.policy(), &facts, self.rules.ceiling, now);
        if let Some(subject) = verdict.subject.clone() {
            incident.is_about(subject, now);
        }
        let suspended = why_suspended(&verdict.suspended, &incident.key);
        let ending = match judge_again(incident, &facts, verdict) {
            Judgement::Gone => {
                let why = suspended.unwrap_or_else(|| why_gone(incident, &snapshot).to_owned());
                Ending::Gone(why)
            }
            Judgement::Refused(spoken, why) => {
                self.take_note(incident, *spoken, &attempted, now);
                Ending::Refused(why)
            }
            Judgement::Asks(spoken) => {
                self.take_note(incident, *spoken, &attempted, now);
                Ending::Asks
            }
            Judgement::HeldBack(spoken) => {
                self.take_note(incident, *spoken, &attempted, now);
                Ending::HeldBack
            }
            Judgement::Acts(spoken, mut judged) => {
                // Whoever takes over has his place, what somebody has approved needs none, and nobody is touched where
                // nothing is missing.
                let mut goes_on = under_way(&sent, &snapshot, now).is_some();
                if let Some(since) = taken_over {
                    goes_on |= self.has_sent(incident, since).await?;
                }
                let approved = incident.is_approved(&spoken.finding.plan);
                self.take_note(incident, *spoken, &attempted, now);
                incident.subject.enabled = facts.enabled;
                let begun = Begun { goes_on, approved };
                if !shows_plan(incident, &snapshot) && !self.may_begin(incident, &snapshot, begun).await? {
                    return Ok(Some(CarriedOut::unsent(read, stored)));
                }
                goes_on |= approved;
                let counts = !goes_on && self.touches(incident, &snapshot, &mut judged).await;
                return self.carry_out_counted(read, stored, (&snapshot, &judged), counts).await;
            }
        };
        if shows_all(incident, &attempted, &snapshot) {
            // All of it was done before we were interrupted.
            let asked_at = incident.opened_at;
            let walk = self.act(incident, &snapshot, Pursuit::FollowsUp { asked_at }).await?;
            return Ok(Some(CarriedOut { written: read, stored, walk: Some(walk), place: None }));
        }
        match (under_way(&sent, &snapshot, now), ending) {
            // What was sent before we were interrupted may still land.
            (Some(since), _) => incident.release(next_look(since, now), now),
            (None, Ending::Gone(why)) => incident.resolve(why, routes, now),
            (None, Ending::Refused(why)) if did_something(incident) => {
                incident.partly(why, left_over(incident), routes, now);
            }
            (None, Ending::Refused(why)) => incident.refused(why, routes, now),
            (None, Ending::Asks) => incident.ask(incident.waits_because.clone(), routes, now),
            (None, Ending::HeldBack) => incident.held_back(routes, now),
        }
        Ok(Some(CarriedOut::unsent(read, stored)))
    }

    /// Written down before anything is sent, so that the ledger knows whose plan it is, and who is touched.
    async fn carry_out_counted(
        &self,
        read: Stored<Incident>,
        planned: Stored<Incident>,
        (snapshot, judged): (&Snapshot, &Judged),
        counts: bool,
    ) -> Result<Option<CarriedOut>, Trouble> {
        let (mut stored, place) = if counts {
            match self.take_place(&read, planned).await? {
                Counted::HasPlace { stored, taken_at } => (*stored, taken_at),
                Counted::Waits => return Ok(None),
            }
        } else {
            (self.ledger.replace(planned).await?, None)
        };
        let written = stored.clone();
        let walk = self.act(&mut stored.value, snapshot, Pursuit::Begins(judged)).await?;
        Ok(Some(CarriedOut { written, stored, walk: Some(walk), place }))
    }

    /// All that a judgement needs, in one round trip, and what the ledger and the directory know beside it.
    pub(crate) async fn read(
        &self,
        guest: ObjectId,
        with_groups: bool,
    ) -> Result<Result<Facts, graph::GraphError>, Trouble> {
        let policy = self.rules.policy();
        let (user, standing, memberships) = if with_groups || policy.looks_at_groups() {
            match self.reader.everything(guest).await {
                Ok((user, standing, memberships)) => (user, standing, Some(memberships)),
                Err(error) => return Ok(Err(error)),
            }
        } else {
            match self.reader.user_and_standing(guest).await {
                Ok((user, standing)) => (user, standing, None),
                Err(error) => return Ok(Err(error)),
            }
        };
        let mut facts = self.facts_about(user).await?;
        facts.standing = standing_of(standing);
        if let Some(read) = memberships {
            let joined = self.ledger.joined(guest).await?;
            let new = new_memberships(&joined);
            facts.memberships = memberships_of(read, &new, &BTreeSet::new());
        }
        Ok(Ok(facts))
    }

    /// What a user's own properties say, and what the ledger and the directory know beside them.
    pub(crate) async fn facts_about(&self, user: graph::User) -> Result<Facts, Trouble> {
        let (now, policy, guest) = (self.clock.now(), self.rules.policy(), user.id);
        let domains = self.directory.verified_domains(&self.reader, now).await?;
        let suspensions = self.ledger.suspensions(guest).await?;
        let mut facts = facts_of(user, &domains, suspensions);
        if policy.looks_at_inviters()
            && let Some(proven) = proven_inviter(&self.ledger, guest).await?
        {
            facts.inviter = proven;
        }
        let names = self.directory.named_groups(&self.reader, policy.group_names(), now).await?;
        facts.named_groups = names.all;
        Ok(facts)
    }

    fn take_note(&self, incident: &mut Incident, spoken: Spoken, attempted: &[Step], now: Timestamp) {
        let Spoken { finding, told_with, speaks_for } = spoken;
        incident.note_beside(finding, attempted);
        incident.told_with = told_with;
        incident.speak_for(speaks_for, &self.rules.routes, now);
    }

    /// Takes the plan's steps. The snapshot is what was just read.
    pub(crate) async fn act(
        &self,
        incident: &mut Incident,
        snapshot: &Snapshot,
        pursuit: Pursuit<'_>,
    ) -> Result<Walk, Trouble> {
        let steps = incident.plan().steps.clone();
        let walk = self.walk(incident, &steps, snapshot, pursuit).await?;
        let given_up: Vec<Step> =
            walk.not_wanted.iter().copied().filter(|step| !incident.has_achieved(*step)).collect();
        incident.finding.plan.steps.retain(|step| !given_up.contains(step));
        self.settle(incident, &walk).await?;
        Ok(walk)
    }

    /// Moves the incident to what the steps have come to. Asks nothing of Graph.
    pub(crate) async fn settle(&self, incident: &mut Incident, walk: &Walk) -> Result<(), Trouble> {
        let now = self.clock.now();
        for Seen { step, found_so } in &walk.seen {
            incident.achieve(*step, *found_so, now);
        }
        for (step, done_at) in &walk.put_back {
            incident.put_back(*step, *done_at);
        }
        match &walk.cut_short {
            Some(CutShort::Stopped) => {
                incident.release(after(now, Self::STOPPED), now);
            }
            Some(CutShort::Trouble { step, error }) => {
                return self.in_trouble(incident, error, &step.to_string()).await;
            }
            // Somebody may have changed it back at once: it is judged once more, and sent once more.
            None if self.is_to_be_sent_once_more(incident, walk, now).await? => incident.release(now, now),
            // To be judged again at once.
            None if !walk.put_back.is_empty() || !walk.unsent.is_empty() => incident.release(now, now),
            None => self.came_to(incident, walk, now),
        }
        Ok(())
    }

    /// All steps were tried: done, partly done, or not.
    fn came_to(&self, incident: &mut Incident, walk: &Walk, now: Timestamp) {
        let routes = &self.rules.routes;
        if let Some(since) = walk.unseen {
            return self.unseen(incident, since, now);
        }
        let known = |step: &Step| walk.speaks_of(*step) || incident.has_achieved(*step);
        if !incident.plan().steps.iter().all(known) {
            // The plan has grown while this was carried out.
            return incident.release(now, now);
        }
        let mut why = walk.why_not();
        if !incident.finding.by_hand.is_empty() {
            let by_hand = incident.finding.by_hand.join("; ");
            why = if why.is_empty() { by_hand } else { format!("{why}; {by_hand}") };
        }
        incident.failing_since = incident.failing_since.or(Some(now)).filter(|_| !walk.failed.is_empty());
        match (why.is_empty(), did_something(incident)) {
            (true, _) => incident.done(left_over(incident), routes, now),
            (false, true) => incident.partly(why, left_over(incident), routes, now),
            (false, false) if walk.failed.is_empty() => incident.refused(why, routes, now),
            (false, false) => incident.failed(why, routes, now),
        }
    }

    /// The write was accepted and no read shows it: replicas lag, so it is looked at again for fifteen minutes.
    pub(crate) fn unseen(&self, incident: &mut Incident, since: Timestamp, now: Timestamp) {
        let waited = now.duration_since(since);
        if waited >= Incident::LOOKS_FOR {
            let why = "Entra accepted the change 15 minutes ago, and reads still do not show it; look at the account \
                       in the Entra admin center"
                .to_owned();
            incident.failed(why, &self.rules.routes, now);
        } else {
            incident.sent(since, next_look(since, now), &self.rules.routes, now);
        }
    }
}

/// Looks double, and the last is at the end of the time that a write has to show.
pub(crate) fn next_look(since: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.duration_since(since).max(SignedDuration::from_secs(1));
    after(now, waited).min(after(since, Incident::LOOKS_FOR))
}

/// Whether its plan or what it found is about groups, whatever the policy says now.
pub(crate) fn looks_at_groups(finding: &Finding) -> bool {
    finding.object.is_some() || finding.plan.steps.iter().any(|step| step.group().is_some())
}

fn why_gone(incident: &Incident, snapshot: &Snapshot) -> &'static str {
    let Snapshot { there: _, enabled: _, member_of, owner_of, unsettled: _ } = snapshot;
    let is_in =
        |group: &ObjectId| [member_of, owner_of].into_iter().flatten().any(|groups| groups.contains(group));
    if incident.key.object.as_ref().is_none_or(is_in) { NOT_BROKEN } else { NOT_THERE }
}

/// Some of the plan is as it was wanted.
fn did_something(incident: &Incident) -> bool {
    incident.plan().steps.iter().any(|step| incident.has_achieved(*step))
}

/// What a guest keeps although the plan was carried out
/// (<https://learn.microsoft.com/entra/identity/users/users-revoke-access>).
pub(crate) fn left_over(incident: &Incident) -> Vec<String> {
    let mut left = Vec::new();
    if incident.plan().is_empty() {
        return left;
    }
    left.push(
        "access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may \
         keep them longer"
            .to_owned(),
    );
    let delete = Step::Delete { user: incident.key.guest };
    let deleted = incident.achieved.iter().find(|one| one.step == delete && incident.has_achieved(delete));
    if let Some(Achieved { done_at, .. }) = deleted {
        left.push(format!(
            "the account waits among the deleted users with its memberships: {} days after its deletion (about {}) nobody \
             can restore it any more",
            Action::RESTORABLE_DAYS,
            after(*done_at, restorable()).strftime("%Y-%m-%d")
        ));
    } else if incident.plan().steps.iter().any(|step| matches!(step, Step::Disable { user: _ })) {
        left.push(
            "memberships, app roles and sharing links of the account that were not taken away are still there, and \
             work again if it is enabled"
                .to_owned(),
        );
    }
    left
}
