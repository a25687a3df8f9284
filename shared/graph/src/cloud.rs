//! Where Entra and Graph are: the national clouds, and addresses given as plain settings.

use std::fmt;
use std::str::FromStr;

use model::TenantId;
use url::{Host, Url};

/// A national cloud. Tokens of one are worth nothing in another
/// (<https://learn.microsoft.com/graph/deployments>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// Also GCC.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// Operated by 21Vianet.
    China,
}

/// A word that names no cloud.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cloud: use `global`, `us-gov`, `us-gov-dod` or `china`")]
pub struct ParseCloudError(String);

impl Cloud {
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGov, Self::UsGovDod, Self::China];

    /// The word in the settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGov => "us-gov",
            Self::UsGovDod => "us-gov-dod",
            Self::China => "china",
        }
    }

    fn roots(self) -> (&'static str, &'static str) {
        match self {
            Self::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
            Self::UsGov => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
            Self::UsGovDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
            // Entra's page names this login and Graph's page another one, which can be given as a setting.
            Self::China => {
                ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn")
            }
        }
    }

    #[must_use]
    #[expect(clippy::expect_used, reason = "the addresses are constants, and a test reads each")]
    pub fn endpoints(self) -> Endpoints {
        let (login, graph) = self.roots();
        Endpoints::parse(login, graph).expect("the built-in addresses are sound")
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Cloud {
    type Err = ParseCloudError;

    fn from_str(text: &str) -> Result<Self, ParseCloudError> {
        let named = Self::ALL.into_iter().find(|cloud| cloud.word() == text);
        named.ok_or_else(|| ParseCloudError(text.chars().take(40).collect()))
    }
}

/// The roots of both services: `{login}/{tenant}/oauth2/v2.0/token` and `{graph}/v1.0/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    pub login: Url,
    pub graph: Url,
}

/// An address to which no credential should be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("`{text}` is not an address: write one like `https://graph.microsoft.com` ({why})")]
    NotAnAddress { text: String, why: String },
    #[error("`{text}` is not safe: write `https://` (plain `http://` is taken for this machine alone)")]
    NotSafe { text: String },
    #[error("`{text}` is more than a root: leave out the version, user, query and fragment")]
    NotARoot { text: String },
}

impl Endpoints {
    /// # Errors
    /// An address that is not one, that would show credentials on the network, or that is more than a root.
    pub fn parse(login: &str, graph: &str) -> Result<Self, EndpointError> {
        Ok(Self { login: root(login)?, graph: root(graph)? })
    }

    pub(crate) fn token_url(&self, tenant: TenantId) -> Url {
        below(&self.login, &format!("/{tenant}/oauth2/v2.0/token"))
    }

    /// Every application permission that was granted, for the Graph of this cloud.
    pub(crate) fn scope(&self) -> String {
        format!("{}/.default", self.graph.as_str().trim_end_matches('/'))
    }

    /// `path` begins with `/` and needs no escape.
    pub(crate) fn at(&self, path: &str) -> Url {
        below(&self.graph, &format!("/v1.0{path}"))
    }

    /// Whether a link that Graph gave leads to Graph itself.
    pub(crate) fn holds(&self, link: &Url) -> bool {
        let plain = link.username().is_empty() && link.password().is_none() && link.fragment().is_none();
        plain && link.origin() == self.graph.origin() && link.path().starts_with(self.at("/").path())
    }
}

fn below(root: &Url, path: &str) -> Url {
    let mut url = root.clone();
    url.set_path(&format!("{}{path}", root.path().trim_end_matches('/')));
    url
}

fn root(text: &str) -> Result<Url, EndpointError> {
    let text = text.trim().to_owned();
    let url = Url::parse(&text)
        .map_err(|error| EndpointError::NotAnAddress { text: text.clone(), why: error.to_string() })?;
    let this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && this_machine) {
        return Err(EndpointError::NotSafe { text });
    }
    let version = url.path_segments().and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()));
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !matches!(version, Some("v1.0" | "beta"));
    if bare { Ok(url) } else { Err(EndpointError::NotARoot { text }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_sound_addresses_and_a_word_that_reads_back() {
        for cloud in Cloud::ALL {
            let Endpoints { login, graph } = cloud.endpoints();
            assert_eq!((login.scheme(), graph.scheme()), ("https", "https"));
            assert_eq!(cloud.to_string().parse::<Cloud>(), Ok(cloud));
        }
        let error = "mars".parse::<Cloud>().unwrap_err().to_string();
        assert_eq!(error, "`mars` is not a cloud: use `global`, `us-gov`, `us-gov-dod` or `china`");
    }

    #[test]
    fn addresses_are_built_below_a_root_with_or_without_a_path() {
        let tenant = TenantId::from_u128(7);
        let id = "00000000-0000-0000-0000-000000000007";
        for (graph, version) in [
            ("https://graph.microsoft.us", "https://graph.microsoft.us/v1.0"),
            ("https://graph.microsoft.us/", "https://graph.microsoft.us/v1.0"),
            ("http://127.0.0.1:8080/sim/", "http://127.0.0.1:8080/sim/v1.0"),
        ] {
            let endpoints = Endpoints::parse("https://login.microsoftonline.us/", graph).unwrap();
            assert_eq!(endpoints.at("/users").as_str(), format!("{version}/users"));
            let token = format!("https://login.microsoftonline.us/{id}/oauth2/v2.0/token");
            assert_eq!(endpoints.token_url(tenant).as_str(), token);
            assert_eq!(endpoints.scope(), format!("{}/.default", graph.trim_end_matches('/')));
        }
    }

    #[test]
    fn credentials_are_not_sent_in_the_clear_to_another_machine() {
        for (text, part) in [
            ("http://graph.microsoft.com", "plain `http://`"),
            ("ftp://127.0.0.1", "plain `http://`"),
            ("mailto:someone@contoso.com", "plain `http://`"),
            ("graph.microsoft.com", "is not an address"),
            ("https://user@graph.microsoft.com", "more than a root"),
            ("https://graph.microsoft.com/v1.0", "more than a root"),
            ("https://graph.microsoft.com/beta/", "more than a root"),
            ("https://graph.microsoft.com?x=1", "more than a root"),
        ] {
            let error = Endpoints::parse("https://login.microsoftonline.com", text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        for text in
            ["http://localhost:1", "http://[::1]:1", "http://127.0.0.2:1", "https://proxy.contoso.com/g"]
        {
            assert!(Endpoints::parse("https://login.microsoftonline.com", text).is_ok(), "{text}");
        }
    }

    #[test]
    fn only_a_link_below_the_graph_root_is_graphs_own() {
        let endpoints = Endpoints::parse("https://login.contoso.com", "https://graph.contoso.com/g").unwrap();
        for (link, held) in [
            ("https://graph.contoso.com/g/v1.0/users?$skiptoken=1", true),
            ("https://graph.contoso.com:443/g/v1.0/users?$skiptoken=1", true),
            ("http://graph.contoso.com/g/v1.0/users", false),
            ("https://graph.contoso.com:8443/g/v1.0/users", false),
            ("https://evil.example/g/v1.0/users", false),
            ("https://graph.contoso.com@evil.example/g/v1.0/users", false),
            ("https://me@graph.contoso.com/g/v1.0/users", false),
            ("https://graph.contoso.com/g/beta/users", false),
            ("https://graph.contoso.com/v1.0/users", false),
            ("https://graph.contoso.com/g/v1.0/../../x", false),
        ] {
            assert_eq!(endpoints.holds(&Url::parse(link).unwrap()), held, "{link}");
        }
    }
}
