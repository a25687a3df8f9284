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
"#), @"policy.yaml:1:10: while scanning a plain scalar, found a tab");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: [observe
"#), @"policy.yaml:2:7: expected a text");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: observe
---
version: 1
"#), @"policy.yaml:4:1: a second document starts here: remove the `---`");
    assert_snapshot!(wrong_as_a_whole("mode: observe\n"), @"policy.yaml:1:1: key `version` is missing: add `version:`");
    assert_snapshot!(wrong_as_a_whole("version: 1\n"), @"policy.yaml:1:1: key `mode` is missing: add `mode:`");
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
    assert_snapshot!(wrong("rules: []\n"), @"policy.yaml:3:1: unknown key `rules`: write one of `version`, `mode`, `existing`, `lists`, `partners`, `protect`, `guardrails`, `scenarios`, `otherwise`, `exceptions`, `tests`");
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
"#), @"policy.yaml:4:5: unknown key `user`: write one of `guest`, `group`, `from`, `until`, `ticket`, `approved_by`");
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
    assert_snapshot!(wrong("lists: [evil.example]\n"), @"policy.yaml:3:8: expected keys with their values");
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
"#), @"policy.yaml:5:7: `if` is empty and would match everybody: write a condition (`domain`, `kind`, `joins`)");
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
    policy.yaml:6:22: unknown action `block`: write one of `disable`, `leave-group`, `leave-groups`, `drop-ownership`, `notify`
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
fn what_is_not_built_yet_says_so() {
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable, revoke-sessions, delete]
"#), @"
    policy.yaml:6:21: action `revoke-sessions` is not built yet: write one of `disable`, `leave-group`, `leave-groups`, `drop-ownership`, `notify`
    policy.yaml:6:38: action `delete` is not built yet: write one of `disable`, `leave-group`, `leave-groups`, `drop-ownership`, `notify`
    ");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com] }
guardrails:
  - id: guests-do-not-invite
    # proven by the audit alone
    if:
      inviter: { kind: guest }
    then: [disable]
  - id: sponsored
    if: { domain: evil.example, sponsors: 1, pending_for: 30d }
    then: [notify]
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam], inviters: { group: 1f0c }, sponsors: 1, pending_for: 30d }
    stay: 180d
"#), @"
    policy.yaml:9:7: `inviter` is not built yet: remove it until a later version knows it
    policy.yaml:12:33: `sponsors` is not built yet: remove it until a later version knows it
    policy.yaml:12:46: `pending_for` is not built yet: remove it until a later version knows it
    policy.yaml:16:37: `inviters` is not built yet: remove it until a later version knows it
    policy.yaml:16:64: `sponsors` is not built yet: remove it until a later version knows it
    policy.yaml:16:77: `pending_for` is not built yet: remove it until a later version knows it
    policy.yaml:17:5: `stay` is not built yet: remove it until a later version knows it
    ");
    assert_snapshot!(wrong_as_a_whole(r#"version: 1
mode: enforce
scenarios:
  - id: x
    admits: { kind: guest }
    stay:
"#), @"policy.yaml:6:5: `stay` is not built yet: remove it until a later version knows it");
}
