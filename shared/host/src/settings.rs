//! What an operator sets, all in environment variables that start with `GUESTLIST_`, but for those of OpenTelemetry.
//!
//! There is no default for anything that reaches a tenant or a channel, and a simulator is reached only by naming its
//! URL. A secret is never a command-line argument.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graph::{Cloud, Endpoints};
use model::{Mode, TenantId};
use responder::CanarySettings;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::apps::{AppSettings, app};
use crate::aws::{AwsSettings, is_lambda, metrics_namespace, store_on_aws};
use crate::canary::canary;
use crate::channels::{ChannelSettings, channels};
use crate::form::KeptSecret;
use crate::traces::traces;
use crate::{Form, Missing, TraceSettings};

type Answer = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where settings come from: the process's environment, or a table in a test.
#[derive(Clone)]
pub struct Environment(Arc<Answer>);

impl Environment {
    #[must_use]
    pub fn of_the_process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    #[must_use]
    pub fn of(values: Vec<(String, String)>) -> Self {
        Self::from_fn(move |name| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()))
    }

    /// Whatever answers for a name.
    #[must_use]
    pub fn from_fn(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// Whether the process is a function on AWS Lambda.
    #[must_use]
    pub fn is_lambda(&self) -> bool {
        is_lambda(|name| self.get(name))
    }

    /// With what was read elsewhere in the place of where it lies.
    pub(crate) fn with_secrets(&self, secrets: BTreeMap<String, SecretString>) -> Self {
        let before = self.clone();
        Self::from_fn(move |name| {
            if let Some(secret) = secrets.get(name) {
                return Some(secret.expose_secret().to_owned());
            }
            let mut replaced = ["_SECRET", "_PARAMETER"].iter().filter_map(|end| name.strip_suffix(end));
            let is_replaced = replaced.any(|name| secrets.contains_key(name));
            if is_replaced { None } else { before.get(name) }
        })
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}

/// What a process is about to do, and therefore must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    pub receive: bool,
    pub read: bool,
    pub write: bool,
    pub subscribe: bool,
    /// Sends messages itself.
    pub tell: bool,
    /// Writes down what another process tells people.
    pub told_elsewhere: bool,
    pub policy: bool,
    /// Shows incidents to people, and works on no queue.
    pub show: bool,
    /// Asks those who work on a store, wherever that lies, and works on none itself.
    pub ask: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self::NOTHING
    }
}

impl Needs {
    pub const NOTHING: Self = Self {
        receive: false,
        read: false,
        write: false,
        subscribe: false,
        tell: false,
        told_elsewhere: false,
        policy: false,
        show: false,
        ask: false,
    };
    /// What a command needs that only asks.
    pub const ASKING: Self = Self { ask: true, ..Self::NOTHING };

    #[must_use]
    pub fn everything() -> Self {
        Self {
            receive: true,
            read: true,
            write: true,
            subscribe: true,
            tell: true,
            told_elsewhere: false,
            policy: true,
            show: false,
            ask: false,
        }
    }
}

/// Where the policy lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyPlace {
    File(PathBuf),
    /// On Amazon S3, for a function on AWS Lambda.
    Object {
        bucket: String,
        key: String,
    },
}

impl PolicyPlace {
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Object { bucket: _, key: _ } => None,
        }
    }
}

