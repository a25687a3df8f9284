//! What operators ask for from the command line: it is written into the store, and the running process acts.

use jiff::{SignedDuration, Timestamp};
use model::{Answer, IncidentId, Job, Request, RequestId, RequestKind, RequestState};
use queue::Collapse;
use responder::move_of;

use crate::World;

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

impl World {
    /// What the command line writes into the store.
    pub async fn ask(&self, kind: RequestKind, by: &str, reason: &str) -> RequestId {
        self.ask_where_it_is(self.clock.now(), kind, (by, reason)).await
    }

    /// The same of a command on a machine whose clock says this.
    pub async fn ask_where_it_is(
        &self,
        machines: Timestamp,
        kind: RequestKind,
        (by, reason): (&str, &str),
    ) -> RequestId {
        let now = self.store.right(machines).await.unwrap();
        let id = RequestId(uuid::Uuid::new_v4().to_string());
        let request = Request {
            id: id.clone(),
            kind,
            by: by.to_owned(),
            reason: reason.to_owned(),
            asked_at: now,
            state: RequestState::Waiting,
        };
        self.store.ledger.insert(request).await.unwrap();
        let job = Job::Serve { request: id.clone() };
        let wake = move_of(format!("request/{id}"), &job, now, Collapse::Earliest).unwrap();
        self.store.queues.remediations.send(vec![wake]).await.unwrap();
        id
    }

    /// `guestlist undo`.
    pub async fn ask_undo(&self, incident: &IncidentId, force: bool) -> RequestId {
        let kind = RequestKind::Undo { incident: incident.clone(), suspend_for: WEEK, force };
        self.ask(kind, "carol", "she is expected").await
    }

    /// `guestlist approve`, of the plan that is there now.
    pub async fn ask_approval(&self, incident: &IncidentId, by: &str) -> RequestId {
        let stored = self.store.ledger.incident(incident).await.unwrap().unwrap();
        let plan = stored.value.question();
        let kind = RequestKind::Approve { incident: incident.clone(), plan };
        self.ask(kind, by, "looked at it").await
    }

    /// `guestlist reject`.
    pub async fn ask_rejection(&self, incident: &IncidentId, by: &str) -> RequestId {
        let kind = RequestKind::Reject { incident: incident.clone(), suspend_for: WEEK };
        self.ask(kind, by, "he belongs there").await
    }

    pub async fn answer(&self, request: &RequestId) -> Answer {
        let stored = self.store.ledger.request(request).await.unwrap().unwrap();
        match stored.value.state {
            RequestState::Answered { at: _, answer } => answer,
            RequestState::Waiting => panic!("nobody has answered"),
        }
    }

    pub async fn undo(&mut self, incident: &IncidentId) -> Answer {
        let request = self.ask_undo(incident, false).await;
        self.settle().await;
        self.answer(&request).await
    }

    pub async fn approve(&mut self, incident: &IncidentId) -> Answer {
        let request = self.ask_approval(incident, "carol").await;
        self.settle().await;
        self.answer(&request).await
    }

    pub async fn reject(&mut self, incident: &IncidentId) -> Answer {
        let request = self.ask_rejection(incident, "carol").await;
        self.settle().await;
        self.answer(&request).await
    }

    pub async fn reset_breaker(&mut self) -> Answer {
        let request = self.ask(RequestKind::ResetBreaker, "carol", "it was the spring cleaning").await;
        self.settle().await;
        self.answer(&request).await
    }
}
