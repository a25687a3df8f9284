//! What would be written, what is left to people, and what holds findings about groups back.

use std::collections::BTreeMap;

use guestlist_policy::{Facts, Group, Membership, Memberships, Named, Policy, Standing, judge, protection};
use insta::assert_snapshot;
use model::{Mode, Step, Suspension};

use crate::world::*;

fn rule(id: &str, conditions: &str, then: &str) -> String {
    format!("  - id: {id}\n    if: {{ {conditions} }}\n    then: [{then}]\n")
}

fn guardrails(all: &[String]) -> Policy {
    rules(&format!("guardrails:\n{}", all.concat()))
}

#[test]
fn a_plan_contains_first_then_leaves_then_drops_and_names_only_the_guest_himself() {
    let policy = guardrails(&[rule(
        "x",
        "joins: { name: Finance * }, as: [member, owner]",
        "drop-ownership, leave-group, disable",
    )]);
    let facts =
        joined(vec![owner(group(1, "Finance EU")), member(group(1, "Finance EU")), member(group(2, "HR"))]);
    let verdict = judged(&policy, &facts);
    let finding = &verdict.findings[0];
    assert_eq!(
        finding.plan.steps,
        [
            Step::Disable { user: ALICE },
            Step::RemoveMember { user: ALICE, group: group_id(1) },
            Step::RemoveOwner { user: ALICE, group: group_id(1) },
        ]
    );
    assert_eq!(finding.names, BTreeMap::from([(group_id(1), "Finance EU".to_owned())]));
    assert!(finding.acts());
}

