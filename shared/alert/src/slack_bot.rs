//! Slack's Web API with a bot token: a message is posted once, and later states of the same incident are edited into it
//! (<https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/methods/chat.update>).
//! An edit makes no sound, so what newly asks for a person is also said in the message's thread, for the channel to hear.
//! Never here: the look of a message.

use std::time::Duration;

use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jiff::Timestamp;
use model::ChannelName;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use wire::{Call, Reply, Wire};

use crate::message::About;
use crate::roll_up::sixteen_digits;
use crate::secret_url::service;
use crate::{ChannelError, Message, Receipt, SendError, block_kit, reply};

const WHO: &str = "slack";

/// Slack does not like what we made of a message; plain text has none of it.
const BAD_BLOCKS: [&str; 7] = [
    "invalid_arguments",
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "too_many_attachments",
];
/// The message is there no more, or may not be edited any more.
const NOT_TO_BE_EDITED: [&str; 4] =
    ["cant_update_message", "edit_window_closed", "is_inactive", "message_not_found"];
const FOR_A_WHILE: [&str; 9] = [
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "rate_limited",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "update_failed",
];

#[derive(Debug, Clone)]
pub struct SlackBot {
    name: ChannelName,
    token: SecretString,
    /// The Slack channel's id.
    channel: String,
    api: Url,
}

/// Where a message stands, and what it says.
struct Posted<'a> {
    channel: &'a str,
    ts: &'a str,
    /// What was said last, as [`said`] names it.
    said: Option<&'a str>,
}

impl<'a> Posted<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (channel, ts, said) = (parts.next()?, parts.next()?, parts.next());
        let is_ts = !ts.is_empty() && ts.chars().all(|c| c.is_ascii_digit() || c == '.');
        is_ts.then_some(Self { channel, ts, said })
    }

    fn receipt(channel: &str, ts: &str, said: &str) -> Receipt {
        Receipt { posted: Some(format!("{channel}:{ts}:{said}")) }
    }
}

/// The kind, and of what asks for a person what it asks: another question is another word, and is not edited in silence.
fn said(message: &Message) -> String {
    let kind = message.kind.word();
    match &message.about {
        About::Incident(report) if message.kind.asks_for_a_person() => {
            let asked = format!("{}|{}|{}", message.headline, report.done, report.by_hand.join("|"));
            format!("{kind}#{}", sixteen_digits(&Sha256::digest(asked.as_bytes())))
        }
        About::Incident(_) | About::Notice(_) | About::RollUp(_) => kind.to_owned(),
    }
}

/// What the Web API says with a status of 200.
#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    error: Option<String>,
    channel: Option<String>,
    ts: Option<String>,
}

enum Said {
    Taken { channel: Option<String>, ts: Option<String> },
    Refused { word: String, answer: Reply },
}

/// Where a message goes.
enum To<'a> {
    Channel(&'a str),
    Place(&'a Posted<'a>),
}

impl To<'_> {
    fn method(&self) -> &'static str {
        match self {
            Self::Channel(_) => "chat.postMessage",
            Self::Place(_) => "chat.update",
        }
    }

    /// The payload with what the method takes beside it, and without what it does not know.
    fn fill(&self, mut payload: Map<String, Value>) -> Map<String, Value> {
        match self {
            Self::Channel(channel) => {
                payload.insert("channel".to_owned(), json!(channel));
            }
            Self::Place(Posted { channel, ts, said: _ }) => {
                payload.retain(|key, _| !matches!(key.as_str(), "mrkdwn" | "unfurl_links" | "unfurl_media"));
                // An edit that names no blocks may keep those that are there.
                payload.entry("blocks").or_insert_with(|| json!([]));
                payload.insert("channel".to_owned(), json!(channel));
                payload.insert("ts".to_owned(), json!(ts));
            }
        }
        payload
    }
}

impl SlackBot {
    /// The root of Slack's Web API for everybody but GovSlack (`https://slack-gov.com/api/`).
    pub const API: &str = "https://slack.com/api/";
    const TIMEOUT: Duration = Duration::from_secs(15);
    const MAX_REPLY: usize = 256 * 1024;

