//! `guestlist stop` and `guestlist resume`: all writes to the tenant.

use std::time::Duration;

use insta::assert_snapshot;

use crate::tenant::{Tenant, me, without_ids};

#[tokio::test(flavor = "multi_thread")]
async fn while_writes_are_stopped_nothing_is_written_and_afterwards_nothing_is_forgotten() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let idle = tenant.run(&["resume"]);
    assert!(idle.expect(0).stderr.contains("writes were not stopped"), "{idle:?}");
    let stopped = tenant.json(&["stop", "--reason", "an audit"]);
    assert_eq!(stopped["stopped"]["reason"], "an audit");
    assert_eq!(stopped["stopped"]["by"], me());
    tenant.until("told", || tenant.told_with("an audit") == 1).await;
    let status = tenant.run(&["status"]);
    let line = status.expect(3).stdout.lines().find(|line| line.contains("writes are stopped")).unwrap();
    assert_snapshot!(without_ids(&line.replace(&me(), "<me>")), @"writes are stopped since <when> by <me>: an audit");
    assert!(!line.contains('.'), "to the second: {line}");
    assert!(
        status.stdout.lines().any(|line| line == "writes: stopped, until `guestlist resume`"),
        "{status:?}"
    );
    let doctor = tenant.run(&["doctor"]);
    let line = doctor.stdout.lines().find(|line| line.contains("writes: ")).unwrap();
    assert_snapshot!(without_ids(&line.replace(&me(), "<me>")), @"warn   writes: stopped since <when> by <me>: an audit; `guestlist resume` allows them again");
    drop(tenant.simulator.take_writes());
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until("found", || !tenant.incidents_of(mallory).is_empty()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(tenant.is_enabled(mallory));
    assert_eq!(tenant.simulator.take_writes(), []);
    let incident = tenant.incidents_of(mallory)[0]["id"].as_str().unwrap().to_owned();
    let refused = tenant.run(&["undo", &incident, "--reason", "x"]);
    assert!(refused.expect(4).stdout.contains("`guestlist resume` first"), "{refused:?}");
    let resumed = tenant.json(&["resume", "--reason", "it is over"]);
    assert_eq!((&resumed["stopped"], &resumed["changed"]), (&serde_json::Value::Null, &true.into()));
    tenant.until("told", || tenant.told_with("it is over") == 1).await;
    tenant.until_done(mallory).await;
}

/// The command needs no channel, and may die as soon as it has written.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_has_the_channels_tells_of_a_stop_and_of_its_end_once_each() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    assert_eq!(serve.terminate().code(), Some(0));
    let unset = [("GUESTLIST_SLACK_WEBHOOK_URL", "")];
    tenant.run_with(&unset, &["stop", "--reason", "an audit"]).expect(0);
    tenant.run_with(&unset, &["resume", "--reason", "it is over"]).expect(0);
    for address in ["mallory@evil.example", "eve@evil.example"] {
        let mut serve = tenant.serve().await;
        tenant.until("told", || tenant.told_with("an audit") + tenant.told_with("it is over") == 2).await;
        let guest = tenant.invite(address);
        tenant.until_done(guest).await;
        assert_eq!(serve.terminate().code(), Some(0));
    }
    assert_eq!((tenant.told_with("an audit"), tenant.told_with("it is over")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_names_who_asked_for_it_behind_sudo_too() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let sudo = tenant.run_with(&[("SUDO_UID", "0")], &["stop", "--output", "json"]);
    assert!(sudo.expect(0).stdout.contains(&format!("\"by\": \"{} (sudo by root)\"", me())), "{sudo:?}");
    tenant.run(&["resume"]).expect(0);
    let sudo = tenant.run_with(&[("SUDO_UID", "4294967294")], &["stop", "--output", "json"]);
    assert!(sudo.expect(0).stdout.contains(&format!("\"by\": \"{}\"", me())), "{sudo:?}");
}
