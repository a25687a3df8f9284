//! Tokens: kept, shared, renewed in time, and told plainly when Entra refuses.

use std::time::Duration;

use graph::{Advice, Certificate, Credential, GraphError, Reader};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GUEST, TENANT, user, user_path};

const CERTIFICATE: &str = include_str!("../fixtures/test-only-certificate.pem");
const KEY: &str = include_str!("../fixtures/test-only-private-key.pem");

async fn fifty_reads(reader: &Reader) -> Vec<Result<graph::User, GraphError>> {
    let reads: Vec<_> = (0..50)
        .map(|_| {
            let reader = reader.clone();
            tokio::spawn(async move { reader.user(GUEST).await })
        })
        .collect();
    let mut results = Vec::new();
    for read in reads {
        results.push(read.await.unwrap());
    }
    results
}

#[tokio::test]
async fn fifty_callers_share_one_token_request() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let reader = fake.reader();
    assert!(fifty_reads(&reader).await.iter().all(Result::is_ok));
    assert_eq!(fake.granted(), 1);
    assert!(fifty_reads(&reader).await.iter().all(Result::is_ok));
    assert_eq!(fake.granted(), 1, "a token is kept");
}

#[tokio::test]
async fn fifty_callers_share_one_renewal_in_a_tokens_last_minutes_and_nobody_waits_for_it() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let reader = fake.reader();
    reader.user(GUEST).await.unwrap();
    fake.pass(SignedDuration::from_secs(3599 - 301));
    reader.user(GUEST).await.unwrap();
    assert_eq!(fake.granted(), 1, "five minutes before its end, not sooner");
    fake.pass(SignedDuration::from_secs(2));
    assert!(fifty_reads(&reader).await.iter().all(Result::is_ok));
    assert_eq!(fake.granted(), 2);
}

#[tokio::test]
async fn while_entra_is_down_the_old_token_serves_until_its_end() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let reader = Reader::new(fake.client(Duration::ZERO));
    reader.user(GUEST).await.unwrap();
    fake.always("token", Answer::error(503, "down"));
    fake.pass(SignedDuration::from_secs(3500));
    assert!(fifty_reads(&reader).await.iter().all(Result::is_ok));
    assert_eq!(fake.seen("token").len(), 2, "Entra is not asked again at once");
    fake.pass(SignedDuration::from_secs(31));
    reader.user(GUEST).await.unwrap();
    assert_eq!(fake.seen("token").len(), 3);
    fake.pass(SignedDuration::from_secs(100));
    let error = reader.user(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Unavailable { status: 503, .. }), "{error}");
}

#[tokio::test]
async fn fifty_callers_share_one_failure() {
    let fake = Fake::start().await;
    let said = "AADSTS7000215: Invalid client secret provided. Trace ID: 1";
    let refusal = Answer::json(401, &json!({"error": "invalid_client", "error_description": said}));
    fake.always("token", refusal.after(Duration::from_millis(200)));
    let results = fifty_reads(&fake.reader()).await;
    for result in results {
        let Advice::FixCredential { tell } = result.unwrap_err().advice() else { panic!("a bad secret") };
        assert!(tell.contains("AADSTS7000215") && tell.contains("not its id"), "{tell}");
        assert!(!tell.contains("hush"));
    }
    assert_eq!(fake.seen("token").len(), 1);
}

#[tokio::test]
async fn a_token_that_graph_refuses_is_renewed_once_for_all_and_the_call_repeated_once() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let reader = fake.reader();
    reader.user(GUEST).await.unwrap();
    fake.revoke_tokens();
    assert!(fifty_reads(&reader).await.iter().all(Result::is_ok));
    assert_eq!(fake.granted(), 2);

    fake.always(&user_path(), Answer::error(401, "InvalidAuthenticationToken"));
    let error = reader.user(GUEST).await.unwrap_err();
    assert!(matches!(error.advice(), Advice::FixCredential { .. }), "{error}");
    assert_eq!(fake.granted(), 3, "once, and not for ever");
}

#[tokio::test]
async fn a_token_request_is_repeated_as_entra_asks() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    fake.next("token", Answer::text(429, "").header("retry-after", "0.05"));
    let busy = json!({"error": "temporarily_unavailable", "error_description": "AADSTS90033: later"});
    fake.next("token", Answer::json(400, &busy).header("retry-after", "0"));
    fake.reader().user(GUEST).await.unwrap();
    assert_eq!(fake.seen("token").len(), 3);
}

#[tokio::test]
async fn short_lived_tokens_are_used_for_half_their_life() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    fake.tokens_live(60);
    let reader = fake.reader();
    for (passed, granted) in [(0, 1), (29, 1), (2, 2), (61, 3)] {
        fake.pass(SignedDuration::from_secs(passed));
        reader.user(GUEST).await.unwrap();
        assert_eq!(fake.granted(), granted);
    }
}

#[tokio::test]
async fn a_certificate_sends_an_assertion_that_its_public_key_verifies_and_no_secret() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    let certificate = Certificate::from_pem(CERTIFICATE, KEY).unwrap();
    let client = fake.client_of(Credential::Certificate(certificate), Duration::ZERO);
    Reader::new(client).user(GUEST).await.unwrap();

    let asked = &fake.seen("token")[0];
    assert_eq!(asked.header("content-type"), "application/x-www-form-urlencoded");
    let form = url::form_urlencoded::parse(asked.body.as_bytes());
    let form: std::collections::HashMap<_, _> = form.into_owned().collect();
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!form.contains_key("client_secret"));
    let mut validation = Validation::new(Algorithm::PS256);
    validation.validate_exp = false;
    validation.set_audience(&[format!("{}/{TENANT}/oauth2/v2.0/token", fake.url)]);
    let public = DecodingKey::from_rsa_pem(CERTIFICATE.as_bytes()).unwrap();
    let assertion = jsonwebtoken::decode::<Value>(&form["client_assertion"], &public, &validation).unwrap();
    assert_eq!(assertion.claims["iss"], "client");
    assert!(assertion.header.x5t_s256.is_some());
}

#[tokio::test]
async fn the_roles_of_a_token_can_be_looked_at() {
    let fake = Fake::start().await;
    let roles = fake.client(Duration::ZERO).granted_roles().await.unwrap();
    assert_eq!(roles, Some(vec!["User.Read.All".to_owned()]));
    let opaque = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque"});
    fake.next("token", Answer::json(200, &opaque));
    assert_eq!(fake.client(Duration::ZERO).granted_roles().await.unwrap(), None);
}