    /// `channel` is an id, because a name is nobody's for ever and messages cannot be edited by it.
    ///
    /// # Errors
    /// The token is not a bot's, the id not a channel's, or the root not one that a token may be sent to.
    pub fn new(
        name: ChannelName,
        token: &SecretString,
        channel: &str,
        api: &str,
    ) -> Result<Self, ChannelError> {
        let token = token.expose_secret().trim();
        let is_bots = token.starts_with("xoxb-") || token.starts_with("xoxe.xoxb-");
        if !is_bots || !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ChannelError::NotABotToken { channel: name });
        }
        let is_id = channel.starts_with(['C', 'D', 'G'])
            && (2..=30).contains(&channel.len())
            && channel.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if !is_id {
            let id = crate::plain::clean(channel, 80);
            return Err(ChannelError::NotAChannelId { channel: name, id });
        }
        let mut api = service(&name, api)?;
        if !api.path().ends_with('/') {
            let path = format!("{}/", api.path());
            api.set_path(&path);
        }
        Ok(Self { name, token: token.to_owned().into(), channel: channel.to_owned(), api })
    }

    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) async fn send(
        &self,
        wire: &Wire,
        message: &Message,
        posted: Option<&str>,
        now: Timestamp,
    ) -> Result<Receipt, SendError> {
        let said = said(message);
        // Another channel among the settings is another place.
        let before = posted.and_then(Posted::read).filter(|before| before.channel == self.channel);
        if let Some(before) = before
            && self.edit(wire, message, &before, now).await?
        {
            if message.kind.asks_for_a_person() && before.said != Some(said.as_str()) {
                self.say_in_thread(wire, message, before.ts, now).await?;
            }
            return Ok(Posted::receipt(&self.channel, before.ts, &said));
        }
        match self.say(wire, message, &To::Channel(&self.channel), now).await? {
            Said::Taken { channel, ts: Some(ts) } => {
                Ok(Posted::receipt(channel.as_deref().unwrap_or(&self.channel), &ts, &said))
            }
            Said::Taken { channel: _, ts: None } => Ok(Receipt::default()),
            Said::Refused { word, answer } => Err(refusal(&word, &answer, now)),
        }
    }

    /// Whether the message could be edited.
    async fn edit(
        &self,
        wire: &Wire,
        message: &Message,
        before: &Posted<'_>,
        now: Timestamp,
    ) -> Result<bool, SendError> {
        match self.say(wire, message, &To::Place(before), now).await? {
            Said::Taken { channel: _, ts: _ } => Ok(true),
            Said::Refused { word, answer: _ } if NOT_TO_BE_EDITED.contains(&word.as_str()) => Ok(false),
            Said::Refused { word, answer } => Err(refusal(&word, &answer, now)),
        }
    }

    async fn say_in_thread(
        &self,
        wire: &Wire,
        message: &Message,
        ts: &str,
        now: Timestamp,
    ) -> Result<(), SendError> {
        let mut form = block_kit::headline_payload(message);
        form.insert("channel".to_owned(), json!(self.channel));
        form.insert("thread_ts".to_owned(), json!(ts));
        form.insert("reply_broadcast".to_owned(), json!(true));
        match self.call(wire, "chat.postMessage", form, now).await? {
            Said::Taken { channel: _, ts: _ } => Ok(()),
            Said::Refused { word, answer } => Err(refusal(&word, &answer, now)),
        }
    }

    /// With blocks, and as plain text where Slack does not take those.
    async fn say(
        &self,
        wire: &Wire,
        message: &Message,
        to: &To<'_>,
        now: Timestamp,
    ) -> Result<Said, SendError> {
        let said = self.call(wire, to.method(), to.fill(block_kit::payload(message)), now).await?;
        match &said {
            Said::Refused { word, answer: _ } if BAD_BLOCKS.contains(&word.as_str()) => {
                // That is our bug, and no reason for people not to be told.
                tracing::error!(
                    alert.id = message.id,
                    slack.error = word,
                    "slack refused the blocks; sending plain text"
                );
                self.call(wire, to.method(), to.fill(block_kit::plain_payload(message)), now).await
            }
            Said::Refused { .. } | Said::Taken { .. } => Ok(said),
        }
    }

    async fn call(
        &self,
        wire: &Wire,
        method: &str,
        form: Map<String, Value>,
        now: Timestamp,
    ) -> Result<Said, SendError> {
        let broken = |why: &str| SendError::Broken { why: format!("{WHO} {why}") };
        let url =
            self.api.join(method).map_err(|_| broken("has no such method; correct the root of its API"))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| broken("takes no such token"))?;
        bearer.set_sensitive(true);
        let mut call = Call::post(url, Value::Object(form).to_string())
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .timeout(Self::TIMEOUT);
        call.headers.insert(AUTHORIZATION, bearer);
        call.max_reply = Self::MAX_REPLY;
        let answer = wire.send(call).await.map_err(|error| reply::no_reply(WHO, &error))?;
        let said = serde_json::from_slice::<Envelope>(&answer.body);
        if !answer.status.is_success() {
            let word = said.ok().and_then(|envelope| envelope.error);
            return Err(reply::refusal(WHO, &answer, word.as_deref().and_then(reply::word), now));
        }
        match said {
            Ok(Envelope { ok: true, error: _, channel, ts }) => Ok(Said::Taken { channel, ts }),
            Ok(Envelope { ok: false, error, channel: _, ts: _ }) => {
                let word = error.as_deref().and_then(reply::word).unwrap_or("ok: false").to_owned();
                Ok(Said::Refused { word, answer })
            }
            Err(_) => Err(broken("answered with something else than its API does; correct the API's root")),
        }
    }
}

fn refusal(word: &str, answer: &Reply, now: Timestamp) -> SendError {
    let why = format!("{WHO} answered {} `{word}`", answer.status.as_u16());
    if FOR_A_WHILE.contains(&word) {
        return SendError::Later { after: reply::retry_after(&answer.headers, now), why };
    }
    match remedy(word) {
        Some(remedy) => SendError::Broken { why: format!("{why}: {remedy}") },
        None => SendError::Broken { why },
    }
}

/// What a person can do about it.
fn remedy(word: &str) -> Option<&'static str> {
    Some(match word {
        "not_in_channel" => "invite the app to the channel with `/invite`",
        "channel_not_found" => {
            "the app sees no such channel; correct the channel's id, and invite the app where the channel is private"
        }
        "is_archived" => "the channel is archived; unarchive it, or choose another",
        "account_inactive" | "invalid_auth" | "not_authed" | "token_expired" | "token_revoked" => {
            "the bot's token serves no more; install the app again, and set its new token"
        }
        "missing_scope" | "no_permission" => "give the app the scope `chat:write`, and install it again",
        "not_allowed_token_type" => "use the bot's token, which starts with `xoxb-`",
        word if word.starts_with("restricted_action") || word.ends_with("access_denied") => {
            "the workspace does not let the app post there; ask its administrators"
        }
        _ => return None,
    })
}
