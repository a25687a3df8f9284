//! The canary: a membership of an account of ours is changed every hour, and missed when it does not come back.

use std::time::Duration;

use guestlist_tests::{Group, Guest, Setup, World};
use jiff::SignedDuration;
use model::{Idle, Watched};
use simulator::{Delay, Failure, Fault, GroupKind, NewGroup, UserType};

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

fn joins(group: Group) -> String {
    format!("/groups/{}/members/$ref", group.id())
}

fn leaves(user: Guest, group: Group) -> String {
    format!("/groups/{}/members/{}/$ref", group.id(), user.id())
}

async fn why_idle(world: &World) -> Option<Idle> {
    world.canary().await.idle
}

fn lose(world: &World, lost: bool) {
    world.simulator.set_faults(|faults| faults.notifications.lost = if lost { 1.0 } else { 0.0 });
}

#[tokio::test]
async fn it_leaves_and_comes_every_hour_and_nobody_is_bothered() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let (user, group) = world.with_canary().await;
    let by = SignedDuration::from_secs(90);
    world.simulator.set_faults(|faults| faults.notifications.delayed = Some(Delay { by, chance: 1.0 }));
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    let sent_at = world.canary().await.out.unwrap().at;
    world.settle().await;
    let canary = world.canary().await;
    assert_eq!((canary.out, canary.idle), (None, None));
    let back = canary.last_back.unwrap();
    assert_eq!((back.sent_at, back.at.duration_since(sent_at)), (sent_at, by));
    assert_eq!(world.metric("guestlist_canary_last_lag_seconds").await, Some(90.0));
    world.look_after_the_canary().await;
    world.expect_no_writes();
    world.an_hour_later().await;
    world.expect_write("DELETE", &leaves(user, group));
    world.an_hour_later().await;
    world.expect_write("POST", &joins(group));
    world.settle().await;
    assert_eq!(world.canary().await.lag.all().count(), 3);
    assert_eq!(world.incidents(user).await, []);
    assert_eq!(world.metric("guestlist_canary_lost").await, Some(0.0));
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_canary_that_does_not_come_back_is_told_once_and_so_is_its_return() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.with_canary().await;
    lose(&world, true);
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    world.clock.advance(SignedDuration::from_mins(29));
    world.look_after_the_canary().await;
    assert!(!world.canary().await.is_lost());
    world.clock.advance(SignedDuration::from_mins(1));
    for _ in 0..3 {
        world.look_after_the_canary().await;
        world.settle_now().await;
    }
    let said = world.headlines();
    assert_eq!(said, ["The canary has not come back: Microsoft Graph does not tell us of changes in time"]);
    assert_eq!(world.metric("guestlist_canary_lost").await, Some(1.0));
    world.an_hour_later().await;
    world.expect_write("DELETE", &leaves(user, group));
    world.clock.advance(SignedDuration::from_mins(31));
    world.look_after_the_canary().await;
    world.settle_now().await;
    world.slack.expect_silence();
    lose(&world, false);
    world.an_hour_later().await;
    world.expect_write("POST", &joins(group));
    world.settle().await;
    assert!(!world.canary().await.is_lost());
    // Between the return and its message the process may die.
    world.restart().await;
    for _ in 0..3 {
        world.look_after_the_canary().await;
        world.settle_now().await;
    }
    assert_eq!(world.headlines(), ["The canary is back: Microsoft Graph tells us of changes again"]);
    assert_eq!(world.canary().await.lost, None);
    assert_eq!(world.metric("guestlist_canary_lost").await, Some(0.0));
}

#[tokio::test]
async fn whoever_joins_the_canarys_group_is_judged_like_anybody_else() {
    let mut world = World::with_policy(&CLOSED_GROUPS.replace("Finance *", "guestlist-*")).await;
    let (_, group) = world.with_canary().await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    world.tenant.join(adele, group);
    world.settle().await;
    world.expect_no_member(adele, group);
    assert_eq!(world.slack.read_all().len(), 1);
    assert!(world.canary().await.last_back.is_some(), "both came in one notification or in two");
}

#[tokio::test]
async fn it_is_not_flown_before_graph_tells_of_groups() {
    let setup = Setup { subscribed: false, ..Setup::with_policy(PARTNERS_ONLY) };
    let mut world = World::new(setup).await;
    let (_, group) = world.with_canary().await;
    world.look_after_the_canary().await;
    world.expect_no_writes();
    world.subscribe().await;
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    world.settle().await;
    assert!(world.canary().await.last_back.is_some());
}

