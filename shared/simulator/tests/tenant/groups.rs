//! Groups as apps meet them: what a read shows and withholds, and which links can be written.
use serde_json::{Value, json};
use simulator::{App, Directory, GroupKind, Invite, NewGroup, OtherKind, contoso};
use uuid::Uuid;

use crate::world::{World, read};

const GROUP: &str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,isAssignableToRole,visibility,\
    resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,isManagementRestricted,assignedLabels&$top=999";

fn reference(world: &World, id: Uuid) -> Option<Value> {
    Some(json!({"@odata.id": format!("{}/v1.0/directoryObjects/{id}", world.simulator.url())}))
}

fn named(values: &[Value], name: &str) -> Value {
    let found = values.iter().find(|value| value["displayName"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {values:?}")).clone()
}

/// A token of an app that has these permissions and no others.
async fn token_with(world: &World, roles: &[&str]) -> String {
    world.simulator.grant(contoso::READER, roles);
    world.reader().await
}

#[tokio::test]
async fn somebodys_groups_show_every_property_that_is_asked_for() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let team = NewGroup {
        kind: GroupKind::Team,
        label: Some("Confidential".to_owned()),
        dynamic: Some("user.userType -eq \"Guest\"".to_owned()),
        members: vec![guest],
        ..NewGroup::named("Team")
    };
    let old = NewGroup {
        synced: true,
        management_restricted: true,
        members: vec![guest],
        ..NewGroup::named("Old")
    };
    tenant.create_group(team);
    tenant.create_group(old);
    tenant.add_owner(contoso::HELPDESK, guest).unwrap();
    tenant.assign_role(guest, "Reports Reader").unwrap();
    let token = world.reader().await;
    let groups = world.get(&token, &format!("/users/{guest}/memberOf?{GROUP}")).await;
    let groups = groups.values();
    assert_eq!(groups.len(), 3, "two groups and a role");
    let team = named(groups, "Team");
    assert_eq!(team["@odata.type"], "#microsoft.graph.group");
    assert_eq!(team["groupTypes"], json!(["Unified", "DynamicMembership"]));
    assert_eq!(team["resourceProvisioningOptions"], json!(["Team"]));
    assert_eq!(team["assignedLabels"][0]["displayName"], "Confidential");
    assert_eq!((&team["isAssignableToRole"], &team["onPremisesSyncEnabled"]), (&Value::Null, &Value::Null));
    let old = named(groups, "Old");
    assert_eq!((&old["onPremisesSyncEnabled"], &old["isManagementRestricted"]), (&json!(true), &json!(true)));
    let owned = world.get(&token, &format!("/users/{guest}/ownedObjects?{GROUP}")).await;
    assert_eq!(named(owned.values(), "Helpdesk Operators")["isAssignableToRole"], true);
    world.simulator.reset_traffic();
    for path in ["memberOf", "transitiveMemberOf", "ownedObjects"] {
        world.get(&token, &format!("/users/{guest}/{path}?{GROUP}")).await.expect(200);
    }
    assert_eq!(world.simulator.traffic().resource_units, 3);
}

#[tokio::test]
async fn of_what_an_app_may_not_read_only_type_and_id_are_shown() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let device = tenant.add_object(OtherKind::Device, "Laptop");
    let principal = tenant.add_object(OtherKind::ServicePrincipal, "Backup");
    for member in [device, principal, contoso::BOB, contoso::HELPDESK] {
        tenant.add_member(contoso::MARKETING, member).unwrap();
    }
    let members =
        format!("/groups/{}/members?$select=id,displayName,userType,identities", contoso::MARKETING);
    let shown = async |roles: &[&str], path: &str| {
        let token = token_with(&world, roles).await;
        let answer = world.get(&token, path).await;
        let mut shown: Vec<(String, bool)> = answer
            .values()
            .iter()
            .map(|value| {
                (value["@odata.type"].as_str().unwrap().to_owned(), value["displayName"].is_string())
            })
            .collect();
        shown.sort();
        shown
    };
    let kinds = |user: bool, group: bool, rest: bool| {
        [("device", rest), ("group", group), ("servicePrincipal", rest), ("user", user)]
            .map(|(kind, shown)| (format!("#microsoft.graph.{kind}"), shown))
    };
    assert_eq!(shown(&["GroupMember.Read.All"], &members).await, kinds(false, true, false));
    assert_eq!(shown(&["GroupMember.Read.All", "User.Read.All"], &members).await, kinds(true, true, false));
    assert_eq!(shown(&["GroupMember.ReadBasic.All"], &members).await, kinds(false, false, false));
    assert_eq!(shown(&["Directory.Read.All"], &members).await, kinds(true, true, true));

    let token = token_with(&world, &["User.Read.All"]).await;
    let groups = world.get(&token, &format!("/users/{}/memberOf?{GROUP}", contoso::BOB)).await;
    for group in groups.values() {
        assert!(group["id"].is_string() && group["displayName"].is_null() && group["mailEnabled"].is_null());
        assert_eq!(group["groupTypes"], json!([]), "a list is empty where it is withheld");
    }
    world.get(&token, &members).await.expect_error(403, "Authorization_RequestDenied");
}

