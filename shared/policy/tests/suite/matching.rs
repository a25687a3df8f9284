//! What a guardrail finds, and what stays unknown. A test shows the one rule that it is about.

use guestlist_policy::{Facts, Kind, kind_of};
use insta::assert_snapshot;

use crate::world::*;

#[track_caller]
fn blocked(facts: &Facts, expected: bool) {
    let verdict = judged(&rules(BLOCKED), facts);
    let expected: &[&str] = if expected { &["blocked-domain"] } else { &[] };
    assert_eq!(acting(&verdict), expected, "{:?}: {}", facts.mail, told(&verdict));
}

#[test]
fn a_blocked_domain_is_found_in_every_spelling_and_no_other_domain_is() {
    for mail in [
        "m@evil.example",
        "M@EVIL.EXAMPLE",
        "m@evil.example.",
        "m+tag@evil.example",
        "m@a.b.evil.example",
        "m@competitor.example",
        "m@bücher.example",
        "m@BÜCHER.example",
        "m@xn--bcher-kva.example",
    ] {
        blocked(&guest(mail), true);
    }
    for mail in [
        "m@notevil.example",
        "m@evil.example.fabrikam.com",
        "evil.example@fabrikam.com",
        "m@sub.competitor.example",
        "m@еvil.example",
        "m@example",
        "m@bucher.example",
    ] {
        blocked(&guest(mail), false);
    }
}

#[test]
fn a_deny_acts_on_every_identity_address() {
    let signs_in = Facts {
        identities: Some(vec![identity("federated", "mail", Some("m@evil.example")), host()]),
        ..guest("alice@fabrikam.com")
    };
    blocked(&signs_in, true);
    blocked(
        &Facts { invited_address: Some("m@evil.example".to_owned()), ..guest("alice@fabrikam.com") },
        true,
    );
    blocked(&Facts { mail: Some("m@evil.example".to_owned()), ..external_member("") }, true);
    blocked(&local_guest("m@evil.example"), true);
}

