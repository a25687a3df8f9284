//! The commands with which people decide: approve, reject, undo, and the circuit breaker's.

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use model::{IncidentId, PlanHash, RuleId};

use super::duration;

/// Which incidents are meant: those that are named, or all that a rule and a span of time choose.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["incidents", "rule", "since"]))]
pub(crate) struct Which {
    /// Their ids.
    #[arg(value_name = "INCIDENT", conflicts_with_all = ["rule", "since"])]
    pub incidents: Vec<IncidentId>,
    /// All of this rule, instead of ids. They are listed, and you are asked.
    #[arg(long)]
    pub rule: Option<RuleId>,
    /// All of the last so long (`2h`, `30m`, `7d`), instead of ids: since when they wait, or when something was done.
    #[arg(long, value_parser = duration)]
    pub since: Option<SignedDuration>,
    /// With `--rule` or `--since`: go on without asking. Needed where there is no terminal.
    #[arg(long)]
    pub yes: bool,
}

impl Which {
    /// Whether they are chosen rather than named.
    pub(crate) fn is_selection(&self) -> bool {
        self.incidents.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    pub which: Which,
    /// The plan that the message showed: another one is refused. Without it, the plan that is shown here is meant.
    #[arg(long, value_name = "HASH", conflicts_with_all = ["rule", "since"])]
    pub plan: Option<PlanHash>,
    /// Why: it is kept with your name, and told.
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// Seconds to wait for the running process's answers.
    #[arg(long, default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Reject {
    #[command(flatten)]
    pub which: Which,
    /// Why: it is kept with your name, and told.
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// How long it is not asked for again (`7d`, `12h`, `90m`).
    #[arg(long = "for", default_value = "7d", value_parser = duration)]
    pub suspend_for: SignedDuration,
    /// Seconds to wait for the running process's answers.
    #[arg(long, default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    #[command(flatten)]
    pub which: Which,
    /// How long the rule is suspended for the guest (`7d`, `12h`, `90m`).
    #[arg(long = "for", default_value = "7d", value_parser = duration)]
    pub suspend_for: SignedDuration,
    /// Undo although another rule objects or the account's identity has changed. Needs ids. Never overrides the protection
    /// of an account.
    #[arg(long, conflicts_with_all = ["rule", "since"])]
    pub force: bool,
    /// Why: it is kept with your name and the suspension, and told.
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// Seconds to wait for the running process's answers.
    #[arg(long, default_value_t = 20)]
    pub wait: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Breaker {
    /// Whether it is open, since when and why, and how many guests were touched within the hour.
    Show,
    /// Close it: the rules act again without asking. Releases nothing that waits.
    Reset {
        /// Why: it is kept with your name, and told.
        #[arg(long, value_parser = reason)]
        reason: String,
        /// Seconds to wait for the running process's answer.
        #[arg(long, default_value_t = 20)]
        wait: u64,
    },
}

/// A reason that says something.
fn reason(text: &str) -> Result<String, String> {
    const LONGEST: usize = 500;
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty: say why, in a few words".to_owned());
    }
    if text.chars().count() > LONGEST {
        return Err(format!("it has more than {LONGEST} characters: say why, in a few words"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::Arguments;

    const ID: &str = "9f2c41d05be07a13-1";

    #[track_caller]
    fn refused(line: &[&str], because: &str) {
        let error = Arguments::try_parse_from([&["guestlist"], line].concat()).unwrap_err().to_string();
        assert!(error.contains(because), "{line:?}: {error}");
    }

    #[track_caller]
    fn taken(line: &[&str]) {
        Arguments::try_parse_from([&["guestlist"], line].concat()).unwrap();
    }

    #[test]
    fn a_decision_needs_a_reason_that_says_something() {
        for command in ["approve", "reject", "undo"] {
            refused(&[command, ID], "--reason");
            refused(&[command, ID, "--reason", "  "], "it is empty");
            refused(&[command, ID, "--reason", &"x".repeat(501)], "more than 500 characters");
            taken(&[command, ID, "--reason", "expected"]);
        }
        refused(&["breaker", "reset"], "--reason");
        refused(&["undo", ID, "--force"], "--reason");
    }

    #[test]
    fn incidents_are_named_or_chosen_and_never_all() {
        for command in ["approve", "reject", "undo"] {
            refused(&[command, "--reason", "x"], "required");
            refused(&[command, "--reason", "x", "--yes"], "required");
            refused(&[command, ID, "--rule", "r", "--reason", "x"], "cannot be used with");
            refused(&[command, ID, "--since", "2h", "--reason", "x"], "cannot be used with");
            taken(&[command, "--rule", "r", "--since", "2h", "--reason", "x"]);
            taken(&[command, ID, "1111111111111111-2", "--reason", "x"]);
        }
    }

    #[test]
    fn force_is_for_incidents_that_somebody_has_looked_at() {
        refused(&["undo", "--rule", "r", "--force", "--reason", "x"], "cannot be used with");
        refused(&["undo", "--since", "2h", "--force", "--reason", "x"], "cannot be used with");
        taken(&["undo", ID, "1111111111111111-2", "--force", "--reason", "x"]);
    }
}
