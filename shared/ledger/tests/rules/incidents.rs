//! The rules of incidents: one at most is open in a slot, and none is lost.

use crate::given::{Store, at, guest, incident, key, routes, rule};
use guestlist_ledger::{IncidentFilter, Ledger, LedgerError, Stored};
use jiff::SignedDuration;
use model::{Incident, Slot};

on_both!(
    an_incident_is_found_by_its_key_and_by_its_id,
    two_who_open_the_same_incident_do_not_both_succeed,
    who_has_read_an_older_version_cannot_write,
    a_closed_incident_makes_room_for_the_next_and_stays_in_the_archive,
    an_incident_that_is_not_closed_cannot_be_replaced_by_another,
    an_incident_of_another_tenant_is_refused,
    the_archive_and_the_next_incident_are_written_together_or_not_at_all,
    what_is_due_is_found_until_nothing_is_left_to_do,
    a_message_about_an_archived_incident_is_still_due_and_can_be_ticked_off,
    two_keys_in_one_slot_are_an_error_and_not_a_mix_up,
    the_incidents_of_a_guest_are_his_alone,
    a_list_goes_on_where_it_stopped_and_shows_each_incident_once,
    another_process_sees_the_same_incidents,
);

async fn closed(ledger: &Ledger, mut stored: Stored<Incident>, second: i64) -> Stored<Incident> {
    stored.value.resolve("the guest left".to_owned(), &model::Routes::default(), at(second));
    ledger.replace(stored).await.unwrap()
}

async fn an_incident_is_found_by_its_key_and_by_its_id(store: Store) {
    let ledger = store.ledger();
    let opened = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    assert_eq!(ledger.current(&key(1, "blocked")).await.unwrap().unwrap(), opened);
    assert_eq!(ledger.incident(&opened.value.id).await.unwrap().unwrap(), opened);
    assert_eq!(ledger.current(&key(1, "other")).await.unwrap(), None);
    assert_eq!(ledger.current(&key(2, "blocked")).await.unwrap(), None);
}

async fn two_who_open_the_same_incident_do_not_both_succeed(store: Store) {
    let ledger = store.ledger();
    let new = || incident(key(1, "blocked"), None, 0);
    let (one, two) = tokio::join!(ledger.open(new(), None), ledger.open(new(), None));
    let failed = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(failed.as_slice(), [LedgerError::Conflict { .. }]), "{failed:?}");
}

async fn who_has_read_an_older_version_cannot_write(store: Store) {
    let ledger = store.ledger();
    let opened = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    let (mut first, mut second) = (opened.clone(), opened);
    first.value.claim(at(1), SignedDuration::from_secs(30)).unwrap();
    ledger.replace(first).await.unwrap();
    second.value.claim(at(1), SignedDuration::from_secs(30)).unwrap();
    let error = ledger.replace(second).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { .. }), "{error:?}");
    assert!(error.to_string().ends_with("read it again and decide anew"), "{error}");
}

async fn a_closed_incident_makes_room_for_the_next_and_stays_in_the_archive(store: Store) {
    let ledger = store.ledger();
    let first = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    let first = closed(&ledger, first, 5).await;
    let next = incident(key(1, "blocked"), Some(&first.value), 9);
    let second = ledger.open(next, Some(first.clone())).await.unwrap();
    assert_eq!((first.value.id.generation, second.value.id.generation), (1, 2));
    assert_eq!(ledger.current(&key(1, "blocked")).await.unwrap().unwrap(), second);
    assert_eq!(ledger.incident(&first.value.id).await.unwrap().unwrap().value, first.value);
    assert_eq!(ledger.incident(&second.value.id).await.unwrap().unwrap(), second);
}

async fn an_incident_that_is_not_closed_cannot_be_replaced_by_another(store: Store) {
    let ledger = store.ledger();
    let first = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    let next = incident(key(1, "blocked"), Some(&first.value), 9);
    let error = ledger.open(next, Some(first.clone())).await.unwrap_err();
    assert!(matches!(error, LedgerError::NotNext { .. }), "{error:?}");
    assert_eq!(ledger.current(&key(1, "blocked")).await.unwrap().unwrap(), first);
    let closed = closed(&ledger, first, 5).await;
    let unrelated = incident(key(1, "blocked"), None, 9);
    let error = ledger.open(unrelated, Some(closed)).await.unwrap_err();
    assert!(error.to_string().contains("its number does not follow the one before it"), "{error}");
}

async fn an_incident_of_another_tenant_is_refused(store: Store) {
    let ledger = store.ledger();
    let mut foreign = key(1, "blocked");
    foreign.tenant = model::TenantId::from_u128(2);
    let error = ledger.open(incident(foreign, None, 0), None).await.unwrap_err();
    assert!(error.to_string().contains("it belongs to another tenant"), "{error}");
}

async fn the_archive_and_the_next_incident_are_written_together_or_not_at_all(store: Store) {
    let ledger = store.ledger();
    let first = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    let stale = closed(&ledger, first, 5).await;
    // Somebody notes that a message about its end was sent.
    ledger.replace(stale.clone()).await.unwrap();
    let next = incident(key(1, "blocked"), Some(&stale.value), 9);
    let error = ledger.open(next, Some(stale.clone())).await.unwrap_err();
    assert!(matches!(error, LedgerError::Conflict { .. }), "{error:?}");
    let filter = IncidentFilter { archived: true, ..IncidentFilter::default() };
    let page = ledger.incidents(&filter, None, 10).await.unwrap();
    assert_eq!(page.incidents.len(), 1, "nothing went to the archive");
}

