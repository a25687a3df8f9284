//! What monitoring learns, and where alone it can ask.

use guestlist_tests::{Setup, World, notification};
use jiff::SignedDuration;
use model::{Watched, Within};
use responder::Receiver;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::given::disabled;
use crate::policies::PARTNERS_ONLY;

#[tokio::test]
async fn the_internet_can_ask_for_none_of_it() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    for path in ["/healthz", "/readyz", "/metrics", "/graph/metrics"] {
        let asked = world.get_at(&world.receiver, path).await;
        assert_eq!((asked.status, asked.body.as_str()), (404, ""), "{path}");
        assert_eq!(world.post(path, "").await.status, 404, "{path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(world.monitor(path).await.status, 200, "{path}");
    }
    for path in ["/graph/notifications", "/graph/lifecycle"] {
        assert_eq!(world.monitor(path).await.status, 404, "{path}");
    }
}

/// `name{label="…"} 1.5`, as the exposition format 0.0.4 has it.
#[track_caller]
fn expect_sample(line: &str) {
    let (name, value) = line.rsplit_once(' ').unwrap();
    value.parse::<f64>().unwrap();
    let plain = name.split('{').next().unwrap();
    assert!(
        plain.starts_with("guestlist_") && plain.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
        "{line}"
    );
    assert_eq!(name.contains('{'), name.ends_with("\"}"), "{line}");
}

