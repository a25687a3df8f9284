//! Groups: whose they are, who is in them, and what a name stands for. Whole, or not at all.

use std::time::Duration;

use graph::{GraphError, LinkedKind, Reader};
use model::ObjectId;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GROUP, GUEST, user};

const SELECT: &str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,isAssignableToRole,visibility,\
    resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,isManagementRestricted,assignedLabels";

fn of(id: ObjectId, path: &str) -> String {
    format!("GET /users/{id}{path}")
}

fn id(n: u128) -> ObjectId {
    ObjectId::from_u128(n)
}

fn object(kind: &str, id: ObjectId, name: &str) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": id, "displayName": name, "mailEnabled": false,
        "securityEnabled": true, "groupTypes": []})
}

fn list(items: &[Value]) -> Answer {
    Answer::json(200, &json!({"value": items}))
}

fn nobody_in_particular(fake: &Fake, guest: ObjectId) {
    fake.always(&of(guest, ""), Answer::json(200, &json!({"id": guest, "userType": "Guest"})));
    fake.always(&of(guest, "/memberOf"), list(&[object("group", GROUP, "Sales")]));
    fake.always(&of(guest, "/ownedObjects"), list(&[]));
    fake.always(&of(guest, "/transitiveMemberOf"), list(&[]));
}

#[tokio::test]
async fn a_user_and_his_groups_are_one_round_trip() {
    let fake = Fake::start().await;
    nobody_in_particular(&fake, GUEST);
    let mixed = [
        object("group", id(2), "Sales"),
        object("directoryRole", id(3), "Helpdesk"),
        object("administrativeUnit", id(4), "Unit"),
        json!({"@odata.type": "#microsoft.graph.group", "id": id(1), "displayName": null, "groupTypes": []}),
    ];
    fake.always(&of(GUEST, "/memberOf"), list(&mixed));
    let owned = [object("application", id(5), "App"), object("group", id(6), "Owned")];
    fake.always(&of(GUEST, "/ownedObjects"), list(&owned));
    let (user, read) = fake.reader().user_and_memberships(GUEST).await.unwrap();
    assert_eq!(user.id, GUEST);
    let ids = |groups: &[graph::Group]| groups.iter().map(|group| group.id).collect::<Vec<_>>();
    assert_eq!((ids(&read.member_of), ids(&read.owner_of)), (vec![id(1), id(2)], vec![id(6)]));
    assert_eq!(read.member_of[0].is_assignable_to_role, None, "withheld is not no");
    assert_eq!(read.member_of[1].is_assignable_to_role, Some(false));
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 1);
    for path in ["/memberOf", "/ownedObjects"] {
        assert_eq!(fake.seen(&of(GUEST, path))[0].query, format!("{SELECT}&$top=999"));
    }
}

