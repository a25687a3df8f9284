//! What operators are answered says what has become of it, also where the answer comes late, or the request was buried.

use guestlist_tests::World;
use jiff::SignedDuration;
use model::{Answer, RequestId, RequestState};
use simulator::{Failure, Fault};

use crate::given::{disabled, waiting_read};

/// The process died after the request was carried out, and before it was answered.
async fn unanswered(world: &World, id: &RequestId) {
    let mut stored = world.store.ledger.request(id).await.unwrap().unwrap();
    stored.value.state = RequestState::Waiting;
    world.store.ledger.replace(stored).await.unwrap();
    world.clock.advance(SignedDuration::from_mins(3));
    world.wake_what_is_due().await;
}

/// Nobody ever came to the end of a request.
async fn fails_again_and_again(world: &World) {
    let queue = world.store.queues.remediations.clone();
    for _ in 0..31 {
        let now = world.clock.now();
        for claimed in queue.claim(now, SignedDuration::from_mins(3), 100).await.unwrap() {
            let anew = (!claimed.key.starts_with("request/")).then(|| claimed.body.clone());
            queue.delay(&claimed, now, anew).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_approval_that_was_used_before_its_answer_is_not_promised_again() {
    let (mut world, adele, finance, id) = waiting_read().await;
    let request = world.ask_approval(&id, "carol").await;
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.join(adele, finance);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "waiting");
    unanswered(&world, &request).await;
    world.settle().await;
    let Answer::Done { text } = world.answer(&request).await else { panic!("it was approved") };
    assert_eq!(
        text,
        format!("approved, and the approval was used since: `{id}` is waiting now, look at it again")
    );
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn who_asked_for_an_undo_that_is_under_way_is_not_told_to_ask_again() {
    let (mut world, sam, id) = disabled().await;
    world.next_faults((0..40).map(|_| Fault::new("PATCH", "/users", Failure::Reset)));
    let request = world.ask_undo(&id, false).await;
    world.run("remediate").await;
    assert_eq!(world.states(sam).await, ["undoing"]);
    unanswered(&world, &request).await;
    fails_again_and_again(&world).await;
    world.run("remediate").await;
    let Answer::Sent { text } = world.answer(&request).await else { panic!("it is under way") };
    assert!(text.starts_with("an undo is under way"), "{text}");
    let notice = world.notice("buried/remediate").await;
    assert!(notice.text.contains("whoever asked for it has an answer"), "{}", notice.text);
    assert!(!notice.text.contains("dead replay"), "{}", notice.text);
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.live_on(SignedDuration::from_hours(1)).await;
    assert_eq!(world.states(sam).await, ["undone"]);
    world.expect_enabled_again(sam);
    world.slack.read_all();
}
