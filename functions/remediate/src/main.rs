//! The function `remediate` as a process of its own: the only one with a credential that writes to the tenant.
//!
//! A closed or held incident is success. What Graph refuses becomes a failed incident. Trouble is retried.

use std::process::ExitCode;

use host::Environment;

#[tokio::main]
async fn main() -> ExitCode {
    host::remediate(&Environment::of_the_process()).await
}
