//! A guest joins a group, or becomes its owner: what the policy says of that sort of group is done, told and read back,
//! and nobody else is touched.

use guestlist_tests::{Cost, Group, Guest, World};
use insta::assert_snapshot;
use simulator::{GroupKind, NewGroup, NewUser, OtherKind};

use crate::given::admitted;
use crate::policies::{AGENCY, CLOSED_GROUPS, closing};

#[tokio::test]
async fn a_guest_who_joins_a_closed_group_is_taken_out_and_the_team_is_told() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_untouched(adele);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What was done*
    Removed the guest from the group `Finance EU` (<id>), and read it back at 2026-11-20 09:10:19 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen once
    ");
}

#[tokio::test]
async fn a_guest_who_is_made_an_owner_loses_the_ownership_and_stays_a_member() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let sales = world.tenant.group("Sales");
    world.tenant.join(adele, sales);
    world.settle().await;
    world.tenant.own(adele, sales);
    world.settle().await;
    world.expect_no_owner(adele, sales);
    world.expect_member(adele, sales);
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@fabrikam[.]com as an owner of 'Sales': guests-own-nothing (medium)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `guests-own-nothing` (medium severity)
    Group: `Sales` (`<id>`) · owner
    • the account owns `Sales`
    *What was done*
    Removed the guest as an owner of the group `Sales` (<id>), and read it back at 2026-11-20 09:15:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:15:00 UTC · seen twice
    ");
}