#[tokio::test]
async fn it_is_counted_what_came_what_was_found_what_was_done_and_who_was_told() {
    let (mut world, sam, _) = disabled().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 1);
    let answer = world.monitor("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4"));
    let lines: Vec<&str> = answer.body.lines().filter(|line| !line.starts_with('#')).collect();
    lines.iter().for_each(|line| expect_sample(line));
    for who in ["mallory", "sam", "evil.example", &sam.id().to_string(), &mallory.id().to_string()] {
        assert!(!answer.body.contains(who), "{who} is named in\n{}", answer.body);
    }
    for (name, value) in [
        // Each was invited, and each of our writes came back.
        (r#"guestlist_notifications_received_total{resource="users"}"#, 4.0),
        (r#"guestlist_notifications_received_total{resource="groups"}"#, 0.0),
        (r#"guestlist_assessed_total{resource="users",source="notification"}"#, 4.0),
        (r#"guestlist_assessed_after_seconds_count{resource="users"}"#, 4.0),
        (r#"guestlist_step_results_total{result="done"}"#, 2.0),
        (r#"guestlist_deliveries_total{channel="slack",result="sent"}"#, 2.0),
        (r#"guestlist_notifications_refused_total{reason="forged"}"#, 0.0),
        (r#"guestlist_queue_depth{queue="changes",state="ready"}"#, 0.0),
        (r#"guestlist_queue_oldest_seconds{queue="changes"}"#, 0.0),
        (r#"guestlist_dead_letters{queue="changes"}"#, 0.0),
        (r#"guestlist_at_most{mode="enforce"}"#, 1.0),
        (r#"guestlist_at_most{mode="observe"}"#, 0.0),
        ("guestlist_breaker_open", 0.0),
        ("guestlist_writes_stopped", 0.0),
        ("guestlist_store_readable", 1.0),
    ] {
        assert_eq!(world.metric(name).await, Some(value), "{name}\n{}", answer.body);
    }
    let found = |rule: &str| format!("guestlist_findings_total{{rule=\"{rule}\"}}");
    let (of_all, of_blocked) =
        (world.metric(&found("otherwise.guest")).await, world.metric(&found("blocked-domain")).await);
    assert!(of_blocked.is_some_and(|blocked| blocked >= 2.0), "{}", answer.body);
    assert!(of_all > of_blocked, "{}", answer.body);
    assert_eq!(world.metric("guestlist_canary_lost").await, None, "there is no canary");
}

#[tokio::test]
async fn what_is_refused_is_counted_by_its_reason() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let id = world.invite_unnoticed("mallory@evil.example").id();
    let genuine = world.genuine(Watched::Users, id);
    let forged = notification(Watched::Users, id, Uuid::from_u128(9), "v1.k1.not.ours");
    let mut unreadable: Value = genuine.clone();
    unreadable["resourceData"]["id"] = json!("nobody");
    unreadable["resource"] = json!("Users/nobody");
    assert_eq!(world.notify(&[genuine, forged.clone(), forged, unreadable]).await.status, 202);
    assert_eq!(world.post("/graph/notifications", "garbage").await.status, 400);
    let large = " ".repeat(Receiver::MOST_BYTES + 1);
    assert_eq!(world.post("/graph/notifications", large).await.status, 413);
    for (reason, count) in [
        ("forged", 2.0),
        ("unreadable", 1.0),
        ("unparsable", 1.0),
        ("too-large", 1.0),
        ("too-slow", 0.0),
        ("broken-off", 0.0),
        ("no-place", 0.0),
        ("not-durable", 0.0),
    ] {
        let name = format!("guestlist_notifications_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(world.metric(&name).await, Some(count), "{reason}");
    }
    assert_eq!(world.metric(r#"guestlist_notifications_received_total{resource="users"}"#).await, Some(1.0));
    assert_eq!(world.metric(r#"guestlist_dead_letters{queue="changes"}"#).await, Some(1.0));
    world.run("assess").await;
    world.run("remediate").await;
    world.forget_writes("/users");
    world.run("alert").await;
    world.slack.read_all();
}

/// The reasons of `/readyz`, and whether it is ready.
async fn readiness(world: &World) -> (u16, Vec<String>) {
    let answer = world.monitor("/readyz").await;
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(said["ready"], answer.status == 200, "{said}");
    (answer.status, serde_json::from_value(said["reasons"].clone()).unwrap())
}

#[tokio::test]
async fn a_process_is_ready_once_graph_tells_it_of_changes_and_as_long_as_it_can_write() {
    let setup = Setup { subscribed: false, ..Setup::with_policy(PARTNERS_ONLY) };
    let world = World::new(setup).await;
    let (status, reasons) = readiness(&world).await;
    assert_eq!((status, reasons.len()), (503, 2), "{reasons:?}");
    assert!(reasons[0].starts_with("there is no living subscription to `/users`"), "{reasons:?}");
    assert!(reasons[1].starts_with("there is no living subscription to `/groups`"), "{reasons:?}");
    assert_eq!(world.monitor("/healthz").await.status, 200, "a restart would mend nothing");
    world.subscribe().await;
    assert_eq!(readiness(&world).await, (200, vec![]));
    let left = world.metric(r#"guestlist_subscription_expires_in_seconds{resource="users"}"#).await;
    assert_eq!(left, Some(48.0 * 3600.0));
    world.clock.advance(SignedDuration::from_hours(49));
    assert_eq!(readiness(&world).await.0, 503, "nobody has renewed them");
    let left = world.metric(r#"guestlist_subscription_expires_in_seconds{resource="users"}"#).await;
    assert_eq!(left, Some(0.0));
}

#[tokio::test]
async fn who_cannot_write_is_not_ready_and_who_lost_the_store_is_not_healthy() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    assert_eq!(readiness(&world).await, (200, vec![]));
    let run =
        |sql: &'static str| world.store.database.as_ref().unwrap().write(move |db| db.execute_batch(sql));
    let full = "CREATE TRIGGER full BEFORE INSERT ON ledger_items BEGIN SELECT RAISE(ABORT, 'no space'); END";
    run(full).await.unwrap();
    let (status, reasons) = readiness(&world).await;
    assert_eq!(status, 503);
    assert!(reasons[0].starts_with("the store cannot be written: "), "{reasons:?}");
    assert_eq!(world.monitor("/healthz").await.status, 200);
    run("DROP TRIGGER full").await.unwrap();
    assert_eq!(readiness(&world).await, (200, vec![]));
    world.store.close();
    assert_eq!(world.monitor("/healthz").await.status, 503);
    assert_eq!(readiness(&world).await.0, 503);
    assert_eq!(
        world.metric("guestlist_store_readable").await,
        Some(0.0),
        "its own counters are told all the same"
    );
    assert_eq!(world.metric("guestlist_breaker_open").await, None);
}

#[tokio::test]
async fn it_is_known_how_long_notifications_wait_for_their_first_look() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for seconds in [0, 0, 7] {
        let adele = world.tenant.invite("adele@fabrikam.com");
        world.settle_for(SignedDuration::ZERO).await;
        world.clock.advance(SignedDuration::from_mins(10));
        world.settle().await;
        world.tenant.stir(adele);
        world.deliver().await;
        while world.simulator.waiting_notifications() > 0 {
            world.clock.advance_to(world.next_due().await.unwrap());
            world.deliver().await;
        }
        world.clock.advance(SignedDuration::from_secs(seconds));
        world.run("assess").await;
    }
    let rows = world.rows().await;
    let lag = || world.store.ledger.assessed_after(Watched::Users);
    assert_eq!(lag().await.unwrap(), None, "no notification costs a write of its own");
    world.parts.meter.write_down(&world.store.ledger, world.clock.now()).await.unwrap();
    assert_eq!(world.rows().await, rows + 1);
    let known = lag().await.unwrap().unwrap().all();
    assert_eq!(known.count(), 6, "three came, and three changed; second looks are none");
    assert_eq!(known.within(50), Some(Within::AtMost(SignedDuration::from_millis(100))));
    assert_eq!(known.within(99), Some(Within::AtMost(SignedDuration::from_secs(10))));
    world.settle().await;
    world.parts.meter.write_down(&world.store.ledger, world.clock.now()).await.unwrap();
    world.restart().await;
    world.parts.meter.write_down(&world.store.ledger, world.clock.now()).await.unwrap();
    let after = world.store.ledger.assessed_after(Watched::Users).await.unwrap().unwrap().all();
    assert_eq!(after, known, "a restart adds nothing and takes nothing");
}
