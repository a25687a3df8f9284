//! What operators ask for, and the records that the program keeps for itself: subscriptions, notices, channels.

use jiff::Timestamp;
use model::{
    Answer, ChannelName, ChannelState, Nonce, Notice, Request, RequestId, RequestState, SubscriptionRecord,
};

use crate::{Ledger, LedgerError, Stored};

impl Ledger {
    pub async fn request(&self, id: &RequestId) -> Result<Option<Stored<Request>>, LedgerError> {
        self.get(&id.0).await
    }

    /// The requests without an answer, the oldest first.
    pub async fn waiting(&self, limit: usize) -> Result<Vec<Stored<Request>>, LedgerError> {
        self.due(Timestamp::MAX, limit).await
    }

    /// Answers a request. A final answer stays; `Sent` may still become one. False: nothing waits for this answer.
    pub async fn answer(&self, id: &RequestId, answer: &Answer, at: Timestamp) -> Result<bool, LedgerError> {
        let answered = self.update(&id.0, |request: Option<Request>| {
            let mut request = request.filter(|request| is_open(&request.state))?;
            request.state = RequestState::Answered { at, answer: answer.clone() };
            Some(request)
        });
        Ok(answered.await?.is_some())
    }

    pub async fn subscription(
        &self,
        nonce: &Nonce,
    ) -> Result<Option<Stored<SubscriptionRecord>>, LedgerError> {
        self.get(nonce.as_str()).await
    }

    /// Retired ones too.
    pub async fn subscriptions(&self) -> Result<Vec<Stored<SubscriptionRecord>>, LedgerError> {
        self.all("").await
    }

    pub async fn notice(&self, key: &str) -> Result<Option<Stored<Notice>>, LedgerError> {
        self.get(key).await
    }

    /// The notices with a delivery that is due.
    pub async fn due_notices(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Stored<Notice>>, LedgerError> {
        self.due(now, limit).await
    }

    pub async fn channel(&self, name: &ChannelName) -> Result<Option<Stored<ChannelState>>, LedgerError> {
        self.get(&name.0).await
    }

    /// The channels whose roll-up is due, and those that have taken nothing since then.
    pub async fn due_channels(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Stored<ChannelState>>, LedgerError> {
        self.due(now, limit).await
    }
}

fn is_open(state: &RequestState) -> bool {
    match state {
        RequestState::Waiting => true,
        RequestState::Answered { at: _, answer } => match answer {
            Answer::Sent { text: _ } => true,
            Answer::Done { text: _ } | Answer::Refused { why: _ } | Answer::Failed { why: _ } => false,
        },
    }
}
