//! `guestlist undo`: writes the request into the store; the running process, which has the credential, acts.

use std::time::Duration;

use host::{Environment, Store};
use jiff::Timestamp;
use model::{Answer, Job, Request, RequestId, RequestKind, RequestState};
use queue::Collapse;

use super::{asker, open};
use crate::args::{Output, Undo};
use crate::exit::Exit;
use crate::out;

pub(crate) async fn run(environment: &Environment, undo: Undo, output: Output) -> anyhow::Result<Exit> {
    let Undo { incident, suspend_for, force, reason, wait } = undo;
    let kind = RequestKind::Undo { incident, suspend_for, force };
    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
    let (_, store) = open(environment)?;
    let (id, answer) = ask(&store, kind, reason, wait).await?;
    let Some(answer) = answer else {
        out::message(&format!(
            "nobody has answered within {wait} seconds: is `guestlist serve` running? The request `{id}` stays in the \
             store and is served when it does"
        ));
        return Ok(Exit::Unanswered);
    };
    out::show(output, &answer, |answer| match answer {
        Answer::Done { text }
        | Answer::Sent { text }
        | Answer::Refused { why: text }
        | Answer::Failed { why: text } => out::line(text),
    })?;
    Ok(match answer {
        Answer::Done { text: _ } | Answer::Sent { text: _ } => Exit::Well,
        Answer::Refused { why: _ } => Exit::Refused,
        Answer::Failed { why: _ } => Exit::Failed,
    })
}

/// Asks the running process, and waits so many seconds for its answer.
pub(super) async fn ask(
    store: &Store,
    kind: RequestKind,
    reason: String,
    wait: u64,
) -> anyhow::Result<(RequestId, Option<Answer>)> {
    let id = RequestId(host::correlate().to_string());
    let now = Timestamp::now();
    let request =
        Request { id: id.clone(), kind, by: asker(), reason, asked_at: now, state: RequestState::Waiting };
    store.ledger.insert(request).await?;
    let job = Job::Serve { request: id.clone() };
    let wake = responder::move_of(format!("request/{id}"), &job, now, Collapse::Earliest)?;
    store.queues.remediations.send(vec![wake], now).await?;
    for _ in 0..wait.saturating_mul(20).max(1) {
        if let Some(stored) = store.ledger.request(&id).await?
            && let RequestState::Answered { at: _, answer } = stored.value.state
        {
            return Ok((id, Some(answer)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((id, None))
}
