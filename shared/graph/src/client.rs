//! One call to Graph and its answer: the token, the request ids, the waits that are short enough, and the log line.
//!
//! Never here: what the answer means. No body, no query and no token is ever logged.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, USER_AGENT};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use model::{Asked, Clock, TenantId};
use serde_json::Value;
use tracing::Instrument as _;
use url::Url;
use uuid::Uuid;
use wire::{Call, Wire};

use crate::background::{LOW, PRIORITY, Rest, Urgency};
use crate::cloud::Endpoints;
use crate::credential::App;
use crate::error::{Failure, GraphError, Happened, Trace, plain};
use crate::retry::{Patience, http_date};
use crate::target::Target;
use crate::token::{Token, Tokens};
use crate::traced;
use crate::write::{AlwaysOpen, Gate};

pub(crate) const AGENT: &str = concat!("guestlist/", env!("CARGO_PKG_VERSION"));
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const CONSISTENCY_LEVEL: HeaderName = HeaderName::from_static("consistencylevel");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Speaks to Graph as one app. Clones share the token, and what Graph said of waiting.
#[derive(Clone)]
pub struct Client {
    wire: Wire,
    endpoints: Endpoints,
    tenant: TenantId,
    tokens: Arc<Tokens>,
    clock: Clock,
    patience: Duration,
    timeout: Duration,
    urgency: Urgency,
    rest: Arc<Rest>,
}

/// Whether a call may be sent a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice does what once does.
    Safe,
    /// Only after an answer that says that nothing was done.
    IfNotDone,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Bytes>,
    pub(crate) repeat: Repeat,
    /// Instead of the client's own.
    pub(crate) timeout: Option<Duration>,
    pub(crate) wants: Wants,
}

/// What a request wants to be answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Json,
    /// A bare number. Graph counts directory objects only for a caller who bears with a count that lags
    /// (<https://learn.microsoft.com/graph/aad-advanced-queries>).
    Count,
}

/// A success.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    pub(crate) trace: Trace,
}

/// A success that is JSON.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) trace: Trace,
}

impl Client {
    /// A question that people wait for at the start, and that another answer makes good.
    const TIME_WITHIN: Duration = Duration::from_secs(5);

    /// `patience` is the longest time that one operation waits in line for Graph to come back. What takes longer is
    /// an error that carries the time to wait, so that the caller can leave it to its queue.
    #[must_use]
    pub fn new(wire: Wire, endpoints: Endpoints, app: App, clock: Clock, patience: Duration) -> Self {
        let tenant = app.tenant;
        let tokens = Tokens::new(wire.clone(), endpoints.clone(), app, clock.clone(), patience);
        Self {
            wire,
            endpoints,
            tenant,
            tokens: Arc::new(tokens),
            clock,
            patience,
            timeout: Call::TIMEOUT,
            urgency: Urgency::Live,
            rest: Arc::default(),
        }
    }

