//! Who invited a guest: what a guardrail finds about it, whom it admits, and what a hint is worth.

use std::collections::BTreeSet;

use guestlist_policy::{Facts, InvitedBy, Inviter, InviterKind, Memberships, Named, Standing};
use insta::assert_snapshot;
use model::{ObjectId, SponsorName};

use crate::world::*;

pub(crate) const BOB: ObjectId = ObjectId::from_u128(0xb0b);

pub(crate) fn bob() -> InvitedBy {
    InvitedBy {
        id: Some(BOB),
        name: Some("Bob".to_owned()),
        kind: Some(InviterKind::InternalMember),
        addresses: Some(vec!["bob@contoso.com".to_owned()]),
        groups: Some(BTreeSet::from([group_id(1)])),
        ..InvitedBy::unread()
    }
}

pub(crate) fn by(inviter: InvitedBy) -> Facts {
    Facts { inviter: Inviter::Audit(inviter), ..guest("a@fabrikam.com") }
}

fn hinted(sponsors: Vec<InvitedBy>) -> Facts {
    Facts { inviter: Inviter::Sponsors(sponsors), ..guest("a@fabrikam.com") }
}

fn unread() -> Facts {
    guest("a@fabrikam.com")
}

pub(crate) fn guardrail(inviter: &str) -> guestlist_policy::Policy {
    rules(&format!(
        "lists:\n  blocked: {{ entries: [evil.example] }}\nguardrails:\n  - id: x\n    if: {{ inviter: {{ {inviter} }} }}\n    \
         then: [disable]\n"
    ))
}

/// What the rule does about a proven inviter: yes, no or unknown.
#[track_caller]
pub(crate) fn check(inviter: &str, by: &InvitedBy, expected: Option<bool>) {
    let verdict = judged(&guardrail(inviter), &Facts { inviter: Inviter::Audit(by.clone()), ..unread() });
    let found = match verdict.findings.as_slice() {
        [] => Some(false),
        [finding] if finding.unknown => None,
        [finding] => Some(finding.acts()),
        several => panic!("{several:?}"),
    };
    assert_eq!(found, expected, "{inviter} {by:?} {}", told(&verdict));
    assert!(!verdict.wants_inviter);
}

#[test]
fn an_inviter_is_met_by_kind_domain_id_and_group_and_by_all_that_is_written() {
    let of = |kind| InvitedBy { kind: Some(kind), ..bob() };
    check("kind: guest", &of(InviterKind::Guest), Some(true));
    check("kind: [guest, app]", &of(InviterKind::App), Some(true));
    check("kind: guest", &bob(), Some(false));
    check("kind: internal-member", &bob(), Some(true));
    check("domain: contoso.com", &bob(), Some(true));
    check("domain: [blocked, '*.contoso.com']", &bob(), Some(false));
    check(
        "domain: blocked",
        &InvitedBy { addresses: Some(vec!["m@EVIL.example.".to_owned()]), ..bob() },
        Some(true),
    );
    check(
        "domain: contoso.com",
        &InvitedBy { addresses: Some(Vec::new()), ..of(InviterKind::App) },
        Some(false),
    );
    check(&format!("ids: [{BOB}]"), &bob(), Some(true));
    check(&format!("ids: [{ALICE}]"), &bob(), Some(false));
    check(&format!("group: {}", group_id(1)), &bob(), Some(true));
    check(&format!("group: [{}, {}]", group_id(3), group_id(2)), &bob(), Some(false));
    check("kind: internal-member, domain: contoso.com", &bob(), Some(true));
    check("kind: guest, domain: contoso.com", &bob(), Some(false));
    // The name of a guest in our own tenant says nothing of where he is from.
    let ext = vec!["m_evil.example#EXT#@contoso.com".to_owned(), "m@evil.example".to_owned()];
    check("domain: contoso.com", &InvitedBy { addresses: Some(ext), ..bob() }, Some(false));
}

