//! Reads show what Graph shows, and refuse what Graph does not describe.
use serde_json::{Value, json};
use simulator::{GroupKind, Invite, NewGroup, NewUser, OtherKind, Redeem, contoso};

use crate::world::{World, read};

#[tokio::test]
async fn a_default_read_does_not_return_what_needs_select() {
    let world = World::new().await;
    let token = world.reader().await;
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let plain = world.get(&token, &format!("/users/{guest}")).await;
    let plain = plain.expect(200).as_object().unwrap();
    for name in
        ["userType", "accountEnabled", "identities", "otherMails", "createdDateTime", "externalUserState"]
    {
        assert!(!plain.contains_key(name), "{name} needs $select");
    }
    assert_eq!(plain["mail"], "mallory@evil.example");
    let path = format!(
        "/users/{guest}?$select=id,userType,accountEnabled,identities,externalUserState,creationType,createdDateTime,userPrincipalName&$expand=sponsors($select=id,displayName)"
    );
    let selected = world.get(&token, &path).await;
    let selected = selected.expect(200);
    assert_eq!(selected["userType"], "Guest");
    assert_eq!(selected["accountEnabled"], true);
    assert_eq!(selected["creationType"], "Invitation");
    assert_eq!(selected["externalUserState"], "PendingAcceptance");
    assert_eq!(selected["userPrincipalName"], "mallory_evil.example#EXT#@contoso.onmicrosoft.com");
    assert_eq!(selected["identities"][0]["issuer"], "contoso.onmicrosoft.com");
    assert_eq!(
        selected["sponsors"],
        json!([{"@odata.type": "#microsoft.graph.user", "id": contoso::ALICE.to_string(), "displayName": "Alice"}])
    );
    assert!(selected.get("mail").is_none());
}

#[tokio::test]
async fn redeeming_changes_the_identities() {
    let world = World::new().await;
    let token = world.reader().await;
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    for (how, issuer) in [(Redeem::Entra, "ExternalAzureAD"), (Redeem::OneTimePasscode, "mail")] {
        world.simulator.tenant().redeem(guest, how).unwrap();
        let read = world.get(&token, &format!("/users/{guest}?$select=identities,externalUserState")).await;
        assert_eq!(
            read.body["identities"][0],
            json!({"signInType": "federated", "issuer": issuer, "issuerAssignedId": null})
        );
        assert_eq!(read.body["externalUserState"], "Accepted");
    }
}

#[tokio::test]
async fn what_microsoft_does_not_describe_is_refused() {
    let world = World::new().await;
    let token = world.reader().await;
    let alice = contoso::ALICE;
    for (path, status) in [
        (format!("/users/{alice}?$select=id,nickname"), 400),
        (format!("/users/{alice}?$expand=friends"), 400),
        (format!("/users/{alice}?$expand=sponsors,manager"), 400),
        (format!("/users/{alice}?$expand=sponsors($top=1)"), 400),
        (format!("/users/{alice}?$filter=id eq '1'"), 400),
        (format!("/users/{alice}?$select=sponsors"), 400),
        ("/users?$top=1000".to_owned(), 400),
        ("/users?$skip=10".to_owned(), 400),
        ("/users?$filter=nickname eq 'x'".to_owned(), 400),
        ("/users?$filter=identities/any(i:i/assigner eq 'x')".to_owned(), 400),
        ("/users?$filter=displayName/length eq 'x'".to_owned(), 400),
        ("/users?$filter=aboutMe eq 'x'".to_owned(), 400),
        ("/users?$filter=userType eq Guest".to_owned(), 400),
        ("/users?$filter=userType ne 'Guest'".to_owned(), 400),
        ("/users?$filter=userType eq 'Guest".to_owned(), 400),
        ("/users?$count=true".to_owned(), 400),
        ("/me".to_owned(), 400),
        ("/users/nobody@contoso.com".to_owned(), 404),
        ("/groups/nothing".to_owned(), 400),
        ("/users//".to_owned(), 400),
    ] {
        let answer = world.get(&token, &path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.body["error"]["innerError"]["request-id"].is_string(), "{path}");
    }
    let beta = format!("{}/beta/users", world.simulator.url());
    world.get(&token, &beta).await.expect(400);
}

#[tokio::test]
async fn every_answer_carries_its_ids_and_its_cost() {
    let world = World::new().await;
    let token = world.reader().await;
    let request =
        world.request(&token, "GET", "/users?$select=id&$top=5", None).header("client-request-id", "ours");
    let answer = read(request).await;
    assert_eq!(answer.headers["client-request-id"], "ours");
    assert!(!answer.headers["request-id"].is_empty());
    assert_eq!(answer.headers["x-ms-resource-unit"], "1");
    let traffic = world.simulator.traffic();
    assert_eq!(
        (traffic.round_trips, traffic.requests, traffic.resource_units, traffic.token_requests),
        (1, 1, 1, 1)
    );
    world.get(&token, "/users").await.expect(200);
    assert_eq!(world.simulator.traffic().resource_units, 3);
}

