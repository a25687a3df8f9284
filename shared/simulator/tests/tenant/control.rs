//! The control API does what people do, and says how to mend a mistake.
use serde_json::{Value, json};
use simulator::contoso;

use crate::world::{Answer, World, read};

async fn post(world: &World, path: &str, body: Value) -> Answer {
    let url = format!("{}/control/{path}", world.simulator.url());
    read(world.http.post(url).header("content-type", "application/json").body(body.to_string())).await
}

#[tokio::test]
async fn a_whole_story_can_be_told_by_hand() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let invited =
        post(&world, "invite", json!({"address": "mallory@evil.example", "by": "alice@contoso.com"})).await;
    let id = invited.expect(200)["id"].as_str().unwrap().parse().unwrap();
    post(&world, "redeem", json!({"user": "mallory@evil.example", "with": "one-time-passcode"}))
        .await
        .expect(200);
    post(
        &world,
        "group",
        json!({"name": "Project X", "kind": "team", "owner": "Bob", "label": "Confidential"}),
    )
    .await
    .expect(200);
    let link = json!({"group": "project x", "user": "mallory@evil.example"});
    post(&world, "add-member", link.clone()).await.expect(200);
    let group = tenant.find_group("Project X").unwrap();
    assert!(tenant.is_member(group.id, id));
    assert_eq!(group.label.unwrap().name, "Confidential");
    post(&world, "remove-member", link).await.expect(200);
    assert!(!tenant.is_member(group.id, id));
    post(&world, "rename-group", json!({"group": "Project X", "name": "Finance X"})).await.expect(200);
    post(&world, "label", json!({"group": "Finance X", "label": null})).await.expect(200);
    assert_eq!(tenant.find_group("Finance X").unwrap().label, None);
    let who = json!({"user": id.to_string()});
    post(&world, "disable", who.clone()).await.expect(200);
    assert!(!tenant.user(id).unwrap().enabled);
    post(&world, "enable", who.clone()).await.expect(200);
    post(&world, "delete", who.clone()).await.expect(200);
    assert!(tenant.user(id).unwrap().deleted_at.is_some());
    post(&world, "restore", who.clone()).await.expect(200);
    assert!(tenant.user(id).unwrap().deleted_at.is_none());
    post(&world, "role", json!({"user": "bob@contoso.com", "role": "User Administrator"})).await.expect(200);
    assert!(world.simulator.take_writes().is_empty(), "acts of people are no writes of apps");
}

#[tokio::test]
async fn a_story_about_groups_can_be_told_by_hand() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let group = json!({"name": "Project X", "kind": "microsoft365", "owner": "Bob", "visibility": "Public"});
    let id = post(&world, "group", group).await.expect(200)["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(tenant.group(id).unwrap().visibility.as_deref(), Some("Public"));
    let on_premises = json!({"name": "Old", "synced": true, "restricted": true});
    post(&world, "group", on_premises).await.expect(200);
    let old = tenant.find_group("Old").unwrap();
    assert!(old.management_restricted && old.on_premises_sync_enabled == Some(true));
    for (kind, name) in [("device", "Laptop 7"), ("service-principal", "Backup")] {
        let made = post(&world, "add-object", json!({"name": name, "kind": kind})).await;
        let object = made.expect(200)["id"].as_str().unwrap().parse().unwrap();
        post(&world, "add-member", json!({"group": "Project X", "user": name})).await.expect(200);
        assert!(tenant.is_member(id, object));
    }
    post(&world, "add-member", json!({"group": "Project X", "user": "Finance Board"})).await.expect(200);
    assert!(tenant.is_member(id, contoso::FINANCE));
    post(&world, "add-owner", json!({"group": "Project X", "user": "alice@contoso.com"})).await.expect(200);
    post(&world, "remove-owner", json!({"group": "Project X", "user": "Bob"})).await.expect(200);
    assert!(tenant.is_owner(id, contoso::ALICE) && !tenant.is_owner(id, contoso::BOB));
    post(&world, "visibility", json!({"group": "Project X", "visibility": "HiddenMembership"}))
        .await
        .expect(200);
    assert_eq!(tenant.group(id).unwrap().visibility.as_deref(), Some("HiddenMembership"));
    post(&world, "delete-group", json!({"group": "Project X"})).await.expect(200);
    assert!(tenant.group(id).unwrap().deleted_at.is_some());
    post(&world, "restore-group", json!({"group": "Project X"})).await.expect(200);
    assert!(tenant.group(id).unwrap().deleted_at.is_none());
    post(&world, "purge", json!({"user": "Bob"})).await.expect(200);
    assert!(tenant.user(contoso::BOB).is_none());
    assert!(world.simulator.take_writes().is_empty(), "acts of people are no writes of apps");
}

