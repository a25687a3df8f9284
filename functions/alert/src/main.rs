//! The function `alert` as a process of its own: tells people. It has no Graph credential.
//!
//! A channel that is gone is reported in the others. A channel in trouble is tried again as it asks.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::alert(&Environment::of_the_process()).await
}
