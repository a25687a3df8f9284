//! Writes change the tenant only where the app may, and the traps of Graph are where they are on Graph.
use serde_json::{Value, json};
use simulator::{GroupKind, Invite, NewGroup, NewUser, contoso};

use crate::world::World;

fn reference(world: &World, id: uuid::Uuid) -> Value {
    json!({"@odata.id": format!("{}/v1.0/directoryObjects/{id}", world.simulator.url())})
}

#[tokio::test]
async fn disabling_a_guest_needs_both_permissions_and_shows_in_the_writes() {
    let world = World::new().await;
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let path = format!("/users/{guest}");
    let reader = world.reader().await;
    let off = json!({"accountEnabled": false});
    world
        .call(&reader, "PATCH", &path, Some(off.clone()))
        .await
        .expect_error(403, "Authorization_RequestDenied");
    world.simulator.grant(contoso::WRITER, &["User.EnableDisableAccount.All"]);
    let narrow = world.writer().await;
    world
        .call(&narrow, "PATCH", &path, Some(off.clone()))
        .await
        .expect_error(403, "Authorization_RequestDenied");
    world.simulator.grant(contoso::WRITER, &["User.EnableDisableAccount.All", "User.Read.All"]);
    let writer = world.writer().await;
    assert!(world.simulator.tenant().user(guest).unwrap().enabled);
    world.call(&writer, "PATCH", &path, Some(off.clone())).await.expect(204);
    assert!(!world.simulator.tenant().user(guest).unwrap().enabled);
    let writes = world.simulator.take_writes();
    let statuses: Vec<u16> = writes.iter().map(|write| write.status).collect();
    assert_eq!(statuses, [403, 403, 204]);
    assert_eq!(writes[2].body, Some(off));
    assert_eq!((writes[2].method.as_str(), writes[2].app), ("PATCH", contoso::WRITER));
    assert!(world.simulator.take_writes().is_empty());
    let other = world.call(&writer, "PATCH", &path, Some(json!({"displayName": "X"}))).await;
    other.expect_error(403, "Authorization_RequestDenied");
}

#[tokio::test]
async fn a_body_must_be_json_with_known_writable_properties() {
    let world = World::new().await;
    let master = world.master().await;
    let path = format!("/users/{}", contoso::BOB);
    for body in [
        json!({"nickname": "x"}),
        json!({"accountEnabled": "no"}),
        json!({"createdDateTime": null}),
        json!([]),
        json!({"displayName": "x".repeat(257)}),
    ] {
        let answer = world.call(&master, "PATCH", &path, Some(body.clone())).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
    let url = format!("{}/v1.0{path}", world.simulator.url());
    let bare = world.http.patch(&url).bearer_auth(&master).body("{\"accountEnabled\":false}");
    let bare = crate::world::read(bare).await;
    bare.expect_error(400, "BadRequest");
    assert!(bare.body["error"]["message"].as_str().unwrap().contains("Content-Type"));
    assert!(world.simulator.tenant().user(contoso::BOB).unwrap().enabled);
}

#[tokio::test]
async fn administrators_and_members_of_role_assignable_groups_are_protected() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let writer = world.writer().await;
    let off = || Some(json!({"accountEnabled": false}));
    let path = format!("/users/{guest}");
    tenant.add_member(contoso::HELPDESK, guest).unwrap();
    world.call(&writer, "PATCH", &path, off()).await.expect_error(403, "Authorization_RequestDenied");
    tenant.remove_member(contoso::HELPDESK, guest).unwrap();
    tenant.add_owner(contoso::HELPDESK, guest).unwrap();
    world.call(&writer, "PATCH", &path, off()).await.expect_error(403, "Authorization_RequestDenied");
    tenant.remove_owner(contoso::HELPDESK, guest).unwrap();
    tenant.assign_role(guest, "Reports Reader").unwrap();
    world.call(&writer, "PATCH", &path, off()).await.expect_error(403, "Authorization_RequestDenied");
    tenant.remove_role(guest, "Reports Reader");
    world.call(&writer, "PATCH", &path, off()).await.expect(204);
}

#[tokio::test]
async fn an_entra_role_of_the_app_opens_what_its_permission_does_not() {
    let world = World::with(|options| {
        options.apps.iter_mut().for_each(|app| app.directory_roles = vec!["User Administrator".to_owned()]);
    })
    .await;
    let writer = world.writer().await;
    let off = || Some(json!({"accountEnabled": false}));
    world.call(&writer, "PATCH", &format!("/users/{}", contoso::ALICE), off()).await.expect(204);
    world.call(&writer, "PATCH", &format!("/users/{}", contoso::CAROL), off()).await.expect(403);
}

#[tokio::test]
async fn removing_a_member_without_ref_deletes_the_user() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    tenant.add_member(contoso::MARKETING, guest).unwrap();
    let path = format!("/groups/{}/members/{guest}", contoso::MARKETING);
    let writer = world.writer().await;
    world.call(&writer, "DELETE", &path, None).await.expect_error(403, "Authorization_RequestDenied");
    world.call(&writer, "DELETE", &format!("{path}/$ref"), None).await.expect(204);
    assert!(!tenant.is_member(contoso::MARKETING, guest));
    assert_eq!(tenant.user(guest).unwrap().deleted_at, None);
    world
        .call(&writer, "DELETE", &format!("{path}/$ref"), None)
        .await
        .expect_error(404, "Request_ResourceNotFound");
    let master = world.master().await;
    world.call(&master, "DELETE", &path, None).await.expect(204);
    assert!(tenant.user(guest).unwrap().deleted_at.is_some());
    assert!(tenant.group(contoso::MARKETING).is_some());
}

