//! What Graph posts is taken, each item by itself, in every form that it has; and nothing that it names is fetched.

use axum::http::StatusCode;
use guestlist_tests::{Heard, Inbox, Setup, World, body_of};
use model::{ChangeKind, Job, ResourceKind, Watched};
use serde_json::{Value, json};
use simulator::Lifecycle;

use crate::policies::PARTNERS_ONLY;

const NOTIFICATIONS: &str = "/graph/notifications";
const LIFECYCLE: &str = "/graph/lifecycle";

#[tokio::test]
async fn graph_shakes_hands_with_both_addresses_before_it_subscribes() {
    let world = World::new(Setup { subscribed: false, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    world.subscribe().await;
    // The tenant refuses a subscription whose addresses do not both give its token back, decoded.
    for watched in Watched::ALL {
        let subscription = world.subscription(watched);
        assert_eq!(subscription.notification_url, "https://guestlist.example/graph/notifications");
        assert_eq!(subscription.lifecycle_url.unwrap(), "https://guestlist.example/graph/lifecycle");
    }
}

#[tokio::test]
async fn the_validation_token_goes_back_decoded_as_text_that_no_browser_interprets() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    for path in [NOTIFICATIONS, LIFECYCLE] {
        let asked = format!("{path}?kept=1&validationToken=Validation%3A+Testing%20Request-Id%3A%201%2B2%25");
        let Heard { status, body, .. } = world.post(&asked, "").await;
        assert_eq!((status, body.as_str()), (200, "Validation: Testing Request-Id: 1+2%"));
        for evil in [
            "%3Cscript%3Ealert(1)%3C/script%3E",
            "a%26lt;",
            "a%0D%0ASet-Cookie:x",
            "%00",
            "%C2%85",
            "%FF",
            "",
        ] {
            let heard = world.post(&format!("{path}?validationToken={evil}"), "").await;
            assert_eq!(
                (heard.status, heard.body.as_str()),
                (400, "the validation token is not plain text\n"),
                "{evil}"
            );
            assert_eq!(heard.header("content-type"), Some("text/plain; charset=utf-8"));
            assert_eq!(heard.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(heard.header("set-cookie"), None);
        }
    }
}

#[tokio::test]
async fn each_item_of_a_post_is_judged_by_itself() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let good = world.genuine(Watched::Users, mallory.id());
    let (mut unreadable, mut forged) = (good.clone(), good.clone());
    unreadable["resourceData"]["id"] = json!("../../me");
    forged["clientState"] = json!("v1.k1.AAAAAAAAAAAAAAAAAAAAAA.0000000000000000000000000000000000000000000");
    let items = [json!(7), Value::Null, unreadable, forged, json!([]), good];
    assert_eq!(world.notify(&items).await.status, 202);
    world.settle().await;
    world.expect_disabled(mallory);
    let aside = world.put_aside().await;
    let [(body, why)] = aside.as_slice() else { panic!("{aside:?}") };
    assert_eq!(why, "`id` is `../../me`, which is not a GUID");
    let letter: Value = serde_json::from_str(body).unwrap();
    let item = letter["item"].as_str().unwrap();
    assert!(item.contains(r#""clientState":"(redacted)""#) && item.contains("../../me"), "{body}");
    assert_eq!(world.notice("unreadable").await.count, 1);
    assert_eq!(world.own_receiver().tally.totals(), (4, 0, 0));
    // The guest, the dead letter, the forgery: a message each.
    assert_eq!(world.slack.read_all().len(), 3);
}

#[tokio::test]
async fn a_body_that_is_no_collection_of_notifications_is_a_bad_request() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let item = world.genuine(Watched::Users, world.invite_unnoticed("mallory@evil.example").id());
    let whole = body_of(&[item]);
    let cut = whole.strip_suffix('}').unwrap();
    for body in ["", "null", "[]", "{}", "value=1", "{\"value\":{}}", cut, "\u{feff}{\"value\":[]}"] {
        for path in [NOTIFICATIONS, LIFECYCLE] {
            assert_eq!(world.post(path, body.to_owned()).await.status, 400, "{body}");
        }
    }
    assert!(world.store.queues.changes.depth(world.clock.now()).await.unwrap().is_drained());
    assert_eq!(world.put_aside().await, []);
}

/// The jobs that a POST of these items became, with all that they collapsed into.
async fn jobs(world: &World, items: &[Value]) -> Vec<(ResourceKind, ChangeKind, Vec<bool>)> {
    assert_eq!(world.notify(items).await.status, 202);
    let changes = &world.store.queues.changes;
    let now = world.clock.now();
    let mut read = Vec::new();
    for claimed in changes.claim(now, jiff::SignedDuration::from_mins(1), 100).await.unwrap() {
        let Ok(Job::Assess { change, missing: None }) = serde_json::from_str(&claimed.body) else {
            panic!("{}", claimed.body)
        };
        let removed = change.members.iter().map(|member| member.removed).collect();
        read.push((change.resource, change.kind, removed));
        changes.ack(&claimed).await.unwrap();
    }
    read
}

#[tokio::test]
async fn every_form_that_graph_writes_is_read() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let guest = world.invite_unnoticed("adele@fabrikam.com");
    let user = world.genuine(Watched::Users, guest.id());
    let mut forms = Vec::new();
    for date in
        ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00+00:00", "2026-11-22T01:00:00.1234567-08:00", "soon"]
    {
        let mut item = user.clone();
        item["subscriptionExpirationDateTime"] = json!(date);
        forms.push(item);
    }
    for sequence in [json!(u64::MAX), json!("638059995676961300"), json!(-1), json!(1e300), Value::Null] {
        let mut item = user.clone();
        item["resourceData"]["sequenceNumber"] = sequence;
        forms.push(item);
    }
    for resource in ["users", "/users/", "Users('"] {
        let mut item = user.clone();
        let close = if resource.ends_with('\'') { "')" } else { "" };
        let id = if resource == "users" { String::new() } else { guest.id().to_string() };
        item["resource"] = json!(format!("{resource}{id}{close}"));
        forms.push(item);
    }
    let mut strange = user.clone();
    strange["id"] = Value::Null;
    strange["encryptedContent"] = json!({"data": [[[{}]]]});
    strange["resourceData"]["eventTime"] = json!([true]);
    forms.push(strange);
    for form in forms {
        let read = jobs(&world, std::slice::from_ref(&form)).await;
        assert_eq!(read, [(ResourceKind::User, ChangeKind::Updated, vec![])], "{form}");
    }
    assert_eq!(world.put_aside().await, []);
}

#[tokio::test]
async fn members_come_and_go_in_both_forms_of_removed() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let group = model::ObjectId::from_u128(simulator::contoso::MARKETING.as_u128());
    let member = |n: u128, removed: Value| json!({"id": model::ObjectId::from_u128(n), "@removed": removed});
    let mut item = world.genuine(Watched::Groups, group);
    item["resourceData"]["members@delta"] =
        json!([member(1, Value::Null), member(2, json!("deleted")), member(3, json!({"reason": "deleted"}))]);
    let mut more = world.genuine(Watched::Groups, group);
    more["resourceData"]["members@delta"] =
        json!([{"id": model::ObjectId::from_u128(4)}, member(2, json!("deleted"))]);
    let mut gone = world.genuine(Watched::Groups, group);
    gone["changeType"] = json!("deleted");
    // What one POST says of one object becomes one job, and none of it is lost.
    let read = jobs(&world, &[gone, item, more]).await;
    assert_eq!(read, [(ResourceKind::Group, ChangeKind::Deleted, vec![false, true, true, false])]);
}

