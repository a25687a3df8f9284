//! What is kept for people and monitoring: counts that add up, and a canary that is of one account and one group.

use jiff::SignedDuration;
use model::{Lag, Outcome, Step, StepResult, Watched};

use crate::given::{Store, at, guest, incident, key};

on_both!(
    lags_of_two_processes_add_up_and_users_are_not_groups,
    a_canary_goes_on_as_long_as_it_is_of_the_same_account_and_group,
    what_became_of_a_step_is_counted_once_however_often_it_is_written,
);

async fn lags_of_two_processes_add_up_and_users_are_not_groups(store: Store) {
    let ledger = store.ledger();
    let mut lag = Lag::default();
    lag.add(SignedDuration::from_secs(1));
    for second in [0, 1] {
        ledger.add_assessed_after(Watched::Users, &lag, at(second)).await.unwrap();
    }
    assert_eq!(ledger.assessed_after(Watched::Users).await.unwrap().unwrap().all().count(), 2);
    assert_eq!(ledger.assessed_after(Watched::Groups).await.unwrap(), None);
}

async fn a_canary_goes_on_as_long_as_it_is_of_the_same_account_and_group(store: Store) {
    let ledger = store.ledger();
    let (user, group, other) = (guest(1), guest(2), guest(3));
    ledger.begin_canary(user, group, at(0)).await.unwrap();
    let flown = ledger.change_canary((user, group), |canary| {
        canary.intend(true, at(1));
    });
    assert!(flown.await.unwrap());
    ledger.begin_canary(user, group, at(2)).await.unwrap();
    let canary = ledger.canary().await.unwrap().unwrap().value;
    assert_eq!(canary.out.map(|out| out.at), Some(at(1)), "a restart changes nothing");
    let unchanged = ledger.change_canary((user, group), |canary| canary.idle = None).await.unwrap();
    let of_another = ledger.change_canary((user, other), |canary| canary.out = None).await.unwrap();
    assert!(!unchanged && !of_another);
    ledger.begin_canary(user, other, at(3)).await.unwrap();
    assert_eq!(ledger.canary().await.unwrap().unwrap().value.out, None, "another begins anew");
    assert!(ledger.forget_canary().await.unwrap() && !ledger.forget_canary().await.unwrap());
    assert!(!ledger.change_canary((user, other), |canary| canary.next_at = at(9)).await.unwrap());
}

async fn what_became_of_a_step_is_counted_once_however_often_it_is_written(store: Store) {
    let ledger = store.ledger();
    let stored = ledger.open(incident(key(1, "a"), None, 0), None).await.unwrap();
    let outcome = |result, second| Outcome {
        incident: stored.value.id.clone(),
        step: Step::Disable { user: guest(1) },
        before: Some(true),
        identity: None,
        group: None,
        result,
        at: at(second),
        found_so: false,
        request: None,
    };
    for one in [outcome(StepResult::Intended, 1), outcome(StepResult::Sent, 2), outcome(StepResult::Sent, 2)]
    {
        ledger.record(&one).await.unwrap();
    }
    let counted: Vec<_> = ledger.clone().recorded().into_iter().collect();
    assert_eq!(counted, [("intended", 1), ("sent", 1)]);
}
