//! The same tenant without a socket: calls go into the router, notifications into another one.
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Delivery, Failure, Fault, Invite, Options, Simulator, contoso};
use tower::ServiceExt;

use crate::world::Receiver;

fn simulator(seed: u64) -> Simulator {
    let now = Arc::new(|| "2026-11-20T05:00:00Z".parse::<Timestamp>().unwrap());
    Simulator::new(Options { deliver: Delivery::ByHand, seed, ..Options::contoso(now) })
}

async fn send(
    simulator: &Simulator,
    method: &str,
    url: &str,
    token: &str,
    body: String,
) -> Result<(u16, Value), axum::Error> {
    let kind = if token.is_empty() { "application/x-www-form-urlencoded" } else { "application/json" };
    let request = Request::builder().method(method).uri(url).header("content-type", kind);
    let request = request.header("authorization", format!("Bearer {token}")).body(Body::from(body)).unwrap();
    let answer = simulator.router().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

async fn token(simulator: &Simulator) -> String {
    let url = format!("http://tenant.example/{}/oauth2/v2.0/token", contoso::TENANT);
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&scope=http%3A%2F%2Ftenant.example%2F.default",
        contoso::READER,
        contoso::READER_SECRET
    );
    let (status, body) = send(simulator, "POST", &url, "", form).await.unwrap();
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn links_lead_back_to_the_host_that_was_called() {
    let simulator = simulator(1);
    let token = token(&simulator).await;
    let (_, page) = send(&simulator, "GET", "http://tenant.example/v1.0/users?$top=2", &token, String::new())
        .await
        .unwrap();
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with("http://tenant.example/v1.0/users?"), "{next}");
    let (status, rest) = send(&simulator, "GET", next, &token, String::new()).await.unwrap();
    assert_eq!((status, rest["value"].as_array().unwrap().len()), (200, 1));
}

#[tokio::test]
async fn handshake_and_notifications_reach_a_router() {
    let simulator = simulator(1);
    let receiver = Receiver::default();
    simulator.attach("https://hook.contoso.com", receiver.router());
    let token = token(&simulator).await;
    let body = json!({
        "changeType": "updated", "notificationUrl": "https://hook.contoso.com/notifications?tenant=1", "resource": "users",
        "expirationDateTime": "2026-11-21T05:00:00Z", "clientState": "x",
    });
    let url = "http://tenant.example/v1.0/subscriptions";
    let (status, body) = send(&simulator, "POST", url, &token, body.to_string()).await.unwrap();
    assert_eq!(status, 201, "{body}");
    simulator.tenant().disable(contoso::BOB).unwrap();
    assert_eq!(simulator.deliver_due().await, 1);
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_shows_when_the_answer_is_read() {
    let simulator = simulator(1);
    let token = token(&simulator).await;
    simulator.set_faults(|faults| faults.next(Fault::any("/users", Failure::Reset)));
    assert!(
        send(&simulator, "GET", "http://tenant.example/v1.0/users", &token, String::new()).await.is_err()
    );
    assert!(send(&simulator, "GET", "http://tenant.example/v1.0/users", &token, String::new()).await.is_ok());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids_whatever_was_asked() {
    let (first, second, third) = (simulator(1), simulator(1), simulator(2));
    let token = token(&second).await;
    send(&second, "GET", "http://tenant.example/v1.0/users", &token, String::new()).await.unwrap();
    let invite =
        |simulator: &Simulator| simulator.tenant().invite(Invite::new("m@evil.example", contoso::ALICE));
    let id = invite(&first);
    assert_eq!(id, invite(&second));
    assert_ne!(id, invite(&third));
}
