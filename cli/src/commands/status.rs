//! `guestlist status`: how Guestlist is, for people and for monitoring (the exit code).

use std::collections::BTreeMap;

use host::{Environment, Part, Settings, Store};
use jiff::{SignedDuration, Timestamp};
use ledger::IncidentFilter;
use model::{ChannelState, Stop};
use queue::Depth;
use serde::Serialize;

use super::{breaker, open, queues, subscriptions};
use crate::args::Output;
use crate::exit::Exit;
use crate::out::{self, Colour};

/// A job that is due this long has nobody who works on it.
const LONG: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize)]
struct Status {
    well: bool,
    troubles: Vec<String>,
    parts: Vec<PartStatus>,
    stopped: Option<Stop>,
    queues: Vec<QueueStatus>,
    subscriptions: Vec<subscriptions::Row>,
    channels: Vec<ChannelState>,
    incidents: BTreeMap<&'static str, usize>,
    waiting: breaker::Waiting,
    breaker: breaker::Standing,
}

#[derive(Serialize)]
struct PartStatus {
    name: &'static str,
    /// Not known where the file system has no locks.
    running: Option<bool>,
}

#[derive(Serialize)]
struct QueueStatus {
    name: &'static str,
    ready: u64,
    waiting: u64,
    claimed: u64,
    dead: u64,
    oldest_ready: Option<Timestamp>,
}

pub(crate) async fn run(environment: &Environment, output: Output) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment)?;
    let status = read(&settings, &store, Timestamp::now()).await?;
    out::show(output, &status, print)?;
    Ok(if status.well { Exit::Well } else { Exit::NotWell })
}

async fn read(settings: &Settings, store: &Store, now: Timestamp) -> anyhow::Result<Status> {
    let mut troubles = Vec::new();
    let parts = parts(settings, &mut troubles);
    let queues = depths(store, now, &mut troubles).await?;
    let records = store.ledger.subscriptions().await?;
    let subscriptions: Vec<_> = records.iter().map(|one| subscriptions::row(&one.value, now)).collect();
    for watched in subscriptions::unwatched(&subscriptions) {
        troubles.push(format!("there is no living subscription to `{watched}`: `guestlist serve` makes it"));
    }
    let stopped = store.ledger.stop().await?;
    if let Some(stop) = &stopped {
        troubles.push(format!("writes are stopped since {} by {}: {}", stop.since, stop.by, stop.reason));
    }
    let breaker = breaker::standing(store, now).await?;
    if breaker.open {
        troubles.push(breaker.in_words());
    }
    let channels = channels(store, &mut troubles).await?;
    Ok(Status {
        well: troubles.is_empty(),
        troubles,
        parts,
        stopped,
        queues,
        subscriptions,
        channels,
        incidents: incidents(store).await?,
        waiting: breaker::waiting(store).await?,
        breaker,
    })
}

fn parts(settings: &Settings, troubles: &mut Vec<String>) -> Vec<PartStatus> {
    let parts: Vec<PartStatus> = Part::ALL
        .into_iter()
        .map(|part| PartStatus { name: part.word(), running: host::is_running(&settings.data, part).ok() })
        .collect();
    let idle: Vec<&str> =
        parts.iter().filter(|part| part.running == Some(false)).map(|part| part.name).collect();
    if !idle.is_empty() {
        troubles.push(format!("nobody runs {}: start `guestlist serve`", idle.join(", ")));
    }
    parts
}

async fn channels(store: &Store, troubles: &mut Vec<String>) -> anyhow::Result<Vec<ChannelState>> {
    let channels = store.ledger.all::<ChannelState>("").await?;
    let channels: Vec<ChannelState> = channels.into_iter().map(|stored| stored.value).collect();
    for channel in &channels {
        if let Some((since, why)) = &channel.broken {
            troubles.push(format!("the channel `{}` takes no messages since {since}: {why}", channel.name));
        }
    }
    Ok(channels)
}

async fn depths(
    store: &Store,
    now: Timestamp,
    troubles: &mut Vec<String>,
) -> anyhow::Result<Vec<QueueStatus>> {
    let mut found = Vec::new();
    for (name, queue) in queues(store) {
        let Depth { ready, waiting, claimed, dead, oldest_ready } = queue.depth(now).await?;
        if dead > 0 {
            troubles.push(format!("{dead} dead letters in `{name}`: see `guestlist dead list`"));
        }
        if let Some(oldest) = oldest_ready
            && now.duration_since(oldest) > LONG
        {
            troubles.push(format!("the oldest job in `{name}` waits since {oldest}: see the log of `serve`"));
        }
        found.push(QueueStatus { name, ready, waiting, claimed, dead, oldest_ready });
    }
    Ok(found)
}

/// How many incidents are in each state that is not closed.
async fn incidents(store: &Store) -> anyhow::Result<BTreeMap<&'static str, usize>> {
    let (mut counts, mut next) = (BTreeMap::new(), None);
    loop {
        let page = store.ledger.incidents(&IncidentFilter::default(), next, 500).await?;
        for state in page.incidents.iter().map(|stored| &stored.value.state) {
            if !state.is_closed() {
                let count: &mut usize = counts.entry(state.word()).or_default();
                *count = count.saturating_add(1);
            }
        }
        next = page.next;
        if next.is_none() {
            return Ok(counts);
        }
    }
}

fn print(status: &Status) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = status
        .queues
        .iter()
        .map(|queue| {
            let numbers = [queue.ready, queue.waiting, queue.claimed, queue.dead];
            std::iter::once(queue.name.to_owned()).chain(numbers.iter().map(u64::to_string)).collect()
        })
        .collect();
    out::table(&["QUEUE", "READY", "WAITING", "CLAIMED", "DEAD"], &rows)?;
    let counts: Vec<String> =
        status.incidents.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    out::line(&format!("incidents: {counts}"))?;
    if status.waiting.count > 0 {
        out::line(&status.waiting.in_words())?;
    }
    let state = if status.breaker.open { "open" } else { "closed" };
    out::line(&format!("breaker: {state}; {}", status.breaker.budgets_in_words().join("; ")))?;
    for trouble in &status.troubles {
        out::painted(&[(trouble, Colour::Red)])?;
    }
    if status.well {
        out::painted(&[("all is well", Colour::Green)])?;
    }
    Ok(())
}
