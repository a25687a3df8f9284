//! What Graph posts, and what each form of it means.

mod hostile;

use serde_json::{Value, json};

use super::*;

const ID: &str = "8d3f0000-0000-4000-8000-000000000001";
const OTHER: &str = "8d3f0000-0000-4000-8000-000000000002";
const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
const SUBSCRIPTION: &str = "7f105c7d-2dc5-4530-97cd-4e7ae6534c07";

/// The shape that Graph posts for a user.
fn user_updated() -> Value {
    json!({
        "changeType": "updated",
        "clientState": "v1.k.n.m",
        "resource": format!("Users/{ID}"),
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.User",
            "@odata.id": format!("Users/{ID}"),
            "id": ID,
            "organizationId": TENANT,
            "sequenceNumber": 638_059_995_676_961_300_u64,
        },
        "subscriptionExpirationDateTime": "2026-12-01T10:00:00.1234567-08:00",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
    })
}

fn one(item: &Value) -> Item {
    let body = json!({"value": [item], "validationTokens": null}).to_string();
    let mut items = parse(body.as_bytes()).unwrap();
    assert_eq!(items.len(), 1);
    items.remove(0)
}

/// The sample with one value put in place of another, by JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut item = user_updated();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let object = item.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    object.insert(key.to_owned(), value);
    item
}

fn without(pointer: &str) -> Value {
    with(pointer, Value::Null)
}

fn changed(item: &Value) -> (ResourceKind, ObjectId, ChangeKind, Vec<MemberHint>, Option<u64>) {
    match one(item).event.unwrap() {
        Event::Changed { resource, id, kind, members, sequence } => (resource, id, kind, members, sequence),
        Event::Lifecycle(event) => panic!("a lifecycle event: {event:?}"),
    }
}

#[track_caller]
fn expect_unreadable(item: &Value, why: &str) {
    let item = one(item);
    let unreadable = item.event.unwrap_err().to_string();
    assert!(unreadable.contains(why), "{unreadable}");
}

#[test]
fn a_users_change_is_read_as_graph_posts_it() {
    let item = one(&user_updated());
    assert_eq!(item.client_state.as_deref(), Some("v1.k.n.m"));
    assert_eq!(item.subscription, Some(SUBSCRIPTION.parse().unwrap()));
    assert_eq!(item.tenant, Some(TENANT.parse().unwrap()));
    assert_eq!(item.expires_at, Some("2026-12-01T18:00:00.1234567Z".parse().unwrap()));
    let expected = Event::Changed {
        resource: ResourceKind::User,
        id: ID.parse().unwrap(),
        kind: ChangeKind::Updated,
        members: Vec::new(),
        sequence: Some(638_059_995_676_961_300),
    };
    assert_eq!(item.event, Ok(expected));
    assert_eq!(serde_json::from_str::<Value>(&item.raw).unwrap(), user_updated());
    assert!(!format!("{item:?}").contains("v1.k.n.m"), "the clientState is a secret");
}

#[test]
fn every_spelling_of_a_resource_names_the_same_object() {
    for resource in [
        format!("Users/{ID}"),
        format!("users/{ID}"),
        format!("/users/{ID}"),
        format!("Users('{ID}')"),
        format!("/users('{ID}')"),
        format!("USERS/{}", ID.to_uppercase()),
        "users".to_owned(),
        "/Users".to_owned(),
    ] {
        let (kind, id, ..) = changed(&with("/resource", json!(resource)));
        assert_eq!((kind, id), (ResourceKind::User, ID.parse().unwrap()), "{resource}");
    }
}

#[test]
fn a_resource_that_is_not_a_user_or_a_group_is_unreadable() {
    for resource in [
        "devices/1",
        "",
        "/",
        "//users/1",
        "users/",
        "users//x",
        "users()",
        "users('')",
        "users('x",
        "https://evil.example/v1.0/users/8d3f0000-0000-4000-8000-000000000001",
        "users/../groups/8d3f0000-0000-4000-8000-000000000001",
        "users/8d3f0000-0000-4000-8000-000000000001/messages",
        "users/8d3f0000-0000-4000-8000-000000000001?$select=id",
        "users/8d3f000000004000800000000000001",
    ] {
        expect_unreadable(&with("/resource", json!(resource)), "is not a user or a group");
    }
}

