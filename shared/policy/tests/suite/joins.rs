//! What a guardrail finds in a guest's groups, and what stays unknown about one of them.

use guestlist_policy::{Facts, Group, Label, Memberships, Relation};
use insta::assert_snapshot;

use crate::world::*;

/// A guardrail that asks this about groups.
pub(crate) fn about(joins: &str) -> String {
    format!("guardrails:\n  - id: closed\n    if: {{ joins: {joins} }}\n    then: [leave-group]\n")
}

#[track_caller]
fn finds(joins: &str, group: &Group, expected: bool) {
    let verdict = judged(&rules(&about(joins)), &joined(vec![member(group.clone())]));
    assert_eq!(verdict.findings.len(), usize::from(expected), "{joins}: {}", told(&verdict));
    assert_eq!(acting(&verdict).len(), usize::from(expected), "{joins}: {}", told(&verdict));
}

#[track_caller]
fn leaves_unknown(joins: &str, group: &Group) {
    let verdict = judged(&rules(&about(joins)), &joined(vec![member(group.clone())]));
    assert_eq!((verdict.findings.len(), acting(&verdict).len()), (1, 0), "{joins}: {}", told(&verdict));
    assert!(verdict.findings.iter().all(|finding| finding.unknown), "{joins}");
}

fn labelled(id: &str, name: Option<&str>) -> Group {
    let label = Label { id: id.to_owned(), name: name.map(str::to_owned) };
    Group { labels: Some(vec![label]), ..group(1, "Finance EU") }
}

const LABEL: &str = "f47ac10b-58cc-4372-a567-0e02b2c3d479";

#[test]
fn a_group_is_found_by_its_id_and_by_no_name_of_it() {
    let id = group_id(1);
    finds(&format!("{{ groups: [{id}] }}"), &group(1, "Finance EU"), true);
    finds(&format!("{{ groups: {id} }}"), &group(1, "Finance EU"), true);
    finds(&format!("{{ groups: {{ id: {id}, name: Something else }} }}"), &group(1, "Finance EU"), true);
    finds(&format!("{{ groups: [{id}] }}"), &group(2, "Finance EU"), false);
    finds(&format!("{{ groups: [{{ id: {id}, name: Finance EU }}] }}"), &group(2, "Finance EU"), false);
    // Nothing of the group has to be read for it.
    finds(&format!("{{ groups: [{id}] }}"), &Group::unread(id), true);
}

#[test]
fn a_group_is_found_by_a_pattern_of_its_whole_name_whatever_the_case() {
    for (pattern, name, expected) in [
        ("Finance *", "Finance EU", true),
        ("finance *", "FINANCE EU", true),
        ("Finance *", "Finance", false),
        ("Finance *", "The Finance EU", false),
        ("'*finance*'", "The Finance EU", true),
        ("Finance ??", "Finance EU", true),
        ("Finance ??", "Finance EMEA", false),
        ("[HR, Finance *]", "Finance EU", true),
        ("[HR, Payroll]", "Finance EU", false),
        ("Finance EU", "Finance EU", true),
        ("Finance EU", "Finance EU 2", false),
        // Looks the same, and is another letter.
        ("Finance *", "Fіnance EU", false),
    ] {
        finds(&format!("{{ name: {pattern} }}"), &group(1, name), expected);
    }
}

#[test]
fn a_group_is_found_by_the_name_or_the_id_of_a_label() {
    let confidential = labelled(LABEL, Some("Confidential"));
    finds("{ label: Confidential }", &confidential, true);
    finds("{ label: [Secret, CONFIDENTIAL] }", &confidential, true);
    finds(&format!("{{ label: {} }}", LABEL.to_uppercase()), &confidential, true);
    finds("{ label: Confidential }", &group(1, "Confidential"), false);
    finds("{ label: Confidential * }", &confidential, false);
    finds("{ label: Public }", &confidential, false);
    // The id is enough where the name could not be read, and a name is not.
    finds(&format!("{{ label: {LABEL} }}"), &labelled(LABEL, None), true);
    leaves_unknown("{ label: Confidential }", &labelled(LABEL, None));
    finds("{ label: 00000000-0000-4000-8000-000000000000 }", &labelled(LABEL, None), false);
}

#[test]
fn a_group_is_found_by_what_it_is() {
    let yes = Some(true);
    let plain = || group(1, "Finance EU");
    finds("{ role_assignable: true }", &plain(), false);
    finds("{ role_assignable: false }", &plain(), true);
    finds("{ team: true }", &Group { team: yes, ..plain() }, true);
    finds("{ team: true }", &plain(), false);
    finds("{ dynamic: false }", &plain(), true);
    finds("{ dynamic: true }", &plain(), false);
    let visible = |word: &str| Group { visibility: Some(word.to_owned()), ..plain() };
    finds("{ visibility: private }", &visible("Private"), true);
    finds("{ visibility: [public, hidden-membership] }", &visible("Hiddenmembership"), true);
    finds("{ visibility: public }", &visible("Private"), false);
    finds("{ visibility: public }", &visible("Somewhat"), false);
    finds("{ any_group: true }", &plain(), true);
    finds("{ any_group: true }", &Group::unread(group_id(1)), true);
}

