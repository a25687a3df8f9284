//! What of a deployment on AWS neither the queues nor the records say in the way in which they do on one machine.

use host::Store;
use jiff::Timestamp;
use model::{InForce, Mode};
use serde::Serialize;

use super::LONG;
use crate::commands::words::{REMEDIATE_IS_SILENT, seconds};

#[derive(Serialize)]
pub(super) struct Deployed {
    /// What whoever judges was told. The operator's own shell does not count.
    #[serde(skip)]
    pub(super) at_most: Option<Mode>,
    /// Of the requests without an answer. `None`: there are none.
    oldest_request: Option<Timestamp>,
}

impl Deployed {
    pub(super) async fn read(
        store: &Store,
        (now, troubles): (Timestamp, &mut Vec<String>),
    ) -> anyhow::Result<Option<Self>> {
        if !store.is_on_aws() {
            return Ok(None);
        }
        let at_most = store.ledger.in_force().await?.and_then(|stored| ceiling_of(&stored.value));
        let oldest = store.ledger.waiting(1).await?.into_iter().next();
        let oldest_request = oldest.map(|stored| stored.value.asked_at);
        if let Some(oldest) = oldest_request
            && now.duration_since(oldest) > LONG
        {
            troubles.push(format!(
                "a request of an operator waits since {}: {REMEDIATE_IS_SILENT}",
                seconds(oldest)
            ));
        }
        Ok(Some(Self { at_most, oldest_request }))
    }

    pub(super) fn in_words(&self) -> String {
        let requests = match self.oldest_request {
            Some(at) => format!("the oldest request without an answer is of {}", seconds(at)),
            None => "no request waits for an answer".to_owned(),
        };
        format!(
            "functions: whether they run, and how old the oldest job of a queue is, the alarms of the stack know; {requests}"
        )
    }
}

/// Behind the policy's hash.
pub(in crate::commands) fn ceiling_of(in_force: &InForce) -> Option<Mode> {
    in_force.policy.split_once('/')?.1.parse().ok()
}
