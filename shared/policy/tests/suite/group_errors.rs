//! Every mistake that the author of a policy can make about groups, and what he reads about it.

use insta::assert_snapshot;

use crate::mistakes::wrong;
use crate::world::rules;

/// A guardrail with this below `if`, and with these actions.
fn rule(conditions: &str, then: &str) -> String {
    format!("guardrails:\n  - id: x\n    if: {{ {conditions} }}\n    then: [{then}]\n")
}

#[track_caller]
fn joins(joins: &str) -> String {
    wrong(&rule(&format!("joins: {joins}"), "leave-group"))
}

#[test]
fn a_condition_that_would_match_every_group_is_refused() {
    assert_snapshot!(joins("{}"), @"policy.yaml:5:18: `joins` is empty and would match every group: write a condition, or `any_group: true` if every group is meant");
    assert_snapshot!(joins("{ name: '*' }"), @"policy.yaml:5:26: pattern `*` would match every group: write `any_group: true` if every group is meant");
    assert_snapshot!(joins("{ name: ['**', '* *', 'Finance *'] }"), @"
    policy.yaml:5:27: pattern `**` would match every group: write `any_group: true` if every group is meant
    policy.yaml:5:33: pattern `* *` would match every group: write `any_group: true` if every group is meant
    ");
    assert_snapshot!(joins("{ name: '' }"), @"policy.yaml:5:26: the pattern is empty: write it as in `Finance *`");
    assert_snapshot!(joins("{ name: [] }"), @"policy.yaml:5:26: `name` is empty: write patterns, or remove the key");
    assert_snapshot!(joins("{ label: '' }"), @"policy.yaml:5:27: the label is empty: write the label's name or id");
    assert_snapshot!(joins("{ label: [] }"), @"policy.yaml:5:27: `label` is empty: name labels, or remove the key");
    assert_snapshot!(joins("{ visibility: [] }"), @"policy.yaml:5:32: `visibility` is empty: write one of the words, or remove the key");
    assert_snapshot!(joins("{ groups: [] }"), @"policy.yaml:5:28: `groups` is empty: name groups, or remove the key");
    assert_snapshot!(joins("{ any: [] }"), @"policy.yaml:5:25: `any` is empty: write alternatives, or remove the key");
    assert_snapshot!(joins("{ any: [{}, { name: a }] }"), @"policy.yaml:5:26: the alternative is empty and would match every group: write a condition, or remove it");
    assert_snapshot!(joins("{ any_group: false }"), @"policy.yaml:5:31: `any_group: false` says nothing: write `any_group: true`, or remove it");
    assert_snapshot!(joins("{ any_group: true, team: true }"), @"policy.yaml:5:31: `any_group` says nothing beside other conditions: remove `any_group`, or the other conditions");
    assert_snapshot!(joins("{ any: [{ any_group: true }, { name: a }] }"), @"policy.yaml:5:28: `any_group` inside `any` leaves the other alternatives nothing to say: write `any_group: true` directly under `joins`, and nothing else");
    assert_snapshot!(joins("{ any: [{ any: [{ name: a }] }] }"), @"policy.yaml:5:28: `any` does not stand inside `any`: write the alternatives side by side");
}

#[test]
fn a_key_or_a_word_that_does_not_exist_is_named_with_the_nearest() {
    assert_snapshot!(joins("{ nam: a }"), @"policy.yaml:5:20: unknown key `nam`: did you mean `name`?");
    assert_snapshot!(joins("{ any: [{ labels: a }] }"), @"policy.yaml:5:28: unknown key `labels`: did you mean `label`?");
    assert_snapshot!(joins("{ visibility: privat }"), @"policy.yaml:5:32: unknown visibility `privat`: did you mean `private`?");
    assert_snapshot!(joins("{ groups: [{ id: 77aa0000-0000-4000-8000-000000000001, nme: a }] }"), @"policy.yaml:5:73: unknown key `nme`: did you mean `name`?");
    assert_snapshot!(joins("{ groups: [{ name: Finance EU }] }"), @"policy.yaml:5:31: key `id` is missing: add `id:`");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: onwer", "notify")), @"policy.yaml:5:35: unknown relation `onwer`: did you mean `owner`?");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: [member, member]", "notify")), @"policy.yaml:5:44: relation `member` is repeated: remove one of them");
    assert_snapshot!(wrong(&rule("join: { name: a }", "notify")), @"policy.yaml:5:11: unknown key `join`: did you mean `joins`?");
    assert_snapshot!(wrong("protect: { group: Board }\n"), @"policy.yaml:3:12: unknown key `group`: did you mean `groups`?");
    assert_snapshot!(wrong("scenarios:\n  - id: x\n    admits: { kind: guest }\n    joins: { group: Agency }\n"), @"policy.yaml:6:14: unknown key `group`: did you mean `groups`?");
    assert_snapshot!(wrong("otherwise: { memberships: { then: [notify] } }\n"), @"policy.yaml:3:14: unknown key `memberships`: did you mean `membership`?");
}

