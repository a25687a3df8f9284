//! A simulated tenant and a chat channel in this process, and the real binary beside them. Dropping it fails the test when
//! a secret, or a character that a terminal would obey, was printed or logged.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use jiff::Timestamp;
use serde_json::Value;
use simulator::{Invite, NewGroup, Options, Simulator, contoso};
use tempfile::TempDir;
use uuid::Uuid;

use crate::process::Process;

pub(crate) const POLICY: &str = r#"version: 1
mode: enforce
lists:
  blocked: { entries: [evil.example] }
partners:
  fabrikam: { domains: [fabrikam.com] }
guardrails:
  - id: blocked-domain
    severity: high
    if: { domain: [blocked] }
    then: [disable]
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
otherwise:
  guest: { severity: medium, then: [disable] }
"#;

/// Rules about groups: one acts, one asks, one is about owners.
pub(crate) const GROUPS: &str = r#"version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com] }
guardrails:
  - id: closed-groups
    severity: high
    if: { joins: { name: "Finance *" } }
    then: [leave-group]
  - id: project-groups
    why: the project's owner decides who works on it
    if: { joins: { name: "Project *" } }
    then: [leave-group]
    mode: ask
  - id: guests-own-nothing
    if: { joins: { any_group: true }, as: owner }
    then: [drop-ownership]
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
otherwise:
  guest: { severity: medium, then: [disable] }
"#;

/// Nothing listens there: `doctor` asks, and must not leave this machine.
pub(crate) const PUBLIC_URL: &str = "https://127.0.0.1:1";
const CHAT_SECRET: &str = "the-secret-path-of-the-channel";

pub(crate) struct Tenant {
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    chat: String,
    told: Arc<Mutex<Vec<String>>>,
    printed: Mutex<Vec<String>>,
}

impl Tenant {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let port = free_port();
        let mut options = Options::contoso(Arc::new(Timestamp::now));
        options.receivers = vec![(PUBLIC_URL.to_owned(), format!("http://127.0.0.1:{port}"))];
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        let take = async move |body: Bytes| {
            kept.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
            "ok"
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let path = format!("/services/{CHAT_SECRET}");
        let chat = format!("http://{}{path}", listener.local_addr().unwrap());
        let router = Router::new().route(&path, post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { simulator, folder, port, chat, told, printed: Mutex::default() }
    }

    /// All messages, as they came.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn told_with(&self, text: &str) -> usize {
        self.told().iter().filter(|told| told.contains(text)).count()
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn invite(&self, address: &str) -> Uuid {
        self.invite_as(address, None)
    }

    pub(crate) fn invite_as(&self, address: &str, name: Option<&str>) -> Uuid {
        let name = name.map(str::to_owned);
        self.simulator.tenant().invite(Invite { name, ..Invite::new(address, contoso::ALICE) })
    }

    /// Serves under this policy, with an app that may write groups.
    pub(crate) async fn serve_under(&self, policy: &str) -> Process {
        std::fs::write(self.policy(), policy).unwrap();
        let mut roles = contoso::writer().roles;
        roles.push("Group.ReadWrite.All".to_owned());
        self.simulator.grant(contoso::WRITER, &roles.iter().map(String::as_str).collect::<Vec<_>>());
        self.serve().await
    }

    /// A group that Alice owns.
    pub(crate) fn group(&self, name: &str) -> Uuid {
        let owners = vec![contoso::ALICE];
        self.simulator.tenant().create_group(NewGroup { owners, ..NewGroup::named(name) })
    }

    pub(crate) fn add(&self, group: Uuid, guest: Uuid) {
        self.simulator.tenant().add_member(group, guest).unwrap();
    }

    pub(crate) fn is_member(&self, group: Uuid, guest: Uuid) -> bool {
        self.simulator.tenant().is_member(group, guest)
    }

    /// Waits until this guest has an incident in this state, and returns its id.
    pub(crate) async fn until_state(&self, guest: Uuid, state: &str) -> String {
        let find = || self.incidents_of(guest).into_iter().find(|one| one["state"]["state"] == state);
        self.until(state, || find().is_some()).await;
        find().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until nothing is on its way: then a test's next act is the only news.
    pub(crate) async fn at_rest(&self) {
        let idle = |queue: &Value| queue["ready"] == 0 && queue["claimed"] == 0;
        let quiet = || {
            let queues = &self.json(&["status"])["queues"];
            self.simulator.waiting_notifications() == 0 && queues.as_array().unwrap().iter().all(idle)
        };
        self.until("at rest", quiet).await;
    }

    pub(crate) fn is_enabled(&self, user: Uuid) -> bool {
        self.simulator.tenant().user(user).unwrap().enabled
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GUESTLIST_TENANT_ID", contoso::TENANT.to_string()),
            ("GUESTLIST_LOGIN_URL", self.simulator.url()),
            ("GUESTLIST_GRAPH_URL", self.simulator.url()),
            ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("GUESTLIST_LISTEN", format!("127.0.0.1:{}", self.port)),
            ("GUESTLIST_POLICY", self.policy().display().to_string()),
            ("GUESTLIST_DATA", self.data().display().to_string()),
            ("GUESTLIST_READ_CLIENT_ID", contoso::READER.to_string()),
            ("GUESTLIST_READ_CLIENT_SECRET", contoso::READER_SECRET.to_owned()),
            ("GUESTLIST_WRITE_CLIENT_ID", contoso::WRITER.to_string()),
            ("GUESTLIST_WRITE_CLIENT_SECRET", contoso::WRITER_SECRET.to_owned()),
            ("GUESTLIST_SLACK_WEBHOOK_URL", self.chat.clone()),
            ("GUESTLIST_AT_MOST", "enforce".to_owned()),
            // Anybody can set these, and they name nobody for the record.
            ("USER", "carol".to_owned()),
            ("SUDO_USER", "carol".to_owned()),
        ]
    }

    /// Runs one command to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Printed {
        self.run_with(&[], arguments)
    }

