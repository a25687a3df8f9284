//! The signed webhook, for programs: Standard Webhooks headers around the event of `event.rs`
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//! Never here: the MAC, which is `seal`'s.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};
use jiff::Timestamp;
use model::ChannelName;
use seal::WebhookSecret;
use secrecy::SecretString;
use wire::{Call, Wire};

use crate::secret_url::SecretUrl;
use crate::{ChannelError, Message, SendError, event, reply};

const WHO: &str = "the webhook";

#[derive(Debug, Clone)]
pub struct Webhook {
    name: ChannelName,
    url: SecretUrl,
    secrets: Vec<WebhookSecret>,
}

impl Webhook {
    /// The specification asks senders to wait 15 to 30 s.
    const TIMEOUT: Duration = Duration::from_secs(15);
    const MAX_REPLY: usize = 256 * 1024;

    /// Every secret signs, so that a receiver can change over at its own time.
    ///
    /// # Errors
    /// The URL is not one that a message may be sent to, or there is no secret.
    pub fn new(
        name: ChannelName,
        url: &SecretString,
        secrets: Vec<WebhookSecret>,
    ) -> Result<Self, ChannelError> {
        let url = SecretUrl::read(&name, url)?;
        if secrets.is_empty() {
            return Err(ChannelError::NoSecret { channel: name });
        }
        Ok(Self { name, url, secrets })
    }

    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) async fn send(&self, wire: &Wire, message: &Message, now: Timestamp) -> Result<(), SendError> {
        let broken = |why: String| SendError::Broken { why };
        let body =
            event::body(message).map_err(|error| broken(format!("the event cannot be written: {error}")))?;
        let seconds = now.as_second();
        let signature = seal::sign(&self.secrets, &message.id, seconds, body.as_bytes())
            .map_err(|error| broken(format!("failed to {error}")))?;
        let mut call = Call::post(self.url.expose(), body)
            .header(CONTENT_TYPE, "application/json")
            .header(HeaderName::from_static("webhook-id"), &message.id)
            .header(HeaderName::from_static("webhook-timestamp"), &seconds.to_string())
            .header(HeaderName::from_static("webhook-signature"), &signature)
            .timeout(Self::TIMEOUT);
        call.max_reply = Self::MAX_REPLY;
        let answer = wire.send(call).await.map_err(|error| reply::no_reply(WHO, &error))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refusal = reply::refusal(WHO, &answer, None, now);
        Err(match refusal {
            SendError::Broken { why } if answer.status == StatusCode::GONE => broken(format!(
                "{why}: the receiver wants no more of them; remove the channel or give it another URL"
            )),
            SendError::Later { .. } | SendError::Broken { .. } => refusal,
        })
    }
}
