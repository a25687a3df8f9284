//! What an undo gives back, later: it makes nothing new of what was there before, a failed one says what it leaves behind,
//! and what one undo left out another can still give back.

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId};
use simulator::{Delay, Stale};

use crate::given::{old_member_taken_out, taken_as_two, taken_out};

/// When the addition by an undo is announced, where Graph is late.
const LATE: SignedDuration = SignedDuration::from_mins(30);

#[tokio::test]
async fn a_failed_undo_says_until_when_the_rule_stays_suspended() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.clock.advance(SignedDuration::from_mins(30));
    // No read shows yet that the group has become restricted: Graph refuses the write.
    world.unnoticed(|tenant| tenant.change_group(finance, |group| group.management_restricted = true));
    let request = world.ask_undo(&id, false).await;
    world.run("remediate").await;
    let Answer::Failed { why } = world.answer(&request).await else { panic!("Graph refused it") };
    assert!(!world.tenant.is_member(adele, finance));
    let held = world.store.ledger.suspensions(adele.id()).await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    let until = format!("; the rule is suspended for it until {:.0}", held[0].until);
    assert!(why.ends_with(&until), "{why}");
    world.settle().await;
    world.forget_writes("/members/");
    world.slack.read_all();
}

/// Taken out of one group, and out of another after the account had become somebody else. An undo gave the second back.
async fn partly_given_back() -> (World, Guest, [Group; 2], IncidentId) {
    let (mut world, guest, [secret, trips], id) = taken_as_two().await;
    let Answer::Sent { text } = world.undo(&id).await else { panic!("one of them is given back") };
    assert!(text.ends_with("while the account had another identity: `Secret`"), "{text}");
    world.expect_member_again(guest, trips);
    assert_eq!(world.states(guest).await, ["undone"]);
    world.slack.read_all();
    (world, guest, [secret, trips], id)
}

#[tokio::test]
async fn what_an_undo_left_out_is_given_back_by_force_later() {
    let (mut world, guest, [secret, trips], id) = partly_given_back().await;
    world.clock.advance(SignedDuration::from_hours(1));
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    let answer = world.answer(&request).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    world.expect_member_again(guest, secret);
    world.expect_member(guest, trips);
    assert_eq!(world.states(guest).await, ["undone"]);
    world.slack.read_all();
    // And then nothing is left.
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    let answer = world.answer(&request).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
}

#[tokio::test]
async fn what_an_undo_left_out_is_not_given_back_without_force_later_either() {
    let (mut world, guest, [secret, _], id) = partly_given_back().await;
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    assert!(!world.tenant.is_member(guest, secret));
    world.expect_no_writes();
}

/// A guest of old who was in a closed group of old, taken out of it with an approval. An undo has given it back, and that is
/// announced half an hour later.
async fn given_back_and_not_announced() -> (World, Guest, Group) {
    let (world, adele, finance, id) = old_member_taken_out().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.ask_undo(&id, false).await;
    (world, adele, finance)
}

fn announce_late(world: &World, late: bool) {
    let delayed = late.then_some(Delay { by: LATE, chance: 1.0 });
    world.simulator.set_faults(|faults| faults.notifications.delayed = delayed);
}

/// The membership was there before anybody looked, and nobody takes it away without asking.
async fn expect_old(world: &mut World, adele: Guest, finance: Group) {
    let joined = world.store.ledger.joined(adele.id()).await.unwrap();
    assert!(joined.is_empty(), "new: {joined:?}");
    world.live_on(SignedDuration::from_hours(24 * 8)).await;
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    world.slack.read_all();
}

#[tokio::test]
async fn what_was_given_back_is_not_new_for_the_incident_after_the_undone_one() {
    let (mut world, adele, finance) = given_back_and_not_announced().await;
    announce_late(&world, true);
    world.settle_for(SignedDuration::from_mins(5)).await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    announce_late(&world, false);
    // Nobody suspended the rule for whoever the account is now.
    world.tenant.change(adele, |user| user.mail = Some("ceo@fabrikam.com".to_owned()));
    world.settle_for(SignedDuration::from_mins(6)).await;
    let next = world.incident_in(adele, finance).await;
    assert_eq!((next.id.generation, next.state.word()), (2, "waiting"));
    world.clock.advance(LATE);
    world.settle().await;
    world.expect_member(adele, finance);
    expect_old(&mut world, adele, finance).await;
}

#[tokio::test]
async fn what_was_given_back_is_not_new_although_the_undo_failed_in_the_end() {
    let (mut world, adele, finance) = given_back_and_not_announced().await;
    announce_late(&world, true);
    let lag = SignedDuration::from_mins(20);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.settle_for(SignedDuration::from_mins(18)).await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed", "no read has shown it");
    announce_late(&world, false);
    world.clock.advance(LATE);
    world.settle().await;
    world.expect_member(adele, finance);
    expect_old(&mut world, adele, finance).await;
}

/// While the undo is under way it is announced in time, and what is announced twice is no more new for that.
#[tokio::test]
async fn what_was_given_back_is_not_new_when_graph_repeats_itself_after_the_next_incident_opened() {
    let (mut world, adele, finance) = given_back_and_not_announced().await;
    world.settle().await;
    world.expect_member_again(adele, finance);
    world.tenant.change(adele, |user| user.mail = Some("ceo@fabrikam.com".to_owned()));
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    let mut again = world.genuine(model::Watched::Groups, finance.id());
    again["resourceData"]["members@delta"] = serde_json::json!([{ "id": adele.id() }]);
    assert_eq!(world.notify(&[again]).await.status, 202);
    world.settle().await;
    world.expect_member(adele, finance);
    expect_old(&mut world, adele, finance).await;
}
