//! What the function `alert` must be told, and nothing else.

use std::process::Command;

#[cfg(feature = "local")]
#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-alert")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      none of these is set, and people have to be told somewhere: GUESTLIST_SLACK_WEBHOOK_URL_FILE or GUESTLIST_SLACK_BOT_TOKEN_FILE; GUESTLIST_TEAMS_WEBHOOK_URL_FILE; GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE; GUESTLIST_WEBHOOK_URL_FILE with GUESTLIST_WEBHOOK_SECRET_FILE
    ");
}

/// As in its zip.
#[cfg(not(feature = "local"))]
#[test]
fn what_was_built_for_lambda_alone_says_so_elsewhere() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-alert")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 1 setting is missing or wrong:
      AWS_LAMBDA_RUNTIME_API is not set, and this `guestlist-alert` was built for AWS Lambda alone: start it there, or build it for a machine of your own with `cargo build --release --bin guestlist-alert`
    ");
}
