//! Whatever a network loses, what is answered is what happened. A plain map says what that is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use emulator::proxy::{Fault, Mishap, Proxy};
use guestlist_dynamo::{Expect, Key, Table, TableError, Write};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tokio::runtime::Runtime;

use crate::given::{delete, found, named, put, table};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// How a write's condition stands to what is there.
#[derive(Debug, Clone, Copy)]
enum Condition {
    Absent,
    Any,
    Known,
    Stale,
}

#[derive(Debug, Clone)]
struct Act {
    writes: Vec<(&'static str, Condition, bool)>,
    mishaps: VecDeque<Mishap>,
}

fn act() -> impl Strategy<Value = Act> {
    let one = || {
        let conditions =
            [Condition::Absent, Condition::Any, Condition::Known, Condition::Known, Condition::Stale];
        (select(conditions.to_vec()), prop::bool::weighted(0.3))
    };
    let writes = (subsequence(&NAMES[..], 1..=3), vec(one(), 3)).prop_map(|(names, how)| {
        names.into_iter().zip(how).map(|(name, (condition, delete))| (name, condition, delete)).collect()
    });
    use Mishap::{InternalError, LostAnswer, LostRequest, Nothing, Throttled};
    // The SDK tries four times.
    let mishaps = vec(select(vec![Nothing, LostRequest, LostAnswer, InternalError, Throttled]), 0..=3);
    (writes, mishaps).prop_map(|(writes, mishaps)| Act { writes, mishaps: mishaps.into() })
}

type There = BTreeMap<&'static str, (u64, String)>;

fn write_of(there: &There, (name, condition, deletes): (&'static str, Condition, bool), body: &str) -> Write {
    let version = there.get(name).map(|(version, _)| *version);
    let expect = match condition {
        Condition::Absent => Expect::Absent,
        Condition::Any => Expect::Any,
        Condition::Known => version.map_or(Expect::Absent, Expect::Version),
        Condition::Stale => Expect::Version(version.unwrap_or(50).saturating_sub(1)),
    };
    if deletes { delete(name, expect) } else { put(name, expect, body) }
}

/// What has to be answered, and be there then. A place whose condition does not hold is the error.
fn carry_out(there: &mut There, writes: &[(&'static str, Write)]) -> Result<Vec<Option<u64>>, Key> {
    let mut versions = Vec::new();
    for (name, write) in writes {
        let version = there.get(name).map(|(version, _)| *version);
        let (Write::Put { key, expect, .. } | Write::Delete { key, expect }) = write;
        let holds = match expect {
            Expect::Absent => version.is_none(),
            Expect::Version(expected) => version == Some(*expected),
            Expect::Any => true,
        };
        if !holds {
            return Err(key.clone());
        }
        versions.push(version);
    }
    let mut answer = Vec::new();
    for ((name, write), version) in writes.iter().zip(versions) {
        answer.push(match write {
            Write::Put { body, .. } => {
                let next = version.map_or(10, |version| version + 1);
                there.insert(name, (next, body.clone()));
                Some(next)
            }
            Write::Delete { .. } => there.remove(name).map(|(version, _)| version),
        });
    }
    Ok(answer)
}

async fn play(table: &Table, acts: Vec<Act>) {
    let mishaps = std::sync::Arc::new(Mutex::new(VecDeque::new()));
    let script = std::sync::Arc::clone(&mishaps);
    let proxy = Proxy::start(move |request| {
        if !["PutItem", "TransactWriteItems"].contains(&request.operation.as_str()) {
            return Fault::None;
        }
        script.lock().unwrap().pop_front().unwrap_or(Mishap::Nothing).into()
    })
    .await;
    let seen = named(&proxy.address, table.name());
    let mut there = There::new();
    for (n, Act { writes, mishaps: planned }) in acts.into_iter().enumerate() {
        *mishaps.lock().unwrap() = planned;
        let writes: Vec<_> =
            writes.into_iter().map(|one| (one.0, write_of(&there, one, &n.to_string()))).collect();
        let expected = carry_out(&mut there, &writes);
        let asked: Vec<Write> = writes.into_iter().map(|(_, write)| write).collect();
        match (seen.put_all(&asked).await, expected) {
            (Ok(written), Ok(expected)) => assert_eq!(written, expected, "{asked:?}"),
            // Where an answer was lost, a conflict may have been ours.
            (Err(TableError::Conflict { key } | TableError::Unsure { key }), Err(expected)) => {
                assert_eq!(key, expected, "{asked:?}");
            }
            (answer, expected) => panic!("{asked:?} gave {answer:?} instead of {expected:?}"),
        }
        for name in NAMES {
            assert_eq!(found(table, name).await.as_ref(), there.get(name), "`{name}` after {asked:?}");
        }
    }
}

#[test]
fn whatever_the_network_loses_what_is_answered_is_what_happened() {
    let runtime = Runtime::new().unwrap();
    // Few, for each try of the SDK waits; each has many acts.
    proptest!(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() }, |(acts in vec(act(), 5..25))| {
        runtime.block_on(async { play(&table(), acts).await });
    });
}
