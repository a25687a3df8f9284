//! The function `alert` as a process of its own: tells people. It has no Graph credential.
//!
//! A channel that is gone is reported in the others. A channel in trouble is tried again as it asks.

use host::{Environment, Part};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    host::run_part(Part::Alert, &Environment::of_the_process()).await
}
