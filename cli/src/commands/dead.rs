//! `guestlist dead`: jobs and notifications that could not be worked on. Nothing is thrown away but by hand.

use anyhow::Context as _;
use host::{Environment, Store};
use jiff::Timestamp;
use queue::{DeadId, Queue};
use serde::Serialize;

use super::open;
use crate::args::{Dead, Output};
use crate::exit::Exit;
use crate::out;

/// A dead letter, named by its queue and its number there (`changes/7`).
#[derive(Serialize)]
struct Letter {
    id: String,
    key: String,
    why: String,
    deliveries: u32,
    buried_at: Timestamp,
    body: String,
}

pub(crate) async fn run(environment: &Environment, dead: Dead, output: Output) -> anyhow::Result<Exit> {
    let (_, store) = open(environment)?;
    match dead {
        Dead::List => list(&store, output).await,
        Dead::Show { id } => {
            let (name, queue, number) = find(&store, &id)?;
            match queue.dead_one(number).await? {
                Some(letter) => {
                    out::show(output, &of(name, letter), print)?;
                    Ok(Exit::Well)
                }
                None => absent(&id),
            }
        }
        Dead::Replay { id } => {
            let (_, queue, number) = find(&store, &id)?;
            if queue.replay(number, Timestamp::now()).await? {
                out::message(&format!("`{id}` is back in its queue"));
                return Ok(Exit::Well);
            }
            absent(&id)
        }
        Dead::Drop { id } => {
            let (_, queue, number) = find(&store, &id)?;
            if queue.drop_dead(number).await? {
                out::message(&format!("`{id}` is gone for good"));
                return Ok(Exit::Well);
            }
            absent(&id)
        }
    }
}

fn absent(id: &str) -> anyhow::Result<Exit> {
    out::message(&format!("there is no dead letter `{id}`: see `guestlist dead list`"));
    Ok(Exit::Refused)
}

fn queues(store: &Store) -> [(&'static str, &Queue); 4] {
    let queues = &store.queues;
    [
        ("changes", &queues.changes),
        ("remediations", &queues.remediations),
        ("alerts", &queues.alerts),
        ("chores", &queues.chores),
    ]
}

fn find<'a>(store: &'a Store, id: &str) -> anyhow::Result<(&'static str, &'a Queue, DeadId)> {
    let wrong = || format!("`{id}` is not a dead letter's id, like `changes/7`");
    let (name, number) = id.split_once('/').with_context(wrong)?;
    let found = queues(store).into_iter().find(|(other, _)| *other == name);
    let (name, queue) = found.with_context(wrong)?;
    Ok((name, queue, number.parse::<DeadId>().with_context(wrong)?))
}

fn of(name: &str, dead: queue::Dead) -> Letter {
    let queue::Dead { id, key, body, why, deliveries, buried_at } = dead;
    Letter { id: format!("{name}/{id}"), key, why, deliveries, buried_at, body }
}

async fn list(store: &Store, output: Output) -> anyhow::Result<Exit> {
    let mut letters = Vec::new();
    for (name, queue) in queues(store) {
        let mut after = None;
        loop {
            let page = queue.dead(after, 500).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            letters.extend(page.into_iter().map(|letter| of(name, letter)));
        }
    }
    out::show(output, &letters, |letters| {
        let rows: Vec<Vec<String>> = letters
            .iter()
            .map(|letter| {
                vec![letter.id.clone(), letter.buried_at.to_string(), letter.key.clone(), letter.why.clone()]
            })
            .collect();
        out::table(&["ID", "BURIED AT", "KEY", "WHY"], &rows)
    })?;
    if letters.is_empty() {
        out::message("there are no dead letters");
    }
    Ok(Exit::Well)
}

fn print(letter: &Letter) -> anyhow::Result<()> {
    let Letter { id, key, why, deliveries, buried_at, body } = letter;
    out::line(&format!(
        "{id}\nkey         {key}\nburied at   {buried_at}\ndeliveries  {deliveries}\nwhy         {why}\n\n{body}"
    ))
}
