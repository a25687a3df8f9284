//! `guestlist stop` and `guestlist resume`: all writes to the tenant. The running process looks before each one.

use host::{Assembly, Environment};
use jiff::Timestamp;
use model::{NoticeKind, Stop};
use serde::Serialize;

use super::{asker, open};
use crate::args::{self, Output};
use crate::exit::Exit;
use crate::out;

/// How it stands after the command.
#[derive(Serialize)]
struct Writes {
    stopped: Option<Stop>,
    changed: bool,
}

pub(crate) async fn stop(
    environment: &Environment,
    stop: args::Stop,
    output: Output,
) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment)?;
    let reason = stop.reason.unwrap_or_else(|| "no reason given".to_owned());
    let stop = Stop { since: Timestamp::now(), by: asker(), reason };
    let text = format!("all writes to the tenant are stopped by {}: {}", stop.by, stop.reason);
    store.ledger.set_stop(&stop).await?;
    let said = "all writes to the tenant are stopped; `guestlist resume` allows them again";
    out::done(output, &Writes { stopped: Some(stop), changed: true }, said)?;
    tell(settings, store, NoticeKind::WritesStopped, "writes-stopped", text).await
}

pub(crate) async fn resume(
    environment: &Environment,
    stop: args::Stop,
    output: Output,
) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment)?;
    if !store.ledger.clear_stop().await? {
        out::done(output, &Writes { stopped: None, changed: false }, "writes were not stopped")?;
        return Ok(Exit::Well);
    }
    let reason = stop.reason.unwrap_or_else(|| "no reason given".to_owned());
    let said = "writes are allowed again; what waited is judged again first";
    out::done(output, &Writes { stopped: None, changed: true }, said)?;
    let text = format!("writes to the tenant are allowed again by {}: {reason}", asker());
    tell(settings, store, NoticeKind::WritesResumed, "writes-resumed", text).await
}

async fn tell(
    settings: host::Settings,
    store: host::Store,
    kind: NoticeKind,
    key: &str,
    text: String,
) -> anyhow::Result<Exit> {
    let notices = Assembly::notices_of(&settings, &store, &host::clock());
    if notices.routes.all().is_empty() {
        out::message(
            "nobody is told of it: set GUESTLIST_CHANNELS to the channels of the process that tells people",
        );
    }
    // Each stop and each resume is news.
    let key = format!("{key}/{}", Timestamp::now().as_second());
    notices.raise(kind, &key, text, 1).await?;
    Ok(Exit::Well)
}