#[tokio::test]
async fn hidden_members_are_told_to_those_alone_who_may_read_them() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let secret = tenant.create_group(NewGroup {
        kind: GroupKind::Microsoft365,
        visibility: Some("HiddenMembership".to_owned()),
        members: vec![contoso::BOB],
        owners: vec![contoso::ALICE],
        ..NewGroup::named("Secret")
    });
    let everything = ["Group.Read.All", "User.Read.All", "Member.Read.Hidden"];
    for (roles, count) in [(&everything[..2], 0), (&everything[..], 1)] {
        let token = token_with(&world, roles).await;
        for relation in ["members", "transitiveMembers", "members/graph.user"] {
            let found = world.get(&token, &format!("/groups/{secret}/{relation}")).await;
            assert_eq!(found.values().len(), count, "{relation}");
        }
        let expanded = world.get(&token, &format!("/groups/{secret}?$expand=members")).await;
        assert_eq!(expanded.expect(200)["members"].as_array().unwrap().len(), count);
        for relation in ["memberOf", "transitiveMemberOf"] {
            let found = world.get(&token, &format!("/users/{}/{relation}", contoso::BOB)).await;
            assert_eq!(found.ids().contains(&secret.to_string().as_str()), count == 1, "{relation}");
        }
        let request = world.request(&token, "GET", &format!("/groups/{secret}/members/$count"), None);
        assert_eq!(read(request.header("consistencylevel", "eventual")).await.body, json!(count));
        assert_eq!(world.get(&token, &format!("/groups/{secret}/owners")).await.values().len(), 1);
    }
}

