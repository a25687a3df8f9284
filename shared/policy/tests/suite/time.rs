//! What time alone decides: invitations that nobody accepts, stays and scenarios that end, and when people are told.

use guestlist_policy::{Ends, Facts, InvitedBy, Inviter, Policy, Verdict, judge};
use insta::assert_snapshot;
use jiff::Timestamp;
use model::Mode;

use crate::world::*;

fn on(policy: &Policy, facts: &Facts, moment: &str) -> Verdict {
    judge(policy, facts, Mode::Enforce, at(moment))
}

fn pending(mail: &str) -> Facts {
    Facts { external_user_state: Some("pendingacceptance".to_owned()), ..guest(mail) }
}

#[test]
fn an_invitation_that_nobody_accepts_is_found_when_its_time_is_over() {
    let policy = rules("guardrails:\n  - id: forgotten\n    if: { pending_for: 14d }\n    then: [disable]\n");
    let facts = pending("a@fabrikam.com");
    let due = at("2026-11-15T00:00:00Z");
    let before = on(&policy, &facts, "2026-11-14T23:59:59.999Z");
    assert_eq!((before.findings.len(), before.changes_at), (0, Some(due)));
    let after = judge(&policy, &facts, Mode::Enforce, due);
    assert_eq!((acting(&after), after.changes_at), (vec!["forgotten"], None));
    assert_snapshot!(told(&after), @"
    forgotten (medium, enforce) [disable]
      the invitation has not been accepted within 14d (the account was created at 2026-11-01T00:00:00Z)
    ");
    for state in [None, Some("Accepted".to_owned())] {
        let accepted = judged(&policy, &Facts { external_user_state: state, ..facts.clone() });
        assert_eq!((accepted.findings.len(), accepted.changes_at), (0, None));
    }
    let undated = judged(&policy, &Facts { created_at: None, ..facts });
    assert_snapshot!(told(&undated), @"
    forgotten (medium, enforce) [disable] unknown
      the invitation has not been accepted, and the account has no creation date
    ");
    assert_eq!(undated.changes_at, None);
}

#[test]
fn a_rule_that_something_else_keeps_from_matching_has_no_moment() {
    let text =
        "guardrails:\n  - id: x\n    if: { pending_for: 14d, domain: evil.example }\n    then: [disable]\n";
    let early = "2026-11-02T00:00:00Z";
    assert_eq!(on(&rules(text), &pending("a@fabrikam.com"), early).changes_at, None);
    assert_eq!(
        on(&rules(text), &pending("m@evil.example"), early).changes_at,
        Some(at("2026-11-15T00:00:00Z"))
    );
    let excepted = format!("{text}exceptions:\n  - guest: {ALICE}\n    from: [x]\n    until: 2026-11-30\n");
    let later = on(&rules(&excepted), &pending("m@evil.example"), "2026-11-15T00:00:00Z");
    assert_eq!((later.suspended.len(), later.changes_at), (1, Some(at("2026-12-01T00:00:00Z"))));
}

/// One scenario with these keys beside what it admits.
fn staying(more: &str) -> Policy {
    rules(&PARTNERS.replace("northwind] }\n", &format!("northwind] }}\n    {more}\n")))
}

#[test]
fn a_stay_ends_so_long_after_the_account_was_created() {
    let policy = staying("stay: 180d");
    let facts = guest("a@northwind.example");
    let (notice, end) = (at("2027-04-16T00:00:00Z"), at("2027-04-30T00:00:00Z"));
    let first = judged(&policy, &facts);
    assert_eq!((first.findings.len(), first.changes_at), (0, Some(notice)));
    let why = "the stay of 180d in scenario `agency-work` ends at 2027-04-30T00:00:00Z".to_owned();
    let ends = Ends { rule: "agency-work".parse().unwrap(), at: end, why, own: true, soon: false };
    assert_eq!(first.ends, Some(ends.clone()));
    let soon = judge(&policy, &facts, Mode::Enforce, notice);
    assert_eq!(
        (soon.findings.len(), soon.changes_at, soon.ends),
        (0, Some(end), Some(Ends { soon: true, ..ends }))
    );
    let over = judge(&policy, &facts, Mode::Enforce, end);
    assert_eq!((over.changes_at, &over.ends), (None, &None));
    assert_snapshot!(told(&over), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@northwind.example` is of partner `northwind`
      the stay of 180d in scenario `agency-work` ended at 2027-04-30T00:00:00Z
    ");
    let undated = judged(&policy, &Facts { created_at: None, ..facts });
    assert_snapshot!(told(&undated), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@northwind.example` is of partner `northwind`
      the account has no creation date, from which the stay of 180d in scenario `agency-work` counts
    ");
    assert_eq!((undated.changes_at, undated.ends), (None, None));
}

#[test]
fn a_scenario_admits_through_its_last_day_in_utc() {
    let policy = staying("until: 2026-12-31");
    let facts = guest("a@northwind.example");
    let end = at("2027-01-01T00:00:00Z");
    let last = on(&policy, &facts, "2026-12-31T23:59:59.999Z");
    assert_eq!((last.findings.len(), last.changes_at), (0, Some(end)));
    assert!(last.ends.is_some_and(|ends| ends.soon && ends.at == end));
    assert_snapshot!(told(&judge(&policy, &facts, Mode::Enforce, end)), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@northwind.example` is of partner `northwind`
      scenario `agency-work` ended on 2026-12-31
    ");
    assert_eq!(judge(&policy, &facts, Mode::Enforce, end).changes_at, None);
}

#[test]
fn what_ends_first_ends_a_scenario_and_the_scenario_that_lasts_longest_counts() {
    let ends = |policy: &Policy, mail: &str| {
        judged(policy, &guest(mail)).ends.map(|Ends { rule, at, why, own, soon: _ }| {
            assert_eq!(own, why.starts_with("the stay"), "{why}");
            format!("{rule} {at} {why}")
        })
    };
    let told = |policy: &Policy, mail: &str| ends(policy, mail).unwrap();
    assert_snapshot!(told(&staying("stay: 180d"), "a@fabrikam.com"), @"agency-work 2027-04-30T00:00:00Z the stay of 180d in scenario `agency-work` ends at 2027-04-30T00:00:00Z");
    assert_snapshot!(told(&staying("stay: 365d"), "a@fabrikam.com"), @"agency-work 2027-07-01T00:00:00Z partner `fabrikam` (owner anna@contoso.com) ends on 2027-06-30");
    assert_snapshot!(told(&staying("stay: 365d\n    until: 2027-01-31"), "a@fabrikam.com"), @"agency-work 2027-02-01T00:00:00Z scenario `agency-work` ends on 2027-01-31");
    let second = |more: &str| {
        rules(&PARTNERS.replace("otherwise:", &format!("  - id: second\n    {more}\notherwise:")))
    };
    assert_snapshot!(told(&second("admits: { kind: guest }\n    until: 2027-12-31"), "a@fabrikam.com"), @"second 2028-01-01T00:00:00Z scenario `second` ends on 2027-12-31");
    assert_snapshot!(told(&second("admits: { kind: guest }\n    until: 2027-01-31"), "a@fabrikam.com"), @"agency-work 2027-07-01T00:00:00Z partner `fabrikam` (owner anna@contoso.com) ends on 2027-06-30");
    assert_eq!(ends(&second("admits: { kind: guest }"), "a@fabrikam.com"), None);
    assert_eq!(ends(&second("admits: { kind: guest }\n    until: 2027-12-31"), "a@northwind.example"), None);
    assert_eq!(ends(&second("admits: { kind: external-member }"), "m@evil.example"), None);
}

#[test]
fn a_partner_that_ends_while_another_admits_changes_nothing_but_what_is_told() {
    let policy = rules(&PARTNERS.replace("northwind.example]", "northwind.example, fabrikam.com]"));
    let both = judged(&policy, &guest("a@fabrikam.com"));
    assert_eq!((both.findings.len(), both.changes_at, both.ends), (0, None, None));
}

#[test]
fn people_are_told_as_early_as_the_scenario_says() {
    let notice = |more: &str| judged(&staying(more), &guest("a@northwind.example")).changes_at;
    assert_eq!(notice("stay: 60d"), Some(at("2026-12-17T00:00:00Z")));
    assert_eq!(notice("stay: 60d\n    notice: 5d"), Some(at("2026-12-26T00:00:00Z")));
    assert_eq!(notice("until: 2026-12-31\n    notice: 36h"), Some(at("2026-12-30T12:00:00Z")));
    // Half of a stay that is shorter than two notices.
    let day =
        judge(&staying("stay: 4d"), &guest("a@northwind.example"), Mode::Enforce, at("2026-11-01T00:00:00Z"));
    assert_eq!(day.changes_at, Some(at("2026-11-03T00:00:00Z")));
}

#[test]
fn nobody_hears_of_an_end_that_no_rule_minds() {
    let text = PARTNERS.split("otherwise:").next().unwrap();
    let verdict = judged(&rules(text), &guest("a@fabrikam.com"));
    assert_eq!((verdict.ends, verdict.changes_at), (None, Some(at("2027-07-01T00:00:00Z"))));
    let covering = rules(&format!("{text}otherwise:\n  membership: {{ then: [leave-group] }}\n"));
    assert!(judged(&covering, &guest("a@fabrikam.com")).ends.is_some());
}

#[test]
fn an_end_that_is_near_asks_who_invited_where_that_may_put_it_off() {
    let second = "  - id: invited\n    admits: { inviters: { kind: internal-member } }\notherwise:";
    let policy = rules(&PARTNERS.replace("otherwise:", second));
    let facts = guest("a@fabrikam.com");
    assert!(!judged(&policy, &facts).wants_inviter);
    let near = "2027-06-20T00:00:00Z";
    let asks = on(&policy, &facts, near);
    assert!(asks.wants_inviter && asks.ends.is_some());
    let by = InvitedBy { kind: Some(guestlist_policy::InviterKind::InternalMember), ..InvitedBy::unread() };
    let settled = on(&policy, &Facts { inviter: Inviter::Audit(by), ..facts }, near);
    assert_eq!(
        (settled.wants_inviter, settled.ends, settled.changes_at),
        (false, None, Some(at("2027-07-01T00:00:00Z")))
    );
}

#[test]
fn a_stay_longer_than_time_itself_does_not_end() {
    let policy = staying("stay: 3650d");
    let facts = Facts { created_at: Some(Timestamp::MAX), ..guest("a@northwind.example") };
    let verdict = judge(&policy, &facts, Mode::Enforce, Timestamp::MIN);
    assert_eq!((verdict.findings.len(), verdict.ends.map(|ends| ends.at)), (0, Some(Timestamp::MAX)));
}