#[tokio::test]
async fn members_are_added_once_and_only_where_graph_can() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let master = world.master().await;
    let add = async |group: uuid::Uuid, id: uuid::Uuid| {
        let path = format!("/groups/{group}/members/$ref");
        world.call(&master, "POST", &path, Some(reference(&world, id))).await.status
    };
    assert_eq!(add(contoso::MARKETING, contoso::BOB).await, 204);
    assert_eq!(add(contoso::MARKETING, contoso::BOB).await, 400);
    assert_eq!(add(contoso::MARKETING, uuid::Uuid::from_u128(9)).await, 404);
    assert_eq!(add(contoso::ALL_GUESTS, contoso::BOB).await, 403);
    assert_eq!(add(contoso::HELPDESK, contoso::BOB).await, 403);
    for (kind, synced, status) in [
        (GroupKind::Distribution, false, 400),
        (GroupKind::MailEnabledSecurity, false, 400),
        (GroupKind::Security, true, 400),
    ] {
        let group = tenant.create_group(NewGroup { kind, synced, ..NewGroup::named("Other") });
        assert_eq!(add(group, contoso::BOB).await, status, "{kind:?}");
        assert!(!tenant.is_member(group, contoso::BOB));
    }
    let elsewhere = Some(json!({"@odata.id": "not a url"}));
    world
        .call(&master, "POST", &format!("/groups/{}/members/$ref", contoso::FINANCE), elsewhere)
        .await
        .expect(400);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::new().await;
    let master = world.master().await;
    let owners = format!("/groups/{}/owners", contoso::MARKETING);
    let alice = format!("{owners}/{}/$ref", contoso::ALICE);
    world.call(&master, "DELETE", &alice, None).await.expect(400);
    world
        .call(&master, "POST", &format!("{owners}/$ref"), Some(reference(&world, contoso::BOB)))
        .await
        .expect(204);
    world.call(&master, "DELETE", &alice, None).await.expect(204);
    assert!(!world.simulator.tenant().is_owner(contoso::MARKETING, contoso::ALICE));
}

#[tokio::test]
async fn a_deleted_user_waits_in_the_deleted_items() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let master = world.master().await;
    let reader = world.reader().await;
    let gone = format!("/directory/deletedItems/{guest}");
    world.get(&reader, &gone).await.expect_error(404, "Request_ResourceNotFound");
    world.call(&master, "DELETE", &format!("/users/{guest}"), None).await.expect(204);
    world.get(&reader, &format!("/users/{guest}")).await.expect_error(404, "Request_ResourceNotFound");
    let found = world.get(&reader, &gone).await;
    assert_eq!(found.expect(200)["@odata.type"], "#microsoft.graph.user");
    let list = world.get(&reader, "/directory/deletedItems/microsoft.graph.user?$select=id").await;
    assert_eq!(list.ids(), [guest.to_string()]);
    world.call(&master, "POST", &format!("{gone}/restore"), None).await.expect(200);
    world.get(&reader, &format!("/users/{guest}")).await.expect(200);
    world.call(&master, "DELETE", &format!("/users/{guest}"), None).await.expect(204);
    world.call(&master, "DELETE", &gone, None).await.expect(204);
    assert!(tenant.user(guest).is_none());
}

#[tokio::test]
async fn an_app_invites_a_guest_without_a_sponsor() {
    let world = World::new().await;
    let master = world.master().await;
    let body = |address: &str| {
        Some(json!({"invitedUserEmailAddress": address, "inviteRedirectUrl": "https://contoso.com"}))
    };
    let answer = world.call(&master, "POST", "/invitations", body("partner@fabrikam.com")).await;
    assert_eq!(answer.expect(201)["status"], "PendingAcceptance");
    let id = answer.body["invitedUser"]["id"].as_str().unwrap().parse().unwrap();
    assert!(world.simulator.tenant().user(id).unwrap().sponsors.is_empty());
    let again = world.call(&master, "POST", "/invitations", body("partner@fabrikam.com")).await;
    assert_eq!(again.expect(201)["invitedUser"]["id"], id.to_string());
    world.call(&master, "POST", "/invitations", body("no'body@fabrikam.com")).await.expect(400);
    world
        .call(&master, "POST", "/invitations", Some(json!({"invitedUserEmailAddress": "x@y.example"})))
        .await
        .expect(400);
}

#[tokio::test]
async fn revoking_sessions_works_for_local_guests_only() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let local = tenant.add_user(NewUser::local_guest("temp@contoso.com"));
    let master = world.master().await;
    world.pass(jiff::SignedDuration::from_mins(1));
    for (id, revoked) in [(guest, false), (local, true)] {
        let answer = world.call(&master, "POST", &format!("/users/{id}/revokeSignInSessions"), None).await;
        assert_eq!(answer.expect(200)["value"], true);
        assert_eq!(tenant.user(id).unwrap().sessions_valid_from == world.now(), revoked);
    }
}
