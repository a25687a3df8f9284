//! `guestlist undo`: writes the request into the store; the running process, which has the credential, acts.

use std::time::Duration;

use host::{Environment, Part, Settings, Store};
use jiff::Timestamp;
use model::{Answer, Job, Request, RequestId, RequestKind, RequestState};
use queue::Collapse;
use serde::Serialize;

use super::{asker, open};
use crate::args::{Output, Undo};
use crate::exit::Exit;
use crate::out;

/// What was asked, and the answer if there is one yet.
#[derive(Serialize)]
struct Asked {
    request: RequestId,
    answer: Option<Answer>,
}

pub(crate) async fn run(environment: &Environment, undo: Undo, output: Output) -> anyhow::Result<Exit> {
    let Undo { incident, suspend_for, force, reason, wait } = undo;
    let (settings, store) = open(environment)?;
    if store.ledger.incident(&incident).await?.is_none() {
        out::message(&format!("there is no incident `{incident}`: see `guestlist incidents`"));
        return Ok(Exit::Refused);
    }
    let kind = RequestKind::Undo { incident, suspend_for, force };
    let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
    let (request, answer) = ask(&store, kind, reason, wait).await?;
    let asked = Asked { request, answer };
    out::show(output, &asked, |asked| match &asked.answer {
        Some(
            Answer::Done { text }
            | Answer::Sent { text }
            | Answer::Refused { why: text }
            | Answer::Failed { why: text },
        ) => out::line(text),
        None => Ok(()),
    })?;
    Ok(match asked.answer {
        Some(Answer::Done { text: _ } | Answer::Sent { text: _ }) => Exit::Well,
        Some(Answer::Refused { why: _ }) => Exit::Refused,
        Some(Answer::Failed { why: _ }) => Exit::Failed,
        None => {
            unanswered(&settings, &asked.request, wait);
            Exit::Unanswered
        }
    })
}

fn unanswered(settings: &Settings, request: &RequestId, wait: u64) {
    let why = match host::is_running(&settings.data, Part::Remediate) {
        Ok(false) => "`guestlist serve` is not running",
        Ok(true) => "`guestlist serve` is running and busy",
        Err(_) => "is `guestlist serve` running?",
    };
    out::message(&format!(
        "nobody has answered within {wait} s: {why}. The request `{request}` stays in the store, and is served as soon \
         as somebody can"
    ));
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
