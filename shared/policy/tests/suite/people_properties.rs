//! What holds for everybody's inviter and at every moment: one policy read by hand, then again with parts of the knowledge
//! taken away.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use guestlist_policy::{Facts, InvitedBy, Inviter, InviterKind, Policy, Verdict, judge};
use jiff::{SignedDuration, Timestamp};
use model::{Mode, ObjectId, SponsorName};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::world::*;

const BOB: ObjectId = ObjectId::from_u128(0xb0b);

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    rules(&format!(
        "
partners:
  fabrikam: {{ domains: [fabrikam.com] }}
  northwind: {{ domains: [northwind.example], until: 2026-12-10 }}
  tailspin: {{ domains: [tailspin.example, northwind.example] }}
guardrails:
  - id: guests-do-not-invite
    if: {{ inviter: {{ kind: [guest, app] }} }}
    then: [disable]
  - id: evil-inviters
    if: {{ inviter: {{ domain: evil.example, group: {} }} }}
    then: [disable]
  - id: forgotten
    if: {{ pending_for: 14d }}
    then: [disable]
scenarios:
  - id: staff
    admits: {{ partners: fabrikam, inviters: {{ kind: internal-member, domain: contoso.com, group: {} }}, sponsors: 2 }}
    stay: 30d
  - id: audit
    admits: {{ partners: northwind, inviters: {{ ids: {BOB} }} }}
    until: 2026-12-31
    notice: 40h
  - id: visitors
    admits: {{ partners: tailspin }}
    stay: 60d
otherwise:
  guest: {{ then: [disable] }}
exceptions:
  - guest: 5c1e0000-0000-4000-8000-000000000009
    from: [forgotten]
    until: 2026-11-30
",
        group_id(1),
        group_id(2)
    ))
});

/// Everybody of whom the policy speaks, and one in between.
fn moment() -> impl Strategy<Value = Timestamp> {
    let odd =
        (-1000_i64..2500).prop_map(|hours| now().checked_add(SignedDuration::from_hours(hours)).unwrap());
    let sharp =
        select(vec!["2026-12-11T00:00:00Z", "2027-01-01T00:00:00Z", "2026-12-01T00:00:00Z"]).prop_map(at);
    prop_oneof![6 => odd, 1 => sharp]
}

prop_compose! {
    fn inviter()(
        id in select(vec![BOB, ObjectId::from_u128(2)]),
        kind in select(InviterKind::ALL.to_vec()),
        addresses in subsequence(vec!["bob@contoso.com", "m@evil.example", "m@EVIL.example", "not an address"], 1..=2),
        groups in subsequence(vec![1, 2, 3], 0..=3),
    ) -> InvitedBy {
        InvitedBy {
            id: Some(id),
            name: None,
            kind: Some(kind),
            addresses: Some(addresses.into_iter().map(str::to_owned).collect()),
            groups: Some(groups.into_iter().map(group_id).collect()),
            ..InvitedBy::unread()
        }
    }
}

prop_compose! {
    /// Of whom everything is known.
    fn known()(
        mail in select(vec!["a@fabrikam.com", "b@northwind.example", "c@tailspin.example", "m@evil.example"]),
        pending in any::<bool>(),
        created_at in moment(),
        sponsors in 0_u128..4,
        inviter in inviter(),
        excepted in any::<bool>(),
    ) -> Facts {
        let state = if pending { "PendingAcceptance" } else { "Accepted" };
        let sponsor = |id| SponsorName { id: ObjectId::from_u128(id), name: None };
        let id = ObjectId::from_u128(0x5c1e_0000_0000_4000_8000_0000_0000_0009);
        Facts {
            id: if excepted { id } else { ALICE },
            external_user_state: Some(state.to_owned()),
            created_at: Some(created_at),
            sponsors: Some((0..sponsors).map(sponsor).collect()),
            inviter: Inviter::Audit(inviter),
            ..guest(mail)
        }
    }
}

