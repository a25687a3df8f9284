//! The webhook of a Teams workflow (Power Automate): what is posted, and what its answers mean. It answers 202, which
//! says that the workflow was started and not that anybody sees the card: a person has to look
//! (<https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook>).
//! Never here: the look of a card.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use model::ChannelName;
use secrecy::SecretString;
use serde_json::Value;
use wire::{Call, Reply, Wire};

use crate::secret_url::SecretUrl;
use crate::{ChannelError, Message, SendError, card, reply};

const WHO: &str = "teams";

#[derive(Debug, Clone)]
pub struct Teams {
    name: ChannelName,
    url: SecretUrl,
}

impl Teams {
    const TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_REPLY: usize = 256 * 1024;

    /// The path and query of the URL are sent byte for byte as they were copied: the signature in it covers them.
    ///
    /// # Errors
    /// The URL is not one that a message may be sent to, or is that of an Office 365 connector, which Microsoft has
    /// switched off.
    pub fn new(name: ChannelName, url: &SecretString) -> Result<Self, ChannelError> {
        let secret = SecretUrl::read_exactly(&name, url)?;
        if secret.is_office_connector() {
            return Err(ChannelError::OfficeConnector { channel: name });
        }
        Ok(Self { name, url: secret })
    }

    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) async fn send(&self, wire: &Wire, message: &Message, now: Timestamp) -> Result<(), SendError> {
        let answer = self.post(wire, &card::payload(message)).await?;
        if !matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE) {
            return judge(&answer, now);
        }
        // Teams does not like what we made of it. That is our bug, and no reason for people not to be told.
        tracing::error!(
            alert.id = message.id,
            http.status = answer.status.as_u16(),
            "teams refused the card; sending a short one"
        );
        judge(&self.post(wire, &card::short_payload(message)).await?, now)
    }

    async fn post(&self, wire: &Wire, payload: &Value) -> Result<Reply, SendError> {
        let mut call = Call::post(self.url.expose(), payload.to_string())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .timeout(Self::TIMEOUT);
        call.max_reply = Self::MAX_REPLY;
        wire.send(call).await.map_err(|error| reply::no_reply(WHO, &error))
    }
}

fn judge(answer: &Reply, now: Timestamp) -> Result<(), SendError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let hint = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "the workflow lets others than `Anyone` trigger it, or its URL was made anew: copy the URL again"
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            "the workflow is gone or turned off: turn it on, or make a new one and use its URL"
        }
        _ => "",
    };
    let refusal = reply::refusal(WHO, answer, None, now);
    Err(match refusal {
        SendError::Broken { why } if !hint.is_empty() => SendError::Broken { why: format!("{why}: {hint}") },
        SendError::Later { .. } | SendError::Broken { .. } => refusal,
    })
}
