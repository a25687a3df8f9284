//! How several stories begin, and what they ask of an answer.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, Incident, IncidentId, PlanHash, RequestKind};
use simulator::{Failure, Fault, NewGroup, Stale};

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, asking, closing};

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

/// Somebody who was just invited and whose finding is recorded. No worker has come yet.
pub(crate) async fn found(policy: &str, address: &str) -> (World, Guest) {
    let world = World::with_policy(policy).await;
    let guest = world.tenant.invite(address);
    world.deliver().await;
    world.run("assess").await;
    (world, guest)
}

/// A guest whom nobody admits is disabled: the answer was lost, and no read shows it for a minute.
pub(crate) async fn disabled_without_a_word() -> (World, Guest) {
    let (world, sam) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    let lag = SignedDuration::from_mins(1);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", Failure::LostAnswer)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(!world.tenant.is_enabled(sam));
    (world, sam)
}

/// The app that writes may do this, too.
pub(crate) fn granting(world: &World, more: &[&str]) {
    let writer = simulator::contoso::writer();
    let roles: Vec<&str> = writer.roles.iter().map(String::as_str).chain(more.iter().copied()).collect();
    assert!(world.simulator.grant(writer.client_id, &roles));
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

/// Taken out of one group, and out of another after the account had become somebody else.
pub(crate) async fn taken_as_two() -> (World, Guest, [Group; 2], IncidentId) {
    let mut world = World::with_policy(&closing("{ domain: [evil.example] }", "leave-groups")).await;
    let (secret, trips) = (world.tenant.group("Secret"), world.tenant.group("Trips"));
    let guest = world.guest_today("mallory@evil.example");
    world.meet_in(guest, secret).await;
    world.expect_no_member(guest, secret);
    world.tenant.change(guest, |user| user.mail = Some("eve@evil.example".to_owned()));
    world.settle().await;
    world.tenant.join(guest, trips);
    world.settle().await;
    world.expect_no_member(guest, trips);
    let id = world.incident(guest).await.id;
    (world, guest, [secret, trips], id)
}

/// A guest of old who was in a closed group of old, taken out of it with an approval.
pub(crate) async fn old_member_taken_out() -> (World, Guest, Group, IncidentId) {
    let existing = "mode: enforce\nexisting: { before: 2026-01-01, mode: ask }";
    let mut world = World::with_policy(&CLOSED_GROUPS.replace("mode: enforce", existing)).await;
    let adele = world.guest_of_old("adele@fabrikam.com");
    let finance = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") })
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(adele);
    world.settle().await;
    let id = world.incident_in(adele, finance).await.id;
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    (world, adele, finance, id)
}

/// Somebody approves of what he has seen, and the answer is read.
pub(crate) async fn approve_as_seen(world: &mut World, incident: &Incident, seen: PlanHash) -> Answer {
    let kind = RequestKind::Approve { incident: incident.id.clone(), plan: seen };
    let request = world.ask(kind, "carol", "looked at it").await;
    world.settle().await;
    world.answer(&request).await
}
