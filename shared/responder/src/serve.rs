//! Carries out what operators ask for, and writes the answer beside it. Whoever asks writes into the store; nothing but this
//! process acts.

use jiff::SignedDuration;
use ledger::{LedgerError, Stored};
use model::{
    Answer, Approval, Breaker, CannotDecide, Incident, IncidentId, Mode, NoticeKind, PlanHash, Request,
    RequestId, RequestKind, RequestState, Reset, State,
};

use crate::right_time::may_end;
use crate::trouble::to_the_second;
use crate::undo::{Undo, suspension};
use crate::{End, Remediator, Trouble};

impl Remediator {
    /// # Errors
    /// The ledger, a queue or Graph is in trouble: the request is served again.
    pub async fn serve(&self, id: &RequestId) -> Result<End, Trouble> {
        let Some(mut stored) = self.ledger.request(id).await? else {
            return Ok(End::Bury { why: format!("there is no request `{id}` in the ledger") });
        };
        if stored.value.state != RequestState::Waiting {
            return Ok(End::Done);
        }
        may_end(&self.reader, &self.notices).await?;
        let request = &stored.value;
        let answer = match request.kind.clone() {
            RequestKind::Undo { incident, suspend_for, force } => {
                let undo = Undo { request, suspend_for, force };
                self.undo(&incident, &undo).await?
            }
            RequestKind::Approve { incident, plan } => self.approve(&incident, plan, request).await?,
            RequestKind::Reject { incident, suspend_for } => {
                self.reject(&incident, suspend_for, request).await?
            }
            RequestKind::ResetBreaker => self.reset_breaker(request).await?,
        };
        stored.value.state = RequestState::Answered { at: self.clock.now(), answer };
        self.ledger.replace(stored).await?;
        Ok(End::Done)
    }

    /// It went to the dead letters: whoever asked hears that, and asks again.
    pub(crate) async fn give_up(&self, id: &RequestId, why: &str) -> Result<(), Trouble> {
        let Some(mut stored) = self.ledger.request(id).await? else { return Ok(()) };
        if stored.value.state == RequestState::Waiting {
            let failed = || Answer::Failed { why: format!("{why}: see the log of `serve`, and ask again") };
            let answer = self.begun(&stored.value).await?.unwrap_or_else(failed);
            stored.value.state = RequestState::Answered { at: self.clock.now(), answer };
            self.ledger.replace(stored).await?;
        }
        Ok(())
    }

    /// What a request has come to that was written down before it could be answered, and is carried out whatever its message
    /// came to.
    async fn begun(&self, request: &Request) -> Result<Option<Answer>, Trouble> {
        let incident = match &request.kind {
            RequestKind::Undo { incident, .. } | RequestKind::Approve { incident, plan: _ } => incident,
            // These are written in one go.
            RequestKind::Reject { .. } | RequestKind::ResetBreaker => return Ok(None),
        };
        let Some(stored) = self.ledger.incident(incident).await? else { return Ok(None) };
        let approved_by = |one: &Incident| {
            one.approval.as_ref().is_some_and(|approval| approval.request.as_ref() == Some(&request.id))
        };
        if approved_by(&stored.value) {
            return Ok(Some(self.approved(&stored.value).await?));
        }
        if let Some(speaker) = self.speaker_of(&stored.value).await?.filter(|one| approved_by(&one.value)) {
            return Ok(Some(self.approved(&speaker.value).await?));
        }
        if stored.value.served.as_ref() != Some(&request.id) {
            return Ok(None);
        }
        Ok(undoing(&stored.value))
    }