#[test]
fn leaving_all_groups_is_a_step_for_each_that_he_is_a_direct_member_of() {
    let policy = guardrails(&[rule("x", "domain: fabrikam.com", "leave-groups, disable, notify")]);
    let facts = joined(vec![member(group(3, "C")), owner(group(2, "B")), member(group(1, "A"))]);
    assert_snapshot!(told(&judged(&policy, &facts)), @"
    x (medium, enforce) [leave-groups, disable, notify]
      mail `alice@fabrikam.com` matches `fabrikam.com`
      plan: disable
      plan: leave 1
      plan: leave 3
    ");
    let names: Vec<String> = judged(&policy, &facts).findings[0].names.values().cloned().collect();
    assert_eq!(names, ["A", "C"]);
    // The same from a rule that is about one of them.
    let joins = guardrails(&[rule("x", "joins: { name: C }", "leave-groups")]);
    let plan = judged(&joins, &facts).findings[0].plan.to_string();
    assert_eq!(
        plan,
        format!(
            "take {ALICE} out of the group {}, then take {ALICE} out of the group {}",
            group_id(1),
            group_id(3)
        )
    );
}

#[test]
fn a_group_that_graph_will_not_change_is_left_to_a_person() {
    let yes = Some(true);
    let policy = guardrails(&[rule(
        "x",
        "joins: { any_group: true }, as: [member, owner]",
        "leave-group, drop-ownership",
    )]);
    let memberships = vec![
        member(Group { dynamic: yes, ..group(1, "Dynamic") }),
        owner(Group { dynamic: yes, ..group(1, "Dynamic") }),
        member(Group { on_premises_synced: yes, ..group(2, "Synced") }),
        member(Group { mail_enabled: yes, unified: Some(false), ..group(3, "List") }),
        owner(Group { management_restricted: yes, ..group(4, "Restricted") }),
    ];
    assert_snapshot!(told(&judged(&policy, &joined(memberships.clone()))), @"
    x (medium, enforce) [leave-group, drop-ownership] in Dynamic
      the account is a member of `Dynamic`
      the account owns `Dynamic`
      plan: drop 1
      by hand: `Dynamic` (77aa0000-0000-4000-8000-000000000001): its members are computed by a rule; somebody must change the rule, or the property of the account that the rule asks for
    x (medium, enforce) [leave-group, drop-ownership] in Synced
      the account is a member of `Synced`
      by hand: `Synced` (77aa0000-0000-4000-8000-000000000002): it is synchronised from an on-premises directory; somebody must take the account out of it there
      refused: `Synced` (77aa0000-0000-4000-8000-000000000002): it is synchronised from an on-premises directory; somebody must take the account out of it there
    x (medium, enforce) [leave-group, drop-ownership] in List
      the account is a member of `List`
      by hand: `List` (77aa0000-0000-4000-8000-000000000003): it is a distribution list or a mail-enabled security group, which Graph cannot change; an Exchange administrator must take the account out of it
      refused: `List` (77aa0000-0000-4000-8000-000000000003): it is a distribution list or a mail-enabled security group, which Graph cannot change; an Exchange administrator must take the account out of it
    x (medium, enforce) [leave-group, drop-ownership] in Restricted
      the account owns `Restricted`
      by hand: `Restricted` (77aa0000-0000-4000-8000-000000000004): it is in a restricted management administrative unit; somebody with a role in that unit must take the ownership from the account
      refused: `Restricted` (77aa0000-0000-4000-8000-000000000004): it is in a restricted management administrative unit; somebody with a role in that unit must take the ownership from the account
    ");
    // One action that can be done is done, and the rest is told.
    let policy = guardrails(&[rule("x", "joins: { name: Dynamic }", "disable, leave-group")]);
    let verdict = judged(&policy, &joined(memberships));
    assert_eq!(acting(&verdict), ["x"]);
    assert_snapshot!(told(&verdict), @"
    x (medium, enforce) [disable, leave-group] in Dynamic
      the account is a member of `Dynamic`, whose name matches `Dynamic`
      by hand: `Dynamic` (77aa0000-0000-4000-8000-000000000001): its members are computed by a rule; somebody must change the rule, or the property of the account that the rule asks for
    ");
}

#[test]
fn an_action_that_fits_nothing_that_he_holds_says_so() {
    let policy = guardrails(&[rule("x", "joins: { name: A }, as: [member, owner]", "leave-group")]);
    let verdict = judged(&policy, &joined(vec![owner(group(1, "A"))]));
    assert_eq!(acting(&verdict), [""; 0]);
    assert_snapshot!(told(&verdict), @"
    x (medium, enforce) [leave-group] in A
      the account owns `A`, whose name matches `A`
      held back: the account is only an owner of the group, for which `leave-group` does nothing
    ");
    let policy =
        guardrails(&[rule("x", "joins: { name: A }, as: [member, owner]", "drop-ownership, notify")]);
    assert_snapshot!(told(&judged(&policy, &joined(vec![member(group(1, "A"))]))), @"
    x (medium, enforce) [drop-ownership, notify] in A
      the account is a member of `A`, whose name matches `A`
      held back: the account is only a member of the group, for which `drop-ownership` does nothing
    ");
    // Where another action fits, nothing is amiss.
    let policy =
        guardrails(&[rule("x", "joins: { name: A }, as: [member, owner]", "leave-group, drop-ownership")]);
    let verdict = judged(&policy, &joined(vec![member(group(1, "A"))]));
    assert_eq!((acting(&verdict), verdict.findings[0].held_back.len()), (vec!["x"], 0));
}

const FINANCE: &str = "guardrails:
  - id: closed
    if: { joins: { name: Finance * } }
    then: [leave-group]
  - id: blocked-domain
    if: { domain: evil.example }
    then: [disable]
";

fn of(mail: &str, memberships: Vec<Membership>) -> Facts {
    Facts { memberships: Memberships::Known(memberships), ..guest(mail) }
}

#[test]
fn a_new_membership_of_a_guest_who_was_there_before_is_acted_on() {
    let policy = rules(&format!("existing: {{ before: 2026-12-01 }}\n{FINANCE}"));
    let old = Membership { new: false, ..member(group(1, "Finance EU")) };
    let new = member(group(2, "Finance US"));
    let verdict = judged(&policy, &of("m@evil.example", vec![old, new]));
    assert_snapshot!(told(&verdict), @"
    closed (medium, observe) [leave-group] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      plan: leave 1
      held back: the account was created before 2026-12-01: `existing` allows at most `observe`
    closed (medium, enforce) [leave-group] in Finance US
      the account is a member of `Finance US`, whose name matches `Finance *`
      plan: leave 2
    blocked-domain (medium, observe) [disable]
      mail `m@evil.example` matches `evil.example`
      held back: the account was created before 2026-12-01: `existing` allows at most `observe`
    ");
    // Somebody who was not there before has no old memberships.
    let newcomer = Facts {
        created_at: Some(at("2026-12-02T00:00:00Z")),
        ..of("a@fabrikam.com", vec![Membership { new: false, ..member(group(1, "Finance EU")) }])
    };
    assert_eq!(acting(&judged(&policy, &newcomer)), ["closed"]);
}

#[test]
fn only_what_is_new_is_taken_where_the_rest_was_there_before() {
    let text = FINANCE.replace("Finance * } }", "Finance * }, as: [member, owner] }");
    let text = text.replace("leave-group]", "leave-group, drop-ownership]");
    let existing = |mode: &str| rules(&format!("existing: {{ before: 2026-12-01, mode: {mode} }}\n{text}"));
    let facts = of(
        "a@fabrikam.com",
        vec![Membership { new: false, ..member(group(1, "Finance EU")) }, owner(group(1, "Finance EU"))],
    );
    assert_snapshot!(told(&judged(&existing("observe"), &facts)), @"
    closed (medium, enforce) [leave-group, drop-ownership] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      the account owns `Finance EU`, whose name matches `Finance *`
      plan: drop 1
      held back: the membership was there before and is left alone: `existing` allows at most `observe` for it
    ");
    let all = judged(&existing("enforce"), &facts);
    assert_eq!(all.findings[0].plan.steps.len(), 2);
    let neither = judge(&existing("observe"), &facts, Mode::Observe, now());
    assert_eq!(neither.findings[0].plan.steps.len(), 2);
}

#[test]
fn asking_is_a_mode_of_its_own() {
    let policy = rules(&FINANCE.replace("then: [leave-group]", "then: [leave-group]\n    mode: ask"));
    let verdict = judged(&policy, &of("a@fabrikam.com", vec![member(group(1, "Finance EU"))]));
    assert!(verdict.findings[0].asks() && !verdict.findings[0].acts());
    assert_snapshot!(told(&verdict), @"
    closed (medium, ask) [leave-group] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      plan: leave 1
      held back: the rule's own mode is `ask`
    ");
    let unread =
        Facts { standing: Standing::Unread, ..of("a@fabrikam.com", vec![member(group(1, "Finance EU"))]) };
    let verdict = judged(&policy, &unread);
    assert!(verdict.wants_standing && !verdict.findings[0].asks());
}

#[test]
fn members_of_a_protected_group_are_never_acted_on_however_deep_they_are() {
    let protects = |groups: &str| rules(&format!("protect: {{ groups: {groups} }}\n{FINANCE}"));
    let by_id = protects(&format!("[{{ id: {}, name: Board }}]", group_id(9)));
    let mallory = || of("m@evil.example", vec![member(group(1, "Finance EU"))]);
    let deep = Facts { standing: standing(&[group_id(1), group_id(9)]), ..mallory() };
    let verdict = judged(&by_id, &deep);
    assert_eq!(acting(&verdict), [""; 0]);
    assert_eq!(protection(&by_id, &deep), verdict.findings[0].refused);
    assert_snapshot!(told(&verdict), @"
    closed (medium, enforce) [leave-group] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      plan: leave 1
      refused: the account is a member of the group `Board` (77aa0000-0000-4000-8000-000000000009), which the policy protects (`protect.groups`): a person must decide, and do it by hand
    blocked-domain (medium, enforce) [disable]
      mail `m@evil.example` matches `evil.example`
      refused: the account is a member of the group `Board` (77aa0000-0000-4000-8000-000000000009), which the policy protects (`protect.groups`): a person must decide, and do it by hand
    ");
    assert_eq!(acting(&judged(&by_id, &mallory())).len(), 2);
    // Nothing has to be read where a direct membership says it already.
    let direct =
        Facts { standing: Standing::Unread, ..of("m@evil.example", vec![member(group(9, "Board"))]) };
    let verdict = judged(&by_id, &direct);
    assert_eq!((acting(&verdict).len(), verdict.wants_standing), (0, false));
    // Owners are not members.
    let owns = of("m@evil.example", vec![owner(group(9, "Board"))]);
    assert_eq!(acting(&judged(&by_id, &owns)), ["blocked-domain"]);
    let unread = Facts { standing: Standing::Unread, ..mallory() };
    assert!(judged(&by_id, &unread).wants_standing);
}

#[test]
fn a_name_that_protects_means_all_that_bear_it_and_one_that_is_unknown_stops_everything() {
    let policy = rules(&format!("protect: {{ groups: Board }}\n{FINANCE}"));
    let facts = |named: Option<Named>, groups: &[u128]| Facts {
        standing: standing(&groups.iter().copied().map(group_id).collect::<Vec<_>>()),
        named_groups: named.into_iter().map(|named| ("Board".to_owned(), named)).collect(),
        ..of("m@evil.example", Vec::new())
    };
    let acts = |named: Option<Named>, groups: &[u128]| acting(&judged(&policy, &facts(named, groups))).len();
    assert_eq!(acts(Some(Named::One(group_id(9))), &[9]), 0);
    assert_eq!(acts(Some(Named::One(group_id(9))), &[8]), 1);
    let several = || Some(Named::Several(vec![group_id(8), group_id(9)]));
    assert_eq!((acts(several(), &[8]), acts(several(), &[9]), acts(several(), &[7])), (0, 0, 1));
    let why = "429 from Graph".to_owned();
    let mut lines = Vec::new();
    for named in [Some(Named::Unread { why }), Some(Named::Nobody), None] {
        let facts = facts(named, &[7]);
        let verdict = judged(&policy, &facts);
        assert_eq!((acting(&verdict).len(), verdict.wants_standing), (0, false));
        assert_eq!(protection(&policy, &facts), None);
        lines.extend(verdict.findings[0].refused.clone());
        // What is only observed is not refused for it.
        assert_eq!(judge(&policy, &facts, Mode::Observe, now()).findings[0].refused, None);
    }
    assert_snapshot!(lines.join("\n"), @"
    `protect.groups`: unknown: which group is called `Board` could not be read (429 from Graph): write the id beside it with `guestlist resolve --write`
    `protect.groups`: unknown: no group is called `Board`: correct the name, and write the id beside it with `guestlist resolve --write`
    `protect.groups`: unknown: which group is called `Board` has not been read: write the id beside it with `guestlist resolve --write`
    ");
}

#[test]
fn an_exception_may_be_for_one_group() {
    let exception = |group: &str, rule: &str| {
        rules(&format!(
            "{FINANCE}exceptions:\n  - guest: {ALICE}\n{group}    from: [{rule}]\n    until: 2026-12-31\n"
        ))
    };
    let facts = of("m@evil.example", vec![member(group(1, "Finance EU")), member(group(2, "Finance US"))]);
    let one = exception(&format!("    group: {}\n", group_id(1)), "closed");
    let verdict = judged(&one, &facts);
    assert_eq!(acting(&verdict), ["closed", "blocked-domain"]);
    assert_eq!(verdict.findings[0].object, Some(group_id(2)));
    assert_eq!((verdict.suspended.len(), verdict.suspended[0].finding.object), (1, Some(group_id(1))));
    assert_eq!(verdict.changes_at, Some(at("2027-01-01T00:00:00Z")));
    let all = judged(&exception("", "closed"), &facts);
    assert_eq!((acting(&all), all.suspended.len()), (vec!["blocked-domain"], 2));
}

#[test]
fn a_suspension_may_be_for_one_group() {
    let suspension = |object| Suspension {
        guest: ALICE,
        rule: "closed".parse().unwrap(),
        object,
        identity: None,
        until: at("2026-12-31T00:00:00Z"),
        by: "bob@contoso.com".to_owned(),
        reason: "a mistake".to_owned(),
        written_at: now(),
        looked_at: None,
    };
    let held = |object| {
        let memberships = vec![member(group(1, "Finance EU")), member(group(2, "Finance US"))];
        let facts = Facts { suspensions: vec![suspension(object)], ..of("a@fabrikam.com", memberships) };
        let verdict = judged(&rules(FINANCE), &facts);
        (verdict.findings.len(), verdict.suspended.len())
    };
    assert_eq!(held(Some(group_id(1))), (1, 1));
    assert_eq!(held(Some(group_id(3))), (2, 0));
    assert_eq!(held(None), (0, 2));
}

#[test]
fn every_rule_can_be_looked_at_as_if_it_were_enforced() {
    let text = format!(
        "version: 1\nmode: observe\nexisting: {{ before: 2026-12-01 }}\n{}",
        FINANCE.replace("then: [disable]", "then: [disable]\n    mode: ask")
    );
    let policy = policy(&text);
    let facts = of("m@evil.example", vec![Membership { new: false, ..member(group(1, "Finance EU")) }]);
    assert_eq!(acting(&judged(&policy, &facts)), [""; 0]);
    let enforced = policy.with_every_rule_enforced().without_existing();
    assert_eq!(acting(&judged(&enforced, &facts)), ["closed", "blocked-domain"]);
    assert!(enforced.rules().iter().all(|rule| rule.mode == Mode::Enforce));
    let capped = judge(&enforced, &facts, Mode::Ask, now());
    assert!(capped.findings.iter().all(|finding| finding.mode == Mode::Ask));
}

#[test]
fn leave_groups_because_of_a_new_membership_leaves_those_of_before_alone() {
    let policy = policy(
        "version: 1\nmode: enforce\nexisting: { before: 2026-11-10, mode: observe }\nguardrails:\n  - id: x\n    if: { joins: { name: C } }\n    then: [leave-groups]\n",
    );
    let new = Membership { new: true, ..member(group(3, "C")) };
    let old = Membership { new: false, ..member(group(1, "A")) };
    let facts = joined(vec![new, old]);
    assert_eq!(
        judged(&policy, &facts).findings[0].plan.steps,
        [Step::RemoveMember { user: ALICE, group: group_id(3) }]
    );
}
