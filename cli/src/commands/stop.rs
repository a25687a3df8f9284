//! `guestlist stop` and `guestlist resume`: all writes to the tenant. The running process looks before each one, and tells
//! people of both.

use host::Environment;
use model::{Resumed, Stop};
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
    let (settings, store) = open(environment).await?;
    let reason = stop.reason.unwrap_or_else(no_reason);
    let by = asker(&settings).await;
    let stop = Stop { since: store.now().await?, by, reason, ended: None };
    store.ledger.set_stop(&stop).await?;
    let said = "all writes to the tenant are stopped; `guestlist resume` allows them again";
    out::done(output, &Writes { stopped: Some(stop), changed: true }, said)?;
    Ok(Exit::Well)
}

pub(crate) async fn resume(
    environment: &Environment,
    stop: args::Stop,
    output: Output,
) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment).await?;
    let reason = stop.reason.unwrap_or_else(no_reason);
    let by = asker(&settings).await;
    let resumed = Resumed { at: store.now().await?, by, reason };
    if !store.ledger.end_stop(&resumed).await? {
        out::done(output, &Writes { stopped: None, changed: false }, "writes were not stopped")?;
        return Ok(Exit::Well);
    }
    let said = "writes are allowed again; what waited is judged again first";
    out::done(output, &Writes { stopped: None, changed: true }, said)?;
    Ok(Exit::Well)
}

fn no_reason() -> String {
    "no reason given".to_owned()
}