    /// How long one exchange with Graph may take: 20 s unless this says otherwise.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The application permissions that the token names, for people to look at. A token is opaque to its bearer by
    /// Microsoft's contract: nothing may be decided by this, and nothing comes back when the form changes.
    ///
    /// # Errors
    /// No token could be had.
    pub async fn granted_roles(&self) -> Result<Option<Vec<String>>, GraphError> {
        Ok(self.tokens.get().await?.roles())
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// For calls that nobody waits for.
    pub(crate) fn in_background(&self) -> Self {
        Self { urgency: Urgency::Background, ..self.clone() }
    }

    pub(crate) fn urgency(&self) -> Urgency {
        self.urgency
    }

    pub(crate) fn told_to_rest(&self) -> &Rest {
        &self.rest
    }

    pub(crate) fn patience(&self) -> Patience {
        match self.urgency {
            Urgency::Live => Patience::new(self.patience),
            Urgency::Background => Patience::new(Duration::ZERO),
        }
    }

    pub(crate) fn request(&self, method: Method, target: &Target) -> Request {
        Self::bare(method, target.url(&self.endpoints))
    }

    fn bare(method: Method, url: Url) -> Request {
        Request { method, url, body: None, repeat: Repeat::Safe, timeout: None, wants: Wants::Json }
    }

    pub(crate) async fn read(&self, target: &Target) -> Result<Document, GraphError> {
        self.read_url(target.url(&self.endpoints)).await
    }

    pub(crate) async fn read_url(&self, url: Url) -> Result<Document, GraphError> {
        self.ask(Self::bare(Method::GET, url)).await?.document()
    }

    /// What a path that ends in `/$count` answers.
    pub(crate) async fn count(&self, target: &Target) -> Result<u64, GraphError> {
        let request = Request { wants: Wants::Count, ..self.request(Method::GET, target) };
        let Answer { body, trace } = self.ask(request).await?;
        let text = str::from_utf8(&body).ok().map(|text| text.trim_start_matches('\u{feff}').trim());
        let count = text.and_then(|text| text.parse().ok());
        count.ok_or_else(|| GraphError::unreadable("it is not a count", &trace))
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, GraphError> {
        self.ask_within(&request, &mut self.patience()).await
    }

    pub(crate) async fn ask_within(
        &self,
        request: &Request,
        patience: &mut Patience,
    ) -> Result<Answer, GraphError> {
        self.ask_while(&AlwaysOpen, request, patience).await
    }

    pub(crate) async fn ask_while(
        &self,
        gate: &impl Gate,
        request: &Request,
        patience: &mut Patience,
    ) -> Result<Answer, GraphError> {
        self.may_ask()?;
        let mut renewed = false;
        let mut token = self.tokens.get().await?;
        loop {
            let failure = match self.attempt(request, &token).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.heed(&failure);
            let again = match failure.happened {
                Happened::Unauthorized if !renewed => {
                    renewed = true;
                    token = self.tokens.renew(&token).await?;
                    if gate.is_open().await {
                        continue;
                    }
                    false
                }
                Happened::Unauthorized | Happened::Refused => false,
                Happened::NotDone => true,
                Happened::Uncertain | Happened::TimedOut => request.repeat == Repeat::Safe,
            };
            let timed_out = failure.happened == Happened::TimedOut;
            patience.lost_an_answer |= timed_out || failure.happened == Happened::Uncertain;
            let wait = again.then(|| patience.wait(failure.retry_after(), timed_out)).flatten();
            let Some(wait) = wait else {
                give_up(request, &failure);
                return Err(failure.error);
            };
            tokio::time::sleep(wait).await;
            token = self.tokens.get().await?;
            if !gate.is_open().await {
                give_up(request, &failure);
                return Err(failure.error);
            }
        }
    }

    pub(crate) async fn has_a_token(&self) -> Result<(), GraphError> {
        self.may_ask()?;
        self.tokens.get().await.map(|_| ())
    }

    /// After a 401 inside a batch.
    pub(crate) async fn renew_token(&self) -> Result<(), GraphError> {
        let token = self.tokens.get().await?;
        self.tokens.renew(&token).await.map(|_| ())
    }

    /// Asks what time it is. Graph says that to whoever it turns away, too, so no token is shown but a word in its place: a
    /// wrong clock might keep us from getting one. Costs nothing that is counted for an app.
    ///
    /// # Errors
    /// Graph could not be reached.
    pub async fn ask_the_time(&self) -> Result<(), GraphError> {
        let ours = Uuid::new_v4().to_string();
        let url = Target::new("/organization").query("$select=id").url(&self.endpoints);
        let call = Call::new(Method::GET, url)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, "Bearer none")
            .header(USER_AGENT, AGENT)
            .header(CLIENT_REQUEST_ID, &ours)
            .timeout(Self::TIME_WITHIN);
        let trace = Trace { request_id: None, client_request_id: Some(ours) };
        let asked = self.clock.asks();
        let reply = self.wire.send(call).await.map_err(|error| Failure::of_wire(&error, trace).error)?;
        self.hear(&reply.headers, asked);
        Ok(())
    }

    /// What stands between us and Graph may have another clock: only an answer of Graph's own counts.
    fn hear(&self, headers: &HeaderMap, asked: Asked) {
        if let Some(there) = date(headers).filter(|_| request_id(headers).is_some()) {
            self.clock.hear_answer(there, asked);
        }
    }

    async fn attempt(&self, request: &Request, token: &Token) -> Result<Answer, Failure> {
        let (began, asked) = (Instant::now(), self.clock.asks());
        let ours = Uuid::new_v4().to_string();
        let mut trace = Trace { request_id: None, client_request_id: Some(ours.clone()) };
        let span = traced::asking(&request.method, &request.url, &ours);
        let reply = self.wire.send(self.call(request, token, &ours)).instrument(span.clone()).await;
        traced::answered(&span, &reply);
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reply = reply.map_err(|error| {
            tracing::debug!(
                graph.method = %request.method, graph.path = request.url.path(), graph.duration_ms = duration_ms,
                graph.client_request_id = ours, error = %error, "Graph did not answer"
            );
            Failure::of_wire(&error, trace.clone())
        })?;
        trace.request_id = request_id(&reply.headers);
        self.hear(&reply.headers, asked);
        tracing::debug!(
            graph.method = %request.method, graph.path = request.url.path(),
            graph.status = reply.status.as_u16(), graph.duration_ms = duration_ms,
            graph.request_id = trace.request_id, graph.client_request_id = ours, "asked Graph"
        );
        if reply.status.is_success() {
            return Ok(Answer { body: reply.body, trace });
        }
        let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let now = self.clock.now();
        Err(Failure::of_answer(reply.status, &reply.headers, body.as_ref(), trace, now))
    }

    fn call(&self, request: &Request, token: &Token, client_request_id: &str) -> Call {
        let accept = match request.wants {
            Wants::Json => "application/json",
            Wants::Count => "text/plain",
        };
        let mut call = Call::new(request.method.clone(), request.url.clone())
            .header(ACCEPT, accept)
            .header(USER_AGENT, AGENT)
            .header(CLIENT_REQUEST_ID, client_request_id)
            .timeout(request.timeout.unwrap_or(self.timeout));
        call.headers.insert(AUTHORIZATION, token.header.clone());
        if self.urgency == Urgency::Background {
            call = call.header(PRIORITY, LOW);
        }
        if request.wants == Wants::Count {
            call = call.header(CONSISTENCY_LEVEL, "eventual");
        }
        if let Some(body) = &request.body {
            call = call.header(CONTENT_TYPE, "application/json");
            call.body = body.clone();
        } else if request.method == Method::POST {
            // Said aloud, because a front end may answer 411 to a POST whose length it has to guess.
            call = call.header(CONTENT_LENGTH, "0");
        }
        call
    }
}

impl Answer {
    pub(crate) fn document(self) -> Result<Document, GraphError> {
        let Self { body, trace } = self;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Document { value, trace }),
            Err(error) => Err(GraphError::unreadable(format!("it is not JSON ({error})"), &trace)),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.endpoints.graph.as_str();
        f.debug_struct("Client").field("graph", &graph).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(plain)
}

/// When it was answered, by Graph's clock (RFC 9110, section 6.6.1).
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(http_date)
}

/// A refusal is an answer, and its meaning is the caller's. What was waited for in vain is worth a warning.
fn give_up(request: &Request, failure: &Failure) {
    match failure.happened {
        Happened::Refused => {}
        Happened::Unauthorized | Happened::NotDone | Happened::Uncertain | Happened::TimedOut => {
            tracing::warn!(
                graph.method = %request.method, graph.path = request.url.path(), graph.error = %failure.error,
                "gave up on a call to Graph"
            );
        }
    }
}
