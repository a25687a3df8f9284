//! `resolve` writes ids beside names, and nothing else.

use guestlist_policy::{Named, Resolved, resolve};
use insta::assert_snapshot;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::*;

fn lookup(name: &str) -> Named {
    match name {
        "Board" => Named::One(group_id(1)),
        "Finance EU" => Named::One(group_id(2)),
        "Größe \"L\" #1" => Named::One(group_id(3)),
        "It's: [a] {b}" => Named::One(group_id(4)),
        "Twice" => Named::Several(vec![group_id(5), group_id(6)]),
        "Later" => Named::Unread { why: "429 from Graph".to_owned() },
        _ => Named::Nobody,
    }
}

#[track_caller]
fn resolved(text: &str) -> Resolved {
    resolve(text, "policy.yaml", &lookup).unwrap()
}

const POLICY: &str = "version: 1 # the language
mode:   enforce
protect: { groups: [ Board ,  'Twice' ] }   # who decides
guardrails:
  - id: closed
    why: \"Finance EU\"
    if:
      joins:
        groups:
          - Finance EU   # with a comment
          - \"Gr\\u00f6\\u00dfe \\\"L\\\" #1\"
          - 77aa0000-0000-4000-8000-000000000009
          - { id: 77aa0000-0000-4000-8000-000000000008, name: Finance EU }
        any:
        - groups: 'It''s: [a] {b}'
        - name: Board
    then: [ leave-group ]\r
scenarios:
  - id: agency-work
    admits: { kind: guest }
    joins: { groups: [Nobody at all, Later] }
tests:
  - name: Board
    guest: { member_of: [{ name: Board }] }
    expect: {}
";

