//! `guestlist serve`: starts with clear errors, stops in good order.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use simulator::Delay;

use crate::process::Process;
use crate::tenant::{POLICY, Tenant};

fn slow(tenant: &Tenant, milliseconds: i64) {
    let by = SignedDuration::from_millis(milliseconds);
    tenant.simulator.set_faults(|faults| faults.delay = Some(Delay { by, chance: 1.0 }));
}

fn looked_at(tenant: &Tenant, guest: &str) -> bool {
    tenant.simulator.traffic().log.iter().any(|call| call.path.ends_with(guest))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_what_is_under_way_finish_and_loses_nothing() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    slow(&tenant, 700);
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until("looked at", || looked_at(&tenant, &mallory.to_string())).await;
    assert_eq!(serve.terminate().code(), Some(0), "{}", serve.log());
    assert!(serve.log().contains("stopping: what is under way is finished first"));
    let status = tenant.json(&["status"]);
    for queue in status["queues"].as_array().unwrap() {
        assert_eq!(queue["claimed"], 0, "a job was left in the middle: {status}");
    }
    assert!(!tenant.incidents_of(mallory).is_empty(), "the look that was under way was not finished");
    slow(&tenant, 0);
    let mut serve = tenant.serve().await;
    tenant.until_done(mallory).await;
    assert_eq!(serve.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_twice_is_in_a_hurry() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    slow(&tenant, 15_000);
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until("looked at", || looked_at(&tenant, &mallory.to_string())).await;
    let began = Instant::now();
    serve.signal("INT");
    tenant.until("stopping", || serve.log().contains("stopping: ")).await;
    assert!(!serve.has_ended());
    serve.signal("INT");
    assert_eq!(serve.wait().code(), Some(1), "{}", serve.log());
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(serve.log().contains("error: stopped at once: "), "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_port_says_so() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    let second = tenant.run_with(&[("GUESTLIST_LOG", "error")], &["serve"]);
    let said = second.expect(1).stderr.replace(&tenant.port.to_string(), "<port>");
    insta::assert_snapshot!(said, @"error: failed to listen on `127.0.0.1:<port>`: set GUESTLIST_LISTEN to a free address and port: Address already in use (os error 98)");
    assert!(!serve.has_ended());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_valid_keeps_serve_from_starting() {
    let tenant = Tenant::start().await;
    std::fs::write(tenant.policy(), POLICY.replace("then: [disable]", "then: [disabel]")).unwrap();
    let printed = tenant.run(&["serve"]);
    let said = printed.expect(2).stderr.replace(&format!("{}/", tenant.folder.path().display()), "");
    insta::assert_snapshot!(said, @"
    error: failed to load the policy:
    policy.yaml:11:12: unknown action `disabel`: did you mean `disable`?
    policy.yaml:16:37: unknown action `disabel`: did you mean `disable`?
    ");
    assert!(!tenant.data().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn data_and_keys_are_their_owners_alone() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&tenant.data()), 0o700);
    let files: Vec<_> =
        std::fs::read_dir(tenant.data()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_observer_finds_is_told_and_nothing_is_done() {
    let tenant = Tenant::start().await;
    // `GUESTLIST_AT_MOST` is what it is until it is set.
    let _serve = Process::serve_with(&tenant, &[("GUESTLIST_AT_MOST", "")]);
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    drop(tenant.simulator.take_writes());
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until("told", || tenant.told_with("mallory").min(1) == 1).await;
    assert!(tenant.is_enabled(mallory));
    assert_eq!(tenant.simulator.take_writes(), []);
}
