//! How a simulator is set up. `Options::contoso` is the start of everything; change the fields that matter.
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::contoso;
use crate::faults::Faults;

/// The clock of the tenant: directory time, token lifetimes, retries of notifications.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub struct Options {
    /// A loopback address; port 0 picks a free one.
    pub listen: SocketAddr,
    pub now: Now,
    pub tenant: Uuid,
    pub tenant_name: String,
    pub apps: Vec<App>,
    /// A file to which every exchange is appended, one line of JSON each, without secrets.
    pub record: Option<PathBuf>,
    /// `("https://guestlist.example", "http://127.0.0.1:8080")`: what subscriptions name, and where it is really sent
    /// to. The simulator plays the reverse proxy, because Graph accepts https only.
    pub receivers: Vec<(String, String)>,
    pub faults: Faults,
    pub seed: u64,
    pub deliver: Delivery,
    /// The initial domain (`….onmicrosoft.com`) first, then the default one.
    pub verified_domains: Vec<String>,
    pub population: Population,
}

#[derive(Clone, Debug)]
pub struct App {
    pub client_id: Uuid,
    pub secret: Option<String>,
    /// PEM, for PS256 client assertions.
    pub certificate_pem: Option<String>,
    /// Whose tokens serve in place of a secret.
    pub federated: Vec<FederatedCredential>,
    /// Application permissions (`User.Read.All`). Changes reach an app with its next token, as on Entra.
    pub roles: Vec<String>,
    /// Entra roles of the service principal (`User Administrator`), which sensitive writes on administrators need.
    pub directory_roles: Vec<String>,
}

/// A federated identity credential of an app
/// (<https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    /// The issuer's public RSA key in PEM, which Entra would read from its discovery document.
    pub issuer_key_pem: String,
}

impl App {
    pub fn with_secret(client_id: Uuid, secret: &str, roles: &[&str]) -> Self {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let secret = Some(secret.to_owned());
        Self {
            client_id,
            secret,
            certificate_pem: None,
            federated: Vec::new(),
            roles,
            directory_roles: Vec::new(),
        }
    }
}

/// When notifications leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By themselves, as soon as they are due.
    Background,
    /// When `Simulator::deliver_due` is called.
    ByHand,
}

/// Who is there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    Empty,
    /// Alice, Bob, Carol and four groups: see the module `contoso`.
    Contoso,
}

impl Options {
    /// Tenant Contoso with its people and groups, one app that reads and one that writes, no faults, delivery in the
    /// background.
    pub fn contoso(now: Now) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            now,
            tenant: contoso::TENANT,
            tenant_name: "Contoso".to_owned(),
            apps: vec![contoso::reader(), contoso::writer()],
            record: None,
            receivers: Vec::new(),
            faults: Faults::default(),
            seed: 0,
            deliver: Delivery::Background,
            verified_domains: vec!["contoso.onmicrosoft.com".to_owned(), "contoso.com".to_owned()],
            population: Population::Contoso,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