#[tokio::test]
async fn a_group_is_found_by_its_name_however_it_is_written() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let token = world.reader().await;
    let name = "O'Brien's & Sons #1";
    let one = tenant.create_group(NewGroup::named(name)).to_string();
    let two = tenant.create_group(NewGroup::named(&name.to_uppercase())).to_string();
    let find = async |filter: &str| {
        let mut url = url::Url::parse(&format!("{}/v1.0/groups", world.simulator.url())).unwrap();
        url.query_pairs_mut().append_pair("$filter", filter).append_pair("$select", "id");
        let found = world.get(&token, url.as_str()).await;
        found.values().iter().map(|group| group["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let quoted = name.replace('\'', "''");
    assert_eq!(find(&format!("displayName eq '{quoted}'")).await, [one, two]);
    assert!(find("displayName eq 'x'' or displayName ne '''").await.is_empty(), "a text to its end");
    assert!(find("displayName eq ''").await.is_empty());
}

#[tokio::test]
async fn guests_are_counted_with_the_header_alone() {
    let world = World::new().await;
    let token = world.reader().await;
    for number in 0..3 {
        world.simulator.tenant().invite(Invite::new(&format!("guest{number}@fabrikam.com"), contoso::ALICE));
    }
    let path = "/users/$count?$filter=userType eq 'Guest'";
    world.get(&token, path).await.expect_error(400, "Request_UnsupportedQuery");
    world.simulator.reset_traffic();
    let request = world.request(&token, "GET", path, None).header("consistencylevel", "eventual");
    let answer = read(request.header("accept", "text/plain")).await;
    assert_eq!((answer.status, &answer.body), (200, &json!(3)));
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(world.simulator.traffic().resource_units, 1);
}

struct Unwritable {
    what: &'static str,
    group: NewGroup,
    members: u16,
    owners: u16,
}

fn unwritable() -> Vec<Unwritable> {
    let unwritable = |what, members, owners, group| Unwritable { what, group, members, owners };
    let plain = || NewGroup::named("Group");
    let kind = |kind| NewGroup { kind, ..plain() };
    vec![
        unwritable(
            "dynamic",
            403,
            204,
            NewGroup { dynamic: Some("user.mail -ne null".to_owned()), ..plain() },
        ),
        unwritable("role-assignable", 403, 403, NewGroup { role_assignable: true, ..plain() }),
        unwritable("restricted", 403, 403, NewGroup { management_restricted: true, ..plain() }),
        unwritable("synced", 400, 400, NewGroup { synced: true, ..plain() }),
        unwritable("mail-enabled", 400, 400, kind(GroupKind::MailEnabledSecurity)),
        unwritable("distribution", 400, 400, kind(GroupKind::Distribution)),
        unwritable(
            "hidden",
            204,
            204,
            NewGroup { visibility: Some("HiddenMembership".to_owned()), ..plain() },
        ),
        unwritable("team", 204, 204, kind(GroupKind::Team)),
        unwritable("security", 204, 204, plain()),
    ]
}

/// Adds and removes, and expects that the tenant changed exactly where the answer says so.
async fn link(world: &World, tenant: &Directory, group: Uuid, (relation, status, what): (&str, u16, &str)) {
    let token = world.master().await;
    let holds = |id: Uuid| match relation {
        "members" => tenant.is_member(group, id),
        _ => tenant.is_owner(group, id),
    };
    let path = format!("/groups/{group}/{relation}");
    world.call(&token, "POST", &format!("{path}/$ref"), reference(world, contoso::BOB)).await.expect(status);
    assert_eq!(holds(contoso::BOB), status == 204, "{what} {relation}");
    let alice = format!("{path}/{}/$ref", contoso::ALICE);
    world.call(&token, "DELETE", &alice, None).await.expect(status);
    assert_eq!(holds(contoso::ALICE), status != 204, "{what} {relation}");
    assert!(tenant.user(contoso::ALICE).unwrap().deleted_at.is_none());
}

#[tokio::test]
async fn links_are_written_only_where_graph_can() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    for Unwritable { what, group, members, owners } in unwritable() {
        let both = vec![contoso::ALICE, contoso::CAROL];
        let group = tenant.create_group(NewGroup { members: both.clone(), owners: both, ..group });
        link(&world, &tenant, group, ("members", members, what)).await;
        link(&world, &tenant, group, ("owners", owners, what)).await;
    }
}

#[tokio::test]
async fn a_role_assignable_group_needs_one_permission_more() {
    let world = World::with(|options| {
        let roles = ["Group.ReadWrite.All", "RoleManagement.ReadWrite.Directory"];
        options.apps.push(App::with_secret(Uuid::from_u128(0xb), "roles", &roles));
    })
    .await;
    let token = world.token_of(Uuid::from_u128(0xb), "roles").await;
    let path = format!("/groups/{}/members/$ref", contoso::HELPDESK);
    world.call(&token, "POST", &path, reference(&world, contoso::BOB)).await.expect(204);
    assert!(world.simulator.tenant().is_member(contoso::HELPDESK, contoso::BOB));
}

#[tokio::test]
async fn memberships_and_ownerships_need_their_own_permissions() {
    let world = World::new().await;
    world.simulator.grant(contoso::WRITER, &["GroupMember.ReadWrite.All"]);
    let writer = world.writer().await;
    let path = |relation: &str| format!("/groups/{}/{relation}/$ref", contoso::FINANCE);
    world.call(&writer, "POST", &path("members"), reference(&world, contoso::ALICE)).await.expect(204);
    let refused = world.call(&writer, "POST", &path("owners"), reference(&world, contoso::ALICE)).await;
    refused.expect_error(403, "Authorization_RequestDenied");
    world.simulator.grant(contoso::WRITER, &["Group.ReadWrite.All"]);
    let writer = world.writer().await;
    world.call(&writer, "POST", &path("owners"), reference(&world, contoso::ALICE)).await.expect(204);
}

#[tokio::test]
async fn a_group_has_a_hundred_owners_at_most_and_only_people_and_apps() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let token = world.master().await;
    let owners: Vec<Uuid> =
        (0..99).map(|_| tenant.add_object(OtherKind::ServicePrincipal, "Backup")).collect();
    let group = tenant.create_group(NewGroup { owners, ..NewGroup::named("Crowd") });
    let path = format!("/groups/{group}/owners/$ref");
    let device = tenant.add_object(OtherKind::Device, "Laptop");
    for (id, status) in [
        (device, 400),
        (contoso::FINANCE, 400),
        (Uuid::from_u128(9), 404),
        (contoso::BOB, 204),
        (contoso::BOB, 400),
        (contoso::ALICE, 400),
    ] {
        world.call(&token, "POST", &path, reference(&world, id)).await.expect(status);
    }
    assert_eq!(tenant.group(group).unwrap().owners.len(), 100);
    let list = world.get(&token, &format!("/groups/{group}/owners?$select=id&$top=999")).await;
    assert_eq!(list.values().len(), 100);
}

