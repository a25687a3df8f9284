//! `guestlist validate`: the same parse as at start-up, told with file, line, column and what to write instead.

use insta::assert_snapshot;
use serde_json::Value;

use crate::tenant::{POLICY, Printed, command, run};

fn validate(policy: &str, more: &[&str]) -> Printed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, policy).unwrap();
    let mut printed = run(&[&["validate", path.to_str().unwrap()], more].concat());
    let here = format!("{}/", folder.path().display());
    printed.stdout = printed.stdout.replace(&here, "");
    printed.stderr = printed.stderr.replace(&here, "");
    printed
}

#[test]
fn a_valid_policy_is_shown_as_it_was_understood() {
    let printed = validate(POLICY, &[]);
    printed.expect(0);
    assert_snapshot!(printed.stdout, @"
    RULE             SEVERITY  MODE     THEN     SAYS
    blocked-domain   high      enforce  disable  if an address is of list `blocked`: disable
    otherwise.guest  medium    enforce  disable  if no scenario admits the guest: disable
    ");
    let said = printed.stderr.split_once("` is valid; ").unwrap().1;
    assert_snapshot!(said, @"the app that writes needs GroupMember.Read.All, User.EnableDisableAccount.All, User.Read.All");
}

#[test]
fn each_kind_of_problem_names_its_place_and_its_fix() {
    for (wrong, instead) in [
        ("then: [disable]", "then: [disabel]"),
        ("guardrails:", "guardrail:"),
        ("domain: [blocked]", "domain: [blokced]"),
        ("partners: [fabrikam]", "partners: [fabricam]"),
        ("severity: high", "severity: huge"),
        ("mode: enforce", "mode: enforced"),
        ("[fabrikam.com]", "[\"*.com\"]"),
        ("[evil.example]", "[\"evil .example\"]"),
        ("id: agency-work", "id: blocked-domain"),
        ("version: 1", "version: 7"),
        ("version: 1\n", "version: 1\nversion: 1\n"),
        ("then: [disable]", "then: [delete, disable]"),
        ("then: [disable]", "then: [revoke-sessions]"),
        ("{ domain: [blocked] }", "{}"),
    ] {
        assert!(POLICY.contains(wrong), "{wrong}");
        let printed = validate(&POLICY.replacen(wrong, instead, 1), &[]);
        printed.expect(3);
        let first = printed.stdout.lines().next().unwrap();
        let mut parts = first.splitn(4, ':');
        assert_eq!(parts.next(), Some("policy.yaml"), "{instead}: {first}");
        let (line, column) = (parts.next().unwrap(), parts.next().unwrap());
        assert!(line.parse::<u32>().unwrap() > 0 && column.parse::<u32>().unwrap() > 0, "{first}");
        assert!(printed.stderr.is_empty(), "{printed:?}");
    }
    assert_snapshot!(validate(&POLICY.replace("domain: [blocked]", "domain: [blokced]"), &[]).stdout, @"policy.yaml:10:20: list `blokced` does not exist: did you mean `blocked`?");
}

#[test]
fn a_test_of_the_policy_that_fails_is_a_problem() {
    let tests =
        "tests:\n  - name: evil is welcome\n    guest: { mail: mallory@evil.example }\n    expect: {}\n";
    let printed = validate(&format!("{POLICY}{tests}"), &[]);
    printed.expect(3);
    assert_snapshot!(printed.stdout, @"policy.yaml:18:11: test `evil is welcome` does not hold: `blocked-domain` finds [disable], expected nothing (mail `mallory@evil.example` matches `evil.example` in list `blocked`); `otherwise.guest` finds [disable], expected nothing (no scenario admits the account; mail `mallory@evil.example` is of no partner)");
}

#[test]
fn as_json_a_policy_and_its_problems_are_data() {
    let printed = validate(POLICY, &["--output", "json"]);
    let valid: Value = serde_json::from_str(&printed.expect(0).stdout).unwrap();
    assert_eq!(valid["valid"], true);
    assert_eq!(valid["rules"][0]["id"], "blocked-domain");
    assert_eq!(valid["write_permissions"][2], "User.Read.All");
    let printed = validate("version: 1\nmod: enforce\n", &["--output", "json"]);
    let wrong: Value = serde_json::from_str(&printed.expect(3).stdout).unwrap();
    assert_eq!((&wrong["valid"], &wrong["hash"]), (&Value::Bool(false), &Value::Null));
    assert!(wrong["problems"][0].as_str().unwrap().starts_with("policy.yaml:2:1: "), "{wrong}");
}

#[test]
fn a_policy_is_an_argument_or_a_setting_and_a_missing_one_is_told() {
    let printed = run(&["validate"]);
    printed.expect(2);
    assert_snapshot!(printed.stderr, @"
    error: 1 setting is missing or wrong:
      GUESTLIST_POLICY is not set: the path of the policy file, which may be given as an argument, too
    ");
    let printed = run(&["validate", "not-there.yaml"]);
    printed.expect(3);
    assert_snapshot!(printed.stdout, @"cannot read `not-there.yaml`: No such file or directory (os error 2)");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    std::fs::write(&path, POLICY).unwrap();
    let output = command(&["validate"]).env("GUESTLIST_POLICY", path).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}