#[tokio::test]
async fn groups_are_followed_over_all_their_pages_and_half_of_them_is_no_answer() {
    let fake = Fake::start().await;
    nobody_in_particular(&fake, GUEST);
    let page = |from: u128, to: u128, next: Option<String>| {
        let items: Vec<Value> = (from..to).map(|n| object("group", id(n), "Sales")).collect();
        Answer::json(200, &json!({"value": items, "@odata.nextLink": next}))
    };
    let path = format!("/v1.0/users/{GUEST}/memberOf");
    let next = |n: u8| Some(format!("{}{path}?$skiptoken={n}", fake.url));
    fake.always(&of(GUEST, "/memberOf"), page(1, 1000, next(1)));
    fake.next(&format!("GET {path}"), page(1000, 1999, next(2)));
    // Pages may overlap.
    fake.next(&format!("GET {path}"), page(1998, 2100, None));
    let (_, read) = fake.reader().user_and_memberships(GUEST).await.unwrap();
    assert_eq!(read.member_of.len(), 2099);

    fake.next(&format!("GET {path}"), page(1000, 1999, next(2)));
    fake.next(&format!("GET {path}"), Answer::error(403, "Authorization_RequestDenied"));
    let error = fake.reader().user_and_memberships(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Forbidden { .. }), "{error}");

    for link in ["https://evil.example/v1.0/x?$skiptoken=2", "//evil.example/v1.0/x", "memberOf?$skiptoken=2"]
    {
        fake.next(&of(GUEST, "/memberOf"), page(1, 2, Some(link.to_owned())));
        let error = fake.reader().user_and_memberships(GUEST).await.unwrap_err();
        assert!(error.to_string().contains("does not lead to Graph"), "{error}");
    }
    for item in [json!({"id": id(1)}), json!("x"), json!({"@odata.type": "#microsoft.graph.group", "id": 7})]
    {
        fake.next(&of(GUEST, "/memberOf"), list(&[item]));
        let error = fake.reader().user_and_memberships(GUEST).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_groups_of_many_are_read_ten_guests_at_a_time_each_with_his_own_result() {
    let fake = Fake::start().await;
    let guests: Vec<ObjectId> = (100..123).map(id).collect();
    for guest in &guests {
        nobody_in_particular(&fake, *guest);
    }
    let (gone, busy) = (guests[4], guests[12]);
    fake.always(&of(gone, "/memberOf"), Answer::error(404, "Request_ResourceNotFound"));
    fake.next(&of(busy, "/ownedObjects"), Answer::busy(429, "0.05"));
    let found = fake.reader().memberships(&guests).await;
    let order: Vec<ObjectId> = found.iter().map(|(guest, _)| *guest).collect();
    assert_eq!(order, guests);
    for (guest, read) in &found {
        match read {
            Ok(read) => assert_eq!((read.member_of.len(), *guest == gone), (1, false)),
            Err(error) => assert!(matches!(error, GraphError::NotFound { .. }) && *guest == gone, "{error}"),
        }
    }
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 4, "three, and one for what was throttled");
    assert_eq!(fake.seen(&of(busy, "/ownedObjects")).len(), 2);
    assert_eq!(fake.seen(&of(busy, "/memberOf")).len(), 1);
    assert!(fake.reader().memberships(&[]).await.is_empty());
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 4, "nobody is nothing to ask");
}

#[tokio::test]
async fn a_graph_that_is_away_is_not_asked_again_for_everybody() {
    let fake = Fake::start().await;
    let guests: Vec<ObjectId> = (100..130).map(id).collect();
    for guest in &guests {
        nobody_in_particular(&fake, *guest);
    }
    // The first batch is answered but for one part; then Graph is busy for longer than we wait.
    fake.next(&of(guests[3], "/memberOf"), Answer::busy(429, "0"));
    fake.after_one("POST /v1.0/$batch", Answer::busy(429, "90"));
    let reader = Reader::new(fake.client(Duration::from_millis(300)));
    let found = reader.memberships(&guests).await;
    assert_eq!(found.len(), 30);
    for (place, (_, read)) in found.into_iter().enumerate() {
        match read {
            Ok(_) => assert!(place < 10 && place != 3, "{place}"),
            Err(error) => assert!(
                matches!(error, GraphError::Throttled { .. }) && (place == 3 || place >= 10),
                "{place}: {error}"
            ),
        }
    }
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 2);
}

