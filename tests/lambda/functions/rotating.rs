//! What proves who somebody is gets replaced while functions go on: the first request under a new key is answered by it, nobody is told of
//! a forgery that is none, and what cannot be read or used costs nothing but itself.

use std::sync::Arc;
use std::time::Duration;

use emulator::Kept;
use guestlist_tests::{Collector, Inbox};
use serde_json::{Value, json};

use crate::function::Function;
use crate::gateway;
use crate::pages;
use crate::sample;
use crate::stage::{KEYS, Stage};

/// The id is the same: whoever makes a key by our instructions calls each `k1`.
const OTHER_KEYS: &str = "k1 ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
/// So often at most somebody else's request makes a function read its secrets.
const AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// With headers of traces that lie under this name.
async fn start_traced(stage: &Stage, collector: &Collector, headers: &str) -> Arc<Function> {
    let mut environment = stage.environment("notifications");
    environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.address()));
    let headers = stage.name_of(Kept::Secret, headers);
    environment.push(("OTEL_EXPORTER_OTLP_HEADERS_SECRET".to_owned(), headers));
    Arc::new(Function::start("notifications", &environment).await)
}

fn forged(function: &Function) -> usize {
    let refused = function.metrics("guestlist_notifications_refused_total");
    refused.iter().filter(|(value, line)| line["reason"] == "forged" && *value != json!(0.0)).count()
}

/// Somebody is invited, and what the function took of it.
async fn taken_by(stage: &Stage, function: &Arc<Function>, address: &str) -> Vec<Value> {
    stage.forward_to(&gateway::open(Arc::clone(function), true).await);
    let _ = stage.tenant.invite(address);
    assert!(stage.simulator.deliver_due().await > 0);
    stage.receive("changes")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_notification_under_a_new_key_is_taken_and_counts_as_no_forgery() {
    let (stage, collector) = (Stage::set().await, Collector::open().await);
    stage.keep(Kept::Secret, "keys", OTHER_KEYS);
    stage.keep(Kept::Secret, "headers", "api-key=hush");
    // The headers of the first cannot be read, those of the second become useless.
    let unread = start_traced(&stage, &collector, "nowhere").await;
    let useless = start_traced(&stage, &collector, "headers").await;
    let without = Arc::new(stage.start("notifications").await);
    for function in [&unread, &useless, &without] {
        let answer = function.invoke(sample("http-handshake.json")).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{}", function.log());
    }
    assert!(unread.log().contains("the function goes on without it"), "{}", unread.log());
    assert_eq!(collector.headers().iter().filter(|headers| headers.contains_key("api-key")).count(), 1);
    let requests = collector.requests();
    assert_eq!(requests, 1, "who cannot prove who sends sends nothing");

    stage.keep(Kept::Secret, "keys", KEYS);
    stage.keep(Kept::Secret, "headers", "no list of headers");
    tokio::time::sleep(AT_MOST_EVERY).await;
    // It answers the handshake, which asks for no key.
    stage.forward_to(&gateway::open(Arc::clone(&without), true).await);
    stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();
    for (function, address) in
        [(&without, "a@evil.example"), (&unread, "b@evil.example"), (&useless, "c@evil.example")]
    {
        assert!(!taken_by(&stage, function, address).await.is_empty(), "{}", function.log());
        assert_eq!(forged(function), 0, "{}", function.log());
        assert!(function.log().contains("the secrets have changed, and are in use"), "{}", function.log());
    }
    assert!(unread.log().contains("failed to read a secret again"), "{}", unread.log());
    assert!(useless.log().contains("failed to use a changed secret"), "{}", useless.log());
    assert_eq!(stage.receive("alerts").len(), 0, "nobody is told of forgeries");
    // What is one is counted and told.
    let answer = without.invoke(sample("http-plain.json")).await.unwrap();
    assert_eq!((&answer["statusCode"], forged(&without)), (&json!(202), 1), "{}", without.log());
    assert_eq!(stage.receive("alerts").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgery_is_counted_and_told_once_although_the_keys_are_read_again_for_it() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    assert_eq!(notifications.invoke(sample("http-handshake.json")).await.unwrap()["statusCode"], 200);
    tokio::time::sleep(AT_MOST_EVERY).await;
    let answer = notifications.invoke(sample("http-plain.json")).await.unwrap();
    assert_eq!((&answer["statusCode"], forged(&notifications)), (&json!(202), 1), "{}", notifications.log());
    assert_eq!(stage.receive("alerts").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_a_new_key_made_opens_at_the_first_look() {
    let stage = Stage::set().await;
    let link = pages::told(&stage).await;
    let (path, query) = link.split_once('?').unwrap();
    stage.keep(Kept::Secret, "links", OTHER_KEYS);
    let approvals = Function::start("approvals", &pages::environment(&stage)).await;
    let page = || pages::request("GET", path, query);
    let nothing = approvals.invoke(page()).await.unwrap();
    assert_eq!(nothing["statusCode"], 404, "{nothing}");
    tokio::time::sleep(AT_MOST_EVERY).await;
    assert_eq!(approvals.invoke(page()).await.unwrap(), nothing, "no other key is there");
    stage.keep(Kept::Secret, "links", KEYS);
    tokio::time::sleep(AT_MOST_EVERY).await;
    let opened = approvals.invoke(page()).await.unwrap();
    assert_eq!(opened["statusCode"], 200, "{opened}\n{}", approvals.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_channel_that_refused_is_read_again_at_the_next_event() {
    for status in [401, 403, 404, 410] {
        let stage = Stage::set().await;
        let notifications = Arc::new(stage.start("notifications").await);
        let alert = stage.start("alert").await;
        stage.slack.answer_always(Some(status));
        assert!(notifications.invoke(sample("http-plain.json")).await.is_ok());
        let records = stage.receive("alerts");
        assert_eq!(records.len(), 1, "a forgery is told");
        assert!(alert.invoke(json!({ "Records": records })).await.is_ok());
        let newer = Inbox::open("slack").await;
        stage.keep(Kept::Parameter, "slack", &newer.url());
        assert!(!alert.log().contains("the secrets have changed"), "{}", alert.log());
        assert!(alert.invoke(json!({ "Records": [] })).await.is_ok());
        assert!(
            alert.log().contains("the secrets have changed, and are in use"),
            "{status}: {}",
            alert.log()
        );
    }
}
