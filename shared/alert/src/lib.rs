//! What people are told, and the channels that tell them.
//!
//! Lives here: the words of an alert, its renderings, and how each channel takes and refuses it.
//! Never here: when something is told, how often it is tried again, and what is true. That is the responder's and
//! the ledger's.

mod atom;
mod block_kit;
mod card;
mod card_text;
mod channel;
mod decision;
mod event;
mod incident;
mod known;
mod markup;
mod message;
mod notice;
mod page;
mod pager_duty;
mod plain;
mod reply;
mod roll_up;
mod secret_url;
mod section;
mod slack;
mod slack_bot;
mod steps;
mod teams;
#[cfg(test)]
mod tests;
mod webhook;
mod wording;

pub use channel::{Channel, ChannelError, Receipt, SendError};
pub use incident::{Background, about_incident, about_incident_with};
pub use message::{
    About, ApprovalReport, Decide, Group, IncidentReport, Kind, Message, NoticeReport, Progress,
    RollUpReport, Sponsor, StepReport, Who,
};
pub use notice::about_notice;
pub use pager_duty::PagerDuty;
pub use roll_up::{next_roll_up, roll_up};
pub use slack::Slack;
pub use slack_bot::SlackBot;
pub use teams::Teams;
pub use webhook::Webhook;
