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
        Err(error) => {
            out::message(&format!("error: {error:#}"));
            Exit::of(&error)
        }
    };
    exit.into()
}
