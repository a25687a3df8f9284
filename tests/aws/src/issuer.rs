//! `GetWebIdentityToken` of AWS STS on loopback (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>),
//! as strict as tests want it: the request must be signed in form and ask for exactly what STS knows. Tokens are signed with
//! RS256, by a key of the tests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use crate::{KEY, REGION};

const SIGNING_KEY: &[u8] = include_bytes!("../../../shared/graph/tests/fixtures/test-only-private-key.pem");
/// The public half, as Entra finds it at the issuer.
pub const CERTIFICATE: &str = include_str!("../../../shared/graph/tests/fixtures/test-only-certificate.pem");
/// Of the account.
pub const NAME: &str = "https://5c1e.tokens.sts.example";
/// Whose key it is that all tests have: the role of a function.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/guestlist-function";

/// An answer in the place of a token.
#[derive(Debug, Clone)]
pub struct Instead {
    pub status: u16,
    pub body: String,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the id of its key.
    roles: BTreeMap<String, String>,
    lives: Vec<u64>,
    signed: u64,
    wrong: Vec<String>,
    instead: VecDeque<Instead>,
    refuses: Option<Instead>,
    /// How long the session of the role lasts, in seconds.
    session: Option<u64>,
}

/// Serves as long as the test's runtime.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `http://127.0.0.1:<port>`
    pub address: String,
    inner: Arc<Mutex<Inner>>,
}

impl Issuer {
    pub async fn open() -> Self {
        let roles = BTreeMap::from([(KEY.to_owned(), ROLE.to_owned())]);
        let inner = Arc::new(Mutex::new(Inner { roles, ..Inner::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner }
    }

    /// For how long each token was asked, in seconds, since the last call.
    ///
    /// # Panics
    /// A request was not as STS wants it.
    #[must_use]
    pub fn asked(&self) -> Vec<u64> {
        let mut inner = self.inner.lock().unwrap();
        assert!(inner.wrong.is_empty(), "STS would not understand: {:?}", inner.wrong);
        std::mem::take(&mut inner.lives)
    }

    /// The next answer is this error, in the words of AWS.
    pub fn refuse(&self, status: u16, code: &str) {
        let body = error(code, "The words of AWS.");
        self.answer_instead(Instead { status, body });
    }

    /// Every answer from now on is this error, or a token again.
    pub fn refuse_everybody(&self, refusal: Option<(u16, &str)>) {
        let refusal =
            refusal.map(|(status, code)| Instead { status, body: error(code, "The words of AWS.") });
        self.inner.lock().unwrap().refuses = refusal;
    }

    pub fn answer_instead(&self, instead: Instead) {
        self.inner.lock().unwrap().instead.push_back(instead);
    }

    /// Who signs with this key is this role.
    pub fn know(&self, key: &str, role: &str) {
        self.inner.lock().unwrap().roles.insert(key.to_owned(), role.to_owned());
    }

    /// No token may outlive it.
    pub fn end_session_in(&self, seconds: u64) {
        self.inner.lock().unwrap().session = Some(seconds);
    }
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  <RequestId>1</RequestId>\n</ErrorResponse>\n"
    )
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: String) -> Response {
    let mut inner = inner.lock().unwrap();
    let xml = [(CONTENT_TYPE, "text/xml")];
    let (life, role) = match check(&headers, &body, &inner.roles) {
        Ok(asked) => asked,
        Err(why) => {
            let body = error("ValidationError", &why);
            inner.wrong.push(why);
            return (StatusCode::BAD_REQUEST, xml, body).into_response();
        }
    };
    inner.lives.push(life);
    let instead = inner.instead.pop_front().or_else(|| inner.refuses.clone());
    if let Some(Instead { status, body }) = instead {
        return (StatusCode::from_u16(status).unwrap(), xml, body).into_response();
    }
    if inner.session.is_some_and(|left| life > left) {
        let body = error("SessionDurationEscalationException", "It would outlive the session.");
        return (StatusCode::FORBIDDEN, xml, body).into_response();
    }
    inner.signed += 1;
    (xml, signed(&role, life, inner.signed)).into_response()
}

fn signed(role: &str, life: u64, number: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": NAME, "sub": role, "aud": "api://AzureADTokenExchange", "iat": now, "exp": now + life,
        "jti": format!("{now}-{number}"),
        "https://sts.amazonaws.com/": { "aws_account": "123456789012", "source_region": REGION },
    });
    let key = EncodingKey::from_rsa_pem(SIGNING_KEY).unwrap();
    let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap();
    format!(
        "<GetWebIdentityTokenResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <GetWebIdentityTokenResult>\n    \
         <WebIdentityToken>{token}</WebIdentityToken>\n  </GetWebIdentityTokenResult>\n  <ResponseMetadata>\n    \
         <RequestId>1</RequestId>\n  </ResponseMetadata>\n</GetWebIdentityTokenResponse>\n"
    )
}

/// For how many seconds and for which role, or what is wrong with the request.
fn check(headers: &HeaderMap, body: &str, roles: &BTreeMap<String, String>) -> Result<(u64, String), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = header(CONTENT_TYPE.as_str());
    if kind != "application/x-www-form-urlencoded" {
        return Err(format!("the content type is `{kind}`"));
    }
    let date = header("x-amz-date");
    let is_date = date.len() == 16 && date.as_bytes()[8] == b'T' && date.ends_with('Z');
    if !is_date {
        return Err(format!("x-amz-date is `{date}`"));
    }
    let role = is_signed(header(AUTHORIZATION.as_str()), &date[..8], roles)?;
    let fields: BTreeMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let life: Option<u64> = fields.get("DurationSeconds").and_then(|life| life.parse().ok());
    let life = life.filter(|life| (60..=3600).contains(life)).ok_or("DurationSeconds is not 60 to 3600")?;
    let expected = BTreeMap::from([
        ("Action".to_owned(), "GetWebIdentityToken".to_owned()),
        ("Version".to_owned(), "2011-06-15".to_owned()),
        ("Audience.member.1".to_owned(), "api://AzureADTokenExchange".to_owned()),
        ("SigningAlgorithm".to_owned(), "RS256".to_owned()),
        ("DurationSeconds".to_owned(), life.to_string()),
    ]);
    if fields == expected { Ok((life, role)) } else { Err(format!("the form is {fields:?}")) }
}

/// By whom: `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/sts/aws4_request, SignedHeaders=…, Signature=…`
fn is_signed(authorization: &str, date: &str, roles: &BTreeMap<String, String>) -> Result<String, String> {
    let wrong = || format!("the signature is `{authorization}`");
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(wrong)?;
    let parts: BTreeMap<&str, &str> = rest.split(", ").filter_map(|part| part.split_once('=')).collect();
    let signed: Vec<&str> =
        parts.get("SignedHeaders").map(|names| names.split(';').collect()).unwrap_or_default();
    let has_all =
        ["host", "x-amz-date", "content-type", "x-amz-security-token"].iter().all(|one| signed.contains(one));
    let signature = parts.get("Signature").copied().unwrap_or_default();
    let is_hex = signature.len() == 64 && signature.chars().all(|c| c.is_ascii_hexdigit());
    let (key, scope) = parts.get("Credential").and_then(|one| one.split_once('/')).ok_or_else(wrong)?;
    let role = roles.get(key).filter(|_| scope == format!("{date}/{REGION}/sts/aws4_request"));
    role.filter(|_| has_all && is_hex).cloned().ok_or_else(wrong)
}
