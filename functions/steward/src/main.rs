//! The function `steward` as a process of its own: keeps subscriptions alive and wakes what is due.
//!
//! A subscription that is gone is made again. A lifecycle event that is not known is looked into. Trouble is retried.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::steward(&Environment::of_the_process()).await
}
