//! What of a group a policy looks at.

use guestlist_policy::{Group, GroupView, Label, Policy};
use insta::assert_snapshot;

use crate::world::*;

const LOOKS: &str = "
protect: { groups: [Board] }
guardrails:
  - id: finance
    if: { joins: { name: Finance * } }
    then: [leave-group]
  - id: confidential
    if: { joins: { label: Confidential } }
    then: [leave-group]
  - id: teams
    if: { joins: { team: true } }
    then: [notify]
scenarios:
  - id: agency-work
    admits: { kind: guest }
    joins: { groups: [77aa0000-0000-4000-8000-000000000001, Campaign] }
otherwise:
  membership: { then: [leave-group] }
";

fn view(group: &Group) -> GroupView {
    rules(LOOKS).group_view(group)
}

#[test]
fn a_view_changes_with_what_the_policy_looks_at_and_with_nothing_else() {
    let before = group(4, "Projects");
    let same = |after: Group| assert_eq!(view(&before).to_string(), view(&after).to_string());
    same(Group { name: Some("Holidays".to_owned()), ..before.clone() });
    same(Group { visibility: Some("Public".to_owned()), ..before.clone() });
    same(Group {
        labels: Some(vec![Label { id: "1".to_owned(), name: Some("Public".to_owned()) }]),
        ..before.clone()
    });
    let yes = Some(true);
    let label = Label { id: "2".to_owned(), name: Some("confidential".to_owned()) };
    let named = |name: &str| Group { name: Some(name.to_owned()), ..before.clone() };
    let changed = [
        before.clone(),
        named("Finance EU"),
        named("board"),
        named("Campaign"),
        Group { name: None, ..before.clone() },
        Group { labels: Some(vec![label]), ..before.clone() },
        Group { team: yes, ..before.clone() },
        Group { team: None, ..before.clone() },
        Group { dynamic: yes, ..before.clone() },
        Group { on_premises_synced: yes, ..before.clone() },
        Group { id: group_id(1), ..before.clone() },
    ];
    let lines: Vec<String> = changed.iter().map(|group| view(group).to_string()).collect();
    for (n, (one, text)) in changed.iter().zip(&lines).enumerate() {
        for (other, other_text) in changed.iter().zip(&lines).skip(n + 1) {
            assert_ne!(view(one), view(other));
            assert_ne!(text, other_text);
        }
    }
    assert_snapshot!(lines.join("\n"), @r#"
    rules=? nameless=? unread=? covered= protected=false dynamic=no members=- owners=- names={}
    rules=finance? nameless=finance? unread=finance? covered= protected=false dynamic=no members=- owners=- names={}
    rules=? nameless=? unread=? covered= protected=true dynamic=no members=- owners=- names={"Board"}
    rules=? nameless=? unread=? covered=agency-work protected=false dynamic=no members=- owners=- names={"Campaign"}
    rules=?finance nameless=?finance unread=?finance covered= protected=false dynamic=no members=- owners=- names={}
    rules=confidential? nameless=confidential? unread=confidential? covered= protected=false dynamic=no members=- owners=- names={}
    rules=teams? nameless=teams? unread=teams? covered= protected=false dynamic=no members=- owners=- names={}
    rules=?teams nameless=?teams unread=?teams covered= protected=false dynamic=no members=- owners=- names={}
    rules=? nameless=? unread=? covered= protected=false dynamic=yes members=dynamic owners=- names={}
    rules=? nameless=? unread=? covered= protected=false dynamic=no members=on-premises owners=on-premises names={}
    rules=? nameless=? unread=? covered=agency-work protected=false dynamic=no members=- owners=- names={}
    "#);
}

#[test]
fn a_policy_looks_at_groups_only_where_a_rule_does() {
    let looks = |text: &str| -> bool { rules(text).looks_at_groups() };
    assert!(!looks(BLOCKED));
    assert!(!looks(PARTNERS));
    assert!(!looks(&format!("protect: {{ groups: [Board] }}\n{BLOCKED}")));
    assert!(looks(&BLOCKED.replace("[disable]", "[disable, leave-groups]")));
    assert!(looks(LOOKS));
    assert!(looks(&PARTNERS.replace("guest: {", "membership: {")));
}

#[test]
fn the_rules_about_groups_read_as_sentences() {
    let text = format!(
        "{}
  - id: all-of-it
    if: {{ kind: guest, joins: {{ groups: [{}, Payroll], visibility: [private, hidden-membership], role_assignable: true, any: [ {{ name: [A*, B?] }}, {{ dynamic: false, team: false }} ] }}, as: [owner, member] }}
    then: [disable, leave-group]
    mode: ask
  - id: guests-own-nothing
    if: {{ joins: {{ any_group: true }}, as: owner }}
    then: [drop-ownership]
",
        LOOKS.replace("scenarios:", "scenariox:").split("scenariox:").next().unwrap(),
        group_id(7)
    );
    let rest = LOOKS.split_once("scenarios:").unwrap().1;
    let policy: Policy = rules(&format!("{text}scenarios:{rest}"));
    let rules = policy.rules();
    let lines = rules.iter().map(|rule| format!("{} ({}): {}", rule.id, rule.mode, rule.description));
    let scenarios = policy.scenarios();
    let lines =
        lines.chain(scenarios.iter().map(|scenario| format!("{}: {}", scenario.id, scenario.description)));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    finance (enforce): if the account is a member of a group whose name matches `Finance *`: leave-group
    confidential (enforce): if the account is a member of a group whose label is `Confidential`: leave-group
    teams (enforce): if the account is a member of a group that is a team: notify
    all-of-it (ask): if the kind is guest and the account is a member of or owns a group that is `77aa0000-0000-4000-8000-000000000007` or `Payroll` and that is role-assignable and whose visibility is private or hidden-membership and (whose name matches `A*` or `B?`, or that is not a team and that is not dynamic): disable, leave-group
    guests-own-nothing (enforce): if the account owns any group: drop-ownership
    otherwise.membership (enforce): if no scenario that admits the guest covers the group: leave-group
    agency-work: admits guest to the group `77aa0000-0000-4000-8000-000000000001` or `Campaign`
    ");
    let permissions: Vec<&str> = policy.write_permissions().iter().map(|permission| permission.0).collect();
    assert_snapshot!(permissions.join(" "), @"Group.ReadWrite.All GroupMember.Read.All GroupMember.ReadWrite.All User.EnableDisableAccount.All User.Read.All");
}