#[test]
fn resource_and_resource_data_must_agree() {
    expect_unreadable(&with("/resourceData/id", json!(OTHER)), "different ids");
    expect_unreadable(&with("/resource", json!(format!("users/{OTHER}"))), "different ids");
    expect_unreadable(&with("/resource", json!(format!("groups/{ID}"))), "different types");
    expect_unreadable(&with("/resourceData/@odata.type", json!("#Microsoft.Graph.Group")), "different types");
    expect_unreadable(&with("/resourceData/@odata.type", json!("#microsoft.graph.device")), "of type");
    expect_unreadable(&with("/resourceData/@odata.type", json!(7)), "is not a text");
}

#[test]
fn the_object_may_be_named_in_one_place_alone() {
    for pointer in ["/resource", "/resourceData", "/resourceData/id", "/resourceData/@odata.type"] {
        let (resource, id, ..) = changed(&without(pointer));
        assert_eq!((resource, id), (ResourceKind::User, ID.parse().unwrap()), "{pointer}");
    }
    let mut nameless = without("/resource");
    nameless["resourceData"] = json!({"id": ID});
    expect_unreadable(&nameless, "neither a resource nor a type");
    nameless["resourceData"] = Value::Null;
    expect_unreadable(&nameless, "names no object");
    let mut collection = with("/resource", json!("users"));
    collection["resourceData"] = json!({"@odata.type": "#Microsoft.Graph.User"});
    expect_unreadable(&collection, "names no object");
}

#[test]
fn ids_are_guids_and_nothing_else() {
    for wrong in
        [json!("me"), json!(""), json!("../x"), json!(format!("{{{ID}}}")), json!(format!("{ID}\u{0}"))]
    {
        expect_unreadable(&with("/resourceData/id", wrong.clone()), "is not a GUID");
        let item = with("/subscriptionId", wrong.clone());
        assert_eq!(one(&item).subscription, None);
        expect_unreadable(&item, "is not a GUID");
        let item = with("/tenantId", wrong);
        assert_eq!(one(&item).tenant, None);
        expect_unreadable(&item, "is not a GUID");
    }
    expect_unreadable(&with("/resourceData/id", json!(7)), "is not a text");
}

#[test]
fn the_tenant_may_be_told_by_the_resource_data_alone() {
    assert_eq!(one(&without("/tenantId")).tenant, Some(TENANT.parse().unwrap()));
    assert_eq!(one(&json!({"clientState": "x"})).tenant, None);
    expect_unreadable(&with("/resourceData/organizationId", json!(OTHER)), "different tenants");
    expect_unreadable(&with("/resourceData/organizationId", json!("contoso")), "is not a GUID");
    assert!(one(&without("/resourceData/organizationId")).event.is_ok());
}

#[test]
fn every_form_of_a_date_is_read() {
    for (text, expected) in [
        ("2026-12-01T10:00:00Z", Some("2026-12-01T10:00:00Z")),
        ("2026-12-01T10:00:00+00:00", Some("2026-12-01T10:00:00Z")),
        ("2026-12-01T02:00:00-08:00", Some("2026-12-01T10:00:00Z")),
        ("2026-12-01T10:00:00.1234567Z", Some("2026-12-01T10:00:00.1234567Z")),
        ("2026-12-01T02:00:00.1234567-08:00", Some("2026-12-01T10:00:00.1234567Z")),
        ("9999-99-99T00:00:00Z", None),
        ("soon", None),
    ] {
        let item = one(&with("/subscriptionExpirationDateTime", json!(text)));
        assert_eq!(item.expires_at, expected.map(|at| at.parse().unwrap()), "{text}");
        assert!(item.event.is_ok(), "the end of the subscription is not what the item is about");
    }
}

#[test]
fn the_change_type_is_read_in_any_case_and_must_be_one_that_we_watch() {
    for (text, kind) in
        [("updated", ChangeKind::Updated), ("Updated", ChangeKind::Updated), ("DELETED", ChangeKind::Deleted)]
    {
        assert_eq!(changed(&with("/changeType", json!(text))).2, kind);
    }
    for text in ["created", "updated,deleted", "", " updated"] {
        expect_unreadable(&with("/changeType", json!(text)), "is not updated or deleted");
    }
    expect_unreadable(&without("/changeType"), "neither changeType nor lifecycleEvent");
    expect_unreadable(&with("/changeType", json!(["updated"])), "is not a text");
}

