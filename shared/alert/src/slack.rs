//! Slack's incoming webhook (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): what is
//! posted, and what its answers mean.
//! Never here: the look of a message.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use model::ChannelName;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use wire::{Call, Reply, Wire};

use crate::secret_url::SecretUrl;
use crate::{ChannelError, Message, SendError, block_kit, reply};

const WHO: &str = "slack";

/// What Slack says when the webhook itself is at an end, with whichever status.
const FOR_GOOD: [&str; 12] = [
    "account_inactive",
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "posting_to_general_channel_denied",
    "team_disabled",
    "user_not_found",
];

#[derive(Debug, Clone)]
pub struct Slack {
    name: ChannelName,
    url: SecretUrl,
}

/// What services answer that speak Slack's language with JSON.
#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    error: Option<String>,
}

impl Slack {
    const TIMEOUT: Duration = Duration::from_secs(15);
    const MAX_REPLY: usize = 256 * 1024;

    /// # Errors
    /// The URL is not one that a message may be sent to.
    pub fn new(name: ChannelName, url: &SecretString) -> Result<Self, ChannelError> {
        let url = SecretUrl::read(&name, url)?;
        Ok(Self { name, url })
    }

    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) async fn send(&self, wire: &Wire, message: &Message, now: Timestamp) -> Result<(), SendError> {
        let answer = self.post(wire, block_kit::payload(message)).await?;
        if answer.status != StatusCode::BAD_REQUEST || for_good(&answer) {
            return judge(&answer, now);
        }
        // Slack does not like what we made of it. That is our bug, and no reason for people not to be told.
        let word = word_of(&answer).unwrap_or_default();
        tracing::error!(
            alert.id = message.id,
            slack.error = word,
            "slack refused the blocks; sending plain text"
        );
        judge(&self.post(wire, block_kit::plain_payload(message)).await?, now)
    }

    async fn post(&self, wire: &Wire, payload: Map<String, Value>) -> Result<Reply, SendError> {
        let mut call = Call::post(self.url.expose(), Value::Object(payload).to_string())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .timeout(Self::TIMEOUT);
        call.max_reply = Self::MAX_REPLY;
        wire.send(call).await.map_err(|error| reply::no_reply(WHO, &error))
    }
}

fn judge(answer: &Reply, now: Timestamp) -> Result<(), SendError> {
    if !answer.status.is_success() {
        let word = word_of(answer);
        let refusal = reply::refusal(WHO, answer, word.as_deref(), now);
        return Err(match refusal {
            SendError::Later { after: _, why } if for_good(answer) => SendError::Broken { why },
            SendError::Broken { why } if for_good(answer) => {
                SendError::Broken { why: format!("{why}: the webhook is at an end, make a new one in Slack") }
            }
            SendError::Later { .. } | SendError::Broken { .. } => refusal,
        });
    }
    // The webhook answers `ok`. A page or an error in an envelope means that nobody was told.
    if answer.body.trim_ascii_start().starts_with(b"<") {
        let why = "slack answered with a page instead of `ok`; the URL is not that of an incoming webhook"
            .to_owned();
        return Err(SendError::Broken { why });
    }
    match serde_json::from_slice::<Envelope>(&answer.body) {
        Ok(Envelope { ok: false, error }) => {
            let word = error.as_deref().and_then(reply::word).unwrap_or("ok: false");
            let why = format!("slack answered {} `{word}`", answer.status.as_u16());
            let later =
                matches!(word, "rate_limited" | "ratelimited" | "internal_error" | "service_unavailable");
            Err(if later { SendError::Later { after: None, why } } else { SendError::Broken { why } })
        }
        Ok(Envelope { ok: true, error: _ }) | Err(_) => Ok(()),
    }
}

fn word_of(answer: &Reply) -> Option<String> {
    std::str::from_utf8(&answer.body).ok().and_then(reply::word).map(str::to_owned)
}

fn for_good(answer: &Reply) -> bool {
    word_of(answer).is_some_and(|word| FOR_GOOD.contains(&word.as_str()))
}
