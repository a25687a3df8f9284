//! One simulator with a clock that is set by hand, a client with the tokens of both apps, and a receiver.
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{App, Delivery, Options, Simulator, contoso};

pub(crate) const HOOK: &str = "https://hook.contoso.com/graph/notifications";
pub(crate) const LIFECYCLE: &str = "https://hook.contoso.com/graph/lifecycle";

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) receiver: Receiver,
    pub(crate) http: reqwest::Client,
    clock: Arc<AtomicI64>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    pub(crate) posts: Arc<Mutex<Vec<(String, Value)>>>,
    pub(crate) handshakes: Arc<Mutex<Vec<String>>>,
    /// What the next POSTs are answered; 202 when empty.
    pub(crate) statuses: Arc<Mutex<VecDeque<u16>>>,
    /// Spoils the handshake.
    pub(crate) stubborn: Arc<Mutex<Option<&'static str>>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock =
            Arc::new(AtomicI64::new("2026-11-20T05:00:00Z".parse::<Timestamp>().unwrap().as_second()));
        let shared = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp::from_second(shared.load(Ordering::SeqCst)).unwrap());
        let mut options = Options { deliver: Delivery::ByHand, seed: 7, ..Options::contoso(now) };
        options.apps.push(everything());
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let receiver = Receiver::default();
        simulator.attach("https://hook.contoso.com", receiver.router());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        Self { simulator, receiver, http, clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn pass(&self, span: SignedDuration) {
        self.clock.fetch_add(span.as_secs(), Ordering::SeqCst);
    }

    pub(crate) async fn token_of(&self, client: uuid::Uuid, secret: &str) -> String {
        let form = format!(
            "client_id={client}&client_secret={secret}&grant_type=client_credentials\
             &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        );
        let answer = self.ask_for_token(&contoso::TENANT.to_string(), &form).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask_for_token(&self, tenant: &str, form: &str) -> Answer {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.simulator.url());
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        read(request.body(form.to_owned())).await
    }

    pub(crate) async fn reader(&self) -> String {
        self.token_of(contoso::READER, contoso::READER_SECRET).await
    }

    pub(crate) async fn writer(&self) -> String {
        self.token_of(contoso::WRITER, contoso::WRITER_SECRET).await
    }

    /// The token of an app that may do everything.
    pub(crate) async fn master(&self) -> String {
        self.token_of(EVERYTHING, "everything").await
    }

    pub(crate) fn request(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/v1.0{path}", self.simulator.url())
        };
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    }

    pub(crate) async fn call(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        read(self.request(token, method, path, body.as_ref())).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.call(token, "GET", path, None).await
    }

    /// Creates a subscription that must succeed.
    pub(crate) async fn subscribe(&self, resource: &str) -> Value {
        let token = self.reader().await;
        let answer = self.call(&token, "POST", "/subscriptions", Some(self.subscription(resource))).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }

    pub(crate) fn subscription(&self, resource: &str) -> Value {
        let end = self.now() + SignedDuration::from_hours(24);
        json!({
            "changeType": "updated,deleted", "notificationUrl": HOOK, "lifecycleNotificationUrl": LIFECYCLE,
            "resource": resource, "expirationDateTime": end.to_string(), "clientState": "our-secret",
        })
    }
}

pub(crate) const EVERYTHING: uuid::Uuid = uuid::Uuid::from_u128(0xa99);

fn everything() -> App {
    let roles = [
        "User.ReadWrite.All",
        "User.Read.All",
        "User.DeleteRestore.All",
        "User.RevokeSessions.All",
        "User.Invite.All",
        "Group.ReadWrite.All",
        "Group.Read.All",
        "GroupMember.ReadWrite.All",
        "Directory.Read.All",
        "Organization.Read.All",
        "AuditLog.Read.All",
    ];
    App::with_secret(EVERYTHING, "everything", &roles)
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.body);
        &self.body
    }

    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.body);
    }

    pub(crate) fn values(&self) -> &Vec<Value> {
        self.body["value"].as_array().unwrap_or_else(|| panic!("no collection: {}", self.body))
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.values().iter().map(|value| value["id"].as_str().unwrap()).collect()
    }
}

impl Receiver {
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(receive).with_state(self.clone())
    }

    /// The notifications of all POSTs since the last time.
    pub(crate) fn take(&self) -> Vec<Value> {
        let posts = std::mem::take(&mut *self.posts.lock().unwrap());
        posts.into_iter().flat_map(|(_, body)| body["value"].as_array().unwrap().clone()).collect()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    RawQuery(query): RawQuery,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = query.unwrap_or_default();
    let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "validationToken");
    if let Some((_, token)) = token {
        receiver.handshakes.lock().unwrap().push(uri.path().to_owned());
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
        return match *receiver.stubborn.lock().unwrap() {
            None => ([("content-type", "text/plain")], token.into_owned()).into_response(),
            Some("encoded") => {
                let raw = query.split("validationToken=").nth(1).unwrap().to_owned();
                ([("content-type", "text/plain")], raw).into_response()
            }
            Some("html") => ([("content-type", "text/html")], token.into_owned()).into_response(),
            Some(_) => StatusCode::ACCEPTED.into_response(),
        };
    }
    let status = receiver.statuses.lock().unwrap().pop_front().unwrap_or(202);
    if status < 300 {
        receiver.posts.lock().unwrap().push((uri.path().to_owned(), serde_json::from_slice(&body).unwrap()));
    }
    StatusCode::from_u16(status).unwrap().into_response()
}
