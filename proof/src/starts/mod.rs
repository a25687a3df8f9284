//! How long a function takes from the start of its process to its first request for an event, and to its first answer, beside an empty
//! function and beside the least one with the same clients of AWS. All of them take turns in one run, so that each has the same machine.
//!
//! What is not here is what AWS does before it starts the process: fetching and unpacking the zip.

mod runtime;
mod services;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use host::{Environment, Needs, Settings, Store};
use model::Watched;
use seal::StateKeys;
use serde_json::{Value, json};

use self::runtime::Runtime;
use crate::receiver::{TENANT, item, record};

const ROUNDS: usize = 40;
/// The first ones fill the machine's caches.
const WARM_UP: usize = 3;

/// A function, and its first event.
struct Candidate {
    name: &'static str,
    binary: PathBuf,
    event: Value,
    /// Whether this is the answer of one that works.
    is_right: fn(&Value) -> bool,
    samples: Vec<Sample>,
}

struct Sample {
    /// From the start of the process.
    asked: Duration,
    answered: Duration,
    /// Bytes, at most so far.
    memory: u64,
}

/// `binaries` has ours as `guestlist-NAME` and the others as `beside-NAME`; `zips` has `NAME.zip`.
pub(crate) async fn measure(binaries: &Path, zips: &Path) -> anyhow::Result<()> {
    let services = services::serve().await?;
    let environment = environment(&services);
    let event = notification(&environment).await?;
    let mut candidates = candidates(binaries, &event);
    for round in 0..WARM_UP + ROUNDS {
        for candidate in &mut candidates {
            let sample =
                start(candidate, &environment).await.with_context(|| format!("`{}`", candidate.name))?;
            if round >= WARM_UP {
                candidate.samples.push(sample);
            }
        }
    }
    println!(
        "function        zip, MB   first request, ms   first answer, ms   memory, MiB    (the middle of {ROUNDS}; in brackets the 36th)"
    );
    for Candidate { name, samples, .. } in &candidates {
        let zip = std::fs::metadata(zips.join(format!("{name}.zip")))?.len();
        let asked = sorted(samples, |sample| sample.asked.as_secs_f64() * 1e3);
        let answered = sorted(samples, |sample| sample.answered.as_secs_f64() * 1e3);
        let memory = sorted(samples, |sample| sample.memory as f64 / 1_048_576.0);
        println!(
            "{name:<15} {:>7.2}   {:>9.1} ({:>5.1})   {:>8.1} ({:>5.1})   {:>11.1}",
            zip as f64 / 1e6,
            middle(&asked),
            ninth(&asked),
            middle(&answered),
            ninth(&answered),
            middle(&memory),
        );
    }
    let answer_of = |name| {
        let found = candidates.iter().find(|candidate| candidate.name == name);
        found.map_or(f64::NAN, |one| middle(&sorted(&one.samples, |sample| sample.answered.as_secs_f64())))
    };
    println!(
        "first notification acknowledged, queued: {:.2} times the least function with the same clients",
        answer_of("notifications") / answer_of("minimal")
    );
    Ok(())
}

fn sorted(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ninth(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(f64::NAN)
}

fn candidates(binaries: &Path, notification: &Value) -> Vec<Candidate> {
    // What nobody can read goes to the dead letters, and people are told: the same for each queue.
    let batch: Value =
        serde_json::from_str(include_str!("../../../events/aws/sqs-batch.json")).unwrap_or_default();
    let page: Value =
        serde_json::from_str(include_str!("../../../events/aws/http-page.json")).unwrap_or_default();
    let taken = |answer: &Value| answer["statusCode"] == 202;
    let done = |answer: &Value| answer["batchItemFailures"] == json!([]);
    let of = |name, binary: &str, event: &Value, is_right: fn(&Value) -> bool| {
        let (binary, event) = (binaries.join(binary), event.clone());
        Candidate { name, binary, event, is_right, samples: Vec::new() }
    };
    vec![
        of("empty", "beside-empty", notification, taken),
        of("minimal", "beside-minimal", notification, taken),
        of("notifications", "guestlist-notifications", notification, taken),
        of("approvals", "guestlist-approvals", &page, |answer| answer["statusCode"] == 404),
        of("assess", "guestlist-assess", &batch, done),
        of("remediate", "guestlist-remediate", &batch, done),
        of("alert", "guestlist-alert", &batch, done),
        of("steward", "guestlist-steward", &batch, done),
    ]
}

/// A process that was started is ended, whatever comes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(candidate: &Candidate, environment: &[(String, String)]) -> anyhow::Result<Sample> {
    let runtime = Runtime::open(&candidate.event).await?;
    let log = tempfile::NamedTempFile::new()?;
    let mut command = Command::new(&candidate.binary);
    command.env_clear().envs(environment.iter().cloned()).env("AWS_LAMBDA_RUNTIME_API", &runtime.address);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen()?);
    let began = Instant::now();
    let process = Process(command.spawn().with_context(|| format!("{}", candidate.binary.display()))?);
    let said = || std::fs::read_to_string(log.path()).unwrap_or_default();
    let answered = runtime.answered().await.with_context(said)?;
    let memory = peak_memory(process.0.id()).context("nobody tells how much memory it has")?;
    anyhow::ensure!((candidate.is_right)(&answered.answer), "it answered {}: {}", answered.answer, said());
    let since = |at: Instant| at.duration_since(began);
    Ok(Sample { asked: since(answered.asked_at), answered: since(answered.at), memory })
}

