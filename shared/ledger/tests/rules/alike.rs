//! Whatever is asked of them, the stores answer alike, to the versions and the words of their errors.

use std::collections::BTreeMap;

use guestlist_ledger::{Ledger, Stored};
use model::{Incident, Suspension, TenantId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use crate::documents::{Note, note};
use crate::given::{Store, at, guest, incident, key, rule};

#[derive(Debug, Clone)]
enum Act {
    Insert(&'static str, u32),
    Put(&'static str, u32),
    Get(&'static str),
    /// Writes back what was read last, which may be long ago.
    Replace(&'static str, u32),
    Delete(&'static str),
    Remove(&'static str),
    Add(&'static str),
    List(&'static str, Option<&'static str>, usize),
    All(&'static str),
    Due(u32),
    Open(u128),
    /// The incidents of guests as they were read last, together with suspensions.
    Suspend(Vec<u128>, Vec<u128>),
    Suspended(u128),
}

const NAMES: [&str; 7] = ["a", "a/1", "a/2", "a/10", "b", "á", "𝔞"];
const PREFIXES: [&str; 5] = ["", "a", "a/", "a/1", "c"];

fn act() -> impl Strategy<Value = Act> {
    let name = || select(&NAMES[..]);
    let count = 0_u32..5;
    let guests = || vec(0_u128..3, 0..3);
    prop_oneof![
        (name(), count.clone()).prop_map(|(name, count)| Act::Insert(name, count)),
        (name(), count.clone()).prop_map(|(name, count)| Act::Put(name, count)),
        name().prop_map(Act::Get),
        (name(), count.clone()).prop_map(|(name, count)| Act::Replace(name, count)),
        name().prop_map(Act::Delete),
        name().prop_map(Act::Remove),
        name().prop_map(Act::Add),
        (select(&PREFIXES[..]), option::of(name()), 0_usize..5)
            .prop_map(|(prefix, after, limit)| Act::List(prefix, after, limit)),
        select(&PREFIXES[..]).prop_map(Act::All),
        count.prop_map(Act::Due),
        (0_u128..3).prop_map(Act::Open),
        (guests(), guests()).prop_map(|(mut one, mut other)| {
            // Nobody writes one place twice at once.
            one.sort_unstable();
            one.dedup();
            other.sort_unstable();
            other.dedup();
            Act::Suspend(one, other)
        }),
        (0_u128..3).prop_map(Act::Suspended),
    ]
}

fn suspension(n: u128, until: i64) -> Suspension {
    Suspension {
        guest: guest(n),
        rule: rule("blocked"),
        object: None,
        identity: None,
        until: at(until),
        by: "anna".to_owned(),
        reason: "agreed by phone".to_owned(),
        written_at: at(0),
        looked_at: None,
    }
}

/// A ledger, and what was read from it.
struct Side {
    ledger: Ledger,
    notes: BTreeMap<&'static str, Stored<Note>>,
    incidents: BTreeMap<u128, Stored<Incident>>,
}

impl Side {
    fn new(ledger: Ledger) -> Self {
        Self { ledger, notes: BTreeMap::new(), incidents: BTreeMap::new() }
    }

    /// The answer, as it prints itself.
    async fn act(&mut self, act: &Act) -> String {
        let Self { ledger, notes, incidents } = self;
        match act {
            Act::Insert(name, count) => format!("{:?}", ledger.insert(note(name, *count)).await),
            Act::Put(name, count) => format!("{:?}", ledger.put(&note(name, *count)).await),
            Act::Get(name) => {
                let read = ledger.get::<Note>(name).await;
                if let Ok(Some(stored)) = &read {
                    notes.insert(name, stored.clone());
                }
                format!("{read:?}")
            }
            Act::Replace(name, count) => {
                let Some(mut stored) = notes.get(name).cloned() else { return String::new() };
                stored.value.count = *count;
                format!("{:?}", ledger.replace(stored).await)
            }
            Act::Delete(name) => {
                let Some(stored) = notes.get(name).cloned() else { return String::new() };
                format!("{:?}", ledger.delete(stored).await)
            }
            Act::Remove(name) => format!("{:?}", ledger.remove::<Note>(name).await),
            Act::Add(name) => {
                let more =
                    |before: Option<Note>| Some(note(name, before.map_or(1, |before| before.count + 1)));
                format!("{:?}", ledger.update(name, more).await)
            }
            Act::List(prefix, after, limit) => {
                format!("{:?}", ledger.list::<Note>(prefix, *after, *limit).await)
            }
            Act::All(prefix) => format!("{:?}", ledger.all::<Note>(prefix).await),
            Act::Due(until) => format!("{:?}", ledger.due::<Note>(at(i64::from(*until)), 99).await),
            Act::Open(n) => {
                let mut key = key(*n, "blocked");
                key.tenant = ledger.tenant();
                let opened = ledger.open(incident(key, None, 0), None).await;
                if let Ok(stored) = &opened {
                    incidents.insert(*n, stored.clone());
                }
                format!("{opened:?}")
            }
            Act::Suspend(of, held) => {
                let stored: Vec<_> = of.iter().filter_map(|n| incidents.get(n).cloned()).collect();
                let held: Vec<_> = held.iter().map(|n| suspension(*n, 60)).collect();
                format!("{:?}", ledger.replace_all_suspended(stored, &held).await)
            }
            Act::Suspended(n) => format!("{:?}", ledger.suspensions(guest(*n)).await),
        }
    }
}

#[test]
fn whatever_is_asked_sqlite_and_dynamo_answer_alike() {
    let runtime = Runtime::new().unwrap();
    // Each case has a tenant of its own, and is slow on an emulator: the more acts there are in it.
    let (sqlite, dynamo) = (Store::sqlite(), Store::dynamo());
    let (mut tenants, cases) = (100_u128.., ProptestConfig::with_cases(24));
    let tenants = std::cell::RefCell::new(&mut tenants);
    proptest!(cases, |(acts in vec(act(), 20..60))| {
        let tenant = TenantId::from_u128(tenants.borrow_mut().next().unwrap());
        let mut one = Side::new(sqlite.ledger_of(tenant));
        let mut other = Side::new(dynamo.ledger_of(tenant));
        for act in &acts {
            let (one, other) = runtime.block_on(async { (one.act(act).await, other.act(act).await) });
            prop_assert_eq!(one, other, "after {:?}", act);
        }
    });
}
