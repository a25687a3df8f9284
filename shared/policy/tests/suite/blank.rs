//! What is written and says nothing is a mistake wherever it stands: its author meant something.

use guestlist_policy::parse;

use crate::mistakes::{wrong, wrong_as_a_whole};

/// Every key that the language has, each with a value.
const WHOLE: &str = "version: 1
mode: enforce
existing:
  before: 2026-12-01
  mode: observe
lists:
  blocked:
    entries: [evil.example]
  consumer:
    file: lists/good.txt
partners:
  fabrikam:
    domains: [fabrikam.com]
    owner: anna@contoso.com
    until: 2027-06-30
protect:
  users: [5c1e0000-0000-4000-8000-000000000001]
  groups: [Board]
guardrails:
  - id: blocked-domain
    why: sanctions
    severity: high
    if:
      domain: [blocked]
      kind: [guest]
      any_address: true
      inviter:
        kind: [guest]
        domain: [blocked]
        ids: [5c1e0000-0000-4000-8000-000000000003]
        group: [Payroll]
      pending_for: 14d
    then: [disable]
    mode: observe
  - id: closed-groups
    if:
      joins:
        groups: [77aa0000-0000-4000-8000-000000000001]
        name: Finance *
        label: [Confidential]
        role_assignable: true
        team: true
        visibility: [private]
        dynamic: false
        any:
          - groups:
            - id: 77aa0000-0000-4000-8000-000000000002
              name: Payroll
          - name: HR *
      as: [member]
    then: [leave-group]
  - id: guests-own-nothing
    if:
      joins:
        any_group: true
      as: owner
    then: [drop-ownership]
scenarios:
  - id: agency-work
    owner: anna@contoso.com
    admits:
      partners: [fabrikam]
      kind: [guest]
      inviters:
        kind: [internal-member]
        domain: [contoso.com]
        ids: [5c1e0000-0000-4000-8000-000000000003]
        group:
          id: 77aa0000-0000-4000-8000-000000000003
          name: Sponsors
      sponsors: 1
    joins:
      groups: [Agency]
    stay: 180d
    until: 2027-12-31
    notice: 7d
otherwise:
  guest:
    severity: low
    then: [disable]
    mode: observe
    why: nobody expects them
  membership:
    severity: low
    then: [leave-group]
    mode: observe
    why: nobody expects them there
exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    group: 77aa0000-0000-4000-8000-000000000001
    from: [otherwise.membership]
    until: 2027-03-31
    ticket: SEC-123
    approved_by: anna@contoso.com
tests:
  - name: a stranger
    guest:
      id: 5c1e0000-0000-4000-8000-000000000002
      mail: m@evil.example
      other_mails: [n@evil.example]
      proxy_addresses: ['smtp:o@evil.example']
      invited: p@evil.example
      kind: guest
      upn: m_evil.example#EXT#@tenant.invalid
      created: 2026-12-02
      pending: true
      inviter:
        id: 5c1e0000-0000-4000-8000-000000000003
        kind: internal-member
        mail: bob@contoso.com
        member_of: [77aa0000-0000-4000-8000-000000000003]
        source: audit
      sponsors: 1
      member_of:
        - id: 77aa0000-0000-4000-8000-000000000001
          name: Finance EU
          label: [Confidential]
          role_assignable: false
          team: true
          visibility: public
          dynamic: false
          synced: false
          mail_enabled: true
      owner_of: [77aa0000-0000-4000-8000-000000000001]
    expect:
      blocked-domain: [disable]
      otherwise.guest: [disable]
    on: 2027-01-01
";

fn load(_: &str) -> Result<String, String> {
    Ok("evil.example\n".to_owned())
}