#[tokio::test]
async fn an_admitted_guest_is_left_alone_in_the_group_of_his_scenario_and_in_no_other() {
    let (mut world, adele) = admitted(AGENCY).await;
    let sales = world.tenant.group("Sales");
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    world.expect_member(adele, Group::MARKETING);
    world.slack.expect_silence();
    world.tenant.join(adele, sales);
    world.settle().await;
    world.expect_no_member(adele, sales);
    world.expect_member(adele, Group::MARKETING);
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@fabrikam[.]com from 'Sales': otherwise.membership (medium)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.membership` (medium severity)
    Group: `Sales` (`<id>`) · member
    • the account is a member of `Sales`
    • no scenario that admits the account covers this group (admitted by `agency-work`)
    *What was done*
    Removed the guest from the group `Sales` (<id>), and read it back at 2026-11-20 09:10:19 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen once
    ");
}

#[tokio::test]
async fn whom_no_scenario_admits_belongs_to_no_group_and_is_let_be_where_nothing_asks_for_more() {
    let mut world = World::with_policy(AGENCY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.tenant.join(sam, Group::MARKETING);
    world.settle().await;
    world.expect_no_member(sam, Group::MARKETING);
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

/// A guest joins a group of this sort, under a rule about it.
async fn joins(condition: &str, then: &str, new: NewGroup) -> (World, Guest, Group) {
    let mut world = World::with_policy(&closing("{ joins: { any_group: true } }", "notify")).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let group = world.tenant.group_with(new);
    world.change_policy(&closing(&condition.replace("ID", &group.id().to_string()), then));
    world.settle().await;
    world.slack.expect_silence();
    world.tenant.join(adele, group);
    world.settle().await;
    (world, adele, group)
}

#[tokio::test]
async fn a_rule_knows_a_group_by_its_id_name_label_team_visibility_or_any_of_these() {
    let labelled = || NewGroup { label: Some("Confidential".to_owned()), ..NewGroup::named("Plans") };
    let team = || NewGroup { kind: GroupKind::Team, ..NewGroup::named("Plans") };
    let public = NewGroup {
        kind: GroupKind::Microsoft365,
        visibility: Some("Public".to_owned()),
        ..NewGroup::named("Plans")
    };
    for (condition, new) in [
        ("{ joins: { groups: [ID] } }", NewGroup::named("Plans")),
        ("{ joins: { groups: [Plans] } }", NewGroup::named("Plans")),
        ("{ joins: { name: \"fin?nce *\" } }", NewGroup::named("Finance EU")),
        ("{ joins: { label: confidential } }", labelled()),
        ("{ joins: { team: true } }", team()),
        ("{ joins: { visibility: [public] } }", public),
        ("{ joins: { dynamic: false } }", NewGroup::named("Plans")),
        ("{ joins: { any: [ { name: Nothing }, { label: Confidential } ] } }", labelled()),
        ("{ joins: { name: \"Pl*\", team: true } }", team()),
        ("{ joins: { any_group: true } }", NewGroup::named("Plans")),
        ("{ domain: [fabrikam.com], joins: { any_group: true } }", NewGroup::named("Plans")),
    ] {
        let (world, adele, group) = joins(condition, "leave-group", new).await;
        assert!(!world.tenant.is_member(adele, group), "{condition}");
        world.expect_no_member(adele, group);
        assert_eq!(world.slack.read_all().len(), 1, "{condition}");
    }
}

#[tokio::test]
async fn a_group_of_another_sort_is_none_of_the_rule_s_business() {
    for condition in [
        "{ joins: { groups: [60000000-0000-4000-8000-000000000001] } }",
        "{ joins: { name: \"Finance *\" } }",
        "{ joins: { name: Finance } }",
        "{ joins: { label: Confidential } }",
        "{ joins: { team: true } }",
        "{ joins: { visibility: [public] } }",
        "{ joins: { role_assignable: true } }",
        "{ joins: { dynamic: true } }",
        "{ joins: { name: \"*Finance*\", team: true } }",
        "{ joins: { any_group: true }, as: owner }",
        "{ domain: [northwind.example], joins: { any_group: true } }",
    ] {
        let then = if condition.contains("owner") { "drop-ownership" } else { "leave-group" };
        let (world, adele, group) = joins(condition, then, NewGroup::named("FinanceEU")).await;
        world.expect_member(adele, group);
        world.slack.expect_silence();
    }
}

#[tokio::test]
async fn what_only_a_person_can_take_him_out_of_is_told_and_not_tried() {
    let role_assignable = NewGroup { role_assignable: true, ..NewGroup::named("Operators") };
    let (world, adele, group) =
        joins("{ joins: { role_assignable: true } }", "leave-group", role_assignable).await;
    world.expect_member(adele, group);
    assert_snapshot!(world.slack.next_text(), @"
    A person must decide about guest adele@fabrikam[.]com in 'Operators': closed (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam.com`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed` (high severity)
    Group: `Operators` (`<id>`)
    • the account is a member of `Operators`, which is role-assignable
    *What was done*
    Nothing was done: only a person can do what the rule asks for.
    *What a person must do*
    • `Operators` (<id>): it is role-assignable, and Guestlist never holds the permission to change such a group; a Privileged Role Administrator must take the account out of it
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · refused · mode enforce · tenant <id> · opened 2026-11-20 09:05:15 UTC · seen once
    ");
}

#[tokio::test]
async fn a_rule_that_disables_looks_at_groups_too() {
    let (world, adele, group) =
        joins("{ joins: { name: Plans } }", "disable, leave-group", NewGroup::named("Plans")).await;
    world.expect_disabled(adele);
    world.expect_no_member(adele, group);
    assert_snapshot!(world.slack.next_text(), @"
    Disabled guest adele@fabrikam[.]com and removed from 'Plans': closed (high)
    *Who*
    `adele` · guest · account disabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam.com`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed` (high severity)
    Group: `Plans` (`<id>`) · member
    • the account is a member of `Plans`, whose name matches `Plans`
    *What was done*
    Disabled the account and removed the guest from the group `Plans` (<id>), and read it back at 2026-11-20 09:05:19 UTC.
    • disabled the account, and read it back
    • removed the guest from the group `Plans` (<id>), and read it back
    Graph request-id: `<id>`, `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:05:15 UTC · seen twice
    ");
}

