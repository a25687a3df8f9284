//! Where a collector of traces is set, one trace leads from the notification to the write and to whoever was told of it, and says
//! nothing of anybody but object ids.

use std::time::Duration;

use axum::http::StatusCode;
use guestlist_tests::{Guest, Seen, Setup, Traced, World};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::policies::PARTNERS_ONLY;

/// A guest whom nobody admits comes, is disabled, and the team is told.
async fn disabled(traced: &Traced) -> (World, Guest) {
    let also = Traced::settings(&traced.collector).into();
    let mut world = World::new(Setup { also, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_now().await;
    world.settle_for(jiff::SignedDuration::from_secs(60)).await;
    world.expect_disabled(sam);
    assert!(world.slack.next_text().contains("sam@northwind"));
    (world, sam)
}

#[tokio::test]
async fn one_trace_leads_from_the_notification_to_the_write_and_to_the_message() {
    let traced = Traced::open().await;
    let (world, sam) = disabled(&traced).await;
    traced.send(&world).await;
    let collector = &traced.collector;
    let write = collector.only("PATCH /v1.0/users/{id}");
    let before = ["remediations process", "remediations send", "changes process", "changes send"];
    let mut expected = vec!["PATCH /v1.0/users/{id}"];
    expected.extend(before);
    expected.push("POST /graph/notifications");
    assert_eq!(collector.way_up(&write), expected);
    let told = collector.only("tell Slack");
    assert_eq!(told.trace, write.trace);
    let up = collector.way_up(&told);
    assert_eq!(up[..3], ["tell Slack", "alerts process", "alerts send"], "{up:?}");
    assert_eq!(up.last().unwrap(), "POST /graph/notifications");

    let kinds = |name: &str| collector.spans().iter().find(|span| span.name == name).unwrap().kind;
    assert_eq!(kinds("POST /graph/notifications"), SpanKind::Server);
    assert_eq!(kinds("changes send"), SpanKind::Producer);
    assert_eq!(kinds("changes process"), SpanKind::Consumer);
    assert_eq!((write.kind, told.kind), (SpanKind::Client, SpanKind::Client));
    assert_eq!(write.attributes["http.response.status_code"], "204");
    assert_eq!(write.attributes["http.request.method"], "PATCH");
    assert!(write.attributes["graph.request_id"].len() > 30, "{write:?}");

    // The id that the lines of the log carry.
    let incident = world.incident(sam).await;
    let job = collector.spans().into_iter().find(|span| span.id == write.parent).unwrap();
    assert_eq!(job.attributes["correlation"], incident.correlation.to_string());
    assert_eq!(job.attributes["messaging.destination.name"], "remediations");
}

/// What a span says beside its name. A new one has to be thought about here: it holds no address and no secret, and of people object
/// ids at most.
const SAID: [&str; 18] = [
    "channel.name",
    "correlation",
    "error.type",
    "faas.invocation_id",
    "faas.trigger",
    "graph.client_request_id",
    "graph.request_id",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "job.deliveries",
    "job.key",
    "messaging.batch.message_count",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "url.template",
];

#[tokio::test]
async fn nothing_of_anybody_but_object_ids_is_in_a_trace() {
    let traced = Traced::open().await;
    let (world, sam) = disabled(&traced).await;
    traced.send(&world).await;
    let collector = &traced.collector;
    assert!(collector.heard(&sam.id().to_string()), "which keys the jobs");
    let addresses =
        [world.slack.url(), world.simulator.url(), world.receiver.to_string(), "127.0.0.1".to_owned()];
    for text in ["sam@", "northwind", "Alice", "contoso", "Bearer", "hush", simulator::contoso::WRITER_SECRET]
    {
        assert!(!collector.heard(text), "{text}");
    }
    for text in addresses {
        assert!(!collector.heard(&text), "{text}");
    }
    for span in collector.spans() {
        assert_eq!(span.service, "guestlist");
        for (name, value) in &span.attributes {
            assert!(!value.contains('@'), "{} says {name} = {value}", span.name);
            assert!(SAID.contains(&name.as_str()), "{} says {name} = {value}", span.name);
        }
    }
    let headers = collector.headers();
    assert!(headers.iter().all(|one| one["api-key"] == "hush!"), "the collector knows us by its key");
    assert!(headers.iter().all(|one| one["content-type"] == "application/x-protobuf"));
}

#[tokio::test]
async fn a_look_that_can_wait_is_a_trace_of_its_own_that_says_where_it_comes_from() {
    let traced = Traced::open().await;
    let (mut world, _) = disabled(&traced).await;
    world.reconcile_all().await;
    world.settle().await;
    traced.send(&world).await;
    let spans = traced.collector.spans();
    let alone =
        |span: &&Seen| span.name == "changes process" && span.parent.is_empty() && !span.links.is_empty();
    let first = spans.iter().find(alone).expect("a look that nobody waits for");
    let sent = spans.iter().find(|span| span.id == first.links[0].1).expect("what sent it");
    assert_eq!((sent.name.as_str(), &sent.trace), ("changes send", &first.links[0].0));
    assert_ne!(sent.trace, first.trace);
}

#[tokio::test]
async fn an_outsider_names_none_of_our_traces() {
    let traced = Traced::open().await;
    let also = Traced::settings(&traced.collector).into();
    let world = World::new(Setup { also, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    let call = wire::Call::post(world.receiver.join("/graph/notifications").unwrap(), "{}")
        .header("traceparent".parse().unwrap(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(world.assembly.wire.send(call).await.unwrap().status, StatusCode::BAD_REQUEST);
    traced.send(&world).await;
    let refused = traced.collector.spans().into_iter();
    let refused = refused
        .filter(|span| span.attributes.get("http.response.status_code").is_some_and(|code| code == "400"));
    let [span] = <[_; 1]>::try_from(refused.collect::<Vec<_>>()).unwrap();
    assert_eq!(
        (span.name.as_str(), span.parent.as_str(), span.links.len()),
        ("POST /graph/notifications", "", 0)
    );
    assert_ne!(span.trace, "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn a_collector_that_is_away_or_silent_costs_nothing_but_its_own_time() {
    let traced = Traced::open().await;
    traced.collector.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    let (mut world, sam) = disabled(&traced).await;
    traced.send(&world).await;
    assert_eq!(traced.collector.requests(), 1);
    // It was asked a moment ago, and is left alone.
    traced.collector.hang();
    traced.send(&world).await;
    assert_eq!(traced.collector.requests(), 1);
    assert_eq!(traced.traces.counted(), (0, 0), "all of them are kept");
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), "done");

    let other = Traced::open().await;
    other.collector.hang();
    let also = Traced::settings(&other.collector).into();
    let silent = World::new(Setup { also, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    other.traces.send_to(silent.assembly.settings.traces.clone().unwrap(), silent.assembly.wire.clone());
    drop(tracing::debug_span!(target: "guestlist::trace", "anything").entered());
    tokio::time::timeout(Duration::from_secs(60), other.traces.send(Duration::from_secs(2))).await.unwrap();
    assert_eq!(other.collector.requests(), 1);
    assert_eq!(other.traces.counted(), (0, 0), "kept, although nobody answers");
}
