//! What the function `notifications` must be told, and nothing else.

use std::process::Command;

#[cfg(feature = "local")]
#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-notifications")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      GUESTLIST_CHANNELS is not set: the channels of the process that tells people (`slack`, `teams`, `pagerduty`, `webhook`, with a comma between)
    ");
}
