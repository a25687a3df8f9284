//! The directory audit: whose doing something is, in whatever case the row is written.

use graph::{Act, Activity, Actor, GraphError, Invitation};
use jiff::Timestamp;
use model::ObjectId;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GROUP, GUEST};

const AUDIT: &str = "GET /v1.0/auditLogs/directoryAudits";
const BOB: ObjectId = ObjectId::from_u128(0xb0b);

fn rows(rows: &Value) -> Answer {
    Answer::json(200, &json!({"value": rows}))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn row(activity: &str, by: &Value) -> Value {
    json!({
        "id": "Directory_1", "category": "UserManagement", "result": "success", "activityDisplayName": activity,
        "activityDateTime": "2026-11-20T09:00:00.1234567Z", "initiatedBy": by,
        "targetResources": [{"id": GUEST, "type": "User", "modifiedProperties": []}],
    })
}

fn with(mut row: Value, key: &str, value: Value) -> Value {
    row[key] = value;
    row
}

fn bob() -> Value {
    json!({"app": null, "user": {"id": BOB, "userPrincipalName": "bob@contoso.com", "ipAddress": "192.0.2.1"}})
}

fn is_bob() -> Actor {
    Actor::User { id: BOB, name: Some("bob@contoso.com".to_owned()) }
}

fn decoded(query: &str) -> String {
    let url = url::Url::parse(&format!("http://127.0.0.1/?{query}")).unwrap();
    let pairs: Vec<String> = url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[tokio::test]
async fn the_inviter_and_the_invited_address_are_read_newest_first() {
    let fake = Fake::start().await;
    let details =
        json!([{"key": "oid", "value": "x"}, {"key": "InvitedUserEmailAddress", "value": "m@evil.example"}]);
    let invited = with(row("Invite external user", &bob()), "additionalDetails", details);
    let later = row("invite external user", &bob());
    let later = with(later, "activityDateTime", json!("2026-11-20T11:00:00+01:00"));
    fake.next(AUDIT, rows(&json!([invited, later])));
    let found = fake.reader().invitations(GUEST).await.unwrap();
    let expected = [
        Invitation { inviter: is_bob(), at: at("2026-11-20T10:00:00Z"), address: None },
        Invitation {
            inviter: is_bob(),
            at: at("2026-11-20T09:00:00.1234567Z"),
            address: Some("m@evil.example".to_owned()),
        },
    ];
    assert_eq!(found, expected);
    let query = decoded(&fake.seen(AUDIT)[0].query);
    let filter = "activityDisplayName eq 'Invite external user' and targetResources/any(t:t/id eq";
    assert_eq!(query, format!("$filter={filter} '{GUEST}')"));
}

#[tokio::test]
async fn who_did_it_is_a_user_an_app_or_unknown() {
    let fake = Fake::start().await;
    let app_id = "00000000-0000-0000-0000-00000000a991";
    let app = |app_id: Option<&str>, principal: Option<ObjectId>, name: Option<&str>| Actor::App {
        app_id: app_id.map(|id| id.parse().unwrap()),
        service_principal: principal,
        name: name.map(str::to_owned),
    };
    let nobody = "00000000-0000-0000-0000-000000000000";
    for (by, expected) in [
        (bob(), is_bob()),
        (json!({"User": {"ID": BOB, "UserPrincipalName": "bob@contoso.com"}}), is_bob()),
        (json!({"user": {"id": BOB}, "app": {"appId": app_id}}), Actor::User { id: BOB, name: None }),
        (json!({"app": {"appId": app_id, "displayName": "HR"}}), app(Some(app_id), None, Some("HR"))),
        (json!({"app": {"appId": null, "servicePrincipalId": BOB}}), app(None, Some(BOB), None)),
        (json!({"App": {"DisplayName": "Microsoft"}, "user": null}), app(None, None, Some("Microsoft"))),
        (json!({"user": {"id": ""}, "app": {"appId": app_id}}), app(Some(app_id), None, None)),
        (json!({"user": {"id": nobody}}), Actor::Unknown),
        (json!({"user": {"userPrincipalName": "bob@contoso.com"}}), Actor::Unknown),
        (json!({"app": {"appId": nobody, "displayName": ""}}), Actor::Unknown),
        (json!({"app": 5, "user": "bob"}), Actor::Unknown),
        (json!([]), Actor::Unknown),
        (Value::Null, Actor::Unknown),
    ] {
        fake.next(AUDIT, rows(&json!([row("Invite external user", &by)])));
        let found = fake.reader().invitations(GUEST).await.unwrap();
        assert_eq!(found[0].inviter, expected, "{by}");
    }
}

#[tokio::test]
async fn acts_on_accounts_and_memberships_are_told_with_their_group() {
    let fake = Fake::start().await;
    let user = |modified: Value| json!({"id": GUEST, "Type": "User", "modifiedProperties": modified});
    let group = json!({"id": GROUP, "Type": "group"});
    let text =
        |old: Value, new: Value| json!([{"displayName": "Group.ObjectID", "oldValue": old, "newValue": new}]);
    let quoted = json!(format!("\"{GROUP}\""));
    let targets = |activity, targets: Value| with(row(activity, &bob()), "targetResources", targets);
    let rows_of = json!([
        row("Disable account", &bob()),
        row("enable account", &bob()),
        row("Delete user", &bob()),
        row("Restore user", &bob()),
        row("Update user", &bob()),
        targets("Add member to group", json!([user(json!([])), group])),
        targets("Remove member from group", json!([user(text(quoted.clone(), Value::Null))])),
        targets("Add owner to group", json!([user(text(Value::Null, json!(GROUP)))])),
        targets("Remove owner from group", json!([user(json!([{"displayName": "Group.DisplayName"}]))])),
    ]);
    fake.next(AUDIT, rows(&rows_of));
    let found = fake.reader().acts(GUEST, at("2026-11-20T08:00:00.9Z")).await.unwrap();
    let told: Vec<(Activity, Option<ObjectId>)> =
        found.iter().map(|Act { activity, group, by: _, at: _ }| (*activity, *group)).collect();
    let expected = [
        (Activity::Disable, None),
        (Activity::Enable, None),
        (Activity::Delete, None),
        (Activity::Restore, None),
        (Activity::AddMember, Some(GROUP)),
        (Activity::RemoveMember, Some(GROUP)),
        (Activity::AddOwner, Some(GROUP)),
        (Activity::RemoveOwner, None),
    ];
    assert_eq!(told, expected);
    assert!(found.iter().all(|act| act.by == is_bob() && act.at == at("2026-11-20T09:00:00.1234567Z")));
    let filter = "activityDateTime ge 2026-11-20T08:00:00Z and targetResources/any(t:t/id eq";
    assert_eq!(decoded(&fake.seen(AUDIT)[0].query), format!("$filter={filter} '{GUEST}')"));
}

#[tokio::test]
async fn what_did_not_succeed_is_nobodys_doing() {
    let fake = Fake::start().await;
    for result in [json!("failure"), json!("timeout"), json!("unknownFutureValue"), json!(1), Value::Null] {
        let failed = with(row("Disable account", &bob()), "result", result);
        let done = with(row("Disable account", &bob()), "result", json!("Success"));
        fake.next(AUDIT, rows(&json!([failed, done])));
        assert_eq!(fake.reader().acts(GUEST, Timestamp::UNIX_EPOCH).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_row_of_another_form_or_about_somebody_else_is_unreadable_and_names_its_place() {
    let fake = Fake::start().await;
    let good = || row("Invite external user", &bob());
    for (bad, place) in [
        (json!("x"), "`value[1]`: it is not an object"),
        (json!({}), "`value[1]`: it has no `activityDisplayName`"),
        (with(good(), "activityDisplayName", json!(5)), "`value[1]`: it has no `activityDisplayName`"),
        (with(good(), "activityDateTime", json!("yesterday")), "it has no `activityDateTime` that is a time"),
        (with(good(), "activityDateTime", Value::Null), "it has no `activityDateTime`"),
        (with(good(), "targetResources", json!("x")), "`targetResources` is not a list of objects"),
        (with(good(), "targetResources", json!([5])), "`targetResources` is not a list of objects"),
        (with(good(), "targetResources", json!([])), "`value[1]`: it is about somebody else"),
        (with(good(), "targetResources", json!([{"id": BOB}])), "`value[1]`: it is about somebody else"),
    ] {
        fake.next(AUDIT, rows(&json!([good(), bad])));
        let error = fake.reader().invitations(GUEST).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains(place), "{error}");
    }
    fake.next(AUDIT, Answer::error(403, "Authorization_RequestDenied"));
    let error = fake.reader().invitations(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn all_pages_of_the_audit_are_read_and_only_from_graph() {
    let fake = Fake::start().await;
    let next = format!("{}/v1.0/auditLogs/directoryAudits?$skiptoken=2", fake.url);
    let first = json!({"value": [row("Disable account", &bob())], "@odata.nextLink": next});
    fake.next(AUDIT, Answer::json(200, &first));
    fake.next(AUDIT, rows(&json!([row("Enable account", &bob())])));
    assert_eq!(fake.reader().acts(GUEST, Timestamp::UNIX_EPOCH).await.unwrap().len(), 2);
    let strange = json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/auditLogs"});
    fake.next(AUDIT, Answer::json(200, &strange));
    let error = fake.reader().acts(GUEST, Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(error.to_string().contains("does not lead to Graph"), "{error}");
}
