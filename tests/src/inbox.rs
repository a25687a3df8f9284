//! A chat channel as its service: it keeps what it was sent, and answers as the story wants.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;

/// One message as it came in.
#[derive(Debug, Clone)]
pub struct Told {
    /// What follows the address of the service.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Told {
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// All text in it, a line each, in the order in which it is shown.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        let json = self.json();
        match json.get("blocks") {
            Some(blocks) => texts(blocks, &mut lines),
            None => texts(&json, &mut lines),
        }
        without_ids(&lines.join("\n"))
    }
}

/// Ids are drawn anew in every run: in a story they read `<id>`, incidents `<incident>-1`, and plans `<plan>`.
#[must_use]
pub fn without_ids(text: &str) -> String {
    let hex = |word: &str, lengths: &[usize]| {
        let groups: Vec<&str> = word.split('-').collect();
        let fits = groups.iter().map(|group| group.len()).eq(lengths.iter().copied());
        fits && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let (mut told, mut rest) = (String::new(), text);
    while let Some(from) = rest.find(word) {
        let to = rest[from..].find(|c| !word(c)).map_or(rest.len(), |length| from + length);
        let found = &rest[from..to];
        told.push_str(&rest[..from]);
        if hex(found, &[8, 4, 4, 4, 12]) {
            told.push_str("<id>");
        } else if hex(found, &[16]) {
            told.push_str("<plan>");
        } else if let Some((slot, generation)) = found.split_once('-')
            && (hex(slot, &[16]) || hex(slot, &[20]))
        {
            told.push_str(&format!("<incident>-{generation}"));
        } else {
            told.push_str(found);
        }
        rest = &rest[to..];
    }
    told + rest
}

fn texts(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| texts(one, lines)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "text" => lines.push(text.clone()),
                    other => texts(other, lines),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[derive(Debug, Default)]
struct Kept {
    unread: VecDeque<Told>,
    answers: VecDeque<(StatusCode, HeaderMap, String)>,
    always: Option<(StatusCode, HeaderMap)>,
    hangs: bool,
    taken: usize,
}

/// A sink on loopback.
#[derive(Debug, Clone)]
pub struct Inbox {
    name: &'static str,
    address: SocketAddr,
    state: Arc<Mutex<Kept>>,
}

impl Inbox {
    pub async fn open(name: &'static str) -> Self {
        let state = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new().route("/{*path}", post(take)).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { name, address, state }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/services/T000/B000/{}", self.address, self.name)
    }

    /// The root of Slack's Web API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}/api/", self.address)
    }

    /// The oldest message that nobody has read.
    #[track_caller]
    #[must_use]
    pub fn next(&self) -> Told {
        let told = self.state.lock().unwrap().unread.pop_front();
        told.unwrap_or_else(|| panic!("nothing was told in {}", self.name))
    }

    /// The text of the oldest message that nobody has read.
    #[track_caller]
    #[must_use]
    pub fn next_text(&self) -> String {
        self.next().text()
    }

    #[track_caller]
    pub fn expect_silence(&self) {
        let unread = self.unread();
        assert!(unread.is_empty(), "{} was told:\n{}", self.name, unread.join("\n---\n"));
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.state.lock().unwrap().unread.len()
    }

    pub fn read_all(&self) -> Vec<Told> {
        self.state.lock().unwrap().unread.drain(..).collect()
    }

    /// The texts of all that is unread, which is read by that.
    pub fn texts(&self) -> Vec<String> {
        self.read_all().iter().map(Told::text).collect()
    }

    #[must_use]
    pub fn unread(&self) -> Vec<String> {
        self.state.lock().unwrap().unread.iter().map(Told::text).collect()
    }

    /// The next message gets this answer, and is not kept.
    pub fn answer_once(&self, status: u16, headers: &[(&'static str, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let answer = (StatusCode::from_u16(status).unwrap(), headers.collect(), body.to_owned());
        self.state.lock().unwrap().answers.push_back(answer);
    }

    /// From now on no message is answered.
    pub fn hang(&self) {
        self.state.lock().unwrap().hangs = true;
    }

    /// From now on every message gets this answer.
    pub fn answer_always(&self, status: Option<u16>) {
        let answer = |status| (StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        self.state.lock().unwrap().always = status.map(answer);
    }

    /// From now on every message is to come again so much later.
    pub fn want_patience(&self, seconds: u32) {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, seconds.into())]);
        self.state.lock().unwrap().always = Some((StatusCode::TOO_MANY_REQUESTS, headers));
    }
}

async fn take(
    State(state): State<Arc<Mutex<Kept>>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    if state.lock().unwrap().hangs {
        std::future::pending::<()>().await;
    }
    let mut state = state.lock().unwrap();
    if let Some(answer) = state.answers.pop_front() {
        return answer;
    }
    if let Some((status, headers)) = state.always.clone() {
        return (status, headers, "no".to_owned());
    }
    state.taken += 1;
    let answer = if path.starts_with("api/") { of_the_web_api(&body, state.taken) } else { "ok".to_owned() };
    state.unread.push_back(Told { path, headers, body });
    (StatusCode::OK, HeaderMap::new(), answer)
}

/// What Slack's Web API says of a message that it has posted or edited.
fn of_the_web_api(body: &Bytes, taken: usize) -> String {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let ts = asked.get("ts").cloned().unwrap_or_else(|| format!("17636292{taken:02}.000100").into());
    serde_json::json!({ "ok": true, "channel": asked["channel"], "ts": ts }).to_string()
}
