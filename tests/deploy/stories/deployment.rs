//! The template as it is, deployed by the SAM CLI into an emulator that enforces what roles say, with everything around it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use emulator::Kept;
use emulator::issuer::{CERTIFICATE, Issuer, NAME};
use guestlist_tests::{Inbox, People};
use jiff::Timestamp;
use seal::WebhookSecret;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use simulator::{App, Delivery, FederatedCredential, NewGroup, NewUser, Options, Simulator, contoso};
use tempfile::TempDir;
use uuid::Uuid;

use crate::functions::tend;
use crate::powers::Asked;
use crate::store::Store;
use crate::witness::{Call, Witness};
use crate::{door, powers};

pub(crate) const STACK: &str = "guestlist";
/// Of the emulator's root.
pub(crate) const ACCOUNT: &str = "000000000000";
/// So long is waited for what takes a minute, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(300);
const STEWARD: Uuid = Uuid::from_u128(0xc027_0500_0000_4000_8000_0000_0000_a003);
/// How often a timer is set off that a story does not wait a minute for.
const TEND_EVERY: Duration = Duration::from_secs(2);
/// More than the 900 s that SQS delays, so that it waits in the table. What is owed is taken from there 900 s before it is due.
pub(crate) const PUT_OFF_SECONDS: u32 = 930;
/// `openssl rand -base64 32` would make such a key.
pub(crate) const KEYS: &str = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

/// Each function, and its binary.
pub(crate) const FUNCTIONS: [(&str, &str); 6] = [
    ("notifications", env!("CARGO_BIN_EXE_deployed-notifications")),
    ("assess", env!("CARGO_BIN_EXE_deployed-assess")),
    ("remediate", env!("CARGO_BIN_EXE_deployed-remediate")),
    ("alert", env!("CARGO_BIN_EXE_deployed-alert")),
    ("steward", env!("CARGO_BIN_EXE_deployed-steward")),
    ("approvals", env!("CARGO_BIN_EXE_deployed-approvals")),
];

pub(crate) const POLICY: &str = include_str!("policy.yaml");

/// What the functions have asked for so far.
#[derive(Debug, Default)]
struct Heard {
    calls: usize,
    asked: BTreeSet<Asked>,
    denied: Vec<(&'static str, Call)>,
}

pub(crate) struct Deployment {
    pub(crate) simulator: Simulator,
    pub(crate) tenant: People,
    pub(crate) slack: Inbox,
    /// Takes nothing until a story says so.
    pub(crate) teams: Inbox,
    pub(crate) store: Store,
    pub(crate) canary: Canary,
    /// Of the policy.
    pub(crate) bucket: String,
    pub(crate) issuer: Issuer,
    pub(crate) witness: Witness,
    /// Where the front door is for people and for Graph, and where it is on loopback.
    pub(crate) public_url: String,
    pub(crate) front_door: String,
    keys: BTreeMap<String, &'static str>,
    heard: Mutex<Heard>,
    /// When a story set a timer off.
    tended: Mutex<BTreeMap<&'static str, Instant>>,
}

/// A marked account and a marked group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Canary {
    pub(crate) user: Uuid,
    pub(crate) group: Uuid,
}

impl Deployment {
    pub(crate) async fn make() -> Self {
        let issuer = Issuer::open().await;
        let witness = Witness::open(&issuer.address).await;
        // A function inherits what the emulator has. In the place of this address it would be given that of the emulator.
        emulator::start_own(&[("AWS_ENDPOINT_URL", &witness.address)]);
        for function in ["assess", "remediate", "steward"] {
            issuer.know(&key_of(function), &role_of(function));
        }
        let simulator = Simulator::start(contoso()).await.unwrap();
        let tenant = People(simulator.tenant());
        let user = tenant.0.add_user(NewUser::member("guestlist-canary@contoso.com"));
        let canary = Canary { user, group: tenant.0.create_group(NewGroup::named("guestlist-canary")) };
        let (slack, teams, webhook) =
            (Inbox::open("slack").await, Inbox::open("teams").await, Inbox::open("webhook").await);
        teams.answer_always(Some(404));
        // One that wants every message again a quarter of an hour later.
        webhook.want_patience(PUT_OFF_SECONDS);
        let secret = WebhookSecret::generate([7; 32]);
        for (name, text) in [
            ("state-keys", KEYS),
            ("link-keys", KEYS),
            ("slack", &slack.url()),
            ("teams", &teams.url()),
            ("webhook", &webhook.url()),
            ("webhook-secret", &secret),
        ] {
            emulator::keep_secret(Kept::Parameter, &format!("/guestlist/{name}"), text);
        }
        let outputs = deploy(&simulator.url(), canary);
        let bucket = outputs["PolicyPlace"]
            .strip_prefix("s3://")
            .and_then(|place| place.strip_suffix("/policy/policy.yaml"));
        let bucket = bucket.expect("the policy lies in a bucket").to_owned();
        emulator::put_object(&bucket, "policy/blocked.txt", "evil.example\n");
        emulator::put_object(&bucket, "policy/policy.yaml", POLICY);
        // The emulator serves `https://<id>.execute-api.<region>.amazonaws.com` by a path.
        let public_url = outputs["NotificationUrl"].strip_suffix("/graph/notifications").unwrap().to_owned();
        let api = public_url.strip_prefix("https://").and_then(|host| host.split('.').next()).unwrap();
        door::open_routes(api);
        for (function, _) in FUNCTIONS {
            powers::put(function, &powers::document(function));
        }
        let front_door = format!("{}/_aws/execute-api/{api}/$default", witness.address);
        simulator.forward(&public_url, &front_door);
        let (store, heard) = (Store::open(&outputs), Mutex::default());
        let keys = FUNCTIONS.iter().map(|(function, _)| (key_of(function), *function)).collect();
        Self {
            simulator,
            tenant,
            slack,
            teams,
            store,
            canary,
            bucket,
            issuer,
            witness,
            public_url,
            front_door,
            keys,
            heard,
            tended: Mutex::default(),
        }
    }

