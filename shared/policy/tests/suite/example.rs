//! The example policy of the documents, its summaries, its schema.

use std::collections::BTreeSet;

use guestlist_policy::{conditions, json_schema, parse};
use insta::assert_snapshot;
use model::{Action, Mode, Permission};

use crate::world::{ALICE, guest, judged, policy, told};

const EXAMPLE: &str = r#"# yaml-language-server: $schema=policy.schema.json
version: 1
mode: enforce
existing: { before: 2026-12-01, mode: observe }

lists:
  blocked:  { entries: [evil.example, "*.evil.example"] }
  consumer: { file: lists/consumer.txt }

partners:
  fabrikam:
    domains: [fabrikam.com, "*.fabrikam.com"]
    owner: anna@contoso.com
    until: 2027-06-30

protect:
  users: [8d3f0000-0000-4000-8000-000000000001]

guardrails:
  - id: blocked-domain
    why: organisations under sanctions
    severity: high
    if: { domain: [blocked, consumer, competitor.example] }
    then: [disable]
  - id: guests-with-our-passwords
    if: { kind: local-guest }
    then: [notify]

scenarios:
  - id: agency-work
    owner: marketing@contoso.com
    admits: { partners: [fabrikam] }

otherwise:
  guest: { severity: medium, then: [disable] }

exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000001
    from: [otherwise.guest]
    until: 2027-03-31
    ticket: SEC-123
    approved_by: ciso@contoso.com

tests:
  - name: an evil twin is not a partner
    guest: { mail: mallory@notfabrikam.com }
    expect: { otherwise.guest: [disable] }
  - name: a partner is welcome
    guest: { mail: alice@fabrikam.com, created: 2026-12-24 }
    expect: {}
  - name: a partner is welcome on the last day
    on: 2027-06-30
    guest: { mail: alice@fabrikam.com }
    expect: {}
  - name: and no longer on the day after
    on: 2027-07-01
    guest: { mail: alice@fabrikam.com }
    expect: { otherwise.guest: [disable] }
  - name: a sanctioned organisation is stopped, whatever else it is
    guest: { mail: mallory@mail.evil.example, invited: mallory@webmail.example }
    expect: { blocked-domain: [disable], otherwise.guest: disable }
  - name: a second address of a sanctioned organisation is told
    guest: { mail: alice@fabrikam.com, other_mails: alice@evil.example, proxy_addresses: [] }
    expect: { blocked-domain: [] }
  - name: what Entra wrote into the name is a second address
    guest: { mail: alice@fabrikam.com, upn: "alice_competitor.example#EXT#@contoso.onmicrosoft.com" }
    expect: { blocked-domain: [] }
  - name: a guest without an address is told
    guest: {}
    expect: { blocked-domain: [], otherwise.guest: [] }
  - name: local guests are only told
    guest: { kind: local-guest }
    expect: { guests-with-our-passwords: [notify] }
  - name: the exception holds
    guest: { id: 5c1e0000-0000-4000-8000-000000000001, mail: bob@northwind.example }
    expect: {}
  - name: a protected account is never a target
    guest: { id: 8d3f0000-0000-4000-8000-000000000001, mail: bob@northwind.example }
    expect: { otherwise.guest: [] }
"#;

#[test]
fn the_example_of_the_documents_is_a_policy_whose_tests_hold() {
    let policy = policy(EXAMPLE);
    let failures: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    assert_eq!(failures, [""; 0]);
    assert_eq!(policy.test_count(), 11);
    assert_eq!(policy.mode(), Mode::Enforce);
    assert_eq!(policy.protected_users().len(), 1);
}

#[test]
fn the_consent_that_a_policy_needs_comes_from_the_actions_that_it_names() {
    let acts = policy(EXAMPLE);
    assert_eq!(acts.actions(), BTreeSet::from([Action::Disable, Action::Notify]));
    assert_eq!(acts.write_permissions(), Action::Disable.permissions().iter().copied().collect());
    assert!(acts.write_permissions().contains(&Permission("User.EnableDisableAccount.All")));
    let tells = policy(&EXAMPLE.replace("[disable]", "[notify]").replace("guest: disable", "guest: notify"));
    assert_eq!(tells.actions(), BTreeSet::from([Action::Notify]));
    assert_eq!(tells.write_permissions(), BTreeSet::new());
}

#[test]
fn the_rules_read_as_sentences() {
    let policy = policy(&EXAMPLE.replace("    then: [notify]", "    then: [notify]\n    mode: observe"));
    let lines: Vec<String> = policy
        .rules()
        .iter()
        .map(|rule| {
            format!("{} ({}, {}): {} {:?}", rule.id, rule.severity, rule.mode, rule.description, rule.why)
        })
        .chain(policy.scenarios().iter().map(|scenario| format!("{}: {}", scenario.id, scenario.description)))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    blocked-domain (high, enforce): if an address is of list `blocked` or list `consumer` or `competitor.example`: disable Some("organisations under sanctions")
    guests-with-our-passwords (medium, observe): if the kind is local guest: notify None
    otherwise.guest (medium, enforce): if no scenario admits the guest: disable None
    agency-work: admits guest of partner `fabrikam` (until 2027-06-30)
    "#);
}