#[test]
fn a_value_of_the_wrong_form_is_named() {
    assert_snapshot!(joins("Finance"), @r#"policy.yaml:5:18: expected keys with their values: write it as in `joins: { name: "Finance *" }`"#);
    assert_snapshot!(joins("{ groups: 5 }"), @"policy.yaml:5:20: expected a group (its id, its name, or `{ id: …, name: … }`), or a list of these, found integer `5`");
    assert_snapshot!(joins("{ groups: [[a]] }"), @"policy.yaml:5:29: expected a group (its id, its name, or `{ id: …, name: … }`), found sequence");
    assert_snapshot!(joins("{ groups: [~] }"), @"policy.yaml:5:29: expected a group (its id, its name, or `{ id: …, name: … }`), found nothing");
    assert_snapshot!(joins("{ team: maybe }"), @"policy.yaml:5:26: expected `true` or `false`");
    assert_snapshot!(joins("{ any: { name: a } }"), @"policy.yaml:5:25: expected a list");
    assert_snapshot!(joins("{ any_group: 1 }"), @"policy.yaml:5:31: expected `true` or `false`");
}

#[test]
fn a_group_that_cannot_be_meant_is_refused() {
    assert_snapshot!(joins("{ groups: ['', 77aa0000-0000-4000-8000-00000000001, 'Finance *', \"a\\nb\"] }"), @r"
    policy.yaml:5:29: `` is no group's name: write the group's id, or its name
    policy.yaml:5:33: `77aa0000-0000-4000-8000-00000000001` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center
    policy.yaml:5:70: `Finance *` is a pattern, and groups are named one by one here: write the group's id; a pattern stands under `joins: { name: … }` of a guardrail
    policy.yaml:5:83: `a\nb` cannot be the name of a group: write the group's id
    ");
    assert_snapshot!(joins("{ groups: [{ id: Finance EU }] }"), @"policy.yaml:5:35: `Finance EU` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center");
    assert_snapshot!(wrong("protect: { groups: ['Board *'] }\n"), @"policy.yaml:3:21: `Board *` is a pattern, and groups are named one by one here: write the group's id; a pattern stands under `joins: { name: … }` of a guardrail");
    assert_snapshot!(wrong("protect: { groups: [] }\n"), @"policy.yaml:3:20: `groups` is empty: name groups, or remove the key");
}

#[test]
fn an_id_that_was_copied_badly_is_no_name() {
    for text in [
        "7fead936-3b0c-4a51-8f0e-0710da401fcZ",
        "7fead936-3b0c-4a51-8f0e-0710da401fc",
        "7fead936-3b0c-4a51-8f0e-0710da401fc77",
        "7fead9363b0c-4a51-8f0e-0710da401fc7",
        "7fead936–3b0c–4a51–8f0e–0710da401fc7",
        "7fead936-3b0c-4a51-8f0e-0710da4O1fc7",
        "7fead936-3b0c-4a51-8f0e-0710da401fc7 ",
        "{7fead936-3b0c-4a51-8f0e-0710da401fcZ}",
    ] {
        for policy in [
            rule(&format!("joins: {{ groups: '{text}' }}"), "notify"),
            format!("protect: {{ groups: '{text}' }}\n"),
        ] {
            let told = wrong(&policy);
            assert!(told.contains(&format!("`{text}` is not an object id")), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
    // Names with hyphens stay names.
    for name in ["Finance-Department-Europe-Controlling", "a-b", "Deal-2026-11-20-Adele-Cafe-Facade-EU"] {
        rules(&rule(&format!("joins: {{ groups: '{name}' }}"), "notify"));
    }
}

#[test]
fn only_named_groups_admit() {
    let scenario = |joins: &str| {
        wrong(&format!("scenarios:\n  - id: x\n    admits: {{ kind: guest }}\n    joins: {joins}\n"))
    };
    assert_snapshot!(scenario("{}"), @"policy.yaml:6:12: `joins` is empty and would cover no group: name groups under `groups`, or remove `joins` to cover every group");
    assert_snapshot!(scenario("{ groups: [] }"), @"policy.yaml:6:22: `groups` is empty: name groups, or remove the key");
    assert_snapshot!(scenario("{ groups: ['Agency *'] }"), @"policy.yaml:6:23: `Agency *` is a pattern, and groups are named one by one here: write the group's id; a pattern stands under `joins: { name: … }` of a guardrail");
    assert_snapshot!(scenario("{ name: Agency * }"), @"policy.yaml:6:14: `name` does not admit to groups: it is for guardrails: name the groups by id, under `groups`");
    assert_snapshot!(
        scenario("{ groups: a, label: b, role_assignable: true, team: true, visibility: public, dynamic: true, any: [], any_group: true }"),
        @"
    policy.yaml:6:25: `label` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:35: `role_assignable` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:58: `team` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:70: `visibility` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:90: `dynamic` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:105: `any` does not admit to groups: it is for guardrails: name the groups by id, under `groups`
    policy.yaml:6:110: `any` is empty: write what belongs there, or remove the key
    policy.yaml:6:114: `any_group` does not admit to groups: it is for guardrails: remove `joins`: a scenario without it covers every group
    "
    );
}

#[test]
fn as_belongs_to_joins() {
    assert_snapshot!(joins("{ name: Finance *, as: owner }"), @"policy.yaml:5:37: key `as` does not belong here: `as` stands beside `joins` under `if`");
    assert_snapshot!(wrong(&rule("domain: evil.example, as: owner", "notify")), @"policy.yaml:5:37: `as` says nothing without `joins`: write `joins` beside it, or remove it");
    assert_snapshot!(wrong(&rule("as: owner", "notify")), @"policy.yaml:5:15: `as` says nothing without `joins`: write `joins` beside it, or remove it");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: []", "notify")), @"policy.yaml:5:35: `as` is empty: write `member`, `owner` or both, or remove the key");
}

#[test]
fn an_action_needs_something_to_act_on() {
    assert_snapshot!(wrong(&rule("domain: evil.example", "leave-group, drop-ownership, leave-groups")), @"
    policy.yaml:6:12: action `leave-group` needs to know which group: write `leave-groups` for all his groups, or `joins` under the rule's `if`
    policy.yaml:6:25: action `drop-ownership` needs to know which group: write `joins: { any_group: true }, as: owner` under the `if` of a guardrail
    ");
    assert_snapshot!(wrong(&rule("joins: { name: a }", "drop-ownership")), @"policy.yaml:6:12: action `drop-ownership` is for owners, and the rule is about members alone: write `as: owner` beside `joins`, or `leave-group`");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: owner", "leave-group")), @"policy.yaml:6:12: action `leave-group` takes out members, and the rule is about owners alone: write `as: [member, owner]` beside `joins`, or `drop-ownership`");
    assert_snapshot!(wrong("scenarios:\n  - id: x\n    admits: { kind: guest }\notherwise:\n  guest: { then: [leave-group] }\n"), @"policy.yaml:7:19: action `leave-group` needs to know which group: write `leave-groups` for all his groups, or `joins` under the rule's `if`");
}

#[test]
fn a_mistake_under_as_is_not_told_again_under_then() {
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: owners", "drop-ownership")), @"policy.yaml:5:35: unknown relation `owners`: did you mean `owner`?");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: [owner, membre]", "leave-group, drop-ownership")), @"policy.yaml:5:43: unknown relation `membre`: did you mean `member`?");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: []", "leave-group")), @"policy.yaml:5:35: `as` is empty: write `member`, `owner` or both, or remove the key");
}

#[test]
fn who_leaves_all_his_groups_needs_no_second_action_for_one() {
    assert_snapshot!(wrong(&rule("joins: { name: a }", "leave-group, leave-groups")), @"policy.yaml:6:12: `leave-groups` takes him out of that group, too: remove `leave-group`");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: owner", "leave-groups, leave-group")), @"policy.yaml:6:26: action `leave-group` takes out members, and the rule is about owners alone: write `as: [member, owner]` beside `joins`, or `drop-ownership`");
    assert_snapshot!(wrong("scenarios:\n  - id: x\n    admits: { kind: guest }\notherwise:\n  membership: { then: [leave-groups, disable, leave-group] }\n"), @"policy.yaml:7:47: `leave-groups` takes him out of that group, too: remove `leave-group`");
}

#[test]
fn otherwise_needs_scenarios_whatever_it_asks() {
    assert_snapshot!(wrong("otherwise:\n  membership: { then: [leave-group] }\n"), @"policy.yaml:3:1: `otherwise` without scenarios would find every guest: write under `scenarios` who is admitted, or remove `otherwise`");
    assert_snapshot!(wrong("otherwise:\n  membership: {}\n"), @"policy.yaml:4:15: key `then` is missing: add `then:`");
}

#[test]
fn an_exception_for_a_group_is_from_rules_about_groups() {
    let exception = |group: &str, from: &str| {
        wrong(&format!(
            "{}  - id: y\n    if: {{ domain: evil.example }}\n    then: [notify]\nexceptions:\n  - guest: \
             5c1e0000-0000-4000-8000-000000000001\n    group: {group}\n    from: [{from}]\n    until: 2027-03-31\n",
            rule("joins: { name: a }", "notify")
        ))
    };
    assert_snapshot!(exception("77aa0000-0000-4000-8000-000000000001", "x, y"), @"policy.yaml:13:15: rule `y` is not about groups, and `group` is written here: remove `group`, or give this rule an exception of its own");
    assert_snapshot!(exception("Finance EU", "x"), @"policy.yaml:12:12: `Finance EU` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center");
    assert_snapshot!(exception("77aa0000-0000-4000-8000-000000000001", "otherwise.membership"), @"policy.yaml:13:12: rule `otherwise.membership` does not exist: write one of `x`, `y`");
}

#[test]
fn a_group_of_a_test_is_an_id_or_described() {
    let test = |group: &str| {
        wrong(&format!("tests:\n  - name: a\n    guest: {{ member_of: {group} }}\n    expect: {{}}\n"))
    };
    assert_snapshot!(test("[Finance EU]"), @"policy.yaml:5:26: `Finance EU` is not an object id (a GUID of 36 characters): write `{ name: … }` for a group that only has a name");
    assert_snapshot!(test("[{ visibility: secret }]"), @"policy.yaml:5:40: unknown visibility `secret`: write one of `private`, `public`, `hidden-membership`");
    assert_snapshot!(test("[{ id: 1 }]"), @"policy.yaml:5:32: `1` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center");
    assert_snapshot!(test("[{ id: a }]"), @"policy.yaml:5:32: `a` is not an object id (a GUID of 36 characters): copy it from the group's page in the Entra admin center");
    assert_snapshot!(test("[{ labels: a }]"), @"policy.yaml:5:28: unknown key `labels`: did you mean `label`?");
    assert_snapshot!(test("7"), @"policy.yaml:5:14: expected a group (its id, or `{ name: … }` and its like), or a list of these, found integer `7`");
}
