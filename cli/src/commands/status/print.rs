//! How `guestlist status` reads for people: each thing in a line, whether it is well or not.

use std::collections::BTreeSet;

use model::{ChannelState, Mode};

use super::{PolicyStatus, Status};
use crate::commands::subscriptions;
use crate::commands::words::seconds;
use crate::out::{self, Colour};

pub(super) fn print(status: &Status) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = status
        .queues
        .iter()
        .map(|queue| {
            let numbers = [queue.ready, queue.waiting, queue.claimed, queue.dead];
            let untold = if status.deployed.is_some() && queue.ready > 0 { "not known" } else { "-" };
            let oldest = queue.oldest_ready.map_or_else(|| untold.to_owned(), seconds);
            let cells = numbers.iter().map(u64::to_string).chain([oldest]);
            std::iter::once(queue.name.to_owned()).chain(cells).collect()
        })
        .collect();
    out::table(&["QUEUE", "READY", "WAITING", "CLAIMED", "DEAD", "OLDEST READY SINCE"], &rows)?;
    out::line("WAITING: looks, jobs and messages that are due later")?;
    if let Some(deployed) = &status.deployed {
        out::line(&deployed.in_words())?;
    }
    // They are stored under ids that chance has made.
    let subscriptions: BTreeSet<String> =
        status.subscriptions.iter().map(subscriptions::Row::in_words).collect();
    let subscriptions =
        (!subscriptions.is_empty()).then(|| subscriptions.into_iter().collect::<Vec<_>>().join("; "));
    out::line(&format!("subscriptions: {}", subscriptions.as_deref().unwrap_or("none")))?;
    status.reconciled.in_words().iter().try_for_each(|line| out::line(line))?;
    status.watching.in_words().iter().try_for_each(|line| out::line(line))?;
    let channels = listed(
        status
            .channels
            .iter()
            .map(channel)
            .chain(status.silent.iter().map(|name| format!("{name} was told nothing yet"))),
    );
    out::line(&format!("channels: {}", channels.as_deref().unwrap_or("none is known here")))?;
    out::line(&format!(
        "policy: {}; GUESTLIST_AT_MOST is {}",
        policy(status),
        status.at_most.map_or_else(|| "not known yet".to_owned(), |mode| mode.to_string())
    ))?;
    out::line(&format!("writes: {}", writes(status)))?;
    let counts = listed(status.incidents.iter().map(|(state, count)| format!("{count} {state}")));
    out::line(&format!("incidents: {}", counts.as_deref().unwrap_or("none open or in force")))?;
    print_for_people(status)?;
    let state = if status.breaker.open { "open" } else { "closed" };
    out::line(&format!("breaker: {state}; {}", status.breaker.budgets_in_words().join("; ")))?;
    for trouble in &status.troubles {
        out::painted(&[(trouble, Colour::Red)])?;
    }
    if status.well {
        match status.for_people.values().sum::<usize>() {
            0 => out::painted(&[("all is well", Colour::Green)])?,
            1 => out::painted(&[("1 incident needs a person; all else is well", Colour::Yellow)])?,
            many => {
                let said = format!("{many} incidents need a person; all else is well");
                out::painted(&[(&said, Colour::Yellow)])?;
            }
        }
    }
    Ok(())
}

/// What failed is among the troubles.
fn print_for_people(status: &Status) -> anyhow::Result<()> {
    if status.waiting.count > 0 {
        out::line(&status.waiting.in_words())?;
    }
    for (state, what) in [
        ("refused", "refused, because a person must do it"),
        ("partly", "done in part, and the rest is for a person"),
    ] {
        if let Some(count) = status.for_people.get(state) {
            out::line(&format!("{count} {what}: `guestlist incidents --state {state}`"))?;
        }
    }
    Ok(())
}

fn listed(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    if words.is_empty() { None } else { Some(words.join(", ")) }
}

fn channel(channel: &ChannelState) -> String {
    let state = if channel.broken.is_none() { "takes messages" } else { "takes no messages" };
    format!("{} {state}", channel.name)
}

/// What holds all of them, whatever the policy says.
fn writes(status: &Status) -> &'static str {
    match (&status.stopped, status.at_most) {
        (Some(_), _) => "stopped, until `guestlist resume`",
        (None, None) => "not known until somebody has judged",
        (None, Some(Mode::Observe)) => "none, because GUESTLIST_AT_MOST is observe",
        (None, Some(Mode::Ask)) => "only what somebody approved, because GUESTLIST_AT_MOST is ask",
        (None, Some(Mode::Enforce)) => "as the policy says",
    }
}

fn policy(status: &Status) -> String {
    match &status.policy {
        None if status.deployed.is_some() => "that of the deployment".to_owned(),
        None => "GUESTLIST_POLICY is not set here".to_owned(),
        Some(PolicyStatus { file, hash: Some(hash), mode: Some(mode), problems: _ }) => {
            format!("`{file}` ({hash}), mode {mode}")
        }
        Some(PolicyStatus { file, hash: _, mode: _, problems: _ }) => format!("`{file}` is not valid"),
    }
}