#[test]
fn what_was_not_read_of_an_inviter_is_unknown_unless_something_else_says_no() {
    check("kind: guest", &InvitedBy { kind: None, ..bob() }, None);
    check("domain: evil.example", &InvitedBy { addresses: None, ..bob() }, None);
    check("domain: evil.example", &InvitedBy { addresses: Some(Vec::new()), ..bob() }, None);
    check("domain: evil.example", &InvitedBy { addresses: Some(vec!["bob".to_owned()]), ..bob() }, None);
    check(&format!("ids: [{ALICE}]"), &InvitedBy { id: None, ..bob() }, None);
    check(&format!("group: {}", group_id(2)), &InvitedBy { groups: None, ..bob() }, None);
    check("group: Sales", &bob(), None);
    check("kind: guest, domain: contoso.com", &InvitedBy { addresses: None, ..bob() }, Some(false));
    check("kind: internal-member, domain: contoso.com", &InvitedBy::unread(), None);
}

#[test]
fn a_group_of_inviters_is_meant_by_a_name_that_one_group_bears() {
    let policy = guardrail("group: Sales");
    let named = |named| Facts { named_groups: [("Sales".to_owned(), named)].into(), ..by(bob()) };
    assert_eq!(policy.group_names(), BTreeSet::from(["Sales".to_owned()]));
    assert_eq!(acting(&judged(&policy, &named(Named::One(group_id(1))))), ["x"]);
    assert_eq!(judged(&policy, &named(Named::One(group_id(2)))).findings, []);
    assert_eq!(judged(&policy, &named(Named::Nobody)).findings, []);
    assert_eq!(judged(&policy, &named(Named::Several(vec![group_id(2), group_id(3)]))).findings, []);
    let several = judged(&policy, &named(Named::Several(vec![group_id(1), group_id(3)])));
    assert_snapshot!(told(&several), @"
    x (medium, enforce) [disable] unknown
      ambiguous: 2 groups are called `Sales` (77aa0000-0000-4000-8000-000000000001, 77aa0000-0000-4000-8000-000000000003): write the id of the one that is meant (`guestlist resolve` lists them)
    ");
    assert!(judged(&policy, &named(Named::Unread { why: "429".to_owned() })).findings[0].unknown);
}

#[test]
fn a_proven_inviter_is_acted_on_and_told_with_what_was_met() {
    let policy = guardrail(&format!(
        "kind: internal-member, domain: [contoso.com], ids: [{BOB}], group: {}",
        group_id(1)
    ));
    assert_snapshot!(told(&judged(&policy, &by(bob()))), @"
    x (medium, enforce) [disable]
      the inviter `bob@contoso.com` is an internal member
      the inviter `bob@contoso.com` is named by its id `00000000-0000-0000-0000-000000000b0b`
      the inviter's address `bob@contoso.com` matches `contoso.com`
      the inviter `bob@contoso.com` is a member of `77aa0000-0000-4000-8000-000000000001`
    ");
    let nameless = InvitedBy { addresses: Some(Vec::new()), ..bob() };
    assert_snapshot!(told(&judged(&guardrail("kind: internal-member"), &by(nameless))), @"
    x (medium, enforce) [disable]
      the inviter `Bob` is an internal member
    ");
    let app = InvitedBy { id: Some(BOB), kind: Some(InviterKind::App), ..InvitedBy::unread() };
    assert_snapshot!(told(&judged(&guardrail("kind: app"), &by(app))), @"
    x (medium, enforce) [disable]
      the inviter 00000000-0000-0000-0000-000000000b0b is an app
    ");
}

#[test]
fn what_only_a_sponsor_is_tells_and_does_not_act() {
    let policy = guardrail("kind: guest");
    let carol = InvitedBy { kind: Some(InviterKind::Guest), ..bob() };
    assert_snapshot!(told(&judged(&policy, &hinted(vec![bob(), carol.clone()]))), @"
    x (medium, observe) []
      the sponsor `bob@contoso.com` is a guest
      held back: only a sponsor matches, whom the inviter could choose: the directory audit does not say who invited
    ");
    // That no sponsor is one proves nothing either.
    assert_snapshot!(told(&judged(&policy, &hinted(vec![bob()]))), @"
    x (medium, enforce) [disable] unknown
      who invited the account is not proven: the directory audit does not say it, and a sponsor is only a hint
    ");
    assert_eq!(told(&judged(&policy, &hinted(Vec::new()))), told(&judged(&policy, &hinted(vec![bob()]))));
    // The gentlest of all that was met decides.
    let both = rules(
        "guardrails:\n  - id: x\n    if: { domain: evil.example, inviter: { kind: guest } }\n    then: [disable]\n",
    );
    let facts = Facts { other_mails: Some(vec!["m@evil.example".to_owned()]), ..hinted(vec![carol]) };
    assert_snapshot!(told(&judged(&both, &facts)), @"
    x (medium, observe) []
      other mail `m@evil.example` matches `evil.example`
      the sponsor `bob@contoso.com` is a guest
      held back: only a secondary address matches, which proves little: `any_address: true` lets the rule act on it
      held back: only a sponsor matches, whom the inviter could choose: the directory audit does not say who invited
    ");
}

#[test]
fn an_inviter_who_is_not_known_is_told_and_asked_for_only_where_it_matters() {
    let policy = guardrail("kind: guest");
    let verdict = judged(&policy, &unread());
    assert_snapshot!(told(&verdict), @"
    x (medium, enforce) [disable] unknown
      who invited the account has not been read
    ");
    assert!(verdict.wants_inviter && !verdict.wants_standing && policy.looks_at_inviters());
    let gone =
        Facts { inviter: Inviter::Unreadable { why: "the audit keeps 30 days".to_owned() }, ..unread() };
    let verdict = judged(&policy, &gone);
    assert_snapshot!(told(&verdict), @"
    x (medium, enforce) [disable] unknown
      who invited the account is not known (the audit keeps 30 days)
    ");
    assert!(!verdict.wants_inviter);
    let text = "guardrails:\n  - id: x\n    if: { domain: evil.example, inviter: { kind: guest } }\n    then: [disable]\n";
    assert!(!judged(&rules(text), &unread()).wants_inviter);
    assert!(judged(&rules(text), &guest("m@evil.example")).wants_inviter);
    assert!(
        !judged(&rules(BLOCKED), &guest("m@evil.example")).wants_inviter
            && !rules(BLOCKED).looks_at_inviters()
    );
    // A suspended rule does nothing, whoever invited.
    let excepted = format!("{text}exceptions:\n  - guest: {ALICE}\n    from: [x]\n    until: 2027-01-01\n");
    let verdict = judged(&rules(&excepted), &guest("m@evil.example"));
    assert_eq!((verdict.suspended.len(), verdict.wants_inviter), (1, false));
}

#[test]
fn a_rule_about_groups_and_inviters_asks_for_the_groups_first() {
    let policy = rules(
        "guardrails:\n  - id: x\n    if: { inviter: { kind: guest }, joins: { name: Finance * } }\n    then: [leave-group]\n",
    );
    let first = judged(&policy, &Facts { memberships: Memberships::Unread, ..unread() });
    assert_eq!((first.wants_memberships, first.wants_inviter, first.findings.len()), (true, false, 0));
    assert!(!judged(&policy, &joined(vec![member(group(1, "Holidays"))])).wants_inviter);
    let met = joined(vec![member(group(1, "Finance EU"))]);
    let second = judged(&policy, &met);
    assert!(second.wants_inviter && second.findings[0].unknown);
    let inviter = Inviter::Audit(InvitedBy { kind: Some(InviterKind::Guest), ..bob() });
    assert_eq!(acting(&judged(&policy, &Facts { inviter, ..met })), ["x"]);
    let unreadable = Facts { memberships: Memberships::Unreadable { why: "403".to_owned() }, ..unread() };
    assert!(judged(&policy, &unreadable).wants_inviter);
}

/// A scenario for those whom certain people invited.
pub(crate) fn scenario(admits: &str) -> guestlist_policy::Policy {
    rules(&format!(
        "partners:\n  fabrikam: {{ domains: [fabrikam.com] }}\n  northwind: {{ domains: [northwind.example] }}\nscenarios:\n  - id: agency-work\n    \
         admits: {{ partners: [fabrikam], {admits} }}\notherwise:\n  guest: {{ then: [disable] }}\n"
    ))
}

#[test]
fn a_scenario_admits_whom_a_proven_inviter_of_its_own_invited() {
    let policy = scenario(&format!("inviters: {{ kind: internal-member, group: {} }}", group_id(1)));
    let verdict = judged(&policy, &by(bob()));
    assert_eq!((verdict.findings.len(), verdict.admitted_by.unwrap().as_str()), (0, "agency-work"));
    let stranger = InvitedBy { groups: Some(BTreeSet::new()), ..bob() };
    assert_snapshot!(told(&judged(&policy, &by(stranger))), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@fabrikam.com` is of partner `fabrikam`
      the inviter `bob@contoso.com` is not one of those whom scenario `agency-work` asks for
    ");
    let half = InvitedBy { groups: None, ..bob() };
    assert_snapshot!(told(&judged(&policy, &by(half))), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      the groups of the inviter `bob@contoso.com` could not be read
    ");
}

#[test]
fn to_admit_every_address_of_the_inviter_must_be_of_the_domains() {
    let policy = scenario("inviters: { domain: [contoso.com, '*.contoso.com'] }");
    let with = |all: &[&str]| {
        let addresses = Some(all.iter().map(ToString::to_string).collect());
        let verdict = judged(&policy, &by(InvitedBy { addresses, ..bob() }));
        (verdict.admitted_by.is_some(), acting(&verdict).len())
    };
    assert_eq!(with(&["bob@contoso.com", "bob@eu.contoso.com"]), (true, 0));
    assert_eq!(with(&["bob@contoso.com", "bob@evil.example"]), (false, 1));
    assert_eq!(with(&["bob@notcontoso.com"]), (false, 1));
    assert_eq!(with(&["bob@contoso.com", "bob@a@b"]), (false, 0));
    assert_eq!(with(&[]), (false, 0));
    assert_eq!(with(&["m_evil.example#EXT#@contoso.com"]), (false, 0));
}

#[test]
fn a_sponsor_admits_nobody_and_nor_does_a_name_that_nobody_bears() {
    let policy = scenario("inviters: { kind: internal-member }");
    let verdict = judged(&policy, &hinted(vec![bob()]));
    assert_snapshot!(told(&verdict), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      who invited the account is not proven: the directory audit does not say it, and a sponsor is only a hint
    ");
    assert_eq!((verdict.admitted_by, verdict.wants_inviter), (None, false));
    let named = scenario("inviters: { group: Sales }");
    for meaning in [
        Named::Nobody,
        Named::Several(vec![group_id(1), group_id(2)]),
        Named::Unread { why: "429".to_owned() },
    ] {
        let facts = Facts { named_groups: [("Sales".to_owned(), meaning)].into(), ..by(bob()) };
        let verdict = judged(&named, &facts);
        assert!(verdict.admitted_by.is_none() && verdict.findings[0].unknown, "{}", told(&verdict));
    }
}

#[test]
fn a_scenario_asks_for_the_inviter_only_where_nothing_else_decides() {
    let policy = scenario("inviters: { kind: internal-member }");
    let verdict = judged(&policy, &unread());
    assert_snapshot!(told(&verdict), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      who invited the account has not been read
    ");
    assert!(verdict.wants_inviter);
    let stranger = judged(&policy, &guest("m@evil.example"));
    assert_eq!((acting(&stranger), stranger.wants_inviter), (vec!["otherwise.guest"], false));
    let also = rules(
        "scenarios:\n  - id: a\n    admits: { inviters: { kind: internal-member } }\n    joins: { groups: 77aa0000-0000-4000-8000-000000000001 }\n  \
         - id: b\n    admits: { kind: guest }\n    joins: { groups: 77aa0000-0000-4000-8000-000000000002 }\n\
         otherwise:\n  guest: { then: [disable] }\n  membership: { then: [leave-group] }\n",
    );
    // Another admits, and no group depends on the inviter.
    assert!(!judged(&also, &joined(vec![member(group(2, "b"))])).wants_inviter);
    assert_eq!(acting(&judged(&also, &joined(vec![member(group(3, "c"))]))), ["otherwise.membership"]);
    let depends = judged(&also, &joined(vec![member(group(1, "a")), member(group(3, "c"))]));
    assert!(depends.wants_inviter && depends.findings[0].unknown);
    assert_eq!(acting(&depends), ["otherwise.membership"]);
}

#[test]
fn a_scenario_asks_for_sponsors_and_counts_nobody_twice() {
    let policy = scenario("sponsors: 2");
    let sponsor = |id| SponsorName { id: ObjectId::from_u128(id), name: None };
    let with = |sponsors: Option<Vec<SponsorName>>| Facts { sponsors, ..unread() };
    assert_eq!(judged(&policy, &with(Some(vec![sponsor(1), sponsor(2)]))).findings, []);
    assert_snapshot!(told(&judged(&policy, &with(Some(vec![sponsor(1), sponsor(1)])))), @"
    otherwise.guest (medium, enforce) [disable]
      no scenario admits the account
      mail `a@fabrikam.com` is of partner `fabrikam`
      the account has 1 sponsor, and scenario `agency-work` asks for 2
    ");
    assert_snapshot!(told(&judged(&policy, &with(None))), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      the sponsors of the account could not be read
    ");
}

#[test]
fn the_facts_about_a_user_are_those_of_an_inviter() {
    let of = |facts: &Facts| {
        let InvitedBy { id, name, kind, addresses, groups, early, doubted } = InvitedBy::user(facts);
        assert_eq!((id, name), (Some(facts.id), facts.name.clone()));
        assert_eq!((early, doubted.len()), (false, 0));
        (kind, addresses, groups)
    };
    let carol = Facts { standing: standing(&[group_id(1)]), ..guest("carol@fabrikam.com") };
    let addresses = Some(vec!["carol@fabrikam.com".to_owned()]);
    assert_eq!(
        of(&carol),
        (Some(InviterKind::Guest), addresses.clone(), Some(BTreeSet::from([group_id(1)])))
    );
    let member = Facts {
        user_type: Some("Member".to_owned()),
        user_principal_name: Some("Bob@contoso.com".to_owned()),
        mail: Some("bob@Contoso.com".to_owned()),
        standing: Standing::Unread,
        ..local_guest("")
    };
    assert_eq!(
        of(&member),
        (Some(InviterKind::InternalMember), Some(vec!["bob@Contoso.com".to_owned()]), None)
    );
    let ext = Facts { user_principal_name: Some("carol_fabrikam.com#EXT#@contoso.com".to_owned()), ..carol };
    assert_eq!(of(&ext).1, addresses);
    assert_eq!(of(&external_member("c@fabrikam.com")).0, Some(InviterKind::ExternalMember));
    assert_eq!(of(&local_guest("c@fabrikam.com")).0, Some(InviterKind::LocalGuest));
    assert_eq!(of(&Facts::unread(ALICE)), (None, None, None));
}

#[test]
fn an_inviter_is_kept_as_text_and_read_back() {
    let app = InvitedBy { kind: Some(InviterKind::App), ..InvitedBy::unread() };
    let early = InvitedBy { early: true, doubted: [group_id(3)].into(), ..bob() };
    for by in [bob(), app, early] {
        let text = serde_json::to_string(&by).unwrap();
        assert_eq!(serde_json::from_str::<InvitedBy>(&text).unwrap(), by);
    }
}
