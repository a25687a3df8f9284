//! Names where ids belong, in guardrails.

use guestlist_policy::{Facts, Named};
use insta::assert_snapshot;

use crate::joins::about;
use crate::world::*;

fn with(named: Option<Named>) -> Facts {
    let memberships = vec![member(group(1, "Finance EU")), member(group(2, "HR"))];
    let named_groups = named.into_iter().map(|named| ("Finance EU".to_owned(), named)).collect();
    Facts { named_groups, ..joined(memberships) }
}

#[test]
fn a_name_in_a_guardrail_means_the_one_group_that_bears_it() {
    let policy = rules(&about("{ groups: Finance EU }"));
    let one = judged(&policy, &with(Some(Named::One(group_id(1)))));
    assert_eq!(acting(&one), ["closed"]);
    assert_snapshot!(told(&one), @"
    closed (medium, enforce) [leave-group] in Finance EU
      the account is a member of `Finance EU`, which the rule names
      plan: leave 1
    ");
    // What the group is called is not asked: the tenant said which one it is.
    let other = judged(&policy, &with(Some(Named::One(group_id(2)))));
    assert_eq!(other.findings.iter().map(|finding| finding.object).collect::<Vec<_>>(), [Some(group_id(2))]);
    assert_eq!(judged(&policy, &with(Some(Named::One(group_id(3))))).findings, []);
    assert_eq!(judged(&policy, &with(Some(Named::Nobody))).findings, []);
}

#[test]
fn a_name_that_several_groups_bear_is_in_doubt_for_these_alone() {
    let policy = rules(&about("{ groups: Finance EU }"));
    let several = judged(&policy, &with(Some(Named::Several(vec![group_id(5), group_id(1)]))));
    assert_eq!(acting(&several), [""; 0]);
    assert_snapshot!(told(&several), @"
    closed (medium, enforce) [leave-group] in Finance EU unknown
      the account is a member of `Finance EU`
      ambiguous: 2 groups are called `Finance EU` (77aa0000-0000-4000-8000-000000000001, 77aa0000-0000-4000-8000-000000000005): write the id of the one that is meant (`guestlist resolve` lists them)
      plan: leave 1
    ");
}

#[test]
fn a_name_that_was_not_read_is_in_doubt_for_every_group() {
    let policy = rules(&about("{ groups: Finance EU }"));
    let unread = judged(&policy, &with(Some(Named::Unread { why: "429 from Graph".to_owned() })));
    assert_snapshot!(told(&unread), @"
    closed (medium, enforce) [leave-group] in Finance EU unknown
      the account is a member of `Finance EU`
      unknown: which group is called `Finance EU` could not be read (429 from Graph): write the id beside it with `guestlist resolve --write`
      plan: leave 1
    closed (medium, enforce) [leave-group] in HR unknown
      the account is a member of `HR`
      unknown: which group is called `Finance EU` could not be read (429 from Graph): write the id beside it with `guestlist resolve --write`
      plan: leave 2
    ");
    assert_eq!(judged(&policy, &with(None)).findings.len(), 2);
    // Where something else decides, it is not asked.
    let and = rules(&about("{ groups: Finance EU, team: true }"));
    assert_eq!(judged(&and, &with(None)).findings, []);
    let or = rules(&about("{ any: [ { groups: Finance EU }, { name: HR } ] }"));
    let verdict = judged(&or, &with(None));
    let unknown: Vec<bool> = verdict.findings.iter().map(|finding| finding.unknown).collect();
    assert_eq!(unknown, [true, false]);
}

#[test]
fn the_names_that_mean_nobody_are_told_with_their_places() {
    let text = format!(
        "protect: {{ groups: [Board] }}\n{}  - id: y\n    if: {{ joins: {{ groups: [Payroll, Finance EU] }} }}\n    \
         then: [notify]\n",
        about("{ groups: [Zoo, Finance EU] }")
    );
    let policy = rules(&text);
    let names: Vec<String> = policy.group_names().into_iter().collect();
    assert_eq!(names, ["Board", "Finance EU", "Payroll", "Zoo"]);
    let named = [
        ("Board", Named::Nobody),
        ("Payroll", Named::One(group_id(3))),
        ("Finance EU", Named::Several((1..=7).map(group_id).collect())),
    ];
    let named = named.into_iter().map(|(name, named)| (name.to_owned(), named)).collect();
    let problems: Vec<String> = policy.unsettled_names(&named).iter().map(ToString::to_string).collect();
    assert_snapshot!(problems.join("\n"), @"
    policy.yaml:3:21: unknown: no group is called `Board`: correct the name, and write the id beside it with `guestlist resolve --write`
    policy.yaml:6:29: unknown: which group is called `Zoo` has not been read: write the id beside it with `guestlist resolve --write`
    policy.yaml:6:34: ambiguous: 7 groups are called `Finance EU` (77aa0000-0000-4000-8000-000000000001, 77aa0000-0000-4000-8000-000000000002, 77aa0000-0000-4000-8000-000000000003, 77aa0000-0000-4000-8000-000000000004, 77aa0000-0000-4000-8000-000000000005, …): write the id of the one that is meant (`guestlist resolve` lists them)
    policy.yaml:9:38: ambiguous: 7 groups are called `Finance EU` (77aa0000-0000-4000-8000-000000000001, 77aa0000-0000-4000-8000-000000000002, 77aa0000-0000-4000-8000-000000000003, 77aa0000-0000-4000-8000-000000000004, 77aa0000-0000-4000-8000-000000000005, …): write the id of the one that is meant (`guestlist resolve` lists them)
    ");
}
