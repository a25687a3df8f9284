//! What a policy means, seen from outside.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod admission;
mod blank;
mod coverage;
mod deleting;
mod example;
mod form_errors;
mod group_errors;
mod group_properties;
mod inviters;
mod inviters_read;
mod joins;
mod lowering;
mod matching;
mod meaning_errors;
mod mistakes;
mod names;
mod people_errors;
mod people_properties;
mod plain_reading;
mod plans;
mod policy_tests;
mod properties;
mod resolving;
mod time;
mod views;
mod world;