/// Nothing is written to an account and a group that are like this, and it is said why.
async fn expect_refused(make: impl FnOnce(&World, Guest, Group), expected: &str) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.canary_pair();
    world.unnoticed(|_| make(&world, user, group));
    world.clock.advance(SignedDuration::from_mins(1));
    world.set_canary((user, group)).await;
    world.look_after_the_canary().await;
    world.expect_no_writes();
    let Some(Idle::Refused { why }) = why_idle(&world).await else { panic!("{expected} is not refused") };
    assert!(why.contains(expected), "{why}");
    world.settle_now().await;
    let told = world.slack.read_all();
    assert!(told.len() == 1 && told[0].text().contains(expected), "{expected}");
    assert_eq!(world.metric("guestlist_canary_idle").await, Some(1.0));
}

#[tokio::test]
async fn an_account_that_is_not_marked_or_is_somebody_is_never_touched() {
    let account = async |change: fn(&mut simulator::User), expected| {
        expect_refused(|world, user, _| world.tenant.change(user, change), expected).await;
    };
    account(|user| user.display_name = "Alice".to_owned(), "name does not begin with `guestlist-canary`")
        .await;
    account(|user| user.user_type = Some(UserType::Guest), "not plainly a member").await;
    account(|user| user.user_type = None, "not plainly a member").await;
    let role = |world: &World, user: Guest, _| {
        world.tenant.0.assign_role(user.0, "User Administrator").unwrap();
    };
    expect_refused(role, "holds a directory role").await;
    let elsewhere = |world: &World, user: Guest, _| world.tenant.join(user, Group::MARKETING);
    expect_refused(elsewhere, "is in another group").await;
    let owner = |world: &World, user: Guest, _| world.tenant.own(user, Group::MARKETING);
    expect_refused(owner, "owns a group").await;
    let nested = |world: &World, user: Guest, group: Group| {
        world.tenant.join(user, group);
        world.tenant.0.add_member(Group::FINANCE_BOARD.0, group.0).unwrap();
    };
    expect_refused(nested, "is in another group, directly or through a group").await;
    let gone = |world: &World, user: Guest, _| world.tenant.0.delete_user(user.0).unwrap();
    expect_refused(gone, "GUESTLIST_CANARY_USER is not in the tenant").await;
}

#[tokio::test]
async fn a_group_that_is_not_marked_or_decides_something_is_never_touched() {
    let group = async |change: fn(&mut simulator::Group), expected| {
        expect_refused(|world, _, group| world.tenant.change_group(group, change), expected).await;
    };
    group(|group| group.display_name = "Marketing".to_owned(), "name does not begin with `guestlist-canary`")
        .await;
    group(|group| group.role_assignable = true, "role-assignable").await;
    group(|group| group.on_premises_sync_enabled = Some(true), "synchronised").await;
    group(|group| group.management_restricted = true, "restricted administrative unit").await;
    group(|group| group.membership_rule = Some("user.department -eq \"x\"".to_owned()), "dynamic").await;
    group(|group| group.kind = GroupKind::Team, "mail-enabled").await;
    group(|group| group.kind = GroupKind::Distribution, "no security group").await;
    let gone = |world: &World, _, group: Group| world.tenant.0.delete_group(group.0).unwrap();
    expect_refused(gone, "GUESTLIST_CANARY_GROUP is not in the tenant").await;
}

#[tokio::test]
async fn what_the_policy_names_is_no_canary_and_what_was_mended_flies() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.with_canary().await;
    let protects = |what: &str| format!("{PARTNERS_ONLY}protect:\n  {what}\n");
    for (what, expected) in [
        (format!("users: [{}]", user.id()), "the policy protects the account"),
        (format!("groups: [{}]", group.id()), "the policy names the group"),
        ("groups: [guestlist-canary]".to_owned(), "the policy names the group"),
    ] {
        world.change_policy(&protects(&what));
        world.clock.advance(SignedDuration::from_mins(15));
        world.look_after_the_canary().await;
        world.expect_no_writes();
        let idle = why_idle(&world).await;
        assert!(idle.as_ref().is_some_and(|idle| idle.why().contains(expected)), "{what}: {idle:?}");
    }
    world.settle_now().await;
    assert_eq!(world.slack.read_all().len(), 1, "once an hour at most");
    world.change_policy(PARTNERS_ONLY);
    world.clock.advance(SignedDuration::from_mins(15));
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    assert_eq!(why_idle(&world).await, None);
    world.settle().await;
}

#[tokio::test]
async fn it_obeys_the_stop_and_the_ceiling() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.with_canary().await;
    world.stop_writes().await;
    world.look_after_the_canary().await;
    assert_eq!(why_idle(&world).await, Some(Idle::Held { why: "writes are stopped by carol".to_owned() }));
    world.expect_no_writes();
    world.resume_writes().await;
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    world.settle().await;
    assert_eq!(why_idle(&world).await, None);
    world.assembly.settings.ceiling = model::Mode::Observe;
    world.set_canary((user, group)).await;
    world.an_hour_later().await;
    world.expect_no_writes();
    let why = "GUESTLIST_AT_MOST is `observe`".to_owned();
    assert_eq!(why_idle(&world).await, Some(Idle::Held { why }));
}

