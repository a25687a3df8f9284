//! Asks the running process, which alone has the credential that writes: all requests are written first, then their
//! answers are waited for together.

use std::time::{Duration, Instant};

use host::{Part, Settings, Store};
use jiff::Timestamp;
use ledger::{LedgerError, Stored};
use model::{Answer, Incident, IncidentId, Job, Request, RequestId, RequestKind, RequestState};
use queue::Collapse;
use serde::Serialize;
use tokio::time::sleep;

use super::{asker, words};
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

/// What was asked, and the answer if there is one yet.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Asked {
    pub(super) request: RequestId,
    pub(super) answer: Option<Answer>,
}

impl Asked {
    fn text(&self) -> &str {
        match &self.answer {
            Some(
                Answer::Done { text }
                | Answer::Sent { text }
                | Answer::Refused { why: text }
                | Answer::Failed { why: text },
            ) => text,
            None => "",
        }
    }

    fn word(&self) -> &'static str {
        match &self.answer {
            Some(Answer::Done { text: _ }) => "done",
            Some(Answer::Sent { text: _ }) => "sent",
            Some(Answer::Refused { why: _ }) => "refused",
            Some(Answer::Failed { why: _ }) => "failed",
            None => "not answered yet",
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match &self.answer {
            Some(Answer::Done { text: _ } | Answer::Sent { text: _ }) => Exit::Well,
            Some(Answer::Refused { why: _ }) => Exit::Refused,
            Some(Answer::Failed { why: _ }) => Exit::Failed,
            None => Exit::Unanswered,
        }
    }
}

/// How people asked.
pub(super) struct Manner {
    pub(super) reason: String,
    /// Seconds.
    pub(super) wait: u64,
    pub(super) output: Output,
    /// One incident was named: one answer, and no table.
    pub(super) single: bool,
}

#[derive(Serialize)]
struct Row {
    incident: IncidentId,
    #[serde(flatten)]
    asked: Asked,
}

/// One request an incident. Prints the answers, and says what they come to.
pub(super) async fn ask_about(
    settings: &Settings,
    store: &Store,
    incidents: &[Incident],
    kind: impl Fn(&Incident) -> RequestKind,
    manner: Manner,
) -> anyhow::Result<Exit> {
    let Manner { reason, wait, output, single } = manner;
    let asked = ask_all((settings, store), incidents.iter().map(kind).collect(), &reason, wait).await?;
    let unanswered: Vec<&Asked> = asked.iter().filter(|asked| asked.answer.is_none()).collect();
    unanswered_yet(settings, &unanswered, wait);
    let exit = Exit::worst(asked.iter().map(Asked::exit));
    let rows: Vec<Row> = incidents
        .iter()
        .zip(asked)
        .map(|(incident, asked)| Row { incident: incident.id.clone(), asked })
        .collect();
    match (single, rows.as_slice()) {
        (true, [one]) => out::show(output, one, |one| print_one(&one.asked))?,
        _ => out::show(output, &rows, |rows| print_all(incidents, rows))?,
    }
    Ok(exit)
}

/// One request that is about no incident.
pub(super) fn print_one(asked: &Asked) -> anyhow::Result<()> {
    if asked.answer.is_some() { out::line(asked.text()) } else { Ok(()) }
}

fn print_all(incidents: &[Incident], rows: &[Row]) -> anyhow::Result<()> {
    let cells = |(incident, row): (&Incident, &Row)| {
        let (guest, rule) = (words::called(&incident.subject), incident.key.rule.to_string());
        let (word, text) = (row.asked.word().to_owned(), row.asked.text().to_owned());
        vec![row.incident.to_string(), guest, rule, word, text]
    };
    let cells: Vec<Vec<String>> = incidents.iter().zip(rows).map(cells).collect();
    out::table(&["INCIDENT", "GUEST", "RULE", "ANSWER", "WHAT"], &cells)
}

