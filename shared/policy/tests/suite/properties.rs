//! What holds for every guest, whoever made him up.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use guestlist_policy::{Facts, Identity, Policy, Standing, Verdict, judge, parse};
use jiff::{SignedDuration, Timestamp};
use model::{Finding, Mode, ObjectId, Suspension};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{ALICE, now, rules};

const GUARDRAILS: &str = "
lists:
  blocked: { entries: [evil.example, '*.evil.example', bücher.example] }
  consumer: { entries: ['*.mail.example', mail.example] }
guardrails:
  - id: blocked-domain
    if: { domain: [blocked, consumer, competitor.example] }
    then: [disable]
  - id: any-consumer
    if: { domain: consumer, any_address: true, kind: [guest, external-member] }
    then: [disable, notify]
    mode: enforce
  - id: no-local-guests
    if: { kind: local-guest }
    then: [notify]
";

const SCENARIOS: &str = "
partners:
  fabrikam: { domains: [fabrikam.com, '*.fabrikam.com'], until: 2026-12-31 }
  mails: { domains: [mail.example], until: 2026-11-25 }
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam, mails] }
  - id: synchronised
    admits: { kind: external-member, partners: fabrikam }
otherwise:
  guest: { then: [disable] }
";

static ALL_RULES: LazyLock<Policy> = LazyLock::new(|| {
    let head = format!("existing: {{ before: 2026-11-01 }}\nprotect: {{ users: [{}] }}", id(3));
    rules(&format!("{head}\n{GUARDRAILS}{SCENARIOS}"))
});
static ONLY_GUARDRAILS: LazyLock<Policy> = LazyLock::new(|| rules(GUARDRAILS));
static WITH_SCENARIOS: LazyLock<Policy> = LazyLock::new(|| rules(&format!("{GUARDRAILS}{SCENARIOS}")));
static WITH_EXCEPTION: LazyLock<Policy> = LazyLock::new(|| {
    let exception =
        format!("exceptions:\n  - guest: {ALICE}\n    from: [blocked-domain]\n    until: 2026-12-31\n");
    rules(&format!("{GUARDRAILS}{SCENARIOS}{exception}"))
});

fn id(number: u128) -> ObjectId {
    ObjectId::from_u128(number)
}

fn domain() -> impl Strategy<Value = String> {
    let known = [
        "evil.example",
        "sub.evil.example",
        "notevil.example",
        "fabrikam.com",
        "mail.fabrikam.com",
        "FABRIKAM.com.",
        "mail.example",
        "competitor.example",
        "contoso.com",
        "contoso.onmicrosoft.com",
        "bücher.example",
        "fаbrikam.com",
        "com",
        "",
    ];
    prop_oneof![8 => select(known.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,12}", 1 => "[a-z]{1,3}\\.[a-z]{2,3}"]
}

fn address() -> impl Strategy<Value = String> {
    let form = ("[a-zA-Z._+]{0,6}", domain()).prop_map(|(local, domain)| format!("{local}@{domain}"));
    prop_oneof![12 => form, 1 => any::<String>(), 1 => "\\PC{0,20}"]
}

fn identity() -> impl Strategy<Value = Identity> {
    let sign_in_type = select(vec!["federated", "emailAddress", "userPrincipalName", "userName", "new", ""]);
    let issuer = prop_oneof![
        select(vec!["ExternalAzureAD", "MicrosoftAccount", "mail", "google.com"]).prop_map(str::to_owned),
        domain()
    ];
    (option::weighted(0.95, sign_in_type), option::weighted(0.95, issuer), option::of(address())).prop_map(
        |(sign_in_type, issuer, issuer_assigned_id)| Identity {
            sign_in_type: sign_in_type.map(str::to_owned),
            issuer,
            issuer_assigned_id,
        },
    )
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (-100_i64..100).prop_map(|days| now().checked_add(SignedDuration::from_hours(24 * days)).unwrap())
}

fn suspension() -> impl Strategy<Value = Suspension> {
    let rule = select(vec!["blocked-domain", "any-consumer", "otherwise.guest", "gone"]);
    (prop_oneof![3 => Just(ALICE), 1 => Just(id(2))], rule, moment()).prop_map(|(guest, rule, until)| {
        Suspension {
            guest,
            rule: rule.parse().unwrap(),
            object: None,
            identity: None,
            until,
            by: "bob@contoso.com".to_owned(),
            reason: "a mistake".to_owned(),
            written_at: now(),
            looked_at: None,
        }
    })
}

fn standing() -> impl Strategy<Value = Standing> {
    let known = (vec("[a-z]{1,5}", 0..2), vec(any::<u128>().prop_map(id), 0..2));
    prop_oneof![
        1 => Just(Standing::Unread),
        1 => any::<String>().prop_map(|why| Standing::Unreadable { why }),
        4 => known.prop_map(|(directory_roles, role_assignable_groups)| Standing::Known {
            groups: role_assignable_groups.iter().copied().collect(),
            directory_roles,
            role_assignable_groups,
        }),
    ]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    option::weighted(
        0.9,
        prop_oneof![9 => select(words.to_vec()).prop_map(str::to_owned), 1 => any::<String>()],
    )
}

prop_compose! {
    fn facts()(
        (user_type, creation_type, external_user_state) in (
            word(&["Guest", "Member", "guest"]),
            word(&["Invitation", "SelfServiceSignUp", "LocalAccount"]),
            word(&["PendingAcceptance", "Accepted"]),
        ),
        (identities, mail, invited_address) in (
            option::weighted(0.95, vec(identity(), 0..4)),
            option::weighted(0.8, address()),
            option::weighted(0.3, address()),
        ),
        (other_mails, proxies, name) in (
            option::weighted(0.95, vec(address(), 0..4)),
            option::weighted(0.95, vec(address(), 0..3)),
            option::of(address()),
        ),
        (created_at, suspensions, standing) in (option::of(moment()), vec(suspension(), 0..3), standing()),
        verified in option::weighted(0.9, Just(vec!["contoso.com".to_owned(), "Contoso.onmicrosoft.com.".to_owned()])),
        (on_premises_synced, management_restricted) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        who in prop_oneof![9 => Just(ALICE), 1 => Just(id(3))],
    ) -> Facts {
        Facts {
            user_type, creation_type, external_user_state, identities, mail, invited_address, other_mails, created_at,
            suspensions, standing, on_premises_synced, management_restricted,
            proxy_addresses: proxies.map(|all| all.into_iter().map(|address| format!("SMTP:{address}")).collect()),
            user_principal_name: name.map(|name| format!("{}#EXT#@contoso.onmicrosoft.com", name.replace('@', "_"))),
            verified_domains: verified,
            ..Facts::unread(who)
        }
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Observe, Mode::Ask, Mode::Enforce])
}