#[test]
fn a_sequence_number_keeps_its_64_bits_as_number_and_as_text() {
    let sequence = |text: &str| {
        let body = with("/resourceData/sequenceNumber", json!("HERE")).to_string().replace("\"HERE\"", text);
        changed(&serde_json::from_str::<Box<RawValue>>(&body).map(|raw| json!(raw)).unwrap()).4
    };
    assert_eq!(sequence("638059995676961301"), Some(638_059_995_676_961_301));
    assert_eq!(sequence("\"638059995676961301\""), Some(638_059_995_676_961_301));
    assert_eq!(sequence("18446744073709551615"), Some(u64::MAX));
    for none in ["null", "\"x\"", "true", "[1]"] {
        assert_eq!(sequence(none), None, "{none}");
    }
    // Numbers that no type of ours holds: read from the text, because a JSON value would lose them.
    for none in ["18446744073709551616", "-1", "1.5", "1e400", "1e-400", &"9".repeat(10_000)] {
        let body = with("/resourceData/sequenceNumber", json!("HERE")).to_string().replace("\"HERE\"", none);
        let items = parse(format!("{{\"value\":[{body}]}}").as_bytes()).unwrap();
        assert!(matches!(items[0].event, Ok(Event::Changed { sequence: None, .. })), "{none:.20}");
    }
}

fn group_updated(members: &Value) -> Value {
    json!({
        "changeType": "updated", "clientState": "s", "resource": format!("Groups/{ID}"), "tenantId": TENANT,
        "subscriptionId": SUBSCRIPTION, "subscriptionExpirationDateTime": "2026-12-01T10:00:00+00:00",
        "resourceData": {"@odata.type": "#Microsoft.Graph.Group", "id": ID, "organizationId": TENANT,
            "members@delta": members},
    })
}

#[test]
fn members_come_and_go_in_both_forms_of_removed() {
    let members = json!([
        {"id": OTHER},
        {"id": OTHER, "@removed": "deleted"},
        {"id": OTHER, "@removed": {"reason": "deleted"}},
        {"id": OTHER, "@removed": null, "@odata.type": "#microsoft.graph.user"},
    ]);
    let (resource, _, _, members, _) = changed(&group_updated(&members));
    assert_eq!(resource, ResourceKind::Group);
    let removed: Vec<_> = members.iter().map(|member| member.removed).collect();
    assert_eq!(removed, [false, true, true, false]);
    assert!(members.iter().all(|member| member.id == OTHER.parse().unwrap()));
    assert_eq!(changed(&group_updated(&Value::Null)).3, []);
    for (members, why) in [
        (json!({}), "a list of objects"),
        (json!([7]), "a list of objects"),
        (json!([{}]), "a member has no id"),
        (json!([{"id": "x"}]), "is not a GUID"),
        (json!([{"id": OTHER, "@removed": true}]), "neither a text nor an object"),
    ] {
        expect_unreadable(&group_updated(&members), why);
    }
}

#[test]
fn a_lifecycle_event_needs_no_resource_and_may_be_one_that_is_new_to_us() {
    for (text, event) in [
        ("missed", Lifecycle::Missed),
        ("subscriptionRemoved", Lifecycle::SubscriptionRemoved),
        ("reauthorizationRequired", Lifecycle::ReauthorizationRequired),
        ("ReauthorizationRequired", Lifecycle::ReauthorizationRequired),
        ("keyRolled", Lifecycle::Other("keyRolled".to_owned())),
    ] {
        let item = one(&json!({"lifecycleEvent": text, "clientState": "s", "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT, "subscriptionExpirationDateTime": "2026-12-01T10:00:00Z", "extra": [1]}));
        assert_eq!(item.event, Ok(Event::Lifecycle(event)), "{text}");
        assert_eq!(item.client_state.as_deref(), Some("s"));
    }
    expect_unreadable(&json!({"lifecycleEvent": 7}), "is not a text");
}

#[test]
fn one_unreadable_item_leaves_the_others_alone() {
    let body = json!({"value": [1, "x", null, [], {}, user_updated()]}).to_string();
    let items = parse(body.as_bytes()).unwrap();
    let readable: Vec<_> = items.iter().map(|item| item.event.is_ok()).collect();
    assert_eq!(readable, [false, false, false, false, false, true]);
    assert_eq!(items[1].raw, "\"x\"");
}
