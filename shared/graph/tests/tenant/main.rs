//! The client against the strict tenant simulator, over loopback HTTP: what the real Graph would make of our calls.
#![cfg(test)]

mod audits;
mod deltas;
mod federation;
mod world;
