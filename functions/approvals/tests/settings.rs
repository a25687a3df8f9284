//! What the function `approvals` must be told, and nothing else.

use std::process::Command;

#[test]
fn a_start_without_settings_tells_all_that_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_guestlist-approvals")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
    ");
}
