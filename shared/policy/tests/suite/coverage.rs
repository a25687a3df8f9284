//! Which groups a scenario covers, and what happens to memberships that none does.

use guestlist_policy::{Facts, Group, Memberships, Named};
use insta::assert_snapshot;
use model::Mode;

use crate::world::*;

/// Two partners with a group each, a third for every group, and what happens otherwise.
fn covering(extra: &str) -> String {
    format!(
        "
partners:
  fabrikam: {{ domains: [fabrikam.com], until: 2027-06-30 }}
  northwind: {{ domains: [northwind.example] }}
  tailspin: {{ domains: [tailspin.example] }}
{extra}
scenarios:
  - id: agency-work
    admits: {{ partners: [fabrikam] }}
    joins: {{ groups: [{}, {{ id: {}, name: Agency }}] }}
  - id: audit
    admits: {{ partners: [northwind, fabrikam] }}
    joins: {{ groups: {} }}
  - id: everything
    admits: {{ partners: [tailspin] }}
otherwise:
  membership: {{ then: [leave-group, drop-ownership] }}
",
        group_id(1),
        group_id(2),
        group_id(3)
    )
}

fn of(mail: &str, groups: &[Group]) -> Facts {
    let memberships = groups.iter().cloned().map(member).collect();
    Facts { memberships: Memberships::Known(memberships), ..guest(mail) }
}

#[track_caller]
fn uncovered(facts: &Facts, expected: &[u128]) {
    let verdict = judged(&rules(&covering("")), facts);
    let found: Vec<_> = verdict.findings.iter().filter_map(|finding| finding.object).collect();
    assert_eq!(found, expected.iter().copied().map(group_id).collect::<Vec<_>>(), "{}", told(&verdict));
    assert_eq!(acting(&verdict).len(), expected.len(), "{}", told(&verdict));
}

#[test]
fn a_membership_is_covered_by_a_scenario_that_admits_the_guest_and_names_the_group() {
    let all: Vec<Group> = (1..=4).map(|number| group(number, "x")).collect();
    uncovered(&of("a@fabrikam.com", &all), &[4]);
    uncovered(&of("a@northwind.example", &all), &[1, 2, 4]);
    uncovered(&of("a@tailspin.example", &all), &[]);
    uncovered(&of("m@evil.example", &all), &[1, 2, 3, 4]);
    uncovered(&of("m@evil.example", &[]), &[]);
}