/// Takes some of the knowledge away.
fn mask(mut facts: Facts, lost: &[usize], others: &[InvitedBy]) -> Facts {
    for what in lost {
        match what {
            0 => facts.created_at = None,
            1 => facts.sponsors = None,
            2 => facts.inviter = Inviter::Unread,
            3 => facts.inviter = Inviter::Unreadable { why: "gone".to_owned() },
            4 => facts.inviter = Inviter::Sponsors(others.to_vec()),
            5 => facts.verified_domains = None,
            part => {
                if let Inviter::Audit(by) = &mut facts.inviter {
                    match part {
                        6 => by.id = None,
                        7 => by.kind = None,
                        8 => by.addresses = None,
                        9 => by.groups = None,
                        10 => by.early = true,
                        _ => by.doubted.extend(by.groups.iter_mut().flat_map(std::mem::take)),
                    }
                }
            }
        }
    }
    facts
}

/// The policy read by hand: what acts, and who admits.
fn by_hand(facts: &Facts, now: Timestamp) -> (BTreeSet<&'static str>, Option<&'static str>) {
    let Inviter::Audit(by) = &facts.inviter else { unreachable!() };
    let kind = by.kind.unwrap();
    let addresses = by.addresses.clone().unwrap();
    let is_in = |number| by.groups.clone().unwrap().contains(&group_id(number));
    let age = now.duration_since(facts.created_at.unwrap());
    let younger = |days: i64| age < SignedDuration::from_hours(24 * days);
    let mail = facts.mail.clone().unwrap();
    let evil = addresses.iter().any(|address| address.eq_ignore_ascii_case("m@evil.example"));
    let mut acting = BTreeSet::new();
    if matches!(kind, InviterKind::Guest | InviterKind::App) {
        acting.insert("guests-do-not-invite");
    }
    if evil && is_in(1) {
        acting.insert("evil-inviters");
    }
    let excepted = facts.id != ALICE && now < at("2026-12-01T00:00:00Z");
    let pending = facts.external_user_state.as_deref() == Some("PendingAcceptance");
    if pending && !younger(14) && !excepted {
        acting.insert("forgotten");
    }
    let ours = addresses == ["bob@contoso.com"];
    let staff = mail == "a@fabrikam.com" && kind == InviterKind::InternalMember && ours && is_in(2);
    let audit = mail == "b@northwind.example" && now < at("2026-12-11T00:00:00Z") && by.id == Some(BOB);
    let admitted = if staff && facts.sponsors.clone().unwrap().len() >= 2 && younger(30) {
        Some("staff")
    } else if audit {
        Some("audit")
    } else if ["b@northwind.example", "c@tailspin.example"].contains(&mail.as_str()) && younger(60) {
        Some("visitors")
    } else {
        acting.insert("otherwise.guest");
        None
    };
    (acting, admitted)
}

fn acts(verdict: &Verdict) -> BTreeSet<&str> {
    acting(verdict).into_iter().collect()
}

