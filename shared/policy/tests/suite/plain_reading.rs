//! The policy read by hand: one fixed policy written down a second time, in the plainest way, for guests of whom
//! everything is known. Whatever `judge` says has to be what this says.

use std::collections::BTreeSet;

use guestlist_policy::{Facts, Group, Label, Membership, Memberships, Named, Relation};
use model::{ObjectId, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::*;

const POLICY: &str = "
existing: { before: 2026-11-10 }
partners:
  fabrikam: { domains: [fabrikam.com] }
  northwind: { domains: [northwind.example] }
guardrails:
  - id: finance
    if: { joins: { any: [ { name: [Finance *, '*Payroll'] }, { label: Confidential, visibility: private } ] }, as: [member, owner] }
    then: [leave-group, drop-ownership]
  - id: partners-own-nothing
    if: { domain: [fabrikam.com, northwind.example], joins: { any_group: true }, as: owner }
    then: [drop-ownership]
  - id: second
    if: { joins: { groups: [77aa0000-0000-4000-8000-000000000002, Third], team: true } }
    then: [disable]
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
    joins: { groups: [77aa0000-0000-4000-8000-000000000001, Fourth] }
  - id: everything
    admits: { partners: [northwind] }
otherwise:
  guest: { then: [disable] }
  membership: { then: [leave-group, drop-ownership] }
";

/// One thing that is to be found: by which rule, about which group, with which steps, and whether they are taken.
type Line = (&'static str, Option<ObjectId>, BTreeSet<Step>, bool);

struct Reading<'a> {
    facts: &'a Facts,
    groups: Vec<(&'a Group, Vec<(Relation, bool)>)>,
    old_guest: bool,
    lines: BTreeSet<Line>,
}

impl<'a> Reading<'a> {
    fn of(facts: &'a Facts) -> Self {
        let Memberships::Known(memberships) = &facts.memberships else { unreachable!() };
        let mut groups: Vec<(&Group, Vec<(Relation, bool)>)> = Vec::new();
        for Membership { group, relation, new } in memberships {
            match groups.iter_mut().find(|(other, _)| other.id == group.id) {
                Some((_, relations)) => relations.push((*relation, *new)),
                None => groups.push((group, vec![(*relation, *new)])),
            }
        }
        let old_guest = facts.created_at.is_none_or(|at| at < "2026-11-10T00:00:00Z".parse().unwrap());
        Self { facts, groups, old_guest, lines: BTreeSet::new() }
    }

    fn about_group(&mut self, rule: &'static str, group: &Group, held: &[(Relation, bool)], disables: bool) {
        let any_new = held.iter().any(|(_, new)| *new);
        let may_act = !self.old_guest || any_new;
        let user = self.facts.id;
        let mut steps = BTreeSet::new();
        if disables {
            steps.insert(Step::Disable { user });
        }
        for (relation, new) in held {
            // Beside something new, what was there before is left alone.
            if disables || (self.old_guest && any_new && !new) || group.on_premises_synced == Some(true) {
                continue;
            }
            match relation {
                Relation::Member if group.dynamic == Some(true) => {}
                Relation::Member => {
                    steps.insert(Step::RemoveMember { user, group: group.id });
                }
                Relation::Owner => {
                    steps.insert(Step::RemoveOwner { user, group: group.id });
                }
            }
        }
        let acts = may_act && !steps.is_empty();
        self.lines.insert((rule, Some(group.id), steps, acts));
    }

    fn lines(mut self) -> BTreeSet<Line> {
        let mail = self.facts.mail.clone().unwrap();
        let (fabrikam, northwind) = (mail.ends_with("@fabrikam.com"), mail.ends_with("@northwind.example"));
        for (group, held) in self.groups.clone() {
            let name = group.name.clone().unwrap().to_lowercase();
            let label = group
                .labels
                .clone()
                .unwrap()
                .iter()
                .any(|label| label.name.as_deref() == Some("Confidential"));
            let private = group.visibility.as_deref() == Some("Private");
            let members: Vec<_> =
                held.iter().copied().filter(|(relation, _)| *relation == Relation::Member).collect();
            let owners: Vec<_> =
                held.iter().copied().filter(|(relation, _)| *relation == Relation::Owner).collect();
            if name.starts_with("finance ") || name.ends_with("payroll") || (label && private) {
                self.about_group("finance", group, &held, false);
            }
            if (fabrikam || northwind) && !owners.is_empty() {
                self.about_group("partners-own-nothing", group, &owners, false);
            }
            let second = group.id == group_id(2) || group.id == group_id(3);
            if second && group.team == Some(true) && !members.is_empty() {
                self.about_group("second", group, &members, true);
            }
            let covered = northwind || (fabrikam && (group.id == group_id(1) || group.id == group_id(4)));
            let named_dynamic = group.dynamic == Some(true) && !second;
            if !covered && !named_dynamic {
                self.about_group("otherwise.membership", group, &held, false);
            }
        }
        if !fabrikam && !northwind {
            let steps = BTreeSet::from([Step::Disable { user: self.facts.id }]);
            self.lines.insert(("otherwise.guest", None, steps, !self.old_guest));
        }
        self.lines
    }
}

prop_compose! {
    fn plain_group(number: u128)(
        name in select(vec!["Finance EU", "FINANCE x", "Finance", "The Payroll", "payrolls", "Projects"]),
        labels in vec(select(vec!["Confidential", "Public"]), 0..2),
        visibility in select(vec!["Private", "Public", "HiddenMembership"]),
        (team, dynamic, synced) in (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2)),
    ) -> Group {
        Group {
            labels: Some(labels.into_iter().map(|name| Label { id: "1".to_owned(), name: Some(name.to_owned()) }).collect()),
            visibility: Some(visibility.to_owned()),
            team: Some(team),
            dynamic: Some(dynamic),
            on_premises_synced: Some(synced),
            ..group(number, name)
        }
    }
}

/// How somebody is in a group: not at all, as a member, as an owner, each new or old.
fn held() -> impl Strategy<Value = Vec<(Relation, bool)>> {
    let one =
        |relation| proptest::option::of(any::<bool>()).prop_map(move |new| new.map(|new| (relation, new)));
    (one(Relation::Member), one(Relation::Owner)).prop_map(|(a, b)| a.into_iter().chain(b).collect())
}

fn memberships() -> impl Strategy<Value = Vec<Membership>> {
    let of = |number| {
        (plain_group(number), held()).prop_map(|(group, held)| {
            let of = move |(relation, new)| Membership { group: group.clone(), relation, new };
            held.into_iter().map(of).collect::<Vec<_>>()
        })
    };
    (of(1), of(2), of(3), of(4), of(5)).prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn judging_is_what_the_policy_says_read_by_hand(
        memberships in memberships(),
        mail in select(vec!["a@fabrikam.com", "b@northwind.example", "m@evil.example"]),
        created in proptest::option::of(select(vec!["2026-11-01T00:00:00Z", "2026-11-15T00:00:00Z"])),
    ) {
        static RULES: std::sync::LazyLock<guestlist_policy::Policy> = std::sync::LazyLock::new(|| rules(POLICY));
        let named_groups = [("Third", 3), ("Fourth", 4)]
            .map(|(name, number)| (name.to_owned(), Named::One(group_id(number)))).into_iter().collect();
        let facts = Facts {
            memberships: Memberships::Known(memberships),
            created_at: created.map(at),
            named_groups,
            ..guest(mail)
        };
        let verdict = judged(&RULES, &facts);
        let found: BTreeSet<(String, Option<ObjectId>, BTreeSet<Step>, bool)> = verdict.findings.iter().map(|finding| {
            let steps = finding.plan.steps.iter().copied().collect();
            (finding.rule.to_string(), finding.object, steps, finding.acts())
        }).collect();
        let expected: BTreeSet<_> =
            Reading::of(&facts).lines().into_iter().map(|(rule, object, steps, acts)| (rule.to_owned(), object, steps, acts)).collect();
        prop_assert_eq!(found, expected, "{}", told(&verdict));
        prop_assert!(verdict.findings.iter().all(|finding| !finding.unknown));
    }
}
