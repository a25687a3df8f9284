//! The simulator seen from outside: HTTP in, notifications out, and the true state of the tenant beside it.
#![cfg(test)]

mod auditing;
mod batches;
mod control;
mod deltas;
mod faults;
mod groups;
mod in_process;
mod notifications;
mod reading;
mod record;
mod subscribing;
mod tokens;
mod witnessed;
mod world;
mod writing;
