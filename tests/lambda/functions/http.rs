//! What the front door hands over: plain and encoded bodies, the handshake, and what is none of ours.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::sample;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_is_answered_in_plain_text() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    let answer = notifications.invoke(sample("http-handshake.json")).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["body"], "Validation: Testing client application reachability for tests");
    assert!(answer["headers"]["content-type"].as_str().unwrap().starts_with("text/plain"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_plain_and_encoded() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    // Forged in both: taken, counted, and nothing comes of it.
    for name in ["http-plain.json", "http-base64.json"] {
        let answer = notifications.invoke(sample(name)).await.unwrap();
        assert_eq!(answer["statusCode"], 202, "{name}: {answer}\n{}", notifications.log());
    }
    assert_eq!(stage.receive("changes").len(), 0);
    let mut event = sample("http-base64.json");
    event["body"] = BASE64_STANDARD.encode("no notification").into();
    let answer = notifications.invoke(event).await.unwrap();
    assert_eq!(answer["statusCode"], 400, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_and_what_is_elsewhere_is_refused_by_the_router_itself() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    let mut event = sample("http-plain.json");
    event["body"] = "x".repeat(4 * 1024 * 1024 + 1).into();
    assert_eq!(notifications.invoke(event).await.unwrap()["statusCode"], 413);
    let mut event = sample("http-plain.json");
    for at in ["/rawPath", "/requestContext/http/path"] {
        *event.pointer_mut(at).unwrap() = json!("/elsewhere");
    }
    assert_eq!(notifications.invoke(event).await.unwrap()["statusCode"], 404);
}

fn changed(name: &str, changes: &[(&str, Value)]) -> Value {
    let mut event = sample(name);
    for (at, value) in changes {
        let (above, key) = at.rsplit_once('/').unwrap();
        event.pointer_mut(above).unwrap()[key] = value.clone();
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_request_is_answered_as_the_router_answers_what_is_no_notification() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    let refused = notifications.invoke(changed("http-plain.json", &[("/body", json!("{"))])).await.unwrap();
    assert_eq!(refused["statusCode"], 400, "{refused}");
    let odd = [
        [("/isBase64Encoded", json!(true)), ("/body", json!("no base64"))],
        [("/isBase64Encoded", json!(true)), ("/body", json!("Zg==\r\nZg=="))],
        [("/rawPath", json!("graph notifications")), ("/headers/host", json!("x"))],
        [("/headers/a b", json!("c")), ("/headers/host", json!("[::1"))],
        [("/requestContext/http/method", json!("P O S T")), ("/requestContext/domainName", json!("a b"))],
        [("/rawQueryString", json!("a".repeat(70_000))), ("/rawPath", json!("/"))],
    ];
    for changes in &odd {
        let answer = notifications.invoke(changed("http-plain.json", changes)).await.unwrap();
        assert_eq!(answer, refused, "{changes:?}\n{}", notifications.log());
    }
    let counted = notifications.metrics("guestlist_notifications_refused_total");
    let unparsable = counted.iter().filter(|(_, line)| line["reason"] == "unparsable");
    let unparsable: f64 = unparsable.map(|(value, _)| value.as_f64().unwrap()).sum();
    assert!((unparsable - 7.0).abs() < 0.5, "{counted:?}");
    assert!(!notifications.log().contains("panicked"), "{}", notifications.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_writes_otherwise_than_a_client_does_is_the_same_request() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    let encoded = sample("http-base64.json")["body"].as_str().unwrap().to_owned();
    let for_urls = encoded.replace('+', "-").replace('/', "_");
    for changes in [
        vec![("/body", json!(encoded.trim_end_matches('=')))],
        vec![("/body", json!(for_urls))],
        vec![("/rawPath", json!("/prod/graph/notifications")), ("/requestContext/stage", json!("prod"))],
        vec![("/requestContext/stage", json!("prod"))],
        vec![("/headers/host", json!("not a host")), ("/headers/x-forwarded-proto", json!("1:"))],
        vec![("/headers", Value::Null), ("/requestContext/domainName", json!("a b"))],
    ] {
        let answer = notifications.invoke(changed("http-base64.json", &changes)).await.unwrap();
        assert_eq!(answer["statusCode"], 202, "{changes:?}: {answer}\n{}", notifications.log());
    }
    // The handshake's own rules judge what stands in a query as it is.
    for (query, status) in [
        ("validationToken=<script>alert(1)</script>", 400),
        ("validationToken=a\u{7}b", 400),
        ("validationToken=Validation: Testing", 200),
    ] {
        let changes = [("/rawQueryString", json!(query))];
        let answer = notifications.invoke(changed("http-handshake.json", &changes)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{query}: {answer}");
        assert_eq!(answer["headers"]["x-content-type-options"], "nosniff", "{query}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_none_of_http_is_told_and_the_next_one_is_answered() {
    let stage = Stage::set().await;
    let notifications = stage.start("notifications").await;
    let older = json!({ "httpMethod": "POST", "path": "/graph/notifications", "requestContext": {} });
    for event in [sample("sqs-batch.json"), json!({ "do": "tend" }), json!([]), older] {
        let error = notifications.invoke(event).await.unwrap_err();
        assert!(error.contains("`notifications` takes a request of an HTTP API"), "{error}");
    }
    assert!(!notifications.log().contains("panicked"), "{}", notifications.log());
    assert_eq!(notifications.invoke(sample("http-plain.json")).await.unwrap()["statusCode"], 202);
}
