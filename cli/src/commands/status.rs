//! `guestlist status`: how Guestlist is, for people and for monitoring (the exit code).

use host::{Environment, Store};
use jiff::Timestamp;
use ledger::IncidentFilter;
use model::{ChannelState, Stop};
use queue::Depth;
use serde::Serialize;

use super::{open, subscriptions};
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

#[derive(Serialize)]
struct Status {
    well: bool,
    troubles: Vec<String>,
    stopped: Option<Stop>,
    queues: Vec<QueueStatus>,
    subscriptions: Vec<subscriptions::Row>,
    channels: Vec<ChannelState>,
    open_incidents: usize,
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
    let (_, store) = open(environment)?;
    let status = read(&store, Timestamp::now()).await?;
    out::show(output, &status, print)?;
    Ok(if status.well { Exit::Well } else { Exit::NotWell })
}

async fn read(store: &Store, now: Timestamp) -> anyhow::Result<Status> {
    let mut troubles = Vec::new();
    let queues = queues(store, now, &mut troubles).await?;
    let records = store.ledger.subscriptions().await?;
    for watched in model::Watched::ALL {
        if !records.iter().any(|stored| stored.value.watched == watched && stored.value.id().is_some()) {
            troubles.push(format!("there is no living subscription to `{watched}`"));
        }
    }
    let stopped = store.ledger.stop().await?;
    if let Some(stop) = &stopped {
        troubles.push(format!("writes are stopped since {} by {}: {}", stop.since, stop.by, stop.reason));
    }
    let channels: Vec<ChannelState> =
        store.ledger.all::<ChannelState>("").await?.into_iter().map(|stored| stored.value).collect();
    for channel in &channels {
        if let Some((since, why)) = &channel.broken {
            troubles.push(format!("the channel `{}` takes no messages since {since}: {why}", channel.name));
        }
    }
    Ok(Status {
        well: troubles.is_empty(),
        troubles,
        stopped,
        queues,
        subscriptions: records.iter().map(|stored| subscriptions::row(&stored.value)).collect(),
        channels,
        open_incidents: open_incidents(store).await?,
    })
}

async fn queues(
    store: &Store,
    now: Timestamp,
    troubles: &mut Vec<String>,
) -> anyhow::Result<Vec<QueueStatus>> {
    let queues = &store.queues;
    let named = [
        ("changes", &queues.changes),
        ("remediations", &queues.remediations),
        ("alerts", &queues.alerts),
        ("chores", &queues.chores),
    ];
    let mut found = Vec::new();
    for (name, queue) in named {
        let Depth { ready, waiting, claimed, dead, oldest_ready } = queue.depth(now).await?;
        if dead > 0 {
            troubles.push(format!("{dead} dead letters in `{name}`: see `guestlist dead list`"));
        }
        if let Some(oldest) = oldest_ready
            && now.duration_since(oldest).as_secs() > 300
        {
            troubles.push(format!(
                "the oldest job in `{name}` waits since {oldest}: is `guestlist serve` running?"
            ));
        }
        found.push(QueueStatus { name, ready, waiting, claimed, dead, oldest_ready });
    }
    Ok(found)
}

async fn open_incidents(store: &Store) -> anyhow::Result<usize> {
    let (mut open, mut next) = (0_usize, None);
    loop {
        let page = store.ledger.incidents(&IncidentFilter::default(), next, 500).await?;
        open = open
            .saturating_add(page.incidents.iter().filter(|stored| !stored.value.state.is_closed()).count());
        next = page.next;
        if next.is_none() {
            return Ok(open);
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
    out::line(&format!("{} incidents are open", status.open_incidents))?;
    for trouble in &status.troubles {
        out::line(&out::paint(trouble, out::Colour::Red))?;
    }
    if status.well {
        out::line(&out::paint("all is well", out::Colour::Green))?;
    }
    Ok(())
}
