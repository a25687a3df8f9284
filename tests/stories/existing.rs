//! Guests and memberships that were there before: the policy says how far it goes with them. What is new is acted on, even
//! where the guest is of old.

use guestlist_tests::{Group, Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::NewGroup;

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

const EXISTING: &str = "mode: enforce\nexisting: { before: 2026-01-01, mode: observe }";

fn sparing(policy: &str) -> String {
    policy.replace("mode: enforce", EXISTING)
}

/// A guest of old in a closed group of old, of whom nobody has heard.
async fn of_old() -> (World, Guest, Group) {
    let world = World::with_policy(&sparing(CLOSED_GROUPS)).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let finance = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") })
    });
    world.clock.advance(SignedDuration::from_mins(1));
    (world, adele, finance)
}

#[tokio::test]
async fn an_old_membership_of_an_old_guest_is_told_and_left_alone() {
    let (mut world, adele, finance) = of_old().await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    assert_snapshot!(world.slack.next_text(), @"
    Would remove guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2025-03-01 08:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What would be done*
    Would remove the guest from the group `Finance EU` (<id>) (mode observe: nothing was done).
    • held back: the account was created before 2026-01-01: `existing` allows at most `observe`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode observe · tenant <id> · opened 2026-11-20 09:01:00 UTC · seen once
    ");
}

#[tokio::test]
async fn a_new_membership_of_an_old_guest_is_acted_on() {
    let (mut world, adele, finance) = of_old().await;
    let other = world.tenant.group("Finance US");
    world.settle().await;
    world.tenant.join(adele, other);
    world.settle().await;
    world.expect_no_member(adele, other);
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, other).await.state.word(), "done");
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    world.slack.read_all();
}

#[tokio::test]
async fn an_old_membership_of_a_new_guest_is_acted_on() {
    let world = World::with_policy(&sparing(CLOSED_GROUPS)).await;
    let adele = world.guest_today("adele@fabrikam.com");
    let finance = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") })
    });
    let mut world = world;
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_old_guest_who_leaves_and_joins_again_is_a_new_member() {
    let (mut world, adele, finance) = of_old().await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    world.tenant.leave(adele, finance);
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_membership_that_was_new_once_and_ended_is_not_new_for_ever() {
    let (mut world, adele, finance) = of_old().await;
    let other = world.tenant.group("Sales");
    world.settle().await;
    world.tenant.join(adele, other);
    world.settle().await;
    assert_eq!(world.store.ledger.joined(adele.id()).await.unwrap().len(), 1);
    world.tenant.leave(adele, other);
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.stir(adele);
    world.settle().await;
    let joined = world.store.ledger.joined(adele.id()).await.unwrap();
    assert!(joined.is_empty(), "nothing is remembered of what is over: {joined:?}");
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_old_group_that_becomes_closed_keeps_its_old_members() {
    let world = World::with_policy(&sparing(CLOSED_GROUPS)).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let plans = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Plans") })
    });
    let mut world = world;
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.rename(plans, "Finance Plans");
    world.settle().await;
    world.expect_member(adele, plans);
    assert_eq!(world.incident_in(adele, plans).await.state.word(), "open");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_old_guest_whom_nobody_admits_is_told_about_and_left_alone() {
    let mut world = World::with_policy(&sparing(PARTNERS_ONLY)).await;
    let sam = world.guest_of_old("sam@northwind.example");
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(sam);
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn existing_may_ask_instead_and_an_approval_acts() {
    let policy =
        CLOSED_GROUPS.replace("mode: enforce", "mode: enforce\nexisting: { before: 2026-01-01, mode: ask }");
    let (mut world, adele, finance) = of_old().await;
    world.change_policy(&policy);
    world.tenant.stir(adele);
    world.settle().await;
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "waiting");
    world.slack.read_all();
    world.approve(&incident.id).await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}