#[tokio::test]
async fn everything_about_a_user_is_one_round_trip_that_asks_for_what_he_owns_once() {
    let fake = Fake::start().await;
    nobody_in_particular(&fake, GUEST);
    let roles = [
        object("directoryRole", id(3), "Helpdesk"),
        object("group", GROUP, "Sales"),
        object("group", id(7), "All of Sales"),
    ];
    fake.always(&of(GUEST, "/transitiveMemberOf"), list(&roles));
    let mut owned = object("group", id(6), "Operators");
    owned["isAssignableToRole"] = json!(true);
    fake.always(&of(GUEST, "/ownedObjects"), list(&[owned]));
    let (user, standing, memberships) = fake.reader().everything(GUEST).await.unwrap();
    assert_eq!(user.id, GUEST);
    assert_eq!(
        (standing.directory_roles, standing.role_assignable_groups),
        (vec!["Helpdesk".to_owned()], vec![id(6)])
    );
    assert_eq!(standing.groups.into_iter().collect::<Vec<_>>(), [id(7), GROUP]);
    assert_eq!((memberships.member_of[0].id, memberships.owner_of[0].id), (GROUP, id(6)));
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 1);
    assert_eq!(fake.seen(&of(GUEST, "/ownedObjects")).len(), 1);

    fake.next(&of(GUEST, "/memberOf"), Answer::error(403, "Authorization_RequestDenied"));
    assert!(matches!(fake.reader().everything(GUEST).await, Err(GraphError::Forbidden { .. })));
}

fn group_answer(group: ObjectId) -> Answer {
    Answer::json(
        200,
        &json!({"id": group, "displayName": "Sales", "mailEnabled": true, "securityEnabled": false}),
    )
}

#[tokio::test]
async fn a_group_its_owners_and_the_ids_that_a_change_names_are_one_round_trip() {
    let fake = Fake::start().await;
    let (group, owners) = (format!("GET /groups/{GROUP}"), format!("GET /groups/{GROUP}/owners"));
    let device = id(9);
    // Ids in upper case name the same objects.
    let shouted = GROUP.to_string().to_uppercase();
    let sales = json!({"id": shouted, "displayName": "Sales", "mailEnabled": true, "securityEnabled": false});
    fake.always(&group, Answer::json(200, &sales));
    let kinds = [("user", id(21)), ("servicePrincipal", id(22)), ("device", id(23))];
    fake.always(&owners, list(&kinds.map(|(kind, id)| object(kind, id, "x"))));
    fake.always(&of(GUEST, ""), user());
    let (read, users) = fake.reader().group_and_users(GROUP, &[device, GUEST]).await;
    let read = read.unwrap();
    assert_eq!((read.group.id, read.group.display_name.as_deref()), (GROUP, Some("Sales")));
    let found: Vec<_> = read.owners.iter().map(|owner| (owner.id, owner.kind)).collect();
    let expected =
        [(id(21), LinkedKind::User), (id(22), LinkedKind::ServicePrincipal), (id(23), LinkedKind::Other)];
    assert_eq!(found, expected);
    assert_eq!((users[0].0, users[1].0), (device, GUEST));
    assert!(matches!(users[0].1, Err(GraphError::NotFound { .. })), "an id that is no user");
    assert_eq!(users[1].1.as_ref().unwrap().id, GUEST);
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 1);
    assert_eq!(
        (fake.seen(&group)[0].query.as_str(), fake.seen(&owners)[0].query.as_str()),
        (SELECT, "$select=id&$top=999")
    );
    assert!(fake.seen(&of(GUEST, ""))[0].query.contains("$expand=sponsors("));
}

#[tokio::test]
async fn eighteen_ids_fit_into_the_round_trip_of_the_group_and_more_into_further_ones() {
    for (count, trips) in [(0, 1), (18, 1), (19, 2), (38, 2), (39, 3)] {
        let fake = Fake::start().await;
        fake.always(&format!("GET /groups/{GROUP}"), group_answer(GROUP));
        fake.always(&format!("GET /groups/{GROUP}/owners"), list(&[]));
        let ids: Vec<ObjectId> = (100..100 + count).map(id).collect();
        for id in &ids {
            nobody_in_particular(&fake, *id);
        }
        let (group, users) = fake.reader().group_and_users(GROUP, &ids).await;
        assert!(group.is_ok() && users.iter().all(|(id, user)| user.as_ref().unwrap().id == *id));
        assert_eq!((users.len(), fake.seen("POST /v1.0/$batch").len()), (ids.len(), trips), "{count}");
    }
}

