//! Nothing is written that is not judged again just before, success is claimed only from a read, and our own writes come
//! back in silence.

use guestlist_tests::{Guest, Setup, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Outcome, StepResult};
use simulator::{NewGroup, Stale};

use crate::policies::PARTNERS_ONLY;

/// A guest whom nobody admits, found, and not yet acted upon.
pub(crate) async fn found() -> (World, Guest) {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    assert_eq!(world.incident(sam).await.state.word(), "open");
    (world, sam)
}

pub(crate) async fn outcomes(world: &World, guest: Guest) -> Vec<Outcome> {
    let id = world.incident(guest).await.id;
    world.store.ledger.outcomes(&id).await.unwrap()
}

#[tokio::test]
async fn a_policy_that_changed_in_between_saves_the_guest() {
    let (mut world, sam) = found().await;
    world.change_policy(&PARTNERS_ONLY.replace("fabrikam.com,", "fabrikam.com, northwind.example,"));
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    assert!(world.slack.next_text().starts_with("Resolved for guest sam@northwind[.]example"));
}

#[tokio::test]
async fn a_policy_that_fell_to_observe_in_between_only_tells() {
    let (mut world, sam) = found().await;
    world.change_policy(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe"));
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(world.slack.next_text(), @"
    Would disable guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What would be done*
    Would disable the account (mode observe: nothing was done).
    • held back: the policy's mode is `observe`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode observe · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen once
    ");
}

#[tokio::test]
async fn a_guest_whose_address_was_mended_in_between_is_left_alone() {
    let (mut world, sam) = found().await;
    world.tenant.change(sam, |user| user.mail = Some("sam@fabrikam.com".to_owned()));
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    // Nobody had heard of it yet, and now there is nothing to hear.
    world.slack.expect_silence();
}

#[tokio::test]
async fn a_role_that_was_assigned_in_between_protects() {
    let (mut world, sam) = found().await;
    world.tenant.0.assign_role(sam.0, "User Administrator").unwrap();
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(world.slack.next_text(), @"
    A person must decide about guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Nothing was done: the account holds the directory role `<id>`: a Privileged Authentication Administrator must take it away or disable the account.
    *What a person must do*
    Decide, and disable the account by hand if it must be.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · refused · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen once
    ");
}

#[tokio::test]
async fn a_role_assignable_group_that_was_joined_in_between_protects() {
    let (mut world, sam) = found().await;
    let group = NewGroup { role_assignable: true, members: vec![sam.0], ..NewGroup::named("Admins") };
    world.tenant.0.create_group(group);
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "refused");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn success_is_claimed_only_when_a_read_shows_it() {
    let (mut world, sam) = found().await;
    world.run("remediate").await;
    assert!(!world.tenant.is_enabled(sam), "the write is done");
    assert_eq!(world.incident(sam).await.state.word(), "sent");
    assert_eq!(outcomes(&world, sam).await.last().unwrap().result, StepResult::Sent);
    world.run("alert").await;
    world.slack.expect_silence();
    world.settle().await;
    world.expect_disabled(sam);
    let outcomes = outcomes(&world, sam).await;
    assert_eq!((outcomes.len(), &outcomes[0].result), (1, &StepResult::Done));
    assert_eq!(outcomes[0].before, Some(true));
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_write_that_no_read_shows_is_sent_once_more_and_has_failed_then() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let lag = SignedDuration::from_mins(40);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_mins(14)).await;
    assert_eq!(world.incident(sam).await.state.word(), "sent");
    assert_snapshot!(world.slack.next_text().lines().next().unwrap(), @"Asked Entra to disable guest sam@northwind[.]example: otherwise.guest (medium)");
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), "sent", "judged, and sent once more");
    world.settle().await;
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "failed");
    assert_eq!(incident.updated_at.duration_since(incident.opened_at), SignedDuration::from_mins(30));
    assert_snapshot!(world.slack.next_text(), @"
    Failed, and a person must look at guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Entra accepted the change 15 minutes ago, and reads still do not show it; look at the account in the Entra admin center.
    Graph request-id: `<id>`, `<id>`
    *What a person must do*
    Look at it in the Entra admin center: the rule asks to disable the account.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · failed · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen 3 times
    ");
    world.expect_disabled(sam);
    world.expect_disabled(sam);
}

#[tokio::test]
async fn an_account_that_was_disabled_before_is_not_written_to() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.tenant.0.disable(sam.0).unwrap();
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_no_writes();
    assert_snapshot!(world.slack.next_text(), @"
    Guest sam@northwind[.]example was already disabled: otherwise.guest (medium)
    *Who*
    `sam` · guest · account disabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Nothing had to be changed: the account was disabled already when it was read at 2026-11-20 09:00:05 UTC.
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:00:05 UTC · seen once
    ");
    let id = world.incident(sam).await.id;
    let answer = world.undo(&id).await;
    assert!(matches!(answer, model::Answer::Refused { .. }), "{answer:?}");
    assert!(!world.tenant.is_enabled(sam), "what was not ours is not undone");
}

#[tokio::test]
async fn two_rules_that_ask_for_the_same_write_it_once_and_tell_it_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_writes();
    assert_eq!(world.slack.read_all().len(), 1);
    let incidents = world.incidents(mallory).await;
    assert_eq!(incidents.iter().map(|one| one.state.word()).collect::<Vec<_>>(), ["done", "done"]);
}

#[tokio::test]
async fn our_own_writes_come_back_in_silence() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_hours(24)).await;
    world.expect_disabled(sam);
    world.expect_no_writes();
    assert_eq!(world.slack.read_all().len(), 1);
    assert_eq!(world.calls("PATCH", &format!("/users/{}", sam.id())), 1);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn somebody_who_enables_the_guest_again_is_answered_after_the_replicas_have_settled() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1, "that it was done again is news");
    assert_eq!(world.incident(sam).await.id.generation, 1);
}

#[tokio::test]
async fn an_enabling_within_seconds_of_our_write_is_not_mistaken_for_a_stale_read() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_secs(10)).await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.0.enable(sam.0).unwrap();
    world.settle_for(SignedDuration::from_mins(4)).await;
    assert!(world.tenant.is_enabled(sam), "replicas may still be settling");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn while_writes_are_stopped_nothing_is_written_however_long_it_lasts() {
    let (mut world, sam) = found().await;
    world.stop_writes().await;
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_untouched(sam);
    assert_eq!(world.slack.read_all().len(), 1, "about to");
    assert!(world.dead_letters().await.is_empty());
    world.resume_writes().await;
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn the_operator_s_ceiling_holds_whatever_the_policy_says() {
    let setup = Setup { ceiling: "observe", ..Setup::with_policy(PARTNERS_ONLY) };
    let mut world = World::new(setup).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_untouched(sam);
    assert_snapshot!(world.slack.next_text(), @"
    Would disable guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What would be done*
    Would disable the account (mode observe: nothing was done).
    • held back: the operator allows at most `observe` (`GUESTLIST_AT_MOST`)
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode observe · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen once
    ");
}
