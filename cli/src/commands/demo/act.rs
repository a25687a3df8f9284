//! One act of the story: do it, wait until Guestlist has come to rest over it, and tell what became of it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use model::{Incident, ObjectId, State, StepResult, Wake};
use serde::Serialize;
use uuid::Uuid;

use super::stage::Stage;
use crate::args::Output;
use crate::out::{self, Colour};

/// How an act ought to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    LeftAlone,
    Disabled,
    /// A finding that people are told, and nothing is done.
    Told,
    /// Protected: a person is asked to act.
    Refused,
    /// What was done is undone, and stays so.
    Undone,
}

/// What became of an act.
#[derive(Serialize)]
pub(super) struct Shown {
    what: String,
    verdict: String,
    done: String,
    /// From the act to the read-back of what was done about it, else until Guestlist had looked.
    pub(super) milliseconds: u64,
    /// Something was written to the tenant.
    pub(super) acted: bool,
    /// Known of the demo's own policy only.
    pub(super) as_expected: Option<bool>,
}

/// Longer than a worker that was disturbed keeps what it holds.
const PATIENCE: Duration = Duration::from_mins(3);

impl Stage {
    /// Does something to a user and waits for Guestlist.
    pub(super) async fn watch(
        &self,
        what: &str,
        user: Uuid,
        ends: Ends,
        act: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Shown> {
        let looks = self.looks_at(user);
        let (began, at) = (Instant::now(), Timestamp::now());
        act()?;
        self.until(what, async || Ok(self.looks_at(user) > looks && self.at_rest(user).await?)).await?;
        self.show(what, user, ends, began, at).await
    }

    /// As [`Stage::watch`], for an act that made the user.
    pub(super) async fn watch_new(
        &self,
        what: &str,
        user: Uuid,
        ends: Ends,
        began: (Instant, Timestamp),
    ) -> anyhow::Result<Shown> {
        self.until(what, async || Ok(self.looks_at(user) > 0 && self.at_rest(user).await?)).await?;
        self.show(what, user, ends, began.0, began.1).await
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if done().await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(anyhow::anyhow!("Guestlist did not come to rest"))
            .with_context(|| format!("failed to play: {what}"))
    }

    /// How often Graph was asked for this user alone.
    pub(super) fn looks_at(&self, user: Uuid) -> usize {
        let path = format!("/users/{user}");
        self.simulator.traffic().log.iter().filter(|call| call.method == "GET" && call.path == path).count()
    }

    async fn at_rest(&self, user: Uuid) -> anyhow::Result<bool> {
        for queue in [&self.store.queues.changes, &self.store.queues.remediations] {
            let depth = queue.depth(Timestamp::now()).await?;
            if depth.ready > 0 || depth.claimed > 0 {
                return Ok(false);
            }
        }
        let moving = |incident: &Incident| {
            let awake = !matches!(incident.wake, Wake::None);
            awake
                || matches!(
                    incident.state,
                    State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. }
                )
        };
        Ok(!self.incidents(user).await?.iter().any(moving))
    }

    pub(super) async fn incidents(&self, user: Uuid) -> anyhow::Result<Vec<Incident>> {
        let stored = self.store.ledger.incidents_of(ObjectId::from_u128(user.as_u128())).await?;
        Ok(stored.into_iter().map(|stored| stored.value).collect())
    }

    async fn show(
        &self,
        what: &str,
        user: Uuid,
        ends: Ends,
        began: Instant,
        at: Timestamp,
    ) -> anyhow::Result<Shown> {
        let incidents = self.incidents(user).await?;
        let enabled = self.simulator.tenant().user(user).context("the user is gone")?.enabled;
        let mut milliseconds = in_milliseconds(began.elapsed());
        let mut acted = false;
        for incident in &incidents {
            for outcome in self.store.ledger.outcomes(&incident.id).await? {
                if outcome.result == StepResult::Done && outcome.at >= at {
                    acted = true;
                    let taken = outcome.at.duration_since(at).as_millis();
                    milliseconds = u64::try_from(taken).unwrap_or(milliseconds);
                }
            }
        }
        self.tell(Shown {
            what: what.to_owned(),
            verdict: verdict(&incidents),
            done: done(&incidents, enabled),
            milliseconds,
            acted,
            as_expected: self.own_policy.then(|| as_expected(ends, enabled, &incidents)),
        })
    }

    /// An act on something else than a user.
    pub(super) fn show_plain(
        &self,
        (what, verdict, done): (&str, &str, &str),
        began: Instant,
        as_expected: bool,
    ) -> anyhow::Result<Shown> {
        self.tell(Shown {
            what: what.to_owned(),
            verdict: verdict.to_owned(),
            done: done.to_owned(),
            milliseconds: in_milliseconds(began.elapsed()),
            acted: false,
            as_expected: Some(as_expected),
        })
    }

    fn tell(&self, shown: Shown) -> anyhow::Result<Shown> {
        match self.output {
            Output::Json => {}
            Output::Text => {
                let Shown { what, verdict, done, milliseconds, acted: _, as_expected } = &shown;
                let text = format!("{what:<65} {verdict:<39} {done:<19} {milliseconds:>5}");
                if *as_expected == Some(false) {
                    out::painted(&[(&format!("{text}  NOT AS IT SHOULD BE"), Colour::Red)])?;
                } else {
                    out::line(&text)?;
                }
            }
        }
        Ok(shown)
    }
}

fn in_milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn as_expected(ends: Ends, enabled: bool, incidents: &[Incident]) -> bool {
    let any = |wanted: fn(&State) -> bool| incidents.iter().any(|incident| wanted(&incident.state));
    match ends {
        Ends::LeftAlone => enabled && incidents.iter().all(|incident| incident.state.is_closed()),
        Ends::Disabled => !enabled && any(|state| matches!(state, State::Done { .. })),
        Ends::Told => enabled && any(|state| matches!(state, State::Open)),
        Ends::Refused => enabled && any(|state| matches!(state, State::Refused { .. })),
        Ends::Undone => enabled && any(|state| matches!(state, State::Undone { .. })),
    }
}

fn verdict(incidents: &[Incident]) -> String {
    let open: Vec<String> = incidents
        .iter()
        .filter(|incident| !incident.state.is_closed())
        .map(|incident| incident.key.rule.to_string())
        .collect();
    if !open.is_empty() {
        return format!("breaks {}", open.join(", "));
    }
    let undone = incidents.iter().find(|incident| matches!(incident.state, State::Undone { .. }));
    undone.map_or_else(|| "no objection".to_owned(), |one| format!("{} is suspended", one.key.rule))
}

fn done(incidents: &[Incident], enabled: bool) -> String {
    let words: BTreeSet<&str> = incidents
        .iter()
        .map(|incident| match &incident.state {
            State::Done { .. } => "disabled, read back",
            State::Refused { .. } => "refused: protected",
            State::Open => "told",
            State::Undone { .. } if enabled => "enabled again",
            State::Failed { .. } => "failed",
            State::Claimed { .. }
            | State::Sent { .. }
            | State::Undoing { .. }
            | State::Undone { .. }
            | State::Resolved { .. } => "nothing",
        })
        .collect();
    if words.is_empty() { "nothing".to_owned() } else { words.into_iter().collect::<Vec<_>>().join(", ") }
}
