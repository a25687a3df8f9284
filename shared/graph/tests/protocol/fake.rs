//! A Graph and an Entra that answer as they are told, remember what they were asked, and take only tokens that they
//! granted and that still hold.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use graph::{App, Client, Credential, Endpoints, Reader, Writer};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};
use model::{Clock, ObjectId, TenantId};
use secrecy::SecretString;
use serde_json::{Value, json};
use wire::Wire;

pub(crate) const TENANT: TenantId = TenantId::from_u128(0xfeed);
pub(crate) const GUEST: ObjectId = ObjectId::from_u128(0xbad);
pub(crate) const GROUP: ObjectId = ObjectId::from_u128(0x96);

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) delay: Duration,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string(), delay: Duration::ZERO }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), delay: Duration::ZERO }
    }

    /// As Graph words an error.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let inner = json!({"request-id": "theirs", "date": "2026-11-20T10:00:00"});
        Self::json(status, &json!({"error": {"code": code, "message": "no", "innerError": inner}}))
    }

    pub(crate) fn busy(status: u16, retry_after: &str) -> Self {
        Self::error(status, "TooManyRequests").header("retry-after", retry_after)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// One request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GET /v1.0/users/…`
    pub(crate) what: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[derive(Default)]
struct Inside {
    now: Option<Timestamp>,
    next: HashMap<String, VecDeque<Answer>>,
    always: HashMap<String, Answer>,
    later: HashMap<String, Answer>,
    seen: Vec<Seen>,
    granted: u32,
    good: HashSet<String>,
    token_life: i64,
}

#[derive(Clone)]
pub(crate) struct Fake {
    inside: Arc<Mutex<Inside>>,
    pub(crate) url: String,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let start = Some("2026-11-20T10:00:00Z".parse().unwrap());
        let inside = Inside { now: start, token_life: 3599, ..Inside::default() };
        let fake = Self { inside: Arc::new(Mutex::new(inside)), url };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// Its clients ask for it there instead.
    pub(crate) fn at(self, url: String) -> Self {
        Self { url, ..self }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints::parse(&self.url, &self.url).unwrap()
    }

    pub(crate) fn client_of(&self, credential: Credential, patience: Duration) -> Client {
        let app = App { tenant: TENANT, client_id: "client".to_owned(), credential };
        let fake = self.clone();
        let clock = Clock::new(move || fake.inside().now.unwrap());
        Client::new(Wire::network().unwrap(), self.endpoints(), app, clock, patience)
    }

    pub(crate) fn client(&self, patience: Duration) -> Client {
        self.client_of(Credential::Secret(SecretString::from("hush")), patience)
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.client(Duration::from_secs(3)))
    }

    pub(crate) fn writer(&self) -> Writer {
        Writer::new(self.client(Duration::from_secs(3)))
    }

    /// The very next answer to `what` that has not been answered otherwise before.
    pub(crate) fn next(&self, what: &str, answer: Answer) {
        self.inside().next.entry(what.to_owned()).or_default().push_back(answer);
    }

    pub(crate) fn always(&self, what: &str, answer: Answer) {
        self.inside().always.insert(what.to_owned(), answer);
    }

    /// The next one is answered as ever, and all that follow like this.
    pub(crate) fn after_one(&self, what: &str, answer: Answer) {
        self.inside().later.insert(what.to_owned(), answer);
    }

    pub(crate) fn pass(&self, time: SignedDuration) {
        let mut inside = self.inside();
        inside.now = inside.now.map(|now| now + time);
    }

    pub(crate) fn tokens_live(&self, seconds: i64) {
        self.inside().token_life = seconds;
    }

    pub(crate) fn revoke_tokens(&self) {
        self.inside().good.clear();
    }

    pub(crate) fn granted(&self) -> u32 {
        self.inside().granted
    }

    /// What arrived at Graph, and at Entra where `what` says `token`.
    pub(crate) fn seen(&self, what: &str) -> Vec<Seen> {
        self.inside().seen.iter().filter(|seen| seen.what == what).cloned().collect()
    }

    /// Whatever arrived that was not a GET, a batch or a request for a token.
    pub(crate) fn all_writes(&self) -> usize {
        let harmless = |what: &str| what.starts_with("GET ") || what.ends_with("/$batch") || what == "token";
        self.inside().seen.iter().filter(|seen| !harmless(&seen.what)).count()
    }

    fn recall(&self, what: &str) -> Option<Answer> {
        let mut inside = self.inside();
        let next = inside.next.get_mut(what).and_then(VecDeque::pop_front);
        let answer = next.or_else(|| inside.always.get(what).cloned());
        if let Some(later) = inside.later.remove(what) {
            inside.always.insert(what.to_owned(), later);
        }
        answer
    }

    fn grant(&self) -> Answer {
        let mut inside = self.inside();
        inside.granted += 1;
        // {"roles": ["User.Read.All"]}
        let token = format!("head.eyJyb2xlcyI6IFsiVXNlci5SZWFkLkFsbCJdfQ.{}", inside.granted);
        inside.good.insert(format!("Bearer {token}"));
        let life = inside.token_life;
        Answer::json(200, &json!({"token_type": "Bearer", "expires_in": life, "access_token": token}))
    }

    fn graph(&self, what: &str) -> Answer {
        self.recall(what).unwrap_or_else(|| Answer::error(404, "Request_ResourceNotFound"))
    }

    /// Each part by the same rules, answered in the opposite order.
    fn batch(&self, body: &str) -> Answer {
        let body: Value = serde_json::from_str(body).unwrap();
        let mut responses = Vec::new();
        for part in body["requests"].as_array().unwrap() {
            let url = part["url"].as_str().unwrap();
            let path = url.split('?').next().unwrap();
            let what = format!("{} {path}", part["method"].as_str().unwrap());
            let query = url.split_once('?').map_or("", |(_, query)| query).to_owned();
            let headers = part["headers"].as_object().into_iter().flatten().map(|(name, value)| {
                let name: http::HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
            });
            let seen = Seen { what: what.clone(), query, headers: headers.collect(), body: String::new() };
            self.inside().seen.push(seen);
            let Answer { status, headers, body, delay: _ } = self.graph(&what);
            let headers: HashMap<_, _> = headers.into_iter().collect();
            let body = serde_json::from_str::<Value>(&body).unwrap_or(Value::Null);
            responses.push(json!({"id": part["id"], "status": status, "headers": headers, "body": body}));
        }
        responses.reverse();
        Answer::json(200, &json!({"responses": responses}))
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let what = format!("{} {}", parts.method, parts.uri.path());
    let is_token = parts.uri.path() == format!("/{TENANT}/oauth2/v2.0/token");
    let what = if is_token { "token".to_owned() } else { what };
    let body = String::from_utf8(body.to_vec()).unwrap();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let headers = parts.headers;
    let allowed = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
    fake.inside().seen.push(Seen { what: what.clone(), query, headers, body: body.clone() });
    let allowed = allowed.is_some_and(|token| fake.inside().good.contains(&token));
    let answer = if is_token {
        fake.recall("token").unwrap_or_else(|| fake.grant())
    } else if !allowed {
        Answer::error(401, "InvalidAuthenticationToken")
    } else if what == "POST /v1.0/$batch" {
        fake.recall(&what).unwrap_or_else(|| fake.batch(&body))
    } else {
        fake.graph(&what)
    };
    tokio::time::sleep(answer.delay).await;
    let date = fake.inside().now.unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut response = (StatusCode::from_u16(answer.status).unwrap(), answer.body).into_response();
    response.headers_mut().insert("date", HeaderValue::try_from(date).unwrap());
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, HeaderValue::try_from(value).unwrap());
    }
    response.headers_mut().insert("request-id", HeaderValue::from_static("theirs"));
    response
}

pub(crate) fn user_path() -> String {
    format!("GET /v1.0/users/{GUEST}")
}

pub(crate) fn user() -> Answer {
    Answer::json(200, &json!({"id": GUEST, "userType": "Guest", "mail": "mallory@evil.example"}))
}
