//! From a verdict to the ledger: open, see again or resolve incidents, then wake whoever has to act or tell.
//!
//! The order is what makes it safe to die anywhere: first the incident with a wake that is due, then the wake-up, then
//! the note that it was sent. Whoever meets the same finding again meets his own incident and goes on.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use ledger::{KnownGuest, Stored};
use model::{
    Change, Finding, Incident, IncidentKey, NoticeKind, ObjectId, Outcome, RuleId, Sighting, Snapshot, State,
    Step, StepResult, Subject, Wake,
};
use policy::{Ends, Held, Verdict};

use crate::assess::Judged;
use crate::pace::spread;
use crate::queues::{look_at_turn, look_owed_since};
use crate::spoken::{Spoken, spoken_for};
use crate::trouble::after;
use crate::{Assessor, Trouble};

impl Assessor {
    pub(crate) async fn record(
        &self,
        change: &Change,
        judged: Judged,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let Judged { verdict, snapshot, read_at, look_again_at, held_over, more_known_at, by } = judged;
        let Verdict {
            subject,
            admitted_by: _,
            findings,
            suspended,
            wants_standing: _,
            wants_memberships: _,
            wants_inviter: _,
            ends,
            changes_at,
        } = verdict;
        let Some(subject) = subject else {
            for stored in self.ledger.incidents_of(change.id).await? {
                // What was sent while he was a guest is followed until it is known what became of it.
                if !self.may_have_done_it(&stored.value, now).await? {
                    self.close(stored, "it is an internal member", now).await?;
                }
            }
            return Ok(self.ledger.note_judged(change.id, &by).await?);
        };
        let before = self.remember(&subject, now).await?;
        let mut open = self.ledger.incidents_of(change.id).await?;
        for stored in &mut open {
            let was_put_off = stored.value.bring_near(now);
            // A closed one is not written below, and must know all the same.
            if (stored.value.saw(&snapshot, now) && stored.value.state.is_closed()) || was_put_off {
                *stored = self.ledger.replace(stored.clone()).await?;
            }
        }
        let believes_at = open.iter().filter_map(|stored| stored.value.believes_at(&snapshot, now)).max();
        let doubted = believes_at.is_some();
        let taken: BTreeSet<Step> = open
            .iter()
            .flat_map(|stored| &stored.value.achieved)
            .filter(|achieved| !achieved.found_so)
            .map(|achieved| achieved.step)
            .collect();
        // Another look read later, and was faster: what it wrote is not taken back, and who is right is read once more.
        let mut overtaken: Option<Timestamp> = None;
        for Spoken { finding, told_with, speaks_for } in spoken_for(findings) {
            let key = self.key(&subject, &finding, change);
            let place = open.iter().position(|stored| stored.value.key == key);
            let current = place.map(|index| open.swap_remove(index));
            let closed_at = current.as_ref().filter(|stored| stored.value.state.is_closed());
            if let Some(at) =
                closed_at.and_then(|stored| written_since(stored.value.updated_at, read_at, now))
            {
                overtaken = overtaken.max(Some(at));
                continue;
            }
            if doubted && told_with.is_some() && current.is_some() {
                // Whoever speaks for it may not believe this read yet: none of them acts before, or it would be in silence.
                continue;
            }
            let (subject, correlation, snapshot) = (subject.clone(), change.correlation, snapshot.clone());
            let met = Sighting { subject, finding, snapshot, told_with, correlation };
            self.meet(key, current, (met, speaks_for), now).await?;
        }
        let looks_at_groups = self.rules.policy().looks_at_groups();
        let read = Read { snapshot: &snapshot, suspended: &suspended, looks_at_groups };
        let held_over = |key: &IncidentKey| held_over.contains(&(key.rule.clone(), key.object));
        // What nobody can say yet ends nothing that was found before.
        open.retain(|stored| !held_over(&stored.value.key));
        for mut gone in open {
            let state = &gone.value.state;
            if let Some(at) =
                written_since(gone.value.last_seen_at, read_at, now).filter(|_| !state.is_closed())
            {
                overtaken = overtaken.max(Some(at));
            } else if let Some(why) = read.why_gone(&gone.value) {
                if !self.may_have_done_it(&gone.value, now).await? {
                    self.close(gone, &why, now).await?;
                }
            } else if gone.value.complete(&snapshot, &self.rules.routes, now) {
                let stored = self.ledger.replace(gone).await?;
                self.queues.tell_about(&stored.value).await?;
            }
        }
        self.forget_old_joins(change.id, &snapshot, &taken, now).await?;
        // Who invited him may make it no end.
        if let Some(ends) = ends.filter(|ends| ends.soon && look_again_at.is_none()) {
            self.tell_of_end(&subject, &ends).await?;
        }
        let once_more_at = overtaken.map(|at| after(at.max(now), OVERTAKEN));
        let doubts_until = believes_at.into_iter().chain(once_more_at).min();
        self.look_when_due(change, (doubts_until, more_known_at, changes_at), now).await?;
        if let Some(at) = look_again_at {
            self.queues.changes.send(vec![look_at_turn(change, at)?]).await?;
        }
        if look_again_at.is_none()
            && overtaken.is_none()
            && !before.is_some_and(|known| known.was_judged_by(&by))
        {
            self.ledger.note_judged(change.id, &by).await?;
        }
        Ok(())
    }

