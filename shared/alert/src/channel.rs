//! The places where people are told. A new channel is a file of its own, a variant here, and the arms that the compiler
//! asks for.
//! Never here: settings, retries, the order of deliveries.

use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use model::ChannelName;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};
use wire::Wire;

use crate::{Message, Slack, Webhook};

#[derive(Debug, Clone)]
pub enum Channel {
    Slack(Slack),
    Webhook(Webhook),
}

impl Channel {
    /// The operator's name for it.
    #[must_use]
    pub fn name(&self) -> &ChannelName {
        match self {
            Self::Slack(slack) => slack.name(),
            Self::Webhook(webhook) => webhook.name(),
        }
    }

    /// Sends the message once.
    ///
    /// # Errors
    /// The channel did not take it, for now or for good.
    pub async fn send(&self, wire: &Wire, message: &Message, now: Timestamp) -> Result<(), SendError> {
        match self {
            Self::Slack(slack) => slack.send(wire, message, now).await,
            Self::Webhook(webhook) => webhook.send(wire, message, now).await,
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

/// Why a channel cannot be set up. Never shows the URL.
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
        "set up the channel `{channel}`: it has no secret to sign with; write `whsec_` and then the output of \
         `openssl rand -base64 32`"
    )]
    NoSecret { channel: ChannelName },
}

/// A URL that is itself a credential. Shows its host and nothing else.
#[derive(Clone)]
pub(crate) struct SecretUrl(Url);

impl SecretUrl {
    pub(crate) fn read(channel: &ChannelName, url: &SecretString) -> Result<Self, ChannelError> {
        let channel = || channel.clone();
        let url = Url::parse(url.expose_secret().trim());
        let url = url.map_err(|_| ChannelError::NotAUrl { channel: channel() })?;
        let this_machine = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            None => return Err(ChannelError::NotAUrl { channel: channel() }),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && this_machine) {
            return Err(ChannelError::NotHttps { channel: channel() });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ChannelError::Credentials { channel: channel() });
        }
        Ok(Self(url))
    }

    pub(crate) fn expose(&self) -> Url {
        self.0.clone()
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}