/// Each key of [`WHOLE`] with its line, and the file with the key's value, and all below it, replaced.
fn each_key(value: &str) -> Vec<(usize, String, String)> {
    let lines: Vec<&str> = WHOLE.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let (key, _) = line.trim_start_matches([' ', '-']).split_once(':').unwrap();
        let below = lines.iter().skip(at + 1).take_while(|next| indent(next) > indent(line)).count();
        let (head, _) = line.split_once(':').unwrap();
        let mut text: Vec<String> = lines.iter().take(at).map(ToString::to_string).collect();
        text.push(format!("{head}:{value}"));
        text.extend(lines.iter().skip(at + 1 + below).map(ToString::to_string));
        all.push((at + 1, key.to_owned(), text.join("\n") + "\n"));
    }
    all
}

#[track_caller]
fn mistakes_in(line: usize, text: &str) -> String {
    let told = wrong_as_a_whole(text);
    assert!(told.lines().any(|told| told.starts_with(&format!("policy.yaml:{line}:"))), "{told}\n{text}");
    told
}

#[test]
fn a_key_without_a_value_is_a_mistake_wherever_it_stands() {
    parse(WHOLE, "policy.yaml", &mut load).unwrap();
    for nothing in ["", " ~", " null"] {
        let all = each_key(nothing);
        assert_eq!(all.len(), 128);
        for (line, _, text) in all {
            mistakes_in(line, &text);
        }
    }
}

#[test]
fn an_empty_list_or_mapping_is_a_mistake_wherever_it_does_not_say_none() {
    // A test names what its guest does not have, and what is not found.
    let tests = WHOLE.lines().position(|line| line == "tests:").unwrap();
    let says_none = |line: usize, key: &str| {
        let keys = [
            "guest",
            "other_mails",
            "proxy_addresses",
            "inviter",
            "member_of",
            "label",
            "owner_of",
            "expect",
        ];
        line > tests && (keys.contains(&key) || key == "blocked-domain" || key == "otherwise.guest")
    };
    for empty in [" []", " {}"] {
        for (line, key, text) in each_key(empty) {
            if let Err(problems) = parse(&text, "policy.yaml", &mut load) {
                let told = problems.to_string();
                assert!(
                    told.lines().any(|told| told.starts_with(&format!("policy.yaml:{line}:"))),
                    "{told}\n{text}"
                );
            } else {
                assert!(says_none(line, &key), "`{key}:{empty}` in line {line} is accepted");
            }
        }
    }
}

#[test]
fn a_blank_is_named_with_what_to_do() {
    for (text, told) in [
        ("guardrails:\n", "3:11: `guardrails` has no value: write it after the colon, or remove the key"),
        ("guardrails: []\n", "3:13: `guardrails` is empty: write what belongs there, or remove the key"),
        ("existing:\n", "3:9: `existing` has no value: write it after the colon, or remove the key"),
        ("protect:\n", "3:8: `protect` has no value: write it after the colon, or remove the key"),
        ("protect: {}\n", "3:10: `protect` is empty: write what belongs there, or remove the key"),
        ("protect: { users: }\n", "3:17: `users` has no value: write it after the colon, or remove the key"),
        ("protect: { users: [] }\n", "3:19: `users` is empty: write what belongs there, or remove the key"),
        ("lists:\n  b: { entries: [] }\n", "4:17: `entries` is empty: name domains, or remove the list"),
        (
            "lists:\n  b: { file: lists/empty.txt }\n",
            "4:14: list file `lists/empty.txt` has no entry: add one, or remove the list",
        ),
        (
            "lists:\n  b: { file: lists/comments.txt }\n",
            "4:14: list file `lists/comments.txt` has no entry: add one, or remove the list",
        ),
        // The names are the author's, and no keys of the language.
        (
            "partners:\n  stay: { domains: [a.example], until: }\n",
            "4:38: `until` has no value: write it after the colon, or remove the key",
        ),
    ] {
        assert_eq!(wrong(text), format!("policy.yaml:{told}"));
    }
}

#[test]
fn the_version_is_a_number_and_no_text() {
    for text in ["'1'", "\"1\""] {
        assert_eq!(
            wrong_as_a_whole(&format!("version: {text}\nmode: enforce\n")),
            "policy.yaml:1:10: `version` is a text, not a number: write `version: 1`"
        );
    }
}
