//! The table turns everybody away for longer than a function may wait: every message comes again, and then all is done once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emulator::proxy::{Fault, Proxy};
use serde_json::{Value, json};

use crate::gateway;
use crate::stage::Stage;

/// As AWS names those of the table.
const OF_THE_TABLE: [&str; 6] =
    ["GetItem", "PutItem", "Query", "BatchGetItem", "TransactWriteItems", "DeleteItem"];

fn failed(answer: &Value) -> usize {
    answer["batchItemFailures"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_throttled_loses_nothing() {
    let stage = Stage::set().await;
    let is_busy = Arc::new(AtomicBool::new(false));
    let busy = Arc::clone(&is_busy);
    let proxy = Proxy::start(move |request| {
        let is_of_the_table = OF_THE_TABLE.contains(&request.operation.as_str());
        if is_of_the_table && busy.load(Ordering::SeqCst) {
            Fault::refuse("ThrottlingException")
        } else {
            Fault::None
        }
    })
    .await;
    let behind = async |name| stage.start_behind(&proxy.address, name).await;
    let notifications = Arc::new(behind("notifications").await);
    stage.forward_to(&gateway::open(Arc::clone(&notifications), false).await);
    stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();

    // Nothing is taken that is not kept, and Graph comes again.
    is_busy.store(true, Ordering::SeqCst);
    let mallory = stage.tenant.invite("mallory@evil.example");
    stage.simulator.deliver_due().await;
    assert_eq!(stage.receive("changes").len(), 0, "{}", notifications.log());
    is_busy.store(false, Ordering::SeqCst);
    let mut tries = 0;
    while stage.simulator.waiting_notifications() > 0 {
        assert!(tries < 600, "Graph does not come again: {}", notifications.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stage.simulator.deliver_due().await;
        tries += 1;
    }

    for (queue, name) in [("changes", "assess"), ("remediations", "remediate"), ("alerts", "alert")] {
        let function = behind(name).await;
        let records = stage.receive(queue);
        assert!(!records.is_empty(), "{name} has nothing to do");
        assert!(stage.tenant.is_enabled(mallory) || queue == "alerts");
        is_busy.store(true, Ordering::SeqCst);
        let before = proxy.count("ChangeMessageVisibilityBatch");
        let answer = function.invoke(json!({ "Records": records })).await.unwrap();
        assert_eq!(failed(&answer), records.len(), "{name}: {answer}\n{}", function.log());
        // And not after the visibility timeout only, which is up to 49 minutes.
        let put_back = proxy.seen().into_iter().filter(|one| one.operation == "ChangeMessageVisibilityBatch");
        let waits: Vec<_> =
            put_back.skip(before).flat_map(|one| one.body["Entries"].as_array().unwrap().clone()).collect();
        assert_eq!(waits.len(), records.len(), "{name}: {}", function.log());
        assert!(waits.iter().all(|one| one["VisibilityTimeout"] == 2), "{waits:?}");
        is_busy.store(false, Ordering::SeqCst);
        // What SQS would hand over when its time has come.
        let answer = function.invoke(json!({ "Records": records })).await.unwrap();
        assert_eq!(failed(&answer), 0, "{name}: {}", function.log());
        assert_eq!(stage.dead(queue), 0);
    }
    assert!(!stage.tenant.is_enabled(mallory));
    let writes = stage.simulator.take_writes();
    assert_eq!(writes.iter().filter(|write| write.method == "PATCH").count(), 1, "{writes:?}");
    assert!(stage.slack.next_text().contains("mallory@evil"));
    stage.slack.expect_silence();
}
