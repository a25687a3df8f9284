//! What an operator changes, well or badly: a policy that is not valid, a canary that nobody flies any more; and a clock that is wrong.

use jiff::SignedDuration;
use simulator::contoso;

use crate::deployment::{Deployment, POLICY};
use crate::functions::start_anew;

/// By whoever sees it first: each of the two that judge, in the end.
pub(crate) async fn a_changed_policy_is_written_down(stack: &Deployment) {
    let last_good = || stack.store.item(&format!("policy-object#{}", contoso::TENANT), "last-good");
    for function in ["assess", "remediate"] {
        for changes in 1.. {
            assert!(changes < 6, "{function} never sees it first");
            let before = last_good();
            emulator::put_object(
                &stack.bucket,
                "policy/policy.yaml",
                &format!("{POLICY}# {function} {changes}\n"),
            );
            start_anew(function, &[]);
            let is_written = async || (last_good() != before).then_some(());
            stack.until_tended(function, "the changed policy is written down", is_written).await;
            if stack.has_used((function, "PutItem", "policy-object")) {
                break;
            }
        }
    }
}

/// Whoever starts while the policy is bad reads the versions that were good.
pub(crate) async fn who_starts_while_the_policy_is_bad_goes_by_the_last_good_one(stack: &Deployment) {
    emulator::put_object(&stack.bucket, "policy/policy.yaml", "version: 1\nmood: observe\n");
    start_anew("assess", &[]);
    start_anew(
        "remediate",
        &[("GUESTLIST_CANARY_USER", ""), ("GUESTLIST_CANARY_GROUP", ""), ("GUESTLIST_CANARY_WITHIN", "")],
    );
    for function in ["assess", "remediate"] {
        let reads = async || stack.has_used((function, "GetObjectVersion", "policybucket")).then_some(());
        stack.until_tended(function, "it reads what was good", reads).await;
    }
    let told = async || {
        let notices = stack.store.ledger.all::<model::Notice>("policy-refused/").await.unwrap();
        (!notices.is_empty()).then_some(())
    };
    stack.until("people are told that the policy is bad", told).await;
}

/// With the settings above.
pub(crate) async fn a_canary_that_nobody_flies_any_more_is_forgotten(stack: &Deployment) {
    let is_gone = async || stack.store.ledger.canary().await.unwrap().is_none().then_some(());
    stack.until_tended("remediate", "the canary is forgotten", is_gone).await;
}

/// The last of all, because it moves everything.
pub(crate) async fn a_clock_that_is_wrong_is_noted(stack: &Deployment) {
    stack.simulator.set_faults(|faults| faults.clock_ahead = SignedDuration::from_mins(-10));
    // One that has heard the time a moment ago asks nobody.
    start_anew("steward", &[]);
    let is_noted = async || stack.store.ledger.clock_ahead().await.unwrap();
    let ahead = stack.until_tended("steward", "it is noted that the clock is wrong", is_noted).await;
    assert!((9..=11).contains(&ahead.as_mins()), "{ahead}");
}
