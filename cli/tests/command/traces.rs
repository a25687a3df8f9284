//! `guestlist serve` with a collector of traces: what it has not told yet it tells when it stops, and a collector that is silent
//! holds nothing up.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

use crate::process::Process;
use crate::tenant::Tenant;

/// All that came in, as bytes, in which texts stand as they are. A silent one takes everything and never answers.
async fn collector(silent: bool) -> (String, Arc<Mutex<Vec<u8>>>) {
    let kept: Arc<Mutex<Vec<u8>>> = Arc::default();
    let told = Arc::clone(&kept);
    let take = async move |body: Bytes| {
        told.lock().unwrap().extend_from_slice(&body);
        if silent {
            std::future::pending::<()>().await;
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, kept)
}

fn heard(kept: &Mutex<Vec<u8>>, text: &str) -> bool {
    kept.lock().unwrap().windows(text.len()).any(|some| some == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_yet_is_told_when_the_process_stops() {
    let tenant = Tenant::start().await;
    let (address, kept) = collector(false).await;
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("OTEL_SERVICE_NAME", "our-guests")];
    let mut serve = Process::serve_with(&tenant, &set);
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until_done(mallory).await;
    tenant.until("told", || !tenant.told().is_empty()).await;
    assert_eq!(serve.terminate().code(), Some(0), "{}", serve.log());
    assert!(heard(&kept, "our-guests") && heard(&kept, "tell Slack"), "{}", serve.log());
    assert!(heard(&kept, &mallory.to_string()) && !heard(&kept, "mallory"));
    // Only who serves makes traces.
    let (address, kept) = collector(false).await;
    tenant.run_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)], &["status"]);
    assert!(kept.lock().unwrap().is_empty());
    // What is wrong with them is no reason not to stop everything.
    let wrong = [("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let stopped = tenant.run_with(&wrong, &["stop", "--reason", "too many"]);
    assert_eq!(stopped.code, 0, "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_collector_holds_up_neither_the_work_nor_the_end() {
    let tenant = Tenant::start().await;
    let (address, kept) = collector(true).await;
    let mut serve = Process::serve_with(&tenant, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]);
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until_done(mallory).await;
    assert_eq!(serve.terminate().code(), Some(0), "{}", serve.log());
    assert!(heard(&kept, "guestlist"), "it was tried");
    assert!(serve.log().contains("failed to send spans"), "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_wrong_keeps_serve_from_starting() {
    let tenant = Tenant::start().await;
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), ("OTEL_TRACES_SAMPLER", "xray")];
    let said = tenant.run_with(&set, &["serve"]).expect(2).stderr.clone();
    insta::assert_snapshot!(said, @"
    error: 1 setting is missing or wrong:
      OTEL_TRACES_SAMPLER: `xray` is not known here: use `parentbased_traceidratio`, with the share in OTEL_TRACES_SAMPLER_ARG, or `always_on`
    ");
}
