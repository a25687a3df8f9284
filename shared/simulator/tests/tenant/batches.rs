//! `$batch`: many calls in one round trip, each judged by itself.
use serde_json::{Value, json};
use simulator::{Failure, Fault, RetryAfter, contoso};

use crate::world::World;

fn response<'a>(body: &'a Value, id: &str) -> &'a Value {
    body["responses"].as_array().unwrap().iter().find(|response| response["id"] == id).unwrap()
}

#[tokio::test]
async fn each_item_has_its_own_status_and_only_one_round_trip_is_counted() {
    let world = World::new().await;
    let token = world.reader().await;
    let nobody = uuid::Uuid::from_u128(5);
    let body = json!({"requests": [
        {"id": "a", "method": "GET", "url": format!("/users/{}?$select=id", contoso::ALICE)},
        {"id": "b", "method": "GET", "url": format!("users/{nobody}")},
        {"id": "c", "method": "PATCH", "url": format!("/users/{}", contoso::BOB), "headers": {"Content-Type": "application/json"}, "body": {"accountEnabled": false}},
    ]});
    let answer = world.call(&token, "POST", "/$batch", Some(body)).await;
    let body = answer.expect(200);
    assert_eq!(response(body, "a")["status"], 200);
    assert_eq!(response(body, "a")["body"]["id"], contoso::ALICE.to_string());
    assert_eq!(response(body, "a")["headers"]["x-ms-resource-unit"], "1");
    assert_eq!(response(body, "b")["status"], 404);
    assert_eq!(response(body, "c")["status"], 403);
    let traffic = world.simulator.traffic();
    assert_eq!((traffic.round_trips, traffic.requests, traffic.writes), (1, 3, 1));
    assert!(traffic.log.iter().all(|call| call.in_batch));
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_as_a_whole() {
    let world = World::new().await;
    let token = world.reader().await;
    let item = |id: &str| json!({"id": id, "method": "GET", "url": "/users"});
    let many: Vec<Value> = (0..21).map(|id| item(&id.to_string())).collect();
    for requests in [
        json!(many),
        json!([item("1"), item("1")]),
        json!([{"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users"}]),
        json!([{"id": "1", "method": "GET", "url": "/v1.0/users"}]),
        json!([{"id": "1", "method": "GET", "url": "/users/a#EXT#@contoso.com"}]),
        json!([{"id": "1", "method": "FETCH", "url": "/users"}]),
        json!([{"id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"]}]),
        json!([{"id": "1", "method": "PATCH", "url": "/users/1", "body": {"accountEnabled": false}}]),
        json!([{"id": "1", "method": "GET", "url": "/users", "priority": 1}]),
        json!([{"method": "GET", "url": "/users"}]),
    ] {
        let answer = world.call(&token, "POST", "/$batch", Some(json!({"requests": requests}))).await;
        assert_eq!(answer.status, 400, "{requests}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_depends_on_a_failure_fails_with_424() {
    let world = World::new().await;
    let token = world.reader().await;
    let nobody = uuid::Uuid::from_u128(5);
    let body = json!({"requests": [
        {"id": "1", "method": "GET", "url": format!("/users/{nobody}")},
        {"id": "2", "method": "GET", "url": "/users", "dependsOn": ["1"]},
    ]});
    let answer = world.call(&token, "POST", "/$batch", Some(body)).await;
    assert_eq!(response(answer.expect(200), "2")["status"], 424);
}

#[tokio::test]
async fn one_item_is_throttled_and_the_others_are_not() {
    let world = World::new().await;
    let token = world.reader().await;
    world.simulator.set_faults(|faults| {
        faults.next(Fault::any("/organization", Failure::Throttled(RetryAfter::Decimals(2.128))))
    });
    let body = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/users"},
        {"id": "2", "method": "GET", "url": "/organization"},
    ]});
    let answer = world.call(&token, "POST", "/$batch", Some(body)).await;
    let answer = answer.expect(200);
    assert_eq!(
        (&response(answer, "1")["status"], &response(answer, "2")["status"]),
        (&json!(200), &json!(429))
    );
    assert_eq!(response(answer, "2")["headers"]["Retry-After"], "2.128");
}
