//! What the function `steward` must be told, and nothing else.

use std::process::Command;

#[cfg(feature = "local")]
#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-steward")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 5 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      GUESTLIST_PUBLIC_URL is not set: the https address under which Microsoft Graph reaches this receiver, like `https://guestlist.contoso.com`
      GUESTLIST_READ_CLIENT_ID is not set: the application (client) id of the app registration
      GUESTLIST_READ_CERTIFICATE_FILE with GUESTLIST_READ_KEY_FILE, GUESTLIST_READ_ASSERTION_FILE, or GUESTLIST_READ_CLIENT_SECRET_FILE, is not set: the app's credential
      GUESTLIST_CHANNELS is not set: the channels of the process that tells people (`slack`, `teams`, `pagerduty`, `webhook`, with a comma between)
    ");
}
