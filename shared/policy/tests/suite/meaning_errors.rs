//! Every mistake of meaning that the author of a policy can make, and what he reads about it.

use insta::assert_snapshot;

use crate::mistakes::{wrong, wrong_as_a_whole};

#[test]
fn what_would_match_or_admit_everybody_is_refused() {
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: {}
    then: [disable]
"#), @"policy.yaml:5:9: `if` is empty and would match everybody: write a condition (`domain`, `kind`, `inviter`, `pending_for`, `joins`)");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: [] }
    then: [disable]
"#), @"policy.yaml:5:19: `domain` is empty: name lists and patterns");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { kind: [] }
    then: [disable]
"#), @"policy.yaml:5:17: `kind` is empty: name a kind, or remove the key");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { any_address: true }
    then: [disable]
"#), @"policy.yaml:5:24: `any_address` says nothing without `domain`: write `domain` beside it, or remove it");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { kind: guest }
    then: []
"#), @"policy.yaml:6:11: `then` is empty: write `[notify]` to tell and do nothing else");
    assert_snapshot!(wrong(r#"scenarios:
  - id: x
    admits: {}
"#), @"policy.yaml:5:13: `admits` is empty and would admit everybody: write whom (`partners`, `kind`, `inviters`)");
    assert_snapshot!(wrong(r#"scenarios:
  - id: x
    admits: { partners: [] }
"#), @"policy.yaml:5:25: `partners` is empty: name partners, or remove the key");
    assert_snapshot!(wrong("otherwise: {}\n"), @"policy.yaml:3:12: `otherwise` is empty: write `guest:` or `membership:` below it, or remove it");
    assert_snapshot!(wrong(r#"otherwise:
  guest: { then: [disable] }
"#), @"policy.yaml:3:1: `otherwise` without scenarios would find every guest: write under `scenarios` who is admitted, or remove `otherwise`");
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { domains: [] }
"#), @"policy.yaml:4:24: `domains` is empty: name the organisation's domains");
    assert_snapshot!(wrong(r#"exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    from: []
    until: 2027-03-31
"#), @"policy.yaml:5:11: `from` is empty: name the rules that are suspended");
}

#[test]
fn a_pattern_that_is_too_wide_or_none_is_refused() {
    assert_snapshot!(wrong(r#"lists:
  blocked:
    entries: ['*', '*.com', '*.co.uk', '*.公司.cn', 'mail.*.com', '*fabrikam.com', mallory@evil.example, 'https://evil.example', evil, '', 'a..b', "evil.example\e[31m"]
"#), @r#"
    policy.yaml:5:15: pattern `*` would match everybody: name the domains
    policy.yaml:5:20: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    policy.yaml:5:29: pattern `*.co.uk` is wider than one organisation: anybody can have a name below `co.uk`: name the organisation's own domain
    policy.yaml:5:40: pattern `*.公司.cn` is wider than one organisation: anybody can have a name below `xn--55qx5d.cn`: name the organisation's own domain
    policy.yaml:5:51: pattern `mail.*.com` has a `*` that does not stand for whole names: a `*` stands only first and before a dot, as in `*.fabrikam.com`
    policy.yaml:5:65: pattern `*fabrikam.com` has a `*` that does not stand for whole names: a `*` stands only first and before a dot, as in `*.fabrikam.com`
    policy.yaml:5:82: `mallory@evil.example` is an address, not a domain: write `evil.example`
    policy.yaml:5:104: `https://evil.example` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    policy.yaml:5:128: `evil` is not a whole domain name: it has no dot: write it as in `fabrikam.com`
    policy.yaml:5:134: `` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    policy.yaml:5:138: `a..b` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    policy.yaml:5:146: `evil.example\u{1b}[31m` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    "#);
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { domains: [fabrikam.com, '*.github.io', '*.onmicrosoft.com', '*.com'] }
"#), @"
    policy.yaml:4:39: pattern `*.github.io` is wider than one organisation: anybody can have a name below `github.io`: name the organisation's own domain
    policy.yaml:4:54: pattern `*.onmicrosoft.com` is wider than one organisation: anybody can have a name below `onmicrosoft.com`: name the organisation's own domain
    policy.yaml:4:75: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    ");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: ['*.com', anna@contoso.com, '*'] }
    then: [disable]
"#), @"
    policy.yaml:5:20: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    policy.yaml:5:29: `anna@contoso.com` is an address, not a domain: write `contoso.com`
    policy.yaml:5:47: pattern `*` would match everybody: name the domains
    ");
}

#[test]
fn a_reference_to_nothing_is_named_with_the_nearest() {
    assert_snapshot!(wrong(r#"lists:
  blocked: { entries: [evil.example] }
guardrails:
  - id: x
    if: { domain: [bloked] }
    then: [disable]
"#), @"policy.yaml:7:20: list `bloked` does not exist: did you mean `blocked`?");
    assert_snapshot!(wrong(r#"guardrails:
  - id: x
    if: { domain: blocked }
    then: [disable]
"#), @"policy.yaml:5:19: list `blocked` does not exist: add it under `lists`");
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { domains: [fabrikam.com] }
scenarios:
  - id: x
    admits: { partners: [fabricam, northwind] }
"#), @"
    policy.yaml:7:26: partner `fabricam` does not exist: did you mean `fabrikam`?
    policy.yaml:7:36: partner `northwind` does not exist: write `fabrikam`
    ");
    assert_snapshot!(wrong(r#"scenarios:
  - id: x
    admits: { partners: fabrikam }
"#), @"policy.yaml:5:25: partner `fabrikam` does not exist: add it under `partners`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    from: [blocked-domains, otherwise.guest]
    until: 2027-03-31
"#), @"
    policy.yaml:9:12: rule `blocked-domains` does not exist: did you mean `blocked-domain`?
    policy.yaml:9:29: rule `otherwise.guest` does not exist: write `blocked-domain`
    ");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
scenarios:
  - id: agency-work
    admits: { kind: guest }
tests:
  - name: x
    guest: {}
    expect: { blocked-domian: [disable], agency-work: [] }
"#), @"
    policy.yaml:13:15: rule `blocked-domian` does not exist: did you mean `blocked-domain`?
    policy.yaml:13:42: `agency-work` is a scenario, which finds nothing: name a guardrail or `otherwise.guest`
    ");
}

#[test]
fn an_id_or_name_that_cannot_be_used_is_refused() {
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
"#), @"policy.yaml:7:9: id `blocked-domain` is given twice: give each rule and scenario its own");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
scenarios:
  - id: blocked-domain
    admits: { kind: guest }
"#), @"policy.yaml:8:9: id `blocked-domain` is given twice: give each rule and scenario its own");
    assert_snapshot!(wrong(r#"guardrails:
  - id: Blocked Domain
    if: { domain: [evil.example] }
    then: [disable]
"#), @"policy.yaml:4:9: `Blocked Domain` is not a rule id (1 to 64 characters: lower-case letters, digits, `-`, `.`, and a letter first)");
    assert_snapshot!(wrong(r#"guardrails:
  - id: otherwise.guest
    if: { domain: [evil.example] }
    then: [disable]
"#), @"policy.yaml:4:9: id `otherwise.guest` is taken by the policy language: choose another");
    assert_snapshot!(wrong(r#"lists:
  bad.name: { entries: [] }
"#), @"
    policy.yaml:4:3: `bad.name` is not a list name: use 1 to 64 letters, digits, `-` and `_`
    policy.yaml:4:24: `entries` is empty: name domains, or remove the list
    ");
    assert_snapshot!(wrong(r#"partners:
  'Fabrikam, Inc.': { domains: [fabrikam.com] }
"#), @"policy.yaml:4:3: `Fabrikam, Inc.` is not a partner name: use 1 to 64 letters, digits, `-` and `_`");
    assert_snapshot!(wrong("protect: { users: [8d3f, 8d3f00000000400080000000000000001] }\n"), @"
    policy.yaml:3:20: `8d3f` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center
    policy.yaml:3:26: `8d3f00000000400080000000000000001` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center
    ");
    assert_snapshot!(wrong(r#"exceptions:
  - guest: alice@fabrikam.com
    from: [x]
    until: 2027-03-31
"#), @"
    policy.yaml:4:12: `alice@fabrikam.com` is not an object id (a GUID of 36 characters): copy it from the user's page in the Entra admin center
    policy.yaml:5:12: rule `x` does not exist
    ");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable, notify, disable]
"#), @"policy.yaml:6:29: action `disable` is repeated: remove one of them");
}

#[test]
fn a_day_is_written_in_one_way() {
    assert_snapshot!(wrong("existing: { before: 2026-13-01 }\n"), @"policy.yaml:3:21: `2026-13-01` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong("existing: { before: 1.12.2026 }\n"), @"policy.yaml:3:21: `1.12.2026` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong("existing: { before: 20261201 }\n"), @"policy.yaml:3:21: `20261201` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong("existing: { before: 2026-12-01T00:00:00 }\n"), @"policy.yaml:3:21: `2026-12-01T00:00:00` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong(r#"partners:
  fabrikam: { domains: [fabrikam.com], until: tomorrow }
"#), @"policy.yaml:4:47: `tomorrow` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    from: [blocked-domain]
    until: 2027-02-29
"#), @"policy.yaml:10:12: `2027-02-29` is not a day: write it as in `2027-06-30`");
    assert_snapshot!(wrong(r#"guardrails:
  - id: blocked-domain
    if: { domain: [evil.example] }
    then: [disable]
tests:
  - name: x
    on: 2027-6-30
    guest: { created: yesterday }
    expect: {}
"#), @"
    policy.yaml:9:9: `2027-6-30` is not a day: write it as in `2027-06-30`
    policy.yaml:10:23: `yesterday` is not a day: write it as in `2027-06-30`
    ");
}

#[test]
fn a_list_is_written_here_or_in_a_file() {
    assert_snapshot!(wrong(r#"lists:
  blocked: {}
"#), @"policy.yaml:4:12: list `blocked` has neither `entries` nor `file`: write one of the two");
    assert_snapshot!(wrong(r#"lists:
  blocked: { entries: [evil.example], file: lists/good.txt }
"#), @"policy.yaml:4:12: list `blocked` has both `entries` and `file`: write one of the two");
    assert_snapshot!(wrong(r#"lists:
  blocked: { file: lists/missing.txt }
"#), @"policy.yaml:4:20: list file `lists/missing.txt` could not be read: no such file");
    assert_snapshot!(wrong(r#"lists:
  blocked: { file: lists/bad.txt }
"#), @"
    lists/bad.txt:4:3: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    lists/bad.txt:5:1: `mallory@evil.example` is an address, not a domain: write `evil.example`
    lists/bad.txt:6:1: `evil` is not a whole domain name: it has no dot: write it as in `fabrikam.com`
    ");
    assert_snapshot!(wrong(r#"lists:
  blocked: { file: lists/binary.txt }
"#), @r#"
    lists/binary.txt:1:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:2:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:3:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:4:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:5:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:6:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:7:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:8:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:9:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com`
    lists/binary.txt:10:1: `\u{1}\u{2}` is not a domain name: write it as in `fabrikam.com` or `*.fabrikam.com` (and 4990 lines more are wrong)
    "#);
}

#[test]
fn mistakes_of_meaning_are_told_all_at_once() {
    assert_snapshot!(wrong_as_a_whole(r#"version: 3
mode: enfroce
lists:
  blocked: { file: lists/bad.txt }
guardrails:
  - id: x
    if: { domain: [blokced], kind: gest }
    then: [disabel]
    severity: hi
"#), @"
    policy.yaml:1:10: version 3 of the policy language is unknown: write `version: 1`
    policy.yaml:2:7: unknown mode `enfroce`: did you mean `enforce`?
    policy.yaml:7:20: list `blokced` does not exist: did you mean `blocked`?
    policy.yaml:7:36: unknown kind `gest`: did you mean `guest`?
    policy.yaml:8:12: unknown action `disabel`: did you mean `disable`?
    policy.yaml:9:15: unknown severity `hi`: write one of `low`, `medium`, `high`, `critical`
    lists/bad.txt:4:3: pattern `*.com` is wider than one organisation: anybody can have a name below `com`: name the organisation's own domain
    lists/bad.txt:5:1: `mallory@evil.example` is an address, not a domain: write `evil.example`
    lists/bad.txt:6:1: `evil` is not a whole domain name: it has no dot: write it as in `fabrikam.com`
    ");
}

#[test]
fn a_mistake_is_one_line_whatever_was_written() {
    let text = "guardrails:\n  - id: \"a\\nb\\e[31m\"\n    if: { kind: guest }\n    then: [notify]\n";
    assert_snapshot!(wrong(text), @r"policy.yaml:4:9: `a\nb\u{1b}[31m` is not a rule id (1 to 64 characters: lower-case letters, digits, `-`, `.`, and a letter first)");
}
