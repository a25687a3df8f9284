//! What holds for every guest in every group, whoever made them up.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use guestlist_policy::{
    Facts, Group, Label, Membership, Memberships, Named, Policy, Relation, Standing, Verdict, judge,
};
use model::{Finding, GuestKind, Mode, ObjectId, Step};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::*;

const PROTECT: &str = "protect: { groups: [77aa0000-0000-4000-8000-000000000007, Board] }\n";

const GUARDRAILS: &str = "
guardrails:
  - id: finance
    if: { joins: { name: Finance * }, as: [member, owner] }
    then: [leave-group, drop-ownership]
  - id: confidential
    if: { joins: { any: [ { label: Confidential, team: false }, { groups: [Payroll, 77aa0000-0000-4000-8000-000000000003] } ] } }
    then: [disable, leave-group]
  - id: closed-owners
    if: { joins: { visibility: [private, hidden-membership], dynamic: false }, as: owner }
    then: [drop-ownership]
  - id: blocked-domain
    if: { domain: evil.example }
    then: [disable, leave-groups]
  - id: everywhere
    if: { kind: guest, joins: { any_group: true } }
    then: [notify]
";

const SCENARIOS: [&str; 2] = [
    "
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
    joins: { groups: [77aa0000-0000-4000-8000-000000000001, Campaign] }
",
    "
  - id: more-work
    admits: { partners: [fabrikam, evil] }
    joins: { groups: [77aa0000-0000-4000-8000-000000000002, Payroll] }
",
];

const REST: &str = "
partners:
  fabrikam: { domains: [fabrikam.com] }
  evil: { domains: [evil.example] }
otherwise:
  guest: { then: [disable] }
  membership: { then: [leave-group, drop-ownership] }
";

static ALL: LazyLock<Policy> = LazyLock::new(|| {
    rules(&format!("existing: {{ before: 2026-11-10 }}\n{PROTECT}{GUARDRAILS}{}{REST}", SCENARIOS.concat()))
});
static FEWER_SCENARIOS: LazyLock<Policy> =
    LazyLock::new(|| rules(&format!("{PROTECT}{GUARDRAILS}{}{REST}", SCENARIOS[0])));
static MORE_SCENARIOS: LazyLock<Policy> =
    LazyLock::new(|| rules(&format!("{PROTECT}{GUARDRAILS}{}{REST}", SCENARIOS.concat())));
static NO_SCENARIOS: LazyLock<Policy> = LazyLock::new(|| rules(&format!("{PROTECT}{GUARDRAILS}")));

fn flag() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![6 => Just(Some(false)), 2 => Just(Some(true)), 1 => Just(None)]
}

prop_compose! {
    fn any_group()(
        number in 1_u128..9,
        name in option::weighted(0.9, select(vec!["Finance EU", "FINANCE x", "HR", "Payroll", "Campaign", "Board", ""])),
        label in option::weighted(0.9, vec((select(vec!["1", "2"]), option::weighted(0.9, select(vec!["Confidential", "Public"]))), 0..2)),
        visibility in option::weighted(0.8, select(vec!["Private", "Public", "HiddenMembership", "new"])),
        (role_assignable, team, dynamic) in (prop_oneof![9 => Just(Some(false)), 1 => flag()], flag(), flag()),
        (on_premises_synced, mail_enabled, unified, management_restricted) in (flag(), flag(), flag(), flag()),
    ) -> Group {
        Group {
            name: name.map(str::to_owned),
            labels: label.map(|all| all.into_iter().map(|(id, name)| Label { id: id.to_owned(), name: name.map(str::to_owned) }).collect()),
            visibility: visibility.map(str::to_owned),
            role_assignable, team, dynamic, on_premises_synced, mail_enabled, unified, management_restricted,
            ..Group::unread(group_id(number))
        }
    }
}

fn membership() -> impl Strategy<Value = Membership> {
    (any_group(), select(vec![Relation::Member, Relation::Owner]), any::<bool>())
        .prop_map(|(group, relation, new)| Membership { group, relation, new })
}

fn named() -> impl Strategy<Value = Named> {
    prop_oneof![
        1 => Just(Named::Nobody),
        4 => (1_u128..9).prop_map(|number| Named::One(group_id(number))),
        1 => vec((1_u128..9).prop_map(group_id), 2..4).prop_map(Named::Several),
        1 => Just(Named::Unread { why: "429".to_owned() }),
    ]
}

