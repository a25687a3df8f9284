//! What a function must be told on Lambda, and what it says when something is missing.

use crate::function::Function;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_settings_tells_all_that_is_missing() {
    let notifications = Function::start("notifications", &[]).await;
    assert_eq!(notifications.ended().await, Some(2));
    let log = notifications.log();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "GUESTLIST_TABLE",
        "GUESTLIST_QUEUE_CHANGES",
        "GUESTLIST_DEAD_CHANGES",
        "GUESTLIST_QUEUE_REMEDIATIONS",
        "GUESTLIST_QUEUE_ALERTS",
        "GUESTLIST_DEAD_CHORES",
        "GUESTLIST_TENANT_ID",
        "GUESTLIST_STATE_KEYS_SECRET or GUESTLIST_STATE_KEYS_PARAMETER",
    ] {
        assert!(log.contains(&format!("{name} is not set: ")), "{name}: {log}");
    }
    for name in ["GUESTLIST_READ", "GUESTLIST_POLICY", "GUESTLIST_DATA", "GUESTLIST_LISTEN"] {
        assert!(!log.contains(name), "{name}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_or_a_policy_that_is_not_there_is_named() {
    let stage = Stage::set().await;
    for (setting, value, says) in [
        (
            "GUESTLIST_READ_CLIENT_SECRET_SECRET",
            "nowhere",
            "GUESTLIST_READ_CLIENT_SECRET_SECRET: cannot read `nowhere`",
        ),
        ("GUESTLIST_POLICY", "s3://nowhere/policy.yaml", "failed to read `s3://nowhere/policy.yaml`"),
        ("GUESTLIST_POLICY", "s3://nowhere", "does not name an object"),
        (
            "GUESTLIST_QUEUE_CHANGES",
            "changes",
            "GUESTLIST_QUEUE_CHANGES: `changes` is not the URL of a queue",
        ),
        ("AWS_ENDPOINT_URL", "loopback", "AWS_ENDPOINT_URL: `loopback` is not an address"),
    ] {
        let mut environment = stage.environment("assess");
        environment.retain(|(name, _)| name != setting);
        environment.push((setting.to_owned(), value.to_owned()));
        let assess = Function::start("assess", &environment).await;
        assert!(matches!(assess.ended().await, Some(1 | 2)));
        assert!(assess.log().contains(says), "{says}: {}", assess.log());
    }
}
