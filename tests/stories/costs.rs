//! What each kind of event asks of Microsoft Graph, from its notification to silence: the second look five minutes later
//! and the echoes of our own writes included, while reads lag three seconds behind writes. In resource units as Microsoft
//! counts them (<https://learn.microsoft.com/graph/throttling-limits>).

use guestlist_tests::{Cost, Group, Guest, World};
use jiff::SignedDuration;
use simulator::NewUser;

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

/// In a tenant whose own domains have been read this hour by both flows: that is one round trip more for each.
async fn warm() -> World {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let first = world.tenant.invite("first@northwind.example");
    world.settle().await;
    world.expect_disabled(first);
    assert_eq!(world.slack.read_all().len(), 1);
    world.simulator.reset_traffic();
    world
}

#[track_caller]
fn check(world: &World, round_trips: u64, resource_units: u64, writes: u64) {
    assert_eq!(world.cost(), Cost { round_trips, resource_units, writes });
}

/// With a policy of one rule that matches; a second rule that asks for the same costs one round trip and three units more.
///
/// | event, from its notification to silence | round trips | resource units | writes |
/// | --- | --- | --- | --- |
/// | an internal member changes | 2 | 2 | 0 |
/// | a guest who is admitted changes | 2 | 2 | 0 |
/// | a guest breaks a rule that only tells | 2 | 2 | 0 |
/// | a guest is disabled | 12 | 17 | 1 |
/// | the same, where two rules ask for it | 13 | 20 | 1 |
/// | an undo | 8 | 10 | 1 |
/// | a guest is deleted, and can be restored | 3 | 3 | 0 |
/// | a guest is deleted for good | 4 | 4 | 0 |
/// | an id that nobody knows, looked for during 15 minutes, twice | 30 | 34 | 0 |
/// | a member of ours joins or leaves a group that is known | 2 | 6 | 0 |
/// | an admitted guest joins a group | 3 | 15 | 0 |
/// | a guest is taken out of a group | 13 | 45 | 1 |
/// | an ownership is taken from a guest | 19 | 36 | 1 |
/// | an admitted guest in a group changes | 2 | 6 | 0 |
/// | a group is renamed, and no rule cares | 2 | 4 | 0 |
/// | a group with 3 guests is renamed into a pattern (at most) | 42 | 117 | 3 |
/// | an approval of taking a guest out of a group | 9 | 28 | 1 |
/// | an undo of that | 10 | 29 | 1 |
///
/// Those of groups are with a policy that looks at groups; one that does not asks nothing when a group changes. The tenant's
/// own domains are one round trip and one unit more, once an hour for each flow, and so is each name in the policy that should
/// be an id. The first time that a group changes, its members are paged.
#[tokio::test]
async fn every_kind_of_event_asks_of_graph_what_the_table_says() {
    let mut world = warm().await;

    world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    check(&world, 2, 2, 0);

    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    check(&world, 2, 2, 0);

    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    check(&world, 12, 17, 1);
    world.expect_disabled(sam);

    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    check(&world, 13, 20, 1);
    world.expect_disabled(mallory);

    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    check(&world, 8, 10, 1);
    world.expect_enabled_again(sam);

    world.tenant.0.delete_user(sam.0).unwrap();
    world.settle().await;
    check(&world, 3, 3, 0);

    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.0.purge_user(sam.0).unwrap();
    world.settle().await;
    check(&world, 4, 4, 0);

    world.tenant.change(adele, |user| user.display_name = "Adele Vance".to_owned());
    world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
    world.tenant.0.purge_user(adele.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle_for(SignedDuration::from_mins(40)).await;
    check(&world, 30, 34, 0);
    world.slack.read_all();
}

#[tokio::test]
async fn a_finding_that_is_only_told_costs_no_more_than_a_look() {
    let mut world = warm().await;
    world.change_policy(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe"));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    check(&world, 2, 2, 0);
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

/// In a tenant whose own domains have been read by both flows, and whose groups and guests are known.
async fn warm_with_groups(guests: &[&str], groups: &[&str]) -> (World, Vec<Guest>, Vec<Group>) {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let first = world.tenant.invite("first@northwind.example");
    let guests: Vec<Guest> = guests.iter().map(|address| world.tenant.invite(address)).collect();
    let groups: Vec<Group> = groups.iter().map(|name| world.tenant.group(name)).collect();
    world.settle().await;
    world.expect_disabled(first);
    assert_eq!(world.slack.read_all().len(), 1);
    world.simulator.reset_traffic();
    (world, guests, groups)
}

/// The lower half of the table above.
#[tokio::test]
async fn every_kind_of_event_in_a_group_asks_of_graph_what_the_table_says() {
    let addresses = ["adele@fabrikam.com", "bill@fabrikam.com", "cora@fabrikam.com"];
    let (mut world, guests, groups) = warm_with_groups(&addresses, &["Sales", "Finance EU"]).await;
    let (adele, sales, finance) = (guests[0], groups[0], groups[1]);
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    world.simulator.reset_traffic();

    world.tenant.0.add_member(sales.0, dave).unwrap();
    world.settle().await;
    check(&world, 2, 6, 0);

    world.tenant.join(adele, sales);
    world.settle().await;
    check(&world, 3, 15, 0);

    world.tenant.join(adele, finance);
    world.settle().await;
    check(&world, 13, 45, 1);
    world.expect_no_member(adele, finance);

    world.tenant.own(adele, sales);
    world.settle().await;
    check(&world, 19, 36, 1);
    world.expect_no_owner(adele, sales);

    world.tenant.change(adele, |user| user.display_name = "Adele Vance".to_owned());
    world.settle().await;
    check(&world, 2, 6, 0);

    world.tenant.rename(sales, "Sales EU");
    world.settle().await;
    check(&world, 2, 4, 0);

    for guest in &guests[1..] {
        world.tenant.join(*guest, sales);
    }
    world.settle().await;
    world.simulator.reset_traffic();
    world.tenant.rename(sales, "Finance Sales");
    // The last looks at its guests are made a quarter of an hour after the second look at the group.
    world.settle_for(SignedDuration::from_mins(40)).await;
    // Whether two of our own echoes are one look depends on which worker is faster.
    let Cost { round_trips, resource_units, writes } = world.cost();
    assert!((38..=42).contains(&round_trips), "{round_trips}");
    assert!((112..=117).contains(&resource_units), "{resource_units}");
    assert_eq!(writes, 3);
    for guest in &guests {
        world.expect_no_member(*guest, sales);
    }
    world.slack.read_all();
}

#[tokio::test]
async fn an_approval_and_its_undo_ask_of_graph_what_the_table_says() {
    let (mut world, guests, groups) = warm_with_groups(&["adele@fabrikam.com"], &["Finance EU"]).await;
    let (adele, finance) = (guests[0], groups[0]);
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: ask"));
    world.tenant.join(adele, finance);
    world.settle().await;
    world.simulator.reset_traffic();
    let id = world.incident_in(adele, finance).await.id;
    world.approve(&id).await;
    check(&world, 9, 28, 1);
    world.expect_no_member(adele, finance);
    world.undo(&id).await;
    check(&world, 10, 29, 1);
    world.expect_member_again(adele, finance);
    world.slack.read_all();
}
