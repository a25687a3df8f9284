//! A changed policy is applied to everybody from outside, although nobody of them changed.

use std::time::Duration;

use guestlist_tests::{Guest, Setup, World};
use jiff::SignedDuration;
use model::{InForce, Mode};

use crate::given::waiting_read;
use crate::policies::PARTNERS_ONLY;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn observing() -> String {
    PARTNERS_ONLY.replace("mode: enforce", "mode: observe")
}

/// Guests whom nobody admits, who were found and told under a policy that only observes.
async fn observed(setup: Setup) -> (World, [Guest; 3]) {
    let mut world = World::new(setup).await;
    let guests = ["sam", "kim", "lee"].map(|name| world.tenant.invite(&format!("{name}@northwind.example")));
    world.settle().await;
    world.reconcile_all().await;
    world.settle().await;
    world.expect_untouched(guests[0]);
    world.slack.read_all();
    assert!(in_force(&world).await.applied_at.is_some());
    (world, guests)
}

async fn in_force(world: &World) -> InForce {
    world.store.ledger.in_force().await.unwrap().expect("a policy in force").value
}

/// How often the going over of all accounts began since the last count.
fn listings(world: &World) -> usize {
    let log = world.simulator.traffic().log;
    log.iter().filter(|call| call.method == "GET" && call.path == "/users").count()
}

#[tokio::test]
async fn a_changed_policy_is_applied_to_all_although_nobody_changed() {
    let (mut world, guests) = observed(Setup::with_policy(&observing())).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.change_policy(PARTNERS_ONLY);
    world.settle().await;
    world.reconcile().await;
    world.expect_no_writes();
    world.clock.advance(MINUTE);
    world.reconcile().await;
    assert_eq!(
        in_force(&world).await.applied_at,
        None,
        "everybody has a look in the queue, and nobody had it"
    );
    world.reconcile_all().await;
    assert!(in_force(&world).await.applied_at.is_some());
    world.settle().await;
    for guest in guests {
        world.expect_disabled(guest);
    }
    world.expect_untouched(adele);
    assert_eq!(world.slack.read_all().len(), 3);
    // It is applied once.
    world.simulator.reset_traffic();
    world.clock.advance(MINUTE);
    world.reconcile_all().await;
    assert_eq!(listings(&world), 0);
    world.settle().await;
}

#[tokio::test]
async fn several_changes_in_a_row_are_applied_once() {
    let (mut world, guests) = observed(Setup::with_policy(&observing())).await;
    world.simulator.reset_traffic();
    for n in 0..6 {
        let next = if n % 2 == 0 { PARTNERS_ONLY.to_owned() } else { observing() };
        world.change_policy(&format!("{next}# draft {n}\n"));
        world.reconcile().await;
        world.clock.advance(SignedDuration::from_secs(20));
        world.reconcile().await;
    }
    assert_eq!(listings(&world), 0);
    world.change_policy(PARTNERS_ONLY);
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile_all().await;
    assert_eq!(listings(&world), 1);
    world.settle().await;
    for guest in guests {
        world.expect_disabled(guest);
    }
    world.slack.read_all();
}

/// Whoever was judged by the policy in between is judged again by the one that came back.
#[tokio::test]
async fn a_policy_that_comes_back_is_applied_again() {
    let (mut world, guests) = observed(Setup::with_policy(PARTNERS_ONLY).observing()).await;
    let before = in_force(&world).await;
    world.change_policy(&PARTNERS_ONLY.replace("fabrikam.com", "northwind.example"));
    world.reconcile().await;
    world.tenant.stir(guests[0]);
    world.settle().await;
    assert_eq!(world.states(guests[0]).await, ["resolved"]);
    world.slack.read_all();
    world.change_policy(PARTNERS_ONLY);
    world.reconcile().await;
    let after = in_force(&world).await;
    assert_eq!((after.policy, after.applied_at), (before.policy, None));
    world.clock.advance(MINUTE);
    world.reconcile_all().await;
    world.settle().await;
    assert_eq!(world.states(guests[0]).await, ["open"]);
    assert_eq!(world.slack.read_all().len(), 1);
    world.expect_untouched(guests[0]);
}

#[tokio::test]
async fn a_process_that_starts_with_another_ceiling_applies_it_to_all() {
    let (mut world, guests) = observed(Setup::with_policy(PARTNERS_ONLY).observing()).await;
    world.assembly.settings.ceiling = Mode::Enforce;
    world.restart().await;
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile_all().await;
    world.settle().await;
    for guest in guests {
        world.expect_disabled(guest);
    }
    world.slack.read_all();
    // And one that starts with the same goes over nobody again.
    let before = in_force(&world).await;
    world.restart().await;
    world.simulator.reset_traffic();
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile_all().await;
    assert_eq!((in_force(&world).await, listings(&world)), (before, 0));
}

