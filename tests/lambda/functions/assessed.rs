//! Up to when every change was assessed, in a tenant in which something changes all the time.

use std::sync::Arc;

use host::Store;
use jiff::{SignedDuration, Timestamp};
use model::ResourceKind;
use serde_json::json;

use crate::command::Operator;
use crate::function::Function;
use crate::gateway;
use crate::stage::Stage;

struct Busy {
    stage: Stage,
    steward: Function,
    assess: Function,
    store: Store,
}

impl Busy {
    /// Those who were there before have been looked at.
    async fn start() -> Self {
        let stage = Stage::set().await;
        let notifications = Arc::new(stage.start("notifications").await);
        stage.forward_to(&gateway::open(notifications, false).await);
        let (steward, assess) = (stage.start("steward").await, stage.start("assess").await);
        let store = Operator::of(&stage).store();
        let busy = Self { stage, steward, assess, store };
        // The delta queries begin, and then somebody is found.
        for _ in 0..2 {
            busy.tend().await;
            busy.stage.pump("changes", &busy.assess).await;
        }
        busy
    }

    async fn tend(&self) {
        self.steward.invoke(json!({ "do": "tend" })).await.unwrap();
    }

    /// An employee, whom no policy knows. His first look is over, the second waits for five minutes.
    async fn somebody_changes(&self, name: &str) {
        let _ = self.stage.tenant.0.add_user(simulator::NewUser::member(name));
        assert!(self.stage.simulator.deliver_due().await > 0);
        assert!(self.stage.pump("changes", &self.assess).await > 0, "{}", self.assess.log());
        assert!(self.stage.delayed("changes") > 0);
    }

    /// The delta queries have told all that happened until then. Replicas lag by a quarter of an hour at most.
    async fn all_is_told(&self, until: Timestamp) {
        for resource in [ResourceKind::User, ResourceKind::Group] {
            let mut delta = self.store.ledger.delta(resource).await.unwrap().unwrap();
            delta.value.told_before_gap = Some(until + SignedDuration::from_mins(15));
            self.store.ledger.replace(delta).await.unwrap();
        }
        assert_eq!(self.store.ledger.told_until().await.unwrap(), Some(until));
    }

    async fn assessed_until(&self) -> Option<Timestamp> {
        self.tend().await;
        self.store.assessed_until(Timestamp::now()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_tenant_that_is_never_quiet_it_is_known_up_to_when_every_change_was_assessed() {
    let busy = Busy::start().await;
    let begun = Timestamp::now();
    for (name, minutes) in [("dave@contoso.com", 20), ("erin@contoso.com", 19), ("frank@contoso.com", 18)] {
        busy.somebody_changes(name).await;
        let told = begun - SignedDuration::from_mins(minutes);
        busy.all_is_told(told).await;
        assert_eq!(busy.assessed_until().await, Some(told), "after {name}: {}", busy.steward.log());
    }
    // More was told than has been looked at twice: the second look at the first of them is owed since he changed.
    busy.all_is_told(Timestamp::now()).await;
    let owed_since = busy.store.queues.changes.owed_since().await.unwrap();
    assert!(owed_since.is_some_and(|since| since >= begun - SignedDuration::from_secs(5)), "{owed_since:?}");
    assert_eq!(busy.assessed_until().await, owed_since);
}
