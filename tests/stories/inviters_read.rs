//! What an inviter is, of whom the directory audit says who he was: replicas lag, may not know him yet, and may not show his
//! groups. Nobody is touched because of what a read may have missed, and what is sure is not waited for.

use guestlist_tests::{Group, Guest, World};
use jiff::{SignedDuration, Timestamp};
use simulator::{Failure, Fault, Invite, Stale, contoso};

use crate::policies::closing;

/// Whoever somebody in Marketing has invited may come in.
const INVITED_BY_MARKETING: &str = "version: 1\nmode: enforce\nscenarios:\n  - id: agency-work\n    owner: marketing@contoso.com\n    \
     admits: { inviters: { group: { id: 60000000-0000-4000-8000-000000000001, name: Marketing } } }\notherwise:\n  guest: { \
     then: [disable] }\n";

const GUESTS_DO_NOT_INVITE: &str = "{ inviter: { kind: [guest, external-member] } }";

fn invited_by_bob(world: &World) -> Guest {
    Guest(world.tenant.0.invite(Invite::new("sam@fabrikam.com", contoso::BOB)))
}

/// For eight minutes reads show what was before.
fn lagging(world: &World) {
    let lag = SignedDuration::from_mins(8);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
}

/// Everything happens that is due so long after the story has begun.
async fn until(world: &mut World, began: Timestamp, minutes: i64) {
    let at = began.checked_add(SignedDuration::from_mins(minutes)).unwrap();
    world.settle_for(at.duration_since(world.clock.now())).await;
    world.clock.advance_to(at);
}

async fn again(world: &mut World, guest: Guest) {
    world.tenant.stir(guest);
    world.settle().await;
}

#[tokio::test]
async fn a_group_that_the_inviter_joined_a_minute_before_counts_although_a_replica_lags() {
    let mut world = World::with_policy(INVITED_BY_MARKETING).await;
    lagging(&world);
    world.tenant.0.add_member(Group::MARKETING.0, contoso::BOB).unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let sam = invited_by_bob(&world);
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_untouched(sam);
    world.slack.expect_silence();
    // What he was then is known for life.
    world.tenant.0.remove_member(Group::MARKETING.0, contoso::BOB).unwrap();
    world.live_on(SignedDuration::from_hours(24 * 45)).await;
    again(&mut world, sam).await;
    world.expect_untouched(sam);
}

#[tokio::test]
async fn whom_nobody_of_the_group_invited_is_disabled_when_reads_are_believed_and_not_before() {
    let mut world = World::with_policy(INVITED_BY_MARKETING).await;
    let (sam, invited_at) = (invited_by_bob(&world), world.clock.now());
    until(&mut world, invited_at, 14).await;
    world.expect_untouched(sam);
    world.slack.expect_silence();
    let owed_since = world.store.queues.changes.owed_since().await.unwrap();
    assert_eq!(owed_since, Some(invited_at), "what waits is owed");
    until(&mut world, invited_at, 16).await;
    world.expect_disabled(sam);
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("is not one of those whom scenario `agency-work` asks for"), "{}", told[0]);
    // An undo is not undone by what was known too early.
    let id = world.incident(sam).await.id;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.texts();
}

/// Bob was in the group a moment ago by what a replica says; the other one has heard that he is not.
#[tokio::test]
async fn a_group_that_one_read_shows_and_a_later_one_does_not_is_told_and_not_acted_on() {
    let mut world = World::with_policy(INVITED_BY_MARKETING).await;
    world.tenant.0.add_member(Group::MARKETING.0, contoso::BOB).unwrap();
    world.clock.advance(SignedDuration::from_hours(1));
    lagging(&world);
    world.tenant.0.remove_member(Group::MARKETING.0, contoso::BOB).unwrap();
    let (sam, invited_at) = (invited_by_bob(&world), world.clock.now());
    until(&mut world, invited_at, 14).await;
    world.slack.expect_silence();
    until(&mut world, invited_at, 16).await;
    world.expect_untouched(sam);
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("both in and out of the group"), "{}", told[0]);
}

async fn adele_and(world: &mut World) -> Guest {
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.expect_untouched(adele);
    world.clock.advance(SignedDuration::from_hours(1));
    adele
}

fn unknown_once(world: &World, who: Guest) {
    world.next_faults([Fault::new("GET", &format!("/users/{}", who.id()), Failure::NotFound)]);
}

#[tokio::test]
async fn an_inviter_whom_a_replica_does_not_know_yet_is_asked_for_again_within_seconds() {
    let mut world = World::with_policy(&closing(GUESTS_DO_NOT_INVITE, "disable")).await;
    let adele = adele_and(&mut world).await;
    unknown_once(&world, adele);
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.settle_for(SignedDuration::from_secs(10)).await;
    world.expect_untouched(friend);
    world.slack.expect_silence();
    world.settle_for(SignedDuration::from_mins(1)).await;
    world.expect_disabled(friend);
    assert_eq!(world.slack.texts().len(), 1, "nobody hears that it was not known");
}

