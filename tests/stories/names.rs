//! Names do not authorise: any member can create a group and call it what he likes. A name in the policy holds only while
//! exactly one group bears it; else people are told, and nobody is acted on.

use guestlist_tests::{Group, Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::NewGroup;

use crate::given::without_last_line;
use crate::policies::{AGENCY, PARTNERS_ONLY, closing};

/// The agency's groups by name.
fn by_name(name: &str) -> String {
    AGENCY.replace("{ id: 60000000-0000-4000-8000-000000000001, name: Marketing }", name)
}

/// A guest of a partner, a member of the agency's group, found before anybody doubted its name.
async fn at_work() -> (World, Guest) {
    let mut world = World::with_policy(&by_name("Marketing")).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    world.expect_member(adele, Group::MARKETING);
    world.slack.expect_silence();
    (world, adele)
}

/// What was told, the doubts about names in the policy apart.
fn told(world: &World) -> (Vec<String>, Vec<String>) {
    let all = world.slack.texts();
    all.into_iter().partition(|text| text.starts_with("The policy names a group"))
}

/// People read once of the name, and once of one guest because of it.
#[track_caller]
fn told_of_one(world: &World) -> String {
    let (names, mut findings) = told(world);
    assert_eq!((names.len(), findings.len()), (1, 1), "{names:?} {findings:?}");
    findings.remove(0)
}

#[tokio::test]
async fn a_name_that_one_group_bears_is_as_good_as_its_id() {
    let (mut world, adele) = at_work().await;
    let sales = world.tenant.group("Sales");
    world.tenant.join(adele, sales);
    world.settle().await;
    world.expect_no_member(adele, sales);
    world.expect_member(adele, Group::MARKETING);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_second_group_of_that_name_lets_nobody_in_and_takes_nobody_out() {
    let (mut world, adele) = at_work().await;
    let twin = world.tenant.group("Marketing");
    world.clock.advance(SignedDuration::from_hours(2));
    world.tenant.join(adele, twin);
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, Group::MARKETING);
    world.expect_member(adele, twin);
    for group in [Group::MARKETING, twin] {
        let incident = world.incident_in(adele, group).await;
        assert!(incident.finding.unknown, "neither covered nor uncovered");
    }
    let (names, findings) = told(&world);
    assert_eq!((names.len(), findings.len()), (1, 2), "{names:?} {findings:?}");
    for text in findings {
        assert!(text.contains("ambiguous: 2 groups are called `Marketing`"), "{text}");
        assert!(text.contains("guestlist resolve"), "{text}");
    }
}

#[tokio::test]
async fn a_guest_who_joins_only_the_twin_is_told_about_and_not_acted_on() {
    let mut world = World::with_policy(&by_name("Marketing")).await;
    let twin = world.tenant.group("Marketing");
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.join(adele, twin);
    world.settle().await;
    world.expect_member(adele, twin);
    let told = told_of_one(&world);
    assert!(told.contains("ambiguous: "), "{told}");
    // In a group that no name may mean, nothing is in doubt.
    let sales = world.tenant.group("Sales");
    world.tenant.join(adele, sales);
    world.settle().await;
    world.expect_no_member(adele, sales);
    world.expect_member(adele, twin);
    world.slack.read_all();
}

#[tokio::test]
async fn a_name_that_nobody_bears_is_told_and_not_acted_on() {
    let mut world = World::with_policy(&by_name("Marketting")).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    world.expect_member(adele, Group::MARKETING);
    assert_snapshot!(without_last_line(&world.slack.next_text()), @"
    The policy names a group by a name that is not one group's
    *What happened*
    the policy names the group `Marketting`, and no group is called so; nothing is done because of it until the policy has an id: see `guestlist resolve --write`
    *What to do*
    Write the group's id into the policy. Until then what the name decides is told, and not acted on
    Look: `guestlist resolve`
    ");
    assert_snapshot!(world.slack.next_text(), @"
    Could not check guest adele@fabrikam[.]com in 'Marketing': otherwise.membership (medium)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    May break the rule `otherwise.membership` (medium severity): it could not be checked
    Group: `Marketing` (`<id>`) · member
    • the account is a member of `Marketing`
    • whether a scenario covers this membership could not be checked
    • unknown: no group is called `Marketting`: correct the name, and write the id beside it with `guestlist resolve --write`
    *What would be done*
    Would remove the guest from the group `Marketing` (<id>) if the rule is broken. What decides that could not be read, so nothing was done.
    *What a person must do*
    Look at the guest, and mend what could not be read: it is judged again then.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode enforce · tenant <id> · opened 2026-11-20 09:00:15 UTC · seen once
    ");
}

#[tokio::test]
async fn whoever_makes_the_name_clear_again_ends_the_doubt() {
    let mut world = World::with_policy(&by_name("Marketing")).await;
    let twin = world.tenant.group("Marketing");
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    assert!(world.incident_in(adele, Group::MARKETING).await.finding.unknown);
    world.slack.read_all();
    world.tenant.rename(twin, "Not Marketing");
    world.clock.advance(SignedDuration::from_hours(2));
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, Group::MARKETING).await.state.word(), "resolved");
    world.expect_member(adele, Group::MARKETING);
    world.slack.read_all();
}

#[tokio::test]
async fn a_guardrail_whose_name_is_ambiguous_tells_about_both_and_acts_on_none() {
    let mut world = World::with_policy(&closing("{ joins: { groups: [Board] } }", "leave-group")).await;
    let boards = [world.tenant.group("Board"), world.tenant.group("Board")];
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    for board in boards {
        world.tenant.join(adele, board);
        world.settle().await;
        world.expect_member(adele, board);
        assert!(world.incident_in(adele, board).await.finding.unknown);
    }
    let (names, findings) = told(&world);
    assert_eq!((names.len(), findings.len()), (1, 2), "{names:?} {findings:?}");
}

#[tokio::test]
async fn a_protecting_name_protects_the_members_of_every_group_that_bears_it() {
    let policy = format!("{PARTNERS_ONLY}protect: {{ groups: [Friends] }}\n");
    let mut world = World::with_policy(&policy).await;
    let sam = world.guest_today("sam@northwind.example");
    let twin = NewGroup { members: vec![sam.0], ..NewGroup::named("Friends") };
    world.unnoticed(|tenant| {
        let _ = tenant.group("Friends");
        let _ = tenant.group_with(twin);
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(sam);
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "refused");
    let told = told_of_one(&world);
    assert!(told.contains("`protect.groups`"), "{told}");
}

#[tokio::test]
async fn a_protecting_name_that_nobody_bears_holds_everything_back() {
    let policy = format!("{PARTNERS_ONLY}protect: {{ groups: [Friends] }}\n");
    let mut world = World::with_policy(&policy).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "refused");
    let told = told_of_one(&world);
    assert!(told.contains("unknown: no group is called `Friends`"), "{told}");
}

#[tokio::test]
async fn members_of_a_protected_group_are_never_acted_on_however_deep_they_are() {
    for deep in [false, true] {
        let mut world = World::with_policy(PARTNERS_ONLY).await;
        let (friends, inner) = (world.tenant.group("Friends"), world.tenant.group("Best friends"));
        let protect = format!("{PARTNERS_ONLY}protect: {{ groups: [{}] }}\n", friends.id());
        world.change_policy(&protect);
        let sam = world.guest_today("sam@northwind.example");
        world.unnoticed(|tenant| {
            tenant.0.add_member(friends.0, inner.0).unwrap();
            tenant.join(sam, if deep { inner } else { friends });
        });
        world.clock.advance(SignedDuration::from_mins(1));
        world.tenant.stir(sam);
        world.settle().await;
        world.expect_untouched(sam);
        assert_eq!(world.incident(sam).await.state.word(), "refused");
        let told = world.slack.next_text();
        assert!(told.contains("`protect.groups`"), "{told}");
    }
}
