//! What people are told, and the channels that tell them.
//!
//! Lives here: the words of an alert, its renderings, and how each channel takes and refuses it.
//! Never here: when something is told, how often it is tried again, and what is true. That is the responder's and
//! the ledger's.

mod block_kit;
mod channel;
mod event;
mod incident;
mod markup;
mod message;
mod notice;
mod plain;
mod reply;
mod roll_up;
mod section;
mod slack;
#[cfg(test)]
mod tests;
mod webhook;
mod wording;

pub use channel::{Channel, ChannelError, SendError};
pub use incident::{Background, about_incident, about_incident_with};
pub use message::{About, IncidentReport, Kind, Message, NoticeReport, RollUpReport, Sponsor, Who};
pub use notice::about_notice;
pub use roll_up::roll_up;
pub use slack::Slack;
pub use webhook::Webhook;
