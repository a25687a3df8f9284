//! What the front door hands over: plain and encoded bodies, the handshake, and what is none of ours.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

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