#[tokio::test]
async fn trouble_with_the_group_is_not_trouble_with_the_users_and_the_other_way_round() {
    let fake = Fake::start().await;
    let (group, owners) = (format!("GET /groups/{GROUP}"), format!("GET /groups/{GROUP}/owners"));
    fake.always(&of(GUEST, ""), user());
    fake.always(&owners, list(&[]));
    for (answer, readable) in [
        (Answer::error(403, "Authorization_RequestDenied"), false),
        (Answer::error(404, "Request_ResourceNotFound"), false),
        (group_answer(GUEST), false),
        (Answer::json(200, &json!({"displayName": "Sales"})), false),
        (group_answer(GROUP), true),
    ] {
        fake.next(&group, answer);
        let (read, users) = fake.reader().group_and_users(GROUP, &[GUEST]).await;
        assert_eq!((read.is_ok(), users[0].1.is_ok()), (readable, true));
    }
    fake.always(&group, group_answer(GROUP));
    fake.next(&owners, Answer::error(403, "Authorization_RequestDenied"));
    let (read, _) = fake.reader().group_and_users(GROUP, &[]).await;
    assert!(
        matches!(read, Err(GraphError::Forbidden { .. })),
        "a group without its owners is half an answer"
    );
    fake.always(&of(GUEST, ""), Answer::json(200, &json!({"id": id(5)})));
    let (read, users) = fake.reader().group_and_users(GROUP, &[GUEST]).await;
    assert!(read.is_ok() && matches!(users[0].1, Err(GraphError::Unreadable { .. })), "somebody else");
}

#[tokio::test]
async fn owners_are_followed_over_their_pages_and_only_at_graph() {
    let fake = Fake::start().await;
    fake.always(&format!("GET /groups/{GROUP}"), group_answer(GROUP));
    let path = format!("/v1.0/groups/{GROUP}/owners");
    let page = |n: u128, next: Option<&str>| {
        Answer::json(200, &json!({"value": [object("user", id(n), "x")], "@odata.nextLink": next}))
    };
    let next = format!("{}{path}?$skiptoken=2", fake.url);
    fake.next(&format!("GET /groups/{GROUP}/owners"), page(1, Some(&next)));
    fake.next(&format!("GET {path}"), page(2, None));
    let (read, _) = fake.reader().group_and_users(GROUP, &[]).await;
    assert_eq!(read.unwrap().owners.len(), 2);
    fake.next(&format!("GET /groups/{GROUP}/owners"), page(1, Some("https://evil.example/v1.0/x")));
    let (read, _) = fake.reader().group_and_users(GROUP, &[]).await;
    assert!(read.unwrap_err().to_string().contains("does not lead to Graph"));
}

