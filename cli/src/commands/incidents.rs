//! `guestlist incidents`: what was found, what was done about it, and by whom it was undone.

use alert::Background;
use host::{Environment, Store};
use ledger::IncidentFilter;
use model::{Delivery, DeliveryStatus, Incident, IncidentId, Outcome, RuleId, StepResult, Stop, Suspension};
use serde::Serialize;

use super::open;
use super::words::{self, called, place, seconds};
use crate::args::{Incidents, IncidentsCommand, Output};
use crate::exit::Exit;
use crate::out;

#[derive(Serialize)]
struct Whole {
    incident: Incident,
    outcomes: Vec<Outcome>,
    /// Of its rule, for its guest.
    suspension: Option<Suspension>,
    /// Told beside what waits.
    #[serde(skip)]
    stop: Option<Stop>,
}

pub(crate) async fn run(
    environment: &Environment,
    incidents: Incidents,
    output: Output,
) -> anyhow::Result<Exit> {
    let (_, store) = open(environment).await?;
    match incidents.command {
        Some(IncidentsCommand::Show { incident }) => show(&store, &incident, output).await,
        None => list(&store, &incidents, output).await,
    }
}

async fn list(store: &Store, wanted: &Incidents, output: Output) -> anyhow::Result<Exit> {
    let now = store.now().await?;
    let since = wanted.since.and_then(|since| now.checked_sub(since).ok());
    let filter = IncidentFilter {
        state: wanted.state.clone(),
        guest: wanted.guest,
        rule: wanted.rule.clone(),
        object: None,
        since,
        archived: wanted.archived,
    };
    let mut found = all(store, &filter).await?;
    found.sort_by_key(|incident| std::cmp::Reverse(incident.updated_at));
    if found.len() > wanted.limit {
        out::message(&format!("the latest {} of {}: `--limit` shows more", wanted.limit, found.len()));
        found.truncate(wanted.limit);
    }
    out::show(output, &found, |found| {
        if found.is_empty() {
            return Ok(());
        }
        // A tenant whose rules look at no group is not shown an empty column.
        let with_groups = found.iter().any(|incident| incident.key.object.is_some());
        let rows: Vec<Vec<String>> = found.iter().map(|incident| row(incident, with_groups)).collect();
        let mut headings = vec!["INCIDENT", "STATE", "SEVERITY", "RULE", "GUEST", "UPDATED AT", "SEEN"];
        if with_groups {
            headings.insert(5, "GROUP");
        }
        out::table(&headings, &rows)
    })?;
    if found.is_empty() {
        let unheard_of = match &wanted.rule {
            Some(rule) => unheard_of(store, rule).await?,
            None => None,
        };
        out::message(unheard_of.as_deref().unwrap_or("there are no such incidents"));
    }
    Ok(Exit::Well)
}

/// Says so where no incident ever had this rule: then its name may be wrong.
pub(super) async fn unheard_of(store: &Store, rule: &RuleId) -> anyhow::Result<Option<String>> {
    let filter = IncidentFilter { rule: Some(rule.clone()), archived: true, ..IncidentFilter::default() };
    let none = store.ledger.incidents(&filter, None, 1).await?.incidents.is_empty();
    let said = || format!("no incident ever had the rule `{rule}`: `guestlist validate` lists the rules");
    Ok(none.then(said))
}

/// The ledger knows no order in which the latest come first.
pub(super) async fn all(store: &Store, filter: &IncidentFilter) -> anyhow::Result<Vec<Incident>> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = store.ledger.incidents(filter, next, 500).await?;
        found.extend(page.incidents.into_iter().map(|stored| stored.value));
        next = page.next;
        if next.is_none() {
            return Ok(found);
        }
    }
}

fn row(incident: &Incident, with_groups: bool) -> Vec<String> {
    let mut cells = vec![
        incident.id.to_string(),
        incident.state.word().to_owned(),
        incident.finding.severity.to_string(),
        incident.key.rule.to_string(),
        called(&incident.subject),
        seconds(incident.updated_at),
        incident.seen.to_string(),
    ];
    if with_groups {
        cells.insert(5, place(&incident.finding).unwrap_or_else(|| "-".to_owned()));
    }
    cells
}

async fn show(store: &Store, id: &IncidentId, output: Output) -> anyhow::Result<Exit> {
    let Some(stored) = store.ledger.incident(id).await? else {
        out::message(&format!("there is no incident `{id}`: see `guestlist incidents`"));
        return Ok(Exit::Refused);
    };
    let outcomes = store.ledger.outcomes(id).await?;
    let suspensions = store.ledger.suspensions(stored.value.key.guest).await?;
    let key = &stored.value.key;
    let now = store.now().await?;
    let holds = |one: &Suspension| one.until > now && one.covers(key.guest, &key.rule, key.object);
    let suspension = suspensions.into_iter().find(holds);
    let stop = store.ledger.stop().await?;
    out::show(output, &Whole { incident: stored.value, outcomes, suspension, stop }, print)?;
    Ok(Exit::Well)
}

fn print(whole: &Whole) -> anyhow::Result<()> {
    let Whole { incident, outcomes, suspension, stop } = whole;
    let background = Background { outcomes, suspension: suspension.as_ref(), stop: stop.as_ref() };
    out::lines(&alert::about_incident_with(incident, 0, background).plain_text())?;
    if !outcomes.is_empty() {
        out::line("")?;
        out::line("Steps")?;
    }
    for outcome in outcomes {
        let request = outcome.request.as_ref().map(|id| format!(" (Graph request-id {id})"));
        let step = words::step(outcome.step, &incident.finding.names);
        let (at, result) = (seconds(outcome.at), result(&outcome.result));
        out::line(&format!("  {at}  {step}: {result}{}", request.unwrap_or_default()))?;
    }
    if !incident.deliveries.is_empty() {
        out::line("")?;
        out::line("Messages")?;
    }
    for Delivery { channel, sequence: _, status } in &incident.deliveries {
        out::line(&format!("  {channel}: {}", delivery(status)))?;
    }
    if let Some(rule) = &incident.told_with {
        out::line(&format!("  told with the incident of `{rule}`, which speaks for this one"))?;
    }
    Ok(())
}

fn result(result: &StepResult) -> String {
    match result {
        StepResult::Intended => "about to be sent; whether it was is not known".to_owned(),
        StepResult::NeverShown => "failed: no read has shown it within 15 minutes".to_owned(),
        StepResult::TurnedAway { why } => format!("turned away, to be tried again: {why}"),
        StepResult::AlreadySo => "it was so before, nothing was sent".to_owned(),
        StepResult::Done => "done, and read back".to_owned(),
        StepResult::Sent => "accepted, not yet seen".to_owned(),
        StepResult::Refused { why } => format!("not tried: {why}"),
        StepResult::Failed { why } => format!("failed: {why}"),
    }
}

fn delivery(status: &DeliveryStatus) -> String {
    match status {
        DeliveryStatus::Due { at, attempts: 0 } => format!("due at {}", seconds(*at)),
        DeliveryStatus::Due { at, attempts } => {
            format!("tried {attempts} times, again at {}", seconds(*at))
        }
        DeliveryStatus::Sent { at } => format!("told at {}", seconds(*at)),
        DeliveryStatus::RolledUp { at } => format!("put into a roll-up at {}", seconds(*at)),
        DeliveryStatus::Superseded => "a later state was told instead".to_owned(),
        DeliveryStatus::Failed { at, why } => format!("failed at {}: {why}", seconds(*at)),
    }
}
