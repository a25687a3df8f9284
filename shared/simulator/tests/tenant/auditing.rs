//! The directory audit: who did what to an account or a membership.
use serde_json::{Value, json};
use simulator::{Invite, contoso};
use uuid::Uuid;

use crate::world::World;

async fn rows(world: &World, about: Uuid) -> Vec<Value> {
    let token = world.reader().await;
    let path = format!("/auditLogs/directoryAudits?$filter=targetResources/any(t:t/id eq '{about}')");
    let answer = world.get(&token, &path).await;
    answer.expect(200);
    answer.values().clone()
}

fn told(row: &Value) -> (&str, &str) {
    let by = &row["initiatedBy"];
    let who = by["user"]["id"].as_str().or_else(|| by["app"]["appId"].as_str());
    (row["activityDisplayName"].as_str().unwrap(), who.unwrap())
}

#[tokio::test]
async fn acts_on_accounts_and_memberships_leave_rows_that_name_who_did_it() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let before = rows(&world, guest).await.len();
    let bob = tenant.by(contoso::BOB);
    bob.add_member(contoso::MARKETING, guest).unwrap();
    bob.add_member(contoso::MARKETING, guest).unwrap();
    bob.add_owner(contoso::MARKETING, guest).unwrap();
    bob.remove_owner(contoso::MARKETING, guest).unwrap();
    tenant.disable(guest).unwrap();
    tenant.enable(guest).unwrap();
    tenant.delete_user(guest).unwrap();
    tenant.restore_user(guest).unwrap();
    let token = world.writer().await;
    let path = format!("/groups/{}/members/{guest}/$ref", contoso::MARKETING);
    world.call(&token, "DELETE", &path, None).await.expect(204);
    let disabled = Some(json!({"accountEnabled": false}));
    world.call(&token, "PATCH", &format!("/users/{guest}"), disabled).await.expect(204);

    let mut rows = rows(&world, guest).await;
    rows.truncate(rows.len() - before);
    let (bob, carol, app) =
        (contoso::BOB.to_string(), contoso::CAROL.to_string(), contoso::WRITER.to_string());
    let expected = [
        ("Disable account", &app),
        ("Remove member from group", &app),
        ("Restore user", &carol),
        ("Delete user", &carol),
        ("Enable account", &carol),
        ("Disable account", &carol),
        ("Remove owner from group", &bob),
        ("Add owner to group", &bob),
        ("Add member to group", &bob),
    ];
    assert_eq!(rows.iter().map(told).collect::<Vec<_>>(), expected.map(|(what, who)| (what, who.as_str())));
    let added = &rows[8]["targetResources"];
    assert_eq!((&added[0]["type"], &added[1]["type"]), (&json!("User"), &json!("Group")));
    assert_eq!(added[1]["id"], contoso::MARKETING.to_string());
    let group = &added[0]["modifiedProperties"][0];
    assert_eq!(group["newValue"], format!("\"{}\"", contoso::MARKETING));
    assert_eq!(rows[1]["targetResources"][0]["modifiedProperties"][0]["newValue"], Value::Null);
}

#[tokio::test]
async fn how_many_rows_there_are_changes_no_id_of_an_object() {
    let (quiet, busy) = (World::new().await, World::new().await);
    let tenant = busy.simulator.tenant();
    for _ in 0..3 {
        tenant.disable(contoso::BOB).unwrap();
        tenant.enable(contoso::BOB).unwrap();
    }
    let invite =
        |world: &World| world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    assert_eq!(invite(&quiet), invite(&busy));
}
