//! What time alone makes due, at each word of the timer, which comes every minute. Each chore is tried although another fails,
//! and none goes on after the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use model::Clock;
use queue::Queue;
use responder::{SubscriptionKeeper, Trouble};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinError;

use super::Deadline;
use super::function::{Built, Looked};
use super::parts::{Assess, OnQueue as _, Remediate, Steward};
use super::underway::Underway;
use crate::Store;
use crate::mark::Mark;
use crate::process::turns::{SUBSCRIPTIONS_EVERY, is_everything_watched};

/// Messages a minute and queue that come back from the table.
const LATER_AT_ONCE: usize = 1_000;
/// Of the changes that nobody has settled: few are looked at, the oldest, because few senders die.
const AGAIN_AT_ONCE: usize = 100;
/// As often a minute as the local process looks.
const RECONCILE_TIMES: usize = 4;
/// Graph asks for an hour at most.
const LONGEST_LEFT_ALONE: SignedDuration = SignedDuration::from_hours(1);

type Doing = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;
/// Named as in "failed to …".
pub(super) type Chore = (&'static str, Doing);

/// The answer, and whether Microsoft refused our credential to any of them.
pub(super) async fn run(chores: Vec<Chore>, deadline: Deadline) -> (Result<Value, String>, bool) {
    let (mut tended, mut underway) = (Tended::default(), Underway::new());
    for (name, chore) in chores {
        underway.begin(name, chore);
    }
    while let Some((name, ended)) = underway.next(deadline).await {
        tended.note(name, ended);
    }
    // The next minute goes on.
    for (name, ended) in underway.give_up().await {
        tended.note(name, ended);
    }
    let Tended { done, problems, credential_refused } = tended;
    if problems.is_empty() {
        (Ok(json!({ "done": done })), credential_refused)
    } else {
        (Err(problems.join("; ")), credential_refused)
    }
}

#[derive(Default)]
struct Tended {
    done: Vec<&'static str>,
    problems: Vec<String>,
    credential_refused: bool,
}

impl Tended {
    fn note(&mut self, name: &'static str, ended: Result<Result<(), Trouble>, JoinError>) {
        match ended {
            Ok(Ok(())) => self.done.push(name),
            Ok(Err(trouble)) => {
                self.credential_refused |= trouble.is_of_the_credential();
                self.problems.push(format!("failed to {name}: {trouble}"));
            }
            Err(error) if error.is_panic() => self.problems.push(format!("failed to {name}: {error}")),
            Err(_) => self.problems.push(format!("failed to {name} before the function's time was over")),
        }
    }
}

pub(super) fn of_assess(built: &Built<Assess>) -> Vec<Chore> {
    let in_force = built.work.in_force.clone();
    vec![("say which policy is in force", Box::pin(async move { in_force.look().await.map(|_| ()) }))]
}

pub(super) fn of_remediate(built: &Built<Remediate>) -> Vec<Chore> {
    let (canary, ledger) = (built.work.canary.clone(), built.store.ledger.clone());
    let suspensions = built.work.suspensions.clone();
    let look_after_the_canary = async move {
        match canary {
            Some(canary) => canary.look().await,
            // Nobody misses what nobody flies any more.
            None => Ok(ledger.forget_canary().await.map(|_| ())?),
        }
    };
    vec![
        ("look after the canary", Box::pin(look_after_the_canary)),
        (
            "look at suspensions that have ended",
            Box::pin(async move { suspensions.end_suspensions().await.map(|_| ()) }),
        ),
    ]
}

pub(super) fn of_steward(built: &Built<Steward>) -> Vec<Chore> {
    let Built { work, meter: _, admin: _, store, clock, subscriptions } = built;
    let (steward, census, reconciler) = (work.steward.clone(), work.census.clone(), work.reconciler.clone());
    let keeper = work.worker().handler.clone();
    let mut chores: Vec<Chore> = Vec::new();
    for queue in store.queues.all() {
        chores.push(("move what is due into its queue", Box::pin(later(queue.clone(), clock.now()))));
    }
    let changes = store.queues.changes.clone();
    chores.push(("send again what nobody has settled", Box::pin(again(changes, clock.now()))));
    chores.push((
        "wake what is due",
        Box::pin(async move { steward.wake_all_but_suspensions().await.map(|_| ()) }),
    ));
    chores.push(("keep the subscriptions", Box::pin(keep(keeper, Arc::clone(subscriptions), clock.clone()))));
    chores.push(("count the guests", Box::pin(async move { census.look().await.map(|_| ()) })));
    chores.push((
        "reconcile",
        Box::pin(async move {
            for _ in 0..RECONCILE_TIMES {
                reconciler.look().await?;
            }
            Ok(())
        }),
    ));
    chores.push(("note up to when all was assessed", Box::pin(mark(store.clone(), clock.clone()))));
    chores
}

async fn later(queue: Queue, now: Timestamp) -> Result<(), Trouble> {
    let moved = queue.move_later(now, LATER_AT_ONCE).await?;
    if moved > 0 {
        tracing::debug!(queue = queue.name(), moved, "moved what is due into its queue");
    }
    Ok(())
}

async fn again(queue: Queue, now: Timestamp) -> Result<(), Trouble> {
    let again = queue.send_again(now, AGAIN_AT_ONCE).await?;
    if again > 0 {
        tracing::info!(queue = queue.name(), again, "sent again what nobody has settled");
    }
    Ok(())
}

/// As often as the local process, as far as this instance knows; at once where the ledger says that something is not watched.
async fn keep(keeper: SubscriptionKeeper, looked: Arc<Mutex<Looked>>, clock: Clock) -> Result<(), Trouble> {
    let mut looked = looked.lock().await;
    let now = clock.now();
    // Who was told more had a clock that was ahead.
    if looked.again_at.is_some_and(|at| at > now && at.duration_since(now) <= LONGEST_LEFT_ALONE) {
        return Ok(());
    }
    let every = SignedDuration::try_from(SUBSCRIPTIONS_EVERY).unwrap_or(SignedDuration::MAX);
    // The timer is late by a moment now and then.
    let every = every.saturating_sub(SignedDuration::from_secs(10));
    let lately = |at: Timestamp| at <= now && now.duration_since(at) < every;
    if looked.at.is_some_and(lately) && is_everything_watched(&keeper).await? {
        return Ok(());
    }
    let look = keeper.look().await;
    let left_alone = look.as_ref().map_or_else(|trouble| trouble.retry_after, |left| *left);
    looked.again_at = left_alone.and_then(|left| now.checked_add(left).ok());
    look?;
    looked.at = Some(now);
    Ok(())
}

/// In this order: what is told in between is owed by then, and who replays a dead letter in between is noticed.
async fn mark(store: Store, clock: Clock) -> Result<(), Trouble> {
    let before = Mark::read(&store.ledger).await?;
    let told = store.ledger.told_until().await?;
    let owed_since = store.queues.changes.owed_since().await?;
    Ok(before.note(&store.ledger, (told, owed_since), clock.now()).await?)
}