fn acting(verdict: &Verdict) -> BTreeSet<String> {
    verdict.findings.iter().filter(|finding| finding.acts()).map(|finding| finding.rule.to_string()).collect()
}

fn guardrails(verdict: &Verdict) -> Vec<Finding> {
    let held = verdict.suspended.iter().map(|held| &held.finding);
    let all = verdict.findings.iter().chain(held);
    all.filter(|finding| finding.rule.as_str() != "otherwise.guest").cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn judging_answers_for_any_facts_and_every_finding_has_its_reasons(facts in facts(), ceiling in mode(), now in moment()) {
        let verdict = judge(&ALL_RULES, &facts, ceiling, now);
        for finding in &verdict.findings {
            prop_assert!(!finding.reasons.is_empty());
            prop_assert!(finding.mode <= ceiling);
            prop_assert!(finding.mode == Mode::Enforce || !finding.acts());
        }
        prop_assert!(verdict.subject.is_some() || verdict.findings.is_empty());
        prop_assert!(verdict.changes_at.is_none_or(|at| at > now));
    }

    #[test]
    fn a_lower_ceiling_never_acts_more_and_never_finds_less(facts in facts(), one in mode(), other in mode()) {
        let low = judge(&ALL_RULES, &facts, one.min(other), now());
        let high = judge(&ALL_RULES, &facts, one.max(other), now());
        prop_assert!(acting(&low).is_subset(&acting(&high)));
        let rules = |verdict: &Verdict| verdict.findings.iter().map(|finding| finding.rule.clone()).collect::<Vec<_>>();
        prop_assert_eq!(rules(&low), rules(&high));
    }

    #[test]
    fn an_exception_never_adds_a_finding_and_removes_its_own(facts in facts()) {
        let without = judge(&WITH_SCENARIOS, &facts, Mode::Enforce, now());
        let with = judge(&WITH_EXCEPTION, &facts, Mode::Enforce, now());
        let excepted = |finding: &Finding| facts.id == ALICE && finding.rule.as_str() == "blocked-domain";
        let expected: Vec<Finding> = without.findings.into_iter().filter(|finding| !excepted(finding)).collect();
        prop_assert_eq!(with.findings, expected);
    }

    #[test]
    fn what_a_guardrail_finds_does_not_depend_on_scenarios(facts in facts()) {
        let alone = judge(&ONLY_GUARDRAILS, &facts, Mode::Enforce, now());
        let beside = judge(&WITH_SCENARIOS, &facts, Mode::Enforce, now());
        prop_assert_eq!(guardrails(&alone), guardrails(&beside));
    }

    #[test]
    fn what_was_not_read_is_never_acted_on(facts in facts(), which in 0..4) {
        let facts = match which {
            0 => Facts { identities: None, ..facts },
            1 => Facts { user_type: None, ..facts },
            2 => Facts { verified_domains: None, ..facts },
            _ => Facts { standing: Standing::Unread, ..facts },
        };
        let verdict = judge(&ALL_RULES, &facts, Mode::Enforce, now());
        prop_assert_eq!(acting(&verdict), BTreeSet::new());
    }

    #[test]
    fn a_protected_account_is_never_acted_on(facts in facts(), which in 0..4) {
        let group = vec![id(7)];
        let facts = match which {
            0 => Facts { id: id(3), ..facts },
            1 => Facts { on_premises_synced: true, ..facts },
            2 => Facts { management_restricted: true, ..facts },
            _ => Facts {
                standing: Standing::Known {
                    directory_roles: Vec::new(),
                    groups: group.iter().copied().collect(),
                    role_assignable_groups: group,
                },
                ..facts
            },
        };
        let verdict = judge(&ALL_RULES, &facts, Mode::Enforce, now());
        prop_assert_eq!(acting(&verdict), BTreeSet::new());
    }

    #[test]
    fn time_alone_changes_nothing_before_changes_at(facts in facts(), now in moment(), later in moment()) {
        let verdict = judge(&ALL_RULES, &facts, Mode::Enforce, now);
        if later >= now && verdict.changes_at.is_none_or(|changes_at| later < changes_at) {
            prop_assert_eq!(judge(&ALL_RULES, &facts, Mode::Enforce, later), verdict);
        }
    }

}

