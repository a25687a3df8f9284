//! The access token of one app: kept, renewed before it ends, and fetched by one caller at a time.
//!
//! Never here: what the token is used for. Its content is Entra's business, and is read for `doctor` alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use model::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tracing::Instrument as _;
use uuid::Uuid;
use wire::{Call, Wire};

use crate::client::{AGENT, CLIENT_REQUEST_ID};
use crate::cloud::Endpoints;
use crate::credential::{App, Lent, NoAssertion};
use crate::entra::{self, Grant};
use crate::error::{Failure, GraphError, Happened, Trace};
use crate::retry::Patience;
use crate::traced;

#[derive(Clone)]
pub(crate) struct Token {
    /// `Bearer …`
    pub(crate) header: HeaderValue,
    value: SecretString,
    round: u64,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Default)]
struct Kept {
    token: Option<Token>,
    /// Fetches that have ended, well or not.
    round: u64,
    failure: Option<GraphError>,
    not_early_before: Option<Timestamp>,
}

pub(crate) struct Tokens {
    wire: Wire,
    endpoints: Endpoints,
    app: App,
    clock: Clock,
    patience: Duration,
    kept: Mutex<Kept>,
    turn: tokio::sync::Mutex<()>,
}

impl Tokens {
    const EARLY: SignedDuration = SignedDuration::from_mins(5);
    const PAUSE: SignedDuration = SignedDuration::from_secs(30);
    const TIMEOUT: Duration = Duration::from_secs(15);
    const LONGEST: usize = 256 * 1024;

    pub(crate) fn new(wire: Wire, endpoints: Endpoints, app: App, clock: Clock, patience: Duration) -> Self {
        let (kept, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { wire, endpoints, app, clock, patience, kept, turn }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that is good now. In its last minutes one caller renews it while the others go on with it.
    pub(crate) async fn get(&self) -> Result<Token, GraphError> {
        let now = self.clock.now();
        let (token, may_renew) = {
            let kept = self.kept();
            (kept.token.clone(), kept.not_early_before.is_none_or(|pause| now >= pause))
        };
        match token {
            Some(token) if now < token.renew_at => Ok(token),
            Some(token) if now < token.expires_at && !may_renew => Ok(token),
            Some(token) if now < token.expires_at => Ok(self.renew_early(token).await),
            Some(token) => self.renew(&token).await,
            None => self.after(0).await,
        }
    }

    /// A newer token than this one, which has ended or was refused.
    pub(crate) async fn renew(&self, used: &Token) -> Result<Token, GraphError> {
        self.after(used.round).await
    }

    async fn renew_early(&self, token: Token) -> Token {
        let Ok(_turn) = self.turn.try_lock() else {
            return token;
        };
        let newer = self.kept().token.clone().filter(|kept| kept.round > token.round);
        match newer {
            Some(newer) => newer,
            None => self.fetch_and_keep().await.unwrap_or(token),
        }
    }

    /// Callers that wait here share what the first of them gets, be it a token or a failure.
    async fn after(&self, used: u64) -> Result<Token, GraphError> {
        let asked_in = self.kept().round;
        let _turn = self.turn.lock().await;
        {
            let kept = self.kept();
            if let Some(token) = kept.token.as_ref().filter(|token| token.round > used) {
                return Ok(token.clone());
            }
            if let Some(failure) = kept.failure.as_ref().filter(|_| kept.round > asked_in) {
                return Err(failure.clone());
            }
        }
        self.fetch_and_keep().await
    }

    async fn fetch_and_keep(&self) -> Result<Token, GraphError> {
        let fetched = self.fetch().await;
        let mut kept = self.kept();
        kept.round = kept.round.saturating_add(1);
        match fetched {
            Ok(mut token) => {
                token.round = kept.round;
                kept.token = Some(token.clone());
                (kept.failure, kept.not_early_before) = (None, None);
                Ok(token)
            }
            Err(failure) => {
                tracing::warn!(graph.error = %failure, "no new token from Entra");
                kept.failure = Some(failure.clone());
                kept.not_early_before = self.clock.now().checked_add(Self::PAUSE).ok();
                Err(failure)
            }
        }
    }

    async fn fetch(&self) -> Result<Token, GraphError> {
        let mut patience = Patience::new(self.patience);
        loop {
            let failure = match self.attempt().await {
                Ok(token) => return Ok(token),
                Err(failure) => failure,
            };
            let timed_out = match failure.happened {
                Happened::TimedOut => true,
                Happened::NotDone | Happened::Uncertain => false,
                Happened::Refused | Happened::Unauthorized => return Err(failure.error),
            };
            let Some(wait) = patience.wait(failure.retry_after(), timed_out) else {
                return Err(failure.error);
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self) -> Result<Token, Failure> {
        let asked_at = self.clock.now();
        let url = self.endpoints.token_url(self.app.tenant);
        let ours = Uuid::new_v4().to_string();
        let trace = Trace { request_id: None, client_request_id: Some(ours.clone()) };
        let refused = |error| Failure { error, happened: Happened::Refused };
        let lent = Lent { wire: self.wire.clone(), now: asked_at };
        let form = match entra::form(&self.app, &url, &self.endpoints.scope(), lent).await {
            Ok(form) => form,
            Err(NoAssertion::Refused(message)) => {
                return Err(refused(GraphError::Credential { message, trace }));
            }
            // Whoever asks the issuer has tried more than once.
            Err(NoAssertion::NotNow(why)) => return Err(refused(GraphError::Unreachable { why, trace })),
        };
        let mut call = Call::new(Method::POST, url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, AGENT)
            .header(CLIENT_REQUEST_ID, &ours);
        (call.body, call.timeout, call.max_reply) = (Bytes::from(form), Self::TIMEOUT, Self::LONGEST);
        let span = traced::asking_for_a_token(&ours);
        let reply = self.wire.send(call).instrument(span.clone()).await;
        traced::answered(&span, &reply);
        let reply = reply.map_err(|error| Failure::of_wire(&error, trace.clone()))?;
        tracing::debug!(graph.status = reply.status.as_u16(), "asked Entra for a token");
        let now = self.clock.now();
        let grant = entra::grant(reply.status, &reply.headers, &reply.body, trace.clone(), now)?;
        let unusable = || refused(GraphError::unreadable("a token that no header can carry", &trace));
        Token::new(grant, asked_at).ok_or_else(unusable)
    }
}

impl Token {
    fn new(grant: Grant, asked_at: Timestamp) -> Option<Self> {
        let Grant { token: value, life } = grant;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", value.expose_secret())).ok()?;
        header.set_sensitive(true);
        let expires_at = asked_at.checked_add(life).ok()?;
        let renew_at = expires_at.checked_sub(Tokens::EARLY.min(life / 2)).ok()?;
        Some(Self { header, value, round: 0, renew_at, expires_at })
    }

    /// The `roles` claim, or nothing where the token is not a JWT that we can read.
    pub(crate) fn roles(&self) -> Option<Vec<String>> {
        let claims = self.value.expose_secret().split('.').nth(1)?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let Some(roles) = claims.as_object()?.get("roles") else {
            return Some(Vec::new());
        };
        Some(roles.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}
