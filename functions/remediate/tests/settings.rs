//! What the function `remediate` must be told, and nothing else.

use std::process::Command;

#[cfg(feature = "local")]
#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-remediate")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 5 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      GUESTLIST_WRITE_CLIENT_ID is not set: the application (client) id of the app registration
      GUESTLIST_WRITE_CERTIFICATE_FILE with GUESTLIST_WRITE_KEY_FILE, GUESTLIST_WRITE_ASSERTION_FILE, or GUESTLIST_WRITE_CLIENT_SECRET_FILE, is not set: the app's credential
      GUESTLIST_POLICY is not set: the path of the policy file
      GUESTLIST_CHANNELS is not set: the channels of the process that tells people (`slack`, `teams`, `pagerduty`, `webhook`, with a comma between)
    ");
}
