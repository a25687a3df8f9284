//! What an operator sets, all in environment variables that start with `GUESTLIST_`.
//!
//! There is no default for anything that reaches a tenant or a channel, and a simulator is reached only by naming its
//! URL. A secret is never a command-line argument.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use alert::{Channel, Slack, Webhook};
use graph::{App, Certificate, Cloud, Credential, Endpoints};
use model::{ChannelName, Mode, TenantId};
use seal::WebhookSecret;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{Form, Missing};

/// Where settings come from: the process's environment, or a table in a test.
#[derive(Clone)]
pub struct Environment(Arc<dyn Fn(&str) -> Option<String> + Send + Sync>);

impl Environment {
    #[must_use]
    pub fn of_the_process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    #[must_use]
    pub fn of(values: Vec<(String, String)>) -> Self {
        Self(Arc::new(move |name| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())))
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}

/// What a process is about to do, and therefore must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    pub receive: bool,
    pub read: bool,
    pub write: bool,
    pub subscribe: bool,
    pub tell: bool,
    pub policy: bool,
}

impl Needs {
    #[must_use]
    pub fn everything() -> Self {
        Self { receive: true, read: true, write: true, subscribe: true, tell: true, policy: true }
    }
}

const CHANNELS: [&str; 2] = ["slack", "webhook"];

/// An app registration: the reading one or the writing one.
#[derive(Debug, Clone)]
pub struct AppSettings {
    pub app: App,
}

/// Where people are told.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    pub channels: Vec<Channel>,
    /// For a process that tells nobody itself: the names are enough to write down what is to be told.
    pub elsewhere: Vec<ChannelName>,
}

impl ChannelSettings {
    #[must_use]
    pub fn names(&self) -> Vec<ChannelName> {
        let here = self.channels.iter().map(|channel| channel.name().clone());
        here.chain(self.elsewhere.iter().cloned()).collect()
    }
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub tenant: TenantId,
    /// The folder of the embedded store and of the keys.
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// How Microsoft Graph reaches the receiver: https, without a path.
    pub public_url: Option<Url>,
    pub endpoints: Endpoints,
    pub reader: Option<AppSettings>,
    pub writer: Option<AppSettings>,
    pub policy: Option<PathBuf>,
    /// No rule goes further than this. `observe` until it is set.
    pub ceiling: Mode,
    pub channels: ChannelSettings,
}

impl Settings {
    /// # Errors
    /// All that is missing or wrong, each with its fix.
    pub fn read(environment: &Environment, needs: Needs) -> Result<Self, Missing> {
        let mut form = Form::new(environment);
        let settings = Self::fill_in(&mut form, needs);
        form.finish(settings)
    }

    fn fill_in(form: &mut Form<'_>, needs: Needs) -> Option<Self> {
        let tenant = form.required("GUESTLIST_TENANT_ID", "the tenant's id, from the overview page of Entra");
        let tenant = form.parsed("GUESTLIST_TENANT_ID", tenant, str::parse::<TenantId>);
        let data = form.path("GUESTLIST_DATA").unwrap_or_else(|| PathBuf::from("guestlist-data"));
        let listen = form.optional("GUESTLIST_LISTEN").unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let listen = form.parsed("GUESTLIST_LISTEN", Some(listen), |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| format!("`{text}` is not an address and port, like `127.0.0.1:8080`"))
        });
        let public_url = public_url(form, needs.subscribe);
        let endpoints = endpoints(form);
        let reader = if needs.read { app(form, "GUESTLIST_READ", tenant) } else { None };
        let writer = if needs.write { app(form, "GUESTLIST_WRITE", tenant) } else { None };
        let policy = if needs.policy {
            form.required("GUESTLIST_POLICY", "the path of the policy file").map(PathBuf::from)
        } else {
            form.path("GUESTLIST_POLICY")
        };
        let ceiling = ceiling(form);
        let channels = channels(form, needs.tell);
        Some(Self {
            tenant: tenant?,
            data,
            listen: listen?,
            public_url,
            endpoints: endpoints?,
            reader,
            writer,
            policy,
            ceiling: ceiling?,
            channels,
        })
    }

    /// Where Graph sends its notifications.
    #[must_use]
    pub fn receivers(&self) -> Option<responder::Receivers> {
        let url = |path| Some(self.public_url.as_ref()?.join(path).ok()?.to_string());
        Some(responder::Receivers {
            notifications: url("/graph/notifications")?,
            lifecycle: url("/graph/lifecycle")?,
        })
    }
}

fn ceiling(form: &mut Form<'_>) -> Option<Mode> {
    let value = form.optional("GUESTLIST_AT_MOST").unwrap_or_else(|| "observe".to_owned());
    form.parsed("GUESTLIST_AT_MOST", Some(value), |text| match text.parse::<Mode>() {
        Ok(Mode::Ask) => Err("`ask` is not built yet: use `observe` or `enforce`".to_owned()),
        Ok(mode) => Ok(mode),
        Err(error) => Err(error.to_string()),
    })
}

fn public_url(form: &mut Form<'_>, needed: bool) -> Option<Url> {
    let what = "the https address under which Microsoft Graph reaches this receiver, like `https://guestlist.contoso.com`";
    let value = if needed {
        form.required("GUESTLIST_PUBLIC_URL", what)
    } else {
        form.optional("GUESTLIST_PUBLIC_URL")
    };
    form.parsed("GUESTLIST_PUBLIC_URL", value, |text| {
        let url = Url::parse(text).map_err(|error| format!("`{text}` is not an URL: {error}"))?;
        if url.scheme() != "https" {
            return Err(format!("`{text}` is not https, and Microsoft Graph sends to nothing else"));
        }
        if url.path() != "/" || url.query().is_some() {
            return Err(format!("`{text}` has a path or query: leave it at the host"));
        }
        Ok(url)
    })
}

