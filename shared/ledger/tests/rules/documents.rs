//! The rules of documents in general.

use crate::given::{Store, at, tenant};
use guestlist_ledger::{Document, LedgerError};
use jiff::Timestamp;
use model::TenantId;
use serde::{Deserialize, Serialize};

on_both!(
    a_document_is_inserted_only_where_there_is_none,
    a_document_that_was_deleted_and_written_anew_is_another_one,
    an_unconditional_write_makes_older_readings_stale,
    a_list_holds_what_starts_with_the_prefix_in_order_and_goes_on_after_a_key,
    what_is_due_is_listed_in_the_order_of_its_due_time,
    tenants_in_one_store_do_not_meet,
    updates_at_the_same_time_are_all_counted,
    an_update_may_decide_to_write_nothing,
    a_document_of_a_newer_program_is_refused_and_so_is_a_damaged_one,
    a_field_that_a_newer_program_has_added_is_no_obstacle,
);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) name: String,
    pub(crate) count: u32,
}

impl Document for Note {
    const KIND: &'static str = "note";

    fn sort(&self) -> String {
        self.name.clone()
    }

    fn due(&self) -> Option<Timestamp> {
        (self.count > 0).then(|| at(i64::from(self.count)))
    }
}

pub(crate) fn note(name: &str, count: u32) -> Note {
    Note { name: name.to_owned(), count }
}

async fn a_document_is_inserted_only_where_there_is_none(store: Store) {
    let ledger = store.ledger();
    ledger.insert(note("a", 1)).await.unwrap();
    let error = ledger.insert(note("a", 2)).await.unwrap_err();
    let place = format!("note#{}/a", tenant());
    assert!(matches!(&error, LedgerError::Conflict { place: at } if at.to_string() == place), "{error:?}");
    assert_eq!(ledger.get::<Note>("a").await.unwrap().unwrap().value, note("a", 1));
}

async fn a_document_that_was_deleted_and_written_anew_is_another_one(store: Store) {
    let ledger = store.ledger();
    let old = ledger.insert(note("a", 1)).await.unwrap();
    ledger.delete(old.clone()).await.unwrap();
    assert!(matches!(ledger.replace(old.clone()).await, Err(LedgerError::Conflict { .. })));
    ledger.insert(note("a", 2)).await.unwrap();
    assert!(matches!(ledger.replace(old.clone()).await, Err(LedgerError::Conflict { .. })));
    assert!(matches!(ledger.delete(old).await, Err(LedgerError::Conflict { .. })));
    assert_eq!(ledger.get::<Note>("a").await.unwrap().unwrap().value.count, 2);
    assert!(ledger.remove::<Note>("a").await.unwrap());
    assert!(!ledger.remove::<Note>("a").await.unwrap());
}

async fn an_unconditional_write_makes_older_readings_stale(store: Store) {
    let ledger = store.ledger();
    let read = ledger.insert(note("a", 1)).await.unwrap();
    ledger.put(&note("a", 2)).await.unwrap();
    assert!(matches!(ledger.replace(read).await, Err(LedgerError::Conflict { .. })));
    ledger.put(&note("b", 2)).await.unwrap();
    assert_eq!(ledger.all::<Note>("").await.unwrap().len(), 2);
}

async fn a_list_holds_what_starts_with_the_prefix_in_order_and_goes_on_after_a_key(store: Store) {
    let ledger = store.ledger();
    for name in ["b", "a/2", "a/10", "a/1", "a", "á/1", "a0"] {
        ledger.insert(note(name, 0)).await.unwrap();
    }
    let names = |notes: Vec<guestlist_ledger::Stored<Note>>| {
        notes.into_iter().map(|note| note.sort().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(ledger.list("a/", None, 10).await.unwrap()), ["a/1", "a/10", "a/2"]);
    assert_eq!(names(ledger.list("a/", Some("a/1"), 1).await.unwrap()), ["a/10"]);
    assert_eq!(
        names(ledger.list("", None, 10).await.unwrap()),
        ["a", "a/1", "a/10", "a/2", "a0", "b", "á/1"]
    );
}

async fn what_is_due_is_listed_in_the_order_of_its_due_time(store: Store) {
    let ledger = store.ledger();
    for (name, count) in [("never", 0), ("late", 30), ("soon", 10), ("later", 20)] {
        ledger.insert(note(name, count)).await.unwrap();
    }
    let due = ledger.due::<Note>(at(20), 10).await.unwrap();
    assert_eq!(due.iter().map(|note| note.sort()).collect::<Vec<_>>(), ["soon", "later"]);
    ledger.put(&note("soon", 0)).await.unwrap();
    assert_eq!(ledger.due::<Note>(at(20), 10).await.unwrap().len(), 1);
}

async fn tenants_in_one_store_do_not_meet(store: Store) {
    let (ours, theirs) = (store.ledger(), store.ledger_of(TenantId::from_u128(2)));
    ours.insert(note("a", 1)).await.unwrap();
    assert_eq!(theirs.get::<Note>("a").await.unwrap(), None);
    assert_eq!(theirs.due::<Note>(at(99), 10).await.unwrap(), []);
    theirs.insert(note("a", 2)).await.unwrap();
    assert_eq!(ours.all::<Note>("").await.unwrap().len(), 1);
}

async fn updates_at_the_same_time_are_all_counted(store: Store) {
    // Two processes, each with many tasks.
    let ledgers = [store.ledger(), store.ledger()];
    let count = |before: Option<Note>| Some(note("a", before.map_or(0, |note| note.count) + 1));
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let ledger = ledgers[n % 2].clone();
            tokio::spawn(async move { ledger.update("a", count).await.map(|_| ()) })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(ledgers[0].get::<Note>("a").await.unwrap().unwrap().value.count, 100);
}

async fn an_update_may_decide_to_write_nothing(store: Store) {
    let ledger = store.ledger();
    let read = ledger.insert(note("a", 1)).await.unwrap();
    assert_eq!(ledger.update("a", |_: Option<Note>| None).await.unwrap(), None);
    assert_eq!(ledger.update("b", |_: Option<Note>| None).await.unwrap(), None);
    assert_eq!(ledger.all::<Note>("").await.unwrap(), [read]);
}

async fn a_document_of_a_newer_program_is_refused_and_so_is_a_damaged_one(store: Store) {
    let bodies = [
        (r#"{"v":2,"document":{"name":"a","sum":1}}"#, "run the newer Guestlist"),
        (r#"{"v":1,"document":{"name":"a"}}"#, "missing field `count`"),
        ("{", "restore a backup"),
    ];
    for (n, (body, words)) in (7..).zip(bodies) {
        let tenant = TenantId::from_u128(n);
        let ledger = store.ledger_of(tenant);
        store.smuggle(format!("note#{tenant}"), body).await;
        let error = ledger.get::<Note>("a").await.unwrap_err();
        assert!(matches!(error, LedgerError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(ledger.all::<Note>("").await.is_err());
        let kept = ledger.update("a", |_: Option<Note>| Some(note("a", 9))).await;
        assert!(kept.is_err(), "what cannot be read is not written over");
    }
}

async fn a_field_that_a_newer_program_has_added_is_no_obstacle(store: Store) {
    let ledger = store.ledger();
    store
        .smuggle(
            format!("note#{}", tenant()),
            r#"{"v":1,"document":{"name":"a","count":3,"colour":"red"},"more":true}"#,
        )
        .await;
    assert_eq!(ledger.get::<Note>("a").await.unwrap().unwrap().value, note("a", 3));
}