/// In bytes. Only Linux tells.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// For all functions: each takes what it needs.
fn environment(services: &str) -> Vec<(String, String)> {
    let id = "6f1d3c1e-0c55-4b8a-9c7e-2f7d5b1a0001";
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/src/starts/policy.yaml");
    let tenant = TENANT.to_string();
    let mut environment: Vec<(String, String)> = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "measured"),
        ("AWS_SECRET_ACCESS_KEY", "measured"),
        ("AWS_ENDPOINT_URL", services),
        ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("GUESTLIST_TABLE", "measured"),
        ("GUESTLIST_TENANT_ID", &tenant),
        ("GUESTLIST_PUBLIC_URL", "https://guestlist.example"),
        ("GUESTLIST_APPROVALS_URL", "https://guestlist.example"),
        ("GUESTLIST_LOGIN_URL", services),
        ("GUESTLIST_GRAPH_URL", services),
        ("GUESTLIST_READ_CLIENT_ID", id),
        ("GUESTLIST_READ_CLIENT_SECRET_PARAMETER", "/reader"),
        ("GUESTLIST_WRITE_CLIENT_ID", id),
        ("GUESTLIST_WRITE_CLIENT_SECRET_PARAMETER", "/writer"),
        ("GUESTLIST_STATE_KEYS_PARAMETER", "/keys"),
        ("GUESTLIST_LINK_KEYS_PARAMETER", "/keys"),
        ("GUESTLIST_CHANNELS", "slack"),
        ("GUESTLIST_SLACK_WEBHOOK_URL_PARAMETER", "/slack"),
        ("GUESTLIST_POLICY", policy),
        ("GUESTLIST_AT_MOST", "enforce"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for queue in ["CHANGES", "REMEDIATIONS", "ALERTS", "CHORES"] {
        for of in ["QUEUE", "DEAD"] {
            environment
                .push((format!("GUESTLIST_{of}_{queue}"), format!("{services}/000000000000/{of}-{queue}")));
        }
    }
    environment
}

/// An event of the front door with one genuine notification, whose subscription the table knows from then on.
async fn notification(environment: &[(String, String)]) -> anyhow::Result<Value> {
    let mut values = environment.to_vec();
    // By this it reads what a function would.
    values.push(("AWS_LAMBDA_RUNTIME_API".to_owned(), "measured".to_owned()));
    let settings = Settings::read(&Environment::of(values), Needs::default())?;
    let keys = StateKeys::parse(services::KEYS)?;
    let nonce = seal::nonce(host::random());
    let state = keys.seal(TENANT, Watched::Users, &nonce);
    let store = Store::on_aws(settings.aws.as_ref().context("no place on AWS")?, TENANT, &host::clock());
    store.ledger.insert(record(nonce, keys.sealing_key())).await?;
    let item = item(&uuid::Uuid::new_v4().to_string(), state.as_str());
    let mut event: Value = serde_json::from_str(include_str!("../../../events/aws/http-plain.json"))?;
    if let Some(body) = event.get_mut("body") {
        *body = json!({ "value": [item] }).to_string().into();
    }
    Ok(event)
}
