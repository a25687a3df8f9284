//! The real binary as a process of its own, beside a simulated tenant and a chat channel in this one.
#![expect(dead_code, reason = "each test file uses a part of it")]

use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use jiff::Timestamp;
use simulator::{Options, Simulator, contoso};
use tempfile::TempDir;

pub(crate) const POLICY: &str = r#"
version: 1
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

const PUBLIC_URL: &str = "https://guestlist.example";

pub(crate) struct Tenant {
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    chat: String,
    told: Arc<Mutex<Vec<String>>>,
}

impl Tenant {
    pub(crate) async fn start() -> Self {
        // A port that was free a moment ago: the process has to be told one before it runs.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut options = Options::contoso(Arc::new(Timestamp::now));
        options.receivers = vec![(PUBLIC_URL.to_owned(), format!("http://127.0.0.1:{port}"))];
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
        let chat = format!("http://{}/services/x", listener.local_addr().unwrap());
        let router = Router::new().route("/services/x", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { simulator, folder, port, chat, told }
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GUESTLIST_TENANT_ID", contoso::TENANT.to_string()),
            ("GUESTLIST_LOGIN_URL", self.simulator.url()),
            ("GUESTLIST_GRAPH_URL", self.simulator.url()),
            ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("GUESTLIST_LISTEN", format!("127.0.0.1:{}", self.port)),
            ("GUESTLIST_POLICY", self.policy().display().to_string()),
            ("GUESTLIST_DATA", self.folder.path().join("data").display().to_string()),
            ("GUESTLIST_READ_CLIENT_ID", contoso::READER.to_string()),
            ("GUESTLIST_READ_CLIENT_SECRET", contoso::READER_SECRET.to_owned()),
            ("GUESTLIST_WRITE_CLIENT_ID", contoso::WRITER.to_string()),
            ("GUESTLIST_WRITE_CLIENT_SECRET", contoso::WRITER_SECRET.to_owned()),
            ("GUESTLIST_SLACK_WEBHOOK_URL", self.chat.clone()),
            ("GUESTLIST_AT_MOST", "enforce".to_owned()),
        ]
    }

    /// Runs one command beside the serving process.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        command(arguments).envs(self.environment()).output().unwrap()
    }

    pub(crate) async fn until_subscribed(&self) {
        self.until("subscribed", || self.simulator.subscriptions().len() == 2).await;
    }

    pub(crate) async fn until(&self, what: &str, done: impl Fn() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(60), "not {what} within a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// So many incidents are done, says the command line.
    pub(crate) async fn until_all_done(&self, count: usize) {
        let done = || {
            let output = self.run(&["incidents", "--state", "done", "--output", "json", "--limit", "1000"]);
            let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            found.as_array().unwrap().len() == count
        };
        self.until("all done", done).await;
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guestlist"));
    // Nothing of the developer's own settings may reach a test.
    command.args(arguments).env_clear().env("NO_COLOR", "1");
    command
}

pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn serve(tenant: &Tenant) -> Self {
        let log = tenant.folder.path().join("log");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command(&["serve"])
            .envs(tenant.environment())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn kill_nine(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    std::fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}