prop_compose! {
    fn facts()(
        mail in select(vec!["a@fabrikam.com", "m@evil.example", "b@other.example", "", "a@b@c"]),
        kind in prop_oneof![4 => Just(GuestKind::Guest), 1 => select(GuestKind::ALL.to_vec())],
        memberships in prop_oneof![
            18 => vec(membership(), 0..7).prop_map(Memberships::Known),
            1 => Just(Memberships::Unread),
            1 => Just(Memberships::Unreadable { why: "403".to_owned() }),
        ],
        named_groups in btree_map(select(vec!["Board", "Payroll", "Campaign"]).prop_map(str::to_owned), named(), 0..4),
        settled in any::<bool>(),
        standing in prop_oneof![
            1 => Just(Standing::Unread),
            1 => Just(Standing::Unreadable { why: "403".to_owned() }),
            8 => vec((1_u128..9).prop_map(group_id), 0..2).prop_map(|groups| standing(&groups)),
        ],
        unread in prop::bool::weighted(0.1),
        created in option::of(select(vec!["2026-11-01T00:00:00Z", "2026-11-15T00:00:00Z"])),
    ) -> Facts {
        let base = match kind {
            GuestKind::Guest => guest(mail),
            GuestKind::ExternalMember => external_member(mail),
            GuestKind::LocalGuest => local_guest(mail),
        };
        let mut named_groups = named_groups;
        if settled {
            named_groups = [("Board", 7), ("Payroll", 3), ("Campaign", 1)]
                .map(|(name, number)| (name.to_owned(), Named::One(group_id(number)))).into_iter().collect();
        }
        Facts {
            user_type: base.user_type.filter(|_| !unread),
            memberships, named_groups, standing,
            created_at: created.map(at),
            ..base
        }
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Observe, Mode::Ask, Mode::Enforce])
}

fn all(verdict: &Verdict) -> impl Iterator<Item = &Finding> {
    verdict.findings.iter().chain(verdict.suspended.iter().map(|held| &held.finding))
}

fn known(facts: &Facts) -> &[Membership] {
    match &facts.memberships {
        Memberships::Known(memberships) => memberships,
        Memberships::Unread | Memberships::Unreadable { .. } => &[],
    }
}

