//! Subscriptions are made once, kept alive, found again, and other people's are left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Json;
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use graph::{Client, Endpoints, Reader};
use guestlist_tests::{Setup, World};
use host::Limits;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};
use model::{Binding, SubscriptionRecord};
use responder::{SubscriptionKeeper, Trouble};
use serde_json::json;
use simulator::{Failure, Fault, Lifecycle, RetryAfter, Subscription};
use tokio::sync::watch;

use crate::policies::PARTNERS_ONLY;

async fn not_subscribed() -> World {
    World::new(Setup { subscribed: false, ..Setup::with_policy(PARTNERS_ONLY) }).await
}

async fn look(world: &World) -> Result<Option<SignedDuration>, Trouble> {
    world.parts.keeper.as_ref().unwrap().look().await
}

async fn records(world: &World) -> Vec<SubscriptionRecord> {
    let stored = world.store.ledger.subscriptions().await.unwrap();
    stored.into_iter().map(|stored| stored.value).collect()
}

fn bound(records: &[SubscriptionRecord]) -> Vec<(String, Timestamp)> {
    let bound = records.iter().filter_map(|record| match record.binding {
        Binding::Bound { id, expires_at, renewed_at: _ } => Some((id.to_string(), expires_at)),
        Binding::Pending | Binding::Retired { at: _, id: _ } => None,
    });
    let mut bound: Vec<_> = bound.collect();
    bound.sort();
    bound
}

fn there(world: &World) -> Vec<Subscription> {
    world.simulator.subscriptions()
}

/// What Graph has and what the ledger has are the same.
async fn expect_in_step(world: &World) {
    let mut graph: Vec<_> = there(world).iter().map(|one| (one.id.to_string(), one.expires_at)).collect();
    graph.sort();
    assert_eq!(bound(&records(world).await), graph);
}

/// A notification still finds its way.
async fn expect_heard(world: &mut World) {
    let guest = world.tenant.invite("stranger@northwind.example");
    world.settle().await;
    world.expect_disabled(guest);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn both_are_made_with_both_addresses_after_a_look_at_what_is_there() {
    let mut world = not_subscribed().await;
    look(&world).await.unwrap();
    let log = world.simulator.traffic().log;
    let calls: Vec<_> = log.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    assert_eq!(calls, ["GET /subscriptions", "POST /subscriptions", "POST /subscriptions"]);
    world.forget_writes("/subscriptions");
    let mut made = there(&world);
    made.sort_by(|a, b| a.resource.cmp(&b.resource));
    assert_eq!(made.iter().map(|one| one.resource.as_str()).collect::<Vec<_>>(), ["/groups", "/users"]);
    for one in &made {
        assert_eq!(one.change_type, "updated,deleted");
        assert_eq!(one.notification_url, "https://guestlist.example/graph/notifications");
        assert_eq!(one.lifecycle_url.as_deref(), Some("https://guestlist.example/graph/lifecycle"));
        assert!(one.client_state.as_ref().unwrap().starts_with("v1.k1."));
    }
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn what_is_alive_is_not_made_again_and_not_renewed_before_half_of_its_life() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    for _ in 0..23 {
        world.clock.advance(SignedDuration::from_hours(1));
        look(&world).await.unwrap();
    }
    world.expect_no_writes();
    world.clock.advance(SignedDuration::from_hours(1));
    look(&world).await.unwrap();
    for one in there(&world) {
        world.expect_write("PATCH", &format!("/subscriptions/{}", one.id));
        assert_eq!(one.expires_at.duration_since(world.clock.now()), SignedDuration::from_hours(48));
    }
    expect_in_step(&world).await;
}

#[tokio::test]
async fn the_end_that_is_stored_is_the_one_that_graph_returned() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    // The simulator gives whole seconds, whatever was asked.
    world.clock.advance(SignedDuration::from_millis(24 * 3_600_000 + 250));
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    expect_in_step(&world).await;
    let asked = world.clock.now().checked_add(SignedDuration::from_hours(48)).unwrap();
    assert!(bound(&records(&world).await).iter().all(|(_, expires_at)| *expires_at != asked));
}