    /// Once for each end: whoever wants it otherwise has the time of the notice to say so.
    async fn tell_of_end(&self, subject: &Subject, ends: &Ends) -> Result<(), Trouble> {
        let Subject { id, addresses, .. } = subject;
        let Ends { rule, at, why, own, soon: _ } = ends;
        let who = addresses.first().cloned().unwrap_or_else(|| id.to_string());
        // Others may have a stay that ends in the same second: theirs are told for themselves.
        let (key, others) = if *own {
            (format!("ends/{rule}/{at}/{id}"), "")
        } else {
            (format!("ends/{rule}/{at}"), ", and whoever has the same end,")
        };
        let text =
            format!("`{rule}` admits the guest `{who}` ({id}){others} until {at}, and no longer: {why}");
        self.notices.once(NoticeKind::AdmissionEnds, &key, text).await
    }

    /// A worker was interrupted while he wrote: it may be gone because of that, and whoever goes on finds out.
    async fn may_have_done_it(&self, incident: &Incident, now: Timestamp) -> Result<bool, Trouble> {
        if !incident.is_under_way() {
            return Ok(false);
        }
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        let fresh = |outcome: &Outcome| now.duration_since(outcome.at) < Incident::LOOKS_FOR;
        let unknown = |outcome: &Outcome| {
            outcome.is_unsettled() || (outcome.result == StepResult::Done && fresh(outcome))
        };
        Ok(outcomes.iter().any(unknown))
    }

