//! What a read of an inviter is worth that was made too soon, or that another contradicts.

use std::collections::BTreeSet;

use guestlist_policy::{InvitedBy, InviterKind};
use insta::assert_snapshot;

use crate::inviters::{BOB, bob, by, check, guardrail, scenario};
use crate::world::*;

/// A replica may not have heard yet of the group that somebody joined a minute before he invited, or that he left.
#[test]
fn groups_that_were_read_early_admit_and_nobody_is_touched_because_of_them() {
    let early = |groups: &[u128]| {
        let groups = Some(groups.iter().copied().map(group_id).collect());
        by(InvitedBy { groups, early: true, ..bob() })
    };
    let policy = scenario(&format!("inviters: {{ kind: internal-member, group: {} }}", group_id(1)));
    let admitted = judged(&policy, &early(&[1]));
    assert_eq!((admitted.findings.len(), admitted.admitted_by.is_some()), (0, true));
    assert!(!admitted.wants_inviter);
    let unsure = judged(&policy, &early(&[]));
    assert!(unsure.wants_inviter && acting(&unsure).is_empty());
    assert_snapshot!(told(&unsure), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      the inviter `bob@contoso.com` was read too soon after the invitation to say whether it is a member of `77aa0000-0000-4000-8000-000000000001`
    ");
    // What no later read can change is certain at once.
    let guest = InvitedBy { kind: Some(InviterKind::Guest), groups: None, early: true, ..bob() };
    let certain = judged(&policy, &by(guest.clone()));
    assert_eq!((acting(&certain), certain.wants_inviter), (vec!["otherwise.guest"], false));

    let forbids = guardrail(&format!("group: {}", group_id(1)));
    for groups in [[1].as_slice(), &[]] {
        let verdict = judged(&forbids, &early(groups));
        assert!(verdict.wants_inviter && verdict.findings[0].unknown, "{}", told(&verdict));
    }
    let verdict = judged(&guardrail("kind: guest"), &by(guest.clone()));
    assert_eq!((acting(&verdict), verdict.wants_inviter), (vec!["x"], false));
    let unread = InvitedBy { id: Some(BOB), early: true, ..InvitedBy::unread() };
    assert!(judged(&guardrail("kind: guest"), &by(unread)).wants_inviter);
    let elsewhere = guardrail(&format!("kind: app, group: {}", group_id(1)));
    assert!(judged(&elsewhere, &by(guest)).findings.is_empty());
}

#[test]
fn a_group_that_one_read_showed_and_another_did_not_is_told_and_nothing_more() {
    let doubted = InvitedBy { groups: Some(BTreeSet::new()), doubted: [group_id(1)].into(), ..bob() };
    check(&format!("group: {}", group_id(1)), &doubted, None);
    check(&format!("group: {}", group_id(2)), &doubted, Some(false));
    let policy = scenario(&format!("inviters: {{ group: {} }}", group_id(1)));
    let verdict = judged(&policy, &by(doubted));
    assert!(!verdict.wants_inviter);
    assert_snapshot!(told(&verdict), @"
    otherwise.guest (medium, enforce) [disable] unknown
      whether a scenario admits the account could not be checked
      mail `a@fabrikam.com` is of partner `fabrikam`
      the inviter `bob@contoso.com` was shown both in and out of the group when it was read twice: `77aa0000-0000-4000-8000-000000000001`
    ");
}