    /// What is true at last.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look().await {
                return found;
            }
            // No use in waiting. The role of `notifications` is the one of which a story takes something away.
            for (who, call) in &self.hear().denied {
                let why = String::from_utf8_lossy(&call.answer);
                assert_eq!(*who, "notifications", "{what}: the role of this one lacks a power: {why}");
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: that did not come true.\n{}", self.story_so_far());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The same while the timer of a function goes off every few seconds.
    pub(crate) async fn until_tended<T>(
        &self,
        function: &'static str,
        what: &str,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let tended = async || {
            if self.is_to_be_tended(function) {
                tend(function);
            }
            look().await
        };
        self.until(what, tended).await
    }

    /// Several stories may wait for it.
    fn is_to_be_tended(&self, function: &'static str) -> bool {
        let (mut tended, now) = (self.tended.lock().unwrap(), Instant::now());
        let lately = tended.get(function).is_some_and(|at| now.duration_since(*at) < TEND_EVERY);
        if !lately {
            tended.insert(function, now);
        }
        !lately
    }

    /// A function has used a power of its role.
    pub(crate) async fn until_used(&self, (function, action, about): (&str, &str, &str)) {
        let what = format!("{function} asks for {action} of {about}");
        self.until(&what, async || self.has_used((function, action, about)).then_some(())).await;
    }

    pub(crate) fn has_used(&self, (function, action, about): (&str, &str, &str)) -> bool {
        self.hear().asked.iter().any(|one| one.is(function, action, about))
    }

    pub(crate) fn asked(&self) -> BTreeSet<Asked> {
        self.hear().asked.clone()
    }

    /// Whatever has been answered since the last time, too.
    fn hear(&self) -> MutexGuard<'_, Heard> {
        let mut heard = self.heard.lock().unwrap();
        for call in self.witness.calls_after(heard.calls) {
            heard.calls += 1;
            let Some(who) = self.who(&call) else { continue };
            heard.asked.extend(powers::needs(who, &call));
            if call.is_denied() {
                heard.denied.push((who, call));
            }
        }
        heard
    }

    /// Which function has signed it.
    pub(crate) fn who(&self, call: &Call) -> Option<&'static str> {
        let key = call.key.as_deref()?;
        let found = self.keys.get(key).copied();
        Some(found.unwrap_or_else(|| {
            panic!("nobody knows the key `{key}`; has the emulator another way to make them?")
        }))
    }

    fn story_so_far(&self) -> String {
        let refused = self.witness.calls().into_iter().filter(|call| call.status >= 400);
        let refused = refused.map(|call| format!("{:?} {call:?}\n", self.who(&call))).collect::<String>();
        let logs = FUNCTIONS.map(|(function, _)| {
            let group = format!("/aws/lambda/{STACK}-{function}");
            format!("--- {group}\n{}", emulator::logs_of(&group))
        });
        format!("refused:\n{refused}{}", logs.concat())
    }
}

pub(crate) fn role_of(function: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{STACK}-{function}")
}

