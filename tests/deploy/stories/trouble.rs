//! Microsoft Graph in trouble: what it turns away waits for as long as it asks, and nothing is lost.

use guestlist_tests::Guest;
use jiff::{SignedDuration, Timestamp};
use model::{Answer, Correlation, Incident, Job, RequestKind, State, SubscriptionId, Wake};
use serde_json::json;
use simulator::{Failure, Fault, RetryAfter};
use uuid::Uuid;

use crate::deployment::{Deployment, PUT_OFF_SECONDS};
use crate::story::{is_disabled, is_met};

/// More than a function waits for by itself.
const AWAY: Failure = Failure::Status(503, RetryAfter::Seconds(4));

fn next(stack: &Deployment, method: &str, path: &str, failure: Failure) {
    stack.simulator.set_faults(|faults| faults.next(Fault::new(method, path, failure)));
}

fn of(guest: Guest) -> String {
    format!("/users/{}", guest.0)
}

pub(crate) async fn a_write_that_graph_turns_away_waits_and_so_does_who_changes_meanwhile(
    stack: &Deployment,
) {
    let guest = stack.tenant.invite("patience@evil.example");
    let long = Failure::Throttled(RetryAfter::Seconds(u64::from(PUT_OFF_SECONDS)));
    next(stack, "PATCH", &of(guest), long);
    let incident = is_met(stack, guest, "blocked-domain").await;
    let is_put_off = async || {
        let soon = Timestamp::now() + SignedDuration::from_secs(90);
        let Incident { state, wake, .. } = stack.store.by_id(&incident.id).await;
        let later = matches!(wake, Wake::Due { at } | Wake::Sent { at } if at > soon);
        (state == State::Open && later).then_some(())
    };
    stack.until("it is put off", is_put_off).await;
    stack.tenant.stir(guest);
    stack.until_used(("assess", "PutItem", "later#remediations")).await;
    assert!(stack.tenant.is_enabled(guest), "nobody tries before Graph lets him");
    let key = format!("guest/{}", guest.0);
    let is_moved =
        async || (!stack.store.waits_in_the_table(&stack.store.queues.remediations, &key)).then_some(());
    stack.until_tended("steward", "it lies in its queue again", is_moved).await;
}

pub(crate) async fn a_look_that_graph_has_no_answer_for_is_made_again(stack: &Deployment) {
    let guest = stack.tenant.invite("again@evil.example");
    next(stack, "GET", &of(guest), AWAY);
    stack.until_used(("assess", "ChangeMessageVisibility", "Changes")).await;
    is_disabled(stack, guest).await;
}

/// It is looked at again in an hour: somebody may have mended it.
pub(crate) async fn a_write_that_graph_refuses_has_failed_and_is_tried_anew_later(stack: &Deployment) {
    let guest = stack.tenant.invite("refused@evil.example");
    next(stack, "PATCH", &of(guest), Failure::Status(400, RetryAfter::None));
    let incident = is_met(stack, guest, "blocked-domain").await;
    let failed =
        async || matches!(stack.store.by_id(&incident.id).await.state, State::Failed { .. }).then_some(());
    stack.until("it has failed", failed).await;
    stack.until_used(("remediate", "PutItem", "later#changes")).await;
}

pub(crate) async fn an_undo_that_graph_has_no_answer_for_is_made_again(stack: &Deployment, guest: Guest) {
    let incident = stack.store.incident(guest, "blocked-domain").await.expect("he was disabled").id;
    next(stack, "GET", &of(guest), AWAY);
    let suspend_for = SignedDuration::from_hours(24 * 7);
    let request = stack.store.ask(RequestKind::Undo { incident, suspend_for, force: false }).await;
    stack.until_used(("remediate", "ChangeMessageVisibility", "Remediations")).await;
    let answer = stack.until("the undo is answered", async || stack.store.answer(&request).await).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    let is_back = async || stack.tenant.is_enabled(guest).then_some(());
    stack.until("the guest is enabled again", is_back).await;
}

/// Graph says that authorizations run out, and is away: once, and for the thirtieth time.
pub(crate) async fn a_subscription_is_kept_alive_when_graph_is_back(stack: &Deployment) {
    let there = stack.simulator.subscriptions();
    let (first, last) = (there[0].id, there[1].id);
    let chores = &stack.store.queues.chores;
    let now = Timestamp::now();
    next(stack, "POST", &format!("/subscriptions/{first}"), AWAY);
    stack.store.send(chores, "lifecycle/once", &reauthorize(first), now).await;
    stack.until_used(("steward", "ChangeMessageVisibility", "Chores")).await;
    next(stack, "POST", &format!("/subscriptions/{last}"), AWAY);
    let body = serde_json::to_string(&reauthorize(last)).unwrap();
    let envelope = json!({
        "key": "lifecycle/often", "body": body, "due": now, "owed_since": now, "collapse": "earliest", "sent_at": now,
        "delivered": 29,
    });
    stack.store.send_as_it_is(chores, &envelope);
    stack.until_used(("steward", "PutItem", "later#chores")).await;
    // What is to be done in two minutes lies in the table until it is near.
    let soon = Timestamp::now() + SignedDuration::from_secs(120);
    stack.store.send(chores, "lifecycle/later", &reauthorize(first), soon).await;
    assert!(stack.store.waits_in_the_table(chores, "lifecycle/later"));
    let is_moved = async || (!stack.store.waits_in_the_table(chores, "lifecycle/later")).then_some(());
    stack.until_tended("steward", "it lies in its queue", is_moved).await;
}

fn reauthorize(subscription: Uuid) -> Job {
    let subscription = SubscriptionId::from_u128(subscription.as_u128());
    let (event, correlation) = ("reauthorizationRequired".to_owned(), Correlation::from_u128(7));
    Job::Lifecycle { subscription, event, correlation }
}