#[tokio::test]
async fn filters_find_what_they_name() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE)).to_string();
    let local = tenant.add_user(NewUser::local_guest("temp@contoso.com")).to_string();
    let (alice, bob) = (contoso::ALICE.to_string(), contoso::BOB.to_string());
    let check = async |filter: &str, expected: &[&str]| {
        let answer = world.get(&token, &format!("/users?$select=id&$filter={filter}")).await;
        assert_eq!(answer.ids(), expected, "{filter}");
    };
    check("userType eq 'Guest'", &[&guest, &local]).await;
    check("userType eq 'guest' and creationType eq 'Invitation'", &[&guest]).await;
    check("startswith(displayName,'Al')", &[&alice]).await;
    check(&format!("id in ('{alice}','{bob}')"), &[&alice, &bob]).await;
    check("accountEnabled eq false", &[]).await;
    check("creationType eq null and userType eq 'Guest'", &[&local]).await;
    check("mail eq 'o''brien@evil.example'", &[]).await;
    check("createdDateTime ge 2026-11-20T00:00:00Z", &[&guest, &local]).await;
    check("identities/any(i:i/issuer eq 'contoso.onmicrosoft.com' and i/signInType eq 'federated')", &[])
        .await;
    check("proxyAddresses/any(p:startswith(p,'SMTP:mallory'))", &[&guest]).await;
    let path = "/users?$select=id&$count=true&$filter=not(userType eq 'Member')";
    let advanced =
        read(world.request(&token, "GET", path, None).header("consistencylevel", "eventual")).await;
    assert_eq!(advanced.expect(200)["@odata.count"], 2);
    let count =
        read(world.request(&token, "GET", "/users/$count", None).header("consistencylevel", "eventual"))
            .await;
    assert_eq!(count.body, json!(5));
    let sixteen = vec!["'x'"; 16].join(",");
    world.get(&token, &format!("/users?$filter=id in ({sixteen})")).await.expect(400);
}

#[tokio::test]
async fn pages_lead_to_each_other_until_the_end() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    for number in 0..7 {
        tenant.invite(Invite::new(&format!("guest{number}@fabrikam.com"), contoso::ALICE));
    }
    let mut link = "/users?$select=id,displayName&$top=4".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.get(&token, &link).await;
        seen.extend(page.values().iter().map(|user| user["displayName"].as_str().unwrap().to_owned()));
        match page.body.get("@odata.nextLink").and_then(Value::as_str) {
            Some(next) => {
                assert!(next.starts_with(&world.simulator.url()) && next.contains("$select="), "{next}");
                link = next.to_owned();
            }
            None => break,
        }
    }
    assert_eq!(
        seen,
        ["Alice", "Bob", "Carol", "guest0", "guest1", "guest2", "guest3", "guest4", "guest5", "guest6"]
    );
    let stolen = link.replace("$top=4", "$top=5");
    world.get(&token, &stolen).await.expect(400);
}

#[tokio::test]
async fn memberships_show_groups_roles_and_what_lies_behind_them() {
    let world = World::new().await;
    let token = world.reader().await;
    let master = world.master().await;
    let tenant = world.simulator.tenant();
    let inner = tenant.create_group(NewGroup { members: vec![contoso::BOB], ..NewGroup::named("Inner") });
    tenant.add_member(contoso::MARKETING, inner).unwrap();
    tenant.assign_role(contoso::BOB, "Reports Reader").unwrap();
    let names = |answer: &crate::world::Answer| {
        let mut names: Vec<String> = answer
            .values()
            .iter()
            .map(|value| {
                format!(
                    "{}/{}",
                    value["@odata.type"].as_str().unwrap_or("-"),
                    value["displayName"].as_str().unwrap_or("-")
                )
            })
            .collect();
        names.sort();
        names
    };
    let bob = contoso::BOB;
    let direct = world.get(&master, &format!("/users/{bob}/memberOf?$select=id,displayName")).await;
    assert_eq!(
        names(&direct),
        [
            "#microsoft.graph.directoryRole/Reports Reader",
            "#microsoft.graph.group/Finance Board",
            "#microsoft.graph.group/Inner"
        ]
    );
    let all = world
        .get(&token, &format!("/users/{bob}/transitiveMemberOf?$select=id,displayName,isAssignableToRole"))
        .await;
    // The reader may not read roles: type and id are all that it sees.
    assert_eq!(
        names(&all),
        [
            "#microsoft.graph.directoryRole/-",
            "#microsoft.graph.group/Finance Board",
            "#microsoft.graph.group/Inner",
            "#microsoft.graph.group/Marketing"
        ]
    );
    let groups =
        world.get(&token, &format!("/users/{bob}/transitiveMemberOf/graph.group?$select=displayName")).await;
    assert_eq!(names(&groups), ["-/Finance Board", "-/Inner", "-/Marketing"]);
    let owned =
        world.get(&token, &format!("/users/{}/ownedObjects?$select=id,displayName", contoso::ALICE)).await;
    assert_eq!(names(&owned), ["#microsoft.graph.group/Marketing"]);
    let members = world
        .get(&token, &format!("/groups/{}/transitiveMembers?$select=displayName", contoso::MARKETING))
        .await;
    assert_eq!(names(&members), ["#microsoft.graph.group/Inner", "#microsoft.graph.user/Bob"]);
}

