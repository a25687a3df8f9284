//! The action `delete`: what it plans, for whom, and what may not stand beside it.

use guestlist_policy::{Standing, protection};
use insta::assert_snapshot;
use model::{Action, GuestKind, Mode, Step};

use crate::mistakes::wrong;
use crate::world::*;

fn rule(conditions: &str, then: &str) -> String {
    format!("guardrails:\n  - id: x\n    if: {{ {conditions} }}\n    then: [{then}]\n")
}

#[test]
fn a_deletion_is_the_whole_plan_of_its_rule_also_where_the_rule_is_about_a_group() {
    let facts = joined(vec![member(group(1, "Finance EU")), owner(group(2, "HR"))]);
    for conditions in ["domain: fabrikam.com", "joins: { name: Finance * }", "joins: { name: HR }, as: owner"]
    {
        let policy = rules(&rule(conditions, "notify, delete"));
        let finding = &judged(&policy, &facts).findings[0];
        assert_eq!(finding.plan.steps, [Step::Delete { user: ALICE }], "{conditions}");
        assert!(finding.acts() && finding.by_hand.is_empty(), "{conditions}");
    }
}

#[test]
fn what_a_deletion_takes_with_it_is_needless_beside_it() {
    assert_snapshot!(wrong(&rule("domain: evil.example", "disable, delete, leave-groups, notify")), @"
    policy.yaml:6:12: `delete` takes the sign-in, the memberships and the ownerships with the account: remove `disable`
    policy.yaml:6:29: `delete` takes the sign-in, the memberships and the ownerships with the account: remove `leave-groups`
    ");
    assert_snapshot!(wrong(&rule("joins: { name: a }, as: [member, owner]", "delete, leave-group, drop-ownership")), @"
    policy.yaml:6:20: `delete` takes the sign-in, the memberships and the ownerships with the account: remove `leave-group`
    policy.yaml:6:33: `delete` takes the sign-in, the memberships and the ownerships with the account: remove `drop-ownership`
    ");
    assert_snapshot!(wrong(&rule("domain: evil.example", "delet")), @"policy.yaml:6:12: unknown action `delet`: did you mean `delete`?");
}

#[test]
fn holders_of_roles_are_refused_and_so_is_whoever_has_a_standing_that_was_not_read() {
    let policy = rules(&rule("domain: fabrikam.com", "delete"));
    let mut facts = guest("alice@fabrikam.com");
    facts.standing = Standing::Unread;
    let verdict = judged(&policy, &facts);
    assert!(verdict.wants_standing && !verdict.findings[0].acts());
    facts.standing = Standing::Known {
        directory_roles: vec!["User Administrator".to_owned()],
        role_assignable_groups: Vec::new(),
        groups: std::collections::BTreeSet::new(),
    };
    let verdict = judged(&policy, &facts);
    assert_eq!(verdict.findings[0].refused, protection(&policy, &facts));
    assert!(verdict.findings[0].refused.is_some());
}

#[test]
fn only_accounts_from_outside_are_deleted() {
    let policy = rules(&rule("kind: [guest, external-member, local-guest]", "delete"));
    let mut facts = guest("alice@fabrikam.com");
    for (user_type, identities, kind) in [
        ("Guest", vec![identity("federated", "ExternalAzureAD", None)], Some(GuestKind::Guest)),
        ("Member", vec![identity("federated", "ExternalAzureAD", None)], Some(GuestKind::ExternalMember)),
        ("Guest", vec![host()], Some(GuestKind::LocalGuest)),
        ("Member", vec![host()], None),
    ] {
        facts.creation_type = None;
        facts.external_user_state = None;
        (facts.user_type, facts.identities) = (Some(user_type.to_owned()), Some(identities));
        let verdict = judged(&policy, &facts);
        assert_eq!(verdict.subject.as_ref().map(|subject| subject.kind), kind);
        assert_eq!(verdict.findings.len(), usize::from(kind.is_some()), "{kind:?}");
    }
}

#[test]
fn the_policy_s_own_tests_expect_it_and_the_consent_list_names_its_permission() {
    let tests = "tests:\n  - name: gone\n    guest: { mail: m@evil.example }\n    expect: { x: [delete] }\n  - name: not gone\n    guest: { mail: m@evil.example }\n    expect: { x: [disable] }\n";
    let policy = rules(&format!("{}{tests}", rule("domain: evil.example", "delete")));
    let failures: Vec<String> = policy.run_tests().iter().map(ToString::to_string).collect();
    assert_snapshot!(failures.join("\n"), @"policy.yaml:11:11: test `not gone` does not hold: `x` finds [delete], expected [disable] (mail `m@evil.example` matches `evil.example`)");
    let permissions: Vec<&str> = policy.write_permissions().iter().map(|permission| permission.0).collect();
    assert_eq!(permissions, ["GroupMember.Read.All", "User.DeleteRestore.All", "User.Read.All"]);
    assert_eq!(policy.actions().into_iter().collect::<Vec<_>>(), [Action::Delete]);
    assert_eq!(policy.mode(), Mode::Enforce);
}
