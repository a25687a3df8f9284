//! A place of the circuit breaker and the claim that it is for are written together or not at all.

use guestlist_ledger::{Joined, LedgerError};
use jiff::SignedDuration;
use model::{Breaker, Counted, Place};

use crate::given::{Store, at, guest, incident, key};

on_both!(
    two_workers_that_meet_at_the_breaker_take_two_places_or_one_tries_again,
    an_incident_that_was_written_in_between_takes_no_place,
    a_count_of_guests_forgets_no_place,
    whoever_is_forgotten_is_forgotten_with_his_new_memberships,
);

async fn two_workers_that_meet_at_the_breaker_take_two_places_or_one_tries_again(store: Store) {
    let ledger = store.ledger();
    let mut claims = Vec::new();
    for n in 1..=2 {
        let stored = ledger.open(incident(key(n, "a"), None, 0), None).await.unwrap();
        let mut claimed = stored.clone();
        claimed.value.claim(at(1), SignedDuration::from_mins(5)).unwrap();
        claims.push(claimed);
    }
    let (second, first) = (claims.pop().unwrap(), claims.pop().unwrap());
    let (mut one, mut other) = (Breaker::default(), Breaker::default());
    assert_eq!(one.take(guest(1), None, at(1)), Place::Granted);
    assert_eq!(other.take(guest(2), None, at(1)), Place::Granted);
    ledger.replace_counted(first, None, &one).await.unwrap();
    let raced = ledger.replace_counted(second.clone(), None, &other).await.unwrap_err();
    assert!(matches!(raced, LedgerError::Conflict { .. }), "{raced}");
    let unclaimed = ledger.incident(&second.value.id).await.unwrap().unwrap();
    assert_eq!(unclaimed.value.state.word(), "open", "neither was written");

    let before = ledger.breaker().await.unwrap().unwrap();
    let mut again = before.value.clone();
    assert_eq!(again.take(guest(2), None, at(2)), Place::Granted);
    ledger.replace_counted(second, Some(before), &again).await.unwrap();
    let breaker = ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!(breaker.established.len(), 2);
}

async fn an_incident_that_was_written_in_between_takes_no_place(store: Store) {
    let ledger = store.ledger();
    let stored = ledger.open(incident(key(1, "a"), None, 0), None).await.unwrap();
    ledger.replace(stored.clone()).await.unwrap();
    let mut breaker = Breaker::default();
    breaker.take(guest(1), None, at(1));
    let raced = ledger.replace_counted(stored, None, &breaker).await.unwrap_err();
    assert!(matches!(raced, LedgerError::Conflict { .. }), "{raced}");
    assert_eq!(ledger.breaker().await.unwrap(), None);
}

async fn a_count_of_guests_forgets_no_place(store: Store) {
    let ledger = store.ledger();
    ledger.count_guests(Counted { guests: 400, at: at(0) }).await.unwrap();
    let before = ledger.breaker().await.unwrap().unwrap();
    let mut breaker = before.value.clone();
    breaker.take(guest(1), None, at(1));
    let stored = ledger.open(incident(key(1, "a"), None, 0), None).await.unwrap();
    ledger.replace_counted(stored, Some(before), &breaker).await.unwrap();
    ledger.count_guests(Counted { guests: 500, at: at(2) }).await.unwrap();
    let breaker = ledger.breaker().await.unwrap().unwrap().value;
    assert_eq!((breaker.established.len(), breaker.guests.map(|counted| counted.guests)), (1, Some(500)));
}

async fn whoever_is_forgotten_is_forgotten_with_his_new_memberships(store: Store) {
    let ledger = store.ledger();
    for (n, owner) in [(1, false), (1, true), (2, false)] {
        let joined = Joined { guest: guest(n), group: guest(9), owner, at: at(0) };
        ledger.put(&joined).await.unwrap();
    }
    assert_eq!(ledger.joined(guest(1)).await.unwrap().len(), 2);
    ledger.forget(guest(1)).await.unwrap();
    assert_eq!(ledger.joined(guest(1)).await.unwrap().len(), 0);
    assert_eq!(ledger.joined(guest(2)).await.unwrap().len(), 1);
}