#[tokio::test]
async fn whoever_is_no_guest_costs_one_look_each_time_and_is_let_be() {
    let (mut world, adele) = admitted(&closing("{ joins: { any_group: true } }", "leave-group")).await;
    let group = world.tenant.group("Finance EU");
    world.settle().await;
    let dave = world.tenant.0.add_user(NewUser::member("dave@contoso.com"));
    let nested = world.tenant.group("Finance Interns");
    let device = world.tenant.0.add_object(OtherKind::Device, "a printer");
    let service = world.tenant.0.add_object(OtherKind::ServicePrincipal, "a robot");
    world.settle().await;
    for object in [dave, nested.0, device, service] {
        world.simulator.reset_traffic();
        world.tenant.0.add_member(group.0, object).unwrap();
        world.settle().await;
        let Cost { round_trips, resource_units: _, writes } = world.cost();
        assert_eq!((round_trips, writes), (2, 0), "one look, and one five minutes later");
        assert!(world.tenant.0.is_member(group.0, object));
    }
    world.expect_untouched(adele);
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_guest_in_a_group_that_joins_a_closed_one_is_told_by_nobody_and_touched_by_nobody() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let (finance, interns) = (world.tenant.group("Finance EU"), world.tenant.group("Interns"));
    world.tenant.join(adele, interns);
    world.tenant.0.add_member(finance.0, interns.0).unwrap();
    world.settle().await;
    world.expect_member(adele, interns);
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_guest_who_joins_ten_closed_groups_at_once_leaves_each_of_them() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let groups: Vec<Group> = (0..10).map(|n| world.tenant.group(&format!("Finance {n}"))).collect();
    let open = world.tenant.group("Sales");
    world.settle().await;
    for group in groups.iter().chain([&open]) {
        world.tenant.join(adele, *group);
    }
    world.settle().await;
    for group in groups {
        world.expect_no_member(adele, group);
        assert_eq!(world.incident_in(adele, group).await.state.word(), "done");
    }
    world.expect_member(adele, open);
    assert_eq!(world.slack.read_all().len(), 10);
    let breaker = world.store.ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!(breaker.newcomers.len(), 1, "he is one guest");
}

#[tokio::test]
async fn two_hundred_guests_who_join_one_group_leave_it() {
    let mut world = World::with_policy(&closing("{ joins: { name: \"Finance *\" } }", "leave-group")).await;
    let finance = world.tenant.group("Finance EU");
    let guests: Vec<Guest> = (0..200).map(|n| world.guest_today(&format!("guest{n}@fabrikam.com"))).collect();
    for guest in &guests {
        world.tenant.join(*guest, finance);
    }
    world.settle().await;
    for guest in guests {
        world.expect_no_member(guest, finance);
    }
    assert!(world.dead_letters().await.is_empty());
    let told = world.slack.read_all().len();
    assert!(told < 20, "the channel was told {told} times");
}

#[tokio::test]
async fn an_identity_that_changes_puts_his_memberships_to_the_question() {
    let (mut world, adele) = admitted(AGENCY).await;
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    world.expect_member(adele, Group::MARKETING);
    // As a redemption with another address does.
    world.tenant.change(adele, |user| user.mail = Some("adele@northwind.example".to_owned()));
    world.settle().await;
    world.expect_no_member(adele, Group::MARKETING);
    assert_snapshot!(world.slack.next_text(), @"
    Removed guest adele@northwind[.]example from 'Marketing': otherwise.membership (medium)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.membership` (medium severity)
    Group: `Marketing` (`<id>`) · member
    • the account is a member of `Marketing`
    • no scenario admits the account
    • mail `adele@northwind.example` is of no partner
    *What was done*
    Removed the guest from the group `Marketing` (<id>), and read it back at 2026-11-20 09:15:04 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: `guestlist undo <incident>-1 --reason …`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:15:00 UTC · seen once
    ");
}

#[tokio::test]
async fn a_change_of_a_guest_costs_one_round_trip_with_all_his_groups() {
    let (mut world, adele) = admitted(AGENCY).await;
    world.tenant.join(adele, Group::MARKETING);
    world.settle().await;
    world.simulator.reset_traffic();
    world.tenant.change(adele, |user| user.display_name = "Adele Vance".to_owned());
    world.settle().await;
    assert_eq!(world.cost().round_trips, 2, "one look, and one five minutes later");
    world.expect_member(adele, Group::MARKETING);
}
