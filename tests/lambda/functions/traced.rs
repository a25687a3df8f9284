//! Spans leave a function before its answer does, in one trace from function to function, and a collector that takes none costs no
//! message and little time.

use std::sync::Arc;

use guestlist_tests::{Collector, Seen};
use serde_json::{Value, json};

use crate::function::Function;
use crate::gateway;
use crate::stage::Stage;

async fn start(stage: &Stage, collector: &Collector, name: &'static str, more: &[(&str, &str)]) -> Function {
    let mut environment = stage.environment(name);
    environment.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.address()));
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Function::start(name, &environment).await
}

/// A guest from a blocked domain lies in the queue of changes.
async fn invited(stage: &Stage, collector: &Collector) -> Arc<Function> {
    let notifications = Arc::new(start(stage, collector, "notifications", &[]).await);
    stage.forward_to(&gateway::open(Arc::clone(&notifications), false).await);
    stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();
    let _mallory = stage.tenant.invite("mallory@evil.example");
    assert!(stage.simulator.deliver_due().await > 0);
    notifications
}

#[track_caller]
fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no `{name}` among {names:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_through_the_functions_and_each_has_told_its_part_before_it_answered() {
    let (stage, collector) = (Stage::set().await, Collector::open().await);
    // The process is stopped as soon as it has answered: what is here was sent before.
    let notifications = invited(&stage, &collector).await;
    let received = collector.spans();
    let post = received.iter().find(|one| one.name == "POST /graph/notifications" && one.parent.is_empty());
    let sent = received.iter().rfind(|one| one.name == "changes send").expect("what it sent").clone();
    assert!(post.is_some_and(|post| post.service == "guestlist-notifications"), "{received:?}");

    let records = stage.receive("changes");
    let carried = |record: &Value| {
        let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        body["traceparent"].as_str().unwrap_or_default().to_owned()
    };
    assert!(
        records.iter().all(|one| carried(one) == format!("00-{}-{}-01", sent.trace, sent.id)),
        "{records:?}"
    );

    let assess = start(&stage, &collector, "assess", &[]).await;
    let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
    assert_eq!(stage.settle("changes", &records, &answer), 0);
    let spans = collector.spans();
    // The event's span has a link to where each message was sent, and each message goes on with that and has a link to the event's.
    let of_event = |one: &&Seen| one.name == "changes process" && one.attributes.contains_key("faas.trigger");
    let batch = spans.iter().find(of_event).expect("a span of the event");
    assert_eq!((batch.attributes["faas.trigger"].as_str(), batch.parent.as_str()), ("pubsub", ""));
    assert_eq!(batch.attributes["messaging.system"], "aws_sqs");
    assert!(batch.links.contains(&(sent.trace.clone(), sent.id.clone())), "{batch:?}");
    let message = spans.iter().find(|one| one.name == "changes process" && one.parent == sent.id);
    let message = message.expect("the message goes on with what sent it");
    assert_eq!((&message.trace, &message.service), (&sent.trace, &"guestlist-assess".to_owned()));
    assert!(message.links.contains(&(batch.trace.clone(), batch.id.clone())), "{message:?}");
    assert!(message.attributes["correlation"].len() > 30);

    let remediate = start(&stage, &collector, "remediate", &[]).await;
    stage.pump("remediations", &remediate).await;
    let alert = start(&stage, &collector, "alert", &[("OTEL_SERVICE_NAME", "told")]).await;
    stage.pump("alerts", &alert).await;
    assert!(stage.slack.next_text().contains("mallory@evil"));
    let spans = collector.spans();
    let (write, told) = (named(&spans, "PATCH /v1.0/users/{id}"), named(&spans, "tell Slack"));
    assert_eq!((&write.trace, &told.trace), (&sent.trace, &sent.trace));
    assert_eq!((write.service.as_str(), told.service.as_str()), ("guestlist-remediate", "told"));
    let up = collector.way_up(told);
    let tail = ["changes process", "changes send", "POST /graph/notifications"];
    assert!(up.starts_with(&["tell Slack".to_owned(), "alerts process".to_owned()]), "{up:?}");
    assert_eq!(up[up.len() - 3..], tail, "{up:?}");

    // The lines of the log say to which trace they belong.
    for function in [&*notifications, &assess, &remediate] {
        assert!(function.log().contains(&sent.trace), "{}", function.log());
    }
    for text in ["mallory", "evil.example", &stage.slack.url(), &stage.simulator.url()] {
        assert!(!collector.heard(text), "{text}");
    }
    stage.simulator.take_writes();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_collector_loses_no_message_and_holds_up_no_answer_for_long() {
    let (stage, collector) = (Stage::set().await, Collector::open().await);
    collector.hang();
    let _notifications = invited(&stage, &collector).await;
    let assess = start(&stage, &collector, "assess", &[]).await;
    assert!(stage.pump("changes", &assess).await > 0, "{}", assess.log());
    let asked = collector.requests();
    assert!(asked >= 2, "each has tried");
    assert!(assess.log().contains("failed to send spans"), "{}", assess.log());
    // One that says for how long it wants to be left alone is.
    collector.ask_for_rest(300);
    let another = start(&stage, &collector, "assess", &[]).await;
    for requests in [asked + 1, asked + 1] {
        assert_eq!(
            another.invoke(json!({ "Records": [] })).await.unwrap(),
            json!({ "batchItemFailures": [] })
        );
        assert_eq!(collector.requests(), requests, "{}", another.log());
    }
    let remediate = stage.start("remediate").await;
    assert!(stage.pump("remediations", &remediate).await > 0);
    let disabled = stage.simulator.take_writes().into_iter().filter(|write| write.method == "PATCH").count();
    assert_eq!(disabled, 1, "{}", remediate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_switched_off_or_damaged_changes_nothing_about_the_work() {
    let (stage, collector) = (Stage::set().await, Collector::open().await);
    let _notifications = invited(&stage, &collector).await;
    let before = collector.requests();
    let mut records = stage.receive("changes");
    for record in &mut records {
        let mut body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        body["traceparent"] = json!(["not", { "a": "context" }]);
        record["body"] = Value::String(body.to_string());
    }
    let assess = start(&stage, &collector, "assess", &[("OTEL_SDK_DISABLED", "true")]).await;
    let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
    assert_eq!(stage.settle("changes", &records, &answer), 0, "{}", assess.log());
    assert_eq!(collector.requests(), before, "it makes no traces");
    let woken = stage.receive("remediations");
    assert!(!woken.is_empty() && !woken[0]["body"].as_str().unwrap().contains("traceparent"), "{woken:?}");
    assert!(!assess.log().contains("trace_id"), "{}", assess.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_variables_of_traces_are_wrong_says_which_and_ends() {
    let (stage, collector) = (Stage::set().await, Collector::open().await);
    let alert = start(&stage, &collector, "alert", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).await;
    assert_eq!(alert.ended().await, Some(2));
    assert!(alert.log().contains("OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not known here"), "{}", alert.log());
}
