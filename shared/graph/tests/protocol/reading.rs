//! Reads one by one, and page by page.

use graph::{Deleted, GraphError, Page, Whereabouts};
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GROUP, GUEST, TENANT, user, user_path};

#[tokio::test]
async fn a_user_is_asked_for_with_every_property_and_his_sponsors() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let found = fake.reader().user(GUEST).await.unwrap();
    assert_eq!(found.mail.as_deref(), Some("mallory@evil.example"));
    let expected = "$select=id,displayName,userPrincipalName,mail,otherMails,proxyAddresses,identities,userType,\
        creationType,externalUserState,externalUserStateChangeDateTime,accountEnabled,createdDateTime,\
        onPremisesSyncEnabled,isManagementRestricted,companyName&$expand=sponsors($select=id,displayName)";
    assert_eq!(fake.seen(&user_path())[0].query, expected);
}

#[tokio::test]
async fn the_time_is_asked_for_without_a_token_and_from_an_answer_that_refuses() {
    let fake = Fake::start().await;
    let client = fake.reader().client().clone();
    client.ask_the_time().await.unwrap();
    let seen = fake.seen("GET /v1.0/organization");
    let shown = seen[0].headers.get("authorization").map(|value| value.to_str().unwrap());
    assert_eq!((seen.len(), shown), (1, Some("Bearer none")), "Graph's description of it wants one");
    assert_eq!(fake.granted(), 0, "no token was asked for");
    let nowhere = Fake::start().await.at("http://127.0.0.1:1".to_owned());
    let error = nowhere.reader().client().ask_the_time().await.unwrap_err();
    assert!(error.to_string().starts_with("reach Microsoft"), "{error}");
}

#[tokio::test]
async fn an_answer_about_somebody_else_or_that_is_no_json_is_unreadable() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    for answer in [
        Answer::json(200, &json!({"id": GROUP})),
        Answer::json(200, &json!({})),
        Answer::json(200, &Value::Null),
        Answer::text(200, "<html>sign in</html>"),
        Answer::text(200, &"[".repeat(200_000)),
        Answer::text(404, "<html>no such page</html>"),
    ] {
        fake.next(&user_path(), answer);
        let error = reader.user(GUEST).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
    }
    fake.next(&user_path(), Answer::text(200, &" ".repeat(17 * 1024 * 1024)));
    let error = reader.user(GUEST).await.unwrap_err();
    assert!(error.to_string().contains("is longer than"), "{error}");
}

#[tokio::test]
async fn a_soft_deleted_user_is_found_in_the_recycle_bin() {
    let fake = Fake::start().await;
    let path = format!("GET /v1.0/directory/deletedItems/{GUEST}");
    assert_eq!(fake.reader().deleted_user(GUEST).await, Ok(None));
    let deleted = Deleted { at: Some("2026-11-20T09:00:00Z".parse().unwrap()) };
    for (kind, expected) in [("user", Some(deleted)), ("group", None)] {
        let kind = format!("#microsoft.graph.{kind}");
        let item = json!({"@odata.type": kind, "id": GUEST, "deletedDateTime": "2026-11-20T09:00:00Z"});
        fake.next(&path, Answer::json(200, &item));
        assert_eq!(fake.reader().deleted_user(GUEST).await, Ok(expected));
    }
    assert_eq!(fake.seen(&path)[0].query, "$select=id,deletedDateTime");
    fake.next(&path, Answer::error(403, "Authorization_RequestDenied"));
    assert!(matches!(fake.reader().deleted_user(GUEST).await, Err(GraphError::Forbidden { .. })));
}

#[tokio::test]
async fn what_graph_does_not_know_is_deleted_only_where_the_deleted_items_have_it() {
    let (live, item) = (format!("GET /users/{GUEST}"), format!("GET /directory/deletedItems/{GUEST}"));
    let deleted = json!({"@odata.type": "#microsoft.graph.user", "id": GUEST, "deletedDateTime": null});
    let fake = Fake::start().await;
    let unknown = fake.reader().whereabouts(GUEST).await;
    assert!(matches!(unknown, Err(GraphError::NotFound { .. })), "{unknown:?}");
    fake.always(&item, Answer::json(200, &deleted));
    let found = fake.reader().whereabouts(GUEST).await;
    assert_eq!(found, Ok(Whereabouts::Deleted(Deleted { at: None })));
    // One replica has heard of it and another has not: whoever can be read is there.
    fake.always(&live, user());
    let found = fake.reader().whereabouts(GUEST).await.unwrap();
    assert!(matches!(found, Whereabouts::Here(_)), "{found:?}");
    fake.always(&live, Answer::error(403, "Authorization_RequestDenied"));
    assert!(matches!(fake.reader().whereabouts(GUEST).await, Err(GraphError::Forbidden { .. })));
}