/// The id of the key with which a function signs. The emulator makes it of who the function is, and tells nobody.
fn key_of(function: &str) -> String {
    let function_arn = format!("arn:aws:lambda:{}:{ACCOUNT}:function:{STACK}-{function}", emulator::REGION);
    let digest = Sha256::digest(format!("{function_arn}:{}", role_of(function)));
    let start: String = digest.iter().take(8).map(|byte| format!("{byte:02X}")).collect();
    format!("ASIA{start}")
}

/// Three apps, of which none has a secret: each trusts one role.
fn contoso() -> Options {
    let mut options = Options::contoso(Arc::new(Timestamp::now));
    options.deliver = Delivery::ByHand;
    let steward = App { client_id: STEWARD, ..contoso::reader() };
    let apps = [("assess", contoso::reader()), ("remediate", contoso::writer()), ("steward", steward)];
    options.apps = apps
        .into_iter()
        .map(|(function, app)| App {
            secret: None,
            federated: vec![FederatedCredential {
                issuer: NAME.to_owned(),
                subject: role_of(function),
                audience: "api://AzureADTokenExchange".to_owned(),
                issuer_key_pem: CERTIFICATE.to_owned(),
            }],
            ..app
        })
        .collect();
    options
}

/// What the stack says in the end.
fn deploy(graph: &str, canary: Canary) -> BTreeMap<String, String> {
    let folder = TempDir::new().unwrap();
    // The template finds the zips by where it lies.
    let (infra, zips) = (folder.path().join("infra/aws"), folder.path().join("target/aws"));
    std::fs::create_dir_all(&infra).unwrap();
    std::fs::create_dir_all(&zips).unwrap();
    let template = infra.join("template.yaml");
    std::fs::copy(root().join("infra/aws/template.yaml"), &template).unwrap();
    let packed = FUNCTIONS.map(|(name, binary)| format!("{name}={binary}"));
    run(Command::new(root().join("tests/deploy/pack")).arg(&zips).args(packed));

    let tools =
        run(Command::new(root().join("infra/python")).arg(root().join("tests/deploy/requirements.txt")));
    let sam = Path::new(tools.trim()).join("bin/sam");
    let sam = |arguments: &[&str]| {
        let mut command = Command::new(&sam);
        command.args(arguments).args(["--stack-name", STACK, "--region", emulator::REGION]);
        // Nothing of whoever runs the tests: no account of his is ever reached.
        command
            .env_clear()
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("PATH", "/usr/bin:/bin");
        command.env("AWS_ENDPOINT_URL", emulator::address()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", emulator::KEY).env("AWS_SECRET_ACCESS_KEY", emulator::KEY);
        command
            .env("SAM_CLI_TELEMETRY", "0")
            .env("__SAM_CLI_APP_DIR", folder.path())
            .env("LC_ALL", "C.UTF-8");
        run(&mut command)
    };
    let (bucket, template) = (emulator::create_bucket(), template.to_str().unwrap());
    let parameters = [
        format!("TenantId={}", contoso::TENANT),
        format!("LoginUrl={graph}"),
        format!("GraphUrl={graph}"),
        format!("AssessClientId={}", contoso::READER),
        format!("RemediateClientId={}", contoso::WRITER),
        format!("StewardClientId={STEWARD}"),
        "AtMost=enforce".to_owned(),
        "SecretsIn=parameter-store".to_owned(),
        "StateKeys=/guestlist/state-keys".to_owned(),
        "LinkKeys=/guestlist/link-keys".to_owned(),
        "Channels=slack,teams,webhook".to_owned(),
        "SlackWebhookUrl=/guestlist/slack".to_owned(),
        "TeamsWebhookUrl=/guestlist/teams".to_owned(),
        "WebhookUrl=/guestlist/webhook".to_owned(),
        "WebhookSecret=/guestlist/webhook-secret".to_owned(),
        format!("CanaryUser={}", canary.user),
        format!("CanaryGroup={}", canary.group),
        format!("Architecture={}", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
    ];
    let mut deploy = vec!["deploy", "--template-file", template, "--s3-bucket", &bucket, "--no-progressbar"];
    deploy.extend([
        "--no-confirm-changeset",
        "--capabilities",
        "CAPABILITY_NAMED_IAM",
        "CAPABILITY_AUTO_EXPAND",
    ]);
    deploy.push("--parameter-overrides");
    deploy.extend(parameters.iter().map(String::as_str));
    sam(&deploy);
    let outputs: Value = serde_json::from_str(&sam(&["list", "stack-outputs", "--output", "json"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let outputs = outputs.as_array().unwrap().iter();
    outputs.map(|one| (text(&one["OutputKey"]), text(&one["OutputValue"]))).collect()
}

/// What it prints.
fn run(command: &mut Command) -> String {
    let ended = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?} ended with {}:\n{out}\n{complaints}", ended.status);
    out
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
