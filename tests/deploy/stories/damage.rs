//! What only damage, or days, bring about: the story writes it into the table by itself.

use jiff::{SignedDuration, Timestamp};
use model::{AlertJob, Binding, ChannelName, Job, SubscriptionRecord, Watched};
use queue::Queue;
use simulator::contoso;

use crate::deployment::Deployment;
use crate::store::ago;

/// It would stand before the others for ever.
pub(crate) async fn what_cannot_be_read_of_what_waits_is_put_aside(stack: &Deployment) {
    let queues = &stack.store.queues;
    tokio::join!(
        is_put_aside(stack, &queues.changes),
        is_put_aside(stack, &queues.remediations),
        is_put_aside(stack, &queues.alerts),
    );
}

async fn is_put_aside(stack: &Deployment, queue: &Queue) {
    let place = format!("later#{}", queue.name());
    stack.store.put_damaged(&place, "damaged", Some(&place));
    let lies_there = async || {
        let dead = queue.dead(None, 10).await.unwrap();
        dead.iter().any(|letter| letter.key.contains("damaged")).then_some(())
    };
    stack.until_tended("steward", "it is among the dead letters", lies_there).await;
}

/// Whoever mends it need not hurry: it is tried again.
pub(crate) async fn a_message_about_what_cannot_be_read_waits(stack: &Deployment) {
    stack.store.put_damaged(&format!("notice#{}", contoso::TENANT), "damaged", None);
    let about = AlertJob::Notice("damaged".to_owned());
    let tell = Job::Tell { about, channel: ChannelName("slack".to_owned()) };
    stack.store.send(&stack.store.queues.alerts, "slack/notice/damaged", &tell, Timestamp::now()).await;
    stack.until_used(("alert", "ChangeMessageVisibility", "Alerts")).await;
}

/// For seven days it is remembered what a subscription may have sent that is gone.
pub(crate) async fn a_subscription_that_has_long_gone_is_forgotten(stack: &Deployment) {
    let at = ago(SignedDuration::from_hours(24 * 8));
    let record = SubscriptionRecord {
        nonce: seal::nonce([7; 16]),
        tenant: guestlist_tests::tenant(),
        watched: Watched::Users,
        notification_url: format!("{}/graph/notifications", stack.public_url),
        key: "k1".to_owned(),
        asked_at: at,
        binding: Binding::Retired { at, id: None },
        last_notification_at: None,
    };
    let nonce = record.nonce.clone();
    stack.store.ledger.insert(record).await.unwrap();
    let is_gone = async || stack.store.ledger.subscription(&nonce).await.unwrap().is_none().then_some(());
    stack.until_tended("steward", "it is forgotten", is_gone).await;
}
