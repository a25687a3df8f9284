//! What changes beside a function that goes on: secrets and the policy.

use emulator::Kept;
use serde_json::{Value, json};

use crate::function::Function;
use crate::stage::{POLICY, Stage};

/// What the alarm looks at.
fn refused(function: &Function) -> Vec<Value> {
    function.metrics("guestlist_policy_refused").into_iter().map(|(value, _)| value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_replaced_is_read_again_when_microsoft_refuses_the_old_one() {
    let stage = Stage::set().await;
    stage.keep(Kept::Secret, "reader", "an old secret");
    let steward = stage.start("steward").await;
    let error = steward.invoke(json!({ "do": "tend" })).await.unwrap_err();
    assert!(error.contains("prove to Microsoft who we are"), "{error}");
    stage.keep(Kept::Secret, "reader", simulator::contoso::READER_SECRET);
    let error = steward.invoke(json!({ "do": "tend" })).await.unwrap_or_else(|error| json!(error));
    assert!(!error.to_string().contains("prove to Microsoft"), "{error}\n{}", steward.log());
    assert!(steward.log().contains("the secrets have changed, and are in use"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_cannot_be_read_the_one_before_stays() {
    let stage = Stage::set().await;
    stage.keep(Kept::Secret, "reader", "an old secret");
    let steward = stage.start("steward").await;
    steward.invoke(json!({ "do": "tend" })).await.unwrap_err();
    stage.keep(Kept::Secret, "reader", " ");
    let error = steward.invoke(json!({ "do": "tend" })).await.unwrap_err();
    assert!(error.contains("prove to Microsoft who we are"), "{error}");
    assert!(steward.log().contains("the one before stays in use"), "{}", steward.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_starts_while_the_policy_is_bad_judges_by_the_last_good_one_and_people_are_told() {
    let stage = Stage::set().await;
    let assess = stage.start("assess").await;
    assess.invoke(json!({ "do": "tend" })).await.unwrap();
    assert_eq!(refused(&assess), [0.0]);
    emulator::put_object(
        &stage.bucket,
        "guestlist/policy.yaml",
        &POLICY.replace("mode: enforce", "mood: enforce"),
    );
    emulator::put_object(&stage.bucket, "guestlist/blocked.txt", "other.example\n");
    let another = stage.start("assess").await;
    another.invoke(json!({ "do": "tend" })).await.unwrap();
    assert!(another.log().contains("which was valid before, stays in force"), "{}", another.log());
    another.invoke(json!({ "do": "tend" })).await.unwrap();
    assert_eq!(refused(&another), [1.0, 1.0], "at each word of the timer, as long as it lasts");
    // A third one says nothing more.
    stage.start("assess").await.invoke(json!({ "do": "tend" })).await.unwrap();
    let alert = stage.start("alert").await;
    assert!(stage.pump("alerts", &alert).await > 0);
    let told = stage.slack.next_text();
    assert!(told.contains("not valid") && told.contains("mood"), "{told}");
    stage.slack.expect_silence();
    // Mended, it is taken by whoever starts.
    emulator::put_object(
        &stage.bucket,
        "guestlist/policy.yaml",
        &POLICY.replace("severity: high", "severity: low"),
    );
    let mended = stage.start("assess").await;
    mended.invoke(json!({ "do": "tend" })).await.unwrap();
    assert_eq!(refused(&mended), [0.0]);
    stage.pump("alerts", &alert).await;
    let told = stage.slack.next_text();
    assert!(told.contains("is in force; before it was"), "{told}");
    stage.slack.expect_silence();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_was_deleted_stays_in_force_and_people_are_told() {
    let stage = Stage::set().await;
    stage.start("assess").await.invoke(json!({ "do": "tend" })).await.unwrap();
    emulator::delete_object(&stage.bucket, "guestlist/policy.yaml");
    for name in ["remediate", "assess"] {
        let function = stage.start(name).await;
        function.invoke(json!({ "do": "tend" })).await.unwrap();
        assert_eq!(refused(&function), [1.0], "{name}");
    }
    let alert = stage.start("alert").await;
    assert!(stage.pump("alerts", &alert).await > 0);
    let told = stage.slack.next_text();
    assert!(told.contains("the policy cannot be read") && told.contains("put it there again"), "{told}");
    stage.slack.expect_silence();
}
