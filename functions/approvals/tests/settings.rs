//! What the function `approvals` must be told, and nothing else.

use std::process::Command;

#[cfg(feature = "local")]
#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-approvals")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
    ");
}

/// As in its zip.
#[cfg(not(feature = "local"))]
#[test]
fn what_was_built_for_lambda_alone_says_so_elsewhere() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-approvals")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 1 setting is missing or wrong:
      AWS_LAMBDA_RUNTIME_API is not set, and this `guestlist-approvals` was built for AWS Lambda alone: start it there, or build it for a machine of your own with `cargo build --release --bin guestlist-approvals`
    ");
}