async fn what_is_due_is_found_until_nothing_is_left_to_do(store: Store) {
    let ledger = store.ledger();
    for (n, second) in [(1, 30), (2, 10), (3, 20)] {
        ledger.open(incident(key(n, "blocked"), None, second), None).await.unwrap();
    }
    let due = ledger.due_incidents(at(20), 10).await.unwrap();
    assert_eq!(due.iter().map(|stored| stored.value.key.guest).collect::<Vec<_>>(), [guest(2), guest(3)]);
    assert_eq!(ledger.due_incidents(at(99), 1).await.unwrap().len(), 1);
    for mut stored in ledger.due_incidents(at(99), 10).await.unwrap() {
        stored.value.deliveries.clear();
        stored.value.wake = model::Wake::None;
        ledger.replace(stored).await.unwrap();
    }
    assert_eq!(ledger.due_incidents(at(9_999), 10).await.unwrap(), []);
}

async fn a_message_about_an_archived_incident_is_still_due_and_can_be_ticked_off(store: Store) {
    let ledger = store.ledger();
    let mut first = ledger.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    // People have heard of it, so they hear of its end.
    for delivery in &mut first.value.deliveries {
        delivery.status = model::DeliveryStatus::Sent { at: at(1) };
    }
    first.value.resolve("gone".to_owned(), &routes(), at(5));
    let first = ledger.replace(first).await.unwrap();
    let next = incident(key(1, "blocked"), Some(&first.value), 9);
    let second = ledger.open(next, Some(first.clone())).await.unwrap();
    let due = ledger.due_incidents(at(5), 10).await.unwrap();
    assert_eq!(due.iter().map(|stored| &stored.value.id).collect::<Vec<_>>(), [&first.value.id]);
    for mut stored in due {
        stored.value.deliveries.clear();
        ledger.replace(stored).await.unwrap();
    }
    assert_eq!(ledger.due_incidents(at(5), 10).await.unwrap(), []);
    assert_eq!(
        ledger.current(&key(1, "blocked")).await.unwrap().unwrap(),
        second,
        "the current one is untouched"
    );
}

async fn two_keys_in_one_slot_are_an_error_and_not_a_mix_up(store: Store) {
    let ledger = store.ledger();
    let mut forged = incident(key(1, "blocked"), None, 0);
    // As if the hashes of two rules were the same.
    forged.key.rule = rule("another");
    ledger.insert(forged).await.unwrap();
    let error = ledger.current(&key(1, "blocked")).await.unwrap_err();
    assert!(matches!(error, LedgerError::Collision { .. }), "{error:?}");
    assert!(
        error.to_string().contains("rule `blocked`") && error.to_string().contains("rule `another`"),
        "{error}"
    );
}

async fn the_incidents_of_a_guest_are_his_alone(store: Store) {
    let ledger = store.ledger();
    for name in ["blocked", "no-guests"] {
        ledger.open(incident(key(1, name), None, 0), None).await.unwrap();
    }
    ledger.open(incident(key(2, "blocked"), None, 0), None).await.unwrap();
    // Another guest whose slots begin alike.
    let mut twin = incident(key(3, "blocked"), None, 0);
    twin.id.slot = Slot::try_from(format!("{}ffffffff", Slot::prefix(guest(1)))).unwrap();
    ledger.insert(twin).await.unwrap();
    let his = ledger.incidents_of(guest(1)).await.unwrap();
    assert_eq!(his.len(), 2);
    assert!(his.iter().all(|stored| stored.value.key.guest == guest(1)));
}

async fn a_list_goes_on_where_it_stopped_and_shows_each_incident_once(store: Store) {
    let ledger = store.ledger();
    for n in 0..250 {
        let opened = ledger.open(incident(key(n, "blocked"), None, 0), None).await.unwrap();
        if n % 5 == 0 {
            let first = closed(&ledger, opened, 1).await;
            let next = incident(key(n, "blocked"), Some(&first.value), 2);
            ledger.open(next, Some(first)).await.unwrap();
        }
    }
    for (filter, expected) in [
        (IncidentFilter::default(), 250),
        (IncidentFilter { archived: true, ..IncidentFilter::default() }, 300),
        (
            IncidentFilter {
                archived: true,
                state: Some("resolved".to_owned()),
                ..IncidentFilter::default()
            },
            50,
        ),
        (IncidentFilter { archived: true, guest: Some(guest(5)), ..IncidentFilter::default() }, 2),
        (IncidentFilter { rule: Some(rule("other")), ..IncidentFilter::default() }, 0),
    ] {
        let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), None);
        loop {
            let page = ledger.incidents(&filter, cursor, 7).await.unwrap();
            assert!(page.incidents.len() <= 7);
            for stored in page.incidents {
                assert!(seen.insert(stored.value.id), "shown twice");
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), expected, "{filter:?}");
    }
}

async fn another_process_sees_the_same_incidents(store: Store) {
    let (here, there) = (store.ledger(), store.ledger());
    let opened = here.open(incident(key(1, "blocked"), None, 0), None).await.unwrap();
    let seen = there.incident(&opened.value.id).await.unwrap().unwrap();
    there.replace(seen).await.unwrap();
    assert!(matches!(here.replace(opened).await, Err(LedgerError::Conflict { .. })));
}
