//! What is true: incidents, outcomes, suspensions, known guests, subscriptions, requests, notices.
//!
//! Lives here: documents with a version each, written under the condition that nobody else has written in between.
//! Never here: what a document decides. Transitions are the model's, and every moment is an argument.

mod coverage;
mod document;
mod documents;
mod error;
mod groups;
mod health;
mod holds;
mod incidents;
mod items;
mod known;
mod ledger;
mod outcomes;
mod requests;
mod sqlite;
mod table;

pub use document::{Document, Stored};
pub use error::LedgerError;
pub use groups::{Joined, KnownGroup};
pub use incidents::{Cursor, IncidentFilter, IncidentPage};
pub use items::Place;
pub use known::KnownGuest;
pub use ledger::Ledger;
