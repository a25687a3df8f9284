//! Without a secret: tokens of an issuer that the apps trust. Where it gives none, changes wait as they do while Entra is away, and
//! nothing is lost.

use std::sync::{Arc, Mutex};

use graph::{Credential, Federated, NoAssertion};
use guestlist_tests::{Setup, World};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::json;
use simulator::FederatedCredential;

use crate::policies::PARTNERS_ONLY;

const KEY: &[u8] = include_bytes!("../../shared/graph/tests/fixtures/test-only-private-key.pem");
const CERTIFICATE: &str = include_str!("../../shared/graph/tests/fixtures/test-only-certificate.pem");
const ISSUER: &str = "https://7d3f.tokens.sts.example";
const ROLE: &str = "arn:aws:iam::123456789012:role/guestlist";

/// Why the issuer gives no token, while it gives none.
type Refusal = Arc<Mutex<Option<NoAssertion>>>;

/// Both apps sign in by an issuer, that refuses as the story wants. The last token of the secrets before has ended.
async fn without_secrets() -> (World, Refusal) {
    let trusts = vec![FederatedCredential {
        issuer: ISSUER.to_owned(),
        subject: ROLE.to_owned(),
        audience: Federated::AUDIENCE.to_owned(),
        issuer_key_pem: CERTIFICATE.to_owned(),
    }];
    let mut world = World::new(Setup { trusts, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    let refusal = Refusal::default();
    let asked = Arc::clone(&refusal);
    let issuer = Federated::new("AWS STS", move |lent| {
        let refusal = asked.lock().unwrap().clone();
        async move { refusal.map_or_else(|| Ok(signed(lent.now.as_second())), Err) }
    });
    let settings = &mut world.assembly.settings;
    for app in [&mut settings.reader, &mut settings.writer] {
        app.as_mut().unwrap().app.credential = Credential::Federated(issuer.clone());
    }
    world.restart().await;
    (world, refusal)
}

fn signed(now: i64) -> SecretString {
    let claims = json!({
        "iss": ISSUER, "sub": ROLE, "aud": Federated::AUDIENCE, "iat": now, "exp": now + 300, "jti": "1"
    });
    let key = EncodingKey::from_rsa_pem(KEY).unwrap();
    SecretString::from(jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap())
}

#[tokio::test]
async fn a_guest_is_disabled_without_any_secret() {
    let (mut world, _) = without_secrets().await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn while_the_issuer_is_away_for_half_a_day_nothing_is_lost_and_nobody_has_to_replay() {
    let (mut world, refusal) = without_secrets().await;
    let away = "AWS answers 403 ExpiredToken; the next instance has another key".to_owned();
    *refusal.lock().unwrap() = Some(NoAssertion::NotNow(away));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_hours(12)).await;
    world.expect_untouched(sam);
    assert_eq!(world.put_aside().await, []);
    *refusal.lock().unwrap() = None;
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_disabled(sam);
    let told = world.slack.texts();
    assert_eq!(told.iter().filter(|text| text.starts_with("Disabled guest sam@")).count(), 1, "{told:?}");
}

#[tokio::test]
async fn what_a_person_has_to_mend_at_the_issuer_is_told_with_its_fix_and_the_change_waits() {
    let (mut world, refusal) = without_secrets().await;
    let denied =
        "AWS answers 403 AccessDenied; allow the function's role `sts:GetWebIdentityToken`".to_owned();
    *refusal.lock().unwrap() = Some(NoAssertion::Refused(denied));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_mins(50)).await;
    world.expect_untouched(sam);
    let told = world.slack.texts();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("AWS STS gave no token: AWS answers 403 AccessDenied; allow the function's role")
    );
    assert_eq!(world.put_aside().await, []);
    *refusal.lock().unwrap() = None;
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_disabled(sam);
    world.slack.read_all();
}
