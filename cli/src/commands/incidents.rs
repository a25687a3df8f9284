//! `guestlist incidents`: what was found, what was done about it, and by whom it was undone.

use host::{Environment, Store};
use jiff::Timestamp;
use ledger::IncidentFilter;
use model::{Incident, IncidentId, Outcome};
use serde::Serialize;

use super::open;
use crate::args::{Incidents, IncidentsCommand, Output};
use crate::exit::Exit;
use crate::out;

#[derive(Serialize)]
struct Whole {
    incident: Incident,
    outcomes: Vec<Outcome>,
}

pub(crate) async fn run(
    environment: &Environment,
    incidents: Incidents,
    output: Output,
) -> anyhow::Result<Exit> {
    let (_, store) = open(environment)?;
    match incidents.command {
        Some(IncidentsCommand::Show { incident }) => show(&store, &incident, output).await,
        None => list(&store, &incidents, output).await,
    }
}

async fn list(store: &Store, wanted: &Incidents, output: Output) -> anyhow::Result<Exit> {
    let filter = IncidentFilter {
        state: wanted.state.clone(),
        guest: wanted.guest,
        rule: wanted.rule.clone(),
        archived: wanted.archived,
    };
    let page = store.ledger.incidents(&filter, None, wanted.limit).await?;
    if page.next.is_some() {
        out::message(&format!("there are more than {}: see `--limit`", wanted.limit));
    }
    let found: Vec<Incident> = page.incidents.into_iter().map(|stored| stored.value).collect();
    out::show(output, &found, |found| {
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        out::table(&["INCIDENT", "STATE", "SEVERITY", "RULE", "GUEST", "UPDATED AT", "SEEN"], &rows)
    })?;
    if found.is_empty() {
        out::message("there are no such incidents");
    }
    Ok(Exit::Well)
}

fn row(incident: &Incident) -> Vec<String> {
    let subject = &incident.subject;
    let address = subject.addresses.first().cloned();
    vec![
        incident.id.to_string(),
        incident.state.word().to_owned(),
        incident.finding.severity.to_string(),
        incident.key.rule.to_string(),
        address.unwrap_or_else(|| subject.id.to_string()),
        seconds(incident.updated_at),
        incident.seen.to_string(),
    ]
}

/// To the second: nobody reads more in a table.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

async fn show(store: &Store, id: &IncidentId, output: Output) -> anyhow::Result<Exit> {
    let Some(stored) = store.ledger.incident(id).await? else {
        out::message(&format!("there is no incident `{id}`: see `guestlist incidents`"));
        return Ok(Exit::Refused);
    };
    let outcomes = store.ledger.outcomes(id).await?;
    out::show(output, &Whole { incident: stored.value, outcomes }, print)?;
    Ok(Exit::Well)
}

fn print(whole: &Whole) -> anyhow::Result<()> {
    let Whole { incident, outcomes } = whole;
    out::line(&alert::about_incident(incident, 0).plain_text())?;
    out::line("")?;
    for outcome in outcomes {
        let request = outcome.request.as_deref().unwrap_or("-");
        out::line(&format!(
            "{}  {}: {:?} (Graph request {request})",
            outcome.at, outcome.step, outcome.result
        ))?;
    }
    for delivery in &incident.deliveries {
        out::line(&format!("told in {}: {:?}", delivery.channel, delivery.status))?;
    }
    Ok(())
}