proptest! {
    // These read a policy in every case.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_order_of_lists_entries_and_partners_decides_nothing(
        facts in facts(),
        entries in Just(vec!["evil.example", "'*.evil.example'", "mail.example", "competitor.example"]).prop_shuffle(),
        sources in Just(vec!["one", "two", "fabrikam.com", "'*.fabrikam.com'"]).prop_shuffle(),
        partners in Just(vec!["a: { domains: [fabrikam.com] }", "b: { domains: [fabrikam.com, mail.example] }"]).prop_shuffle(),
    ) {
        let build = |entries: &[&str], sources: &[&str], lists: [&str; 2], partners: &[&str]| {
            let entries = entries.join(", ");
            let lists = lists.map(|list| format!("  {list}: {{ entries: [{entries}] }}\n")).concat();
            rules(&format!(
                "lists:\n{lists}partners:\n  {}\nguardrails:\n  - id: x\n    if: {{ domain: [{}] }}\n    then: [disable]\n\
                 scenarios:\n  - id: y\n    admits: {{ partners: [a, b] }}\notherwise:\n  guest: {{ then: [disable] }}\n",
                partners.join("\n  "),
                sources.join(", "),
            ))
        };
        let shuffled = build(&entries, &sources, ["two", "one"], &partners);
        let sorted = |words: &[&'static str]| { let mut words = words.to_vec(); words.sort_unstable(); words };
        let plain = build(&sorted(&entries), &sorted(&sources), ["one", "two"], &sorted(&partners));
        let judge = |policy: &Policy| judge(policy, &facts, Mode::Enforce, now());
        prop_assert_eq!(judge(&shuffled), judge(&plain));
    }

    #[test]
    fn reading_answers_for_any_text_and_every_mistake_has_its_place(text in any::<String>(), at in 0_usize..1200, cut in 0_usize..40) {
        let valid = format!("version: 1\nmode: enforce\n{GUARDRAILS}{SCENARIOS}");
        let chars: Vec<char> = valid.chars().collect();
        let at = at.min(chars.len());
        let mutated: String = chars[..at].iter().chain(chars[(at + cut).min(chars.len())..].iter()).collect();
        let inserted: String = chars[..at].iter().copied().chain(text.chars()).chain(chars[at..].iter().copied()).collect();
        for text in [text, mutated, inserted] {
            if let Err(problems) = parse(&text, "policy.yaml", &mut |_| Err("no such file".to_owned())) {
                prop_assert!(!problems.0.is_empty());
                for problem in &problems.0 {
                    prop_assert!(problem.line >= 1 && problem.column >= 1 && !problem.message.is_empty());
                    prop_assert!(!problem.to_string().contains('\n'), "{}", problem);
                }
            }
        }
    }
}
