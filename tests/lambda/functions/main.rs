//! Each function's own binary under a Runtime API, stopped between events, and the command that asks them, against the table, the
//! queues, the secrets and the bucket of the emulator and the simulated tenant. What is looked at while a process is stopped was done
//! before it answered.

mod command;
mod function;
mod gateway;
mod runtime;
mod stage;
mod table;

mod asking;
mod assessed;
mod batches;
mod changing;
mod cost;
mod federation;
mod http;
mod idle;
mod packing;
mod pages;
mod places;
mod powers;
mod rotating;
mod starting;
mod story;
mod throttled;
mod timers;
mod traced;

use serde_json::Value;

/// A sample in `events/aws`.
fn sample(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/aws").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}
