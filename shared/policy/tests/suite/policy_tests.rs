//! The policy's own tests, where they are about groups, inviters and time.

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

const PEOPLE: &str = r#"
guardrails:
  - id: guests-do-not-invite
    if: { inviter: { kind: guest } }
    then: [disable]
  - id: not-this-one
    if: { inviter: { ids: 5c1e0000-0000-4000-8000-000000000003, domain: evil.example } }
    then: [disable]
  - id: forgotten
    if: { pending_for: 14d }
    then: [disable]
scenarios:
  - id: agency-work
    admits: { inviters: { kind: [internal-member, guest], group: Sponsors }, sponsors: 1 }
    stay: 30d
  - id: fair
    admits: { kind: guest, inviters: { kind: app } }
    until: 2026-12-31
otherwise:
  guest: { then: [disable] }
"#;

#[test]
fn a_test_says_who_invited_the_guest_when_and_whether_he_accepted() {
    let policy = rules(&format!(
        "{PEOPLE}tests:\n{}",
        r#"
  - name: an internal member in no group, who is not written, does not admit
    guest: { sponsors: 1 }
    expect: { otherwise.guest: [disable] }
  - name: one of the group does, where there is a sponsor
    guest: { inviter: { member_of: { name: Sponsors } }, sponsors: 1 }
    expect: {}
  - name: and where there is none, does not
    guest: { inviter: { member_of: [{ name: Sponsors }] } }
    expect: { otherwise.guest: [disable] }
  - name: a guest of the group admits, and should not have
    guest: { inviter: { kind: guest, member_of: [{ name: sponsors }], mail: c@fabrikam.com }, sponsors: 2 }
    expect: { guests-do-not-invite: disable }
  - name: a sponsor is a hint
    guest: { inviter: { kind: guest, source: sponsor, member_of: { name: Sponsors } }, sponsors: 1 }
    expect: { guests-do-not-invite: [], not-this-one: [], otherwise.guest: [] }
  - name: nobody knows
    guest: { inviter: { source: unknown }, sponsors: 1 }
    expect: { guests-do-not-invite: [], not-this-one: [], otherwise.guest: [] }
  - name: this one
    guest: { inviter: { id: 5c1e0000-0000-4000-8000-000000000003, mail: m@evil.example, member_of: [{ name: Sponsors }] }, sponsors: 1 }
    expect: { not-this-one: [disable] }
  - name: the last day of his stay
    on: 2026-12-01
    guest: { created: 2026-11-02, inviter: { member_of: [{ name: Sponsors }] }, sponsors: 1 }
    expect: {}
  - name: the day after
    on: 2026-12-02
    guest: { created: 2026-11-02, inviter: { member_of: [{ name: Sponsors }] }, sponsors: 1 }
    expect: { otherwise.guest: [disable] }
  - name: an app invites to the fair
    on: 2026-12-31
    guest: { created: 2026-11-02, inviter: { kind: app } }
    expect: {}
  - name: until it is over
    on: 2027-01-01
    guest: { inviter: { kind: app } }
    expect: { otherwise.guest: [disable] }
  - name: nobody came
    on: 2026-12-16
    guest: { created: 2026-12-02, pending: true, inviter: { kind: app } }
    expect: { forgotten: [disable] }
  - name: he may still come
    on: 2026-12-15
    guest: { created: 2026-12-02, pending: true, inviter: { kind: app } }
    expect: {}
  - name: he came
    on: 2026-12-31
    guest: { created: 2026-11-02, pending: false, inviter: { kind: app } }
    expect: {}
"#
    ));
    let failures: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    assert_eq!(failures, [""; 0]);
    assert_eq!(policy.test_count(), 14);
}

#[test]
fn rules_about_people_and_time_read_as_sentences() {
    let more = "  - id: one
    if: { domain: a.example, inviter: { kind: [app, guest], domain: [evil.example, '*.evil.example'], group: [Sales, { id: 77aa0000-0000-4000-8000-000000000001, name: HR }] }, joins: { any_group: true } }
    then: [notify]
scenarios:";
    let text = PEOPLE
        .replacen("scenarios:", more, 1)
        .replace("until: 2026-12-31", "until: 2026-12-31\n    joins: { groups: Fair }");
    let policy = rules(&text.replace("sponsors: 1", "sponsors: 2"));
    let rules = policy.rules().into_iter().map(|rule| format!("{}: {}", rule.id, rule.description));
    let scenarios = policy.scenarios().into_iter().map(|one| format!("{}: {}", one.id, one.description));
    assert_snapshot!(rules.chain(scenarios).collect::<Vec<_>>().join("\n"), @"
    guests-do-not-invite: if the inviter is a guest: disable
    not-this-one: if the inviter is `5c1e0000-0000-4000-8000-000000000003` and is of `evil.example`: disable
    forgotten: if the invitation has not been accepted within 14d: disable
    one: if an address is of `a.example` and the inviter is a guest or an app and is of `evil.example` or `*.evil.example` and is a member of `HR` or `Sales` and the account is a member of any group: notify
    otherwise.guest: if no scenario admits the guest: disable
    agency-work: admits guest, invited by somebody who is a guest or an internal member and is a member of `Sponsors`, with at least 2 sponsors, for 30d after the account was created
    fair: admits guest to the group `Fair`, invited by somebody who is an app, until 2026-12-31
    ");
}
