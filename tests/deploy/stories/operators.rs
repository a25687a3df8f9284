//! What operators decide, and what becomes of an incident that another one has followed.

use guestlist_tests::{Guest, tenant};
use jiff::{SignedDuration, Timestamp};
use model::{Answer, ChannelName, DeliveryStatus, Incident, IncidentId, RequestKind, State, Suspension};
use seal::StateKeys;

use crate::deployment::{Deployment, KEYS};
use crate::functions::work;
use crate::store::ago;
use crate::story::{is_disabled, is_met};

const ASKED: &str = "asked-first";
const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// By a command that died before it could send its message: the steward finds the request.
pub(crate) async fn what_is_approved_is_carried_out(stack: &Deployment) {
    let guest = stack.tenant.invite("ada@asked.example");
    let asked = waiting(stack, guest).await;
    let approve = RequestKind::Approve { plan: asked.question(), incident: asked.id };
    let request = stack.store.ask_without_a_message(approve).await;
    let answered = async || stack.store.answer(&request).await;
    let answer = stack.until_tended("steward", "the approval is answered", answered).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    is_disabled(stack, guest).await;
}

/// Rejected for a second, found again, and the one before looked at, undone in vain, and told where the channel was broken.
pub(crate) async fn what_is_rejected_is_found_again_when_its_suspension_has_ended(stack: &Deployment) {
    let guest = stack.tenant.invite("bob@asked.example");
    let first = waiting(stack, guest).await.id;
    // What is to be told meanwhile stays due.
    work("alert", false);
    let suspend_for = SignedDuration::from_secs(1);
    let answer = answered(stack, RequestKind::Reject { incident: first.clone(), suspend_for }).await;
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    let again = async || stack.store.incident(guest, ASKED).await.filter(|one| one.id.generation == 2);
    stack.until_tended("remediate", "it is found again", again).await;
    for about in ["incident", "archive"] {
        let wakes = async || stack.has_used(("steward", "BatchGetItem", about)).then_some(());
        stack.until_tended("steward", "the steward wakes what is due", wakes).await;
    }
    work("alert", true);
    the_page_of_the_first_is_still_there(stack, &first).await;
    let undo = RequestKind::Undo { incident: first.clone(), suspend_for: WEEK, force: false };
    let answer = answered(stack, undo).await;
    assert!(matches!(&answer, Answer::Refused { why } if why.contains("-2")), "{answer:?}");
    a_channel_that_works_again_is_told_what_it_is_owed(stack, &first).await;
}

async fn the_page_of_the_first_is_still_there(stack: &Deployment, first: &IncidentId) {
    let link = StateKeys::parse(KEYS).unwrap().link(tenant(), first, Timestamp::now() + WEEK);
    let page = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = page.get(format!("{}/incidents/{first}?link={link}", stack.front_door)).send().await.unwrap();
    let (status, page) = (page.status(), page.text().await.unwrap());
    assert!(status == 200 && page.contains("bob@asked.example"), "{status}: {page}");
}

async fn a_channel_that_works_again_is_told_what_it_is_owed(stack: &Deployment, first: &IncidentId) {
    let teams = ChannelName("teams".to_owned());
    let tried = async || {
        let is_tried =
            |status: &DeliveryStatus| matches!(status, DeliveryStatus::Due { at: _, attempts: 1.. });
        let deliveries = stack.store.by_id(first).await.deliveries;
        deliveries.iter().any(|one| one.channel == teams && is_tried(&one.status)).then_some(())
    };
    stack.until("Teams did not take it", tried).await;
    let sees = async || stack.has_used(("steward", "BatchGetItem", "channel")).then_some(());
    stack.until_tended("steward", "the steward sees that the channel is broken", sees).await;
    stack.teams.answer_always(None);
    is_disabled(stack, stack.tenant.invite("oscar@evil.example")).await;
    let is_told = async || {
        let deliveries = stack.store.by_id(first).await.deliveries;
        deliveries
            .iter()
            .all(|one| one.channel != teams || !matches!(one.status, DeliveryStatus::Due { .. }))
            .then_some(())
    };
    stack.until("Teams is told what it is owed", is_told).await;
}

/// Thirty-one days after its end.
pub(crate) async fn a_suspension_goes_long_after_its_end(stack: &Deployment, guest: Guest) {
    let until = ago(SignedDuration::from_hours(24 * 31));
    let suspension = Suspension {
        guest: guest.id(),
        rule: "retired-rule".parse().unwrap(),
        object: None,
        identity: None,
        until,
        by: "carol".to_owned(),
        reason: "agreed by phone".to_owned(),
        written_at: until,
        looked_at: Some(until),
    };
    stack.store.ledger.suspend(&suspension).await.unwrap();
    let is_gone = async || stack.store.ledger.suspensions(guest.id()).await.unwrap().is_empty().then_some(());
    stack.until_tended("remediate", "the suspension is gone", is_gone).await;
}

async fn answered(stack: &Deployment, kind: RequestKind) -> Answer {
    let request = stack.store.ask(kind).await;
    stack.until("the request is answered", async || stack.store.answer(&request).await).await
}

async fn waiting(stack: &Deployment, guest: Guest) -> Incident {
    let incident = is_met(stack, guest, ASKED).await;
    let asks = async || {
        let incident = stack.store.by_id(&incident.id).await;
        matches!(incident.state, State::Waiting { .. }).then_some(incident)
    };
    stack.until("people are asked", asks).await
}
