//! `guestlist status`: how Guestlist is, for people and for monitoring (the exit code).

mod deployed;
mod print;
mod reconciled;
mod watching;

use std::collections::BTreeMap;

use host::{Environment, InvalidPolicy, Part, Settings, Store};
use jiff::{SignedDuration, Timestamp};
use ledger::IncidentFilter;
use model::{ChannelName, ChannelState, Mode, Stop};
use queue::Depth;
use serde::Serialize;

use self::deployed::Deployed;
pub(super) use self::deployed::ceiling_of;
use self::reconciled::Reconciled;
use self::watching::Watching;
use super::words::{log_of, seconds};
use super::{breaker, open, queues, subscriptions};
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

/// A job that is due this long has nobody who works on it.
const LONG: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize)]
struct Status {
    well: bool,
    troubles: Vec<String>,
    parts: Vec<PartStatus>,
    /// `None`: the store is on this machine.
    deployed: Option<Deployed>,
    stopped: Option<Stop>,
    /// Where it is minutes.
    clock_ahead_seconds: Option<i64>,
    queues: Vec<QueueStatus>,
    subscriptions: Vec<subscriptions::Row>,
    channels: Vec<ChannelState>,
    /// Of the settings, and nobody has been told anything there yet.
    #[serde(skip)]
    silent: Vec<ChannelName>,
    /// Without `GUESTLIST_POLICY` it is not known here.
    policy: Option<PolicyStatus>,
    /// On AWS it is that of whoever judges. `None`: nobody has judged yet.
    at_most: Option<Mode>,
    incidents: BTreeMap<&'static str, usize>,
    /// Those of them that a person has to look at.
    for_people: BTreeMap<&'static str, usize>,
    waiting: breaker::Waiting,
    breaker: breaker::Standing,
    reconciled: Reconciled,
    #[serde(flatten)]
    watching: Watching,
}

/// The policy file as it lies there. `serve` takes it when it is valid.
#[derive(Serialize)]
struct PolicyStatus {
    file: String,
    hash: Option<String>,
    mode: Option<Mode>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct PartStatus {
    name: &'static str,
    /// Not known on AWS, and where the file system has no locks.
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
    let (settings, store) = open(environment).await?;
    let now = store.now().await?;
    let status = read(&settings, &store, now).await?;
    out::show(output, &status, print::print)?;
    Ok(if status.well { Exit::Well } else { Exit::NotWell })
}

async fn read(settings: &Settings, store: &Store, now: Timestamp) -> anyhow::Result<Status> {
    let mut troubles = Vec::new();
    let parts = parts(settings, store, &mut troubles);
    let deployed = Deployed::read(store, (now, &mut troubles)).await?;
    let queues = depths(store, now, &mut troubles).await?;
    let records = store.ledger.subscriptions().await?;
    let subscriptions: Vec<_> = records.iter().map(|one| subscriptions::row(&one.value, now)).collect();
    for watched in subscriptions::unwatched(&subscriptions) {
        troubles.push(subscriptions::missing(store, watched));
    }
    let stopped = store.ledger.stop().await?;
    if let Some(stop) = &stopped {
        troubles.push(format!(
            "writes are stopped since {} by {}: {}",
            seconds(stop.since),
            stop.by,
            stop.reason
        ));
    }
    let clock_ahead = store.ledger.clock_ahead().await?;
    if let Some(ahead) = clock_ahead {
        let off = responder::off(ahead);
        troubles.push(if store.is_on_aws() {
            format!("the clock of the functions on AWS is {off}, which counts")
        } else {
            format!("this machine's clock is {off}, which counts: set it (NTP)")
        });
    }
    let breaker = breaker::standing(store, now).await?;
    if breaker.open {
        troubles.push(breaker.in_words());
    }
    let mut silent = settings.channels.routes().all();
    let channels = channels(store, &silent, &mut troubles).await?;
    silent.retain(|name| channels.iter().all(|channel| channel.name != *name));
    // A file that lies here is not what a deployment judges by.
    let policy = if store.is_on_aws() { None } else { policy(settings, &mut troubles) };
    let at_most = deployed.as_ref().map_or(Some(settings.ceiling), |deployed| deployed.at_most);
    let incidents = incidents(store).await?;
    if let Some(failed) = incidents.get("failed") {
        troubles
            .push(format!("{failed} failed, and somebody has to look: `guestlist incidents --state failed`"));
    }
    let changes = queues.iter().find(|queue| queue.name == "changes");
    let reconciled = Reconciled::read(store, changes, (now, &mut troubles)).await?;
    let watching = Watching::read(store, &mut troubles).await?;
    let for_people = ["failed", "partly", "refused", "waiting"].into_iter();
    let for_people = for_people.filter_map(|state| Some((state, *incidents.get(state)?))).collect();
    Ok(Status {
        well: troubles.is_empty(),
        troubles,
        parts,
        deployed,
        stopped,
        clock_ahead_seconds: clock_ahead.map(|ahead| ahead.as_secs()),
        queues,
        subscriptions,
        channels,
        silent,
        policy,
        at_most,
        incidents,
        for_people,
        waiting: breaker::waiting(store).await?,
        breaker,
        reconciled,
        watching,
    })
}

fn parts(settings: &Settings, store: &Store, troubles: &mut Vec<String>) -> Vec<PartStatus> {
    if store.is_on_aws() {
        return Part::ALL.map(|part| PartStatus { name: part.word(), running: None }).into();
    }
    let parts: Vec<PartStatus> = Part::wanted(settings)
        .map(|part| PartStatus { name: part.word(), running: host::is_running(&settings.data, part).ok() })
        .collect();
    let idle: Vec<&str> =
        parts.iter().filter(|part| part.running == Some(false)).map(|part| part.name).collect();
    if !idle.is_empty() {
        troubles.push(format!("nobody runs {}: start `guestlist serve`", idle.join(", ")));
    }
    parts
}

fn policy(settings: &Settings, troubles: &mut Vec<String>) -> Option<PolicyStatus> {
    let path = settings.policy.as_ref()?.file()?;
    let file = path.display().to_string();
    Some(match host::load_policy(path) {
        Ok(policy) => PolicyStatus {
            file,
            hash: Some(policy.hash().to_owned()),
            mode: Some(policy.mode()),
            problems: Vec::new(),
        },
        Err(InvalidPolicy { problems }) => {
            let first = problems.first().map_or("", String::as_str);
            let more = match problems.len().saturating_sub(1) {
                0 => String::new(),
                more => format!("; {more} more: `guestlist validate`"),
            };
            troubles.push(format!(
                "the policy file is not valid, and `guestlist serve` does not take it: {first}{more}"
            ));
            PolicyStatus { file, hash: None, mode: None, problems }
        }
    })
}

/// A channel that is not among the settings any more, and is owed nothing, is no channel.
async fn channels(
    store: &Store,
    set: &[ChannelName],
    troubles: &mut Vec<String>,
) -> anyhow::Result<Vec<ChannelState>> {
    let channels = store.ledger.all::<ChannelState>("").await?;
    let mut channels: Vec<ChannelState> = channels.into_iter().map(|stored| stored.value).collect();
    channels.retain(|one| set.is_empty() || set.contains(&one.name) || !one.rolled_up.is_empty());
    for channel in &channels {
        if let Some((since, why)) = &channel.broken {
            troubles.push(format!(
                "the channel `{}` takes no messages since {}: {why}",
                channel.name,
                seconds(*since)
            ));
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
            let oldest = seconds(oldest);
            let log = log_of(store, Part::Steward);
            troubles.push(format!("the oldest job in `{name}` waits since {oldest}: see {log}"));
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
