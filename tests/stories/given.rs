//! How several stories begin, and what they ask of an answer.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId};

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, asking};

/// A guest whom nobody admits, disabled, and the team told.
pub(crate) async fn disabled() -> (World, Guest, IncidentId) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    let id = world.incident(sam).await.id;
    (world, sam, id)
}

/// Why it was refused.
#[track_caller]
pub(crate) fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused { why } => why,
        Answer::Done { .. } | Answer::Sent { .. } | Answer::Failed { .. } => panic!("{answer:?}"),
    }
}

/// A guest of a partner, of whom there is nothing to say.
pub(crate) async fn admitted(policy: &str) -> (World, Guest) {
    let mut world = World::with_policy(policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.expect_untouched(adele);
    world.slack.expect_silence();
    (world, adele)
}

/// The same guest, who has been taken out of a closed group, and the team told.
pub(crate) async fn taken_out() -> (World, Guest, Group, IncidentId) {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
    let id = world.incident_in(adele, finance).await.id;
    (world, adele, finance, id)
}

/// How often a notice was raised depends on who came first.
pub(crate) fn without_last_line(text: &str) -> &str {
    text.rsplit_once('\n').map_or(text, |(before, _)| before)
}

/// Starts again after the death of the process, with the steward at work.
pub(crate) async fn come_back(world: &mut World) {
    world.restart().await;
    for _ in 0..3 {
        world.settle().await;
        world.clock.advance(SignedDuration::from_mins(3));
        world.wake_what_is_due().await;
    }
    world.settle().await;
}

/// A guest in a closed group, and people asked what to do.
pub(crate) async fn waiting() -> (World, Guest, Group, IncidentId) {
    let (mut world, adele) = admitted(&asking(CLOSED_GROUPS)).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    let incident = world.incident_in(adele, finance).await;
    world.expect_member(adele, finance);
    assert_eq!(incident.state.word(), "waiting");
    assert_eq!(world.slack.count(), 1);
    (world, adele, finance, incident.id)
}

/// The same, and people have read it.
pub(crate) async fn waiting_read() -> (World, Guest, Group, IncidentId) {
    let waiting = waiting().await;
    waiting.0.slack.read_all();
    waiting
}