#[tokio::test]
async fn what_a_deleted_user_was_is_asked_of_the_list_of_deleted_users() {
    let fake = Fake::start().await;
    let path = "GET /v1.0/directory/deletedItems/microsoft.graph.user";
    fake.next(path, Answer::json(200, &json!({"value": []})));
    assert_eq!(fake.reader().deleted_properties(GUEST).await, Ok(None));
    fake.next(path, Answer::json(200, &json!({"value": [{"id": GUEST, "mail": "mallory@evil.example"}]})));
    let found = fake.reader().deleted_properties(GUEST).await.unwrap().unwrap();
    assert_eq!((found.mail.as_deref(), found.sponsors), (Some("mallory@evil.example"), None));
    let query = &fake.seen(path)[0].query;
    assert!(query.starts_with("$filter=id%20eq%20%27") && query.contains("&$select=id,"), "{query}");
    fake.next(path, Answer::json(200, &json!({"value": [{"id": GROUP}]})));
    let somebody_else = fake.reader().deleted_properties(GUEST).await;
    assert!(matches!(somebody_else, Err(GraphError::Unreadable { .. })), "{somebody_else:?}");
}

#[tokio::test]
async fn the_tenant_tells_its_verified_domains_or_nothing() {
    let fake = Fake::start().await;
    let path = "GET /v1.0/organization";
    let domains = json!([{"name": "contoso.onmicrosoft.com", "isInitial": true}, {"name": "contoso.com"}]);
    let tenant = json!({"id": TENANT, "displayName": "Contoso", "verifiedDomains": domains});
    fake.next(path, Answer::json(200, &json!({"value": [tenant]})));
    let organization = fake.reader().organization().await.unwrap();
    assert_eq!((organization.id, organization.display_name.as_deref()), (TENANT, Some("Contoso")));
    assert_eq!(organization.verified_domains, ["contoso.onmicrosoft.com", "contoso.com"]);
    for value in [
        json!([]),
        json!([{"id": TENANT}]),
        json!([{"id": TENANT, "verifiedDomains": []}]),
        json!([{"id": TENANT, "verifiedDomains": [{}]}]),
        json!({}),
    ] {
        fake.next(path, Answer::json(200, &json!({"value": value})));
        let error = fake.reader().organization().await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
    }
}

#[tokio::test]
async fn all_users_come_page_by_page_and_only_from_graph() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let path = "GET /v1.0/users";
    let next = format!("{}/v1.0/users?$skiptoken=abc%20d", fake.url);
    let first = json!({"value": [{"id": GUEST}], "@odata.nextLink": next});
    fake.next(path, Answer::json(200, &first));
    fake.next(path, Answer::json(200, &json!({"value": []})));
    let Page { items, next } = reader.users_page(None).await.unwrap();
    assert_eq!(items[0].id, GUEST);
    assert!(fake.seen(path)[0].query.ends_with("&$top=999"));
    let Page { items, next } = reader.users_page(next).await.unwrap();
    assert_eq!((items.len(), next), (0, None));
    assert_eq!(fake.seen(path)[1].query, "$skiptoken=abc%20d", "a link is used as it was given");

    for link in ["https://evil.example/v1.0/users?$skiptoken=1", "/v1.0/users", "file:///etc/passwd", ""] {
        fake.next(path, Answer::json(200, &json!({"value": [], "@odata.nextLink": link})));
        let error = reader.users_page(None).await.unwrap_err();
        assert!(error.to_string().contains("does not lead to Graph"), "{error}");
    }
    fake.next(path, Answer::json(200, &json!({"value": [{"id": "x"}]})));
    assert!(matches!(reader.users_page(None).await, Err(GraphError::Unreadable { .. })));
}

#[tokio::test]
async fn a_page_that_names_itself_as_the_next_one_does_not_turn_in_circles() {
    let fake = Fake::start().await;
    let next = format!("{}/v1.0/users?$skiptoken=1", fake.url);
    fake.always("GET /v1.0/users", Answer::json(200, &json!({"value": [], "@odata.nextLink": next})));
    let reader = fake.reader();
    let Page { items: _, next } = reader.users_page(None).await.unwrap();
    let error = reader.users_page(next).await.unwrap_err();
    assert!(error.to_string().contains("names itself"), "{error}");

    let next = format!("{}/v1.0/subscriptions?$skiptoken=1", fake.url);
    fake.always("GET /v1.0/subscriptions", Answer::json(200, &json!({"value": [], "@odata.nextLink": next})));
    let error = reader.subscriptions().await.unwrap_err();
    assert!(error.to_string().contains("more than 50 pages"), "{error}");
}
