//! Subscriptions: the handshake with both addresses, and the rules of Microsoft's reference.
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::contoso;

use crate::world::World;

#[tokio::test]
async fn both_addresses_are_validated_before_a_subscription_exists() {
    let world = World::new().await;
    let created = world.subscribe("/users").await;
    assert_eq!(*world.receiver.handshakes.lock().unwrap(), ["/graph/notifications", "/graph/lifecycle"]);
    assert_eq!(created["applicationId"], contoso::READER.to_string());
    assert_eq!(created["clientState"], "our-secret");
    assert_eq!(world.simulator.subscriptions().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_fails_the_handshake_gets_no_subscription() {
    let world = World::new().await;
    let token = world.reader().await;
    for mistake in ["encoded", "html", "accepted"] {
        *world.receiver.stubborn.lock().unwrap() = Some(mistake);
        let answer = world.call(&token, "POST", "/subscriptions", Some(world.subscription("users"))).await;
        answer.expect_error(400, "ValidationError");
    }
    *world.receiver.stubborn.lock().unwrap() = None;
    let mut nowhere = world.subscription("users");
    nowhere["notificationUrl"] = json!("https://nowhere.contoso.com/hook");
    world.call(&token, "POST", "/subscriptions", Some(nowhere)).await.expect_error(400, "ValidationError");
    assert!(world.simulator.subscriptions().is_empty());
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_refused_before_the_handshake() {
    let world = World::new().await;
    let token = world.reader().await;
    let far = (world.now() + SignedDuration::from_mins(41_761)).to_string();
    let past = (world.now() - SignedDuration::from_mins(1)).to_string();
    for (name, value) in [
        ("notificationUrl", json!("http://hook.contoso.com")),
        ("lifecycleNotificationUrl", json!("ftp://hook.contoso.com")),
        ("changeType", json!("created")),
        ("changeType", json!(null)),
        ("resource", json!("auditLogs/signIns")),
        ("resource", json!("https://graph.microsoft.com/v1.0/users")),
        ("clientState", json!("x".repeat(129))),
        ("expirationDateTime", json!(far)),
        ("expirationDateTime", json!(past)),
        ("expirationDateTime", json!("tomorrow")),
        ("includeResourceData", json!(true)),
        ("colour", json!("red")),
        ("applicationId", json!("x")),
    ] {
        let mut body = world.subscription("users");
        body[name] = value.clone();
        let answer = world.call(&token, "POST", "/subscriptions", Some(body)).await;
        assert_eq!(answer.status, 400, "{name}={value}: {}", answer.body);
    }
    assert!(world.receiver.handshakes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_write_permission_is_not_enough_to_subscribe() {
    let world = World::new().await;
    world.simulator.grant(contoso::WRITER, &["User.ReadWrite.All", "Group.Read.All"]);
    let token = world.writer().await;
    let users = world.call(&token, "POST", "/subscriptions", Some(world.subscription("users"))).await;
    users.expect_error(403, "Authorization_RequestDenied");
    world.call(&token, "POST", "/subscriptions", Some(world.subscription("groups"))).await.expect(201);
}

#[tokio::test]
async fn the_same_combination_is_a_conflict_that_names_the_first() {
    let world = World::new().await;
    let token = world.reader().await;
    let first = world.subscribe("/users").await;
    let mut same = world.subscription("users");
    same["changeType"] = json!("deleted,updated");
    let conflict = world.call(&token, "POST", "/subscriptions", Some(same.clone())).await;
    assert_eq!(
        conflict.expect(409)["error"]["message"],
        format!(
            "Subscription Id {} already exists for the requested combination",
            first["id"].as_str().unwrap()
        )
    );
    same["changeType"] = json!("updated");
    world.call(&token, "POST", "/subscriptions", Some(same)).await.expect(201);
}

#[tokio::test]
async fn a_short_life_is_raised_and_a_subscription_ends() {
    let world = World::new().await;
    let token = world.reader().await;
    let mut body = world.subscription("users");
    body["expirationDateTime"] = json!((world.now() + SignedDuration::from_mins(5)).to_string());
    let created = world.call(&token, "POST", "/subscriptions", Some(body)).await;
    assert_eq!(created.expect(201)["expirationDateTime"], "2026-11-20T05:45:00.0000000Z");
    let path = format!("/subscriptions/{}", created.body["id"].as_str().unwrap());
    let until = json!({"expirationDateTime": (world.now() + SignedDuration::from_hours(48)).to_string()});
    let renewed = world.call(&token, "PATCH", &path, Some(until)).await;
    assert_eq!(renewed.expect(200)["expirationDateTime"], "2026-11-22T05:00:00.0000000Z");
    world
        .call(&token, "PATCH", &path, Some(json!({"lifecycleNotificationUrl": "https://x.example"})))
        .await
        .expect(400);
    world.call(&token, "POST", &format!("{path}/reauthorize"), None).await.expect(204);
    world.pass(SignedDuration::from_hours(48));
    let late = world.reader().await;
    world.get(&late, &path).await.expect_error(404, "ResourceNotFound");
}

#[tokio::test]
async fn an_app_sees_its_own_subscriptions_only() {
    let world = World::new().await;
    let created = world.subscribe("users").await;
    let path = format!("/subscriptions/{}", created["id"].as_str().unwrap());
    let (reader, other) = (world.reader().await, world.master().await);
    assert_eq!(world.get(&reader, "/subscriptions").await.values().len(), 1);
    assert_eq!(world.get(&other, "/subscriptions").await.values(), &Vec::<Value>::new());
    world.call(&other, "DELETE", &path, None).await.expect(404);
    world.call(&reader, "DELETE", &path, None).await.expect(204);
    assert!(world.simulator.subscriptions().is_empty());
}
