//! A function's process under a Runtime API, stopped whenever it has answered, as Lambda does it.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::sync::Mutex;

use crate::runtime::{Answer, Runtime};

/// So long the test waits for what takes a second or two, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// As the deployment sets the timeout of a function.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Where each function's binary is: built from its own source.
const BINARIES: [(&str, &str); 6] = [
    ("notifications", env!("CARGO_BIN_EXE_lambda-notifications")),
    ("assess", env!("CARGO_BIN_EXE_lambda-assess")),
    ("remediate", env!("CARGO_BIN_EXE_lambda-remediate")),
    ("alert", env!("CARGO_BIN_EXE_lambda-alert")),
    ("steward", env!("CARGO_BIN_EXE_lambda-steward")),
    ("approvals", env!("CARGO_BIN_EXE_lambda-approvals")),
];

pub(crate) struct Function {
    name: &'static str,
    runtime: Runtime,
    process: std::sync::Mutex<Child>,
    log: NamedTempFile,
    out: NamedTempFile,
    /// Lambda gives an instance one event at a time.
    turn: Mutex<()>,
    invoked: AtomicU64,
}

impl Function {
    /// Starts it with these variables, and nothing of ours.
    pub(crate) async fn start(name: &'static str, environment: &[(String, String)]) -> Self {
        // No test reaches a real service. Without any setting a function ends before it could.
        for place in ["GUESTLIST_LOGIN_URL", "GUESTLIST_GRAPH_URL", "AWS_ENDPOINT_URL"] {
            let at = environment.iter().find(|(setting, _)| setting == place).map(|(_, address)| address);
            let is_real = at.is_none_or(|address| address.starts_with("https:"));
            assert!(environment.is_empty() || !is_real, "{place} would be a real service");
        }
        let runtime = Runtime::open().await;
        let binary = BINARIES.iter().find(|(one, _)| *one == name).map(|(_, path)| PathBuf::from(path));
        let (log, out) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
        let process = Command::new(binary.expect("a function of this name"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &runtime.address)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_REGION", emulator::REGION)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out.reopen().unwrap())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        runtime.watch(process.id());
        let process = std::sync::Mutex::new(process);
        Self { name, runtime, process, log, out, turn: Mutex::new(()), invoked: AtomicU64::new(0) }
    }

    /// One event, and the answer. When this returns the process is stopped: whatever it has done, it has done before it
    /// answered.
    pub(crate) async fn invoke(&self, event: Value) -> Answer {
        let _turn = self.turn.lock().await;
        self.invoked.fetch_add(1, Ordering::SeqCst);
        let answer = self.runtime.hand_over(&event, TIMEOUT);
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        // The signal is sent; when the kernel shows it is the kernel's affair.
        while answer.is_ok() && !self.is_stopped() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        answer.unwrap_or_else(|_| panic!("{} did not answer:\n{}", self.name, self.log())).unwrap()
    }

    /// Bytes that CloudWatch would have been given.
    pub(crate) fn logged(&self) -> usize {
        read(&self.log).len() + read(&self.out).len()
    }

    pub(crate) fn invocations(&self) -> u64 {
        self.invoked.load(Ordering::SeqCst)
    }

    /// Ends by itself, as a process does that cannot begin.
    pub(crate) async fn ended(&self) -> Option<i32> {
        for _ in 0..600 {
            if let Some(status) = self.process.lock().unwrap().try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} did not end", self.name);
    }

    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// What CloudWatch would make of its standard output: each metric's value in each line that has one, and its labels.
    pub(crate) fn metrics(&self, name: &str) -> Vec<(Value, Value)> {
        let with_it = self.told().into_iter().filter(|line| !line[name].is_null());
        with_it.map(|line| (line[name].clone(), line)).collect()
    }

    /// Its standard output.
    pub(crate) fn told(&self) -> Vec<Value> {
        let lines = read(&self.out);
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of metrics")).collect()
    }

    /// By what the kernel says (`man 5 proc`): the state follows the name, which is in brackets.
    fn is_stopped(&self) -> bool {
        let id = self.process.lock().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        status.rsplit(") ").next().unwrap().starts_with('T')
    }
}

impl Drop for Function {
    /// It may be stopped, and then hears of nothing else.
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap();
        let _ = process.kill();
        let _ = process.wait();
    }
}

fn read(file: &NamedTempFile) -> String {
    let mut text = String::new();
    file.reopen().unwrap().read_to_string(&mut text).unwrap();
    text
}
