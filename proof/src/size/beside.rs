//! The handle on the tenant of the proof of size, which runs as another process: its clock, its acts, what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use wire::{Call, Wire};

/// Ends with its handle.
pub(super) struct Tenant {
    /// Where Graph and the tokens are.
    pub(super) graph: String,
    /// Where the acts are.
    pub(super) acts: String,
    wire: Wire,
    process: Child,
}

/// What Graph was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) round_trips: u64,
    pub(super) units: u64,
    pub(super) throttled: u64,
    /// The most in ten seconds, by the tenant's clock.
    pub(super) most_spent: u64,
    pub(super) writes: u64,
    pub(super) kinds: BTreeMap<String, Kind>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Kind {
    pub(super) requests: u64,
    pub(super) units: u64,
    /// Those that Graph may turn away first.
    pub(super) low: u64,
}

impl Tenant {
    pub(super) fn start(users: usize, groups: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["size-tenant", &users.to_string(), &groups.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the tenant")?;
        let said = process.stdout.take().context("the tenant says nothing")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let (graph, acts) = line.trim().split_once(' ').context("the tenant did not come up")?;
        let (graph, acts) = (graph.to_owned(), acts.to_owned());
        Ok(Self { graph, acts, wire: Wire::network()?, process })
    }

    async fn send(&self, call: Call) -> anyhow::Result<Value> {
        let path = call.url.path().to_owned();
        let reply = self.wire.send(call.timeout(std::time::Duration::from_secs(300))).await?;
        anyhow::ensure!(reply.status.is_success(), "{path} is answered {}", reply.status);
        Ok(serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }

    pub(super) async fn act(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Call::post(Url::parse(&format!("{}{path}", self.acts))?, "")).await
    }

    /// Since the last time.
    pub(super) async fn asked(&self) -> anyhow::Result<Asked> {
        let told = self.send(Call::get(Url::parse(&format!("{}/traffic", self.acts))?)).await?;
        let number =
            |name: &str| told.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}"));
        let mut kinds = BTreeMap::new();
        for kind in told.get("kinds").and_then(Value::as_array).into_iter().flatten() {
            let what = kind.get("what").and_then(Value::as_str).context("a kind without a name")?;
            kinds.insert(what.to_owned(), Kind::deserialize(kind)?);
        }
        Ok(Asked {
            round_trips: number("round_trips")?,
            units: number("units")?,
            throttled: number("throttled")?,
            most_spent: number("most_spent")?,
            writes: number("writes")?,
            kinds,
        })
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Asked {
    pub(super) fn of(&self, what: &str) -> u64 {
        self.kinds.get(what).map_or(0, |kind| kind.requests)
    }
}