/// Where somebody has to look when no answer came.
pub(super) fn unanswered_yet(settings: &Settings, asked: &[&Asked], wait: u64) {
    let here = || match host::is_running(&settings.data, Part::Remediate) {
        Ok(false) => "`guestlist serve` is not running",
        Ok(true) => "`guestlist serve` is running and busy",
        Err(_) => "is `guestlist serve` running?",
    };
    let why = if settings.aws.is_some() { words::REMEDIATE_IS_SILENT } else { here() };
    let stays = match asked {
        [] => return,
        [one] => {
            format!("The request `{}` stays in the store, and is served as soon as somebody can", one.request)
        }
        many => format!("{} requests stay in the store, and are served as soon as somebody can", many.len()),
    };
    out::message(&format!("nobody has answered within {wait} s: {why}. {stays}"));
}

pub(super) async fn ask(
    settings: &Settings,
    store: &Store,
    kind: RequestKind,
    reason: &str,
    wait: u64,
) -> anyhow::Result<Asked> {
    let asked = ask_all((settings, store), vec![kind], reason, wait).await?.pop();
    asked.ok_or_else(|| anyhow::anyhow!("the request was not written"))
}

/// Writes all requests, wakes whoever serves them, then waits so many seconds for their answers. What is written is served, whatever
/// happens to this process or to the wake: the steward looks for it.
async fn ask_all(
    (settings, store): (&Settings, &Store),
    kinds: Vec<RequestKind>,
    reason: &str,
    wait: u64,
) -> anyhow::Result<Vec<Asked>> {
    let now = store.now().await?;
    let by = asker(settings).await;
    let wanted = kinds.len();
    let mut asked = Vec::with_capacity(wanted);
    let mut trouble = None;
    for kind in kinds {
        let id = RequestId(host::correlate().to_string());
        let (by, reason) = (by.clone(), reason.to_owned());
        let request =
            Request { id: id.clone(), kind, by, reason, asked_at: now, state: RequestState::Waiting };
        if let Err(error) = store.ledger.insert(request).await {
            if matches!(&error, LedgerError::Table(error) if error.may_pass()) {
                out::message(&format!(
                    "whether the request `{id}` was written is not known: if it was, it is served"
                ));
            }
            trouble = Some(error);
            break;
        }
        asked.push(Asked { request: id, answer: None });
    }
    if let Err(error) = wake(store, &asked, now).await {
        out::message(&format!("{error:#}; within two minutes the steward wakes whoever serves it"));
    }
    if let Some(error) = trouble {
        if !asked.is_empty() {
            out::message(&format!("{} of {wanted} requests were written, and are served", asked.len()));
        }
        return Err(error.into());
    }
    await_answers(store, &mut asked, Duration::from_secs(wait)).await;
    Ok(asked)
}

async fn wake(store: &Store, asked: &[Asked], now: Timestamp) -> anyhow::Result<()> {
    let mut wakes = Vec::with_capacity(asked.len());
    for Asked { request: id, answer: _ } in asked {
        let job = Job::Serve { request: id.clone() };
        wakes.push(responder::move_of(format!("request/{id}"), &job, now, Collapse::Earliest)?);
    }
    let sent = store.queues.remediations.send(wakes).await;
    sent.map_err(|error| anyhow::anyhow!("failed to {error}"))
}

/// At least one look, and none after the time is over. A request to AWS costs, and takes its time. A look that fails changes nothing
/// about what was asked.
async fn await_answers(store: &Store, asked: &mut [Asked], wait: Duration) {
    let mut trouble = None;
    let pause = Duration::from_millis(if store.is_on_aws() { 500 } else { 50 });
    let began = Instant::now();
    loop {
        for one in asked.iter_mut().filter(|one| one.answer.is_none()) {
            match store.ledger.request(&one.request).await {
                Ok(Some(Stored {
                    value: Request { state: RequestState::Answered { at: _, answer }, .. },
                    ..
                })) => {
                    one.answer = Some(answer);
                }
                Ok(_) => {}
                Err(error) => trouble = Some(error),
            }
        }
        let left = wait.saturating_sub(began.elapsed());
        if asked.iter().all(|one| one.answer.is_some()) {
            return;
        }
        if left.is_zero() {
            break;
        }
        sleep(pause.min(left)).await;
    }
    if let Some(error) = trouble {
        out::message(&format!("failed to look for an answer: failed to {error}"));
    }
}