/// What he was is known by then, and that he is gone changes nothing of it.
#[tokio::test]
async fn an_inviter_who_leaves_after_he_was_read_stays_what_he_was() {
    let observing = closing(GUESTS_DO_NOT_INVITE, "disable").replace("mode: enforce", "mode: observe");
    let mut world = World::with_policy(&observing).await;
    let adele = adele_and(&mut world).await;
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.settle_for(SignedDuration::from_mins(2)).await;
    world.slack.texts();
    world.tenant.0.delete_user(adele.0).unwrap();
    world.tenant.0.purge_user(adele.0).unwrap();
    world.live_on(SignedDuration::from_hours(24 * 45)).await;
    world.change_policy(&closing(GUESTS_DO_NOT_INVITE, "disable"));
    again(&mut world, friend).await;
    world.expect_disabled(friend);
    world.slack.texts();
}

/// The app that reads is granted this alone.
fn granting(world: &World, may: impl Fn(&str) -> bool) {
    let reader = contoso::reader();
    let roles: Vec<&str> = reader.roles.iter().map(String::as_str).filter(|role| may(role)).collect();
    assert!(world.simulator.grant(reader.client_id, &roles));
    world.simulator.revoke_tokens();
}

#[tokio::test]
async fn groups_that_may_not_be_read_are_read_once_that_is_granted() {
    let mut world = World::with_policy(INVITED_BY_MARKETING).await;
    world.tenant.0.add_member(Group::MARKETING.0, contoso::BOB).unwrap();
    granting(&world, |role| !role.starts_with("Group"));
    world.clock.advance(SignedDuration::from_hours(1));
    let sam = invited_by_bob(&world);
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_untouched(sam);
    let told = world.slack.texts().join("\n");
    assert!(told.contains("the groups of the inviter `bob@contoso.com` could not be read"), "{told}");
    granting(&world, |_| true);
    world.live_on(SignedDuration::from_hours(24)).await;
    world.expect_untouched(sam);
    assert!(world.incident(sam).await.state.is_closed());
    world.slack.texts();
}

#[tokio::test]
async fn groups_that_may_not_be_read_and_on_which_nothing_hangs_are_not_asked_for_again_and_again() {
    let mut world = World::with_policy(&closing(GUESTS_DO_NOT_INVITE, "disable")).await;
    granting(&world, |role| !role.starts_with("Group"));
    let sam = invited_by_bob(&world);
    world.live_on(SignedDuration::from_hours(24)).await;
    world.simulator.reset_traffic();
    world.live_on(SignedDuration::from_hours(24 * 5)).await;
    let looks = world.simulator.traffic().kinds.get(&("GET", "users/{}")).map_or(0, |kind| kind.requests);
    assert_eq!(looks, 0);
    world.expect_untouched(sam);
}

#[tokio::test]
async fn whoever_dies_before_the_inviter_is_read_has_kept_who_it_was() {
    let mut world = World::with_policy(&closing(GUESTS_DO_NOT_INVITE, "disable")).await;
    let adele = adele_and(&mut world).await;
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.simulator.reset_traffic();
    world.deliver().await;
    world.next_faults([Fault::new("POST", "/$batch", Failure::Hang)]);
    world.kill_during("assess").await;
    world.restart().await;
    world.settle().await;
    world.expect_disabled(friend);
    assert_eq!(world.calls("GET", "/auditLogs/directoryAudits"), 1);
    world.slack.texts();
}

/// It kept the first read, and that had met a replica that did not know him.
#[tokio::test]
async fn what_an_earlier_version_had_not_read_of_an_inviter_is_read_once_more() {
    const AS_BEFORE: &str = "UPDATE ledger_items SET body = json_set(json_remove(body, '$.document.read_at',
            '$.document.again_at', '$.document.tries', '$.document.by.early'), '$.document.by.kind', json('null'),
            '$.document.by.addresses', json('null'), '$.document.by.groups', json('null'))
        WHERE partition LIKE 'invited#%'";
    let observing = closing(GUESTS_DO_NOT_INVITE, "disable").replace("mode: enforce", "mode: observe");
    let mut world = World::with_policy(&observing).await;
    let adele = adele_and(&mut world).await;
    let friend = Guest(world.tenant.0.invite(Invite::new("friend@fabrikam.com", adele.0)));
    world.settle().await;
    world.slack.texts();
    world.live_on(SignedDuration::from_hours(24 * 60)).await;
    assert_eq!(world.change_rows(AS_BEFORE).await, 2);
    world.change_policy(&closing(GUESTS_DO_NOT_INVITE, "disable"));
    again(&mut world, friend).await;
    world.expect_disabled(friend);
    world.slack.texts();
}
