//! The rules of what is peculiar to a kind: outcomes, suspensions, known guests, requests, notices.

use crate::given::{Store, at, guest, incident, key, rule, tenant};
use jiff::SignedDuration;
use model::{
    Answer, Binding, ChannelName, ChannelState, GuestKind, IncidentId, Notice, NoticeKind, Outcome, Request,
    RequestId, RequestKind, RequestState, Resumed, Step, StepResult, Stop, SubscriptionId,
    SubscriptionRecord, Suspension, Watched,
};

on_both!(
    the_result_takes_the_place_of_the_intention_and_keeps_what_was_read_before,
    a_step_that_is_tried_again_does_not_write_over_what_it_did_before,
    the_last_suspension_of_a_rule_for_a_guest_counts,
    the_stop_of_all_writes_stands_until_it_is_cleared,
    when_a_guest_was_first_seen_stays,
    a_subscription_is_found_by_its_nonce_before_graph_has_named_it,
    a_request_waits_until_it_is_answered_and_a_final_answer_stays,
    notices_and_roll_ups_are_found_when_they_are_due,
);

fn outcome(step: Step, before: Option<bool>, result: StepResult, second: i64) -> Outcome {
    let incident: IncidentId = incident(key(1, "blocked"), None, 0).id;
    Outcome {
        incident,
        step,
        before,
        identity: None,
        group: None,
        result,
        at: at(second),
        found_so: false,
        request: None,
    }
}

async fn the_result_takes_the_place_of_the_intention_and_keeps_what_was_read_before(store: Store) {
    let ledger = store.ledger();
    let disable = Step::Disable { user: guest(1) };
    ledger.record(&outcome(disable, Some(true), StepResult::Intended, 1)).await.unwrap();
    ledger.record(&outcome(disable, Some(true), StepResult::Sent, 2)).await.unwrap();
    // After a crash the account already is as we wanted it, because of us.
    ledger.record(&outcome(disable, Some(false), StepResult::Done, 3)).await.unwrap();
    let expected = outcome(disable, Some(true), StepResult::Done, 3);
    assert_eq!(ledger.outcomes(&expected.incident).await.unwrap(), [expected]);
}

async fn a_step_that_is_tried_again_does_not_write_over_what_it_did_before(store: Store) {
    let ledger = store.ledger();
    let disable = Step::Disable { user: guest(1) };
    let enable = Step::Enable { user: guest(1) };
    let history = [
        outcome(disable, Some(true), StepResult::Done, 1),
        outcome(enable, Some(false), StepResult::Failed { why: "403".to_owned() }, 2),
        outcome(disable, Some(false), StepResult::AlreadySo, 3),
        outcome(disable, Some(true), StepResult::Intended, 4),
    ];
    for outcome in &history {
        ledger.record(outcome).await.unwrap();
        ledger.record(outcome).await.unwrap();
    }
    assert_eq!(ledger.outcomes(&history[0].incident).await.unwrap(), history);
    let another = incident(key(1, "other"), None, 0).id;
    assert_eq!(ledger.outcomes(&another).await.unwrap(), []);
}

async fn the_last_suspension_of_a_rule_for_a_guest_counts(store: Store) {
    let ledger = store.ledger();
    let suspension = |n, name, until| Suspension {
        guest: guest(n),
        rule: rule(name),
        object: None,
        identity: None,
        until: at(until),
        by: "anna".to_owned(),
        reason: "agreed by phone".to_owned(),
        written_at: at(0),
        looked_at: None,
    };
    for suspension in
        [suspension(1, "a", 10), suspension(1, "b", 20), suspension(2, "a", 30), suspension(1, "a", 40)]
    {
        ledger.suspend(&suspension).await.unwrap();
    }
    assert_eq!(ledger.suspensions(guest(1)).await.unwrap(), [suspension(1, "a", 40), suspension(1, "b", 20)]);
    assert!(ledger.lift(guest(1), &rule("a"), None).await.unwrap());
    assert!(!ledger.lift(guest(1), &rule("a"), None).await.unwrap());
    assert_eq!(ledger.suspensions(guest(1)).await.unwrap(), [suspension(1, "b", 20)]);
    assert_eq!(ledger.due::<Suspension>(at(20), 10).await.unwrap().len(), 1, "its end is noticed");
}

async fn the_stop_of_all_writes_stands_until_it_is_cleared(store: Store) {
    let ledger = store.ledger();
    assert_eq!(ledger.stop().await.unwrap(), None);
    let stop = Stop { since: at(1), by: "anna".to_owned(), reason: "an audit".to_owned(), ended: None };
    ledger.set_stop(&stop).await.unwrap();
    assert_eq!(ledger.stop().await.unwrap(), Some(stop));
    let resumed = Resumed { at: at(2), by: "bea".to_owned(), reason: "it is over".to_owned() };
    assert!(ledger.end_stop(&resumed).await.unwrap());
    assert!(!ledger.end_stop(&resumed).await.unwrap());
    assert_eq!(ledger.stop().await.unwrap(), None);
    assert_eq!(ledger.last_stop().await.unwrap().unwrap().ended, Some(resumed));
}

async fn when_a_guest_was_first_seen_stays(store: Store) {
    let ledger = store.ledger();
    for second in [5, 9] {
        ledger.remember(guest(1), GuestKind::Guest, at(second)).await.unwrap();
    }
    let known = ledger.known(guest(1)).await.unwrap().unwrap();
    assert_eq!((known.first_seen, known.last_assessed), (at(5), at(9)));
    assert!(ledger.forget(guest(1)).await.unwrap());
    assert_eq!(ledger.known(guest(1)).await.unwrap(), None);
}

