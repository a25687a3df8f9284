//! The real binary as its users meet it: processes, signals, exit codes, what is printed and what never is.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod breaker;
mod check;
mod check_groups;
mod check_time;
mod crash;
mod deciding;
mod demo;
mod doctor;
mod functions;
mod hostile;
mod monitoring;
mod operating;
mod output;
mod process;
mod reload;
mod resolve;
mod secrets;
mod serve;
mod settings;
mod simulated;
mod stop;
mod tenant;
mod traces;
mod undo;
mod undoing;
mod validate;
