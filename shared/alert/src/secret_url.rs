//! URLs that are credentials themselves, and the plain addresses of services: https, or plain http to this machine.
//! Never here: what is sent there.

use std::fmt;
use std::net::IpAddr;

use model::ChannelName;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Position, Url};

use crate::ChannelError;

/// A URL that is itself a credential. Shows its host and nothing else.
#[derive(Clone)]
pub(crate) struct SecretUrl(Url);

impl SecretUrl {
    pub(crate) fn read(channel: &ChannelName, url: &SecretString) -> Result<Self, ChannelError> {
        service(channel, url.expose_secret()).map(Self)
    }

    /// As [`Self::read`], and whatever stands in the path and query goes over the wire as it is written. A port of 443 is
    /// what https means: no client sends it.
    pub(crate) fn read_exactly(channel: &ChannelName, url: &SecretString) -> Result<Self, ChannelError> {
        let read = Self::read(channel, url)?;
        let written = url.expose_secret().trim();
        let target = written
            .split_once("://")
            .and_then(|(_, rest)| Some(rest.split_at(rest.find(['/', '?', '#'])?).1));
        if target == Some(&read.0[Position::BeforePath..Position::AfterQuery]) {
            Ok(read)
        } else {
            Err(ChannelError::NotExact { channel: channel.clone() })
        }
    }

    pub(crate) fn expose(&self) -> Url {
        self.0.clone()
    }

    /// The hosts of Office 365 connectors
    /// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
    pub(crate) fn is_office_connector(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let outlook = matches!(host, "outlook.office.com" | "outlook.office365.com");
        host == "webhook.office.com"
            || host.ends_with(".webhook.office.com")
            || outlook && self.0.path().starts_with("/webhook")
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

/// The address of a service that a channel talks to.
pub(crate) fn service(channel: &ChannelName, url: &str) -> Result<Url, ChannelError> {
    let channel = || channel.clone();
    let url = Url::parse(url.trim());
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
    Ok(url)
}
