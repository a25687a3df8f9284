//! Which incidents a decision is about: those that were named, or those that a rule and a span of time choose. What is
//! chosen is listed, and somebody says yes, before anything is asked for.

use std::collections::BTreeMap;

use host::Store;
use jiff::Timestamp;
use ledger::IncidentFilter;
use model::{Incident, IncidentId, Plan, RuleId};

use super::{incidents, words};
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
pub(super) async fn stops(
    store: &Store,
    which: &Which,
    chosen: &[Incident],
    verb: &str,
    plan: impl Fn(&Incident) -> Plan,
) -> anyhow::Result<Option<Exit>> {
    if chosen.is_empty() {
        let unheard_of = match &which.rule {
            Some(rule) => incidents::unheard_of(store, rule).await?,
            None => None,
        };
        let nothing = || format!("there is nothing to {verb}: see `guestlist incidents`");
        out::message(&unheard_of.unwrap_or_else(nothing));
        return Ok(Some(Exit::Refused));
    }
    list(chosen, plan);
    if which.yes {
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

/// A row each, as many as somebody reads, and the others by their number. Who wants to know more names ids.
fn list(chosen: &[Incident], plan: impl Fn(&Incident) -> Plan) {
    const READ: usize = 20;
    let row = |incident: &Incident| {
        let Incident { id, key, subject, finding, .. } = incident;
        let place = words::only_place(finding).unwrap_or_else(|| "-".to_owned());
        let (rule, what) = (key.rule.to_string(), words::briefly(&plan(incident)));
        vec![id.to_string(), rule, what, words::called(subject), place]
    };
    let rows: Vec<Vec<String>> = chosen.iter().take(READ).map(row).collect();
    out::table_message(&["INCIDENT", "RULE", "WHAT", "WHO", "WHERE"], &rows);
    let others = chosen.get(READ..).unwrap_or_default();
    if !others.is_empty() {
        let rules = by_rule(others.iter().map(|incident| &incident.key.rule));
        out::message(&format!("and {} more: {rules}", others.len()));
    }
}

/// `12 closed-groups, 3 otherwise.guest`
fn by_rule<'a>(rules: impl Iterator<Item = &'a RuleId>) -> String {
    let mut counts = BTreeMap::<&RuleId, usize>::new();
    for rule in rules {
        let count = counts.entry(rule).or_default();
        *count = count.saturating_add(1);
    }
    let words = counts.iter().map(|(rule, count)| format!("{count} {rule}"));
    words.collect::<Vec<_>>().join(", ")
}