#[tokio::test]
async fn members_come_page_by_page_and_only_those_that_are_users() {
    let fake = Fake::start().await;
    let path = format!("/v1.0/groups/{GROUP}/members");
    let what = format!("GET {path}");
    let next = format!("{}{path}?$skiptoken=2", fake.url);
    let mut items: Vec<Value> = (1..=996)
        .map(|n| {
            json!({"@odata.type": "#microsoft.graph.user", "id": id(n), "userType": "Guest",
            "identities": [{"signInType": "federated", "issuer": "mail", "issuerAssignedId": null}]})
        })
        .collect();
    for (n, kind) in [(2001, "group"), (2002, "device"), (2003, "servicePrincipal")] {
        items.push(object(kind, id(n), "x"));
    }
    fake.next(&what, Answer::json(200, &json!({"value": items, "@odata.nextLink": next})));
    // Of somebody whom the app may not read only the type and the id are shown.
    let withheld = json!({"@odata.type": "#microsoft.graph.user", "id": GUEST.to_string().to_uppercase(), "userType": null});
    fake.next(&what, list(&[withheld]));
    let reader = fake.reader();
    let first = reader.members_page(GROUP, None).await.unwrap();
    assert_eq!(first.items.len(), 996);
    assert_eq!(
        (first.items[0].user_type.as_deref(), first.items[0].identities.as_ref().unwrap().len()),
        (Some("Guest"), 1)
    );
    let second = reader.members_page(GROUP, first.next).await.unwrap();
    assert_eq!((second.items[0].id, second.items[0].user_type.as_ref(), second.next), (GUEST, None, None));
    let queries: Vec<String> = fake.seen(&what).into_iter().map(|seen| seen.query).collect();
    let select = "$select=id,userType,identities,creationType,externalUserState&$top=999";
    assert_eq!(queries, [select, "$skiptoken=2"]);

    for item in [json!({"id": GUEST}), json!({"@odata.type": "#microsoft.graph.user", "id": "x"}), json!(7)] {
        fake.next(&what, list(&[item]));
        let error = reader.members_page(GROUP, None).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
    }
    fake.next(
        &what,
        Answer::json(200, &json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/x"})),
    );
    let error = reader.members_page(GROUP, None).await.unwrap_err();
    assert!(error.to_string().contains("does not lead to Graph"), "{error}");
}

#[tokio::test]
async fn a_name_is_asked_for_as_a_text_and_all_that_bear_it_are_found() {
    let fake = Fake::start().await;
    let what = "GET /v1.0/groups";
    let next = format!("{}/v1.0/groups?$skiptoken=2", fake.url);
    let two =
        json!({"value": [{"id": id(2)}, {"id": id(1).to_string().to_uppercase()}], "@odata.nextLink": next});
    fake.next(what, Answer::json(200, &two));
    fake.next(what, list(&[json!({"id": id(2)}), json!({"id": id(3)})]));
    let name = "O'Brien' or startswith(displayName,'') & $select=x#";
    assert_eq!(fake.reader().groups_named(name).await, Ok(vec![id(1), id(2), id(3)]));
    let query = fake.seen(what)[0].query.clone();
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let filter = "displayName eq 'O''Brien'' or startswith(displayName,'''') & $select=x#'";
    let expected = [("$filter", filter), ("$select", "id"), ("$top", "999")];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!query.contains('+'), "{query}");

    fake.next(what, list(&[]));
    assert_eq!(fake.reader().groups_named("Nothing").await, Ok(Vec::new()));
    fake.next(what, list(&[json!({"id": "x"})]));
    assert!(matches!(fake.reader().groups_named("x").await, Err(GraphError::Unreadable { .. })));
}

#[tokio::test]
async fn guests_are_counted_without_being_listed() {
    let fake = Fake::start().await;
    let what = "GET /v1.0/users/$count";
    for (text, count) in [("0", 0), ("\u{feff}4711", 4711), (" 12\r\n", 12)] {
        fake.next(what, Answer::text(200, text));
        assert_eq!(fake.reader().count_guests().await, Ok(count));
    }
    let seen = &fake.seen(what)[0];
    assert_eq!((seen.header("consistencylevel"), seen.header("accept")), ("eventual", "text/plain"));
    let pairs: Vec<_> = url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
    assert_eq!(pairs, [("$filter".to_owned(), "userType eq 'Guest'".to_owned())]);
    for text in ["", "many", "-1", "1.5", "{\"value\": 1}", "99999999999999999999"] {
        fake.next(what, Answer::text(200, text));
        let error = fake.reader().count_guests().await.unwrap_err();
        assert!(error.to_string().contains("not a count"), "{error}");
    }
    fake.next(what, Answer::error(403, "Authorization_RequestDenied"));
    assert!(matches!(fake.reader().count_guests().await, Err(GraphError::Forbidden { .. })));
    let other = Fake::start().await;
    other.always(&format!("GET /v1.0/users/{GUEST}"), user());
    other.reader().user(GUEST).await.unwrap();
    let plain = &other.seen(&format!("GET /v1.0/users/{GUEST}"))[0];
    assert_eq!((plain.header("consistencylevel"), plain.header("accept")), ("", "application/json"));
}
