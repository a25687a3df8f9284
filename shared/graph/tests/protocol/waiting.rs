//! Reads that can wait: Graph is told so, and is left alone when it asks for that, while all other reads go on.

use std::time::Duration;

use graph::{Advice, DeltaFrom, GraphError, Reader};
use jiff::SignedDuration;
use serde_json::json;

use crate::fake::{Answer, Fake, GUEST, user, user_path};

const PRIORITY: &str = "x-ms-throttle-priority";

fn part(path: &str) -> String {
    format!("GET /users/{GUEST}{path}")
}

fn in_no_group(fake: &Fake) {
    fake.always(&part(""), user());
    for path in ["/memberOf", "/ownedObjects"] {
        fake.always(&part(path), Answer::json(200, &json!({"value": []})));
    }
}

/// Asked to wait for two minutes.
fn two_minutes(error: &GraphError) {
    let after = Some(SignedDuration::from_secs(120));
    assert_eq!(error.advice(), Advice::TryAgain { after }, "{error}");
}

#[tokio::test]
async fn whatever_goes_over_the_whole_tenant_is_of_low_priority_and_nothing_else() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    fake.always(&user_path(), user());
    in_no_group(&fake);
    for path in ["users", "groups"] {
        fake.always(&format!("GET /v1.0/{path}"), Answer::json(200, &json!({"value": []})));
        let end = format!("{}/v1.0/{path}/delta?$deltatoken=end", fake.url);
        let page = json!({"value": [], "@odata.deltaLink": end});
        fake.always(&format!("GET /v1.0/{path}/delta"), Answer::json(200, &page));
    }
    reader.list_users(None).await.unwrap();
    reader.list_groups(None).await.unwrap();
    reader.users_delta(DeltaFrom::Now).await.unwrap();
    reader.groups_delta(DeltaFrom::Now).await.unwrap();
    for path in ["users", "groups", "users/delta", "groups/delta"] {
        assert_eq!(fake.seen(&format!("GET /v1.0/{path}"))[0].header(PRIORITY), "low", "{path}");
    }
    reader.user(GUEST).await.unwrap();
    reader.in_background().user(GUEST).await.unwrap();
    let priorities = |what: &str| -> Vec<String> {
        fake.seen(what).iter().map(|seen| seen.header(PRIORITY).to_owned()).collect()
    };
    assert_eq!(priorities(&user_path()), ["", "low"]);
    reader.user_and_memberships(GUEST).await.unwrap();
    reader.in_background().user_and_memberships(GUEST).await.unwrap();
    assert_eq!(priorities("POST /v1.0/$batch"), ["", "low"]);
    assert_eq!(priorities(&part("/memberOf")), ["", "low"], "each part is throttled by itself");
}

#[tokio::test]
async fn while_graph_wants_to_be_left_alone_only_reads_that_cannot_wait_are_sent() {
    let fake = Fake::start().await;
    let reader = fake.reader();
    let background = reader.in_background();
    fake.always(&user_path(), user());
    fake.next(&user_path(), Answer::busy(429, "120"));
    two_minutes(&background.user(GUEST).await.unwrap_err());
    two_minutes(&background.user(GUEST).await.unwrap_err());
    two_minutes(&background.user_and_memberships(GUEST).await.unwrap_err());
    two_minutes(&reader.list_users(None).await.unwrap_err());
    assert_eq!(fake.seen(&user_path()).len(), 1, "it was asked once");
    reader.user(GUEST).await.unwrap();
    assert_eq!(fake.seen(&user_path()).len(), 2);
    fake.pass(SignedDuration::from_secs(121));
    background.user(GUEST).await.unwrap();
    assert_eq!(fake.seen(&user_path()).len(), 3);
}

#[tokio::test]
async fn a_read_that_can_wait_also_waits_when_another_or_a_part_of_a_batch_was_turned_away() {
    let fake = Fake::start().await;
    let reader = Reader::new(fake.client(Duration::ZERO));
    fake.always(&user_path(), user());
    fake.next(&user_path(), Answer::busy(429, "120"));
    two_minutes(&reader.user(GUEST).await.unwrap_err());
    two_minutes(&reader.in_background().user(GUEST).await.unwrap_err());
    fake.pass(SignedDuration::from_secs(121));

    in_no_group(&fake);
    fake.next(&part("/memberOf"), Answer::busy(429, "120"));
    assert!(reader.in_background().user_and_memberships(GUEST).await.is_err());
    two_minutes(&reader.in_background().user(GUEST).await.unwrap_err());
    assert_eq!(fake.seen(&user_path()).len(), 1);
}

#[tokio::test]
async fn a_read_that_can_wait_keeps_no_place_while_graph_is_away() {
    let fake = Fake::start().await;
    let background = Reader::new(fake.client(Duration::from_secs(3600))).in_background();
    fake.always(&user_path(), Answer::text(500, ""));
    let error = background.user(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Unavailable { status: 500, retry_after: None, .. }), "{error}");
    assert_eq!(fake.seen(&user_path()).len(), 1);
}