#[tokio::test]
async fn group_labels_need_select_and_other_objects_are_found_by_id() {
    let world = World::new().await;
    let token = world.reader().await;
    let master = world.master().await;
    let tenant = world.simulator.tenant();
    let finance = world.get(&token, &format!("/groups/{}", contoso::FINANCE)).await;
    assert!(finance.expect(200).get("assignedLabels").is_none());
    assert_eq!(finance.body["securityEnabled"], true);
    let path = format!("/groups/{}?$select=assignedLabels,groupTypes", contoso::FINANCE);
    assert_eq!(world.get(&token, &path).await.body["assignedLabels"][0]["displayName"], "Confidential");
    let device = tenant.add_object(OtherKind::Device, "Laptop");
    world.get(&token, &format!("/users/{device}")).await.expect_error(404, "Request_ResourceNotFound");
    world
        .get(&token, &format!("/directoryObjects/{device}"))
        .await
        .expect_error(403, "Authorization_RequestDenied");
    let object = world.get(&master, &format!("/directoryObjects/{device}")).await;
    assert_eq!(object.expect(200)["@odata.type"], "#microsoft.graph.device");
    let ids = json!({"ids": [device.to_string(), contoso::BOB.to_string(), uuid::Uuid::from_u128(3).to_string()], "types": ["user", "device"]});
    let both = world.call(&master, "POST", "/directoryObjects/getByIds", Some(ids)).await;
    assert_eq!(both.values().len(), 2);
    assert!(world.simulator.take_writes().is_empty());
    let team = tenant.create_group(NewGroup { kind: GroupKind::Team, ..NewGroup::named("Team") });
    let team = world
        .get(&token, &format!("/groups/{team}?$select=groupTypes,resourceProvisioningOptions,mailEnabled"))
        .await;
    assert_eq!((&team.body["groupTypes"], &team.body["mailEnabled"]), (&json!(["Unified"]), &json!(true)));
    assert_eq!(team.body["resourceProvisioningOptions"], json!(["Team"]));
}

#[tokio::test]
async fn the_organization_names_its_domains() {
    let world = World::new().await;
    let token = world.reader().await;
    let answer = world.get(&token, "/organization?$select=id,displayName,verifiedDomains").await;
    let domains: Vec<&str> = answer.values()[0]["verifiedDomains"]
        .as_array()
        .unwrap()
        .iter()
        .map(|domain| domain["name"].as_str().unwrap())
        .collect();
    assert_eq!(domains, ["contoso.onmicrosoft.com", "contoso.com"]);
    assert_eq!(answer.values()[0]["id"], contoso::TENANT.to_string());
}

#[tokio::test]
async fn an_invitation_leaves_its_rows_in_the_audit_when_the_lag_is_over() {
    let world = World::new().await;
    let token = world.reader().await;
    world.simulator.set_faults(|faults| faults.audit_lag = jiff::SignedDuration::from_mins(5));
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let filter =
        format!("activityDisplayName eq 'Invite external user' and targetResources/any(t:t/id eq '{guest}')");
    let path = format!("/auditLogs/directoryAudits?$filter={filter}");
    assert!(world.get(&token, &path).await.values().is_empty());
    world.pass(jiff::SignedDuration::from_mins(5));
    let rows = world.get(&token, &path).await;
    assert_eq!(rows.values().len(), 1);
    let row = &rows.values()[0];
    assert_eq!(row["initiatedBy"]["user"]["id"], contoso::ALICE.to_string());
    let address = row["additionalDetails"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair["key"] == "invitedUserEmailAddress");
    assert_eq!(address.unwrap()["value"], "mallory@evil.example");
}
