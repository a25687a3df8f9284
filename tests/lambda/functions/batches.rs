//! Batches of messages, good and bad.

use serde_json::{Value, json};

use crate::gateway;
use crate::sample;
use crate::stage::Stage;

fn names(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|one| one["itemIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_among_good_messages_is_buried_and_costs_nobody_else() {
    let stage = Stage::set().await;
    let notifications = std::sync::Arc::new(stage.start("notifications").await);
    stage.forward_to(&gateway::open(notifications, true).await);
    stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();
    let mallory = stage.tenant.invite("mallory@evil.example");
    stage.simulator.deliver_due().await;
    stage.send("changes", "this is no message of ours");
    let (mut records, assess) = (stage.receive("changes"), stage.start("assess").await);
    assert!(records.len() >= 2, "{records:?}");
    // The same delivery once more, as SQS may hand it over, and a record that has lost its body.
    let mut twice = records[0].clone();
    twice["messageId"] = "11111111-0000-4000-8000-000000000000".into();
    records.push(twice);
    let mut bodiless = records[0].clone();
    bodiless["messageId"] = "22222222-0000-4000-8000-000000000000".into();
    bodiless["body"] = Value::Null;
    records.push(bodiless);
    let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
    assert_eq!(names(&answer), ["22222222-0000-4000-8000-000000000000"], "{}", assess.log());
    assert_eq!(stage.dead("changes"), 1);
    assert!(stage.tenant.is_enabled(mallory), "assess writes nothing to a tenant");
    assert_eq!(stage.receive("remediations").len(), 1, "{}", assess.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_samples_of_batches_are_answered_by_name() {
    let stage = Stage::set().await;
    // Each message is unreadable, and goes to the dead letters; a queue that is not there keeps it in its own.
    for (function, queue) in
        [("assess", "changes"), ("remediate", "remediations"), ("alert", "alerts"), ("steward", "chores")]
    {
        let running = stage.start(function).await;
        let answer = running.invoke(sample("sqs-batch.json")).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "{function}: {}", running.log());
        assert_eq!(stage.dead(queue), 2, "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_cannot_be_used_leaves_every_message_where_it_was() {
    let stage = Stage::set().await;
    let mut environment = stage.environment("alert");
    for (name, value) in &mut environment {
        if name == "GUESTLIST_DEAD_ALERTS" {
            value.push_str("-that-is-not-there");
        }
    }
    let alert = crate::function::Function::start("alert", &environment).await;
    let answer = alert.invoke(sample("sqs-batch.json")).await.unwrap();
    let event = sample("sqs-batch.json");
    let all: Vec<_> =
        event["Records"].as_array().unwrap().iter().map(|one| one["messageId"].as_str().unwrap()).collect();
    assert_eq!(names(&answer), all, "{}", alert.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_shape_is_an_error_that_says_what_was_expected() {
    let stage = Stage::set().await;
    let alert = stage.start("alert").await;
    for event in [sample("schedule.json"), json!({ "hello": "world" })] {
        let error = alert.invoke(event).await.unwrap_err();
        assert!(error.contains("`alert` takes a batch of SQS"), "{error}");
    }
    let answer = alert.invoke(json!({ "Records": [] })).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }), "it goes on after an error");
}