    /// The same with some settings changed; an empty one is unset.
    #[track_caller]
    pub(crate) fn run_with(&self, changed: &[(&str, &str)], arguments: &[&str]) -> Printed {
        let mut command = command(arguments);
        command.envs(self.environment()).envs(changed.iter().copied());
        let printed = Printed::of(command.output().unwrap());
        self.printed.lock().unwrap().extend([printed.stdout.clone(), printed.stderr.clone()]);
        printed
    }

    /// The answer as JSON, whatever the exit code.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        let printed = self.run(&arguments);
        serde_json::from_str(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
    }

    /// A process that serves, and has subscribed.
    pub(crate) async fn serve(&self) -> Process {
        let process = Process::serve(self);
        self.until("subscribed", || self.simulator.subscriptions().len() == 2).await;
        process
    }

    pub(crate) async fn until(&self, what: &str, done: impl Fn() -> bool) {
        self.until_within(Duration::from_secs(60), what, done).await;
    }

    pub(crate) async fn until_within(&self, patience: Duration, what: &str, done: impl Fn() -> bool) {
        let began = Instant::now();
        while !done() {
            let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(began.elapsed() < patience, "not {what} within {patience:?}; the log:\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The incidents of this guest, as the command line shows them.
    pub(crate) fn incidents_of(&self, guest: Uuid) -> Vec<Value> {
        let found = self.json(&["incidents", "--guest", &guest.to_string()]);
        found.as_array().unwrap().clone()
    }

    /// Waits until this guest's account is disabled and each of his incidents says so; returns the one that did it.
    pub(crate) async fn until_done(&self, guest: Uuid) -> String {
        self.until("disabled", || !self.is_enabled(guest)).await;
        let all_done = || {
            let found = self.incidents_of(guest);
            !found.is_empty() && found.iter().all(|one| one["state"]["state"] == "done")
        };
        self.until("done", all_done).await;
        let ids = self.incidents_of(guest).into_iter().map(|one| one["id"].as_str().unwrap().to_owned());
        let ours = |id: &String| {
            let outcomes = &self.json(&["incidents", "show", id])["outcomes"];
            outcomes.as_array().unwrap().iter().any(|one| one["result"]["result"] == "done")
        };
        ids.into_iter().find(ours).unwrap()
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = vec![
            contoso::READER_SECRET.to_owned(),
            contoso::WRITER_SECRET.to_owned(),
            CHAT_SECRET.to_owned(),
        ];
        let keys = std::fs::read_to_string(self.data().join("state-keys")).unwrap_or_default();
        let lines = keys.lines().filter(|line| !line.starts_with('#'));
        secrets
            .extend(lines.flat_map(str::split_whitespace).filter(|word| word.len() > 20).map(str::to_owned));
        secrets
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut shown = std::mem::take(self.printed.get_mut().unwrap());
        shown.extend(std::fs::read_to_string(self.log()).ok());
        let secrets = self.secrets();
        for text in &shown {
            for secret in &secrets {
                assert!(!text.contains(secret), "a secret was shown: `{secret}` in\n{text}");
            }
            assert!(!text.contains("Bearer "), "a token was shown:\n{text}");
            let obeyed = text.chars().find(|c| is_obeyed(*c));
            assert!(obeyed.is_none(), "a terminal would obey {obeyed:?} in\n{text}");
        }
        for mail in self.simulator.tenant().users().iter().filter_map(|user| user.mail.as_ref()) {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!log.contains(mail.as_str()), "the log names `{mail}`:\n{log}");
        }
    }
}

/// What a terminal acts upon, or shows elsewhere than it stands.
fn is_obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || turns
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Printed {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

/// The binary with these arguments and nothing of the developer's own settings.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guestlist"));
    command.args(arguments).env_clear();
    command
}

#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Printed {
    Printed::of(command(arguments).output().unwrap())
}

/// The operating system's user who runs the tests.
pub(crate) fn me() -> String {
    let id = |flag| Command::new("id").arg(flag).output().unwrap();
    let (name, number) = (id("-un"), String::from_utf8(id("-u").stdout).unwrap());
    let known = name.status.success();
    if known {
        String::from_utf8(name.stdout).unwrap().trim().to_owned()
    } else {
        format!("uid {}", number.trim())
    }
}

/// Ids and moments differ in every run.
pub(crate) fn without_ids(line: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(['`', '(', ')', ':', '.', ',']);
        let digits = bare.chars().filter(char::is_ascii_hexdigit).count();
        let id = digits >= 17 && bare.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        let moment =
            bare.contains("2026-") || bare.starts_with(|c: char| c.is_ascii_digit()) && bare.contains(':');
        let year = bare.len() == 10 && bare.matches('-').count() == 2;
        if id {
            word.replace(bare, "<id>")
        } else if moment || year {
            word.replace(bare, "<when>")
        } else {
            word.to_owned()
        }
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Below the range from which the system gives ports away, so that nobody gets it in between.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
