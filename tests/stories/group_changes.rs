//! A group changes, and with it what the policy says of those who are in it. Members are paged only where the change is one
//! that the policy looks at.

use guestlist_tests::{Group, Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::{GroupKind, NewGroup, NewUser, Stale};

use crate::given::admitted;
use crate::policies::{AGENCY, CLOSED_GROUPS, closing};

/// A guest in a group of which there is nothing to say, and everything known.
async fn inside(policy: &str, new: NewGroup) -> (World, Guest, Group) {
    let (mut world, adele) = admitted(policy).await;
    let group = world.tenant.group_with(new);
    world.tenant.join(adele, group);
    world.settle().await;
    world.expect_member(adele, group);
    world.slack.expect_silence();
    world.simulator.reset_traffic();
    (world, adele, group)
}

#[tokio::test]
async fn a_group_that_is_renamed_into_a_pattern_is_left_by_its_guests() {
    let (mut world, adele, group) = inside(CLOSED_GROUPS, NewGroup::named("Plans")).await;
    world.tenant.rename(group, "Finance Plans");
    world.settle().await;
    world.expect_no_member(adele, group);
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@fabrikam[.]com from 'Finance Plans': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance Plans` (`<id>`) · member
    • the account is a member of `Finance Plans`, whose name matches `Finance *`
    *What was done*
    Removed the guest from the group `Finance Plans` (<id>), and read it back at 2026-11-20 09:15:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:15:00 UTC · seen once
    ");
}

#[tokio::test]
async fn a_group_that_is_labelled_is_left_by_its_guests_and_by_nobody_else() {
    let (mut world, adele, group) = inside(CLOSED_GROUPS, NewGroup::named("Plans")).await;
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.tenant.0.add_member(group.0, dave).unwrap();
    world.settle().await;
    world.tenant.label(group, Some("Confidential"));
    world.settle().await;
    world.expect_no_member(adele, group);
    world.expect_no_writes();
    assert!(world.tenant.0.is_member(group.0, dave));
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn what_a_group_becomes_is_met_whatever_it_is() {
    let microsoft365 = || NewGroup { kind: GroupKind::Microsoft365, ..NewGroup::named("Plans") };
    for (condition, new, change) in [
        (
            "{ joins: { visibility: [public] } }",
            microsoft365(),
            (|group| group.visibility = Some("Public".to_owned())) as fn(&mut simulator::Group),
        ),
        ("{ joins: { team: true } }", microsoft365(), |group| group.kind = GroupKind::Team),
        ("{ joins: { name: Closed } }", NewGroup::named("Plans"), |group| {
            group.display_name = "Closed".to_owned();
        }),
        (
            "{ joins: { dynamic: false } }",
            NewGroup { dynamic: Some("(user.mail -ne null)".to_owned()), ..NewGroup::named("Plans") },
            |group| group.membership_rule = None,
        ),
    ] {
        let (mut world, adele, group) = inside(&closing(condition, "leave-group"), new).await;
        world.tenant.change_group(group, change);
        world.settle().await;
        assert!(!world.tenant.is_member(adele, group), "{condition}");
        world.expect_no_member(adele, group);
        assert_eq!(world.slack.read_all().len(), 1, "{condition}");
    }
}

#[tokio::test]
async fn what_was_found_is_resolved_when_the_group_changes_back() {
    let observing = CLOSED_GROUPS.replace("mode: enforce", "mode: observe");
    let (mut world, adele, group) = inside(&observing, NewGroup::named("Plans")).await;
    world.tenant.rename(group, "Finance Plans");
    world.settle().await;
    assert_eq!(world.incident_in(adele, group).await.state.word(), "open");
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.rename(group, "Plans");
    world.settle().await;
    assert_eq!(world.incident_in(adele, group).await.state.word(), "resolved");
    let told = world.slack.next_text();
    assert!(told.contains("the guest does not break this rule any more"), "{told}");
    world.expect_member(adele, group);
}

#[tokio::test]
async fn a_change_that_the_policy_does_not_look_at_pages_nobody() {
    let (mut world, adele, group) = inside(CLOSED_GROUPS, NewGroup::named("Plans")).await;
    for change in [
        (|group| group.display_name = "Trips".to_owned()) as fn(&mut simulator::Group),
        |group| group.description = Some("where we go".to_owned()),
        |group| group.mail_nickname = "trips".to_owned(),
        |group| group.display_name = "finance".to_owned(),
    ] {
        world.simulator.reset_traffic();
        world.tenant.change_group(group, change);
        world.settle().await;
        assert_eq!(world.pages_of(group), 0);
        assert_eq!(world.cost().round_trips, 2, "one look, and one five minutes later");
    }
    world.tenant.label(group, Some("Public"));
    world.settle().await;
    assert_eq!(world.pages_of(group), 0);
    world.expect_member(adele, group);
}

#[tokio::test]
async fn a_change_of_members_alone_pages_nobody() {
    let (mut world, _, group) = inside(CLOSED_GROUPS, NewGroup::named("Plans")).await;
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    world.settle().await;
    world.simulator.reset_traffic();
    world.tenant.0.add_member(group.0, dave).unwrap();
    world.settle().await;
    assert_eq!(world.pages_of(group), 0);
}

#[tokio::test]
async fn a_group_that_is_seen_for_the_first_time_is_looked_through_once() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.guest_today("adele@fabrikam.com");
    let finance = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") })
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.change_group(finance, |group| group.description = Some("money".to_owned()));
    world.settle().await;
    assert_eq!(world.pages_of(finance), 1);
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_owner_who_is_made_one_is_new_and_one_who_was_there_is_not() {
    let policy = CLOSED_GROUPS
        .replace("mode: enforce", "mode: enforce\nexisting: { before: 2026-01-01, mode: observe }");
    let mut world = World::with_policy(&policy).await;
    let (old, older) = (world.guest_of_old("old@fabrikam.com"), world.guest_of_old("older@fabrikam.com"));
    let bob = simulator::contoso::BOB;
    let sales = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { owners: vec![bob, older.0], ..NewGroup::named("Sales") })
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.change_group(sales, |group| group.description = Some("we sell".to_owned()));
    world.settle().await;
    world.expect_owner(older, sales);
    assert_eq!(world.incident_in(older, sales).await.state.word(), "open");
    assert_eq!(world.slack.read_all().len(), 1, "he is only told about");
    world.tenant.own(old, sales);
    world.settle().await;
    world.expect_no_owner(old, sales);
    world.expect_owner(older, sales);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_owner_whom_no_read_shows_yet_is_found_and_is_new() {
    let policy = CLOSED_GROUPS
        .replace("mode: enforce", "mode: enforce\nexisting: { before: 2026-01-01, mode: observe }");
    let mut world = World::with_policy(&policy).await;
    let old = world.guest_of_old("old@fabrikam.com");
    let sales = world.tenant.group("Sales");
    world.settle().await;
    let lag = SignedDuration::from_secs(90);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 0.5 }));
    world.tenant.own(old, sales);
    world.settle().await;
    world.expect_no_owner(old, sales);
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_with_more_members_than_a_page_holds_is_looked_through_to_the_end() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let plans = world.unnoticed(|tenant| {
        let staff: Vec<_> = (0..2_500)
            .map(|n| tenant.0.add_user(NewUser::member(&format!("staff{n}@contoso.com"))))
            .collect();
        tenant.group_with(NewGroup { members: staff, ..NewGroup::named("Plans") })
    });
    world.tenant.join(adele, plans);
    world.settle().await;
    world.expect_member(adele, plans);
    world.simulator.reset_traffic();
    world.tenant.rename(plans, "Finance Plans");
    world.settle().await;
    world.expect_no_member(adele, plans);
    assert!((3..=6).contains(&world.pages_of(plans)), "{} pages", world.pages_of(plans));
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_group_that_is_deleted_ends_what_was_found_in_it() {
    let observing = CLOSED_GROUPS.replace("mode: enforce", "mode: observe");
    for kind in [GroupKind::Security, GroupKind::Microsoft365] {
        let (mut world, adele) = admitted(&observing).await;
        let finance = world.tenant.group_of_kind("Finance EU", kind);
        world.tenant.join(adele, finance);
        world.settle().await;
        assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
        assert_eq!(world.slack.read_all().len(), 1);
        world.tenant.0.delete_group(finance.0).unwrap();
        world.settle_for(SignedDuration::from_mins(40)).await;
        assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved", "{kind:?}");
        assert_eq!(world.slack.read_all().len(), 1);
        world.expect_no_writes();
    }
}

#[tokio::test]
async fn a_group_that_comes_back_is_looked_at_again() {
    let observing = CLOSED_GROUPS.replace("mode: enforce", "mode: observe");
    let (mut world, adele) = admitted(&observing).await;
    let finance = world.tenant.group_of_kind("Finance EU", GroupKind::Microsoft365);
    world.tenant.join(adele, finance);
    world.settle().await;
    world.tenant.0.delete_group(finance.0).unwrap();
    world.settle_for(SignedDuration::from_mins(40)).await;
    world.slack.read_all();
    world.change_policy(CLOSED_GROUPS);
    world.tenant.0.restore_group(finance.0).unwrap();
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_so_new_that_graph_does_not_know_it_is_found() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let lag = SignedDuration::from_secs(50);
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_dynamic_group_is_no_scenario_s_business() {
    let (mut world, adele) = admitted(AGENCY).await;
    world.tenant.join(adele, Group::ALL_GUESTS);
    world.settle().await;
    world.expect_member(adele, Group::ALL_GUESTS);
    world.slack.expect_silence();
}

#[tokio::test]
async fn where_no_rule_looks_at_groups_a_change_of_a_group_asks_graph_nothing() {
    let (mut world, adele) = admitted(crate::policies::PARTNERS_ONLY).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.simulator.reset_traffic();
    world.tenant.join(adele, finance);
    world.tenant.rename(finance, "Finance Plans");
    world.settle().await;
    assert_eq!(world.cost().round_trips, 0);
    world.expect_member(adele, finance);
}