fn endpoints(form: &mut Form<'_>) -> Option<Endpoints> {
    let cloud = form.optional("GUESTLIST_CLOUD").unwrap_or_else(|| "global".to_owned());
    let cloud = form.parsed("GUESTLIST_CLOUD", Some(cloud), str::parse::<Cloud>)?;
    let known = cloud.endpoints();
    let or_known = |name: &str, known: &Url| form.optional(name).unwrap_or_else(|| known.to_string());
    let login = or_known("GUESTLIST_LOGIN_URL", &known.login);
    let graph = or_known("GUESTLIST_GRAPH_URL", &known.graph);
    match Endpoints::parse(&login, &graph) {
        Ok(endpoints) => Some(endpoints),
        Err(error) => {
            form.wrong(format!("GUESTLIST_LOGIN_URL or GUESTLIST_GRAPH_URL: {error}"));
            None
        }
    }
}

fn app(form: &mut Form<'_>, prefix: &str, tenant: Option<TenantId>) -> Option<AppSettings> {
    let id = format!("{prefix}_CLIENT_ID");
    let client_id = form.required(&id, "the application (client) id of the app registration");
    let secret = form.secret(&format!("{prefix}_CLIENT_SECRET"));
    let certificate = certificate(form, prefix);
    let credential = match (secret, certificate) {
        (Some(secret), None) => Some(Credential::Secret(secret)),
        (None, Some(certificate)) => Some(Credential::Certificate(certificate)),
        (Some(_), Some(_)) => {
            form.wrong(format!(
                "{prefix}_CLIENT_SECRET and {prefix}_CERTIFICATE_FILE are both set: unset one of them"
            ));
            None
        }
        (None, None) => {
            if form.optional(&format!("{prefix}_CERTIFICATE_FILE")).is_none()
                && form.optional(&format!("{prefix}_CLIENT_SECRET_FILE")).is_none()
            {
                form.wrong(format!(
                    "{prefix}_CERTIFICATE_FILE with {prefix}_KEY_FILE, or {prefix}_CLIENT_SECRET_FILE, is not set: the app's credential"
                ));
            }
            None
        }
    };
    Some(AppSettings { app: App { tenant: tenant?, client_id: client_id?, credential: credential? } })
}

fn certificate(form: &mut Form<'_>, prefix: &str) -> Option<Certificate> {
    let (certificate, key) = (format!("{prefix}_CERTIFICATE_FILE"), format!("{prefix}_KEY_FILE"));
    let path = form.path(&certificate)?;
    let Some(key_path) = form.path(&key) else {
        form.wrong(format!("{key} is not set: the private key of {certificate}"));
        return None;
    };
    let pem = form.read(&certificate, &path)?;
    let key_pem = form.read(&key, &key_path)?;
    match Certificate::from_pem(&pem, &key_pem) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            form.wrong(format!("{certificate}: {error}"));
            None
        }
    }
}

fn channels(form: &mut Form<'_>, needed: bool) -> ChannelSettings {
    let mut channels = Vec::new();
    let mut named = false;
    if let Some(url) = form.secret("GUESTLIST_SLACK_WEBHOOK_URL") {
        named = true;
        let slack = Slack::new(ChannelName("slack".to_owned()), &url);
        match slack {
            Ok(slack) => channels.push(Channel::Slack(slack)),
            Err(error) => form.wrong(format!("GUESTLIST_SLACK_WEBHOOK_URL: {error}")),
        }
    }
    if let Some(url) = form.secret("GUESTLIST_WEBHOOK_URL") {
        named = true;
        if let Some(secrets) = webhook_secrets(form) {
            match Webhook::new(ChannelName("webhook".to_owned()), &url, secrets) {
                Ok(webhook) => channels.push(Channel::Webhook(webhook)),
                Err(error) => form.wrong(format!("GUESTLIST_WEBHOOK_URL: {error}")),
            }
        }
    }
    if needed && !named {
        form.wrong(
            "GUESTLIST_SLACK_WEBHOOK_URL_FILE or GUESTLIST_WEBHOOK_URL with GUESTLIST_WEBHOOK_SECRET_FILE is not \
             set: where people are told"
                .to_owned(),
        );
    }
    let elsewhere = if named { Vec::new() } else { channel_names(form) };
    ChannelSettings { channels, elsewhere }
}

/// `GUESTLIST_CHANNELS`, for a process that must not have the channels' secrets.
fn channel_names(form: &mut Form<'_>) -> Vec<ChannelName> {
    let value = form.optional("GUESTLIST_CHANNELS").unwrap_or_default();
    let mut names = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if CHANNELS.contains(&name) {
            names.push(ChannelName(name.to_owned()));
        } else {
            form.wrong(format!("GUESTLIST_CHANNELS: `{name}` is not a channel: use {}", CHANNELS.join(", ")));
        }
    }
    names
}

/// One secret a line: while one replaces another, both sign.
fn webhook_secrets(form: &mut Form<'_>) -> Option<Vec<WebhookSecret>> {
    let Some(secrets): Option<SecretString> = form.secret("GUESTLIST_WEBHOOK_SECRET") else {
        form.wrong(
            "GUESTLIST_WEBHOOK_SECRET_FILE is not set: the secret that signs messages, `whsec_` and 24 to 64 bytes \
             in base64"
                .to_owned(),
        );
        return None;
    };
    let mut parsed = Vec::new();
    for secret in secrets.expose_secret().split_whitespace() {
        match WebhookSecret::parse(secret) {
            Ok(secret) => parsed.push(secret),
            Err(error) => form.wrong(format!("GUESTLIST_WEBHOOK_SECRET: {error}")),
        }
    }
    Some(parsed)
}
