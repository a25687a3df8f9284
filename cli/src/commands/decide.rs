//! `guestlist approve` and `guestlist reject`: somebody decides what waits for a decision. An approval is bound to the plan
//! that the message showed, or that is shown here: what has changed in between is refused by the running process.

use host::{Environment, Store};
use jiff::Timestamp;
use model::{Incident, RequestKind};

use super::requests::{Manner, ask_about};
use super::{choice, open, words};
use crate::args::{Approve, Output, Reject, Which};
use crate::exit::Exit;
use crate::out;

pub(super) async fn approve(
    environment: &Environment,
    approve: Approve,
    output: Output,
) -> anyhow::Result<Exit> {
    let Approve { which, plan, reason, wait } = approve;
    if plan.is_some() && which.incidents.len() > 1 {
        out::message("`--plan` is one incident's: name one, or leave it out");
        return Ok(Exit::Usage);
    }
    let kind = |incident: &Incident| RequestKind::Approve {
        incident: incident.id.clone(),
        plan: plan.unwrap_or_else(|| incident.question()),
    };
    let manner = Manner { reason, wait, output, single: which.incidents.len() == 1 };
    decide(environment, &which, "approve", kind, manner).await
}

pub(super) async fn reject(
    environment: &Environment,
    reject: Reject,
    output: Output,
) -> anyhow::Result<Exit> {
    let Reject { which, reason, suspend_for, wait } = reject;
    let kind = |incident: &Incident| RequestKind::Reject { incident: incident.id.clone(), suspend_for };
    let manner = Manner { reason, wait, output, single: which.incidents.len() == 1 };
    decide(environment, &which, "reject", kind, manner).await
}

async fn decide(
    environment: &Environment,
    which: &Which,
    verb: &str,
    kind: impl Fn(&Incident) -> RequestKind,
    manner: Manner,
) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment).await?;
    let chosen = if which.is_selection() {
        let chosen = waiting(&store, which).await?;
        let plan = |incident: &Incident| incident.plan().clone();
        if let Some(exit) = choice::stops(&store, which, &chosen, verb, plan).await? {
            return Ok(exit);
        }
        chosen
    } else {
        let named = match choice::named(&store, &which.incidents).await? {
            Ok(named) => named,
            Err(exit) => return Ok(exit),
        };
        named.iter().for_each(|incident| out::message(&shown(incident)));
        named
    };
    ask_about(&settings, &store, &chosen, kind, manner).await
}

/// Those that wait and still may be decided. One that another speaks for is decided with that one.
async fn waiting(store: &Store, which: &Which) -> anyhow::Result<Vec<Incident>> {
    let now = store.now().await?;
    let mut found = choice::of_the_rule(store, which).await?;
    let open = |(since, until): (Timestamp, Timestamp)| until > now && choice::is_recent(which, since, now);
    found.retain(|incident| incident.state.waits().is_some_and(open));
    let speaks = |speaker: &Incident, other: &Incident| {
        let same = (speaker.key.guest, speaker.key.object) == (other.key.guest, other.key.object);
        same && other.told_with.as_ref() == Some(&speaker.key.rule)
    };
    let spoken_for: Vec<bool> =
        found.iter().map(|one| found.iter().any(|speaker| speaks(speaker, one))).collect();
    let own = found.into_iter().zip(spoken_for).filter(|(_, spoken_for)| !spoken_for);
    Ok(own.map(|(incident, _)| incident).collect())
}

/// All that somebody has to know to decide.
fn shown(incident: &Incident) -> String {
    let Incident { id, subject, finding, state, waits_because, .. } = incident;
    let mut lines = vec![
        format!("{id}  {} ({})", finding.rule, finding.severity),
        format!("  who    {}", words::who(subject)),
        format!("  would  {}", words::plan(incident.plan(), &finding.names)),
        format!("  why    {}", words::why(finding)),
    ];
    lines.extend(finding.by_hand.iter().map(|by_hand| format!("  hand   {by_hand}")));
    lines.push(match state.waits() {
        Some((since, until)) => {
            let mode = || format!("the mode is `{}`", finding.mode);
            let because = waits_because.clone().unwrap_or_else(mode);
            format!(
                "  waits  because {because}; since {}, until {}",
                words::seconds(since),
                words::seconds(until)
            )
        }
        None => format!("  waits  for nobody: it is {}", state.word()),
    });
    // A message's line ends are its own; what others wrote must not make lines.
    lines.iter().map(|line| line.replace('\n', "\\n")).collect::<Vec<_>>().join("\n")
}
