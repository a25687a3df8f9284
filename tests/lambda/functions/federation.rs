//! Functions that have no secret of any app: their role signs in, by tokens of AWS STS.

use std::sync::Arc;

use emulator::issuer::{CERTIFICATE, Issuer, NAME, ROLE};
use guestlist_tests::Guest;
use serde_json::json;
use simulator::FederatedCredential;

use crate::gateway;
use crate::stage::Stage;

/// Both apps trust the role of this name and take nothing else.
async fn stage(role: &str) -> (Stage, Issuer) {
    let issuer = Issuer::open().await;
    let mut stage = Stage::with(|options| {
        for app in &mut options.apps {
            app.secret = None;
            app.federated = vec![FederatedCredential {
                issuer: NAME.to_owned(),
                subject: role.to_owned(),
                audience: "api://AzureADTokenExchange".to_owned(),
                issuer_key_pem: CERTIFICATE.to_owned(),
            }];
        }
    })
    .await;
    stage.sign_in_by_role(&issuer);
    (stage, issuer)
}

/// A guest whom the policy forbids was invited, and that waits to be looked at.
async fn invited(stage: &Stage) -> Guest {
    let notifications = Arc::new(stage.start("notifications").await);
    stage.forward_to(&gateway::open(notifications, false).await);
    let steward = stage.start("steward").await;
    let tended = steward.invoke(json!({ "do": "tend" })).await;
    assert!(tended.is_ok(), "{tended:?}\n{}", steward.log());
    let mallory = stage.tenant.invite("mallory@evil.example");
    assert!(stage.simulator.deliver_due().await > 0);
    mallory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_disabled_by_functions_of_which_none_has_a_secret() {
    let (stage, issuer) = stage(ROLE).await;
    let mallory = invited(&stage).await;
    assert_eq!(issuer.asked(), [300], "the chores of the steward share one token");
    let (assess, remediate) = (stage.start("assess").await, stage.start("remediate").await);
    assert!(stage.pump("changes", &assess).await > 0);
    assert!(stage.pump("remediations", &remediate).await > 0, "{}", assess.log());
    assert!(!stage.tenant.is_enabled(mallory), "{}", remediate.log());
    assert_eq!(issuer.asked(), [300, 300], "each function proves itself once");
    for (name, function) in [("assess", &assess), ("remediate", &remediate)] {
        let given = stage.environment(name);
        assert!(!given.iter().any(|(setting, _)| setting.contains("CLIENT_SECRET")), "{given:?}");
        assert!(!function.log().contains("eyJ"), "a token is in the log: {}", function.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sts_gives_no_token_every_message_comes_again() {
    let (stage, issuer) = stage(ROLE).await;
    let mallory = invited(&stage).await;
    let (records, assess) = (stage.receive("changes"), stage.start("assess").await);
    for (status, code) in [(403, "ExpiredToken"), (400, "Throttling")] {
        issuer.refuse_everybody(Some((status, code)));
        let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
        let log = assess.log();
        assert!(log.contains(&format!("AWS STS gave no token: AWS answers {status} {code}")), "{log}");
        let failed = answer["batchItemFailures"].as_array().unwrap().len();
        assert_eq!(failed, records.len(), "{code}: {answer}\n{log}");
    }
    assert_eq!((stage.dead("changes"), stage.receive("remediations").len()), (0, 0));
    issuer.refuse_everybody(None);
    // What SQS would hand over when its time has come.
    let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
    assert_eq!(answer["batchItemFailures"], json!([]), "{}", assess.log());
    let remediate = stage.start("remediate").await;
    assert!(stage.pump("remediations", &remediate).await > 0, "{}", assess.log());
    assert!(!stage.tenant.is_enabled(mallory), "{}", remediate.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_to_mend_at_aws_is_told_and_the_change_waits_for_him_in_its_queue() {
    let (stage, issuer) = stage(ROLE).await;
    invited(&stage).await;
    issuer.refuse_everybody(Some((403, "AccessDenied")));
    let (records, assess) = (stage.receive("changes"), stage.start("assess").await);
    let before = stage.delayed("changes");
    let answer = assess.invoke(json!({ "Records": records })).await.unwrap();
    assert_eq!(stage.settle("changes", &records, &answer), 0, "{answer}");
    assert_eq!(stage.delayed("changes") - before, records.len(), "{}", assess.log());
    assert_eq!(stage.dead("changes"), 0);
    let alert = stage.start("alert").await;
    stage.pump("alerts", &alert).await;
    let told = stage.slack.next_text();
    assert!(told.contains("AWS answers 403 AccessDenied; allow the function's role"), "{told}");
    stage.slack.expect_silence();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_trusts_another_role_is_told_with_what_to_compare() {
    let (stage, _issuer) = stage("arn:aws:iam::123456789012:role/another").await;
    let steward = stage.start("steward").await;
    let error = steward.invoke(json!({ "do": "tend" })).await.unwrap_err();
    for part in ["AADSTS70021", &format!("assertion subject '{ROLE}'"), "letter by letter"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_beside_the_role_and_an_issuer_that_is_none_are_told() {
    let (stage, _issuer) = stage(ROLE).await;
    for (setting, value, says) in [
        (
            "GUESTLIST_READ_CLIENT_SECRET",
            "hush",
            "GUESTLIST_READ_CLIENT_SECRET and GUESTLIST_READ_FEDERATION are both set: unset one of them",
        ),
        (
            "GUESTLIST_READ_FEDERATION",
            "azure",
            "GUESTLIST_READ_FEDERATION: `azure` is no issuer of tokens: use `aws-sts`, or unset it",
        ),
        ("GUESTLIST_READ_FEDERATION", "", "GUESTLIST_READ_FEDERATION, GUESTLIST_READ_CERTIFICATE_FILE with"),
    ] {
        let mut environment = stage.environment("assess");
        environment.retain(|(name, _)| name != setting);
        environment.push((setting.to_owned(), value.to_owned()));
        let assess = crate::function::Function::start("assess", &environment).await;
        assert_eq!(assess.ended().await, Some(2));
        assert!(assess.log().contains(says), "{says}: {}", assess.log());
    }
}
