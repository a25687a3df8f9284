//! The command line. No secret is ever an argument: other users of the machine can read those.

mod decisions;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::{IncidentId, ObjectId, ParseIdError, RuleId};
use queue::DeadId;

pub(crate) use self::decisions::{Approve, Breaker, Reject, Undo, Which};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// Watches the guests of a Microsoft Entra tenant: every invitation is checked against a policy file, and what breaks
/// it is told, disabled, and can be undone.
#[derive(Debug, Parser)]
#[command(name = "guestlist", version, after_help = EXITS)]
pub(crate) struct Arguments {
    /// How data is printed.
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub output: Output,
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "Settings are environment variables that start with GUESTLIST_; infra/local/guestlist.env.example lists \
                     them.\n\nExit codes: 0 done and well · 1 failed · 2 wrong usage, settings or policy · 3 something is \
                     not well · 4 refused, or not there · 5 nobody has answered yet";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play a story of benign and hostile acts against a simulated tenant, and watch Guestlist catch the guests.
    Demo(Demo),
    /// Run every function in one process.
    Serve,
    /// Check the policy file and run its tests.
    Validate(Validate),
    /// Look up the groups that the policy file names, and write their ids beside the names.
    Resolve(Resolve),
    /// What would the policy do to one guest, or to all of the tenant's today? Reads only.
    Check(Check),
    /// Check settings, credentials, permissions, the clock, the callback, and the ids in the policy.
    Doctor(Doctor),
    /// How Guestlist is: queues, subscriptions, channels, dead letters.
    Status,
    /// List incidents, or show one.
    Incidents(Incidents),
    /// Let what waits for somebody's decision be carried out, exactly as it is shown here.
    Approve(Approve),
    /// Decide that what waits is not to be done, and is not asked for again for a while.
    Reject(Reject),
    /// Reverse what was done about incidents, and suspend their rules for the guests.
    Undo(Undo),
    /// The circuit breaker: how many guests may be touched in an hour before everything asks first.
    #[command(subcommand)]
    Breaker(Breaker),
    /// Stop all writes to the tenant. Changes are still received, judged and told.
    Stop(Stop),
    /// Allow writes again.
    Resume(Stop),
    /// Jobs and notifications that could not be worked on.
    #[command(subcommand)]
    Dead(Dead),
    /// The subscriptions at Microsoft Graph that Guestlist keeps.
    Subscriptions,
    /// Run the simulated tenant alone, with a control API for people who write policies.
    Simulator(Simulator),
    /// Print the JSON Schema of the policy file.
    Schema,
    /// Print a completion script for a shell.
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the story with a summary, instead of staying for your own experiments.
    #[arg(long)]
    pub once: bool,
    /// Append every exchange between Guestlist and the simulated Graph to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Use this policy instead of the demo's own.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The policy file; else `GUESTLIST_POLICY`.
    pub policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["guest", "all"]))]
pub(crate) struct Check {
    /// The guest's object id: Entra admin center → Users → the user's page.
    #[arg(value_parser = guest)]
    pub guest: Option<ObjectId>,
    /// Every guest of the tenant, with counts by rule.
    #[arg(long)]
    pub all: bool,
    /// Judge with this policy file instead of `GUESTLIST_POLICY`.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also send a test message to every channel. You have to look whether it arrives.
    #[arg(long)]
    pub send_test: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The policy file; else `GUESTLIST_POLICY`.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Write the ids into the file, which stays as it is otherwise. Without it they are only shown.
    #[arg(long)]
    pub write: bool,
}

const STATES: [&str; 13] = [
    "open", "waiting", "claimed", "sent", "done", "partly", "refused", "failed", "undoing", "undone",
    "rejected", "expired", "resolved",
];

#[derive(Debug, Args)]
pub(crate) struct Incidents {
    #[command(subcommand)]
    pub command: Option<IncidentsCommand>,
    /// Only those in this state.
    #[arg(long, value_parser = STATES)]
    pub state: Option<String>,
    /// Only those of this rule.
    #[arg(long)]
    pub rule: Option<RuleId>,
    /// Only those of the guest with this object id.
    #[arg(long, value_parser = guest)]
    pub guest: Option<ObjectId>,
    /// Only those that something has happened to within so long (`2h`, `30m`, `7d`).
    #[arg(long, value_parser = duration)]
    pub since: Option<jiff::SignedDuration>,
    /// Closed ones too that a later incident of the same guest and rule has followed.
    #[arg(long)]
    pub archived: bool,
    /// At most so many, the latest.
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// Everything about one incident.
    Show { incident: IncidentId },
}

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Why: it is kept and told.
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them, with the reason why each was put aside.
    List,
    /// Everything about one of them.
    Show {
        #[arg(value_parser = letter)]
        id: LetterId,
    },
    /// Put it back into its queue.
    Replay {
        #[arg(value_parser = letter)]
        id: LetterId,
    },
    /// Throw it away for good.
    Drop {
        #[arg(value_parser = letter)]
        id: LetterId,
    },
}

/// Names a dead letter: its queue and its number there (`changes/7`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterId {
    pub queue: &'static str,
    pub number: DeadId,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.queue, self.number)
    }
}

pub(crate) const QUEUES: [&str; 4] = ["changes", "remediations", "alerts", "chores"];

fn letter(text: &str) -> Result<LetterId, String> {
    let parsed = text.split_once('/').and_then(|(name, number)| {
        let queue = QUEUES.into_iter().find(|queue| *queue == name)?;
        Some(LetterId { queue, number: number.parse().ok()? })
    });
    parsed
        .ok_or_else(|| "it is not a dead letter's id, like `changes/7`: see `guestlist dead list`".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Simulator {
    /// Where it listens. Loopback only.
    #[arg(long, default_value = "127.0.0.1:8400")]
    pub listen: std::net::SocketAddr,
    /// Where notifications for `https://guestlist.example` are sent.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub receiver: String,
    /// Append every exchange to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// An address names nobody for certain: several accounts may bear it.
fn guest(text: &str) -> Result<ObjectId, String> {
    text.parse().map_err(|error: ParseIdError| {
        let is_address = text.contains('@');
        let mend = "but an address: the object id stands on the user's page (Entra admin center → Users)";
        if is_address { format!("{error}, {mend}") } else { error.to_string() }
    })
}

/// Whole days, hours or minutes, up to a year.
pub(crate) fn duration(text: &str) -> Result<jiff::SignedDuration, String> {
    let wrong = || format!("`{text}` is not a duration like `7d`, `12h` or `90m`, of at most 365 days");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = match unit {
        'd' => number.checked_mul(86_400),
        'h' => number.checked_mul(3_600),
        'm' => number.checked_mul(60),
        _ => None,
    };
    let seconds = seconds.filter(|seconds| (60..=365 * 86_400).contains(seconds)).ok_or_else(wrong)?;
    Ok(jiff::SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_duration_has_a_unit_and_an_end() {
        assert_eq!(duration("7d").unwrap().as_hours(), 168);
        assert_eq!(duration("90m").unwrap().as_mins(), 90);
        for text in ["", "7", "d", "-1d", "0h", "366d", "1w", "9999999999999999d", "7é"] {
            let error = duration(text).unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is not a duration")), "{error}");
        }
    }
}