#[tokio::test]
async fn a_lifecycle_event_that_is_new_to_us_is_looked_into() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.record_as_fault(true);
    let users = world.subscription(Watched::Users);
    for event in ["keyRolled", "<!channel> \u{0}", ""] {
        assert!(world.simulator.send_lifecycle(users.id, Lifecycle::Unknown(event.to_owned())));
        world.settle().await;
        assert!(world.calls("GET", "/subscriptions") > 0, "{event}");
        world.simulator.reset_traffic();
    }
    assert_eq!(world.simulator.waiting_notifications(), 0);
    assert_eq!(world.put_aside().await, []);
}

#[tokio::test]
async fn what_a_notification_names_is_never_fetched() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let canary = Inbox::open("canary").await;
    canary.answer_always(Some(StatusCode::OK.as_u16()));
    let adele = world.invite_unnoticed("adele@fabrikam.com");
    let good = world.genuine(Watched::Users, adele.id());
    let id = adele.id();
    let finance = simulator::contoso::FINANCE;
    let mut items = Vec::new();
    for resource in [
        canary.url(),
        format!("{}/{id}", canary.url()),
        format!("Users/../groups/{finance}"),
        format!("Users/{id}/../../groups/{finance}"),
        format!("Users/{id}/memberOf"),
        format!("Users/{id}?$select=id"),
        format!("Users/{id}#"),
        format!("Users%2F{id}"),
        format!("//{}/Users/{id}", canary.url()),
        format!("Users/{id}\r\nHost: evil.example"),
        format!("users('{id}')/memberOf/$ref"),
    ] {
        let mut item = good.clone();
        item["resource"] = json!(resource);
        items.push(item);
    }
    let spoiled = items.len();
    for odata in [canary.url(), format!("Users/{id}/../../groups/{finance}"), "\u{0}".to_owned()] {
        let mut item = good.clone();
        item["resourceData"]["@odata.id"] = json!(odata);
        item["resourceData"]["@odata.nextLink"] = json!(canary.url());
        items.push(item);
    }
    assert_eq!(world.notify(&items).await.status, 202);
    world.settle().await;
    assert_eq!(
        world.put_aside().await.len(),
        spoiled,
        "the readable ones are about Adele, whatever else they name"
    );
    let asked = world.simulator.traffic().log;
    let own = format!("/users/{id}");
    let others: Vec<_> = asked.iter().map(|call| &call.path).filter(|path| !path.starts_with(&own)).collect();
    assert!(others.iter().all(|path| *path == "/organization"), "{others:?}");
    assert!(asked.iter().any(|call| call.path == own));
    canary.expect_silence();
    assert_eq!(world.slack.read_all().len(), 1, "the dead letters are told once");
    world.expect_untouched(adele);
}

