//! `guestlist demo`: the simulated tenant, everything that `serve` runs, and a story of benign and hostile acts.

mod act;
mod chat;
mod stage;
mod story;

use std::time::Instant;

use crate::args;
use crate::exit::Exit;
use crate::out::{self, Colour};
use act::Shown;
use stage::Stage;

/// What Graph calls; the simulated tenant plays the reverse proxy behind it.
pub(super) const PUBLIC_URL: &str = "https://guestlist.example";

pub(crate) async fn run(demo: args::Demo) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let own_story = demo.policy.is_none();
    let stage = Stage::set(&demo).await?;
    out::message(&format!("a simulated tenant is at {}, and Guestlist watches it", stage.simulator.url()));
    let mut shown = Vec::new();
    if own_story {
        out::line(&heading())?;
        shown = story::play(&stage).await?;
    }
    let as_expected = shown.iter().filter(|one| one.as_expected).count();
    if own_story {
        summary(&stage, &shown, as_expected, began)?;
    }
    if !demo.once {
        stay(&stage).await?;
    }
    stage.strike().await?;
    Ok(if as_expected == shown.len() { Exit::Well } else { Exit::NotWell })
}

fn heading() -> String {
    out::paint(
        &format!("{:<65} {:<39} {:<19} {:>5}", "WHAT HAPPENED", "VERDICT", "WHAT WAS DONE", "MS"),
        Colour::Dim,
    )
}

fn summary(stage: &Stage, shown: &[Shown], as_expected: usize, began: Instant) -> anyhow::Result<()> {
    let traffic = stage.simulator.traffic();
    let mut milliseconds: Vec<u128> =
        shown.iter().filter(|one| one.acted).map(|one| one.milliseconds).collect();
    milliseconds.sort_unstable();
    let median = milliseconds.get(milliseconds.len() / 2).copied().unwrap_or(0);
    out::line("")?;
    out::line(&format!(
        "{as_expected} of {} acts ended as they should, in {:.1} s. From an act to the read-back of its remediation: {median} ms \
         (median of {}).",
        shown.len(),
        began.elapsed().as_secs_f64(),
        milliseconds.len(),
    ))?;
    out::line(&format!(
        "Microsoft Graph was asked {} times in {} round trips; {} messages in chat. The first one:",
        traffic.requests,
        traffic.round_trips,
        stage.chat.count(),
    ))?;
    for line in stage.chat.first().unwrap_or_default().lines() {
        out::line(&format!("  │ {line}"))?;
    }
    Ok(())
}

async fn stay(stage: &Stage) -> anyhow::Result<()> {
    let url = stage.simulator.url();
    out::message("");
    out::message(&format!(
        "Guestlist goes on watching; end it with Ctrl-C. Try for yourself (GET {url}/control tells more):"
    ));
    out::message(&format!(
        "  curl -s -X POST {url}/control/invite -H 'content-type: application/json' \\\n       -d '{{\"address\": \"eve@evil.example\"}}'"
    ));
    out::message(&format!(
        "  GUESTLIST_TENANT_ID={} GUESTLIST_DATA={} guestlist incidents",
        stage.tenant,
        stage.data().display()
    ));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