#[test]
fn a_test_that_does_not_hold_says_what_was_found_and_why() {
    let text = EXAMPLE.replace(
        "guest: { mail: alice@fabrikam.com, created: 2026-12-24 }",
        "guest: { mail: a@evil.example }",
    );
    let text = text.replace(
        "expect: { otherwise.guest: [disable] }",
        "expect: { otherwise.guest: [], blocked-domain: [disable] }",
    );
    let failures: Vec<String> = policy(&text).run_tests().iter().map(ToString::to_string).collect();
    assert_snapshot!(failures.join("\n"), @"
    policy.yaml:45:11: test `an evil twin is not a partner` does not hold: `blocked-domain` finds nothing, expected [disable]; `otherwise.guest` finds [disable], expected [] (no scenario admits the account; mail `mallory@notfabrikam.com` is of no partner)
    policy.yaml:48:11: test `a partner is welcome` does not hold: `blocked-domain` finds [disable], expected nothing (mail `a@evil.example` matches `evil.example` in list `blocked`); `otherwise.guest` finds [disable], expected nothing (no scenario admits the account; mail `a@evil.example` is of no partner)
    policy.yaml:55:11: test `and no longer on the day after` does not hold: `blocked-domain` finds nothing, expected [disable]; `otherwise.guest` finds [disable], expected [] (no scenario admits the account; mail `alice@fabrikam.com` is of partner `fabrikam`; partner `fabrikam` (owner anna@contoso.com) ended on 2027-06-30)
    ");
}

#[test]
fn the_hash_changes_with_the_policy_and_with_every_list_file() {
    let with = |text: &str, list: &str| {
        parse(text, "policy.yaml", &mut |_| Ok(list.to_owned())).unwrap().hash().to_owned()
    };
    let hash = with(EXAMPLE, "mail.example");
    assert_eq!(hash.len(), 16);
    assert_eq!(hash, with(EXAMPLE, "mail.example"));
    assert_ne!(hash, with(EXAMPLE, "mail.example\n"));
    assert_ne!(hash, with(&format!("{EXAMPLE}\n"), "mail.example"));
}

#[test]
fn a_list_file_has_one_entry_a_line_and_comments() {
    let policy = policy(EXAMPLE);
    for mail in ["m@mail.example", "m@webmail.example"] {
        assert!(told(&judged(&policy, &guest(mail))).starts_with("blocked-domain (high, observe)"), "{mail}");
    }
    assert_eq!(judged(&policy, &guest("m@other.example")).suspended.len(), 1);
    assert_eq!(judged(&policy, &guest("m@other.example")).subject.unwrap().id, ALICE);
}

#[test]
fn the_schema_knows_what_the_reader_knows_and_nothing_that_is_not_built() {
    let schema = json_schema();
    assert_eq!(schema["title"], "Guestlist policy");
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["version", "mode"]));
    assert_eq!(schema["properties"]["version"]["const"], 1);
    assert_eq!(schema["properties"]["mode"]["enum"], serde_json::json!(["observe", "ask", "enforce"]));
    let keys: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "version",
        "mode",
        "existing",
        "lists",
        "partners",
        "protect",
        "guardrails",
        "scenarios",
        "otherwise",
        "exceptions",
        "tests",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(schema["$defs"]["Guardrail"]["additionalProperties"], false);
    let text = schema.to_string();
    assert!(text.contains("\"delete\"") && !text.contains("\"revoke-sessions\""));
    assert!(!text.contains("\"not\""));
    for (mapping, key) in [("Admits", "kind"), ("Otherwise", "guest"), ("Otherwise", "membership")] {
        let told = schema["$defs"][mapping]["properties"][key]["description"].as_str().unwrap();
        assert!(told.contains("xternal members and local guests are"), "{told}");
    }
    let admits = &schema["$defs"]["Admits"]["properties"];
    assert_eq!((&admits["sponsors"]["minimum"], &admits["sponsors"]["maximum"]), (&1.into(), &5.into()));
    let inviter = schema["$defs"]["Inviter"]["properties"].as_object().unwrap();
    assert_eq!(inviter.keys().map(String::as_str).collect::<Vec<_>>(), ["domain", "group", "ids", "kind"]);
    let stay = schema["$defs"]["Scenario"]["properties"]["stay"].to_string();
    assert!(stay.contains("[dh]"), "{stay}");
    assert_eq!(schema["$defs"]["Joins"]["additionalProperties"], false);
    assert_eq!(schema["$defs"]["ScenarioJoins"]["properties"].as_object().unwrap().len(), 1);
    assert!(schema["$defs"]["Alternative"]["properties"].get("any").is_none());
    let relations = &schema["$defs"]["If"]["properties"]["as"]["anyOf"][0]["anyOf"][0]["enum"];
    assert_eq!(*relations, serde_json::json!(["member", "owner"]));
    // Every condition that a guardrail can ask stands in the schema, with its example for the documents.
    let conditions_in_schema = schema["$defs"]["If"]["properties"].as_object().unwrap();
    for condition in conditions() {
        assert!(conditions_in_schema.contains_key(condition.key), "{}", condition.key);
        assert!(condition.example.starts_with(condition.key));
    }
}

#[test]
fn the_examples_of_the_readme_are_policies() {
    let readme = include_str!("../../../../README.md");
    let examples: Vec<&str> =
        readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [whole, part] = examples.as_slice() else { panic!("{examples:?}") };
    assert_eq!(policy(whole).rules().len(), 3);
    let partners = "version: 1\nmode: enforce\npartners: { fabrikam: { domains: [fabrikam.com] } }\n";
    let people = policy(&format!("{partners}{part}"));
    assert_eq!((people.rules().len(), people.scenarios().len(), people.looks_at_inviters()), (2, 1, true));
}