#[test]
fn an_uncovered_membership_says_why() {
    let policy = rules(&covering(""));
    assert_snapshot!(told(&judged(&policy, &of("a@fabrikam.com", &[group(4, "Finance EU")]))), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU
      the account is a member of `Finance EU`
      no scenario that admits the account covers this group (admitted by `agency-work`, `audit`)
      plan: leave 4
    ");
    assert_snapshot!(told(&judged(&policy, &of("m@evil.example", &[group(4, "Finance EU")]))), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU
      the account is a member of `Finance EU`
      no scenario admits the account
      mail `m@evil.example` is of no partner
      plan: leave 4
    ");
    let owns = Facts {
        memberships: Memberships::Known(vec![owner(group(4, "Finance EU"))]),
        ..guest("a@fabrikam.com")
    };
    assert_snapshot!(told(&judged(&policy, &owns)), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU
      the account owns `Finance EU`
      no scenario that admits the account covers this group (admitted by `agency-work`, `audit`)
      plan: drop 4
    ");
}

#[test]
fn a_partner_that_ends_covers_nothing_any_more() {
    let policy = rules(&covering(""));
    let facts = of("a@fabrikam.com", &[group(1, "Agency")]);
    let verdict = judged(&policy, &facts);
    let end = at("2027-07-01T00:00:00Z");
    assert_eq!((verdict.findings.len(), verdict.changes_at), (0, Some(at("2027-06-17T00:00:00Z"))));
    assert_eq!(
        acting(&guestlist_policy::judge(&policy, &facts, Mode::Enforce, end)),
        ["otherwise.membership"]
    );
}

#[test]
fn dynamic_groups_are_covered_unless_a_guardrail_names_them() {
    let dynamic = |number| Group { dynamic: Some(true), ..group(number, "All guests") };
    uncovered(&of("m@evil.example", &[dynamic(4)]), &[]);
    let pattern =
        "guardrails:\n  - id: g\n    if: { joins: { name: All * }, as: owner }\n    then: [notify]\n";
    assert_eq!(judged(&rules(&covering(pattern)), &of("m@evil.example", &[dynamic(4)])).findings, []);
    let names = format!(
        "guardrails:\n  - id: g\n    if: {{ joins: {{ any: [ {{ groups: {} }} ] }}, as: owner }}\n    then: [notify]\n",
        group_id(4)
    );
    // Nobody can be taken out of it, so a person has to.
    assert_snapshot!(told(&judged(&rules(&covering(&names)), &of("m@evil.example", &[dynamic(4)]))), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in All guests
      the account is a member of `All guests`
      no scenario admits the account
      mail `m@evil.example` is of no partner
      by hand: `All guests` (77aa0000-0000-4000-8000-000000000004): its members are computed by a rule; somebody must change the rule, or the property of the account that the rule asks for
      refused: `All guests` (77aa0000-0000-4000-8000-000000000004): its members are computed by a rule; somebody must change the rule, or the property of the account that the rule asks for
    ");
    assert_eq!(judged(&rules(&covering(&names)), &of("m@evil.example", &[dynamic(5)])).findings, []);
}

#[test]
fn what_decides_coverage_and_could_not_be_read_is_told_and_never_acted_on() {
    let policy = rules(&covering(""));
    let unread = Group { dynamic: None, ..group(4, "Finance EU") };
    assert_snapshot!(told(&judged(&policy, &of("a@fabrikam.com", std::slice::from_ref(&unread)))), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU unknown
      the account is a member of `Finance EU`
      whether a scenario covers this membership could not be checked
      whether the group is dynamic could not be read
      plan: leave 4
    ");
    // A scenario that covers it says enough.
    assert_eq!(judged(&policy, &of("a@fabrikam.com", &[Group { id: group_id(1), ..unread }])).findings, []);
    let unread = |change: fn(&mut Facts)| {
        let mut facts = of("a@fabrikam.com", &[group(1, "Agency"), group(4, "Finance EU")]);
        change(&mut facts);
        let verdict = judged(&policy, &facts);
        assert_eq!(acting(&verdict), [""; 0]);
        told(&verdict)
    };
    assert_snapshot!(unread(|facts| facts.user_type = None), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Agency unknown
      the account is a member of `Agency`
      whether a scenario covers this membership could not be checked
      the kind of the account is unknown: `userType` could not be read
      plan: leave 1
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU unknown
      the account is a member of `Finance EU`
      whether a scenario covers this membership could not be checked
      the kind of the account is unknown: `userType` could not be read
      plan: leave 4
    ");
    assert_snapshot!(unread(|facts| facts.mail = Some("a@b@c".to_owned())), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Agency unknown
      the account is a member of `Agency`
      whether a scenario covers this membership could not be checked
      mail `a@b@c` is not a mail address
      plan: leave 1
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU unknown
      the account is a member of `Finance EU`
      whether a scenario covers this membership could not be checked
      mail `a@b@c` is not a mail address
      plan: leave 4
    ");
    assert_snapshot!(unread(|facts| facts.memberships = Memberships::Unreadable { why: "403".to_owned() }), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] unknown
      the groups of the account could not be read (403)
    ");
}

#[test]
fn a_name_admits_to_the_one_group_that_bears_it() {
    let policy = rules(&covering("").replace(&group_id(1).to_string(), "Campaign"));
    let facts = |named: Option<Named>| Facts {
        named_groups: named.into_iter().map(|named| ("Campaign".to_owned(), named)).collect(),
        ..of("a@fabrikam.com", &[group(1, "Campaign"), group(4, "Finance EU")])
    };
    assert_eq!(policy.group_names(), std::collections::BTreeSet::from(["Campaign".to_owned()]));
    let one = judged(&policy, &facts(Some(Named::One(group_id(1)))));
    assert_eq!(one.findings.iter().map(|finding| finding.object).collect::<Vec<_>>(), [Some(group_id(4))]);
    assert_eq!(acting(&one), ["otherwise.membership"]);
    // Another group took the name: it is covered, and this one is not.
    assert_eq!(acting(&judged(&policy, &facts(Some(Named::One(group_id(4)))))).len(), 1);
    // Only those that bear the name are in doubt.
    let several = judged(&policy, &facts(Some(Named::Several(vec![group_id(9), group_id(1)]))));
    assert_eq!(acting(&several), ["otherwise.membership"]);
    assert_snapshot!(told(&several), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Campaign unknown
      the account is a member of `Campaign`
      whether a scenario covers this membership could not be checked
      ambiguous: 2 groups are called `Campaign` (77aa0000-0000-4000-8000-000000000001, 77aa0000-0000-4000-8000-000000000009): write the id of the one that is meant (`guestlist resolve` lists them)
      plan: leave 1
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU
      the account is a member of `Finance EU`
      no scenario that admits the account covers this group (admitted by `agency-work`, `audit`)
      plan: leave 4
    ");
    let why = "429 from Graph".to_owned();
    for (named, lines) in [(Some(Named::Unread { why }), 2), (Some(Named::Nobody), 2), (None, 2)] {
        let verdict = judged(&policy, &facts(named));
        assert_eq!((verdict.findings.len(), acting(&verdict).len()), (lines, 0), "{}", told(&verdict));
        assert!(verdict.findings.iter().all(|finding| finding.unknown));
    }
    let nobody = judged(&policy, &facts(Some(Named::Nobody)));
    assert_snapshot!(told(&nobody), @"
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Campaign unknown
      the account is a member of `Campaign`
      whether a scenario covers this membership could not be checked
      unknown: no group is called `Campaign`: correct the name, and write the id beside it with `guestlist resolve --write`
      plan: leave 1
    otherwise.membership (medium, enforce) [leave-group, drop-ownership] in Finance EU unknown
      the account is a member of `Finance EU`
      whether a scenario covers this membership could not be checked
      unknown: no group is called `Campaign`: correct the name, and write the id beside it with `guestlist resolve --write`
      plan: leave 4
    ");
}

#[test]
fn scenarios_that_do_not_admit_the_guest_leave_nothing_in_doubt() {
    let policy = rules(&covering("").replace(&group_id(1).to_string(), "Campaign"));
    let facts = of("m@evil.example", &[group(4, "Finance EU")]);
    assert_eq!(acting(&judged(&policy, &facts)), ["otherwise.membership"]);
}

#[test]
fn only_those_kinds_are_judged_that_a_scenario_speaks_of() {
    let policy = rules(&covering(""));
    let known = Memberships::Known(vec![member(group(4, "Finance EU"))]);
    let synced = Facts { memberships: known.clone(), ..external_member("m@evil.example") };
    assert_eq!(judged(&policy, &synced).findings, []);
    assert!(
        !judged(&policy, &Facts { memberships: Memberships::Unread, ..synced.clone() }).wants_memberships
    );
    let both = covering("").replace("[tailspin] }", "[tailspin], kind: [guest, external-member] }");
    assert_eq!(acting(&judged(&rules(&both), &synced)), ["otherwise.membership"]);
}

#[test]
fn the_two_questions_are_asked_apart() {
    let both = covering("").replace("otherwise:", "otherwise:\n  guest: { then: [disable] }");
    let verdict = judged(&rules(&both), &of("m@evil.example", &[group(4, "Finance EU")]));
    assert_eq!(acting(&verdict), ["otherwise.guest", "otherwise.membership"]);
    let verdict = judged(&rules(&both), &of("a@fabrikam.com", &[group(4, "Finance EU")]));
    assert_eq!(acting(&verdict), ["otherwise.membership"]);
}
