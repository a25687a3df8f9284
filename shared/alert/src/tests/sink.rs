//! A receiver on loopback that answers as it was told, and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use model::{ChannelName, Mode};
use secrecy::SecretString;
use serde_json::Value;

use super::{at, incident};
use crate::{Message, SendError, about_incident};

/// In the path of every URL, and to be seen nowhere.
pub(super) const PATH: &str = "/services/T0/B0/topsecret";

pub(super) type Answer = (StatusCode, Vec<(&'static str, &'static str)>, &'static str);

#[derive(Clone)]
pub(super) struct Post {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Clone, Default)]
pub(super) struct Sink {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

pub(super) async fn take(Shared(sink): Shared<Sink>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    sink.posts.lock().unwrap().push(Post { uri, headers, body });
    let answer = sink.answers.lock().unwrap().pop_front();
    let Some((status, headers, text)) = answer else {
        return std::future::pending().await;
    };
    let mut response = (status, text).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Sink {
    pub(super) fn answering(answers: &[Answer]) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.iter().cloned().collect())), ..Self::default() }
    }

    /// `http://127.0.0.1:…`
    pub(super) async fn root(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        root
    }

    pub(super) async fn url(&self) -> SecretString {
        format!("{}{PATH}", self.root().await).into()
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    pub(super) fn json(&self) -> Vec<Value> {
        self.posts().iter().map(|post| serde_json::from_slice(&post.body).unwrap()).collect()
    }
}

pub(super) fn name() -> ChannelName {
    ChannelName("ops".to_owned())
}

pub(super) fn message() -> Message {
    about_incident(&incident(Mode::Observe), 1)
}

pub(super) fn now() -> Timestamp {
    at("10:00:00")
}

pub(super) fn later<T>(after: Option<SignedDuration>, why: &str) -> Result<T, SendError> {
    Err(SendError::Later { after, why: why.to_owned() })
}

pub(super) fn broken<T>(why: &str) -> Result<T, SendError> {
    Err(SendError::Broken { why: why.to_owned() })
}
