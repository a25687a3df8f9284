//! What a policy means, seen from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod admission;
mod blank;
mod example;
mod form_errors;
mod lowering;
mod matching;
mod meaning_errors;
mod mistakes;
mod properties;
mod world;
