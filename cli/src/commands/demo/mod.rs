//! `guestlist demo`: the simulated tenant, everything that `serve` runs, and a story of benign and hostile acts.

mod act;
mod ending;
mod stage;
mod story;

use std::time::Instant;

use serde::Serialize;

use super::words;
use crate::args::{self, Output};
use crate::exit::Exit;
use crate::out::{self, Colour};
use act::Shown;
use stage::Stage;

/// What Graph calls; the simulated tenant plays the reverse proxy behind it.
pub(super) const PUBLIC_URL: &str = "https://guestlist.example";

#[derive(Serialize)]
struct Played {
    acts: Vec<Shown>,
    /// With the demo's own policy.
    as_expected: Option<bool>,
    seconds: f64,
    /// From an act to the read-back of its remediation.
    median_milliseconds: Option<u64>,
    graph_requests: u64,
    graph_round_trips: u64,
    messages: usize,
    first_message: Option<String>,
}

pub(crate) async fn run(demo: args::Demo, output: Output) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let stage = Stage::set(&demo, output).await?;
    out::message(&format!("a simulated tenant is at {}, and Guestlist watches it", stage.simulator.url()));
    if output == Output::Text {
        let [first, second, third] = act::COLUMNS;
        let heading = format!(
            "{:<first$} {:<second$} {:<third$} {:>5}",
            "WHAT HAPPENED", "VERDICT", "WHAT WAS DONE", "MS"
        );
        out::painted(&[(&heading, Colour::Dim)])?;
    }
    let acts = story::play(&stage).await?;
    let played = summary(&stage, acts, began);
    out::show(output, &played, print)?;
    if !demo.once {
        stay(&stage).await?;
    }
    stage.strike().await?;
    Ok(if played.as_expected == Some(false) { Exit::NotWell } else { Exit::Well })
}

fn summary(stage: &Stage, acts: Vec<Shown>, began: Instant) -> Played {
    let traffic = stage.simulator.traffic();
    let mut milliseconds: Vec<u64> =
        acts.iter().filter(|one| one.acted).map(|one| one.milliseconds).collect();
    milliseconds.sort_unstable();
    Played {
        as_expected: stage.own_policy.then(|| acts.iter().all(|one| one.as_expected == Some(true))),
        acts,
        seconds: began.elapsed().as_secs_f64(),
        median_milliseconds: milliseconds.get(milliseconds.len() / 2).copied(),
        graph_requests: traffic.requests,
        graph_round_trips: traffic.round_trips,
        messages: stage.chat.count(),
        first_message: stage.chat.first(),
    }
}

fn print(played: &Played) -> anyhow::Result<()> {
    let acts = played.acts.len();
    let ended = match played.as_expected {
        Some(_) => {
            let as_expected = played.acts.iter().filter(|one| one.as_expected == Some(true)).count();
            format!("{as_expected} of {acts} acts ended as they should")
        }
        None => format!("{acts} acts under your policy"),
    };
    out::line("")?;
    out::line(&format!("{ended}, in {:.1} s.", played.seconds))?;
    if let Some(median) = played.median_milliseconds {
        out::line(&format!("From an act to the read-back of its remediation: {median} ms (median)."))?;
    }
    let (requests, round_trips) = (played.graph_requests, played.graph_round_trips);
    let colon = if played.first_message.is_some() { ". The first one:" } else { "." };
    out::line(&format!(
        "Microsoft Graph was asked {requests} times in {round_trips} round trips; messages in chat: {}{colon}",
        played.messages,
    ))?;
    for line in played.first_message.iter().flat_map(|text| text.lines()) {
        out::line(&format!("  │ {line}"))?;
    }
    Ok(())
}

async fn stay(stage: &Stage) -> anyhow::Result<()> {
    let url = stage.simulator.url();
    out::message(&format!(
        "\nGuestlist goes on watching; end it with Ctrl-C. Try for yourself (GET {url}/control/acts tells more):\n  \
         curl -s {url}/control/invite -H 'content-type: application/json' \\\n    \
         -d '{{\"address\": \"eve@evil.example\", \"by\": \"alice@contoso.com\"}}'\n  \
         GUESTLIST_TENANT_ID={} GUESTLIST_DATA={} {} incidents",
        stage.tenant,
        stage.data().display(),
        words::ourselves()
    ));
    host::asked_to_stop().await;
    Ok(())
}
