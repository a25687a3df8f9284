//! The function `notifications` as a process of its own: what the internet reaches. It has no Graph credential.
//!
//! A body that is no notification is 400, above 4 MiB 413, not durable 503; everything else is 202, ours or not.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::notifications(&Environment::of_the_process()).await
}
