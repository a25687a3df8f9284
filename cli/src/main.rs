//! `guestlist`: the operator's command. Data goes to standard output, messages to standard error.

mod args;
mod commands;
mod exit;
mod out;

use clap::Parser as _;

use crate::args::Arguments;
use crate::exit::Exit;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let exit = match commands::run(arguments).await {
        Ok(exit) => exit,
        Err(error) if nobody_reads(&error) => Exit::Well,
        Err(error) => {
            out::message(&format!("error: {}", in_words(&error)));
            Exit::of(&error)
        }
    };
    exit.into()
}

/// `guestlist incidents | head` ends early, and nothing is wrong with that.
fn nobody_reads(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The errors of our own crates are fragments that fit after "failed to"; reports with context say it themselves.
fn in_words(error: &anyhow::Error) -> String {
    let fragment = error.is::<ledger::LedgerError>()
        || error.is::<queue::QueueError>()
        || error.is::<graph::GraphError>()
        || error.is::<responder::Trouble>()
        || error.is::<simulator::StartError>();
    let said = if fragment { format!("failed to {error:#}") } else { format!("{error:#}") };
    // It knows the names of the settings as little as of the stack.
    if let Some(queue::QueueError::Missing { queue, why: _ }) = error.downcast_ref() {
        let name = queue.to_uppercase();
        let mend = "`eval \"$(infra/aws/environment STACK)\"` sets them";
        return format!("{said} (GUESTLIST_QUEUE_{name} and GUESTLIST_DEAD_{name}: {mend})");
    }
    said
}
