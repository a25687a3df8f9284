//! The function `approvals` as a process of its own: shows an incident to whoever comes by a link in the chat, and the command that
//! acts on it. It acts on nothing, and has no Graph credential.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::approvals(&Environment::of_the_process()).await
}