#[tokio::test]
async fn a_subscription_whose_answer_was_lost_is_adopted_by_the_next_look() {
    let mut world = not_subscribed().await;
    world.next_faults([Fault::new("POST", "/subscriptions", Failure::LostAnswer)]);
    look(&world).await.unwrap();
    world.run("alert").await;
    assert_eq!(world.slack.read_all().len(), 1);
    assert_eq!((there(&world).len(), bound(&records(&world).await).len()), (2, 1));
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    assert_eq!(there(&world).len(), 2);
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_lost_ledger_adopts_what_the_keys_can_prove() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for record in records(&world).await {
        world.store.ledger.remove::<SubscriptionRecord>(record.nonce.as_str()).await.unwrap();
    }
    look(&world).await.unwrap();
    world.expect_no_writes();
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_conflict_is_found_in_the_list() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for record in records(&world).await {
        world.store.ledger.remove::<SubscriptionRecord>(record.nonce.as_str()).await.unwrap();
    }
    for one in there(&world) {
        world.simulator.lose_subscription(one.id);
    }
    // Two looks side by side, as of two processes: both see an empty list, and one request meets the other.
    let (one, two) = tokio::join!(look(&world), look(&world));
    one.unwrap();
    two.unwrap();
    assert_eq!(there(&world).len(), 2);
    world.forget_writes("/subscriptions");
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    expect_in_step(&world).await;
    world.run("alert").await;
    world.slack.read_all();
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_made_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for one in there(&world) {
        assert!(world.simulator.lose_subscription(one.id));
    }
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    assert_eq!(there(&world).len(), 2);
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

/// A tenant whose list of subscriptions is empty so many times, and which knows each by its id.
async fn with_a_late_list(world: &World, times: usize) -> (watch::Sender<bool>, SubscriptionKeeper) {
    let left = Arc::new(AtomicUsize::new(times));
    let late = move |request: Request, next: Next| {
        let lists = request.method() == Method::GET && request.uri().path() == "/v1.0/subscriptions";
        let empty = lists && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        async move { if empty { Json(json!({ "value": [] })).into_response() } else { next.run(request).await } }
    };
    let tenant = world.simulator.router().layer(from_fn(late));
    let (graph, stop) = world.serve_beside(tenant, Limits::default()).await;
    let endpoints = Endpoints::parse(graph.as_str(), graph.as_str()).unwrap();
    let app = world.assembly.settings.reader.as_ref().unwrap().app.clone();
    let (wire, patience) = (world.assembly.wire.clone(), world.assembly.patience);
    let mut keeper = world.parts.keeper.clone().unwrap();
    keeper.reader = Reader::new(Client::new(wire, endpoints, app, keeper.clock.clone(), patience));
    (stop, keeper)
}

#[tokio::test]
async fn a_list_that_lags_behind_retires_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let before = records(&world).await;
    let (_stop, keeper) = with_a_late_list(&world, 1).await;
    keeper.look().await.unwrap();
    world.expect_no_writes();
    assert_eq!(records(&world).await, before);
    // It is renewed in time, too, although no list shows it.
    let (_stop, keeper) = with_a_late_list(&world, 1).await;
    world.clock.advance(SignedDuration::from_hours(24));
    keeper.look().await.unwrap();
    for one in there(&world) {
        world.expect_write("PATCH", &format!("/subscriptions/{}", one.id));
    }
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_changed_public_address_moves_the_subscriptions() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let old = there(&world);
    let keeper = world.parts.keeper.as_mut().unwrap();
    keeper.receivers.notifications = "https://new.guestlist.example/graph/notifications".to_owned();
    keeper.receivers.lifecycle = "https://new.guestlist.example/graph/lifecycle".to_owned();
    let receiver = world.receiver.as_str().trim_end_matches('/').to_owned();
    world.simulator.forward("https://new.guestlist.example", &receiver);
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    let new = there(&world);
    assert!(new.iter().all(|one| one.notification_url.starts_with("https://new.")), "{new:?}");
    assert_eq!((old.len(), new.len()), (2, 2));
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_subscription_of_another_address_that_is_not_ours_is_left_alone_and_told() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let other = World::with_policy(PARTNERS_ONLY).await;
    // The same tenant, the same app, another installation with keys of its own.
    let mut keeper = other.parts.keeper.clone().unwrap();
    keeper.reader = world.assembly.reader().unwrap();
    keeper.receivers.notifications = "https://other.example/graph/notifications".to_owned();
    keeper.look().await.unwrap();
    assert!(world.simulator.take_writes().iter().all(|write| write.status == 409));
    assert_eq!(there(&world).len(), 2);
    other.run("alert").await;
    let told = other.slack.read_all();
    assert_eq!(told.len(), 2, "users and groups");
    assert!(told[0].text().contains("an app registration of its own"), "{}", told[0].text());
    keeper.look().await.unwrap();
    other.run("alert").await;
    other.slack.expect_silence();
    world.forget_writes("/subscriptions");
}

/// Somebody has subscribed as this app, by hand.
async fn subscribe_by_hand(world: &World, resource: &str, change_type: &str, url: &str) {
    let (wire, graph) = (&world.assembly.wire, url::Url::parse(&world.simulator.url()).unwrap());
    let form = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
        simulator::contoso::READER,
        simulator::contoso::READER_SECRET
    );
    let login = graph.join(&format!("{}/oauth2/v2.0/token", simulator::contoso::TENANT)).unwrap();
    let call = wire::Call::post(login, form).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let token: serde_json::Value = serde_json::from_slice(&wire.send(call).await.unwrap().body).unwrap();
    let end = world.clock.now().checked_add(SignedDuration::from_hours(40)).unwrap();
    let body = json!({"changeType": change_type, "resource": resource, "notificationUrl": url,
        "expirationDateTime": end.to_string(), "clientState": "by hand"});
    let call = wire::Call::post(graph.join("v1.0/subscriptions").unwrap(), body.to_string())
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, &format!("Bearer {}", token["access_token"].as_str().unwrap()));
    let reply = wire.send(call).await.unwrap();
    assert_eq!(reply.status, 201, "{:?}", reply.body);
    world.forget_writes("/subscriptions");
}

