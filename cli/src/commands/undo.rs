//! `guestlist undo`: writes the requests into the store; the running process, which has the credential, acts.

use host::{Environment, Store};
use jiff::Timestamp;
use model::{Incident, Outcome, RequestKind, State};

use super::requests::{Manner, ask_about};
use super::{choice, open, words};
use crate::args::{Output, Undo, Which};
use crate::exit::Exit;
use crate::out;

pub(super) async fn run(environment: &Environment, undo: Undo, output: Output) -> anyhow::Result<Exit> {
    let Undo { which, suspend_for, force, reason, wait } = undo;
    let (settings, store) = open(environment)?;
    let chosen = if which.is_selection() {
        let chosen = in_force(&store, &which).await?;
        if let Some(exit) = choice::stops(&store, &which, &chosen, "undo", words::reverse).await? {
            return Ok(exit);
        }
        chosen
    } else {
        match choice::named(&store, &which.incidents).await? {
            Ok(named) => named,
            Err(exit) => return Ok(exit),
        }
    };
    let single = which.incidents.len() == 1;
    if !which.is_selection() && !single {
        chosen.iter().for_each(|incident| out::message(&shown(incident)));
    }
    let kind = |incident: &Incident| RequestKind::Undo { incident: incident.id.clone(), suspend_for, force };
    let manner = Manner { reason, wait, output, single };
    ask_about(&settings, &store, &chosen, kind, manner).await
}

/// Those about which something of ours is in force. An undo of one rule gives nobody back what another rule takes, too:
/// such an incident has to be named.
async fn in_force(store: &Store, which: &Which) -> anyhow::Result<Vec<Incident>> {
    let now = Timestamp::now();
    let (mut chosen, mut shared) = (Vec::new(), 0_usize);
    for incident in choice::of_the_rule(store, which).await? {
        let under_way = matches!(incident.state, State::Undoing { .. });
        if under_way || incident.told_with.is_some() || incident.may_undo(now).is_err() {
            continue;
        }
        let Some(at) = acted_at(store, &incident).await? else { continue };
        if !choice::is_recent(which, at, now) {
            continue;
        }
        if which.rule.is_some() && !incident.speaks_for.is_empty() {
            shared = shared.saturating_add(1);
        } else {
            chosen.push(incident);
        }
    }
    if shared > 0 {
        out::message(&format!(
            "{shared} more are left out, because other rules ask for the same: name their ids to undo them"
        ));
    }
    Ok(chosen)
}

/// When we last changed something that nobody has put back.
async fn acted_at(store: &Store, incident: &Incident) -> anyhow::Result<Option<Timestamp>> {
    let outcomes = store.ledger.outcomes(&incident.id).await?;
    let ours = |outcome: &&Outcome| outcome.is_ours() && incident.is_in_force(outcome.step, outcome.at);
    Ok(outcomes.iter().filter(ours).map(|outcome| outcome.at).max())
}

fn shown(incident: &Incident) -> String {
    let Incident { id, subject, finding, state, .. } = incident;
    let lines = [
        format!("{id}  {} ({}), {}", finding.rule, finding.severity, state.word()),
        format!("  who    {}", words::who(subject)),
        format!("  would  {}", words::plan(&words::reverse(incident), &finding.names)),
        format!("  why    {}", words::why(finding)),
    ];
    lines.map(|line| line.replace('\n', "\\n")).join("\n")
}
