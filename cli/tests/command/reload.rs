//! A policy file that changes while `serve` runs: taken when valid, else the old one stays, and people are told.

use std::time::Duration;

use crate::tenant::{POLICY, Tenant};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_is_taken_and_told_and_a_broken_one_is_told_once() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let adele = tenant.invite("adele@fabrikam.com");

    // Not valid: the old one stays in force.
    std::fs::write(tenant.policy(), POLICY.replace("then: [disable]", "then: [disabel]")).unwrap();
    let refused = "is not valid, and the policy";
    tenant.until("told that it is refused", || tenant.told_with(refused) == 1).await;
    assert_eq!(tenant.told_with("did you mean"), 1, "{:?}", tenant.told());
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until_done(mallory).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(tenant.told_with(refused), 1, "told again and again: {:?}", tenant.told());

    // Put back as it was.
    std::fs::write(tenant.policy(), POLICY).unwrap();
    tenant.until("told that it is mended", || tenant.told_with("the policy file is valid again") == 1).await;

    // Broken in another way, within the hour.
    std::fs::write(tenant.policy(), "version: 1\nmod: enforce\n").unwrap();
    tenant.until("told of the other mistake", || tenant.told_with(refused) == 2).await;

    // A list file of another policy.
    std::fs::write(tenant.folder.path().join("blocked.txt"), "fabrikam.com\n").unwrap();
    let listed = POLICY.replace("{ entries: [evil.example] }", "{ file: blocked.txt }");
    std::fs::write(tenant.policy(), listed).unwrap();
    tenant.until("told that it is in force", || tenant.told_with("is in force; before it was") == 1).await;
    assert!(tenant.is_enabled(adele));
    let redeemed = tenant.simulator.tenant();
    redeemed.redeem(adele, simulator::Redeem::Entra).unwrap();
    tenant.until_done(adele).await;

    // A list of it changes.
    std::fs::write(tenant.folder.path().join("blocked.txt"), "northwind.example\n").unwrap();
    tenant.until("told of the list", || tenant.told_with("is in force; before it was") == 2).await;
}