/// An address that cannot be read leaves a rule in doubt, for which the properties below are.
fn plain(mut facts: Facts) -> Facts {
    if let Inviter::Audit(InvitedBy { addresses: Some(addresses), .. }) = &mut facts.inviter {
        for address in addresses.iter_mut().filter(|address| !address.contains('@')) {
            *address = "bob@eu.contoso.com".to_owned();
        }
    }
    facts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn judging_inviters_and_time_is_what_the_policy_says_read_by_hand(facts in known(), now in moment()) {
        let facts = plain(facts);
        let verdict = judge(&POLICY, &facts, Mode::Enforce, now);
        let (acting, admitted) = by_hand(&facts, now);
        prop_assert_eq!(acts(&verdict), acting, "{}", told(&verdict));
        prop_assert_eq!(verdict.admitted_by.as_ref().map(model::RuleId::as_str), admitted);
        prop_assert!(verdict.findings.iter().all(|finding| !finding.unknown));
        prop_assert_eq!((verdict.wants_inviter, verdict.ends.is_some()), (false, admitted.is_some()));
        // Admitted to the last moment, and no longer.
        if let Some(ends) = verdict.ends {
            let last = ends.at.checked_sub(SignedDuration::from_nanos(1)).unwrap();
            prop_assert!(by_hand(&facts, last).1.is_some());
            prop_assert_eq!(by_hand(&facts, ends.at).1, None);
        }
    }

    #[test]
    fn whoever_knows_less_never_acts_more_admits_more_or_finds_less(
        facts in known(),
        now in moment(),
        lost in vec(0_usize..12, 0..4),
        others in vec(inviter(), 0..3),
    ) {
        let whole = judge(&POLICY, &facts, Mode::Enforce, now);
        let masked = mask(facts, &lost, &others);
        let less = judge(&POLICY, &masked, Mode::Enforce, now);
        prop_assert!(acts(&less).is_subset(&acts(&whole)), "{}\n{}", told(&less), told(&whole));
        prop_assert!(less.admitted_by.is_none() || whole.admitted_by.is_some());
        let found = |verdict: &Verdict| {
            let held = verdict.suspended.iter().map(|held| &held.finding);
            verdict.findings.iter().chain(held).map(|finding| finding.rule.to_string()).collect::<BTreeSet<_>>()
        };
        prop_assert!(found(&whole).is_subset(&found(&less)), "{}\n{}", told(&less), told(&whole));
    }

    #[test]
    fn a_sponsor_neither_admits_nor_is_acted_on(
        facts in known(),
        now in moment(),
        sponsors in vec(inviter(), 0..4),
        known in option::of(inviter()),
    ) {
        let hinted = Facts { inviter: Inviter::Sponsors(sponsors), ..facts.clone() };
        let verdict = judge(&POLICY, &hinted, Mode::Enforce, now);
        let by_inviter = |rule: &str| ["guests-do-not-invite", "evil-inviters", "staff", "audit"].contains(&rule);
        prop_assert!(!acts(&verdict).iter().any(|rule| by_inviter(rule)), "{}", told(&verdict));
        prop_assert!(!verdict.admitted_by.as_ref().is_some_and(|rule| by_inviter(rule.as_str())));
        prop_assert!(!verdict.wants_inviter);
        // Whoever it turns out to be: what was done without knowing stays right.
        if let Some(by) = known {
            let later = judge(&POLICY, &Facts { inviter: Inviter::Audit(by), ..facts }, Mode::Enforce, now);
            prop_assert!(acts(&verdict).is_subset(&acts(&later)));
        }
    }

    #[test]
    fn an_inviter_who_is_not_wanted_makes_no_difference(facts in known(), now in moment(), lost in vec(0_usize..2, 0..2)) {
        let facts = mask(facts, &lost, &[]);
        let unread = judge(&POLICY, &Facts { inviter: Inviter::Unread, ..facts.clone() }, Mode::Enforce, now);
        let read = judge(&POLICY, &facts, Mode::Enforce, now);
        prop_assert!(!read.wants_inviter);
        if !unread.wants_inviter {
            prop_assert_eq!(&unread.findings, &read.findings);
            prop_assert_eq!(unread.ends.filter(|ends| ends.soon), read.ends.filter(|ends| ends.soon));
        }
    }

    #[test]
    fn a_verdict_holds_until_the_moment_at_which_it_changes_and_no_longer(
        facts in known(),
        now in moment(),
        later in moment(),
        lost in vec(0_usize..10, 0..3),
    ) {
        let facts = mask(facts, &lost, &[]);
        let verdict = judge(&POLICY, &facts, Mode::Enforce, now);
        let holds = |moment| judge(&POLICY, &facts, Mode::Enforce, moment).findings == verdict.findings;
        if let Some(changes_at) = verdict.changes_at {
            prop_assert!(changes_at > now);
            let then = judge(&POLICY, &facts, Mode::Enforce, changes_at);
            let same = Verdict { changes_at: verdict.changes_at, ..then };
            prop_assert_ne!(&same, &verdict);
            let before = changes_at.checked_sub(SignedDuration::from_nanos(1)).unwrap();
            prop_assert_eq!(&judge(&POLICY, &facts, Mode::Enforce, before), &verdict);
        }
        if later >= now && verdict.changes_at.is_none_or(|changes_at| later < changes_at) {
            prop_assert!(holds(later));
            prop_assert_eq!(judge(&POLICY, &facts, Mode::Enforce, later), verdict);
        }
    }
}