#[tokio::test]
async fn the_last_user_who_owns_a_group_stays_whoever_else_owns_it() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let token = world.master().await;
    let principal = tenant.add_object(OtherKind::ServicePrincipal, "Backup");
    tenant.add_owner(contoso::MARKETING, principal).unwrap();
    let owner = |id: Uuid| format!("/groups/{}/owners/{id}/$ref", contoso::MARKETING);
    world.call(&token, "DELETE", &owner(contoso::ALICE), None).await.expect_error(400, "Request_BadRequest");
    world.call(&token, "DELETE", &owner(principal), None).await.expect(204);
    world.call(&token, "DELETE", &owner(contoso::ALICE), None).await.expect(400);
    tenant.add_owner(contoso::MARKETING, contoso::BOB).unwrap();
    tenant.delete_user(contoso::BOB).unwrap();
    world.call(&token, "DELETE", &owner(contoso::ALICE), None).await.expect(400);
    tenant.restore_user(contoso::BOB).unwrap();
    world.call(&token, "DELETE", &owner(contoso::ALICE), None).await.expect(204);
}

#[tokio::test]
async fn who_is_not_there_is_not_found_whether_he_is_gone_or_was_never_in() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let token = world.master().await;
    let member = |group: Uuid, id: Uuid| format!("/groups/{group}/members/{id}/$ref");
    let nobody = Uuid::from_u128(9);
    tenant.add_member(contoso::FINANCE, contoso::ALICE).unwrap();
    tenant.delete_user(contoso::ALICE).unwrap();
    for path in [
        member(contoso::MARKETING, contoso::BOB),
        member(contoso::MARKETING, nobody),
        member(nobody, contoso::BOB),
        member(contoso::FINANCE, contoso::ALICE),
    ] {
        world.call(&token, "DELETE", &path, None).await.expect_error(404, "Request_ResourceNotFound");
    }
    let path = format!("/groups/{}/members/$ref", contoso::FINANCE);
    let again = world.call(&token, "POST", &path, reference(&world, contoso::BOB)).await;
    again.expect_error(400, "Request_BadRequest");
}
