//! Subscriptions: created at most once, and kept as Graph returned them.

use std::time::Duration;

use graph::{Creation, GraphError, NewSubscription, Reader};
use model::{SubscriptionId, Watched};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};

const ID: SubscriptionId = SubscriptionId::from_u128(0x5b);
const POST: &str = "POST /v1.0/subscriptions";

fn new() -> NewSubscription {
    NewSubscription {
        watched: Watched::Users,
        notification_url: "https://guestlist.example/graph/notifications".to_owned(),
        lifecycle_url: "https://guestlist.example/graph/lifecycle".to_owned(),
        client_state: SecretString::from("v1.k.n.m"),
        expires_at: "2026-12-01T10:00:00.123456789Z".parse().unwrap(),
    }
}

fn returned(expires: &str) -> Value {
    json!({"id": ID, "resource": "/users", "changeType": "updated,deleted", "expirationDateTime": expires,
        "notificationUrl": "https://guestlist.example/graph/notifications",
        "lifecycleNotificationUrl": "https://guestlist.example/graph/lifecycle"})
}

#[tokio::test]
async fn a_subscription_is_asked_for_with_all_that_it_needs_and_kept_as_returned() {
    let fake = Fake::start().await;
    fake.next(POST, Answer::json(201, &returned("2026-11-30T10:00:00.0000000Z")));
    let Creation::Created(subscription) = fake.reader().create_subscription(new()).await.unwrap() else {
        panic!("it was created");
    };
    assert_eq!((subscription.id, subscription.watched()), (ID, Some(Watched::Users)));
    assert_eq!(subscription.expires_at, "2026-11-30T10:00:00Z".parse().unwrap());
    let expected = json!({
        "changeType": "updated,deleted", "resource": "/users", "clientState": "v1.k.n.m",
        "expirationDateTime": "2026-12-01T10:00:00Z",
        "notificationUrl": "https://guestlist.example/graph/notifications",
        "lifecycleNotificationUrl": "https://guestlist.example/graph/lifecycle",
    });
    assert_eq!(serde_json::from_str::<Value>(&fake.seen(POST)[0].body).unwrap(), expected);
}

#[tokio::test]
async fn a_conflict_means_that_it_is_there_already() {
    let fake = Fake::start().await;
    fake.next(POST, Answer::error(409, "ExtensionError"));
    let creation = fake.reader().create_subscription(new()).await.unwrap();
    assert!(matches!(creation, Creation::AlreadyThere));
}

#[tokio::test]
async fn creating_is_repeated_only_after_an_answer_that_says_that_nothing_was_done() {
    let fake = Fake::start().await;
    fake.next(POST, Answer::busy(429, "0"));
    fake.next(POST, Answer::json(201, &returned("2026-11-30T10:00:00Z")));
    fake.reader().create_subscription(new()).await.unwrap();
    assert_eq!(fake.seen(POST).len(), 2);

    for status in [500, 502, 504] {
        let asked = fake.seen(POST).len();
        fake.next(POST, Answer::text(status, "").header("retry-after", "0"));
        let error = fake.reader().create_subscription(new()).await.unwrap_err();
        assert!(matches!(error, GraphError::Unavailable { .. }), "{error}");
        assert_eq!(fake.seen(POST).len(), asked + 1, "{status}: it may have been created");
    }
}

#[tokio::test]
async fn a_slow_handshake_is_waited_for() {
    let fake = Fake::start().await;
    let slow = Answer::json(201, &returned("2026-11-30T10:00:00Z")).after(Duration::from_millis(600));
    fake.next(POST, slow);
    let client = fake.client(Duration::ZERO).with_timeout(Duration::from_millis(200));
    assert!(Reader::new(client).create_subscription(new()).await.is_ok());
}

#[tokio::test]
async fn the_rest_of_a_subscriptions_life() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let path = format!("/v1.0/subscriptions/{ID}");
    assert!(matches!(reader.subscription(ID).await, Err(GraphError::NotFound { .. })));
    assert!(reader.delete_subscription(ID).await.is_ok(), "it is gone already");

    let later = returned("2026-12-05T10:00:00Z");
    fake.always(&format!("GET {path}"), Answer::json(200, &later));
    fake.always(&format!("PATCH {path}"), Answer::json(200, &later));
    fake.always(&format!("POST {path}/reauthorize"), Answer::text(204, ""));
    fake.always(&format!("DELETE {path}"), Answer::text(204, ""));
    fake.always("GET /v1.0/subscriptions", Answer::json(200, &json!({"value": [later]})));
    assert_eq!(reader.subscription(ID).await.unwrap().id, ID);
    assert_eq!(reader.subscriptions().await.unwrap().len(), 1);
    let until = "2026-12-06T00:00:00Z".parse().unwrap();
    let renewed = reader.renew(ID, until).await.unwrap();
    assert_eq!(renewed.expires_at, "2026-12-05T10:00:00Z".parse().unwrap(), "what Graph returned counts");
    assert_eq!(
        fake.seen(&format!("PATCH {path}"))[0].body,
        r#"{"expirationDateTime":"2026-12-06T00:00:00Z"}"#
    );
    reader.reauthorize(ID).await.unwrap();
    let empty = &fake.seen(&format!("POST {path}/reauthorize"))[0];
    assert_eq!(
        (empty.body.as_str(), empty.header("content-length"), empty.header("content-type")),
        ("", "0", "")
    );
    reader.delete_subscription(ID).await.unwrap();
}
