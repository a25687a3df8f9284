//! Every mistake of form that the author of a policy can make, and what he reads about it.

use insta::assert_snapshot;

use crate::mistakes::{wrong, wrong_as_a_whole};

#[test]
fn a_text_that_is_no_policy_at_all() {
    assert_snapshot!(wrong_as_a_whole(""), @"policy.yaml:1:1: the policy is empty: start with `version: 1`");
    assert_snapshot!(wrong_as_a_whole("# nothing\n"), @"policy.yaml:2:1: the policy is empty: start with `version: 1`");
    assert_snapshot!(wrong_as_a_whole("just a text"), @"policy.yaml:1:1: expected keys with their values");
    assert_snapshot!(wrong_as_a_whole("[1, 2]\n"), @"policy.yaml:1:1: expected keys with their values");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
	mode: observe
"#), @"policy.yaml:2:1: the indentation has a tab: indent with spaces");
    assert_snapshot!(wrong("guardrails:\n  - id: x\n\tif: { kind: guest }\n"), @"policy.yaml:5:1: the indentation has a tab: indent with spaces");
    assert_snapshot!(wrong("guardrails:\n  - id: x\n    if:\n      domain: evil.example\n \t kind: guest\n"), @"policy.yaml:7:2: the indentation has a tab: indent with spaces");
    assert_snapshot!(wrong("protect:\n\tusers: []\n"), @"policy.yaml:4:1: the indentation has a tab: indent with spaces");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: [observe
"#), @"policy.yaml:2:7: expected a text");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: observe
---
version: 1
"#), @"policy.yaml:4:1: a second document starts here: remove the `---`");
    assert_snapshot!(wrong_as_a_whole("mode: observe\n"), @"policy.yaml:1:1: key `version` is missing: add `version: 1`");
    assert_snapshot!(wrong_as_a_whole("version: 1\n"), @"policy.yaml:1:1: key `mode` is missing: add `mode: observe` (or `ask`, `enforce`)");
    assert_snapshot!(wrong_as_a_whole(r#"version: 2
mode: observe
"#), @"policy.yaml:1:10: version 2 of the policy language is unknown: write `version: 1`");
    assert_snapshot!(wrong_as_a_whole(r#"version: one
mode: observe
"#), @"policy.yaml:1:10: expected a whole number");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode:
"#), @"policy.yaml:2:5: the value is missing: write it after the colon");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: {}
"#), @"policy.yaml:2:7: expected a text");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: *anchor
"#), @"policy.yaml:2:7: reference to unknown value");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: !secret observe
"#), @"policy.yaml:2:15: unsupported tag `!secret`");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_one() {
    assert_snapshot!(wrong("gaurdrails: []\n"), @"policy.yaml:3:1: unknown key `gaurdrails`: did you mean `guardrails`?");
    assert_snapshot!(wrong("rules: []\n"), @"policy.yaml:3:1: unknown key `rules`: write one of `version`, `mode`, `exceptions`, `existing`, `guardrails`, `lists`, `otherwise`, `partners`, `protect`, `scenarios`, `tests`");
    assert_snapshot!(wrong("existing: { befor: 2026-12-01 }\n"), @"policy.yaml:3:13: unknown key `befor`: did you mean `before`?");
    assert_snapshot!(wrong(r#"lists:
  blocked: { entry: [evil.example] }
"#), @"policy.yaml:4:14: unknown key `entry`: write one of `entries`, `file`");
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { domain: [fabrikam.com] }
"#), @"policy.yaml:4:15: unknown key `domain`: did you mean `domains`?");
    assert_snapshot!(wrong("protect: { user: [] }\n"), @"policy.yaml:3:12: unknown key `user`: did you mean `users`?");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    when: { kind: guest }
    then: [disable]
"#), @"policy.yaml:5:5: unknown key `when`: did you mean `then`?");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domains: [evil.example] }
    then: [disable]
"#), @"policy.yaml:5:11: unknown key `domains`: did you mean `domain`?");
    assert_snapshot!(wrong(r#"scenarios:
  - id: x
    admits: { partner: [fabrikam] }
"#), @"policy.yaml:5:15: unknown key `partner`: did you mean `partners`?");
    assert_snapshot!(wrong(r#"otherwise:
  guests: { then: [disable] }
"#), @"policy.yaml:4:3: unknown key `guests`: did you mean `guest`?");
    assert_snapshot!(wrong(r#"exceptions:
  - user: x
"#), @"policy.yaml:4:5: unknown key `user`: write one of `guest`, `from`, `until`, `approved_by`, `group`, `ticket`");
    assert_snapshot!(wrong(r#"tests:
  - name: x
    guest: { email: a@b.example }
    expect: {}
"#), @"policy.yaml:5:14: unknown key `email`: did you mean `mail`?");
}

#[test]
fn a_repeated_key_is_named() {
    assert_snapshot!(wrong("mode: observe\n"), @"policy.yaml:3:1: key `mode` is repeated: keep one of them");
    assert_snapshot!(wrong(r#"lists:
  a: { entries: [] }
  a: { entries: [] }
"#), @"policy.yaml:5:3: key `a` is repeated: keep one of them");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
    then: [notify]
"#), @"policy.yaml:7:5: key `then` is repeated: keep one of them");
    assert_snapshot!(wrong("<<: { mode: observe }\n"), @"policy.yaml:3:1: merge keys (`<<`) are not allowed: write the keys out");
}

#[test]
fn a_missing_key_is_named() {
    assert_snapshot!(wrong(r#"guardrails:
  - if: { kind: guest }
    then: [disable]
"#), @"policy.yaml:5:5: key `id` is missing: add `id:`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    then: [disable]
"#), @"policy.yaml:5:5: key `if` is missing: add `if:`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { kind: guest }
"#), @"policy.yaml:5:5: key `then` is missing: add `then:`");
    assert_snapshot!(wrong(r#"scenarios:
  - id: x
"#), @"policy.yaml:4:5: key `admits` is missing: add `admits:`");
    assert_snapshot!(wrong("existing: { mode: observe }\n"), @"policy.yaml:3:13: key `before` is missing: add `before:`");
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { owner: anna@contoso.com }
"#), @"policy.yaml:4:15: key `domains` is missing: add `domains:`");
    assert_snapshot!(wrong(r#"otherwise:
  guest: { severity: low }
"#), @"policy.yaml:4:12: key `then` is missing: add `then:`");
    assert_snapshot!(wrong(r#"exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    from: [x]
"#), @"policy.yaml:5:5: key `until` is missing: add `until:`");
    assert_snapshot!(wrong(r#"tests:
  - guest: {}
    expect: {}
"#), @"policy.yaml:5:5: key `name` is missing: add `name:`");
}

#[test]
fn a_value_of_the_wrong_form_is_named() {
    assert_snapshot!(wrong("guardrails: {}\n"), @"policy.yaml:3:13: expected a list");
    assert_snapshot!(wrong("guardrails: [disable]\n"), @"policy.yaml:3:14: expected keys with their values");
    assert_snapshot!(wrong("lists: [evil.example]\n"), @"policy.yaml:3:8: expected keys with their values: write it as in `lists: { blocked: { entries: [evil.example] } }`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: { a: b } }
    then: [disable]
"#), @"policy.yaml:5:19: expected a word or a list of words, found map");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: [[evil.example]] }
    then: [disable]
"#), @"policy.yaml:5:20: expected a text");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: [evil.example], any_address: yes }
    then: [disable]
"#), @"policy.yaml:5:48: expected `true` or `false`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if:
    then: [disable]
"#), @"policy.yaml:5:7: `if` is empty and would match everybody: write a condition (`domain`, `kind`, `inviter`, `pending_for`, `joins`)");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: [evil.example] }
    then: 5
"#), @"policy.yaml:6:5: expected a word or a list of words, found integer `5`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: [~] }
    then: [disable]
"#), @"policy.yaml:5:20: the value is missing: write it after the colon");
}

#[test]
fn a_text_where_keys_are_wanted_is_told_with_an_example() {
    assert_snapshot!(wrong("guardrails:\n  - id: x\n    if: { joins: Finance * }\n    then: [notify]\n  - id: y\n    if: evil.example\n    then: [notify]\n"), @r#"
    policy.yaml:5:18: expected keys with their values: write it as in `joins: { name: "Finance *" }`
    policy.yaml:8:9: expected keys with their values: write it as in `if: { domain: [evil.example] }`
    "#);
    assert_snapshot!(wrong("scenarios:\n  - id: x\n    admits: fabrikam\n    joins: [Agency]\n"), @"
    policy.yaml:5:13: expected keys with their values: write it as in `admits: { partners: [fabrikam] }`
    policy.yaml:6:12: expected keys with their values: write it as in `joins: { groups: [Agency] }`
    ");
    assert_snapshot!(wrong("lists: { blocked: [evil.example] }\npartners: { fabrikam: fabrikam.com }\n"), @"
    policy.yaml:3:19: expected keys with their values: write it as in `blocked: { entries: [evil.example] }`
    policy.yaml:4:23: expected keys with their values: write it as in `fabrikam: { domains: [fabrikam.com] }`
    ");
    assert_snapshot!(wrong("otherwise: { guest: disable, membership: [leave-group] }\n"), @"
    policy.yaml:3:21: expected keys with their values: write it as in `guest: { then: [disable] }`
    policy.yaml:3:42: expected keys with their values: write it as in `membership: { then: [leave-group] }`
    ");
}

#[test]
fn an_unknown_word_is_named_with_the_nearest_one() {
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforced
"#), @"policy.yaml:2:7: unknown mode `enforced`: did you mean `enforce`?");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: Observe
"#), @"policy.yaml:2:7: unknown mode `Observe`: did you mean `observe`?");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: true
"#), @"policy.yaml:2:7: unknown mode `true`: write one of `observe`, `ask`, `enforce`");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [dissable, block]
"#), @"
    policy.yaml:6:12: unknown action `dissable`: did you mean `disable`?
    policy.yaml:6:22: unknown action `block`: write one of `disable`, `leave-group`, `leave-groups`, `drop-ownership`, `delete`, `notify`
    ");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
    severity: hihg
"#), @"policy.yaml:7:15: unknown severity `hihg`: did you mean `high`?");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
guardrails:
  - id: x
    if: { kind: [guests, member] }
    then: [disable]
"#), @"
    policy.yaml:5:18: unknown kind `guests`: did you mean `guest`?
    policy.yaml:5:26: unknown kind `member`: write one of `guest`, `external-member`, `local-guest`
    ");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
existing: { before: 2026-12-01, mode: off }
"#), @"policy.yaml:3:39: unknown mode `off`: write one of `observe`, `ask`, `enforce`");
}

#[test]
fn a_key_of_the_language_in_a_wrong_place_is_told_with_its_right_one() {
    let guardrail = |more: &str| {
        wrong(&format!("guardrails:\n  - id: x\n    if: {{ kind: guest }}\n    then: [notify]\n    {more}\n"))
    };
    assert_snapshot!(guardrail("joins: { name: Finance * }"), @"policy.yaml:7:5: key `joins` does not belong here: `joins` stands under `if`");
    assert_snapshot!(guardrail("as: owner"), @"policy.yaml:7:5: key `as` does not belong here: `as` stands under `if`");
    assert_snapshot!(guardrail("admits: { kind: guest }"), @"policy.yaml:7:5: key `admits` does not belong here: `admits` stands under `scenarios`; under `guardrails` stand `id`, `if`, `then`, `mode`, `severity`, `why`");
    assert_snapshot!(guardrail("tests: []"), @"policy.yaml:7:5: key `tests` does not belong here: `tests` stands at the outermost level; under `guardrails` stand `id`, `if`, `then`, `mode`, `severity`, `why`");
    let scenario =
        |more: &str| wrong(&format!("scenarios:\n  - id: x\n    admits: {{ kind: guest }}\n    {more}\n"));
    assert_snapshot!(scenario("if: { kind: guest }"), @"policy.yaml:6:5: key `if` does not belong here: `if` stands under `guardrails`; under `scenarios` stand `id`, `admits`, `joins`, `notice`, `owner`, `stay`, `until`");
    assert_snapshot!(scenario("then: [disable]"), @"policy.yaml:6:5: key `then` does not belong here: `then` stands under `guardrails`, under `guest` in `otherwise` or under `membership` in `otherwise`; under `scenarios` stand `id`, `admits`, `joins`, `notice`, `owner`, `stay`, `until`");
    assert_snapshot!(scenario("partners: [fabrikam]"), @"policy.yaml:6:5: key `partners` does not belong here: `partners` stands under `admits`");
    assert_snapshot!(scenario("mode: observe"), @"policy.yaml:6:5: key `mode` does not belong here: `mode` stands at the outermost level, under `existing`, under `guardrails`, under `guest` in `otherwise` or under `membership` in `otherwise`; under `scenarios` stand `id`, `admits`, `joins`, `notice`, `owner`, `stay`, `until`");
    assert_snapshot!(scenario("joins: { groups: Agency, as: owner }"), @"policy.yaml:6:30: key `as` does not belong here: `as` stands under `if` in `guardrails`; under `joins` stands `groups`");
    assert_snapshot!(wrong("otherwise: { then: [disable] }\n"), @"policy.yaml:3:14: key `then` does not belong here: `then` stands under `guest` or under `membership`");
    assert_snapshot!(wrong("joins: { name: Finance * }\n"), @"policy.yaml:3:1: key `joins` does not belong here: `joins` stands under `scenarios` or under `if` in `guardrails`");
    assert_snapshot!(wrong("id: x\n"), @"policy.yaml:3:1: key `id` does not belong here: `id` stands under `guardrails`, under `scenarios` or under `groups` in `protect`");
    assert_snapshot!(wrong("entries: [evil.example]\n"), @"policy.yaml:3:1: key `entries` does not belong here: `entries` stands under a name in `lists`");
    assert_snapshot!(wrong("lists: { blocked: { entries: [evil.example], until: 2027-06-30 } }\n"), @"policy.yaml:3:46: key `until` does not belong here: `until` stands under `exceptions`, under `scenarios` or under a name in `partners`");
    assert_snapshot!(wrong("tests:\n  - name: a\n    mail: a@b.example\n    guest: { member_of: { upn: a } }\n    expect: {}\n"), @"
    policy.yaml:5:5: key `mail` does not belong here: `mail` stands under `guest`
    policy.yaml:6:27: key `upn` does not belong here: `upn` stands beside `member_of` under `guest`
    ");
}

#[test]
fn every_unknown_key_of_a_file_is_told_beside_the_first_other_mistake_of_form() {
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
rules: []
lists:
  blocked: { entry: [evil.example] }
  then: { entries: [evil.example] }
guardrails:
  - id: x
    fi: { domain: blocked, than: 1 }
    then: [disable]
  - id: y
    if: { domain: blocked, knid: guest }
    then: { disable: true }
  - id: z
    then: [notify]
    if:
      joins: { any: [ { labl: Confidential }, { groups: { id: 1, nam: 2 } } ] }
scenarios:
  - id: agency-work
    admits: { partner: fabrikam, sponsors: 1 }
tests:
  - name: a
    guest: { member_of: [ { name: Finance EU, labels: Confidential } ] }
    expect: { if: [disable] }
"#), @"
    policy.yaml:3:1: unknown key `rules`: write one of `version`, `mode`, `exceptions`, `existing`, `guardrails`, `lists`, `otherwise`, `partners`, `protect`, `scenarios`, `tests`
    policy.yaml:5:14: unknown key `entry`: write one of `entries`, `file`
    policy.yaml:9:5: unknown key `fi`: did you mean `if`?
    policy.yaml:12:28: unknown key `knid`: did you mean `kind`?
    policy.yaml:17:25: unknown key `labl`: did you mean `label`?
    policy.yaml:17:66: unknown key `nam`: did you mean `name`?
    policy.yaml:20:15: unknown key `partner`: did you mean `partners`?
    policy.yaml:23:47: unknown key `labels`: did you mean `label`?
    ");
    assert_snapshot!(wrong("guardrails:\n  - id: x\n    then: [notify]\n  - id: y\n    fi: {}\nrules: {}\n"), @"
    policy.yaml:5:5: key `if` is missing: add `if:`
    policy.yaml:7:5: unknown key `fi`: did you mean `if`?
    policy.yaml:8:1: unknown key `rules`: write one of `version`, `mode`, `exceptions`, `existing`, `guardrails`, `lists`, `otherwise`, `partners`, `protect`, `scenarios`, `tests`
    ");
    assert_snapshot!(wrong("guardrails:\n  - id: x\n    if: { kind: { a: b } }\n    then: 5\n  - id: y\n    fi: {}\n"), @"
    policy.yaml:5:17: expected a word or a list of words, found map
    policy.yaml:8:5: unknown key `fi`: did you mean `if`?
    ");
    assert_snapshot!(wrong_as_a_whole("moed: observe\nguardrials: []\n"), @"
    policy.yaml:1:1: unknown key `moed`: did you mean `mode`?
    policy.yaml:2:1: unknown key `guardrials`: did you mean `guardrails`?
    ");
}

#[test]
fn what_is_not_built_yet_says_so() {
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable, revoke-sessions]
"#), @"policy.yaml:6:21: action `revoke-sessions` is not built yet: write one of `disable`, `leave-group`, `leave-groups`, `drop-ownership`, `delete`, `notify`");
}
