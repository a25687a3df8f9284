//! What operators are told that is about no guest, in a channel that wants patience: the same trouble again while its message is put off.

use jiff::Timestamp;
use model::{AlertJob, ChannelName, Correlation, Job, Notice, NoticeKind, SubscriptionId};
use queue::Queue;
use serde_json::json;

use crate::deployment::Deployment;

/// Of another flow.
fn lifecycle() -> Job {
    let (subscription, correlation) = (SubscriptionId::from_u128(7), Correlation::from_u128(7));
    Job::Lifecycle { subscription, event: "missed".to_owned(), correlation }
}

fn message() -> Job {
    Job::Tell { about: AlertJob::RollUp, channel: ChannelName("slack".to_owned()) }
}

/// Each function puts to its own dead letters what is not for it, and says so.
pub(crate) async fn what_is_no_job_of_theirs_is_put_aside_and_told(stack: &Deployment) {
    let queues = &stack.store.queues;
    tokio::join!(
        put_aside_twice(stack, &queues.changes, lifecycle(), "assess"),
        put_aside_twice(stack, &queues.remediations, lifecycle(), "remediate"),
        put_aside_twice(stack, &queues.chores, message(), "steward"),
        put_aside_twice(stack, &queues.alerts, lifecycle(), "alert"),
    );
}

async fn put_aside_twice(stack: &Deployment, queue: &Queue, job: Job, function: &'static str) {
    let notice = format!("buried/{function}");
    stack.store.send(queue, "foreign/1", &job, Timestamp::now()).await;
    let is_put_off = async || stack.store.is_notice_put_off(&notice, "webhook").await.then_some(());
    stack.until(&format!("the webhook wants patience with `{notice}`"), is_put_off).await;
    stack.store.send(queue, "foreign/2", &job, Timestamp::now()).await;
    stack.until_used((function, "PutItem", "later#alerts")).await;
    let both = async || (queue.dead(None, 10).await.unwrap().len() == 2).then_some(());
    stack.until(&format!("both are among the dead letters of `{}`", queue.name()), both).await;
}

/// What is sealed as ours and names no subscription is put aside; what is not ours is dropped. Both are told, and answered 202.
pub(crate) async fn what_cannot_be_read_at_the_door_is_put_aside(stack: &Deployment) {
    let subscription = stack.simulator.subscriptions().into_iter().find(|one| one.resource.contains("users"));
    let ours = subscription.and_then(|one| one.client_state).expect("users are watched");
    post(stack, &ours).await;
    let is_put_off = async || stack.store.is_notice_put_off("unreadable", "webhook").await.then_some(());
    stack.until("the webhook wants patience with what cannot be read", is_put_off).await;
    post(stack, &ours).await;
    stack.until_used(("notifications", "PutItem", "later#alerts")).await;
    post(stack, "of somebody else").await;
    let told = async || stack.store.ledger.notice("forged").await.unwrap().map(|_| ());
    stack.until("people are told of forgeries", told).await;
}

async fn post(stack: &Deployment, client_state: &str) {
    let item = json!({ "changeType": "updated", "clientState": client_state, "resource": "users/7" });
    let door = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = door.post(format!("{}/graph/notifications", stack.front_door));
    let request =
        request.header("content-type", "application/json").body(json!({ "value": [item] }).to_string());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}

/// A message that was lost: the ledger knows that people have not been told.
pub(crate) async fn a_notice_whose_message_was_lost_is_told_all_the_same(stack: &Deployment) {
    let (text, channels) =
        ("told although its message was lost".to_owned(), [ChannelName("slack".to_owned())]);
    let notice = Notice::new("lost".to_owned(), NoticeKind::WritesStopped, text, &channels, Timestamp::now());
    stack.store.ledger.insert(notice).await.unwrap();
    let is_told = async || {
        let notice = stack.store.ledger.notice("lost").await.unwrap()?.value;
        notice.due_at().is_none().then_some(())
    };
    stack.until_tended("steward", "it is told", is_told).await;
}