/// What the steps take, of whom.
fn steps(verdict: &Verdict) -> BTreeSet<Step> {
    let acting = verdict.findings.iter().filter(|finding| finding.acts() || finding.asks());
    acting.flat_map(|finding| finding.plan.steps.iter().copied()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_plan_takes_only_from_the_guest_himself_and_only_what_he_holds_and_an_app_may_take(facts in facts(), ceiling in mode()) {
        let verdict = judge(&ALL, &facts, ceiling, now());
        for step in all(&verdict).flat_map(|finding| &finding.plan.steps) {
            prop_assert_eq!(step.user(), facts.id);
            prop_assert!(step.takes_away());
            let relation = match step {
                Step::Disable { .. } | Step::Delete { .. } => continue,
                Step::RemoveMember { .. } => Relation::Member,
                Step::RemoveOwner { .. } => Relation::Owner,
                Step::Enable { .. } | Step::Restore { .. } | Step::AddMember { .. } | Step::AddOwner { .. } => unreachable!(),
            };
            let held = known(&facts).iter().filter(|held| Some(held.group.id) == step.group() && held.relation == relation);
            prop_assert!(held.clone().count() > 0);
            prop_assert!(held.clone().all(|held| guestlist_policy::unwritable(&held.group, relation).is_none()));
        }
        for finding in all(&verdict) {
            prop_assert!(!finding.reasons.is_empty());
            let sorted = |step: &Step| match step { Step::Disable { .. } => 0, Step::RemoveMember { .. } => 1, _ => 2 };
            prop_assert!(finding.plan.steps.is_sorted_by_key(sorted));
            prop_assert_eq!(finding.plan.steps.iter().collect::<BTreeSet<_>>().len(), finding.plan.steps.len());
            prop_assert!(finding.mode <= ceiling);
        }
    }

    #[test]
    fn there_is_one_finding_for_each_rule_and_group(facts in facts()) {
        let verdict = judge(&ALL, &facts, Mode::Enforce, now());
        let keys: BTreeSet<_> = verdict.findings.iter().map(|finding| (&finding.rule, finding.object)).collect();
        prop_assert_eq!(keys.len(), verdict.findings.len());
    }

    #[test]
    fn the_order_of_memberships_decides_nothing(facts in facts(), seed in any::<u64>()) {
        let mut shuffled = facts.clone();
        if let Memberships::Known(memberships) = &mut shuffled.memberships {
            let length = memberships.len().max(1);
            memberships.rotate_left(usize::try_from(seed).unwrap() % length);
            if seed % 2 == 0 { memberships.reverse(); }
        }
        prop_assert_eq!(judge(&ALL, &facts, Mode::Enforce, now()), judge(&ALL, &shuffled, Mode::Enforce, now()));
    }

    #[test]
    fn what_a_guardrail_finds_does_not_depend_on_scenarios(facts in facts()) {
        let guardrails = |policy: &Policy| -> Vec<Finding> {
            let verdict = judge(policy, &facts, Mode::Enforce, now());
            verdict.findings.into_iter().filter(|finding| !finding.rule.as_str().starts_with("otherwise")).collect()
        };
        // A scenario's names are no part of what a guardrail asks.
        prop_assert_eq!(guardrails(&NO_SCENARIOS), guardrails(&MORE_SCENARIOS));
    }

    #[test]
    fn one_more_scenario_never_makes_anything_be_done(facts in facts()) {
        let fewer = judge(&FEWER_SCENARIOS, &facts, Mode::Enforce, now());
        let more = judge(&MORE_SCENARIOS, &facts, Mode::Enforce, now());
        prop_assert!(steps(&more).is_subset(&steps(&fewer)), "{}\n--\n{}", told(&fewer), told(&more));
        let keys = |verdict: &Verdict| verdict.findings.iter().map(|finding| (finding.rule.clone(), finding.object)).collect::<BTreeSet<_>>();
        prop_assert!(keys(&more).is_subset(&keys(&fewer)));
    }

    #[test]
    fn what_is_unknown_or_protected_is_never_acted_on(facts in facts(), which in 0..6) {
        let facts = match which {
            0 => Facts { user_type: None, ..facts },
            1 => Facts { standing: Standing::Unread, ..facts },
            2 => Facts { standing: standing(&[group_id(7)]), ..facts },
            3 => Facts { named_groups: facts.named_groups.into_iter().filter(|(name, _)| name != "Board").collect(), ..facts },
            4 => Facts { management_restricted: true, ..facts },
            _ => Facts { standing: standing(&[]), memberships: Memberships::Known(vec![member(group(7, "Board"))]), ..facts },
        };
        let verdict = judge(&ALL, &facts, Mode::Enforce, now());
        prop_assert_eq!(steps(&verdict), BTreeSet::new(), "{}", told(&verdict));
    }

    #[test]
    fn reading_more_of_a_group_never_turns_a_certain_answer(facts in facts(), which in 0_usize..7, property in 0..8) {
        // The same facts, with one property less of one group.
        let mut less = facts.clone();
        if let Memberships::Known(memberships) = &mut less.memberships {
            let ids: Vec<ObjectId> = memberships.iter().map(|membership| membership.group.id).collect();
            let Some(id) = ids.get(which).copied() else { return Ok(()); };
            for membership in memberships.iter_mut().filter(|membership| membership.group.id == id) {
                let group = &mut membership.group;
                match property {
                    0 => group.name = None,
                    1 => group.labels = None,
                    2 => group.team = None,
                    3 => group.dynamic = None,
                    // A group that is no Microsoft 365 group has none.
                    4 if group.unified == Some(false) => {}
                    4 => group.visibility = None,
                    5 => group.role_assignable = None,
                    6 => group.unified = None,
                    _ => group.labels = group.labels.take().map(|labels| labels.into_iter().map(|label| Label { name: None, ..label }).collect()),
                }
            }
        }
        let certain = |facts: &Facts| {
            let verdict = judge(&MORE_SCENARIOS, facts, Mode::Enforce, now());
            let all: BTreeSet<_> = all(&verdict).map(|finding| (finding.rule.clone(), finding.object)).collect();
            let yes: BTreeSet<_> = verdict.findings.iter().filter(|finding| !finding.unknown).map(|finding| (finding.rule.clone(), finding.object)).collect();
            (all, yes)
        };
        let ((all_more, yes_more), (all_less, yes_less)) = (certain(&facts), certain(&less));
        prop_assert!(yes_less.is_subset(&yes_more));
        // What is found with more is at least unknown with less.
        prop_assert!(all_more.is_subset(&all_less));
    }

    #[test]
    fn two_groups_that_look_the_same_to_the_policy_are_judged_the_same(one in any_group(), other in any_group()) {
        let other = Group { id: one.id, ..other };
        let policy = &*MORE_SCENARIOS;
        if policy.group_view(&one) == policy.group_view(&other) {
            prop_assert_eq!(policy.group_view(&one).to_string(), policy.group_view(&other).to_string());
            let findings = |group: &Group, relation| {
                let facts = joined(vec![Membership { group: group.clone(), relation, new: true }]);
                let verdict = judge(policy, &facts, Mode::Enforce, now());
                verdict.findings.into_iter().map(|finding| (finding.rule, finding.object, finding.unknown, finding.plan)).collect::<Vec<_>>()
            };
            for relation in [Relation::Member, Relation::Owner] {
                prop_assert_eq!(findings(&one, relation), findings(&other, relation));
            }
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long judging takes cannot be measured otherwise")]
fn a_guest_in_a_hundred_groups_and_twenty_guardrails_is_judged_quickly() {
    let rule = |n: u32| {
        format!(
            "  - id: r{n}\n    if: {{ joins: {{ any: [ {{ name: 'Closed {n} *' }}, {{ label: Secret {n} }} ] }} }}\n    then: [leave-group]\n"
        )
    };
    let policy = rules(&format!("guardrails:\n{}", (0..20).map(rule).collect::<String>()));
    let facts =
        joined((1..=100).map(|number| member(group(number, &format!("Project {number} of many")))).collect());
    let began = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(judged(&policy, &facts).findings, []);
    }
    let each = began.elapsed() / 100;
    // Generous: this runs without optimisation, beside others.
    assert!(each.as_millis() < 100, "{each:?}");
}