#[test]
fn a_role_assignable_group_is_found_and_nobody_is_taken_out_of_it() {
    let group = Group { role_assignable: Some(true), ..group(1, "Admins") };
    let verdict = judged(&rules(&about("{ role_assignable: true }")), &joined(vec![member(group)]));
    assert_snapshot!(told(&verdict), @"
    closed (medium, enforce) [leave-group] in Admins
      the account is a member of `Admins`, which is role-assignable
      by hand: `Admins` (77aa0000-0000-4000-8000-000000000001): it is role-assignable, and Guestlist never holds the permission to change such a group; a Privileged Role Administrator must take the account out of it
      refused: `Admins` (77aa0000-0000-4000-8000-000000000001): it is role-assignable, and Guestlist never holds the permission to change such a group; a Privileged Role Administrator must take the account out of it
    ");
}

#[test]
fn keys_are_joined_by_and_and_alternatives_by_or() {
    let both = "{ name: Finance *, label: Confidential }";
    finds(both, &labelled(LABEL, Some("Confidential")), true);
    finds(both, &group(1, "Finance EU"), false);
    finds(both, &Group { name: Some("HR".to_owned()), ..labelled(LABEL, Some("Confidential")) }, false);
    let either = "{ any: [ { name: Finance * }, { label: Confidential } ] }";
    finds(either, &group(1, "Finance EU"), true);
    finds(either, &Group { name: Some("HR".to_owned()), ..labelled(LABEL, Some("Confidential")) }, true);
    finds(either, &group(1, "HR"), false);
    let mixed = "{ visibility: private, any: [ { name: Finance *, team: false }, { label: Confidential } ] }";
    finds(mixed, &group(1, "Finance EU"), true);
    finds(mixed, &Group { visibility: Some("Public".to_owned()), ..group(1, "Finance EU") }, false);
    finds(mixed, &Group { team: Some(true), ..group(1, "Finance EU") }, false);
}

#[test]
fn what_could_not_be_read_is_unknown_only_where_it_decides() {
    let nameless = Group { name: None, ..group(1, "") };
    leaves_unknown("{ name: Finance * }", &nameless);
    leaves_unknown("{ any: [ { name: Finance * }, { label: Confidential } ] }", &nameless);
    finds("{ name: Finance *, label: Confidential }", &nameless, false);
    finds("{ any: [ { name: Finance * }, { visibility: private } ] }", &nameless, true);
    leaves_unknown("{ label: Confidential }", &Group { labels: None, ..group(1, "Finance EU") });
    leaves_unknown("{ role_assignable: true }", &Group { role_assignable: None, ..group(1, "Finance EU") });
    leaves_unknown("{ team: false }", &Group { team: None, ..group(1, "Finance EU") });
    leaves_unknown("{ dynamic: true }", &Group { dynamic: None, ..group(1, "Finance EU") });
    leaves_unknown("{ visibility: private }", &Group { visibility: None, ..group(1, "Finance EU") });
    // Only Microsoft 365 groups have a visibility.
    let security =
        Group { visibility: None, unified: Some(false), mail_enabled: Some(false), ..group(1, "x") };
    finds("{ visibility: private }", &security, false);
}

#[test]
fn one_group_that_is_unknown_says_nothing_about_another() {
    let policy = rules(&about("{ any: [ { name: Finance * }, { label: Confidential } ] }"));
    let memberships = vec![
        member(group(3, "Holidays")),
        member(Group { labels: None, ..group(2, "Projects") }),
        member(group(1, "Finance EU")),
        member(Group { name: None, ..labelled(LABEL, Some("Confidential")) }),
    ];
    let memberships = memberships.into_iter().map(|mut membership| {
        if membership.group.name.is_none() {
            membership.group.id = group_id(4);
        }
        membership
    });
    assert_snapshot!(told(&judged(&policy, &joined(memberships.collect()))), @"
    closed (medium, enforce) [leave-group] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      plan: leave 1
    closed (medium, enforce) [leave-group] in Projects unknown
      the account is a member of `Projects`
      the group's labels could not be read
      plan: leave 2
    closed (medium, enforce) [leave-group] in ?
      the account is a member of the group 77aa0000-0000-4000-8000-000000000004, whose label is `Confidential`
      plan: leave 4
    ");
}

#[test]
fn members_are_meant_unless_owners_are_and_one_group_is_one_finding() {
    let with = |relation: &str| {
        rules(&format!(
            "guardrails:\n  - id: closed\n    if: {{ joins: {{ name: Finance * }}{relation} }}\n    then: [notify]\n"
        ))
    };
    let finance = || group(1, "Finance EU");
    let count = |policy: &_, memberships| judged(policy, &joined(memberships)).findings.len();
    for (relation, as_member, as_owner) in
        [("", 1, 0), (", as: member", 1, 0), (", as: owner", 0, 1), (", as: [member, owner]", 1, 1)]
    {
        let policy = with(relation);
        assert_eq!(count(&policy, vec![member(finance())]), as_member, "{relation}");
        assert_eq!(count(&policy, vec![owner(finance())]), as_owner, "{relation}");
        assert_eq!(count(&policy, vec![owner(finance()), member(finance())]), 1, "{relation}");
    }
    let both = joined(vec![owner(finance()), member(finance())]);
    assert_snapshot!(told(&judged(&with(", as: [owner, member]"), &both)), @"
    closed (medium, enforce) [notify] in Finance EU
      the account is a member of `Finance EU`, whose name matches `Finance *`
      the account owns `Finance EU`, whose name matches `Finance *`
    ");
}

#[test]
fn the_rest_of_the_if_is_about_the_guest() {
    let policy = |rest: &str| {
        rules(&format!(
            "guardrails:\n  - id: closed\n    if: {{ joins: {{ name: Finance * }}, {rest} }}\n    then: [leave-group]\n"
        ))
    };
    let finance = || vec![member(group(1, "Finance EU"))];
    let of = |mail: &str| Facts { memberships: Memberships::Known(finance()), ..guest(mail) };
    let consumers = policy("domain: [mail.example], kind: guest");
    assert_snapshot!(told(&judged(&consumers, &of("m@mail.example"))), @"
    closed (medium, enforce) [leave-group] in Finance EU
      mail `m@mail.example` matches `mail.example`
      the account is a guest
      the account is a member of `Finance EU`, whose name matches `Finance *`
      plan: leave 1
    ");
    assert_eq!(judged(&consumers, &of("a@fabrikam.com")).findings, []);
    let local = policy("kind: local-guest");
    assert_eq!(judged(&local, &of("m@mail.example")).findings, []);
    assert!(!judged(&local, &guest("m@mail.example")).wants_memberships);
    // A secondary address proves too little for this, too.
    let second = Facts { other_mails: Some(vec!["m@mail.example".to_owned()]), ..of("a@fabrikam.com") };
    assert_snapshot!(told(&judged(&consumers, &second)), @"
    closed (medium, observe) [] in Finance EU
      other mail `m@mail.example` matches `mail.example`
      the account is a guest
      the account is a member of `Finance EU`, whose name matches `Finance *`
      held back: only a secondary address matches, which proves little: `any_address: true` lets the rule act on it
    ");
    // What is unknown about the guest is unknown about each of his groups.
    let unread = Facts { identities: None, ..of("m@mail.example") };
    assert!(judged(&consumers, &unread).findings.iter().all(|finding| finding.unknown));
    assert_eq!(judged(&consumers, &unread).findings.len(), 1);
}

#[test]
fn groups_that_were_not_read_are_asked_for_and_those_that_cannot_be_are_told_once() {
    let policy = rules(&format!("{}{BLOCKED_LEAVES}", about("{ name: Finance * }")));
    let unread = Facts { memberships: Memberships::Unread, ..guest("a@fabrikam.com") };
    let verdict = judged(&policy, &unread);
    assert_eq!((verdict.wants_memberships, verdict.wants_standing, verdict.findings.len()), (true, false, 0));
    let read = Facts { memberships: Memberships::Known(Vec::new()), ..unread.clone() };
    assert!(!judged(&policy, &read).wants_memberships);
    let why = "403 from Graph".to_owned();
    let unreadable = Facts { memberships: Memberships::Unreadable { why }, ..unread };
    let verdict = judged(&policy, &unreadable);
    assert!(!verdict.wants_memberships);
    assert_snapshot!(told(&verdict), @"
    closed (medium, enforce) [leave-group] unknown
      the groups of the account could not be read (403 from Graph)
    ");
}

const BLOCKED_LEAVES: &str = "
  - id: blocked-domain
    if: { domain: evil.example }
    then: [disable, leave-groups]
";

#[test]
fn a_rule_that_only_leaves_groups_asks_for_them_where_it_finds_something() {
    let policy = rules(&format!("guardrails:{BLOCKED_LEAVES}"));
    let unread = |mail: &str| Facts { memberships: Memberships::Unread, ..guest(mail) };
    assert!(policy.looks_at_groups());
    assert!(!judged(&policy, &unread("a@fabrikam.com")).wants_memberships);
    let verdict = judged(&policy, &unread("m@evil.example"));
    assert!(verdict.wants_memberships);
    // Half of it is not done before the rest is known.
    assert_snapshot!(told(&verdict), @"
    blocked-domain (medium, enforce) [disable, leave-groups]
      mail `m@evil.example` matches `evil.example`
      refused: the groups of the account have not been read
    ");
    let why = "403 from Graph".to_owned();
    let unreadable = Facts { memberships: Memberships::Unreadable { why }, ..guest("m@evil.example") };
    assert_snapshot!(told(&judged(&policy, &unreadable)), @"
    blocked-domain (medium, enforce) [disable, leave-groups]
      mail `m@evil.example` matches `evil.example`
      by hand: the groups of the account could not be read (403 from Graph): a person must take it out of them
    ");
}

#[test]
fn the_relation_reads_as_its_word() {
    assert_eq!(
        (Relation::Member.to_string(), Relation::Owner.to_string()),
        ("member".into(), "owner".into())
    );
}
