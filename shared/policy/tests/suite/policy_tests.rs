//! The policy's own tests, where they are about groups.

use insta::assert_snapshot;

use crate::world::*;

const GROUPS: &str = r#"
protect: { groups: [Board] }
guardrails:
  - id: blocked-domain
    if: { domain: evil.example }
    then: [disable, leave-groups]
  - id: confidential-groups
    if: { joins: { any: [ { name: "Finance *" }, { label: Confidential } ] } }
    then: [leave-group]
  - id: guests-own-nothing
    if: { joins: { any_group: true }, as: owner }
    then: [drop-ownership]
partners:
  fabrikam: { domains: [fabrikam.com] }
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
    joins: { groups: [77aa0000-0000-4000-8000-000000000001, { id: 77aa0000-0000-4000-8000-000000000002, name: Agency }, Campaign] }
otherwise:
  guest: { then: [disable] }
  membership: { then: [leave-group] }
"#;

#[track_caller]
fn failures(tests: &str) -> String {
    let policy = rules(&format!("{GROUPS}tests:\n{tests}"));
    let failures: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    failures.join("\n")
}

#[test]
fn a_test_says_which_groups_the_guest_is_in_and_which_he_owns() {
    assert_eq!(
        failures(
            r#"
  - name: a partner in his groups is welcome
    guest: { mail: a@fabrikam.com, member_of: [77aa0000-0000-4000-8000-000000000001, { name: Agency }, { name: campaign }] }
    expect: {}
  - name: and nowhere else
    guest: { mail: a@fabrikam.com, member_of: { name: Holidays } }
    expect: { otherwise.membership: [leave-group] }
  - name: least of all in finance
    guest: { mail: a@fabrikam.com, member_of: [{ name: Finance EU }, { name: HR, label: Confidential }] }
    expect: { confidential-groups: [leave-group], otherwise.membership: [leave-group] }
  - name: he owns nothing
    guest: { mail: a@fabrikam.com, owner_of: [{ name: Agency }] }
    expect: { guests-own-nothing: [drop-ownership] }
  - name: an owner of what he should not be in is no member of it
    guest: { mail: a@fabrikam.com, owner_of: [{ name: Holidays }] }
    expect: { guests-own-nothing: [drop-ownership], otherwise.membership: [] }
  - name: a sanctioned guest leaves everything
    guest: { mail: m@evil.example, member_of: [{ name: Agency }] }
    expect: { blocked-domain: [disable, leave-groups], otherwise.guest: [disable], otherwise.membership: [leave-group] }
  - name: a guest without groups is in none
    guest: { mail: m@evil.example }
    expect: { blocked-domain: [disable, leave-groups], otherwise.guest: [disable] }
  - name: nobody can be taken out of a synchronised group
    guest: { mail: a@fabrikam.com, member_of: [{ name: Finance EU, synced: true }] }
    expect: { confidential-groups: [], otherwise.membership: [] }
  - name: nor out of a distribution list
    guest: { mail: a@fabrikam.com, member_of: [{ name: Finance EU, mail_enabled: true }] }
    expect: { confidential-groups: [], otherwise.membership: [] }
  - name: a dynamic group is covered
    guest: { mail: a@fabrikam.com, member_of: [{ name: All guests, dynamic: true }] }
    expect: {}
  - name: whoever is in a role-assignable group is protected
    guest: { mail: m@evil.example, member_of: [{ name: Admins, role_assignable: true }] }
    expect: { blocked-domain: [], otherwise.guest: [], otherwise.membership: [] }
  - name: and whoever is in a protected one
    guest: { mail: m@evil.example, member_of: [{ name: Board }] }
    expect: { blocked-domain: [], otherwise.guest: [], otherwise.membership: [] }
  - name: what one group does is told with what another does
    guest: { mail: a@fabrikam.com, member_of: [{ name: Finance EU, synced: true }, { name: Finance US }, { team: true, visibility: public }] }
    expect: { confidential-groups: [leave-group], otherwise.membership: [leave-group] }
"#
        ),
        ""
    );
}

#[test]
fn a_test_about_groups_that_does_not_hold_says_what_was_found() {
    assert_snapshot!(failures(
        r#"
  - name: nobody minds
    guest: { mail: a@fabrikam.com, member_of: [{ name: Finance EU }, { name: Finance US }] }
    expect: { otherwise.membership: [] }
"#
    ), @"policy.yaml:26:11: test `nobody minds` does not hold: `otherwise.membership` finds [leave-group], expected [] (the account is a member of `Finance US`; no scenario that admits the account covers this group (admitted by `agency-work`); the account is a member of `Finance EU`; no scenario that admits the account covers this group (admitted by `agency-work`)); `confidential-groups` finds [leave-group], expected nothing (the account is a member of `Finance US`, whose name matches `Finance *`; the account is a member of `Finance EU`, whose name matches `Finance *`)");
}