#[tokio::test]
async fn a_changed_policy_reaches_all_although_the_process_dies_while_it_is_applied() {
    for (path, nth) in [("/users", 0), ("/users", 1), ("/users", 2)] {
        let (mut world, guests) = observed(Setup::with_policy(&observing())).await;
        world.simulator.set_faults(|faults| faults.page_at_most = Some(2));
        world.change_policy(PARTNERS_ONLY);
        world.reconcile().await;
        world.clock.advance(MINUTE);
        world.hang_at("GET", path, nth);
        let dies = tokio::time::timeout(Duration::from_millis(300), world.reconcile()).await;
        assert!(dies.is_err(), "it came to its end before call {nth} of {path}");
        world.restart().await;
        world.reconcile_all().await;
        assert!(in_force(&world).await.applied_at.is_some());
        world.settle().await;
        for guest in guests {
            world.expect_disabled(guest);
        }
        world.slack.read_all();
    }
}

/// Who is deleted, or is one of the tenant's own by now, keeps no policy from being applied.
#[tokio::test]
async fn guests_who_are_none_any_more_do_not_hold_a_policy_up() {
    let (mut world, [sam, kim, lee]) = observed(Setup::with_policy(&observing())).await;
    world.unnoticed(|tenant| {
        tenant.0.delete_user(sam.0).unwrap();
        tenant.0.purge_user(kim.0).unwrap();
        tenant.change(lee, |user| {
            user.user_type = Some(simulator::UserType::Member);
            user.creation_type = None;
            user.external_user_state = None;
            user.identities.clear();
            user.identities.push(simulator::Identity {
                sign_in_type: "userPrincipalName".to_owned(),
                issuer: "contoso.onmicrosoft.com".to_owned(),
                issuer_assigned_id: Some("lee@contoso.com".to_owned()),
            });
        });
    });
    world.change_policy(PARTNERS_ONLY);
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile().await;
    world.settle().await;
    world.reconcile_all().await;
    assert!(in_force(&world).await.applied_at.is_some());
    world.expect_no_writes();
    world.slack.read_all();
}

/// A guest who cannot be looked at has not been judged, and nobody says so.
#[tokio::test]
async fn a_policy_is_applied_only_when_everybody_was_judged_by_it() {
    let (mut world, guests) = observed(Setup::with_policy(&observing())).await;
    world.change_policy(PARTNERS_ONLY);
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile().await;
    world.simulator.grant(simulator::contoso::READER, &["Group.Read.All"]);
    world.simulator.revoke_tokens();
    world.settle_for(SignedDuration::from_secs(20)).await;
    world.simulator.grant(simulator::contoso::READER, &["User.Read.All", "Group.Read.All"]);
    world.simulator.revoke_tokens();
    world.reconcile().await;
    assert_eq!(in_force(&world).await.applied_at, None);
    world.settle().await;
    world.reconcile_all().await;
    assert!(in_force(&world).await.applied_at.is_some());
    for guest in guests {
        world.expect_disabled(guest);
    }
    world.slack.read_all();
    world.settle().await;
}

/// A look that comes a moment after our write may have read what was before it. It is not the last one.
#[tokio::test]
async fn who_was_put_back_just_before_a_look_that_is_the_only_one_is_looked_at_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
    let sam = world.guest_today("sam@northwind.example");
    for _ in 0..3 {
        world.reconcile().await;
        world.settle_for(SignedDuration::from_secs(20)).await;
    }
    world.expect_disabled(sam);
    world.tenant.0.enable(sam.0).unwrap();
    world.change_policy(&format!("{PARTNERS_ONLY}# the same\n"));
    world.reconcile().await;
    world.clock.advance(MINUTE);
    world.reconcile().await;
    world.settle_for(SignedDuration::from_secs(20)).await;
    world.expect_no_writes();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 2);
}

/// What was done in a time that has not come yet was not done a moment ago.
#[tokio::test]
async fn who_is_put_back_after_the_clock_was_set_back_is_disabled_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
    world.clock.advance(SignedDuration::from_hours(-4));
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

/// Nobody reads the groups of anybody any more, and what waits about one has nobody who asks for it.
#[tokio::test]
async fn what_waits_about_a_group_is_gone_with_the_last_rule_about_groups() {
    let (mut world, adele, finance, _) = waiting_read().await;
    world.change_policy(PARTNERS_ONLY);
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    assert_eq!(world.slack.read_all().len(), 1);
    world.expect_member(adele, finance);
}

/// One rule had it done long ago; another found it so a moment ago, speaks for both, and takes a read of the contrary for
/// old. Nothing is done in silence meanwhile.
#[tokio::test]
async fn what_is_done_again_for_two_rules_is_told() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
    world.change_policy(&PARTNERS_ONLY.replace("evil.example, ", "northwind.example, "));
    world.tenant.stir(sam);
    world.settle_for(SignedDuration::from_secs(30)).await;
    assert_eq!(world.states(sam).await, ["done", "done"]);
    assert!(world.slack.next_text().contains("already disabled"));
    world.clock.advance(MINUTE);
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    let told = world.headlines();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("Disabled guest"), "{told:?}");
}
