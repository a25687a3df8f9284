//! `guestlist dead`: jobs and notifications that could not be worked on. Nothing is thrown away but by hand.

use host::{Environment, Store};
use jiff::Timestamp;
use model::{Job, RequestId, RequestState};
use queue::Queue;
use serde::Serialize;

use super::{open, queues, words};
use crate::args::{Dead, LetterId, Output};
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

#[derive(Serialize)]
struct Moved {
    id: String,
    became: &'static str,
}

pub(crate) async fn run(environment: &Environment, dead: Dead, output: Output) -> anyhow::Result<Exit> {
    let (_, store) = open(environment).await?;
    match dead {
        Dead::List => list(&store, output).await,
        Dead::Show { id } => show(&store, &id, output).await,
        Dead::Replay { id } => {
            if let Some(request) = answered(&store, &id).await? {
                out::message(&format!(
                    "the request `{request}` was answered, and nobody serves it once more: ask again, and `guestlist dead drop {id}`"
                ));
                return Ok(Exit::Refused);
            }
            let there = match queue_of(&store, &id) {
                Some(queue) => store.replay(queue, &id.number, store.now().await?).await?,
                None => false,
            };
            moved(there, &id, ("replayed", "is back in its queue"), output)
        }
        Dead::Drop { id } => {
            let there = match queue_of(&store, &id) {
                Some(queue) => queue.drop_dead(&id.number).await?,
                None => false,
            };
            moved(there, &id, ("dropped", "is gone for good"), output)
        }
    }
}

/// The request that this letter is about, if it has an answer.
async fn answered(store: &Store, id: &LetterId) -> anyhow::Result<Option<RequestId>> {
    let Some(queue) = queue_of(store, id) else { return Ok(None) };
    let Some(letter) = queue.dead_one(&id.number).await? else { return Ok(None) };
    let Ok(Job::Serve { request }) = serde_json::from_str(&letter.body) else { return Ok(None) };
    let stored = store.ledger.request(&request).await?;
    Ok(stored.filter(|stored| stored.value.state != RequestState::Waiting).map(|_| request))
}

fn queue_of<'a>(store: &'a Store, id: &LetterId) -> Option<&'a Queue> {
    queues(store).into_iter().find(|(name, _)| *name == id.queue).map(|(_, queue)| queue)
}

fn moved(
    there: bool,
    id: &LetterId,
    (became, said): (&'static str, &str),
    output: Output,
) -> anyhow::Result<Exit> {
    if !there {
        return Ok(absent(id));
    }
    out::done(output, &Moved { id: id.to_string(), became }, &format!("`{id}` {said}"))?;
    Ok(Exit::Well)
}

fn absent(id: &LetterId) -> Exit {
    out::message(&format!("there is no dead letter `{id}`: see `guestlist dead list`"));
    Exit::Refused
}

fn of(name: &str, dead: queue::Dead) -> Letter {
    let queue::Dead { id, key, body, why, deliveries, owed_since: _, buried_at } = dead;
    Letter { id: format!("{name}/{id}"), key, why, deliveries, buried_at, body }
}

async fn show(store: &Store, id: &LetterId, output: Output) -> anyhow::Result<Exit> {
    let Some(queue) = queue_of(store, id) else { return Ok(absent(id)) };
    let Some(letter) = queue.dead_one(&id.number).await? else { return Ok(absent(id)) };
    out::show(output, &of(id.queue, letter), |letter| {
        let Letter { id, key, why, deliveries, buried_at, body } = letter;
        for (name, value) in [
            ("id", id),
            ("key", key),
            ("buried at", &words::seconds(*buried_at)),
            ("deliveries", &deliveries.to_string()),
            ("why", why),
            ("body", body),
        ] {
            out::line(&format!("{name:<12}{value}"))?;
        }
        Ok(())
    })?;
    Ok(Exit::Well)
}

async fn letters_of((name, queue): (&'static str, &Queue)) -> anyhow::Result<Vec<Letter>> {
    // Each page is a look at all of them where the queue is on AWS.
    const PAGE: usize = Queue::MOST_DEAD;
    let (mut letters, mut after) = (Vec::new(), None);
    loop {
        let page = queue.dead(after, PAGE).await?;
        after = page.last().map(|last| last.id.clone());
        let was_last = page.len() < PAGE;
        letters.extend(page.into_iter().map(|letter| of(name, letter)));
        if was_last {
            return Ok(letters);
        }
    }
}

async fn list(store: &Store, output: Output) -> anyhow::Result<Exit> {
    // Side by side: to look into a queue on AWS takes a second or two.
    let [changes, remediations, alerts, chores] = queues(store).map(letters_of);
    // Each to its end, whatever becomes of the others: a look that is broken off hides what it has seen for a minute.
    let all = <[_; 4]>::from(tokio::join!(changes, remediations, alerts, chores));
    let letters = all.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let letters: Vec<Letter> = letters.into_iter().flatten().collect();
    out::show(output, &letters, |letters| {
        if letters.is_empty() {
            return Ok(());
        }
        let row = |letter: &Letter| {
            vec![letter.id.clone(), words::seconds(letter.buried_at), letter.key.clone(), letter.why.clone()]
        };
        out::table(&["ID", "BURIED AT", "KEY", "WHY"], &letters.iter().map(row).collect::<Vec<_>>())
    })?;
    if letters.is_empty() {
        out::message("there are no dead letters");
    }
    Ok(Exit::Well)
}
