//! What the timer sets off in each function that it speaks to.

use serde_json::{Value, json};

use crate::sample;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn assess_and_remediate_heed_the_timer() {
    let stage = Stage::set().await;
    let assess = stage.start("assess").await;
    let done = assess.invoke(sample("schedule.json")).await.unwrap();
    assert_eq!(done, json!({ "done": ["say which policy is in force"] }));
    // As a rule of EventBridge says it.
    assert_eq!(assess.invoke(sample("rule.json")).await.unwrap(), done);
    let remediate = stage.start("remediate").await;
    let done = remediate.invoke(sample("schedule.json")).await.unwrap();
    let mut done: Vec<&str> = done["done"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    done.sort_unstable();
    assert_eq!(done, ["look after the canary", "look at suspensions that have ended"]);
}

/// Nobody answers Graph's handshake here, so that there is no subscription.
#[tokio::test(flavor = "multi_thread")]
async fn every_chore_of_the_steward_is_tried_although_one_fails() {
    let stage = Stage::set().await;
    let steward = stage.start("steward").await;
    stage.simulator.set_faults(|faults| {
        let failure = simulator::Failure::Status(503, simulator::RetryAfter::None);
        faults.next(simulator::Fault::new("GET", "/subscriptions", failure));
    });
    let _ = steward.invoke(sample("schedule.json")).await;
    let asked = stage.simulator.traffic().log;
    for path in ["/subscriptions", "/users/delta", "/groups/delta"] {
        assert!(asked.iter().any(|call| call.path.contains(path)), "{path} in {asked:?}");
    }
}
