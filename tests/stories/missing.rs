//! Guests whom Graph does not know: deleted, too fresh, of another kind, or gone.

use guestlist_tests::{Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::{NewGroup, Stale};

use crate::policies::PARTNERS_ONLY;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test]
async fn a_soft_deleted_guest_is_done_with_at_the_first_look() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.0.delete_user(adele.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(10));
    let bin = format!("/directory/deletedItems/{}", adele.id());
    let moments = world.moments_of("GET", &bin, HOUR).await;
    assert_eq!(moments, [0, 300], "once for each look, and no waits");
}

#[tokio::test]
async fn a_fresh_guest_is_found_as_soon_as_a_replica_knows_him() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let lag = SignedDuration::from_secs(100);
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let sam = world.tenant.invite("sam@northwind.example");
    let began = world.clock.now();
    let path = format!("/users/{}", sam.id());
    let moments = world.moments_of("GET", &path, SignedDuration::from_secs(104)).await;
    assert_eq!(moments, [0, 15, 45]);
    world.settle().await;
    world.expect_disabled(sam);
    let incident = world.incident(sam).await;
    assert_eq!(incident.opened_at.duration_since(began).as_secs(), 105);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_id_that_nobody_knows_is_looked_for_with_doubling_waits_and_then_left_in_silence() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let lag = HOUR;
    world.simulator.set_faults(|faults| faults.fresh = Some(Stale { lag, chance: 1.0 }));
    let nobody = world.tenant.invite("nobody@fabrikam.com");
    let path = format!("/users/{}", nobody.id());
    let moments = world.moments_of("GET", &path, HOUR).await;
    // The second look begins at 300 and has waits of its own.
    assert_eq!(moments, [0, 15, 45, 105, 225, 300, 315, 345, 405, 465, 525, 765, 945, 945, 1245, 1245]);
    world.slack.expect_silence();
}

#[tokio::test]
async fn an_id_of_a_group_is_no_guest() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.tenant.0.create_group(NewGroup::named("Marketing EMEA"));
    world.settle_for(HOUR).await;
    world.expect_no_writes();
}

#[tokio::test]
async fn a_known_guest_who_vanishes_is_told_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    vanish(&mut world, adele).await;
    assert_snapshot!(world.slack.next_text(), @"
    A known guest is gone from the directory
    *What happened*
    the guest <id> is not in the directory any more, and not among the deleted users
    *What to do*
    If nobody of yours deleted the account for good, find out who did in the audit log of Entra
    Look: `guestlist incidents`
    notice · medium severity · 2026-11-20 09:20:55 UTC
    ");
}

#[tokio::test]
async fn a_caught_guest_who_vanishes_closes_his_incident() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    vanish(&mut world, sam).await;
    assert_snapshot!(world.slack.next_text(), @"
    Resolved for guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Broke the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    The finding is gone since 2026-11-20 09:20:55 UTC: the guest is not in the directory any more.
    Graph request-id: `<id>`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · resolved · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen 3 times
    ");
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
}

/// Gone for good, and the word `deleted` did not reach us: only an earlier change did.
async fn vanish(world: &mut World, guest: Guest) {
    world.tenant.change(guest, |user| user.display_name = "Somebody".to_owned());
    world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
    world.tenant.0.purge_user(guest.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle_for(HOUR).await;
}

#[tokio::test]
async fn a_guest_who_is_deleted_for_good_is_forgotten_at_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    assert!(world.store.ledger.known(adele.id()).await.unwrap().is_some());
    world.tenant.0.purge_user(adele.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle_now().await;
    assert!(world.store.ledger.known(adele.id()).await.unwrap().is_none());
    world.settle_for(HOUR).await;
}

#[tokio::test]
async fn a_caught_guest_who_is_deleted_is_told_as_resolved_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.0.delete_user(sam.0).unwrap();
    world.settle().await;
    assert_snapshot!(world.slack.next_text(), @"
    Resolved for guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Broke the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    The finding is gone since 2026-11-20 09:10:00 UTC: the guest was deleted (soft: it can be restored for 30 days).
    Graph request-id: `<id>`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · resolved · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen 4 times
    ");
    world.tenant.0.purge_user(sam.0).unwrap();
    world.settle_for(HOUR).await;
}

#[tokio::test]
async fn a_guest_who_is_restored_is_judged_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.tenant.0.delete_user(sam.0).unwrap();
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 2);
    world.tenant.0.restore_user(sam.0).unwrap();
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.incident(sam).await.id.generation, 2);
    assert_eq!(world.slack.read_all().len(), 1);
}
