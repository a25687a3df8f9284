//! The places where people are told. A new channel is a file of its own, a variant here, and the arms that the compiler
//! asks for.
//! Never here: settings, retries, the order of deliveries.

use jiff::{SignedDuration, Timestamp};
use model::ChannelName;
use tracing::{Instrument as _, Span};
use wire::Wire;

use crate::{Message, PagerDuty, Slack, SlackBot, Teams, Webhook};

#[derive(Debug, Clone)]
pub enum Channel {
    Slack(Slack),
    SlackBot(SlackBot),
    Teams(Teams),
    PagerDuty(PagerDuty),
    Webhook(Webhook),
}

/// What a channel says about a message that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// What the channel needs to show a later state in the same place, for the next [`Channel::send`] about the same
    /// incident. Names a place, and holds no secret.
    pub posted: Option<String>,
}

impl Channel {
    /// The operator's name for it.
    #[must_use]
    pub fn name(&self) -> &ChannelName {
        match self {
            Self::Slack(slack) => slack.name(),
            Self::SlackBot(bot) => bot.name(),
            Self::Teams(teams) => teams.name(),
            Self::PagerDuty(pager) => pager.name(),
            Self::Webhook(webhook) => webhook.name(),
        }
    }

    /// Sends the message once. `posted` is the last receipt's about the same incident: a channel that can shows the
    /// message in that place instead of a second one.
    ///
    /// # Errors
    /// The channel did not take it, for now or for good.
    pub async fn send(
        &self,
        wire: &Wire,
        message: &Message,
        posted: Option<&str>,
        now: Timestamp,
    ) -> Result<Receipt, SendError> {
        let span = self.telling();
        async {
            let sent = self.send_by_kind(wire, message, posted, now).await;
            match &sent {
                Ok(_) => {}
                Err(SendError::Later { .. }) => trace::failed("later"),
                Err(SendError::Broken { .. }) => trace::failed("broken"),
            }
            sent
        }
        .instrument(span)
        .await
    }

    /// The operator's name for the channel, and nothing of its address, which is a secret.
    fn telling(&self) -> Span {
        let kind = match self {
            Self::Slack(_) | Self::SlackBot(_) => "Slack",
            Self::Teams(_) => "Teams",
            Self::PagerDuty(_) => "PagerDuty",
            Self::Webhook(_) => "webhook",
        };
        tracing::debug_span!(
            target: trace::TARGET,
            "tell",
            otel.name = %format_args!("tell {kind}"),
            otel.kind = "client",
            http.request.method = "POST",
            channel.name = %self.name(),
        )
    }

    async fn send_by_kind(
        &self,
        wire: &Wire,
        message: &Message,
        posted: Option<&str>,
        now: Timestamp,
    ) -> Result<Receipt, SendError> {
        match self {
            Self::Slack(slack) => slack.send(wire, message, now).await?,
            Self::SlackBot(bot) => return bot.send(wire, message, posted, now).await,
            Self::Teams(teams) => teams.send(wire, message, now).await?,
            Self::PagerDuty(pager) => pager.send(wire, message, now).await?,
            Self::Webhook(webhook) => webhook.send(wire, message, now).await?,
        }
        Ok(Receipt::default())
    }

    /// Whether a later state of an incident takes the place of the message before it, so that it is no second message.
    #[must_use]
    pub fn edits_in_place(&self) -> bool {
        match self {
            Self::SlackBot(_) => true,
            Self::Slack(_) | Self::Teams(_) | Self::PagerDuty(_) | Self::Webhook(_) => false,
        }
    }

    /// Whether many messages may become one. Not where each opens or closes an alert of its own.
    #[must_use]
    pub fn rolls_up(&self) -> bool {
        match self {
            Self::PagerDuty(_) => false,
            Self::Slack(_) | Self::SlackBot(_) | Self::Teams(_) | Self::Webhook(_) => true,
        }
    }

    /// What is known once the channel took a message, and what is not.
    #[must_use]
    pub fn taken_means(&self) -> &'static str {
        match self {
            Self::Slack(_) => "Slack has posted it",
            Self::SlackBot(_) => {
                "Slack has posted it, and later states of an incident are edited into its message"
            }
            Self::Teams(_) => {
                "Teams has started the workflow, which does not say that the card arrived: look into the channel"
            }
            Self::PagerDuty(_) => {
                "PagerDuty has accepted the event, which does not say that anybody was called: look at the service"
            }
            Self::Webhook(_) => "the receiver has answered with success",
        }
    }
}

/// Why a message was not taken, in words that hold neither the channel's URL nor its secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Worth another try, after so long where the channel said so.
    #[error("{why}")]
    Later { after: Option<SignedDuration>, why: String },
    /// No try will help until somebody changes something.
    #[error("{why}")]
    Broken { why: String },
}

/// Why a channel cannot be set up. Never shows the URL or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    #[error("use the URL of the channel `{channel}`: it is not a URL; it starts with `https://`")]
    NotAUrl { channel: ChannelName },
    #[error(
        "use the URL of the channel `{channel}`: it needs `https://` (plain `http://` only to this machine)"
    )]
    NotHttps { channel: ChannelName },
    #[error(
        "use the URL of the channel `{channel}`: it holds a user name or password; put nothing before the host, and \
         use the webhook's secret to prove who sends"
    )]
    Credentials { channel: ChannelName },
    #[error(
        "use the URL of the channel `{channel}`: it has a sign in its path or query that would have to be rewritten, and \
         then its signature fails; copy the URL again, whole and without quotes"
    )]
    NotExact { channel: ChannelName },
    #[error(
        "use the URL of the channel `{channel}`: it is that of an Office 365 connector, which Microsoft has switched off; \
         in Teams open `Workflows`, make one that starts `When a Teams webhook request is received` and posts the card, \
         and use its URL"
    )]
    OfficeConnector { channel: ChannelName },
    #[error(
        "set up the channel `{channel}`: it has no secret to sign with; write `whsec_` and then the output of \
         `openssl rand -base64 32`"
    )]
    NoSecret { channel: ChannelName },
    #[error(
        "use the token of the channel `{channel}`: it is not a bot's; it starts with `xoxb-` and stands under `OAuth & \
         Permissions` of the Slack app"
    )]
    NotABotToken { channel: ChannelName },
    #[error(
        "post to `{id}`: it is not the id of a Slack channel, like `C0123456789`; it stands at the end of the channel's \
         details in Slack"
    )]
    NotAChannelId { channel: ChannelName, id: String },
    #[error(
        "use the routing key of the channel `{channel}`: it has 32 letters and digits; it is the integration key of an \
         `Events API v2` integration of a PagerDuty service"
    )]
    NotARoutingKey { channel: ChannelName },
}