#[test]
fn a_deny_on_a_secondary_address_alone_only_tells() {
    let others: [fn(&mut Facts); 3] = [
        |facts| facts.other_mails = Some(vec!["m@evil.example".to_owned()]),
        |facts| facts.proxy_addresses = Some(vec!["smtp:m@evil.example".to_owned()]),
        |facts| {
            facts.user_principal_name = Some("al_ice_evil.example#EXT#@contoso.onmicrosoft.com".to_owned())
        },
    ];
    for change in others {
        let mut facts = guest("alice@fabrikam.com");
        change(&mut facts);
        let verdict = judged(&rules(BLOCKED), &facts);
        assert_eq!(verdict.findings.len(), 1);
        assert_eq!(acting(&verdict), [""; 0]);
        let any = rules(&BLOCKED.replace("competitor.example]", "competitor.example], any_address: true"));
        assert_eq!(acting(&judged(&any, &facts)), ["blocked-domain"]);
    }
    let facts = Facts { other_mails: Some(vec!["m@evil.example".to_owned()]), ..guest("alice@fabrikam.com") };
    assert_snapshot!(told(&judged(&rules(BLOCKED), &facts)), @"
    blocked-domain (high, observe) []
      other mail `m@evil.example` matches `evil.example` in list `blocked`
      why: sanctions
      held back: only a secondary address matches, which proves little: `any_address: true` lets the rule act on it
    ");
}

#[test]
fn a_deny_that_acts_on_any_address_is_unknown_where_one_could_not_be_read() {
    let any = rules(&BLOCKED.replace("competitor.example]", "competitor.example], any_address: true"));
    let unread = Facts { other_mails: None, proxy_addresses: None, ..guest("alice@fabrikam.com") };
    assert_snapshot!(told(&judged(&any, &unread)), @"
    blocked-domain (high, enforce) [disable] unknown
      `otherMails` could not be read
      `proxyAddresses` could not be read
      why: sanctions
    ");
    let half = Facts { other_mails: None, ..guest("alice@fabrikam.com") };
    assert!(judged(&any, &half).findings[0].unknown);
    assert_eq!(acting(&judged(&any, &half)), [""; 0]);
    // What was read is enough.
    let other = Facts { other_mails: Some(vec!["m@evil.example".to_owned()]), ..unread.clone() };
    assert_eq!(acting(&judged(&any, &Facts { proxy_addresses: None, ..other })), ["blocked-domain"]);
    assert_eq!(
        acting(&judged(&any, &Facts { mail: Some("m@evil.example".to_owned()), ..unread.clone() })),
        ["blocked-domain"]
    );
    // Elsewhere a secondary address would only be told.
    assert_eq!(judged(&rules(BLOCKED), &unread).findings, []);
}

#[test]
fn the_domain_of_an_ext_name_is_never_looked_at() {
    let facts = Facts {
        user_principal_name: Some("alice_fabrikam.com#EXT#@evil.example".to_owned()),
        ..guest("alice@fabrikam.com")
    };
    assert_eq!(judged(&rules(BLOCKED), &facts).findings, []);
}

#[test]
fn a_finding_says_what_was_seen_in_words() {
    let facts =
        Facts { invited_address: Some("n@mail.evil.example".to_owned()), ..guest("Mallory@Evil.example") };
    assert_snapshot!(told(&judged(&rules(BLOCKED), &facts)), @"
    blocked-domain (high, enforce) [disable]
      mail `mallory@evil.example` matches `evil.example` in list `blocked`
      invited address `n@mail.evil.example` matches `*.evil.example` in list `blocked`
      why: sanctions
    ");
}

#[test]
fn guardrails_speak_of_all_outsiders_unless_they_say_otherwise() {
    let only = rules(
        &BLOCKED.replace("competitor.example]", "competitor.example], kind: [external-member, local-guest]"),
    );
    assert_eq!(judged(&only, &guest("m@evil.example")).findings, []);
    assert_eq!(acting(&judged(&only, &local_guest("m@evil.example"))), ["blocked-domain"]);
    assert_snapshot!(told(&judged(&only, &external_member("m@evil.example"))), @"
    blocked-domain (high, enforce) [disable]
      mail `m@evil.example` matches `evil.example` in list `blocked`
      the account is an external member
      why: sanctions
    ");
    let kind_alone =
        rules("guardrails:\n  - id: no-local-guests\n    if: { kind: local-guest }\n    then: [notify]\n");
    assert_eq!(judged(&kind_alone, &local_guest("")).findings.len(), 1);
    assert_eq!(judged(&kind_alone, &guest("")).findings, []);
}

#[test]
fn an_internal_member_is_nothing_to_judge() {
    let facts = Facts { user_type: Some("Member".to_owned()), ..local_guest("m@evil.example") };
    assert_eq!(kind_of(&facts), Kind::InternalMember);
    let verdict = judged(&rules(&format!("{BLOCKED}{PARTNERS}")), &facts);
    assert_eq!((verdict.subject, verdict.findings.len(), verdict.suspended.len()), (None, 0, 0));
}

#[test]
fn a_guardrail_beats_a_scenario() {
    let policy = rules(&format!("{}{PARTNERS}", BLOCKED.replace("competitor.example", "fabrikam.com")));
    let verdict = judged(&policy, &guest("a@fabrikam.com"));
    assert_eq!(verdict.admitted_by.as_ref().map(model::RuleId::as_str), Some("agency-work"));
    assert_eq!(acting(&verdict), ["blocked-domain"]);
}

#[test]
fn what_could_not_be_read_is_told_and_never_acted_on() {
    let policy = rules(&format!("{BLOCKED}{PARTNERS}"));
    let unread: [(&str, Facts); 6] = [
        ("identities", Facts { identities: None, ..guest("m@evil.example") }),
        ("user type", Facts { user_type: None, ..guest("m@evil.example") }),
        ("verified domains", Facts { verified_domains: None, ..guest("m@evil.example") }),
        ("no address", guest("")),
        ("only our own", guest("alice@contoso.com")),
        ("no mail address", guest("a@b@c.example")),
    ];
    let mut lines = String::new();
    for (what, facts) in &unread {
        let verdict = judged(&policy, facts);
        assert_eq!((acting(&verdict), verdict.wants_standing), (vec![], false), "{what}");
        assert!(verdict.findings.iter().all(|finding| finding.unknown), "{what}");
        lines.push_str(&format!("{what}:\n{}\n", told(&verdict)));
    }
    assert_snapshot!(lines, @"
    identities:
    blocked-domain (high, enforce) [disable] unknown
      mail `m@evil.example` matches `evil.example` in list `blocked`
      the kind of the account is unknown: `identities` could not be read
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      the kind of the account is unknown: `identities` could not be read
    user type:
    blocked-domain (high, enforce) [disable] unknown
      mail `m@evil.example` matches `evil.example` in list `blocked`
      the kind of the account is unknown: `userType` could not be read
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      the kind of the account is unknown: `userType` could not be read
    verified domains:
    blocked-domain (high, enforce) [disable] unknown
      mail `m@evil.example` matches `evil.example` in list `blocked`
      the tenant's verified domains could not be read
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `m@evil.example` is of no partner
      the tenant's verified domains could not be read
    no address:
    blocked-domain (high, enforce) [disable] unknown
      the account has no usable address of another organisation
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      the account has no usable address of another organisation
    only our own:
    blocked-domain (high, enforce) [disable] unknown
      the account has no usable address of another organisation
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      the account has no usable address of another organisation
    no mail address:
    blocked-domain (high, enforce) [disable] unknown
      mail `a@b@c.example` is not a mail address
      why: sanctions
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@b@c.example` is not a mail address
    ");
}

#[test]
fn one_unusable_identity_address_is_enough_to_admit_nobody_and_to_accuse_nobody() {
    let facts = Facts { invited_address: Some("a@b@evil.example".to_owned()), ..guest("a@fabrikam.com") };
    let verdict = judged(&rules(&format!("{BLOCKED}{PARTNERS}")), &facts);
    assert_eq!(verdict.admitted_by, None);
    assert!(verdict.findings.len() == 2 && verdict.findings.iter().all(|finding| finding.unknown));
    // A definite match stays one.
    let facts = Facts { invited_address: Some("a@b@c".to_owned()), ..guest("m@evil.example") };
    assert_eq!(acting(&judged(&rules(BLOCKED), &facts)), ["blocked-domain"]);
}

#[test]
fn a_local_guest_needs_no_address_of_another_organisation() {
    assert_eq!(judged(&rules(BLOCKED), &local_guest("")).findings, []);
}
