//! `guestlist subscriptions`: those that Guestlist keeps at Microsoft Graph, as the ledger knows them.

use host::Environment;
use jiff::Timestamp;
use model::{Binding, SubscriptionRecord};
use serde::Serialize;

use super::open;
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

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

pub(crate) fn row(record: &SubscriptionRecord) -> Row {
    let (state, expires_at) = match &record.binding {
        Binding::Pending => ("pending", None),
        Binding::Bound { id: _, expires_at, renewed_at: _ } => ("alive", Some(*expires_at)),
        Binding::Retired { at: _ } => ("gone", None),
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

pub(crate) async fn run(environment: &Environment, output: Output) -> anyhow::Result<Exit> {
    let (_, store) = open(environment)?;
    let records = store.ledger.subscriptions().await?;
    let rows: Vec<Row> = records.iter().map(|stored| row(&stored.value)).collect();
    let alive = rows.iter().filter(|row| row.state == "alive").count();
    out::show(output, &rows, |rows| {
        let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
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
    Ok(if alive == model::Watched::ALL.len() { Exit::Well } else { Exit::NotWell })
}
