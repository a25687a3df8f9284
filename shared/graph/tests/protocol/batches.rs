//! Batches: each part has its own fate.

use std::time::Duration;

use graph::{GraphError, ObjectIs, Reader};
use jiff::SignedDuration;
use serde_json::json;

use crate::fake::{Answer, Fake, GROUP, GUEST, user};

fn part(path: &str) -> String {
    format!("GET /users/{GUEST}{path}")
}

fn standing(fake: &Fake) {
    let role =
        json!({"@odata.type": "#microsoft.graph.directoryRole", "id": GROUP, "displayName": "Helpdesk"});
    fake.always(&part("/transitiveMemberOf"), Answer::json(200, &json!({"value": [role]})));
    fake.always(&part("/ownedObjects"), Answer::json(200, &json!({"value": []})));
}

#[tokio::test]
async fn a_user_and_his_standing_are_one_round_trip() {
    let fake = Fake::start().await;
    fake.always(&part(""), user());
    standing(&fake);
    let (user, standing) = fake.reader().user_and_standing(GUEST).await.unwrap();
    assert_eq!((user.id, user.user_type.as_deref()), (GUEST, Some("Guest")));
    assert_eq!(standing.directory_roles, ["Helpdesk"]);
    let batches = fake.seen("POST /v1.0/$batch");
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].header("content-type"), "application/json");
    let query = &fake.seen(&part(""))[0].query;
    assert!(
        query.contains("$select=id,displayName,") && query.contains("$expand=sponsors($select="),
        "{query}"
    );
}

#[tokio::test]
async fn only_the_throttled_part_of_a_batch_is_asked_again() {
    let fake = Fake::start().await;
    fake.always(&part(""), user());
    standing(&fake);
    fake.next(&part("/ownedObjects"), Answer::busy(429, "0.05"));
    fake.next(&part("/ownedObjects"), Answer::busy(503, "0.05"));
    fake.reader().user_and_standing(GUEST).await.unwrap();
    let asked = |path: &str| fake.seen(&part(path)).len();
    assert_eq!((asked(""), asked("/transitiveMemberOf"), asked("/ownedObjects")), (1, 1, 3));
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 3);
}

#[tokio::test]
async fn a_part_that_stays_throttled_tells_the_longest_wait() {
    let fake = Fake::start().await;
    fake.always(&part(""), user());
    standing(&fake);
    fake.always(&part("/transitiveMemberOf"), Answer::busy(429, "90"));
    let error = fake.reader().user_and_standing(GUEST).await.unwrap_err();
    let expected = Some(SignedDuration::from_secs(90));
    assert!(matches!(error, GraphError::Throttled { retry_after, .. } if retry_after == expected), "{error}");
    assert_eq!(fake.seen("POST /v1.0/$batch").len(), 1);
}

#[tokio::test]
async fn a_refusal_inside_a_batch_is_its_own_parts_alone() {
    let fake = Fake::start().await;
    standing(&fake);
    let error = fake.reader().user_and_standing(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::NotFound { .. }), "{error}");
    assert_eq!(error.trace().request_id.as_deref(), Some("theirs"));
    assert!(fake.reader().standing(GUEST).await.is_ok());
}

#[tokio::test]
async fn a_token_that_ends_inside_a_batch_is_renewed_once() {
    let fake = Fake::start().await;
    fake.always(&part(""), user());
    standing(&fake);
    fake.next(&part(""), Answer::error(401, "InvalidAuthenticationToken"));
    fake.reader().user_and_standing(GUEST).await.unwrap();
    assert_eq!((fake.granted(), fake.seen(&part("/ownedObjects")).len()), (2, 1));
    fake.always(&part(""), Answer::error(401, "InvalidAuthenticationToken"));
    let error = fake.reader().user_and_standing(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Credential { .. }), "{error}");
}

#[tokio::test]
async fn a_batch_that_is_throttled_as_a_whole_or_makes_no_sense_is_told() {
    let fake = Fake::start().await;
    fake.always(&part(""), user());
    standing(&fake);
    fake.next("POST /v1.0/$batch", Answer::busy(429, "0"));
    fake.reader().user_and_standing(GUEST).await.unwrap();
    for body in [
        json!({"responses": []}),
        json!({"responses": [{"id": "0", "status": 200, "body": {}}]}),
        json!({"responses": [{"id": "0", "status": 1}, {"id": "1", "status": 99_999}]}),
        json!({}),
        json!([]),
    ] {
        fake.next("POST /v1.0/$batch", Answer::json(200, &body));
        let error = fake.reader().user_and_standing(GUEST).await.unwrap_err();
        assert!(matches!(error, GraphError::Unreadable { .. }), "{body}: {error}");
    }
}

#[tokio::test]
async fn memberships_are_followed_over_their_pages() {
    let fake = Fake::start().await;
    standing(&fake);
    let path = format!("/v1.0/users/{GUEST}/transitiveMemberOf");
    let next = format!("{}{path}?$skiptoken=2", fake.url);
    fake.next(
        &part("/transitiveMemberOf"),
        Answer::json(200, &json!({"value": [], "@odata.nextLink": next})),
    );
    let group = json!({"@odata.type": "#microsoft.graph.group", "id": GROUP, "isAssignableToRole": true});
    fake.next(&format!("GET {path}"), Answer::json(200, &json!({"value": [group]})));
    assert_eq!(fake.reader().standing(GUEST).await.unwrap().role_assignable_groups, [GROUP]);

    let away = json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/users?$skiptoken=2"});
    fake.next(&part("/transitiveMemberOf"), Answer::json(200, &away));
    let error = fake.reader().standing(GUEST).await.unwrap_err();
    assert!(error.to_string().contains("does not lead to Graph"), "{error}");
}

#[tokio::test]
async fn an_id_is_told_apart_without_the_right_to_read_the_directory() {
    let user = json!({"@odata.type": "#microsoft.graph.user", "id": GUEST});
    let group = json!({"@odata.type": "#microsoft.graph.group", "id": GUEST});
    let (users, groups) = (format!("GET /users/{GUEST}"), format!("GET /groups/{GUEST}"));
    let deleted = format!("GET /directory/deletedItems/{GUEST}");
    for (what, answer, expected) in [
        (&users, Answer::json(200, &user), ObjectIs::User),
        (&deleted, Answer::json(200, &user), ObjectIs::DeletedUser),
        (&deleted, Answer::json(200, &group), ObjectIs::DeletedOther),
        (&groups, Answer::json(200, &group), ObjectIs::Group),
        (&groups, Answer::error(403, "Authorization_RequestDenied"), ObjectIs::Unknown),
        (&groups, Answer::error(404, "Request_ResourceNotFound"), ObjectIs::Unknown),
    ] {
        let fake = Fake::start().await;
        fake.always(what, answer);
        assert_eq!(fake.reader().what_is(GUEST).await, Ok(expected), "{what}");
        assert_eq!(fake.seen("POST /v1.0/$batch").len(), 1);
    }
    let fake = Fake::start().await;
    fake.always(&users, Answer::error(403, "Authorization_RequestDenied"));
    let reader = Reader::new(fake.client(Duration::ZERO));
    assert!(matches!(reader.what_is(GUEST).await, Err(GraphError::Forbidden { .. })));
}