#[tokio::test]
async fn every_act_that_the_help_lists_is_there() {
    let world = World::new().await;
    let help = read(world.http.get(format!("{}/control/acts", world.simulator.url()))).await;
    let acts: Vec<&String> = help.body["POST"].as_object().unwrap().keys().collect();
    for act in &acts {
        let answer = post(&world, act.trim_start_matches("/control/"), json!({"no such field": 1})).await;
        assert_eq!(answer.status, 400, "{act}: {}", answer.body);
    }
    for act in ["add-owner", "remove-owner", "rename-group", "label", "visibility", "add-object", "restore"] {
        assert!(acts.iter().any(|known| known.ends_with(act)), "{act}");
    }
}

#[tokio::test]
async fn a_mistake_names_its_fix() {
    let world = World::new().await;
    for (path, body, hint) in [
        ("invite", json!({"address": "mallory", "by": "Alice"}), "name@domain.example"),
        ("invite", json!({"address": "m@evil.example", "by": "zoe@contoso.com"}), "GET /control/users"),
        ("invite", json!({"adress": "m@evil.example", "by": "Alice"}), "GET /control/acts"),
        ("add-member", json!({"group": "Nothing", "user": "Bob"}), "GET /control/groups"),
        ("add-member", json!({"group": "Marketing", "user": "Nobody"}), "POST /control/add-object"),
        ("visibility", json!({"group": "Marketing", "visibility": "Secret"}), "GET /control/acts"),
        ("restore", json!({"user": "Bob"}), "soft-deleted"),
        ("restore-group", json!({"group": "Marketing"}), "soft-deleted"),
        ("faults", json!({"weather": "bad"}), "GET /control/faults"),
    ] {
        let answer = post(&world, path, body).await;
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        let text = answer.body["error"].as_str().unwrap();
        assert!(text.contains(hint), "{text}");
    }
}

#[tokio::test]
async fn faults_are_switched_one_by_one() {
    let world = World::new().await;
    let body = json!({"stale": {"lag": "PT5S", "chance": 0.5}, "throttle": {"every": 10, "retry_after": {"seconds": 2}}});
    post(&world, "faults", body).await.expect(200);
    post(&world, "faults", json!({"hang": 0.25, "throttle": null})).await.expect(200);
    let faults = world.simulator.faults();
    assert_eq!(faults.stale.unwrap().lag, jiff::SignedDuration::from_secs(5));
    assert!(faults.throttle.is_none());
    assert!((faults.hang - 0.25).abs() < f64::EPSILON);
}

#[tokio::test]
async fn the_true_state_and_the_help_can_be_read() {
    let world = World::new().await;
    world.subscribe("users").await;
    let get =
        async |path: &str| read(world.http.get(format!("{}/control/{path}", world.simulator.url()))).await;
    let users = get("users").await;
    assert_eq!(users.body.as_array().unwrap().len(), 3);
    assert_eq!(users.body[0]["id"], contoso::ALICE.to_string());
    assert_eq!(get("groups").await.body.as_array().unwrap().len(), 4);
    let subscriptions = get("subscriptions").await;
    assert_eq!(subscriptions.body[0]["resource"], "users");
    assert!(!subscriptions.body.to_string().contains("our-secret"));
    let help = get("acts").await;
    for (path, example) in help.body["POST"].as_object().unwrap() {
        assert!(path.starts_with("/control/") && example.is_object());
    }
}
