//! Tokens of an issuer that the app trusts take the place of a secret: one for each Graph token, each as Entra wants it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use graph::{Advice, App, Client, Credential, Endpoints, Federated, GraphError, NoAssertion, Reader};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use model::{Clock, TenantId};
use secrecy::SecretString;
use serde_json::{Value, json};
use simulator::{FederatedCredential, Options, Simulator, contoso};
use uuid::Uuid;
use wire::Wire;

const KEY: &[u8] = include_bytes!("../fixtures/test-only-private-key.pem");
const CERTIFICATE: &str = include_str!("../fixtures/test-only-certificate.pem");
const APP: Uuid = Uuid::from_u128(0xfeda);
const ISSUER: &str = "https://7d3f.tokens.sts.example";
const SUBJECT: &str = "arn:aws:iam::111122223333:role/guestlist-assess";
const AUDIENCE: &str = "api://AzureADTokenExchange";

type Now = Arc<Mutex<jiff::Timestamp>>;

struct Tenant {
    simulator: Simulator,
    now: Now,
}

impl Tenant {
    async fn new() -> Self {
        let now: Now = Arc::new(Mutex::new("2026-11-20T09:00:00Z".parse().unwrap()));
        let simulators = Arc::clone(&now);
        let mut options = Options::contoso(Arc::new(move || *simulators.lock().unwrap()));
        let app = simulator::App::with_secret(APP, "", &["User.Read.All"]);
        let trusted = FederatedCredential {
            issuer: ISSUER.to_owned(),
            subject: SUBJECT.to_owned(),
            audience: AUDIENCE.to_owned(),
            issuer_key_pem: CERTIFICATE.to_owned(),
        };
        options.apps.push(simulator::App { secret: None, federated: vec![trusted], ..app });
        Self { simulator: Simulator::start(options).await.unwrap(), now }
    }

    fn reader(&self, federated: Federated) -> Reader {
        let endpoints = Endpoints::parse(&self.simulator.url(), &self.simulator.url()).unwrap();
        let tenant = TenantId::from_u128(contoso::TENANT.as_u128());
        let credential = Credential::Federated(federated);
        let app = App { tenant, client_id: APP.to_string(), credential };
        let now = Arc::clone(&self.now);
        let clock = Clock::new(move || *now.lock().unwrap());
        Reader::new(Client::new(Wire::network().unwrap(), endpoints, app, clock, Duration::ZERO))
    }

    /// What the issuer signs, and whatever is changed in it.
    fn signed(&self, algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> SecretString {
        let now = self.now.lock().unwrap().as_second();
        let mut claims =
            json!({"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": "1"});
        change(&mut claims);
        let key = EncodingKey::from_rsa_pem(KEY).unwrap();
        SecretString::from(jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap())
    }

    /// What Guestlist makes of Entra's answer to this token.
    async fn refusal(&self, algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> String {
        let token = self.signed(algorithm, change);
        let reader = self.reader(Federated::new("a test", move |_| {
            let token = token.clone();
            async move { Ok(token) }
        }));
        let error = reader.count_guests().await.unwrap_err();
        let Advice::FixCredential { tell } = error.advice() else { panic!("{error}") };
        tell
    }
}

#[tokio::test]
async fn a_token_of_the_issuer_is_asked_for_once_for_each_graph_token() {
    let tenant = Tenant::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let tokens: Arc<Mutex<Vec<SecretString>>> = Arc::default();
    tokens.lock().unwrap().push(tenant.signed(Algorithm::RS256, |_| {}));
    let (counted, given) = (Arc::clone(&asked), Arc::clone(&tokens));
    let reader = tenant.reader(Federated::new("a test", move |_| {
        counted.fetch_add(1, SeqCst);
        let token = given.lock().unwrap().last().cloned();
        async move { token.ok_or_else(|| NoAssertion::Refused("there is none".to_owned())) }
    }));
    for _ in 0..3 {
        reader.count_guests().await.unwrap();
    }
    assert_eq!(asked.load(SeqCst), 1);
    *tenant.now.lock().unwrap() += SignedDuration::from_mins(70);
    tokens.lock().unwrap().push(tenant.signed(Algorithm::RS256, |_| {}));
    reader.count_guests().await.unwrap();
    assert_eq!(asked.load(SeqCst), 2);
}

#[tokio::test]
async fn what_differs_in_anything_is_refused_with_what_mends_it() {
    let tenant = Tenant::new().await;
    for (claim, part) in [
        ("iss", "assertion issuer 'https://other.example'"),
        ("sub", "assertion subject"),
        ("aud", "assertion audience"),
    ] {
        let tell =
            tenant.refusal(Algorithm::RS256, |claims| claims[claim] = json!("https://other.example")).await;
        assert!(tell.contains(part) && tell.contains("letter by letter"), "{tell}");
    }
    let tell = tenant.refusal(Algorithm::RS256, |claims| claims["exp"] = json!(1_000)).await;
    assert!(tell.contains("AADSTS700024") && tell.contains("clock"), "{tell}");
    let tell = tenant.refusal(Algorithm::PS256, |_| {}).await;
    assert!(tell.contains("RS256"), "{tell}");
}

#[tokio::test]
async fn an_issuer_that_gives_no_token_is_told_and_graph_is_not_asked() {
    let tenant = Tenant::new().await;
    let reader = tenant.reader(Federated::new("AWS STS", |_| async {
        Err(NoAssertion::Refused("it is not allowed".to_owned()))
    }));
    let error = reader.count_guests().await.unwrap_err();
    assert!(matches!(error, GraphError::Credential { .. }), "{error}");
    assert!(error.to_string().contains("AWS STS gave no token: it is not allowed"), "{error}");
    assert_eq!(tenant.simulator.traffic().token_requests, 0);
}

#[tokio::test]
async fn an_issuer_that_gives_no_token_now_is_asked_again_later() {
    let tenant = Tenant::new().await;
    let (asked, token) = (Arc::new(AtomicUsize::new(0)), tenant.signed(Algorithm::RS256, |_| {}));
    let counted = Arc::clone(&asked);
    let reader = tenant.reader(Federated::new("AWS STS", move |_| {
        let (first, token) = (counted.fetch_add(1, SeqCst) == 0, token.clone());
        async move { if first { Err(NoAssertion::NotNow("it is\nbusy".to_owned())) } else { Ok(token) } }
    }));
    let error = reader.count_guests().await.unwrap_err();
    assert_eq!(error.advice(), Advice::TryAgain { after: None });
    assert!(error.to_string().contains("reach Microsoft: AWS STS gave no token: it is busy"), "{error}");
    reader.count_guests().await.unwrap();
    assert_eq!(asked.load(SeqCst), 2);
}