/// The sample as Graph would post it about the subscriptions of this tenant.
fn made_genuine(world: &World, sample: &str) -> Value {
    let mut body: Value = serde_json::from_str(sample).unwrap();
    for item in body["value"].as_array_mut().unwrap() {
        let of_group =
            item["resource"].as_str().is_some_and(|resource| resource.to_lowercase().contains("group"));
        let subscription = world.subscription(if of_group { Watched::Groups } else { Watched::Users });
        item["clientState"] = json!(subscription.client_state);
        item["subscriptionId"] = json!(subscription.id.to_string());
    }
    body
}

#[tokio::test]
async fn every_sample_is_taken() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut taken = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        taken += 1;
        let aside = world.put_aside().await.len();
        let body = made_genuine(&world, &std::fs::read_to_string(&path).unwrap());
        assert_eq!(world.post("/graph/notifications", body.to_string()).await.status, 202);
        let spoiled = path.file_name().unwrap().to_str().unwrap().starts_with("unreadable-");
        assert_eq!(world.put_aside().await.len() > aside, spoiled, "{}", path.display());
    }
    assert!(taken >= 13);
    assert_eq!(world.own_receiver().tally.totals(), (0, 0, 0));
}

#[tokio::test]
async fn a_dead_notification_that_can_be_read_by_now_is_worked_on_when_it_is_replayed() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let item = json!({"changeType": "updated", "resource": format!("Users/{}", mallory.id()), "resourceData": {
        "@odata.type": "#Microsoft.Graph.User", "id": mallory.id().to_string()}});
    let job = Job::Reread { item: item.to_string(), watched: Watched::Users };
    let (now, changes) = (world.clock.now(), &world.store.queues.changes);
    let body = serde_json::to_string(&job).unwrap();
    let letter =
        changes.bury_new("reread/1", &body, "an earlier version could not read it", now).await.unwrap();
    assert!(changes.replay(&letter, now).await.unwrap());
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
}
