//! From a notification to a disabled guest and a message in the chat, through every function and every queue.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::function::Function;
use crate::gateway;
use crate::stage::{NAMESPACE, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_from_a_blocked_domain_is_disabled_and_the_team_is_told() {
    let stage = Stage::set().await;
    let notifications = Arc::new(stage.start("notifications").await);
    stage.forward_to(&gateway::open(Arc::clone(&notifications), false).await);
    let steward = stage.start("steward").await;
    let tended = steward.invoke(json!({ "do": "tend" })).await.unwrap();
    assert!(tended["done"].as_array().unwrap().len() >= 9, "{tended}");
    assert_eq!(stage.simulator.subscriptions().len(), 2, "users and groups are watched: {}", steward.log());
    stage.simulator.take_writes();

    let mallory = stage.tenant.invite("mallory@evil.example");
    assert!(stage.simulator.deliver_due().await > 0);
    let assess = stage.start("assess").await;
    assert!(stage.pump("changes", &assess).await > 0, "{}", notifications.log());
    let remediate = stage.start("remediate").await;
    assert!(stage.tenant.is_enabled(mallory));
    assert!(stage.pump("remediations", &remediate).await > 0, "{}", assess.log());
    assert!(!stage.tenant.is_enabled(mallory), "{}", remediate.log());
    let writes = stage.simulator.take_writes();
    assert_eq!(writes.len(), 1, "{writes:?}");

    let alert = stage.start("alert").await;
    assert!(stage.pump("alerts", &alert).await > 0);
    let told = stage.slack.next_text();
    assert!(told.contains("mallory@evil") && told.contains("blocked-domain"), "{told}");
    stage.slack.expect_silence();

    // Each tells what it has counted, once, as metrics of CloudWatch.
    let once = |function: &Function, name: &str, label: &str, value: &str| {
        let told = function.metrics(name);
        let mine = told.iter().filter(|(_, line)| line[label] == value).map(|(count, _)| count.clone());
        assert_eq!(mine.collect::<Vec<_>>(), [1.0], "{name} of {value} in {told:?}");
    };
    once(&notifications, "guestlist_notifications_received_total", "resource", "users");
    once(&assess, "guestlist_findings_total", "rule", "blocked-domain");
    once(&remediate, "guestlist_step_results_total", "result", "done");
    once(&alert, "guestlist_deliveries_total", "result", "sent");
    assert_eq!(steward.metrics("guestlist_breaker_open")[0].0, 0.0);
    // Where an alarm looks, and those of no other deployment.
    let lines = notifications.metrics("guestlist_notifications_received_total");
    for directive in lines.iter().flat_map(|(_, line)| line["_aws"]["CloudWatchMetrics"].as_array().unwrap())
    {
        assert_eq!(directive["Namespace"], NAMESPACE);
    }
    let in_all = |line: &Value| {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        directives.iter().any(|one| one["Dimensions"] == json!([[]]))
    };
    assert!(lines.iter().all(|(_, line)| in_all(line)), "{lines:?}");
    assert!(
        steward.metrics("guestlist_subscription_expires_in_seconds").iter().all(|(left, _)| *left != 0.0)
    );

    // One change, one id, in the lines of every function that touched it.
    let id = correlation(&remediate.log());
    for function in [&*notifications, &assess] {
        assert!(function.log().contains(&id), "{id} in {}", function.log());
    }
    for function in [&*notifications, &assess, &remediate, &alert, &steward] {
        let log = function.log();
        assert!(log.lines().all(|line| line.starts_with('{')), "every line is JSON: {log}");
        for secret in [simulator::contoso::READER_SECRET, simulator::contoso::WRITER_SECRET, "MDEyMzQ1Njc4"] {
            assert!(!log.contains(secret), "a secret is in the log");
        }
        assert!(!log.contains(&stage.slack.url()), "the address of the chat is a secret: {log}");
    }
    assert!(assess.log().contains("requestId"), "the event's id is in the lines: {}", assess.log());
}

fn correlation(log: &str) -> String {
    let from = log.find("correlation").unwrap_or_else(|| panic!("no correlation in {log}"));
    let rest = &log[from..];
    let id = rest.split('"').nth(2).unwrap_or_default();
    assert!(id.len() > 30, "`{id}` in {log}");
    id.to_owned()
}