/// Keys, and the setting that says where they lie.
#[derive(Debug, Clone)]
pub struct KeyText {
    pub setting: &'static str,
    pub text: SecretString,
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub tenant: TenantId,
    /// The folder of the embedded store and of the keys.
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// Where monitoring asks: a loopback address. Nowhere until it is set.
    pub admin: Option<SocketAddr>,
    /// How Microsoft Graph reaches the receiver: https, without a path.
    pub public_url: Option<Url>,
    /// How people reach the pages of incidents: https, without a path. None are shown until it is set.
    pub approvals_url: Option<Url>,
    pub endpoints: Endpoints,
    pub reader: Option<AppSettings>,
    pub writer: Option<AppSettings>,
    pub policy: Option<PolicyPlace>,
    /// The keys that this process seals with, as text, where they do not lie in the folder of the store.
    pub keys: Option<KeyText>,
    /// For a function on AWS Lambda, and for a command that asks a deployment on AWS.
    pub aws: Option<AwsSettings>,
    /// No rule goes further than this. `observe` until it is set.
    pub ceiling: Mode,
    pub channels: ChannelSettings,
    pub canary: Option<CanarySettings>,
    /// None: no traces are made.
    pub traces: Option<TraceSettings>,
    /// In which namespace of CloudWatch a function on AWS Lambda counts.
    pub metrics_namespace: String,
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
        let admin = admin(form);
        let public_url = public_url(form, needs.subscribe);
        let approvals_url = approvals_url(form);
        let endpoints = endpoints(form);
        let aws = store_on_aws(form, needs);
        let by_role = aws.as_ref().and_then(Option::as_ref);
        let reader = if needs.read { app(form, "GUESTLIST_READ", tenant, by_role) } else { None };
        let writer = if needs.write { app(form, "GUESTLIST_WRITE", tenant, by_role) } else { None };
        let policy = policy(form, needs.policy);
        let keys = if form.is_on_lambda() { keys(form, needs, approvals_url.is_some()) } else { None };
        let ceiling = ceiling(form);
        let channels = channels(form, needs);
        let canary = canary(form);
        // Who only asks makes none: what is wrong with them must not keep him from stopping everything.
        let traces = if needs.ask { None } else { traces(form) };
        let metrics_namespace = metrics_namespace(form);
        crate::logs::check(form);
        Some(Self {
            tenant: tenant?,
            data,
            listen: listen?,
            admin,
            public_url,
            approvals_url,
            endpoints: endpoints?,
            reader,
            writer,
            policy,
            keys,
            aws: aws?,
            ceiling: ceiling?,
            channels,
            canary,
            traces,
            metrics_namespace: metrics_namespace?,
        })
    }

    /// What a function has to read from AWS before its settings can be read.
    pub(crate) fn kept_on_aws(environment: &Environment, needs: Needs) -> Vec<KeptSecret> {
        let mut form = Form::new(environment);
        // What is wrong is told when they are read.
        Self::fill_in(&mut form, needs);
        form.kept_on_aws()
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

/// It answers whoever asks, so that only this machine may.
fn admin(form: &mut Form<'_>) -> Option<SocketAddr> {
    const NAME: &str = "GUESTLIST_ADMIN_LISTEN";
    let value = form.optional(NAME);
    form.parsed(NAME, value, |text| {
        let wrong = || format!("`{text}` is not an address and port, like `127.0.0.1:9464`");
        let address = text.parse::<SocketAddr>().map_err(|_| wrong())?;
        if address.ip().is_loopback() {
            return Ok(address);
        }
        Err(format!(
            "`{text}` is not of this machine alone, and whoever asks there is answered: use 127.0.0.1 or [::1], with an \
             agent or a proxy of yours on this machine that asks who it is"
        ))
    })
}

/// Whether what it says is valid is for those who load it.
fn policy(form: &mut Form<'_>, needed: bool) -> Option<PolicyPlace> {
    const NAME: &str = "GUESTLIST_POLICY";
    if !needed {
        return form.path(NAME).map(PolicyPlace::File);
    }
    if !form.is_on_lambda() {
        let path = form.required(NAME, "the path of the policy file").map(PathBuf::from)?;
        form.read(NAME, &path)?;
        return Some(PolicyPlace::File(path));
    }
    let what = "`s3://bucket/key` of the policy, or the path of a file that is packaged with the function";
    let place = form.required(NAME, what)?;
    let Some(object) = place.strip_prefix("s3://") else {
        let path = PathBuf::from(&place);
        form.read(NAME, &path)?;
        return Some(PolicyPlace::File(path));
    };
    match object.split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !key.ends_with('/') => {
            Some(PolicyPlace::Object { bucket: bucket.to_owned(), key: key.to_owned() })
        }
        Some(_) | None => {
            form.wrong(format!("{NAME}: `{place}` does not name an object, like `s3://bucket/policy.yaml`"));
            None
        }
    }
}

/// No instance of a function may make its own: they would not know each other's. Whoever only shows pages, or leads to them,
/// has other keys than those by which notifications are known.
fn keys(form: &mut Form<'_>, needs: Needs, has_pages: bool) -> Option<KeyText> {
    let (setting, what) = if needs.receive || needs.subscribe {
        ("GUESTLIST_STATE_KEYS", "seal `clientState`")
    } else if needs.show || (needs.tell && has_pages) {
        ("GUESTLIST_LINK_KEYS", "seal the links to pages of incidents")
    } else {
        return None;
    };
    let before = form.so_far();
    let text = form.secret(setting);
    if text.is_none() && form.so_far() == before {
        form.wrong(format!(
            "{setting}_SECRET or {setting}_PARAMETER is not set: where the keys lie that {what}, a line `key-id base64` each, \
             the second word from `openssl rand -base64 32`"
        ));
    }
    text.map(|text| KeyText { setting, text })
}

fn ceiling(form: &mut Form<'_>) -> Option<Mode> {
    let value = form.optional("GUESTLIST_AT_MOST").unwrap_or_else(|| "observe".to_owned());
    form.parsed("GUESTLIST_AT_MOST", Some(value), str::parse::<Mode>)
}

fn public_url(form: &mut Form<'_>, needed: bool) -> Option<Url> {
    let what = "the https address under which Microsoft Graph reaches this receiver, like `https://guestlist.contoso.com`";
    let value = if needed {
        form.required("GUESTLIST_PUBLIC_URL", what)
    } else {
        form.optional("GUESTLIST_PUBLIC_URL")
    };
    form.parsed("GUESTLIST_PUBLIC_URL", value, |text| {
        https_root(text, "Microsoft Graph sends to nothing else")
    })
}

/// Messages in chat have little room for an address.
fn approvals_url(form: &mut Form<'_>) -> Option<Url> {
    const NAME: &str = "GUESTLIST_APPROVALS_URL";
    const LONGEST: usize = 120;
    let value = form.optional(NAME);
    form.parsed(NAME, value, |text| {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters, which no message has room for"));
        }
        https_root(text, "a page shows personal data")
    })
}

fn https_root(text: &str, why: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not an URL: {error}"))?;
    if url.scheme() != "https" {
        return Err(format!("`{text}` is not https, and {why}"));
    }
    if url.path() != "/" || url.query().is_some() {
        return Err(format!("`{text}` has a path or query: leave it at the host"));
    }
    Ok(url)
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