#[test]
fn each_name_that_means_one_group_gets_its_id_and_the_rest_stays_byte_for_byte() {
    let Resolved { text, changes, unresolved } = resolved(POLICY);
    let differing: Vec<&str> = text
        .lines()
        .zip(POLICY.lines())
        .filter(|(after, before)| after != before)
        .map(|(after, _)| after)
        .collect();
    assert_eq!(text.lines().count(), POLICY.lines().count());
    assert!(text.contains("then: [ leave-group ]\r\n"));
    assert_snapshot!(differing.join("\n"), @r#"
    protect: { groups: [ { id: 77aa0000-0000-4000-8000-000000000001, name: "Board" } ,  'Twice' ] }   # who decides
              - { id: 77aa0000-0000-4000-8000-000000000002, name: "Finance EU" }   # with a comment
              - { id: 77aa0000-0000-4000-8000-000000000003, name: "Größe \"L\" #1" }
            - groups: { id: 77aa0000-0000-4000-8000-000000000004, name: "It's: [a] {b}" }
    "#);
    let changes: Vec<String> = changes
        .iter()
        .map(|change| format!("{}:{} {} {}", change.line, change.column, change.id, change.name))
        .collect();
    assert_snapshot!(changes.join("\n"), @r#"
    3:22 77aa0000-0000-4000-8000-000000000001 Board
    10:13 77aa0000-0000-4000-8000-000000000002 Finance EU
    11:13 77aa0000-0000-4000-8000-000000000003 Größe "L" #1
    15:19 77aa0000-0000-4000-8000-000000000004 It's: [a] {b}
    "#);
    let unresolved: Vec<String> = unresolved.iter().map(ToString::to_string).collect();
    assert_snapshot!(unresolved.join("\n"), @"
    policy.yaml:3:31: 2 groups are called `Twice`: `77aa0000-0000-4000-8000-000000000005`, `77aa0000-0000-4000-8000-000000000006`: write the id of the one that is meant
    policy.yaml:21:23: no group is called `Nobody at all`: correct the name, or write the group's id
    policy.yaml:21:38: which group is called `Later` could not be read (429 from Graph): try again
    ");
    // What is left over is the same the next time.
    let again = resolved(&text);
    assert_eq!((again.text, again.changes.len(), again.unresolved.len()), (text, 0, 3));
}

#[test]
fn a_name_that_cannot_be_changed_in_place_is_left_with_what_to_write() {
    let text = "version: 1
mode: enforce
protect: { groups: [&board Board, *board] }
scenarios:
  - id: agency-work
    admits: { kind: guest }
    joins:
      groups:
        - |-
          Finance EU
        - !!str Board
";
    let Resolved { text: after, changes, unresolved } = resolved(text);
    assert_snapshot!(after, @"
    version: 1
    mode: enforce
    protect: { groups: [&board Board, *board] }
    scenarios:
      - id: agency-work
        admits: { kind: guest }
        joins:
          groups:
            - |-
              Finance EU
            - !!str Board
    ");
    assert_snapshot!(format!("{changes:?}"), @"[]");
    let unresolved: Vec<String> = unresolved.iter().map(ToString::to_string).collect();
    assert_snapshot!(unresolved.join("\n"), @r#"
    policy.yaml:3:28: `Board` is written in a way that cannot be changed in place: write `{ id: 77aa0000-0000-4000-8000-000000000001, name: "Board" }` by hand
    policy.yaml:3:35: `Board` is written in a way that cannot be changed in place: write `{ id: 77aa0000-0000-4000-8000-000000000001, name: "Board" }` by hand
    policy.yaml:10:11: `Finance EU` is written in a way that cannot be changed in place: write `{ id: 77aa0000-0000-4000-8000-000000000002, name: "Finance EU" }` by hand
    policy.yaml:11:17: `Board` is written in a way that cannot be changed in place: write `{ id: 77aa0000-0000-4000-8000-000000000001, name: "Board" }` by hand
    "#);
}

#[test]
fn a_file_with_a_byte_order_mark_or_without_names_stays_as_it_is() {
    let plain = "version: 1\nmode: enforce\nprotect: { users: [8d3f0000-0000-4000-8000-000000000001] }\n";
    assert_eq!(
        resolved(plain),
        Resolved { text: plain.to_owned(), changes: Vec::new(), unresolved: Vec::new() }
    );
    let marked = "\u{feff}version: 1\nmode: enforce\nprotect: { groups: Board }\n";
    let expected = format!(
        "\u{feff}version: 1\nmode: enforce\nprotect: {{ groups: {{ id: {}, name: \"Board\" }} }}\n",
        group_id(1)
    );
    assert_eq!(resolved(marked).text, expected);
    let dos =
        "version: 1\r\nmode: enforce\r\nprotect:\r\n  groups:\r\n    - Board\r\n    - Finance EU # x\r\n";
    let text = resolved(dos).text;
    assert_eq!(text.matches("\r\n").count(), dos.matches("\r\n").count());
    assert!(
        text.contains("name: \"Board\" }\r\n") && text.contains("name: \"Finance EU\" } # x\r\n"),
        "{text}"
    );
    assert!(resolve("version: 1\nmode: [", "policy.yaml", &lookup).is_err());
}

/// One name, as somebody may write it in a list.
fn spelled(name: &str, style: u8) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == ' ') && !["yes", "null x"].contains(&name);
    match style {
        2 if plain => name.to_owned(),
        1 => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
        _ => format!("'{}'", name.replace('\'', "''")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_resolved_reads_and_judges_the_same(
        names in proptest::collection::vec((
            prop_oneof![
                "[A-Za-zäß][A-Za-z0-9äß]{0,6}( [a-zäß0-9]{1,4}){0,2}",
                "[A-Za-zäß][A-Za-z0-9 äß'\"\\\\#:{}\\[\\],&!|>%@`-]{0,20}[a-z]",
                select(vec!["Board".to_owned(), "Finance EU".to_owned(), "yes".to_owned(), "~a".to_owned(), "null x".to_owned(), "🙂 b".to_owned()]),
            ], 0_u8..3), 1..5),
        inline in any::<bool>(),
        comment in "[ a-zA-Z#:'\"{}äß]{0,12}",
        which in 0_usize..5,
    ) {
        let items: Vec<String> = names.iter().map(|(name, style)| spelled(name, *style)).collect();
        let groups = if inline {
            format!("[{}] # {comment}", items.join(" , "))
        } else {
            items.iter().map(|item| format!("\n          - {item} # {comment}")).collect::<String>()
        };
        let text = format!(
            "version: 1\nmode: enforce\nguardrails:\n  - id: closed\n    if:\n      joins:\n        groups: {groups}\n    then: [leave-group]\n"
        );
        let number = |name: &str| names.iter().position(|(other, _)| other == name).map(|index| group_id(10 + index as u128));
        let meaning = |name: &str| number(name).map_or(Named::Nobody, Named::One);
        let result = resolve(&text, "policy.yaml", &meaning).unwrap();
        prop_assert!(result.unresolved.is_empty(), "{:?}\n{}", result.unresolved, text);
        prop_assert_eq!(result.changes.len(), names.len());
        let (before, after) = (policy(&text), policy(&result.text));
        prop_assert!(after.group_names().is_empty());
        let named_groups = names.iter().map(|(name, _)| (name.clone(), meaning(name))).collect();
        let facts = guestlist_policy::Facts {
            named_groups,
            ..joined(vec![member(group(10 + which as u128, "x")), member(group(3, "Board"))])
        };
        prop_assert_eq!(judged(&before, &facts), judged(&after, &facts));
        // Nothing but the names has changed.
        let mut rest = result.text.as_str();
        for change in &result.changes {
            let id = change.id.to_string();
            let at = rest.find(&id);
            prop_assert!(at.is_some());
            rest = &rest[at.unwrap() + id.len()..];
        }
        prop_assert_eq!(result.text.lines().count(), text.lines().count());
        prop_assert_eq!(result.text.matches(&format!("# {comment}")).count(), text.matches(&format!("# {comment}")).count());
    }
}

#[test]
fn groups_of_inviters_get_their_ids_too() {
    let text = "version: 1\nmode: enforce\nguardrails:\n  - id: x\n    if: { inviter: { group: Board }, joins: { groups: Finance EU } }\n    \
                then: [notify]\nscenarios:\n  - id: y\n    admits: { inviters: { group: [Finance EU, Twice] } }\n";
    let Resolved { text, changes, unresolved } = resolved(text);
    assert_eq!((changes.len(), unresolved.len()), (3, 1));
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("nvite")).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    if: { inviter: { group: { id: 77aa0000-0000-4000-8000-000000000001, name: "Board" } }, joins: { groups: { id: 77aa0000-0000-4000-8000-000000000002, name: "Finance EU" } } }
    admits: { inviters: { group: [{ id: 77aa0000-0000-4000-8000-000000000002, name: "Finance EU" }, Twice] } }
    "#);
    let unsettled = policy(&text).unsettled_names(&[("Twice".to_owned(), lookup("Twice"))].into());
    assert_eq!(
        unsettled.iter().map(|problem| (problem.line, problem.column)).collect::<Vec<_>>(),
        [(9, 101)]
    );
    assert_eq!(policy(&text).group_ids(), std::collections::BTreeSet::from([group_id(1), group_id(2)]));
}