#[tokio::test]
async fn strays_that_send_to_our_address_are_removed_and_others_are_left_alone() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let ours = there(&world);
    let (here, there_too) = (&ours[0].notification_url, "https://guestlist.example/graph/lifecycle");
    subscribe_by_hand(&world, "/users", "updated", here).await;
    subscribe_by_hand(&world, "/groups", "deleted", here).await;
    subscribe_by_hand(&world, "/users", "deleted", there_too).await;
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    let left = there(&world);
    assert!(ours.iter().all(|one| left.iter().any(|other| other.id == one.id)), "{left:?}");
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().any(|one| one.notification_url == there_too));
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn a_stray_that_cannot_be_deleted_is_told_once() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let here = there(&world)[0].notification_url.clone();
    subscribe_by_hand(&world, "/users", "updated", &here).await;
    for _ in 0..2 {
        world.next_faults([Fault::new("DELETE", "/subscriptions", Failure::Status(403, RetryAfter::None))]);
        look(&world).await.unwrap();
    }
    world.run("alert").await;
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("to `/users` sends to our address and cannot be deleted"), "{told:?}");
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    assert_eq!(there(&world).len(), 2);
}

#[tokio::test]
async fn reauthorization_is_given_when_it_is_asked_for_and_what_was_held_back_arrives() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let users = there(&world).into_iter().find(|one| one.resource == "/users").unwrap();
    assert!(world.simulator.require_reauthorization(users.id));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_write("POST", &format!("/subscriptions/{}/reauthorize", users.id));
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    expect_in_step(&world).await;
}

#[tokio::test]
async fn a_lifecycle_event_that_nobody_knows_yet_is_looked_into_like_any_other() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let users = there(&world).into_iter().find(|one| one.resource == "/users").unwrap();
    // Microsoft's description does not know it either.
    world.simulator.record_as_fault(true);
    world.simulator.send_lifecycle(users.id, Lifecycle::Unknown("somethingThatDoesNotExistYet".to_owned()));
    world.settle().await;
    world.simulator.record_as_fault(false);
    world.simulator.send_lifecycle(users.id, Lifecycle::Missed);
    world.settle().await;
    assert!(world.calls("GET", "/subscriptions") > 0);
    assert_eq!(world.slack.read_all().len(), 1, "what was missed is told, and nothing else");
    world.expect_no_writes();
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_removal_that_graph_tells_of_is_mended_at_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let groups = there(&world).into_iter().find(|one| one.resource == "/groups").unwrap();
    let users = there(&world).into_iter().find(|one| one.resource == "/users").unwrap();
    world.simulator.lose_subscription(groups.id);
    world.simulator.send_lifecycle(users.id, Lifecycle::SubscriptionRemoved);
    world.settle().await;
    world.forget_writes("/subscriptions");
    assert_eq!(world.slack.read_all().len(), 1, "changes may have been lost, which is told");
    assert_eq!(there(&world).len(), 2);
    expect_in_step(&world).await;
}

#[tokio::test]
async fn trouble_with_subscribing_is_told_once_and_leaves_nothing_behind() {
    let mut world = not_subscribed().await;
    for _ in 0..20 {
        let failing = |method| Fault::new(method, "/subscriptions", Failure::Status(503, RetryAfter::None));
        world.next_faults([failing("POST"), failing("POST")]);
        look(&world).await.unwrap();
        world.run("alert").await;
        world.clock.advance(SignedDuration::from_mins(3));
    }
    assert_eq!(world.slack.read_all().len(), 2, "one for each of the two");
    assert_eq!(records(&world).await.len(), 2, "a nonce that came to nothing is used again");
    look(&world).await.unwrap();
    world.forget_writes("/subscriptions");
    expect_in_step(&world).await;
    expect_heard(&mut world).await;
}

#[tokio::test]
async fn graph_that_cannot_be_asked_is_told_once() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    for _ in 0..3 {
        world.next_faults([Fault::new("GET", "/subscriptions", Failure::Status(500, RetryAfter::None))]);
        assert!(look(&world).await.is_err());
        world.run("alert").await;
    }
    assert_eq!(world.slack.read_all().len(), 1);
    look(&world).await.unwrap();
    world.expect_no_writes();
}

/// Whoever keeps them pauses for so long.
#[tokio::test]
async fn graph_is_left_alone_for_as_long_as_it_asks_when_it_makes_no_subscription() {
    let world = not_subscribed().await;
    world.next_faults([Fault::new("POST", "/subscriptions", Failure::Throttled(RetryAfter::Seconds(600)))]);
    assert_eq!(look(&world).await.unwrap(), Some(SignedDuration::from_secs(600)));
    assert_eq!(look(&world).await.unwrap(), None);
    expect_in_step(&world).await;
    world.forget_writes("/subscriptions");
    world.slack.texts();
}
