//! Histories under every fault, drawn from seeds: afterwards the tenant is in the state that the policy demands, nobody
//! innocent was touched, and every write is accounted for.

use guestlist_proof::seeds::{Options, many, run};
use guestlist_tests::seeds;

#[test]
fn after_faults_stop_the_policy_is_carried_out_and_every_write_is_accounted_for() {
    let mut failing = Vec::new();
    many(seeds(200), Options::default(), |report| {
        if !report.complaints.is_empty() {
            failing.push(format!("{report}\n  replay it: proof/run seed {}", report.seed));
        }
    })
    .unwrap();
    assert!(failing.is_empty(), "{} seeds fail:\n{}", failing.len(), failing.join("\n"));
}

#[test]
fn a_seed_replays_exactly_and_another_is_another_history() {
    let hashes = |seed| {
        let (once, again) = (run(seed, Options::default()).unwrap(), run(seed, Options::default()).unwrap());
        assert!(once.exchanges > 50, "{once}");
        assert_eq!(once.hash, again.hash, "seed {seed} does not replay: {once}\n{again}");
        once.hash
    };
    let all: std::collections::BTreeSet<u64> = (300..304).map(hashes).collect();
    assert_eq!(all.len(), 4);
}
