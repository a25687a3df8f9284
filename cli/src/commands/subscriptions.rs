//! `guestlist subscriptions`: those that Guestlist keeps at Microsoft Graph, as the ledger knows them.

use host::{Environment, Part, Store};
use jiff::Timestamp;
use model::{Binding, SubscriptionRecord, Watched};
use serde::Serialize;

use super::{open, words};
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

const ALIVE: &str = "alive";

/// A subscription, without its secret.
#[derive(Serialize)]
pub(crate) struct Row {
    resource: &'static str,
    state: &'static str,
    id: Option<String>,
    expires_at: Option<Timestamp>,
    last_notification_at: Option<Timestamp>,
    notification_url: String,
}

impl Row {
    /// `/users alive until 2026-11-22T09:00:00Z, last notification at 2026-11-20T09:00:00Z`
    pub(crate) fn in_words(&self) -> String {
        let until = self.expires_at.map(|at| format!(" until {}", words::seconds(at)));
        let last = self.last_notification_at.map_or_else(
            || "no notification yet".to_owned(),
            |at| format!("last notification at {}", words::seconds(at)),
        );
        format!("{} {}{}, {last}", self.resource, self.state, until.unwrap_or_default())
    }
}

pub(crate) fn row(record: &SubscriptionRecord, now: Timestamp) -> Row {
    let (state, expires_at) = match &record.binding {
        Binding::Pending => ("pending", None),
        Binding::Bound { id: _, expires_at, renewed_at: _ } if *expires_at <= now => {
            ("expired", Some(*expires_at))
        }
        Binding::Bound { id: _, expires_at, renewed_at: _ } => (ALIVE, Some(*expires_at)),
        Binding::Retired { at: _, id: _ } => ("gone", None),
    };
    Row {
        resource: record.watched.resource(),
        state,
        id: record.id().map(|id| id.to_string()),
        expires_at,
        last_notification_at: record.last_notification_at,
        notification_url: record.notification_url.clone(),
    }
}

/// What nobody tells us about.
pub(crate) fn unwatched(rows: &[Row]) -> Vec<Watched> {
    let alive =
        |watched: &Watched| rows.iter().any(|row| row.resource == watched.resource() && row.state == ALIVE);
    Watched::ALL.into_iter().filter(|watched| !alive(watched)).collect()
}

pub(crate) fn missing(store: &Store, watched: Watched) -> String {
    let who = words::who_does(store, Part::Steward);
    format!("there is no living subscription to `{watched}`: {who} makes it")
}

pub(crate) async fn run(environment: &Environment, output: Output) -> anyhow::Result<Exit> {
    let (_, store) = open(environment).await?;
    let records = store.ledger.subscriptions().await?;
    let now = store.now().await?;
    let rows: Vec<Row> = records.iter().map(|stored| row(&stored.value, now)).collect();
    out::show(output, &rows, |rows| {
        let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), words::seconds);
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    row.resource.to_owned(),
                    row.state.to_owned(),
                    row.id.clone().unwrap_or_else(|| "-".to_owned()),
                    when(row.expires_at),
                    when(row.last_notification_at),
                ]
            })
            .collect();
        out::table(&["RESOURCE", "STATE", "ID", "EXPIRES AT", "LAST NOTIFICATION"], &cells)
    })?;
    let unwatched = unwatched(&rows);
    for watched in &unwatched {
        out::message(&missing(&store, *watched));
    }
    Ok(if unwatched.is_empty() { Exit::Well } else { Exit::NotWell })
}