    async fn approve(&self, id: &IncidentId, plan: PlanHash, request: &Request) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let Some(mut stored) = self.ledger.incident(id).await? else {
            return Ok(Answer::Refused { why: format!("there is no incident `{id}`") });
        };
        if let Some(answer) = only_observed(&stored.value) {
            return Ok(answer);
        }
        // Whoever was asked was asked by that one's message, and hears by it what comes of the answer.
        // Or was answered by this very request, which was interrupted before it came to the others.
        let begun = |speaker: &Incident| {
            speaker.approval.as_ref().is_some_and(|approval| approval.request.as_ref() == Some(&request.id))
        };
        if let Some(speaker) = self.speaker_of(&stored.value).await?
            && speaker.value.question() == plan
            && (speaker.value.state.waits().is_some() || begun(&speaker.value))
        {
            stored = speaker;
        }
        // People read of these in the same message, and the plan is the same.
        let told_with = self.told_with(&stored.value).await?;
        let stored = match self.approve_one(stored, plan, request).await? {
            Ok(stored) => stored,
            Err(why) => return Ok(refused(&why)),
        };
        for other in told_with.iter().filter(|other| other.question() == plan) {
            if let Some(other) = self.ledger.incident(&other.id).await? {
                drop(self.approve_one(other, plan, request).await?);
            }
        }
        let Incident { key, correlation, .. } = &stored.value;
        self.queues.wake_remediate(key.guest, id, *correlation, now).await?;
        self.approved(&stored.value).await
    }

    /// What an approval comes to that was written down, now or before this request was interrupted.
    async fn approved(&self, incident: &Incident) -> Result<Answer, Trouble> {
        let text = if incident.approval.as_ref().is_some_and(|approval| approval.spent) {
            let (id, state) = (&incident.id, incident.state.word());
            format!("approved, and the approval was used since: `{id}` is {state} now, look at it again")
        } else if self.ledger.stop().await?.is_some() {
            "approved; writes are stopped, and it is carried out after `guestlist resume`".to_owned()
        } else {
            "approved; it is judged once more, and carried out".to_owned()
        };
        Ok(Answer::Done { text })
    }

    async fn approve_one(
        &self,
        mut stored: Stored<Incident>,
        plan: PlanHash,
        request: &Request,
    ) -> Result<Result<Stored<Incident>, CannotDecide>, Trouble> {
        let (by, reason) = (request.by.clone(), request.reason.clone());
        let served = |approval: &Approval| approval.request.as_ref() == Some(&request.id);
        if stored.value.approval.as_ref().is_some_and(served) {
            // This very request was interrupted before its answer.
            return Ok(Ok(stored));
        }
        if let Err(why) = stored.value.approve(plan, by, reason, request.id.clone(), self.clock.now()) {
            return Ok(Err(why));
        }
        Ok(Ok(self.ledger.replace(stored).await?))
    }

    async fn reject(
        &self,
        id: &IncidentId,
        suspend_for: SignedDuration,
        request: &Request,
    ) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let Some(stored) = self.ledger.incident(id).await? else {
            return Ok(Answer::Refused { why: format!("there is no incident `{id}`") });
        };
        if let Some(answer) = only_observed(&stored.value) {
            return Ok(answer);
        }
        let (by, reason) = (request.by.clone(), request.reason.clone());
        let until = to_the_second(crate::trouble::after(now, suspend_for));
        let done = || Answer::Done { text: format!("rejected; the rule is suspended for it until {until}") };
        let rejected = matches!(stored.value.state, State::Rejected { .. });
        if rejected && stored.value.served.as_ref() == Some(&request.id) {
            // This very request was interrupted before its answer.
            return Ok(done());
        }
        let told_with = self.told_with(&stored.value).await?;
        let mut all = vec![stored];
        for other in told_with.iter().filter(|other| other.state.waits().is_some()) {
            all.extend(self.ledger.incident(&other.id).await?);
        }
        let undo = Undo { request, suspend_for, force: false };
        let (mut rejected, mut suspensions) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
        for mut one in all {
            match one.value.reject(by.clone(), reason.clone(), &self.rules.routes, now) {
                Ok(()) => {}
                Err(why) if one.value.id == *id => return Ok(refused(&why)),
                // Somebody has decided about that one.
                Err(_) => continue,
            }
            one.value.served = Some(request.id.clone());
            let key = &one.value.key;
            let held = suspension(key.guest, (key.rule.clone(), key.object), &undo, now);
            let identity = one.value.subject.identity();
            rejected.push(one);
            suspensions.push(held.only_for(Some(identity)));
        }
        // Whoever has decided otherwise at this moment has written the incident: then nothing is suspended either.
        for stored in self.ledger.replace_all_suspended(rejected, &suspensions).await? {
            self.queues.tell_about(&stored.value).await?;
        }
        Ok(done())
    }

    async fn reset_breaker(&self, request: &Request) -> Result<Answer, Trouble> {
        let Request { id, by, reason, .. } = request;
        for _ in 0..Self::GIVES_BACK {
            let now = self.clock.now();
            let Some(mut stored) = self.ledger.breaker().await? else {
                return Ok(Answer::Done { text: "the circuit breaker is not open".to_owned() });
            };
            let ours = |reset: &&Reset| reset.request.as_ref() == Some(id);
            if let Some(reset) = stored.value.reset.as_ref().filter(ours) {
                // This very request was interrupted before people were told.
                self.tell_of_reset(reset).await?;
                return Ok(Answer::Done { text: "the circuit breaker was reset".to_owned() });
            }
            if !stored.value.reset(by.clone(), reason.clone(), id.clone(), now) {
                return Ok(Answer::Done { text: "the circuit breaker is not open".to_owned() });
            }
            match self.ledger.replace(stored).await {
                Ok(Stored { value: Breaker { reset, .. }, .. }) => {
                    if let Some(reset) = &reset {
                        self.tell_of_reset(reset).await?;
                    }
                    let text = "the circuit breaker is closed; what waits goes on waiting for `guestlist approve` or \
                                `guestlist reject`";
                    return Ok(Answer::Done { text: text.to_owned() });
                }
                Err(LedgerError::Conflict { place: _ }) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble::now(anyhow::anyhow!("others kept writing the circuit breaker")))
    }

    async fn tell_of_reset(&self, Reset { at, by, reason, request: _ }: &Reset) -> Result<(), Trouble> {
        let text = format!("{by} has reset the circuit breaker: {reason}; what waits goes on waiting");
        self.notices.once(NoticeKind::BreakerReset, &format!("breaker-reset/{at}"), text).await
    }
}

/// What is answered while an undo is under way, or after it.
pub(crate) fn undoing(incident: &Incident) -> Option<Answer> {
    match &incident.state {
        State::Undone { at, by: _, reason: _ } => {
            Some(Answer::Done { text: format!("it was undone at {}", to_the_second(*at)) })
        }
        State::Undoing { look_again_at, .. } => Some(Answer::Sent {
            text: format!(
                "an undo is under way, and is looked at again at {}",
                to_the_second(*look_again_at)
            ),
        }),
        State::Open
        | State::Waiting { .. }
        | State::Claimed { .. }
        | State::Sent { .. }
        | State::Done { .. }
        | State::Partly { .. }
        | State::Refused { .. }
        | State::Failed { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Resolved { .. } => None,
    }
}

fn refused(why: &CannotDecide) -> Answer {
    Answer::Refused { why: why.to_string() }
}

/// What is only observed waits for nobody, and whoever wants to decide about it has to raise a mode first.
fn only_observed(incident: &Incident) -> Option<Answer> {
    let observed = incident.state == State::Open && incident.finding.mode == Mode::Observe;
    let held = incident.finding.held_back.join("; ");
    let why = || format!("it is only observed, and waits for nobody's decision: {held}");
    observed.then(|| Answer::Refused { why: why() })
}
