//! Whether this process can do its work. That writes are stopped, or held by the ceiling, is how an operator wants it, and no
//! reason to take the process out of service.

use model::{Mode, SubscriptionRecord, Watched};
use serde::Serialize;

use super::Admin;

#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    /// Why not, each with its fix.
    pub(super) reasons: Vec<String>,
    /// The hash of the policy in force, where this process judges.
    policy: Option<String>,
    /// `None`: it could not be read.
    writes_stopped: Option<bool>,
    at_most: Mode,
}

impl Admin {
    pub(super) async fn readiness(&self) -> Readiness {
        let now = self.clock.now();
        let mut reasons = Vec::new();
        if let Err(error) = self.store.ledger.probe(now).await {
            reasons.push(format!("the store cannot be written: {error}; see whether its disk is full"));
        }
        match self.store.ledger.subscriptions().await {
            Ok(records) => {
                let lives = |record: &SubscriptionRecord, watched| {
                    record.watched == watched && record.lives_until().is_some_and(|until| until > now)
                };
                for watched in Watched::ALL {
                    if !records.iter().any(|stored| lives(&stored.value, watched)) {
                        reasons.push(format!(
                            "there is no living subscription to `{watched}`: the steward makes it, see `guestlist \
                             subscriptions`"
                        ));
                    }
                }
            }
            Err(error) => reasons.push(format!("the store cannot be read: {error}")),
        }
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            policy: self.policy.as_ref().map(|policy| policy.borrow().hash().to_owned()),
            writes_stopped: self.store.ledger.stop().await.ok().map(|stop| stop.is_some()),
            at_most: self.ceiling,
        }
    }
}