    /// A membership that is over is none that is new when it begins again, unless it was we who ended it: an undo gives it
    /// back as it was.
    async fn forget_old_joins(
        &self,
        guest: ObjectId,
        snapshot: &Snapshot,
        taken: &BTreeSet<Step>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let (Some(member_of), Some(owner_of)) = (&snapshot.member_of, &snapshot.owner_of) else {
            return Ok(());
        };
        for stored in self.ledger.joined(guest).await? {
            let ledger::Joined { guest: _, group, owner, at } = stored.value;
            let there = if owner { owner_of.contains(&group) } else { member_of.contains(&group) };
            let settled = now >= after(at, Incident::LOOKS_FOR) && !snapshot.unsettled.contains(&group);
            let ours = if owner {
                Step::RemoveOwner { user: guest, group }
            } else {
                Step::RemoveMember { user: guest, group }
            };
            if !there && settled && !taken.contains(&ours) {
                match self.ledger.delete(stored).await {
                    Ok(()) | Err(ledger::LedgerError::Conflict { place: _ }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// A moment that has passed would be asked for again and again. What is doubted now waits no longer than this change did;
    /// nobody waits for the others.
    async fn look_when_due(
        &self,
        change: &Change,
        (doubts_until, more_known_at, changes_at): (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>),
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let mut all = Vec::with_capacity(3);
        all.extend(doubts_until.map(|at| (at, change.background, change.received_at.min(at))));
        all.extend(more_known_at.map(|at| (at, true, at)));
        if let Some(at) = changes_at.filter(|at| *at > now) {
            // The end of a partner is one moment for all of his guests.
            let guests = self.ledger.breaker().await?.and_then(|stored| stored.value.guests);
            let at = spread(at, change.id, guests.map(|counted| counted.guests));
            all.push((at, true, at));
        }
        let next = all.into_iter().filter(|(at, _, _)| *at > now).min();
        let Some((at, background, owed_since)) = next else { return Ok(()) };
        // What a read has left in doubt is owed until it is read again.
        let (who, correlation) = ((change.tenant, change.id), (self.correlate)());
        let look = look_owed_since(who, (at, owed_since), background, correlation)?;
        Ok(self.queues.changes.send(vec![look]).await?)
    }

    fn key(&self, subject: &Subject, finding: &Finding, change: &Change) -> IncidentKey {
        let (rule, object) = (finding.rule.clone(), finding.object);
        IncidentKey { tenant: change.tenant, guest: subject.id, rule, object }
    }

    async fn meet(
        &self,
        key: IncidentKey,
        current: Option<Stored<Incident>>,
        (met, speaks_for): (Sighting, BTreeSet<RuleId>),
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let routes = &self.rules.routes;
        let stored = match current {
            Some(mut stored) if !stored.value.state.is_closed() => {
                stored.value.see(met, routes, now);
                stored.value.speak_for(speaks_for, routes, now);
                self.ledger.replace(stored).await?
            }
            before => {
                let last = before.as_ref().map(|stored| &stored.value);
                let incident = Incident { speaks_for, ..Incident::open(key, last, met, routes, now) };
                self.ledger.open(incident, before).await?
            }
        };
        self.wake(stored, now).await
    }

    async fn wake(&self, mut stored: Stored<Incident>, now: Timestamp) -> Result<(), Trouble> {
        self.queues.tell_about(&stored.value).await?;
        if let Wake::Due { at } = stored.value.wake {
            let Incident { id, key, correlation, .. } = &stored.value;
            self.queues.wake_remediate(key.guest, id, *correlation, at).await?;
            stored.value.wake_sent(now);
            match self.ledger.replace(stored).await {
                // `remediate` was faster than this note, and has moved the incident on.
                Ok(_) | Err(ledger::LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The account is gone: whatever is open about it ends. Returns whether there was anything.
    pub(crate) async fn close_gone(
        &self,
        change: &Change,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let mut any = false;
        for mut stored in self.ledger.incidents_of(change.id).await? {
            stored.value.bring_near(now);
            if may_close(&stored.value.state, now) {
                any = true;
                stored.value.vanish(why.to_owned(), &self.rules.routes, now);
                let stored = self.ledger.replace(stored).await?;
                self.queues.tell_about(&stored.value).await?;
            }
        }
        Ok(any)
    }

    async fn close(&self, mut stored: Stored<Incident>, why: &str, now: Timestamp) -> Result<(), Trouble> {
        stored.value.bring_near(now);
        if !may_close(&stored.value.state, now) {
            return Ok(());
        }
        stored.value.resolve(why.to_owned(), &self.rules.routes, now);
        let stored = self.ledger.replace(stored).await?;
        self.queues.tell_about(&stored.value).await
    }

    /// Keeps the inventory of guests. A note a day is enough to tell a known guest from an unknown id. Returns what was
    /// known before.
    async fn remember(&self, subject: &Subject, now: Timestamp) -> Result<Option<KnownGuest>, Trouble> {
        let day = SignedDuration::from_hours(24);
        let known = self.ledger.known(subject.id).await?;
        let is_fresh = |known: &KnownGuest| {
            known.kind == subject.kind && now.duration_since(known.last_assessed).abs() < day
        };
        if !known.as_ref().is_some_and(is_fresh) {
            self.ledger.remember(subject.id, subject.kind, now).await?;
        }
        Ok(known)
    }
}

/// What one look at a guest showed, for the findings that it did not meet.
struct Read<'a> {
    snapshot: &'a Snapshot,
    suspended: &'a [Held],
    /// Without a rule about groups nobody reads them.
    looks_at_groups: bool,
}

impl Read<'_> {
    /// Why the finding of this incident is gone. `None`: nobody can say, or it is gone because of what we did, which is
    /// what was wanted.
    fn why_gone(&self, incident: &Incident) -> Option<String> {
        let IncidentKey { tenant: _, guest: _, rule: _, object } = &incident.key;
        let suspended = why_suspended(self.suspended, &incident.key);
        if suspended.is_some() {
            return suspended;
        }
        let Some(group) = object else {
            return Some(NOT_BROKEN.to_owned());
        };
        if self.snapshot.unsettled.contains(group) {
            return None;
        }
        let under_way =
            incident.is_under_way() || matches!(incident.state, State::Done { .. } | State::Partly { .. });
        let Snapshot { member_of: Some(member_of), owner_of: Some(owner_of), .. } = self.snapshot else {
            return (!self.looks_at_groups && !under_way).then(|| NOT_BROKEN.to_owned());
        };
        let mut steps = incident.plan().steps.iter();
        if under_way && steps.all(|step| self.snapshot.shows(*step) == Some(true)) {
            return None;
        }
        let there = member_of.contains(group) || owner_of.contains(group);
        Some(if there { NOT_BROKEN } else { NOT_THERE }.to_owned())
    }
}

/// The rule is suspended for this guest: who wanted it, and until when.
pub(crate) fn why_suspended(suspended: &[Held], key: &IncidentKey) -> Option<String> {
    let same = |held: &&Held| (&held.finding.rule, held.finding.object) == (&key.rule, key.object);
    suspended.iter().find(same).map(|held| format!("suspended until {} by {}", held.until, held.by))
}

pub(crate) const NOT_BROKEN: &str = "the guest does not break this rule any more";
pub(crate) const NOT_THERE: &str = "the guest is not in the group any more";

/// A look that was overtaken by another is made once more so long after that.
const OVERTAKEN: SignedDuration = SignedDuration::from_secs(1);

/// When it was written, if that was after a read was sent. What is far in the future was written before the clock was set
/// back.
fn written_since(at: Timestamp, read_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (at > read_at && at.duration_since(now) < Incident::CLOCKS_DIFFER).then_some(at)
}

/// An incident that a worker holds is his: he judges again before he acts, and finds out by himself.
pub(crate) fn may_close(state: &State, now: Timestamp) -> bool {
    match state {
        State::Claimed { lease } => lease.until <= now,
        State::Open
        | State::Waiting { .. }
        | State::Sent { .. }
        | State::Done { .. }
        | State::Partly { .. }
        | State::Refused { .. }
        | State::Failed { .. } => true,
        State::Undoing { .. }
        | State::Undone { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Resolved { .. } => false,
    }
}
