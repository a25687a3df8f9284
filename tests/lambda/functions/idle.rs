//! What a minute asks of AWS in which nothing happens: the timer comes all the same. Counted, so that a bill can be reckoned.

use std::collections::BTreeSet;
use std::sync::Arc;

use emulator::proxy::{Fault, Proxy};
use serde_json::Value;

use crate::cost::{number, reads, writes};
use crate::gateway;
use crate::sample;
use crate::stage::Stage;
use crate::table::expect_on_the_page;

/// By then what a start brings with it has been done.
const MINUTES_BEFORE: usize = 4;
const HEADS: [&str; 6] =
    ["function", "units read", "units written", "requests to queues", "KB of logs", "metrics told"];

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_in_which_nothing_happens_asks_of_aws_what_the_table_says() {
    let stage = Stage::set().await;
    stage.forward_to(&gateway::open(Arc::new(stage.start("notifications").await), false).await);
    let mut rows = Vec::new();
    for name in ["assess", "remediate", "steward"] {
        let proxy = Proxy::start(|_| Fault::None).await;
        let function = stage.start_behind(&proxy.address, name).await;
        for _ in 0..MINUTES_BEFORE {
            let _ = function.invoke(sample("schedule.json")).await;
        }
        let (asked, logged, told) = (proxy.seen().len(), function.logged(), function.told().len());
        let _ = function.invoke(sample("schedule.json")).await;
        let seen = proxy.seen();
        let new = &seen[asked..];
        let read: u64 = new.iter().map(reads).sum();
        let written: u64 = new.iter().map(writes).sum();
        let of_queues = new.iter().filter(|request| !request.body["QueueUrl"].is_null()).count();
        let logged = (function.logged() - logged).div_ceil(1000);
        let metrics: BTreeSet<String> = function.told()[told..].iter().flat_map(metrics).collect();
        let (read, metrics) = (number(read) / 2.0, metrics.len());
        rows.push(format!("| `{name}` | {read} | {written} | {of_queues} | {logged} | {metrics} |"));
    }
    expect_on_the_page("idle", &HEADS, &rows);
}

/// CloudWatch charges for each name with each set of labels.
fn metrics(line: &Value) -> Vec<String> {
    let mut metrics = Vec::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        let labels = directive["Dimensions"][0].as_array().unwrap().iter();
        let labels: Vec<String> = labels.map(|label| line[label.as_str().unwrap()].to_string()).collect();
        let all = directive["Metrics"].as_array().unwrap().iter();
        metrics.extend(all.map(|one| format!("{} of {}", one["Name"], labels.join(" and "))));
    }
    metrics
}