async fn a_subscription_is_found_by_its_nonce_before_graph_has_named_it(store: Store) {
    let ledger = store.ledger();
    let record = SubscriptionRecord {
        nonce: "abcdefghijklmnopqrstuv".parse().unwrap(),
        tenant: tenant(),
        watched: Watched::Users,
        notification_url: "https://guestlist.contoso.com/graph/notifications".to_owned(),
        key: "k1".to_owned(),
        asked_at: at(0),
        binding: Binding::Pending,
        last_notification_at: None,
    };
    let stored = ledger.insert(record.clone()).await.unwrap();
    assert_eq!(ledger.subscription(&record.nonce).await.unwrap(), Some(stored.clone()));
    assert_eq!(ledger.subscriptions().await.unwrap(), [stored]);
    assert_eq!(ledger.subscription(&"vutsrqponmlkjihgfedcba".parse().unwrap()).await.unwrap(), None);
}

async fn a_request_waits_until_it_is_answered_and_a_final_answer_stays(store: Store) {
    let ledger = store.ledger();
    let request = |name: &str, second| Request {
        id: RequestId(name.to_owned()),
        kind: RequestKind::Undo {
            incident: incident(key(1, "blocked"), None, 0).id,
            suspend_for: SignedDuration::from_hours(7 * 24),
            force: false,
        },
        by: "anna".to_owned(),
        reason: "a test".to_owned(),
        asked_at: at(second),
        state: RequestState::Waiting,
    };
    for (name, second) in [("b", 1), ("a", 2)] {
        ledger.insert(request(name, second)).await.unwrap();
    }
    let id = RequestId("b".to_owned());
    let waiting = ledger.waiting(10).await.unwrap();
    assert_eq!(waiting.iter().map(|stored| stored.sort()).collect::<Vec<_>>(), ["b", "a"]);
    let sent = Answer::Sent { text: "on its way".to_owned() };
    let done = Answer::Done { text: "it arrived".to_owned() };
    assert!(ledger.answer(&id, &sent, at(3)).await.unwrap());
    assert!(ledger.answer(&id, &done, at(4)).await.unwrap());
    assert!(!ledger.answer(&id, &sent, at(5)).await.unwrap());
    assert!(!ledger.answer(&RequestId("nobody".to_owned()), &sent, at(5)).await.unwrap());
    let answered = ledger.request(&id).await.unwrap().unwrap();
    assert_eq!(answered.value.state, RequestState::Answered { at: at(4), answer: done });
    assert_eq!(ledger.waiting(10).await.unwrap().len(), 1);
}

async fn notices_and_roll_ups_are_found_when_they_are_due(store: Store) {
    let ledger = store.ledger();
    let slack = ChannelName("slack".to_owned());
    let notice = Notice::new(
        "forged/1".to_owned(),
        NoticeKind::ForgedNotifications,
        "3 POSTs".to_owned(),
        std::slice::from_ref(&slack),
        at(5),
    );
    let stored = ledger.insert(notice).await.unwrap();
    assert_eq!(ledger.due_notices(at(4), 10).await.unwrap(), []);
    assert_eq!(ledger.due_notices(at(5), 10).await.unwrap(), std::slice::from_ref(&stored));
    assert_eq!(ledger.notice("forged/1").await.unwrap(), Some(stored));
    let state = ChannelState {
        name: slack.clone(),
        sent: Vec::new(),
        rolled_up: Vec::new(),
        roll_up_at: Some(at(9)),
        broken: None,
    };
    ledger.update(&slack.0, |_| Some(state.clone())).await.unwrap();
    assert_eq!(ledger.due_channels(at(8), 10).await.unwrap(), []);
    assert_eq!(ledger.due_channels(at(9), 10).await.unwrap().len(), 1);
    assert_eq!(ledger.channel(&slack).await.unwrap().unwrap().value, state);
}

#[test]
fn a_retired_subscription_is_heard_for_four_hours_and_an_older_record_of_one_is_still_read() {
    let at = at(0);
    let (id, other) = (SubscriptionId::from_u128(1), SubscriptionId::from_u128(2));
    let mut record = SubscriptionRecord {
        nonce: "A".repeat(22).parse().unwrap(),
        tenant: tenant(),
        watched: Watched::Users,
        notification_url: "https://guestlist.example/graph/notifications".to_owned(),
        key: "k1".to_owned(),
        asked_at: at,
        binding: Binding::Bound { id, expires_at: at, renewed_at: at },
        last_notification_at: None,
    };
    assert!(record.hears(id, at) && !record.hears(other, at));
    record.retire(at);
    let end = at.checked_add(SubscriptionRecord::STILL_HEARD).unwrap();
    let later = end.checked_add(SignedDuration::from_secs(1)).unwrap();
    assert!(record.hears(id, end) && !record.hears(other, end));
    assert!(!record.hears(id, later) && record.is_silent(later));
    let written = serde_json::to_string(&record).unwrap();
    let kept = format!("\"binding\":{{\"binding\":\"retired\",\"at\":\"{at}\",\"id\":\"{id}\"}}");
    assert!(written.contains(&kept), "{written}");
    assert_eq!(serde_json::from_str::<SubscriptionRecord>(&written).unwrap(), record);
    let old = written.replace(&format!(",\"id\":\"{id}\""), "");
    assert_ne!(old, written);
    let old: SubscriptionRecord = serde_json::from_str(&old).unwrap();
    assert!(!old.hears(id, at) && !old.is_silent(at));
}
