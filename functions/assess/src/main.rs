//! The function `assess` as a process of its own: reads what changed, judges it, writes down what was found.
//!
//! Internal members and groups are success. Poison is buried and reported. Trouble with Graph or the store is retried.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::assess(&Environment::of_the_process()).await
}