/// Whoever stops writes while the canary is looked at is obeyed, too.
#[tokio::test]
async fn a_stop_that_comes_while_the_account_is_read_is_obeyed() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.with_canary().await;
    world.simulator.reset_traffic();
    world.next_faults([Fault::new("POST", "/$batch", Failure::Delay(Duration::from_millis(1500)))]);
    let stop = async {
        // Nothing is asked of Graph before the stop was looked for the first time.
        while world.simulator.traffic().token_requests == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.stop_writes().await;
    };
    tokio::join!(world.look_after_the_canary(), stop);
    world.expect_no_writes();
    assert_eq!(world.canary().await.out, None);
}

#[tokio::test]
async fn who_dies_after_the_change_finds_out_that_it_was_made() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (_, group) = world.with_canary().await;
    lose(&world, true);
    world.next_faults([Fault::new("POST", "/groups", Failure::LostAnswer)]);
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    assert!(!world.canary().await.out.unwrap().sent, "nobody has said so");
    world.restart().await;
    world.look_after_the_canary().await;
    assert!(!world.canary().await.out.unwrap().sent, "the read is older than the change");
    world.clock.advance(SignedDuration::from_secs(5));
    world.look_after_the_canary().await;
    assert!(world.canary().await.out.unwrap().sent);
    world.expect_no_writes();
    world.clock.advance(SignedDuration::from_mins(30));
    world.look_after_the_canary().await;
    assert!(world.canary().await.is_lost(), "it is missed like any other");
    world.settle_now().await;
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn who_dies_before_the_change_makes_it_later_and_nobody_misses_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.with_canary().await;
    // To whoever sent it, this is as if he had died: nobody has said that nothing was done.
    world.next_faults([Fault::new("POST", "/groups", Failure::Reset)]);
    world.look_after_the_canary().await;
    world.expect_no_writes();
    assert!(!world.tenant.is_member(user, group));
    assert!(!world.canary().await.out.unwrap().sent);
    world.restart().await;
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_mins(15));
        world.look_after_the_canary().await;
    }
    world.expect_write("POST", &joins(group));
    world.settle().await;
    assert!(world.canary().await.last_back.is_some());
    world.slack.expect_silence();
}

#[tokio::test]
async fn two_processes_make_one_change() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (_, group) = world.with_canary().await;
    let other = world.parts.canary.clone().unwrap();
    let (_, looked) = tokio::join!(world.look_after_the_canary(), other.look());
    looked.unwrap();
    world.expect_write("POST", &joins(group));
    world.expect_no_writes();
    world.settle().await;
}

#[tokio::test]
async fn a_permission_that_is_missing_is_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (user, group) = world.with_canary().await;
    world.simulator.grant(simulator::contoso::WRITER, &["User.Read.All", "Group.Read.All"]);
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    world.look_after_the_canary().await;
    world.settle_now().await;
    let told = world.slack.read_all();
    assert_eq!(told.len(), 1);
    assert!(told[0].text().contains("the canary could not be changed"), "{}", told[0].text());
    assert!(matches!(why_idle(&world).await, Some(Idle::Failed { why: _ })));
    assert_eq!(world.canary().await.out, None);
    assert!(!world.tenant.is_member(user, group));
}

#[tokio::test]
async fn a_notification_about_the_group_that_is_not_of_the_change_proves_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let (_, group) = world.with_canary().await;
    lose(&world, true);
    world.look_after_the_canary().await;
    world.expect_write("POST", &joins(group));
    let alike = world.genuine(Watched::Groups, group.id());
    assert_eq!(world.notify(&[alike]).await.status, 202);
    world.settle_now().await;
    assert!(world.canary().await.out.is_some());
    let unknown = world.unnoticed(|tenant| tenant.group_with(NewGroup::named("guestlist-canary")));
    world.tenant.join(Guest(simulator::contoso::BOB), unknown);
    world.settle_now().await;
    assert!(world.canary().await.out.is_some());
}

/// The clock was three days ahead while the canary was flown, and is then put right.
#[tokio::test]
async fn it_is_flown_although_the_clock_was_set_back() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let _ = world.with_canary().await;
    world.clock.advance(SignedDuration::from_hours(72));
    world.subscribe().await;
    world.look_after_the_canary().await;
    world.settle_for(SignedDuration::from_mins(5)).await;
    world.clock.advance(-SignedDuration::from_hours(72));
    world.forget_writes("/");
    world.simulator.reset_traffic();
    for _ in 0..6 {
        world.an_hour_later().await;
    }
    assert_eq!(world.simulator.traffic().writes, 6);
    assert!(!world.canary().await.is_lost());
    world.forget_writes("/");
    world.slack.texts();
}
