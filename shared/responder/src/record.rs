//! From a verdict to the ledger: open, see again or resolve incidents, then wake whoever has to act or tell.
//!
//! The order is what makes it safe to die anywhere: first the incident with a wake that is due, then the wake-up, then
//! the note that it was sent. Whoever meets the same finding again meets his own incident and goes on.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ledger::Stored;
use model::{Change, Finding, Incident, IncidentKey, Mode, ObjectId, RuleId, Sighting, State, Subject, Wake};
use policy::Verdict;

use crate::queues::look_when_due;
use crate::{Assessor, Trouble};

impl Assessor {
    pub(crate) async fn record(
        &self,
        change: &Change,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let Verdict { subject, admitted_by: _, findings, suspended, wants_standing: _, changes_at } = verdict;
        let Some(subject) = subject else {
            return self.close_all(change, "it is an internal member", now).await;
        };
        self.remember(&subject, now).await?;
        let mut open = self.ledger.incidents_of(change.id).await?;
        for stored in &mut open {
            // A closed one is not written below, and must know all the same.
            if stored.value.saw_enabled(subject.enabled, now) && stored.value.state.is_closed() {
                *stored = self.ledger.replace(stored.clone()).await?;
            }
        }
        for Spoken { finding, told_with, speaks_for } in spoken_for(findings, subject.id) {
            let key = self.key(&subject, &finding, change);
            let place = open.iter().position(|stored| stored.value.key == key);
            let current = place.map(|index| open.swap_remove(index));
            let (subject, correlation) = (subject.clone(), change.correlation);
            let met = Sighting { subject, finding, told_with, correlation };
            self.meet(key, current, (met, speaks_for), now).await?;
        }
        for gone in open {
            let held = suspended.iter().find(|held| held.finding.rule == gone.value.key.rule);
            let why = match held {
                Some(held) => format!("suspended until {} by {}", held.until, held.by),
                None => "the guest does not break this rule any more".to_owned(),
            };
            self.close(gone, &why, now).await?;
        }
        self.look_when_due(change, changes_at, now).await
    }

    /// A moment that has passed would be asked for again and again.
    async fn look_when_due(
        &self,
        change: &Change,
        changes_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let Some(at) = changes_at.filter(|at| *at > now) else { return Ok(()) };
        let look = look_when_due(change, at, (self.correlate)())?;
        Ok(self.queues.changes.send(vec![look], now).await?)
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
        let channels = &self.rules.channels;
        let stored = match current {
            Some(mut stored) if !stored.value.state.is_closed() => {
                stored.value.see(met, channels, now);
                stored.value.speak_for(speaks_for, channels, now);
                self.ledger.replace(stored).await?
            }
            before => {
                let last = before.as_ref().map(|stored| &stored.value);
                let incident = Incident { speaks_for, ..Incident::open(key, last, met, channels, now) };
                self.ledger.open(incident, before).await?
            }
        };
        self.wake(stored, now).await
    }

    async fn wake(&self, mut stored: Stored<Incident>, now: Timestamp) -> Result<(), Trouble> {
        self.queues.tell_about(&stored.value, now).await?;
        if let Wake::Due { at } = stored.value.wake {
            let Incident { id, key, correlation, .. } = &stored.value;
            self.queues.wake_remediate(key.guest, id, *correlation, at, now).await?;
            stored.value.wake_sent(now);
            match self.ledger.replace(stored).await {
                // `remediate` was faster than this note, and has moved the incident on.
                Ok(_) | Err(ledger::LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Resolves whatever is open about the account.
    async fn close_all(&self, change: &Change, why: &str, now: Timestamp) -> Result<(), Trouble> {
        for stored in self.ledger.incidents_of(change.id).await? {
            self.close(stored, why, now).await?;
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
            if may_close(&stored.value.state, now) {
                any = true;
                stored.value.vanish(why.to_owned(), &self.rules.channels, now);
                let stored = self.ledger.replace(stored).await?;
                self.queues.tell_about(&stored.value, now).await?;
            }
        }
        Ok(any)
    }

    async fn close(&self, mut stored: Stored<Incident>, why: &str, now: Timestamp) -> Result<(), Trouble> {
        if !may_close(&stored.value.state, now) {
            return Ok(());
        }
        stored.value.resolve(why.to_owned(), &self.rules.channels, now);
        let stored = self.ledger.replace(stored).await?;
        self.queues.tell_about(&stored.value, now).await
    }

    /// Keeps the inventory of guests. A note a day is enough to tell a known guest from an unknown id.
    async fn remember(&self, subject: &Subject, now: Timestamp) -> Result<(), Trouble> {
        let day = jiff::SignedDuration::from_hours(24);
        let known = self.ledger.known(subject.id).await?;
        if let Some(known) = known
            && known.kind == subject.kind
            && now.duration_since(known.last_assessed) < day
        {
            return Ok(());
        }
        Ok(self.ledger.remember(subject.id, subject.kind, now).await?)
    }
}

/// An incident that a worker holds is his: he judges again before he acts, and finds out by himself.
fn may_close(state: &State, now: Timestamp) -> bool {
    match state {
        State::Claimed { lease } => lease.until <= now,
        State::Open
        | State::Sent { .. }
        | State::Done { .. }
        | State::Refused { .. }
        | State::Failed { .. } => true,
        State::Undoing { .. } | State::Undone { .. } | State::Resolved { .. } => false,
    }
}

/// A finding, and who tells people of it.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) finding: Finding,
    /// The rule that speaks for this one, too.
    pub(crate) told_with: Option<RuleId>,
    /// The rules that this one speaks for.
    pub(crate) speaks_for: BTreeSet<RuleId>,
}

/// A guest may break several rules that ask for the same, or that cannot be checked for the same lack. Each is an incident
/// of its own; people are told once, by the gravest, which names the others.
pub(crate) fn spoken_for(findings: Vec<Finding>, guest: ObjectId) -> Vec<Spoken> {
    let asks = |finding: &Finding| -> Option<(Mode, bool, String)> {
        let plan = finding.plan(guest);
        (!plan.is_empty()).then(|| (finding.mode, finding.unknown, plan.to_string()))
    };
    let mut spoken: Vec<Spoken> = Vec::new();
    let mut gravest_first = findings;
    gravest_first.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in gravest_first {
        let asked = asks(&finding);
        let same = |other: &&mut Spoken| {
            other.told_with.is_none() && asked.is_some() && asks(&other.finding) == asked
        };
        let told_with = spoken.iter_mut().find(same).map(|speaker| {
            let breaks = if finding.unknown { "it may also break" } else { "it also breaks" };
            let also = format!("{breaks} `{}`: {}", finding.rule, finding.reasons.join("; "));
            speaker.finding.reasons.push(also);
            speaker.speaks_for.insert(finding.rule.clone());
            speaker.finding.rule.clone()
        });
        spoken.push(Spoken { finding, told_with, speaks_for: BTreeSet::new() });
    }
    spoken
}
