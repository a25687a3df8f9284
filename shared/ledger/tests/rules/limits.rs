//! What DynamoDB does not take, the ledger does not send: the error names the place, and nothing was written.

use dynamo::TableError;
use guestlist_ledger::{LedgerError, Stored};
use model::{Incident, Suspension};

use crate::documents::{Note, note};
use crate::given::{Store, at, guest, incident, key, rule, tenant};

#[tokio::test]
async fn a_document_that_is_too_large_for_dynamo_is_named() {
    let ledger = Store::dynamo().ledger();
    let mut stored = ledger.insert(note("a", 1)).await.unwrap();
    // Its name is its place only as long as nobody looks for it there.
    stored.value.name = "x".repeat(500_000);
    let error = ledger.replace(stored).await.unwrap_err();
    assert!(matches!(error, LedgerError::Table(TableError::TooLarge { .. })), "{error:?}");
    let place = format!("write `note#{}/a`: it would have 500", tenant());
    assert!(error.to_string().starts_with(&place), "{error}");
    assert_eq!(ledger.get::<Note>("a").await.unwrap().unwrap().value, note("a", 1));
}

#[tokio::test]
async fn a_name_that_cannot_be_in_dynamo_is_named_when_written_and_unknown_when_read() {
    let ledger = Store::dynamo().ledger();
    for name in [String::new(), "x".repeat(1025)] {
        let error = ledger.insert(note(&name, 1)).await.unwrap_err();
        assert!(matches!(error, LedgerError::Table(TableError::BadKey { .. })), "{error:?}");
        assert_eq!(ledger.get::<Note>(&name).await.unwrap(), None);
    }
}

#[tokio::test]
async fn more_than_a_hundred_writes_at_once_are_refused_by_dynamo() {
    let ledger = Store::dynamo().ledger();
    let mut stored: Vec<Stored<Incident>> = Vec::new();
    for n in 0..51 {
        stored.push(ledger.open(incident(key(n, "a"), None, 0), None).await.unwrap());
    }
    let held: Vec<Suspension> = (0..50)
        .map(|n| Suspension {
            guest: guest(n),
            rule: rule("a"),
            object: None,
            identity: None,
            until: at(9),
            by: "anna".to_owned(),
            reason: "a test".to_owned(),
            written_at: at(0),
            looked_at: None,
        })
        .collect();
    let error = ledger.replace_all_suspended(stored.clone(), &held).await.unwrap_err();
    assert!(matches!(error, LedgerError::Table(TableError::TooMuch { writes: 101, .. })), "{error:?}");
    assert_eq!(ledger.suspensions(guest(0)).await.unwrap(), []);
    stored.pop();
    assert_eq!(ledger.replace_all_suspended(stored, &held).await.unwrap().len(), 50);
    assert_eq!(ledger.suspensions(guest(0)).await.unwrap().len(), 1);
}
