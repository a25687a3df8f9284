//! Whom a scenario admits, and whom nobody admits.

use guestlist_policy::{Facts, judge};
use insta::assert_snapshot;
use model::{GuestKind, Mode, ObjectId, SponsorName};

use crate::world::*;

#[track_caller]
fn admitted(facts: &Facts, expected: bool) {
    let verdict = judged(&rules(PARTNERS), facts);
    assert_eq!(verdict.admitted_by.is_some(), expected, "{:?}", facts.mail);
    let expected: &[&str] = if expected { &[] } else { &["otherwise.guest"] };
    assert_eq!(acting(&verdict), expected, "{:?}: {}", facts.mail, told(&verdict));
}

#[test]
fn a_partner_is_admitted_and_an_evil_twin_is_not() {
    for mail in [
        "a@fabrikam.com",
        "A@FABRIKAM.COM.",
        "a+b@fabrikam.com",
        "a@mail.fabrikam.com",
        "a@northwind.example",
    ] {
        admitted(&guest(mail), true);
    }
    for mail in [
        "m@notfabrikam.com",
        "m@fabrikam.com.evil.example",
        "m@fаbrikam.com",
        "m@fabrikam.co",
        "m@com",
        "m@sub.northwind.example",
        "fabrikam.com@evil.example",
    ] {
        admitted(&guest(mail), false);
    }
}

#[test]
fn admission_needs_every_identity_address_of_a_partner_of_one_scenario() {
    let invited =
        |address: &str| Facts { invited_address: Some(address.to_owned()), ..guest("a@fabrikam.com") };
    admitted(&invited("b@mail.fabrikam.com"), true);
    admitted(&invited("b@evil.example"), false);
    admitted(&invited("b@northwind.example"), true);
    admitted(&invited("b@sub.northwind.example"), false);
    // Our own domains do not count.
    admitted(&invited("b@contoso.com"), true);
    // Nor do secondary addresses.
    admitted(
        &Facts { other_mails: Some(vec!["b@evil.example".to_owned()]), ..guest("a@fabrikam.com") },
        true,
    );
    admitted(
        &Facts { other_mails: Some(vec!["b@fabrikam.com".to_owned()]), ..guest("m@evil.example") },
        false,
    );
}

#[test]
fn two_partners_admit_one_guest_only_where_one_scenario_names_both_and_neither_is_over() {
    let both = Facts { invited_address: Some("b@northwind.example".to_owned()), ..guest("a@fabrikam.com") };
    let policy = rules(PARTNERS);
    assert_eq!(judged(&policy, &both).changes_at, Some(at("2027-06-17T00:00:00Z")));
    let after = judge(&policy, &both, Mode::Enforce, at("2027-07-01T00:00:00Z"));
    assert_snapshot!(told(&after), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@fabrikam.com` is of partner `fabrikam`
      invited address `b@northwind.example` is of partner `northwind`
      partner `fabrikam` (owner anna@contoso.com) ended on 2027-06-30
    ");
    let apart = "admits: { partners: [fabrikam] }\n  - id: others\n    admits: { partners: [northwind] }";
    let apart = rules(&PARTNERS.replace("admits: { partners: [fabrikam, northwind] }", apart));
    assert_eq!(acting(&judged(&apart, &both)), ["otherwise.guest"]);
    for alone in ["a@fabrikam.com", "b@northwind.example"] {
        assert_eq!(acting(&judged(&apart, &guest(alone))), [""; 0]);
    }
}

#[test]
fn a_partner_admits_through_its_last_day_in_utc() {
    let policy = rules(PARTNERS);
    let facts = guest("a@fabrikam.com");
    let end = at("2027-07-01T00:00:00Z");
    let before = judge(&policy, &facts, Mode::Enforce, at("2027-06-30T23:59:59.999Z"));
    assert_eq!((before.findings.len(), before.changes_at), (0, Some(end)));
    let after = judge(&policy, &facts, Mode::Enforce, end);
    assert_eq!(after.changes_at, None);
    assert_snapshot!(told(&after), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@fabrikam.com` is of partner `fabrikam`
      partner `fabrikam` (owner anna@contoso.com) ended on 2027-06-30
    ");
    assert_eq!(judged(&policy, &guest("a@northwind.example")).changes_at, None);
}

#[test]
fn scenarios_speak_of_b2b_guests_unless_they_say_otherwise() {
    let policy = rules(PARTNERS);
    assert_eq!(judged(&policy, &external_member("m@evil.example")).findings, []);
    assert_eq!(judged(&policy, &local_guest("m@evil.example")).findings, []);
    let both = rules(&PARTNERS.replace("northwind] }", "northwind], kind: [guest, external-member] }"));
    assert_eq!(acting(&judged(&both, &external_member("m@evil.example"))), ["otherwise.guest"]);
    assert_eq!(acting(&judged(&both, &external_member("a@fabrikam.com"))), [""; 0]);
    assert_eq!(judged(&both, &local_guest("m@evil.example")).findings, []);
    // A scenario for others only does not let B2B guests slip out of `otherwise`.
    let others = rules(&PARTNERS.replace("northwind] }", "northwind], kind: external-member }"));
    assert_eq!(acting(&judged(&others, &guest("a@fabrikam.com"))), ["otherwise.guest"]);
}

#[test]
fn the_subject_is_told_by_partner_or_domain_and_by_sorted_addresses() {
    let policy = rules(PARTNERS);
    let sponsors = vec![SponsorName { id: ObjectId::from_u128(2), name: Some("Bob".to_owned()) }];
    let facts = Facts {
        invited_address: Some("A@Mail.Fabrikam.com".to_owned()),
        sponsors: Some(sponsors.clone()),
        ..guest("b@fabrikam.com")
    };
    let subject = judged(&policy, &facts).subject.unwrap();
    assert_eq!(subject.addresses, ["a@mail.fabrikam.com", "b@fabrikam.com"]);
    assert_eq!((subject.organisation.as_deref(), subject.kind), (Some("fabrikam"), GuestKind::Guest));
    assert_eq!((subject.sponsors, subject.enabled), (sponsors, Some(true)));
    let organisation = |facts: &Facts| judged(&policy, facts).subject.unwrap().organisation;
    assert_eq!(organisation(&guest("m@Evil.example.")).as_deref(), Some("evil.example"));
    assert_eq!(organisation(&guest("")), None);
    let of = |mail: &str, invited: &str| {
        organisation(&Facts { invited_address: Some(invited.to_owned()), ..guest(mail) }).unwrap()
    };
    assert_eq!(of("a@northwind.example", "b@fabrikam.com"), "fabrikam and northwind");
    assert_eq!(of("a@fabrikam.com", "m@evil.example"), "evil.example and fabrikam");
}
