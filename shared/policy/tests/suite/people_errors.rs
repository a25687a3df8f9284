//! Mistakes about inviters, sponsors and time, and what the author of a policy reads about them.

use insta::assert_snapshot;

use crate::mistakes::wrong;

#[track_caller]
fn guardrail(condition: &str) -> String {
    wrong(&format!(
        "lists:\n  blocked: {{ entries: [evil.example] }}\nguardrails:\n  - id: x\n    if: {{ {condition} }}\n    then: [notify]\n"
    ))
}

/// With two partners, of which one ends.
#[track_caller]
fn scenario(admits: &str, more: &str) -> String {
    wrong(&format!(
        "partners:\n  fabrikam: {{ domains: [fabrikam.com] }}\n  northwind: {{ domains: [northwind.example], until: 2027-06-30 }}\n\
         lists:\n  staff: {{ entries: [contoso.com] }}\nscenarios:\n  - id: x\n    admits: {{ {admits} }}\n{more}"
    ))
}

#[test]
fn an_inviter_of_a_guardrail_that_says_nothing_or_nonsense_is_refused() {
    assert_snapshot!(guardrail("inviter: {}"), @"policy.yaml:7:20: `inviter` is empty and would match everybody: write a condition (`kind`, `domain`, `ids`, `group`)");
    assert_snapshot!(guardrail("inviter: { kind: [], domain: [], ids: [], group: [] }"), @"
    policy.yaml:7:28: `kind` is empty: name a kind, or remove the key
    policy.yaml:7:40: `domain` is empty: name lists and patterns
    policy.yaml:7:49: `ids` is empty: name users or apps, or remove the key
    policy.yaml:7:60: `group` is empty: name groups, or remove the key
    ");
    assert_snapshot!(guardrail("inviter: guest"), @"policy.yaml:7:20: expected keys with their values: write it as in `inviter: { kind: guest }`");
    assert_snapshot!(guardrail("inviter: [{ kind: guest }]"), @"policy.yaml:7:20: expected keys with their values: write it as in `inviter: { kind: guest }`");
    assert_snapshot!(guardrail("inviter: { kind: [gest, member, guest, guest] }"), @"
    policy.yaml:7:29: unknown kind `gest`: did you mean `guest`?
    policy.yaml:7:35: unknown kind `member`: write one of `guest`, `external-member`, `local-guest`, `internal-member`, `app`
    policy.yaml:7:50: kind `guest` is repeated: remove one of them
    ");
    assert_snapshot!(guardrail("inviter: { kinds: guest, mail: a@b.example, groups: Staff }"), @"
    policy.yaml:7:22: unknown key `kinds`: did you mean `kind`?
    policy.yaml:7:36: key `mail` does not belong here: `mail` stands under `guest` in `tests`; under `inviter` stand `domain`, `group`, `ids`, `kind`
    policy.yaml:7:55: unknown key `groups`: did you mean `group`?
    ");
    assert_snapshot!(guardrail("inviter: { domain: [bloked, '*.com', bob@contoso.com, '*'] }"), @"
    policy.yaml:7:31: list `bloked` does not exist: did you mean `blocked`?
    policy.yaml:7:39: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    policy.yaml:7:48: `bob@contoso.com` is an address, not a domain: write `contoso.com`
    policy.yaml:7:65: pattern `*` would match everybody: name the domains
    ");
    assert_snapshot!(guardrail("inviter: { ids: [bob, bob@contoso.com] }"), @"
    policy.yaml:7:28: `bob` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center, or from the app's page under enterprise applications
    policy.yaml:7:33: `bob@contoso.com` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center, or from the app's page under enterprise applications
    ");
    assert_snapshot!(guardrail("inviter: { group: ['', 'Sales *', 77aa0000-0000-4000-8000-00000000001] }"), @"
    policy.yaml:7:30: `` is no group's name: write the group's id, or its name
    policy.yaml:7:34: `Sales *` is a pattern, and groups are named one by one here: write the group's id; a pattern stands under `joins: { name: … }` of a guardrail
    policy.yaml:7:45: `77aa0000-0000-4000-8000-00000000001` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center
    ");
    assert_snapshot!(guardrail("inviter: { kind: app, domain: contoso.com }"), @"policy.yaml:7:41: an app has no address, and `domain` asks for one: remove `domain`, or name the apps under `ids`");
    assert_snapshot!(guardrail("inviters: { kind: guest }"), @"policy.yaml:7:11: unknown key `inviters`: did you mean `inviter`?");
    assert_snapshot!(guardrail("sponsors: 1"), @"policy.yaml:7:11: key `sponsors` does not belong here: `sponsors` stands under `admits` in `scenarios`; under `if` stand `any_address`, `as`, `domain`, `inviter`, `joins`, `kind`, `pending_for`");
}

#[test]
fn an_inviter_of_a_scenario_that_says_nothing_or_nonsense_is_refused() {
    assert_snapshot!(scenario("inviters: {}", ""), @"policy.yaml:10:25: `inviters` is empty and would admit whoever anybody invited: write a condition (`kind`, `domain`, `ids`, `group`)");
    assert_snapshot!(scenario("inviters: { domain: [staff, gov.uk, '*.onmicrosoft.com', evil] }", ""), @"
    policy.yaml:10:36: `staff` is no domain, and a list admits nobody: write the domains, as in `contoso.com`
    policy.yaml:10:43: `gov.uk` is a public suffix, not the domain of one organisation: name the organisation's own domain
    policy.yaml:10:51: pattern `*.onmicrosoft.com` is wider than one organisation: anybody can have a name below `onmicrosoft.com`: name the organisation's own domain
    policy.yaml:10:72: `evil` is no domain, and a list admits nobody: write the domains, as in `contoso.com`
    ");
    assert_snapshot!(scenario("inviters: { kind: staff }", ""), @"policy.yaml:10:33: unknown kind `staff`: write one of `guest`, `external-member`, `local-guest`, `internal-member`, `app`");
    assert_snapshot!(scenario("inviter: { kind: guest }", ""), @"policy.yaml:10:15: unknown key `inviter`: did you mean `inviters`?");
    assert_snapshot!(scenario("inviters: Staff", ""), @"policy.yaml:10:25: expected keys with their values: write it as in `inviters: { group: Sponsors }`");
    assert_snapshot!(scenario("kind: guest", "    inviters: { kind: guest }\n"), @"policy.yaml:11:5: key `inviters` does not belong here: `inviters` stands under `admits`");
    assert_snapshot!(scenario("pending_for: 14d", ""), @"policy.yaml:10:15: key `pending_for` does not belong here: `pending_for` stands under `if` in `guardrails`; under `admits` stand `inviters`, `kind`, `partners`, `sponsors`");
}

#[test]
fn a_number_of_sponsors_is_one_that_the_directory_can_keep() {
    assert_snapshot!(scenario("sponsors: 1", ""), @"policy.yaml:10:25: `sponsors` alone would admit nearly everybody: Microsoft Entra makes a sponsor of whoever invites: write beside it whom (`partners`, `kind`, `inviters`)");
    assert_snapshot!(scenario("kind: guest, sponsors: 0", ""), @"policy.yaml:10:38: `sponsors: 0` says nothing: write `sponsors: 1`, or remove it");
    assert_snapshot!(scenario("kind: guest, sponsors: 6", ""), @"policy.yaml:10:38: nobody has 6 sponsors: write at most 5, which is what Microsoft Entra keeps");
    assert_snapshot!(scenario("kind: guest, sponsors: -1", ""), @"policy.yaml:10:38: expected a whole number");
    assert_snapshot!(scenario("kind: guest, sponsors: bob", ""), @"policy.yaml:10:38: expected a whole number");
    assert_snapshot!(scenario("kind: guest, sponsors: [bob]", ""), @"policy.yaml:10:38: expected a text");
}

#[test]
fn a_length_of_time_has_a_number_and_a_unit() {
    for text in ["14", "14 days", "0d", "2w", "5000d", "-1d", "1.5d", "[]", "\"\"", "9999999999d"] {
        let told = guardrail(&format!("pending_for: {text}"));
        let expected = if text == "[]" {
            "expected a text".to_owned()
        } else {
            let text = text.trim_matches('"');
            format!(
                "`{text}` is not a length of time: write days or hours as in `14d` or `12h`, at most `3650d`"
            )
        };
        assert_eq!(told, format!("policy.yaml:7:24: {expected}"));
    }
    assert_snapshot!(scenario("kind: guest", "    stay: 180\n    until: 31.12.2027\n    notice: soon\n"), @"
    policy.yaml:11:11: `180` is not a length of time: write days or hours as in `14d` or `12h`, at most `3650d`
    policy.yaml:12:12: `31.12.2027` is not a day: write it as in `2027-06-30`
    policy.yaml:13:13: `soon` is not a length of time: write days or hours as in `14d` or `12h`, at most `3650d`
    ");
}

#[test]
fn a_notice_comes_before_an_end_that_there_is() {
    assert_snapshot!(scenario("partners: fabrikam", "    notice: 14d\n"), @"policy.yaml:11:13: `notice` says nothing where nothing ends: write `stay` or `until` beside it, or remove it");
    assert_snapshot!(scenario("kind: guest", "    stay: 7d\n    notice: 14d\n"), @"policy.yaml:12:13: `notice` of 14d begins before a stay of 7d does: write less than the stay");
    assert_snapshot!(scenario("kind: guest", "    stay: { for: 7d }\n"), @"policy.yaml:11:11: expected a text");
    assert_snapshot!(wrong("stay: 180d\nnotice: 14d\npending_for: 14d\ninviter: { kind: guest }\nsponsors: 1\n"), @"
    policy.yaml:3:1: key `stay` does not belong here: `stay` stands under `scenarios`
    policy.yaml:4:1: key `notice` does not belong here: `notice` stands under `scenarios`
    policy.yaml:5:1: key `pending_for` does not belong here: `pending_for` stands under `if` in `guardrails`
    policy.yaml:6:1: key `inviter` does not belong here: `inviter` stands under `if` in `guardrails`
    policy.yaml:7:1: key `sponsors` does not belong here: `sponsors` stands under `admits` in `scenarios`
    ");
}

#[test]
fn a_made_up_inviter_is_one_that_there_can_be() {
    let test = |guest: &str| {
        let rule = "guardrails:\n  - id: x\n    if: { inviter: { kind: guest } }\n    then: [notify]\n";
        wrong(&format!("{rule}tests:\n  - name: a\n    guest: {{ {guest} }}\n    expect: {{}}\n"))
    };
    assert_snapshot!(test("inviter: { kind: gest }"), @"policy.yaml:9:31: unknown kind `gest`: did you mean `guest`?");
    assert_snapshot!(test("inviter: { source: log }"), @"policy.yaml:9:33: unknown source `log`: write one of `audit`, `sponsor`, `unknown`");
    assert_snapshot!(test("inviter: { id: bob }"), @"policy.yaml:9:29: `bob` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center, or from the app's page under enterprise applications");
    assert_snapshot!(test("inviter: { member_of: [Sales] }"), @"policy.yaml:9:37: `Sales` is not an object id (a GUID of 36 characters): write `{ name: … }` for a group that only has a name");
    assert_snapshot!(test("inviter: { mails: a@b.example }"), @"policy.yaml:9:25: unknown key `mails`: did you mean `mail`?");
    assert_snapshot!(test("inviter: bob"), @"policy.yaml:9:23: expected keys with their values: write it as in `inviter: { kind: guest }`");
    assert_snapshot!(test("sponsors: 6"), @"policy.yaml:9:24: nobody has 6 sponsors: write at most 5, which is what Microsoft Entra keeps");
    assert_snapshot!(test("pending: maybe"), @"policy.yaml:9:23: expected `true` or `false`");
    assert_snapshot!(test("pending: true, kind: local-guest"), @"policy.yaml:9:23: a local guest was not invited, and has nothing to accept: remove `pending`, or make it another kind");
}
