//! Which incidents a decision is about: those that were named, or those that a rule and a span of time choose. What is
//! chosen is listed, and somebody says yes, before anything is asked for.

use host::Store;
use jiff::Timestamp;
use ledger::IncidentFilter;
use model::{Incident, IncidentId};

use super::incidents;
use crate::args::Which;
use crate::exit::Exit;
use crate::out;

/// The named incidents, each once. One that is not there stops all.
pub(super) async fn named(store: &Store, ids: &[IncidentId]) -> anyhow::Result<Result<Vec<Incident>, Exit>> {
    let mut found: Vec<Incident> = Vec::with_capacity(ids.len());
    let mut all_there = true;
    for id in ids {
        match store.ledger.incident(id).await? {
            Some(stored) if found.iter().any(|one| one.id == stored.value.id) => {}
            Some(stored) => found.push(stored.value),
            None => {
                all_there = false;
                out::message(&format!("there is no incident `{id}`: see `guestlist incidents`"));
            }
        }
    }
    Ok(if all_there { Ok(found) } else { Err(Exit::Refused) })
}

/// The current incidents of the rule that was given, the oldest first.
pub(super) async fn of_the_rule(store: &Store, which: &Which) -> anyhow::Result<Vec<Incident>> {
    let filter = IncidentFilter { rule: which.rule.clone(), ..IncidentFilter::default() };
    let mut found = incidents::all(store, &filter).await?;
    found.sort_by(|a, b| (a.opened_at, &a.id).cmp(&(b.opened_at, &b.id)));
    Ok(found)
}

/// Whether something at this moment is within the span that was given.
pub(super) fn is_recent(which: &Which, at: Timestamp, now: Timestamp) -> bool {
    which.since.is_none_or(|since| now.duration_since(at) <= since)
}

/// Lists what was chosen, and asks. `Some`: it ends here.
pub(super) fn stops(
    which: &Which,
    chosen: &[Incident],
    verb: &str,
    shown: impl Fn(&Incident) -> String,
) -> anyhow::Result<Option<Exit>> {
    if which.is_selection() && chosen.is_empty() {
        out::message(&format!("there is nothing to {verb}: see `guestlist incidents`"));
        return Ok(Some(Exit::Refused));
    }
    for incident in chosen {
        out::message(&shown(incident));
    }
    if !which.is_selection() || which.yes {
        return Ok(None);
    }
    let count = match chosen.len() {
        1 => "this one incident".to_owned(),
        many => format!("these {many} incidents"),
    };
    match out::confirm(&format!("{verb} {count}?"))? {
        Some(true) => Ok(None),
        Some(false) => {
            out::message("nothing was asked for");
            Ok(Some(Exit::Refused))
        }
        None => {
            out::message(&format!(
                "nothing was asked for: there is no terminal to ask on whether to {verb} {count}; name their ids, or say \
                 `--yes`"
            ));
            Ok(Some(Exit::Usage))
        }
    }
}
