//! `guestlist undo`: writes the requests into the store; the running process, which has the credential, acts.

use host::{Environment, Store};
use model::{CannotUndo, Incident, RequestKind, State};
use responder::acted_at;

use super::requests::{Manner, ask_about};
use super::{choice, open, words};
use crate::args::{Output, Undo, Which};
use crate::exit::Exit;
use crate::out;

pub(super) async fn run(environment: &Environment, undo: Undo, output: Output) -> anyhow::Result<Exit> {
    let Undo { which, suspend_for, force, reason, wait } = undo;
    let (settings, store) = open(environment).await?;
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
    let now = store.now().await?;
    let (mut chosen, mut shared) = (Vec::new(), 0_usize);
    for incident in choice::of_the_rule(store, which).await? {
        let under_way = matches!(incident.state, State::Undoing { .. });
        let held = matches!(incident.may_undo(now), Err(CannotUndo::Held { .. }));
        if under_way || held {
            continue;
        }
        let Some(at) = acted_at(&store.ledger, &incident, now).await? else { continue };
        if !choice::is_recent(which, at, now) {
            continue;
        }
        // Whoever speaks for it offers it, where no rule was chosen.
        let spoken_for = incident.told_with.is_some();
        if which.rule.is_some() && (spoken_for || !incident.speaks_for.is_empty()) {
            shared = shared.saturating_add(1);
        } else if !spoken_for {
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
